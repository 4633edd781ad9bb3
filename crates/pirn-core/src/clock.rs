//! Points in time, and where they come from.

use std::any::Any;
use std::boxed::Box;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A point in time: nanoseconds since the epoch of the [`Clock`] that gave it.
///
/// Arithmetic saturates: past the end lies [`Instant::NEVER`], before the beginning
/// [`Instant::EPOCH`]. 2^64 ns are 584 years. Instants of different clocks do not compare
/// meaningfully.
///
/// Use [`std::time::Instant`] to measure real time; use this for deadlines, so that they mean the
/// same under a virtual clock.
///
/// # Examples
///
/// ```
/// use pirn_core::Instant;
/// use std::time::Duration;
///
/// let start = Instant::EPOCH;
/// let later = start + Duration::from_millis(3);
/// assert_eq!(later.saturating_since(start), Duration::from_millis(3));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// assert_eq!(later + Duration::MAX, Instant::NEVER);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's first instant.
    pub const EPOCH: Instant = Instant(0);
    /// The end of time: a deadline that never comes.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The instant `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The instant `duration` later, [`NEVER`](Self::NEVER) where that is past the end.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos > u64::MAX as u128 {
            return Instant::NEVER;
        }
        Instant(self.0.saturating_add(nanos as u64))
    }
}

impl std::ops::Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        self.saturating_add(duration)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Instant::NEVER {
            return f.write_str("Instant::NEVER");
        }
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}

/// A future that ends at a point in time.
///
/// Dropping it takes the timer back.
pub type BoxSleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Tells the time, and wakes at a time.
///
/// A runtime puts its clock into the [ambient handles](crate::context); under simulation that is a
/// virtual one.
///
/// # Examples
///
/// ```
/// use pirn_core::{BoxSleep, Clock, Instant, context::{self, Handles}};
/// use std::any::Any;
/// use std::rc::Rc;
/// use std::sync::Arc;
///
/// /// Stands still.
/// struct Stopped;
/// impl Clock for Stopped {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(7)
///     }
///     fn sleep_until(&self, at: Instant) -> BoxSleep {
///         match at <= self.now() {
///             true => Box::pin(std::future::ready(())),
///             false => Box::pin(std::future::pending()),
///         }
///     }
///     fn as_any(&self) -> &dyn Any {
///         self
///     }
/// }
///
/// let mut handles = Handles::default();
/// handles.clock = Some(Arc::new(Stopped));
/// let _entered = Rc::new(handles).enter();
/// assert_eq!(context::clock()?.now(), Instant::from_nanos(7));
/// # Ok::<(), pirn_core::Missing>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The present. Never goes back.
    fn now(&self) -> Instant;

    /// A future that is pending before `at` and ready from `at` on, never early.
    ///
    /// With [`Instant::NEVER`] it never ends. It may be polled on any thread and any executor.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes the timer back.
    fn sleep_until(&self, at: Instant) -> BoxSleep;

    /// The clock itself, so that who knows its type can sleep without a box.
    fn as_any(&self) -> &dyn Any;
}
