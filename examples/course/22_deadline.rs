//! 22: a limit for a whole block, which the block moves while it runs.
//!
//! As `async with asyncio.timeout(...)`: a block with borrows of what is around it, `when`,
//! `reschedule` and, after it, `expired`.
//!
//! ```sh
//! cargo run --release --example 22_deadline
//! ```

use pirn::Timeout;
use pirn_examples::say;
use std::time::Duration;

pub(crate) async fn program() {
    let second = Duration::from_secs(1);
    let mut rows = 0;

    let limit = Timeout::after(2 * second);
    let deadline = limit.handle();
    let ended = limit
        .run(async {
            pirn::sleep(second).await;
            rows += 1;
            deadline.reschedule(deadline.when() + 7 * second / 2); // the line
            loop {
                pirn::sleep(2 * second).await;
                rows += 1;
            }
        })
        .await;
    let Err(error) = ended;
    say(format!("{error} with {rows} rows"));
    say(format!("expired: {}", deadline.expired()));
}

fn main() {
    pirn::run(program());
}
