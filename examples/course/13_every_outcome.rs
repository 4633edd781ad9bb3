//! 13: a gather that gives how each ended: value, error or panic, at its place.
//!
//! asyncio's `return_exceptions=True`. There an error in the list is told from a value by its type;
//! here by the `Result` it is in, so that a function may also return an error as its value.
//!
//! ```sh
//! cargo run --release --example 13_every_outcome
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn cut(metres: u32, pieces: u32) -> Result<u32, &'static str> {
    pirn::sleep(Duration::from_secs(1)).await;
    match metres / pieces {
        0 => Err("too short"),
        length => Ok(length),
    }
}

pub(crate) async fn program() {
    let orders = [(12, 3), (2, 3), (5, 0)];
    let ends = pirn::gather_results(orders.map(|(metres, pieces)| cut(metres, pieces))).await;
    for (order, end) in orders.iter().zip(ends) {
        match end {
            Err(end) if end.is_panic() => say(format!("{order:?}: {end}")), // the line
            Err(end) => say(format!("{order:?} gave no value: {}", end.is_cancelled())),
            Ok(Err(error)) => say(format!("{order:?}: {error}")),
            Ok(Ok(length)) => say(format!("{order:?}: {length} m each")),
        }
    }
}

fn main() {
    pirn::run(program());
}
