//! 39: `to_thread` lets a thread do what blocks, while the tasks go on.
//!
//! asyncio's `to_thread`, and `run_in_executor(None, …)`. A panic in there comes back as an error, and
//! task-locals are carried over. Neither here nor there can a thread be stopped from outside; here the
//! closure can look, by `current_cause`, whether anybody waits for it still.
//!
//! ```sh
//! cargo run --release --example 39_to_thread
//! ```

use pirn::{JoinError, to_thread};
use pirn_examples::say;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// It knows nothing of async: it keeps its thread until the third tick.
fn count(ticks: &Receiver<u32>) -> u32 {
    ticks.iter().take(3).sum()
}

async fn tick(ticks: Sender<u32>) -> Result<(), JoinError> {
    for _ in 0..3 {
        pirn::sleep(Duration::from_millis(20)).await;
        say("tick");
        let _deaf = ticks.send(1);
    }
    Ok(())
}

async fn ask(ticks: Receiver<u32>) -> Result<(), JoinError> {
    let mut answer = 0;
    answer += to_thread(move || count(&ticks)).await?; // the line
    say(format!("counted: {answer}"));
    Ok(())
}

pub(crate) async fn program() {
    let (sender, receiver) = channel();
    if pirn::gather((ask(receiver), tick(sender))).await.is_ok() {
        let failed = to_thread(|| "many".parse::<u32>().unwrap()).await;
        say(format!("its panic is an error: {}", failed.is_err()));
    }
}

fn main() {
    pirn::run(program());
}
