#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod blocking;
mod clock;
pub mod conformance;
mod random;
mod sim;

pub use clock::Hold;
pub use sim::{Deadlock, Sim, check};
