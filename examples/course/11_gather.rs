//! 11: a gather gives its values in the order of what it was given, whoever is done first.
//!
//! So a `zip` brings each question and its answer together. `pirn::gather` takes tuples, arrays,
//! vectors and iterators; of nothing it gives nothing. What it takes may fail; `measure` cannot, and
//! says so by its type (`pirn::join` would take it without).
//!
//! ```sh
//! cargo run --release --example 11_gather
//! ```

use pirn_examples::say;
use std::convert::Infallible;
use std::time::Duration;

async fn measure(cloth: &str) -> Result<usize, Infallible> {
    let length = cloth.len();
    pirn::sleep(Duration::from_secs(length as u64)).await; // the line
    say(format!("{cloth} is measured"));
    Ok(length * 10)
}

pub(crate) async fn program() {
    let cloths = ["cotton", "silk", "linen"];
    let lengths = pirn::gather(cloths.map(measure)).await.unwrap();
    for (cloth, length) in cloths.iter().zip(lengths) {
        say(format!("{cloth}: {length} m"));
    }
    let none = pirn::gather([""; 0].map(measure)).await.unwrap();
    say(format!("{none:?}"));
}

fn main() {
    pirn::run(program());
}
