//! 15: the ends of several futures, each as it comes.
//!
//! asyncio's `as_completed`; but each comes with its place in the input, so that one knows whose it
//! is.
//!
//! ```sh
//! cargo run --release --example 15_as_completed
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn dye(colour: &str) -> usize {
    let hours = colour.len();
    pirn::sleep(Duration::from_secs(hours as u64)).await; // the line
    hours
}

pub(crate) async fn program() {
    let colours = ["yellow", "red", "blue"];
    let mut ends = pirn::as_completed(colours.map(dye));
    while let Some((place, hours)) = ends.next().await {
        let colour = colours[place];
        say(format!(
            "{colour} took {} h, {} left",
            hours.unwrap(),
            ends.left()
        ));
    }
}

fn main() {
    pirn::run(program());
}
