//! What a wheel counts by.

use core::time::Duration;

/// A point in time as a [`Wheel`](super::Wheel) is told it, and the ticks that the wheel makes of it.
///
/// A deadline is rounded up and the present down, so that a wheel of coarse ticks is late by less
/// than a tick, and never early. Fine ticks cost no memory; coarse ones let near timers expire
/// together, in the order in which they were set.
///
/// [`u64`] and [`u32`] are ticks themselves; a [`Duration`] counts nanoseconds from where the caller
/// wants, and so does pirn-core's `Instant`. A counter that wraps must be made longer first.
///
/// # Examples
///
/// A timer of a device that ticks 128 times a second:
///
/// ```
/// use core::time::Duration;
/// use pirn_timer::wheel::{Tick, Wheel};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// struct Uptime(Duration);
///
/// impl Tick for Uptime {
///     fn ceil(self) -> u64 {
///         (self.0.as_nanos() * 128).div_ceil(1_000_000_000) as u64
///     }
///     fn floor(self) -> u64 {
///         (self.0.as_nanos() * 128 / 1_000_000_000) as u64
///     }
///     fn at(tick: u64) -> Self {
///         Uptime(Duration::from_nanos((tick as u128 * 1_000_000_000).div_ceil(128) as u64))
///     }
/// }
///
/// let mut wheel = Wheel::with_ticks();
/// let blink = wheel.insert(Uptime(Duration::from_millis(500)), "blink");
/// wheel.insert(Uptime(Duration::from_millis(3)), "debounce");
/// assert_eq!(wheel.pop_expired(Uptime(Duration::from_millis(7))), None);
/// assert_eq!(wheel.pop_expired(Uptime(Duration::from_millis(8))), Some("debounce"));
/// assert_eq!(wheel.deadline(blink), Some(Uptime(Duration::from_millis(500))));
/// ```
pub trait Tick: Copy {
    /// The first tick that is not before it: of a deadline.
    fn ceil(self) -> u64;

    /// The last tick that is not after it: of the present.
    fn floor(self) -> u64;

    /// The point at which a tick comes: not before it, so that its `floor` is `tick` or more. A driver
    /// that sleeps until then finds that the tick has come.
    fn at(tick: u64) -> Self;
}

impl Tick for u64 {
    #[inline]
    fn ceil(self) -> u64 {
        self
    }

    #[inline]
    fn floor(self) -> u64 {
        self
    }

    #[inline]
    fn at(tick: u64) -> Self {
        tick
    }
}

impl Tick for u32 {
    #[inline]
    fn ceil(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn floor(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn at(tick: u64) -> Self {
        u32::try_from(tick).unwrap_or(u32::MAX)
    }
}

/// Nanoseconds; past 584 years all durations are the same tick.
impl Tick for Duration {
    #[inline]
    fn ceil(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX)
    }

    #[inline]
    fn floor(self) -> u64 {
        self.ceil()
    }

    #[inline]
    fn at(tick: u64) -> Self {
        Duration::from_nanos(tick)
    }
}

#[cfg(feature = "std")]
impl Tick for pirn_core::Instant {
    #[inline]
    fn ceil(self) -> u64 {
        self.as_nanos()
    }

    #[inline]
    fn floor(self) -> u64 {
        self.as_nanos()
    }

    #[inline]
    fn at(tick: u64) -> Self {
        pirn_core::Instant::from_nanos(tick)
    }
}
