//! 28: a group that is over takes no more tasks, and gives the future back.
//!
//! asyncio raises a `RuntimeError`, and the coroutine that was refused then complains that it was
//! never awaited.
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
        g.spawn(weave("scarf")); // the line
        Ok::<_, io::Error>(g)
    });
    let over = group.await.unwrap();
    say(format!("takes more: {}", !over.is_closed()));
}

fn main() {
    pirn::run(program());
}
