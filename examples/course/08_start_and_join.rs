//! 08: a task runs from when it is spawned; to await it is only to wait for its value.
//!
//! `spawn` does not run it, though: the caller goes on first, here as in asyncio, whatever is said
//! of tasks that begin at once. (On worker threads there is no such order: see `spawn_local`.)
//!
//! ```sh
//! cargo run --release --example 08_start_and_join
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn worker(number: u32, seconds: u64) -> u32 {
    say(format!("{number} starts"));
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{number} is done"));
    number * 10
}

pub(crate) async fn program() {
    let first = pirn::spawn_local(worker(1, 2));
    let second = pirn::spawn_local(worker(2, 1));
    say("main goes on");
    pirn::sleep(Duration::from_secs(3)).await; // the line
    say("main has time for them");
    let values = (first.await.unwrap(), second.await.unwrap());
    say(format!("{values:?}"));
}

fn main() {
    pirn::run(program());
}
