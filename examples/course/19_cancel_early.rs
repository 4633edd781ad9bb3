//! 19: a task that is cancelled before its first step never runs, nor does its clean-up.
//!
//! As in asyncio. What must happen in any case belongs to who spawns, not to the task.
//!
//! ```sh
//! cargo run --release --example 19_cancel_early
//! ```

use pirn::Cause;
use pirn_examples::say;

async fn weave() {
    let work = async { say("weaving") };
    pirn::finally(work, async || say("cleaning up")).await;
}

pub(crate) async fn program() {
    let task = pirn::spawn_local(weave());
    let task = task.cancel(Cause::requested("changed my mind")); // the line
    let ended = task.await;
    say(format!("woven: {}", ended.is_ok()));
}

fn main() {
    pirn::run(program());
}
