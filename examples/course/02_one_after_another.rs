//! 02: awaits in a row add up; a gather takes as long as its longest.
//!
//! ```sh
//! cargo run --release --example 02_one_after_another
//! ```

use pirn_examples::say;
use std::convert::Infallible;
use std::time::Duration;

async fn fetch(what: &str, seconds: u64) -> Result<String, Infallible> {
    say(format!("{what} begins"));
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{what} ends"));
    Ok(what.to_uppercase())
}

pub(crate) async fn program() {
    let Ok(warp) = fetch("warp", 2).await;
    let Ok(weft) = fetch("weft", 3).await;
    say(format!("one after another: {warp} {weft}"));

    let both = pirn::gather((fetch("warp", 2), fetch("weft", 3)));
    if let Ok((warp, weft)) = both.await {
        say(format!("at once: {warp} {weft}")); // the line
    }
}

fn main() {
    pirn::run(program());
}
