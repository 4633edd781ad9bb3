//! 48: a stream is written as a function that yields, and read by a loop that awaits.
//!
//! asyncio's `async for` over an async generator. It runs while somebody asks for the next item, and
//! not beside. One that is left half-way is closed by Python some time later; `close` here, as
//! `aclose()` there, does it now and awaits its clean-up.
//!
//! ```sh
//! cargo run --release --example 48_generator
//! ```

use futures::StreamExt;
use pirn::stream::{self, Yielder};
use pirn::{finally, sleep};
use pirn_examples::say;
use std::pin::pin;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn pages(yielder: &mut Yielder<String>) {
    for number in 1.. {
        sleep(SECOND).await;
        yielder.yield_(format!("page {number}")).await;
    }
}

async fn sign_off() {
    sleep(SECOND / 2).await;
    say("signed off");
}

pub(crate) async fn program() {
    let mut book = pin!(stream::from_fn(async |yielder| {
        finally(pages(yielder), sign_off).await;
    }));
    while let Some(page) = book.next().await {
        say(&page);
        sleep(SECOND).await;
        if page == "page 3" {
            book.as_mut().close().await; // the line
            break;
        }
    }
    say("that is enough");
}

fn main() {
    pirn::run(program());
}
