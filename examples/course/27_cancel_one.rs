//! 27: a task of a group that is cancelled alone is no failure: its siblings go on.
//!
//! As in asyncio.
//!
//! ```sh
//! cargo run --release --example 27_cancel_one
//! ```

use pirn::Cause;
use pirn_examples::say;
use std::io;
use std::time::Duration;

async fn weave(name: &'static str, seconds: u64) -> io::Result<&'static str> {
    pirn::sleep(Duration::from_secs(seconds)).await;
    say(format!("{name} is woven"));
    Ok(name)
}

pub(crate) async fn program() {
    let cloth = pirn::group(async |g| {
        let scarf = g.spawn(weave("scarf", 3));
        let carpet = g.spawn(weave("carpet", 100));
        pirn::sleep(Duration::from_secs(1)).await;
        carpet.cancel(Cause::requested("nobody buys it")); // the line
        let ended = carpet.await;
        say(format!("carpet: {}", ended.is_ok()));
        Ok::<_, io::Error>(scarf.await)
    });
    say(format!(
        "the group's value: {:?}",
        cloth.await.unwrap().unwrap()
    ));
}

fn main() {
    pirn::run(program());
}
