//! The only place that knows loom: the same names over `std`, or over loom when model-checked.
//!
//! Hidden from the docs and exempt from semver: it serves pirn's own crates and their models.
//! With `--cfg loom` *and* the feature `loom` every type below is loom's; with either one missing
//! they are `std`'s, so a program that uses pirn compiles under the bare cfg. Without the feature
//! `std` they are those of `core` and `alloc`, and what needs threads is missing.
//!
//! A model is written once, as `shim::model(|| …)`: plain `cargo test` runs it once on real
//! threads, `cargo xtask loom` explores it.

#[cfg(all(loom, feature = "loom"))]
#[path = "shim/loom.rs"]
mod imp;
#[cfg(not(all(loom, feature = "loom")))]
#[path = "shim/plain.rs"]
mod imp;

pub use imp::*;
