//! 30: a semaphore lets so many in, and the others wait in the order in which they came.
//!
//! It limits how many are inside, not how many come in per second. asyncio's may be released more
//! often than it was acquired, and lets in too many from then on; here a permit is a value, which
//! goes back when it is dropped, once.
//!
//! ```sh
//! cargo run --release --example 30_semaphore
//! ```

use pirn::sync::{Closed, Semaphore};
use pirn_examples::say;
use std::time::Duration;

async fn weave(name: &str, looms: &Semaphore) -> Result<(), Closed> {
    let _loom = looms.acquire().await?; // the line
    say(format!("{name} sits down"));
    pirn::sleep(Duration::from_secs(1)).await;
    say(format!("{name} gets up"));
    Ok(())
}

pub(crate) async fn program() {
    let looms = Semaphore::new(2);
    let weavers = ["ada", "ben", "cleo", "dan", "eve"];
    let all = pirn::gather(weavers.map(|name| weave(name, &looms)));
    if all.await.is_ok() {
        say(format!("{} looms are free", looms.available()));
    }
}

fn main() {
    pirn::run(program());
}
