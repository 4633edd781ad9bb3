#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod driver;
mod fallback;
mod interval;
mod sleep;
mod timeout;
pub mod wheel;

pub use ambient::now;
pub use driver::{Timer, TimerPark};
pub use fallback::install_fallback;
pub use interval::{Interval, MissedTick, interval, interval_at};
pub use pirn_core::{Monotonic, ThreadPark, ThreadUnpark, TimeSource};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timed, Timeout, TimeoutError, TimeoutHandle, timeout, timeout_at};
