//! 14: to wait for the first of several, and then for more of them; nobody is cancelled by that.
//!
//! asyncio's `wait`, with its two sets: what a wait gives is done, what stays in the set is pending.
//! They stand still between two waits, unless they are tasks. Its time limit is a `timeout` around
//! the wait, which gives up the wait and touches none of them.
//!
//! ```sh
//! cargo run --release --example 14_first_of_them
//! ```

use pirn::{WaitSet, When};
use pirn_examples::say;
use std::time::Duration;

async fn ask(mill: &str, seconds: u64) -> Result<String, String> {
    pirn::sleep(Duration::from_secs(seconds)).await;
    match seconds {
        2 => Err(format!("{mill} is closed")),
        _ => Ok(format!("{mill} delivers")),
    }
}

pub(crate) async fn program() {
    let mills = [("north", 3), ("east", 1), ("south", 9), ("west", 2)];
    let mut set: WaitSet<_> = mills.map(|(mill, s)| ask(mill, s)).into_iter().collect();

    for when in [
        When::FirstCompleted, // the line
        When::FirstError,
    ] {
        for (place, end) in pirn::wait(&mut set, when).await {
            say(format!("{place}: {:?}", end.unwrap()));
        }
    }
    let limit = Duration::from_secs(2);
    let some = pirn::timeout(limit, pirn::wait(&mut set, When::All)).await;
    say(format!(
        "all in time: {}, left: {}",
        some.is_ok(),
        set.len()
    ));
    for (place, end) in pirn::wait(&mut set, When::All).await {
        say(format!("{place}: {:?}", end.unwrap()));
    }
}

fn main() {
    pirn::run(program());
}
