//! 32: an event holds everybody up until it is set, and nobody after.
//!
//! Who waits is woken in the order in which it came; who comes later does not wait, until somebody
//! clears it.
//!
//! ```sh
//! cargo run --release --example 32_event
//! ```

use pirn::sleep;
use pirn::sync::Event;
use pirn_examples::say;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn runner(name: &str, late: Duration, start: &Event) {
    sleep(late).await;
    say(format!("{name} is there"));
    start.wait().await; // the line
    say(format!("{name} runs"));
}

pub(crate) async fn program() {
    let start = Event::new();
    let starter = async {
        sleep(2 * SECOND).await;
        say("go");
        start.set();
    };
    pirn::join((
        runner("ada", Duration::ZERO, &start),
        runner("ben", SECOND, &start),
        runner("cleo", 3 * SECOND, &start),
        starter,
    ))
    .await;
    start.clear();
    say(format!("for the next race it is set: {}", start.is_set()));
}

fn main() {
    pirn::run(program());
}
