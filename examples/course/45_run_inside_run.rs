//! 45: a run inside a run is refused, and what to do instead.
//!
//! asyncio refuses too: `asyncio.run() cannot be called from a running event loop`. In async code the
//! way out is `.await`. Code that cannot wait, because some library calls it, has `run_until`, which
//! runs the other tasks meanwhile, as the patch `nest_asyncio` makes asyncio do.
//!
//! ```sh
//! cargo run --release --example 45_run_inside_run
//! ```

use pirn::{RunError, Runtime, run_until, sleep, spawn_local};
use pirn_examples::say;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

async fn answer() -> u32 {
    sleep(20 * MS).await;
    42
}

/// Some library's: it calls for a value, and knows nothing of futures.
fn twice(ask: impl Fn() -> u32) -> u32 {
    ask() + ask()
}

pub(crate) async fn program() {
    let refused = Runtime::new().map(|mut inner| inner.run(answer()));
    let nested = matches!(refused, Ok(Err(RunError::Nested)));
    say(format!("refused: {nested}"));
    say(format!("by .await: {}", answer().await));

    spawn_local(async { say("the others go on") }).detach();
    let mut sum = 0;
    sum += twice(|| run_until(answer()).unwrap_or(0)); // the line
    say(format!("by run_until: {sum}"));
}

fn main() {
    pirn::run(program());
}
