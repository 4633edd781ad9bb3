//! Where drivers read the time.

use crate::Instant;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The time that drivers go by: a timer's, and the one that sleeps under it.
///
/// [`Monotonic`] is the real one; a simulation gives its own.
///
/// # Examples
///
/// ```
/// use pirn_core::{Instant, TimeSource};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use std::time::Duration;
///
/// /// A time that stands still until it is moved.
/// #[derive(Default)]
/// struct Manual(AtomicU64);
///
/// impl TimeSource for Manual {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(self.0.load(Relaxed))
///     }
///     fn slack(&self) -> Duration {
///         Duration::ZERO
///     }
/// }
/// let time = Manual::default();
/// time.0.store(5, Relaxed);
/// assert_eq!(time.now(), Instant::EPOCH + Duration::from_nanos(5));
/// ```
pub trait TimeSource: Send + Sync + 'static {
    /// The present. Never goes back, on whichever thread it is read.
    fn now(&self) -> Instant;

    /// How long a driver may sleep past a deadline, so that timers close to each other fire in one
    /// wake-up: it wakes at multiples of this. Zero for exact times.
    ///
    /// The default is 2^16 ns, 66 µs: about what systems add to a sleep anyhow, well below the
    /// millisecond of other timers, and a bound of 15,000 wake-ups a second.
    fn slack(&self) -> Duration {
        Duration::from_nanos(1 << 16)
    }
}

impl<T: TimeSource + ?Sized> TimeSource for Arc<T> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn slack(&self) -> Duration {
        (**self).slack()
    }
}

/// Real time, by the system's monotonic clock.
///
/// Counted from the first reading in this process, so that instants of all its readers compare.
///
/// # Examples
///
/// ```
/// use pirn_core::{Monotonic, TimeSource};
///
/// let earlier = Monotonic.now();
/// assert!(Monotonic.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl TimeSource for Monotonic {
    #[inline]
    fn now(&self) -> Instant {
        static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
        let since = EPOCH.get_or_init(std::time::Instant::now).elapsed();
        // In 64 bits, which last for 584 years: `Duration::as_nanos` multiplies in 128.
        let nanos = since.as_secs().wrapping_mul(1_000_000_000);
        Instant::from_nanos(nanos.wrapping_add(u64::from(since.subsec_nanos())))
    }
}
