//! 25: where a task of a group fails, the others are cancelled and cleaned up, and the group gives
//! every error that there was.
//!
//! As asyncio's `TaskGroup`, whose error it is that the group's body raises, too.
//!
//! ```sh
//! cargo run --release --example 25_group_fails
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn weave(name: &'static str, seconds: u64, fails: bool) -> Result<(), String> {
    let work = async move {
        pirn::sleep(Duration::from_secs(seconds)).await;
        match fails {
            true => Err(format!("{name}: a thread broke")),
            false => Ok(()),
        }
    };
    pirn::finally(work, async move || {
        pirn::sleep(Duration::from_millis(500)).await;
        say(format!("{name} is off the loom"));
    })
    .await
}

pub(crate) async fn program() {
    let cloth = pirn::group(async |g| {
        g.spawn(weave("scarf", 1, true)); // the line
        g.spawn(weave("shawl", 1, true));
        g.spawn(weave("carpet", 100, false));
        Ok::<_, String>("all woven")
    });
    for error in cloth.await.unwrap_err().into_errors() {
        say(error);
    }

    let cloth = pirn::group(async |g| {
        g.spawn(weave("ribbon", 100, false));
        pirn::sleep(Duration::from_secs(1)).await;
        Err::<(), _>("the body fell ill".to_owned())
    });
    for error in cloth.await.unwrap_err().into_errors() {
        say(error);
    }
}

fn main() {
    pirn::run(program());
}
