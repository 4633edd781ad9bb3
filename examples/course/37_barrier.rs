//! 37: a barrier lets nobody on before all have come.
//!
//! As asyncio's. The one that comes last is the leader, and does what is to be done once.
//!
//! ```sh
//! cargo run --release --example 37_barrier
//! ```

use pirn::sync::{Barrier, BrokenBarrier};
use pirn_examples::say;
use std::time::Duration;

async fn climb(name: &str, seconds: u64, top: &Barrier) -> Result<(), BrokenBarrier> {
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{name} is at the top"));
    let mut last = false;
    last |= top.wait().await?.is_leader(); // the line
    if last {
        say(format!("{name} takes the picture"));
    }
    say(format!("{name} goes down"));
    Ok(())
}

pub(crate) async fn program() {
    let top = Barrier::new(3);
    let all = pirn::gather((
        climb("ada", 2, &top),
        climb("ben", 3, &top),
        climb("cleo", 1, &top),
    ));
    if all.await.is_ok() {
        say("all are down");
    }
}

fn main() {
    pirn::run(program());
}
