//! 05: `run` carries a value from async code to plain code; inside, it is `await` that does.
//!
//! A runtime inside a runtime is refused, as asyncio refuses it. Plain code that is called from async
//! code and needs a future's value has [`pirn::run_until`], for which Python's users patch asyncio;
//! and a loop of another kind, as a notebook's, can drive a runtime as its guest.
//!
//! ```sh
//! cargo run --release --example 05_run
//! ```

use pirn_examples::say;
use std::time::Duration;

pub(crate) async fn fetch() -> u32 {
    pirn::sleep(Duration::from_millis(10)).await;
    42
}

/// A plain function, as of a library that knows nothing of async code.
fn plain() -> u32 {
    pirn::run_until(fetch()).unwrap()
}

pub(crate) async fn program() {
    say(format!("awaited: {}", fetch().await));

    let nested = pirn::Runtime::new().map(|mut another| another.run(fetch()));
    if let Ok(Err(error)) = nested {
        say(error); // the line
    }
    say(format!("from plain code: {}", plain()));
}

fn main() {
    println!("{}", pirn::run(fetch()));
    pirn::run(program());
}
