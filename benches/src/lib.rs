//! pirn beside its peers, in one run: every round runs each contender once, in an order that
//! rotates, so that a change in the machine's mood hits all alike.
//!
//! `harness.rs` measures, `instructions.rs` counts instructions and `locked.rs` those among them that
//! lock, `hosts.rs` puts the executors behind two traits and `clocked.rs` whole runtimes behind a
//! third, and `rows/` has a module per subject, named as the files of the crates are.

pub mod allocator;
pub mod clocked;
pub mod harness;
pub mod hosts;
pub mod instructions;
pub mod locked;
pub mod rows;
