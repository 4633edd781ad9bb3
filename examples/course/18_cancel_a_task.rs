//! 18: a cancel is a request with a reason; the task cleans up, and then it has ended.
//!
//! asyncio throws `CancelledError` into the task, which must not forget to raise it again. Here there
//! is nothing to catch, and so nothing to swallow: the work is dropped at its await, what `finally`
//! was given runs to its end, and whoever awaits the task gets the cause.
//!
//! ```sh
//! cargo run --release --example 18_cancel_a_task
//! ```

use pirn::{Cause, JoinError};
use pirn_examples::say;
use std::time::Duration;

async fn weave() {
    let work = async {
        say("weaving");
        pirn::sleep(Duration::from_secs(100)).await;
        say("woven");
    };
    pirn::finally(work, async || {
        if let Some(cause) = pirn::current_cause() {
            say(format!("cut off the loom: {}", cause.text()));
        }
        pirn::sleep(Duration::from_millis(500)).await;
        say("the loom is free");
    })
    .await;
    say("not reached");
}

pub(crate) async fn program() {
    let task = pirn::spawn(weave());
    pirn::sleep(Duration::from_secs(1)).await;
    let task = task.cancel(Cause::requested("the wool is out")); // the line
    match task.await {
        Ok(()) => say("done"),
        Err(JoinError::Cancelled(cause)) => say(format!("cancelled: {}", cause.text())),
        Err(error) => say(error),
    }
}

fn main() {
    pirn::run(program());
}
