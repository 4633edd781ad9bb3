#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
// Its links to what needs `std` lead nowhere without it.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "std")]
mod ambient;
#[cfg(feature = "std")]
mod delay_queue;
#[cfg(feature = "std")]
mod driver;
#[cfg(feature = "std")]
mod fallback;
#[cfg(feature = "std")]
mod interval;
#[cfg(feature = "std")]
mod manual;
#[cfg(feature = "std")]
mod move_on;
#[cfg(feature = "std")]
mod own;
#[cfg(feature = "std")]
mod sleep;
#[cfg(feature = "std")]
mod timeout;
pub mod wheel;

#[cfg(feature = "std")]
pub use ambient::now;
#[cfg(feature = "std")]
pub use delay_queue::DelayQueue;
#[cfg(feature = "std")]
pub use driver::{Timer, TimerPark};
#[cfg(feature = "std")]
pub use fallback::install_fallback;
#[cfg(feature = "std")]
pub use interval::{Interval, MissedTick, interval, interval_at};
#[cfg(feature = "std")]
pub use manual::Manual;
#[cfg(feature = "std")]
pub use move_on::{MoveOn, move_on_after, move_on_at};
#[cfg(feature = "std")]
pub use own::Attached;
#[cfg(feature = "std")]
pub use pirn_core::{Monotonic, ThreadPark, ThreadUnpark, TimeSource, current_deadline};
#[cfg(feature = "std")]
pub use sleep::{Sleep, sleep, sleep_until};
#[cfg(feature = "std")]
pub use timeout::{Timed, Timeout, TimeoutError, TimeoutHandle, timeout, timeout_at};
