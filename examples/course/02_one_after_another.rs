//! 02: awaits in a row add up; a join takes as long as its longest.
//!
//! asyncio's `gather`. Here `join` is for what cannot fail, and `gather` for what gives a `Result`.
//!
//! ```sh
//! cargo run --release --example 02_one_after_another
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn fetch(what: &str, seconds: u64) -> String {
    say(format!("{what} begins"));
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{what} ends"));
    what.to_uppercase()
}

pub(crate) async fn program() {
    let warp = fetch("warp", 2).await;
    let weft = fetch("weft", 3).await;
    say(format!("one after another: {warp} {weft}"));

    let (warp, weft) = pirn::join((fetch("warp", 2), fetch("weft", 3))).await;
    say(format!("at once: {warp} {weft}")); // the line
}

fn main() {
    pirn::run(program());
}
