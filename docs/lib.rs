//! The guide, as far as the compiler reads it: each page of `docs/src` is a module here, and its Rust
//! blocks are doctests.
//!
//! What a doctest cannot run stands in a file that something else runs; the page has it word for word,
//! below a comment that names the file. `cargo xtask tidy` compares them.

use pirn::Instant;
use std::sync::Mutex;

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes what happens, with the second of the clock around at which it does.
pub fn say(what: &str) {
    let seconds = pirn::now().saturating_since(Instant::EPOCH).as_secs();
    let line = format!("{seconds}: {what}");
    SAID.lock().unwrap_or_else(|e| e.into_inner()).push(line);
}

/// What was noted so far.
pub fn said() -> Vec<String> {
    SAID.lock().unwrap_or_else(|e| e.into_inner()).clone()
}

#[cfg(doctest)]
#[doc = include_str!("src/introduction.md")]
mod introduction {}
#[cfg(doctest)]
#[doc = include_str!("src/asyncio.md")]
mod asyncio {}
#[cfg(doctest)]
#[doc = include_str!("src/asyncio-rows.md")]
mod asyncio_rows {}
#[cfg(doctest)]
#[doc = include_str!("src/tokio.md")]
mod tokio {}
#[cfg(doctest)]
#[doc = include_str!("src/cancellation.md")]
mod cancellation {}
#[cfg(doctest)]
#[doc = include_str!("src/choosing.md")]
mod choosing {}
#[cfg(doctest)]
#[doc = include_str!("src/testing.md")]
mod testing {}
#[cfg(doctest)]
#[doc = include_str!("src/model-checking.md")]
mod model_checking {}
