//! The guide, as far as the compiler reads it: each page of `docs/src` is a module here, and its Rust
//! blocks are doctests.
//!
//! What a doctest cannot run stands in a file that something else runs; the page has it word for word,
//! below a comment that names the file. `cargo xtask tidy` compares them.
#![cfg(doctest)]

#[doc = include_str!("src/introduction.md")]
mod introduction {}
#[doc = include_str!("src/asyncio.md")]
mod asyncio {}
#[doc = include_str!("src/asyncio-rows.md")]
mod asyncio_rows {}
#[doc = include_str!("src/tokio.md")]
mod tokio {}
#[doc = include_str!("src/cancellation.md")]
mod cancellation {}
#[doc = include_str!("src/choosing.md")]
mod choosing {}
#[doc = include_str!("src/testing.md")]
mod testing {}
#[doc = include_str!("src/model-checking.md")]
mod model_checking {}
