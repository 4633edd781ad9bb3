//! 42: threads beside async: they have a queue into it, and never wait for each other's turns.
//!
//! The tutorials start three threads and join them. To join in a task would stop its thread until
//! then. So each thread sends what it has; and when the last one has ended, and its sender with it,
//! the queue is closed.
//!
//! ```sh
//! cargo run --release --example 42_threads
//! ```

use pirn::sync::Queue;
use pirn_examples::say;
use std::thread;
use std::time::Duration;

pub(crate) async fn program() {
    let (sender, receiver) = Queue::<u64>::unbounded().split();
    for tenths in [5, 15, 10] {
        let sender = sender.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(10 * tenths));
            let _gone = sender.try_put(tenths); // the line
        });
    }
    drop(sender);
    while let Ok(tenths) = receiver.get().await {
        say(format!("worker {tenths} is done"));
    }
    say("all workers are done");
}

fn main() {
    pirn::run(program());
}
