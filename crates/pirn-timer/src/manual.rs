//! A time that is moved by hand.

use pirn_core::shim::{Arc, ListLock};
use pirn_core::{Instant, TimeSource};
use std::fmt;
use std::time::Duration;

/// A time that stands still until it is moved: for tests of code that is given its timer.
///
/// A handle: clones are the same time. A driver that sleeps by real time knows nothing of it; after
/// each move let it [look](pirn_core::Until::Now). For tests of whole programs take pirn-sim, whose
/// time jumps to the next timer by itself.
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Until};
/// use pirn_timer::{Manual, ThreadPark, TimerPark};
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use std::time::Duration;
///
/// let time = Manual::new();
/// let mut driver = TimerPark::new(ThreadPark::new(), time.clone());
/// let mut sleep = pin!(driver.timer().sleep(Duration::from_secs(3600)));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(sleep.as_mut().poll(&mut cx).is_pending());
/// time.advance(Duration::from_secs(3600));
/// driver.park(Until::Now)?;
/// assert!(sleep.as_mut().poll(&mut cx).is_ready());
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Clone)]
pub struct Manual(Arc<ListLock<Instant>>);

impl Manual {
    /// A time that stands at [`Instant::EPOCH`].
    pub fn new() -> Self {
        Manual(Arc::new(ListLock::new(Instant::EPOCH)))
    }

    /// Moves it on by `duration`.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.0.lock();
        *now = *now + duration;
    }

    /// Moves it on to `at`; leaves it where that has passed.
    pub fn advance_to(&self, at: Instant) {
        let mut now = self.0.lock();
        *now = at.max(*now);
    }
}

impl TimeSource for Manual {
    fn now(&self) -> Instant {
        *self.0.lock()
    }

    /// None: timers fire exactly.
    fn slack(&self) -> Duration {
        Duration::ZERO
    }
}

impl Default for Manual {
    fn default() -> Self {
        Manual::new()
    }
}

impl fmt::Debug for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manual").field(&self.now()).finish()
    }
}
