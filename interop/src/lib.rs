//! pirn with other people's clients and servers, against the real thing.
//!
//! The tests are the point of this crate. Here is what they share: [servers](server) that are found on
//! the machine, or were fetched by `cargo xtask interop`, and run on loopback while a test needs them.

#![forbid(unsafe_code)]

pub mod fetch;
pub mod server;

pub use server::{Kind, Server};

/// The recipes that pirn-compat's docs show; they are run here, where the crates that they are about
/// are at hand.
#[cfg(doctest)]
#[doc = include_str!("../../crates/pirn-compat/docs/recipes.md")]
struct Recipes;
