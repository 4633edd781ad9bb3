//! 01: an async function does nothing until it is awaited, and `run` awaits the first one.
//!
//! ```sh
//! cargo run --release --example 01_hello
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn greet(name: &str) -> String {
    say(format!("about to greet {name}"));
    pirn::sleep(Duration::from_secs(1)).await;
    format!("hello, {name}")
}

pub(crate) async fn program() {
    let greeting = greet("loom");
    say("made, and not begun");
    say(greeting.await); // the line
}

fn main() {
    pirn::run(program());
}
