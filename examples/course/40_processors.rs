//! 40: computations on all processors, one thread for each.
//!
//! The tutorials need processes for this, because Python's threads take turns. Threads are enough
//! here: `to_rayon` has as many as there are processors, while the pool behind `to_thread` has more,
//! since most of what blocks only waits. Without the feature `rayon`, a group whose limit is the number
//! of processors does with `to_thread` what is wanted too.
//!
//! ```sh
//! cargo run --release --example 40_processors
//! ```

use pirn::{gather, to_rayon};
use pirn_examples::say;

fn fibonacci(n: u64) -> u64 {
    match n {
        0 | 1 => n,
        _ => fibonacci(n - 1) + fibonacci(n - 2),
    }
}

pub(crate) async fn program() {
    let jobs = (15..20).map(|n| to_rayon(move || fibonacci(n)));
    match gather(jobs).await {
        Ok(values) => {
            say(format!("{values:?}")); // the line
        }
        Err(error) => say(error),
    }
}

fn main() {
    pirn::run(program());
}
