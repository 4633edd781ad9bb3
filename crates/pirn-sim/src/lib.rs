#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod blocked;
mod blocking;
mod book;
mod check;
mod checkpoints;
mod clock;
pub mod conformance;
mod deadlock;
mod event;
mod lockstep;
pub mod net;
mod random;
mod sequencer;
mod sim;
mod trace;

pub use ambient::{advance, hold, pause, random, resume};
pub use blocked::{AllBlocked, wait_all_blocked};
pub use check::check;
pub use checkpoints::{assert_checkpoints, assert_no_checkpoints};
pub use clock::Hold;
pub use deadlock::{Deadlock, Waiting};
pub use lockstep::{LockstepStream, lockstep_pair};
pub use sequencer::{Sequencer, Step, Turn};
pub use sim::Sim;
pub use trace::Trace;
