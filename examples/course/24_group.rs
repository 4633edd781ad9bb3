//! 24: a group is left only when all its tasks are done. Prefer it to tasks without an owner.
//!
//! asyncio's `TaskGroup`. A handle gives its task's value inside the group already, and a task that
//! nobody awaits is waited for by the group.
//!
//! ```sh
//! cargo run --release --example 24_group
//! ```

use pirn_examples::say;
use std::io;
use std::time::Duration;

async fn fetch(what: &str, seconds: u64) -> io::Result<String> {
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{what} is here"));
    Ok(what.to_uppercase())
}

pub(crate) async fn program() {
    let cloth = pirn::group(async |g| {
        let warp = g.spawn(fetch("warp", 1));
        let weft = g.spawn(fetch("weft", 2));
        g.spawn(fetch("the bill", 3)); // the line
        let (warp, weft) = (warp.await, weft.await);
        say("the body is done");
        Ok::<_, io::Error>((warp, weft))
    });
    if let Ok((Ok(warp), Ok(weft))) = cloth.await {
        say(format!("{warp} and {weft}"));
    }
}

fn main() {
    pirn::run(program());
}
