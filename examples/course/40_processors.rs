//! 40: computations on all processors, one thread for each.
//!
//! The tutorials need processes for this, because Python's threads take turns. Threads are enough
//! here. There is room for hundreds in the pool behind `to_thread`, since most of what blocks only
//! waits; what computes is kept to the number of processors by the group's limit.
//!
//! ```sh
//! cargo run --release --example 40_processors
//! ```

use pirn::{GroupBuilder, to_thread};
use pirn_examples::say;
use std::num::NonZero;
use std::thread;

fn fibonacci(n: u64) -> u64 {
    match n {
        0 | 1 => n,
        _ => fibonacci(n - 1) + fibonacci(n - 2),
    }
}

pub(crate) async fn program() {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let Ok(group) = GroupBuilder::ambient() else {
        return say("there is no runtime");
    };
    let jobs = (15..20).map(|n| to_thread(move || fibonacci(n)));
    match group.limit(processors).gather(jobs).await {
        Ok(values) => {
            say(format!("{values:?}")); // the line
        }
        Err(error) => say(error),
    }
}

fn main() {
    pirn::run(program());
}
