//! 10: a task that nobody waits for: kept by `detach`, cancelled by the end of the program.
//!
//! asyncio holds such a task by a weak reference, and it may vanish if you do not keep it. Here the
//! choice is yours, and stands in the code: to drop the handle cancels the task, to detach it lets it
//! run. At the end of `main` what is left is cancelled in both, and its clean-up awaited; it does not
//! "complete before main exits".
//!
//! ```sh
//! cargo run --release --example 10_fire_and_forget
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn backup(name: &'static str, seconds: u64) {
    let work = async {
        say(format!("{name} begins"));
        pirn::sleep(Duration::from_secs(seconds)).await;
        say(format!("{name} is complete"));
    };
    pirn::finally(work, async move || {
        pirn::sleep(Duration::from_millis(500)).await;
        say(format!("{name} is closed"));
    })
    .await
}

pub(crate) async fn program() {
    pirn::spawn(backup("the small one", 1)).detach();
    pirn::spawn(backup("the large one", 9)).detach(); // the line
    let dropped = pirn::spawn(backup("the dropped one", 1));
    drop(dropped);
    pirn::sleep(Duration::from_secs(2)).await;
    say("main ends");
}

fn main() {
    pirn::run(program());
}
