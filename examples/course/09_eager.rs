//! 09: an eager task runs to its first wait before the spawn returns.
//!
//! As asyncio's eager task factory. Of use where most calls are answered at once, by a cache as here:
//! such a task costs no turn.
//!
//! ```sh
//! cargo run --release --example 09_eager
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn price(cloth: &str, cached: bool) -> u32 {
    say(format!("{cloth} looked up"));
    if !cached {
        pirn::sleep(Duration::from_secs(1)).await; // the line
    }
    7
}

pub(crate) async fn program() {
    let usual = pirn::spawn_local(price("linen", true));
    say(format!("linen done: {}", usual.is_finished()));

    let hit = pirn::spawn_eager(price("wool", true));
    say(format!("wool done: {}", hit.is_finished()));

    let miss = pirn::spawn_eager(price("silk", false));
    say(format!("silk done: {}", miss.is_finished()));

    let mut sum = 0;
    for price in [usual, hit, miss] {
        sum += price.await.unwrap();
    }
    say(sum);
}

fn main() {
    pirn::run(program());
}
