//! 49: comprehensions: one after another, or so many at once.
//!
//! Python's `[await f(i) for i in …]` is a loop: each call waits for the one before. It says
//! nothing of that, and neither does `then` on a stream. `[x async for x in s]` is `collect`.
//!
//! ```sh
//! cargo run --release --example 49_comprehension
//! ```

use futures::{StreamExt, stream};
use pirn::{join, sleep};
use pirn_examples::say;
use std::future::ready;
use std::time::Duration;

async fn square(number: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    number * number
}

pub(crate) async fn program() {
    let mut squares: Vec<u32> = Vec::new();
    for number in 1..=3 {
        squares.push(square(number).await); // the line
    }
    say(format!("a loop: {squares:?}"));

    let numbers = stream::iter(1..=3);
    let odd = numbers.then(square).filter(|square| ready(square % 2 == 1));
    say(format!("a stream: {:?}", odd.collect::<Vec<_>>().await));

    say(format!("at once: {:?}", join((1..=3).map(square)).await));
}

fn main() {
    pirn::run(program());
}
