//! 44: plain calls instead of tasks: soon, in a while, at a time.
//!
//! asyncio's methods of the loop; here they are functions, since a runtime is always the one around.
//! A call runs after the code that runs now, in a turn of its own. `now` is a clock that never goes
//! back; it is the runtime's, so that a test can put another one in its place.
//!
//! ```sh
//! cargo run --release --example 44_loop
//! ```

use pirn::{Missing, call_at, call_later, call_soon, is_running, now, sleep};
use pirn_examples::say;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn calls() -> Result<(), Missing> {
    call_later(2 * SECOND, || say("in two seconds"))?;
    call_at(now() + SECOND, || say("at second one"))?; // the line
    let never = call_later(SECOND, || say("never"))?;
    call_soon(|| say("soon"))?;
    say(format!("now, and running: {}", is_running()));
    sleep(SECOND / 2).await;
    say(format!("cancelled: {}", never.cancel()));
    sleep(2 * SECOND).await;
    Ok(())
}

pub(crate) async fn program() {
    if let Err(error) = calls().await {
        say(error);
    }
}

fn main() {
    say(format!("running: {}", is_running()));
    pirn::run(program());
}
