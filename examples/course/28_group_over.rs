//! 28: a group that is over takes no more tasks.
//!
//! asyncio raises a `RuntimeError`, and the coroutine that was refused then complains that it was
//! never awaited. Here the handle says that there never was a task; and since a handle may be
//! ignored, it is reported too.
//!
//! ```sh
//! cargo run --release --example 28_group_over
//! ```

use pirn_examples::say;
use std::io;
use std::time::Duration;

async fn weave(name: &str) -> io::Result<()> {
    pirn::sleep(Duration::from_secs(1)).await;
    say(format!("{name} is woven"));
    Ok(())
}

pub(crate) async fn program() {
    let group = pirn::group(async |g| {
        g.spawn(weave("scarf"));
        Ok::<_, io::Error>(g)
    });
    let over = group.await.unwrap();
    say(format!("over: {}", over.is_closed()));
    let late = over.spawn(weave("shawl"));
    say(late.await.unwrap_err()); // the line
}

fn main() {
    pirn::run(program());
}
