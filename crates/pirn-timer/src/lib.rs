//! Sleep, interval and timeout for any executor, over a hierarchical timing wheel.
//!
//! Part of [pirn](https://docs.rs/pirn), asyncio for Rust as small crates; this one works alone, on
//! tokio, async-executor or a bare `block_on`:
//!
//! ```toml
//! [dependencies]
//! pirn-timer = "0.1"
//! ```
//!
//! ```
//! use pirn_timer::{MissedTick, TimeoutError, interval, sleep, timeout};
//! use std::time::Duration;
//!
//! # pirn_core::shim::block_on(async {
//! sleep(Duration::from_millis(1)).await;
//!
//! let slow = sleep(Duration::from_secs(60));
//! let ended = timeout(Duration::from_millis(1), slow).await;
//! assert!(matches!(ended, Err(TimeoutError::Elapsed)));
//!
//! let mut ticks = interval(Duration::from_millis(1)).with_missed_tick(MissedTick::Skip);
//! let first = ticks.tick().await;
//! assert_eq!(ticks.tick().await, first + Duration::from_millis(1));
//! # });
//! ```
//!
//! Nothing has to be started. Where no runtime of pirn's is around, the first use starts one thread,
//! `pirn-timer`, which sleeps without any wake-ups while no timer is set
//! ([`install_fallback`] does it beforehand). Inside a runtime of pirn's the same functions use its
//! timer, and under simulation a virtual clock.
//!
//! # What is in it
//!
//! | | |
//! |---|---|
//! | [`sleep`], [`sleep_until`] | wait; the [`Sleep`] is named, `Unpin`, and can be reset |
//! | [`interval`], [`interval_at`] | regular ticks, with three ways to treat [missed ones](MissedTick) |
//! | [`timeout`], [`timeout_at`] | a limit around work: waits for the work's clean-up, and never takes an outer cancel for its own |
//! | [`Timeout`] | the same with a deadline that can be moved, as asyncio's `timeout()` |
//! | [`move_on_after`], [`move_on_at`] | the same without an error: `None` where the work was cut short; the work can move its own deadline |
//! | [`current_deadline`] | when the scopes around will end what runs here |
//! | [`DelayQueue`] | many items that come out when their time has come, for one task and one timer |
//! | [`now`] | the time that all of these go by |
//! | [`TimerPark`], [`Timer`] | for runtimes: a driver around an inner one, and its handle |
//! | [`Manual`] | a time that is moved by hand, for tests |
//! | [`wheel`] | the timing wheel alone, as a data structure without a clock, over any payload and any [tick](wheel::Tick); `no_std` with `alloc` |
//!
//! # What it promises
//!
//! - **Never early.** A deadline is compared with a reading of the clock, in nanoseconds.
//! - **Little late.** On an idle machine by what the system's own sleep adds, and by at most 66 µs
//!   more: the slack that lets near timers fire in one wake-up. By up to 262 µs where four or more fired
//!   at once just before; for a millisecond, where 64 did.
//! - **In order.** Timers fire in the order of their deadlines, equal ones in the order in which they
//!   were set; where the thread that drives is attached, its own before those of other threads.
//! - **Cheap to give up.** Setting and dropping a timer is O(1), allocates nothing once as many have
//!   been alive before, and wakes nobody. A timer unparks its driver only if that is asleep and would
//!   wake too late.
//! - **As asyncio where it has an opinion.** `sleep(Duration::ZERO)` is a pure yield. A timeout of
//!   zero, or in the past, polls its body once. A value that is ready when the time is over wins.
//! - Durations up to [`Duration::MAX`](std::time::Duration::MAX), which never ends; a million timers;
//!   clocks that jump by hours.
//! - No `unsafe`. The wheel is property-tested and fuzzed against a sorted map, the driver's races are
//!   explored with loom.
//!
//! # Without std
//!
//! With `default-features = false` there is the [`wheel`] alone: a machine that counts ticks of its own
//! inserts, removes and takes out what has expired.
//!
//! # What it does not do
//!
//! - Time zones, calendars, wall-clock time.
//! - A wheel for each of many threads: timers stand under one lock, unless the one thread that drives
//!   them is [attached](Timer::attach).

#![cfg_attr(docsrs, feature(doc_cfg))]
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
