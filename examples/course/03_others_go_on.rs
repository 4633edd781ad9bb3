//! 03: an await suspends the function it stands in, and nothing else: the others go on.
//!
//! As in asyncio, and so is the other half of it: `sign` is a plain function, and until it returns
//! nothing else happens on its thread.
//!
//! ```sh
//! cargo run --release --example 03_others_go_on
//! ```

use pirn_examples::say;
use std::time::Duration;

fn sign(name: &str, row: u32) -> String {
    format!("{name}, row {row}")
}

async fn weave(name: &str) {
    for row in 1..=3 {
        pirn::sleep(Duration::from_secs(1)).await;
        say(sign(name, row));
    }
}

pub(crate) async fn program() {
    let scarf = pirn::spawn(weave("scarf"));
    say("main has tea");
    pirn::sleep(Duration::from_millis(2_500)).await; // the line
    say("main is back");
    scarf.await.unwrap();
    say("the scarf is done");
}

fn main() {
    pirn::run(program());
}
