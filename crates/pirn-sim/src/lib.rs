#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod blocked;
mod blocking;
mod book;
mod check;
mod clock;
pub mod conformance;
mod deadlock;
mod event;
mod random;
mod sim;
mod trace;

pub use ambient::{advance, hold, pause, random, resume};
pub use blocked::{AllBlocked, wait_all_blocked};
pub use check::check;
pub use clock::Hold;
pub use deadlock::{Deadlock, Waiting};
pub use sim::Sim;
pub use trace::Trace;
