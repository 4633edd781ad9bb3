#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod driver;
mod fallback;
mod interval;
mod sleep;
mod thread_park;
mod time_source;
mod timeout;
pub mod wheel;

pub use ambient::now;
pub use driver::{Timer, TimerPark};
pub use fallback::install_fallback;
pub use interval::{Interval, MissedTick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use thread_park::{ThreadPark, ThreadUnpark};
pub use time_source::{Monotonic, TimeSource};
pub use timeout::{Timed, Timeout, TimeoutError, TimeoutHandle, timeout, timeout_at};
