//! 35: how consumers learn that nothing more comes: by a sentinel, or because the queue is closed.
//!
//! A sentinel is an item that means "the end". The producer must know how many consumers there are,
//! put in one for each, and be the only producer. `close` needs none of that: what is in the queue is
//! still taken out, then every consumer hears of it. asyncio has it since Python 3.13, as `shutdown`.
//!
//! ```sh
//! cargo run --release --example 35_end_of_a_queue
//! ```

use pirn::sync::{PutError, Queue};
use pirn_examples::say;
use std::time::Duration;

type Ended = Result<(), PutError<Option<&'static str>>>;

async fn consume(name: &str, queue: &Queue<Option<&'static str>>) -> Ended {
    while let Ok(Some(job)) = queue.get().await {
        say(format!("{name} does the {job}"));
        pirn::sleep(Duration::from_secs(1)).await;
    }
    say(format!("{name} goes home"));
    Ok(())
}

async fn by_sentinel(queue: &Queue<Option<&'static str>>) -> Ended {
    for job in ["warp", "weft", "hem"] {
        queue.put(Some(job)).await?;
    }
    queue.put(None).await?;
    queue.put(None).await
}

async fn by_close(queue: &Queue<Option<&'static str>>) -> Ended {
    for job in ["warp", "weft", "hem"] {
        queue.put(Some(job)).await?;
    }
    queue.close(); // the line
    Ok(())
}

pub(crate) async fn program() {
    let queue = Queue::bounded(5);
    let (ada, ben) = (consume("ada", &queue), consume("ben", &queue));
    if pirn::gather((ada, ben, by_sentinel(&queue))).await.is_ok() {
        say("by sentinel");
    }
    let (ada, ben) = (consume("ada", &queue), consume("ben", &queue));
    if pirn::gather((ada, ben, by_close(&queue))).await.is_ok() {
        say("by close");
    }
}

fn main() {
    pirn::run(program());
}
