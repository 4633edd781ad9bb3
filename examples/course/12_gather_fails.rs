//! 12: where one of a gather fails, the others are cancelled, and it ends after their clean-up.
//!
//! asyncio raises the first error at once and lets the others run on behind your back. Here nothing
//! of a gather outlives it. For those whose failure should not end the others, see the next one.
//!
//! ```sh
//! cargo run --release --example 12_gather_fails
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn fetch(page: u64) -> Result<u64, String> {
    let read = async move {
        pirn::sleep(Duration::from_secs(page)).await;
        match page {
            2 => Err(format!("page {page} is torn")),
            _ => Ok(page),
        }
    };
    pirn::finally(read, async move || {
        pirn::sleep(Duration::from_millis(500)).await; // the line
        say(format!("page {page} is closed"));
    })
    .await
}

pub(crate) async fn program() {
    match pirn::gather((1..=4).map(fetch)).await {
        Ok(pages) => say(format!("pages {pages:?}")),
        Err(error) => say(format!("no pages: {}", error.into_errors().join(", "))),
    }
}

fn main() {
    pirn::run(program());
}
