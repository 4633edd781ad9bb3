//! 16: the first value of several, the others cancelled and cleaned up before it is given.
//!
//! asyncio has no call for that: one writes `wait` with `FIRST_COMPLETED`, cancels what is pending,
//! and has to think of waiting for it too. For the first that succeeds there is `pirn::first_ok`.
//!
//! ```sh
//! cargo run --release --example 16_race
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn runner(name: &'static str, seconds: u64) -> &'static str {
    let run = async move {
        pirn::sleep(Duration::from_secs(seconds)).await;
        name
    };
    pirn::finally(run, async move || {
        pirn::sleep(Duration::from_millis(200)).await; // the line
        say(format!("{name} is out of the way"));
    })
    .await
}

pub(crate) async fn program() {
    let first = pirn::race((runner("hare", 3), runner("tortoise", 2))).await;
    say(format!("the {} wins", first.unwrap()));
}

fn main() {
    pirn::run(program());
}
