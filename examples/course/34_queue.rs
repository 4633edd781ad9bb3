//! 34: a queue between a producer and a consumer, and a join that waits for what was taken out too.
//!
//! A bounded queue makes a producer wait that is too quick. `get_item` gives a guard, and the item
//! counts as done when that is dropped; asyncio's `task_done()`, which is there too, is a call that
//! can be forgotten, and then its `join()` never ends.
//!
//! ```sh
//! cargo run --release --example 34_queue
//! ```

use pirn::sync::{PutError, Queue};
use pirn_examples::say;
use std::time::Duration;

async fn produce(queue: &Queue<u32>) -> Result<(), PutError<u32>> {
    for number in 1..=4 {
        queue.put(number).await?;
        say(format!("put {number}"));
    }
    queue.join().await; // the line
    say(format!("{} unfinished", queue.unfinished()));
    queue.close();
    Ok(())
}

async fn consume(queue: &Queue<u32>) -> Result<(), PutError<u32>> {
    while let Ok(number) = queue.get_item().await {
        say(format!("got {}", *number));
        pirn::sleep(Duration::from_secs(1)).await;
        say(format!("done {}", *number));
    }
    Ok(())
}

pub(crate) async fn program() {
    let queue = Queue::bounded(2);
    if pirn::gather((produce(&queue), consume(&queue)))
        .await
        .is_ok()
    {
        say("closed");
    }
}

fn main() {
    pirn::run(program());
}
