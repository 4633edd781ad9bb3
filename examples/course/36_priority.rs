//! 36: a priority queue gives the least number first, and of equal ones the first that came.
//!
//! asyncio compares the items themselves if their numbers are equal, and fails where these have no
//! order. Here only the numbers are compared.
//!
//! ```sh
//! cargo run --release --example 36_priority
//! ```

use pirn::sync::{PriorityQueue, PutError};
use pirn_examples::say;
use std::time::Duration;

type Urgent = PriorityQueue<u8, &'static str>;
type Ended = Result<(), PutError<(u8, &'static str)>>;

async fn patients(queue: &Urgent) -> Ended {
    for patient in [(3, "a cough"), (2, "a cut"), (3, "a cold")] {
        queue.put(patient).await?;
    }
    pirn::sleep(Duration::from_secs(1)).await;
    queue.put((1, "a broken leg")).await?; // the line
    queue.close();
    Ok(())
}

async fn doctor(queue: &Urgent) -> Ended {
    while let Ok((priority, patient)) = queue.get().await {
        say(format!("{patient} ({priority})"));
        pirn::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

pub(crate) async fn program() {
    let queue = PriorityQueue::unbounded();
    if pirn::gather((patients(&queue), doctor(&queue)))
        .await
        .is_ok()
    {
        say("closed");
    }
}

fn main() {
    pirn::run(program());
}
