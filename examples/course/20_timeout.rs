//! 20: a limit in time: the value, or `Elapsed` after the clean-up of what was too slow.
//!
//! As asyncio's `wait_for`. With no time at all it takes what is ready at once.
//!
//! ```sh
//! cargo run --release --example 20_timeout
//! ```

use pirn::TimeoutError;
use pirn_examples::say;
use std::time::Duration;

async fn fetch(seconds: u64) -> &'static str {
    let work = async move {
        if seconds > 0 {
            pirn::sleep(Duration::from_secs(seconds)).await;
        }
        "data"
    };
    pirn::finally(work, async || {
        pirn::sleep(Duration::from_millis(250)).await; // the line
        say("connection closed");
    })
    .await
}

async fn fetch_within(limit: u64, seconds: u64) -> Option<&'static str> {
    match pirn::timeout(Duration::from_secs(limit), fetch(seconds)).await {
        Ok(data) => Some(data),
        Err(TimeoutError::Elapsed) => None,
        Err(TimeoutError::Cancelled(cause)) => panic!("{cause}"),
    }
}

pub(crate) async fn program() {
    say(format!("{:?}", fetch_within(2, 1).await));
    say(format!("{:?}", fetch_within(2, 10).await));

    let no_time = Duration::ZERO;
    let ready = pirn::timeout(no_time, async { "ready" }).await;
    say(format!("{ready:?}"));
    let not_yet = pirn::timeout(no_time, pirn::sleep(Duration::from_secs(1))).await;
    say(format!("{not_yet:?}"));
}

fn main() {
    pirn::run(program());
}
