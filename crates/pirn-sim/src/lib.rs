#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod blocking;
mod clock;
mod sim;

pub use clock::Hold;
pub use sim::{Deadlock, Sim, check};
