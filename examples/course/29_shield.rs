//! 29: a shield: what has begun is ended, though the task around it was cancelled.
//!
//! asyncio's `shield` lets the inner task run and gives up the wait for it, so that nobody may be
//! left who takes its value. Here the task stays until the shielded part has ended, and no longer.
//!
//! ```sh
//! cargo run --release --example 29_shield
//! ```

use pirn::Cause;
use pirn_examples::say;
use std::time::Duration;

async fn transfer() {
    say("taken from one");
    pirn::sleep(Duration::from_secs(2)).await;
    say("given to the other");
}

async fn bank() {
    loop {
        pirn::shield(transfer()).await; // the line
        pirn::sleep(Duration::from_secs(1)).await;
    }
}

pub(crate) async fn program() {
    let task = pirn::spawn(bank());
    pirn::sleep(Duration::from_secs(4)).await;
    say("closing time");
    let ended = task.cancel(Cause::requested("closing time")).await;
    say(format!("cancelled: {}", ended.unwrap_err().is_cancelled()));
}

fn main() {
    pirn::run(program());
}
