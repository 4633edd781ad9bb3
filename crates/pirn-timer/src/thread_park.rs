//! The innermost driver: puts a thread to sleep.

use crate::time_source::{Monotonic, TimeSource};
use pirn_core::shim::{Arc, Condvar, Mutex};
use pirn_core::{Instant, Park, ParkError, Unpark, Until};
use std::fmt;

/// A [`Park`] that only sleeps, by real time. The bottom of a stack of drivers that has no reactor.
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_timer::ThreadPark;
///
/// let mut park = ThreadPark::new();
/// park.unparker().unpark();
/// park.park(Until::Woken)?; // returns at once: the token was there
/// park.park(Until::Now)?;
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Default)]
pub struct ThreadPark {
    bell: Arc<Bell>,
}

/// Ends the sleep of a [`ThreadPark`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_timer::{ThreadPark, ThreadUnpark};
///
/// let mut park = ThreadPark::new();
/// let unparker: ThreadUnpark = park.unparker();
/// std::thread::spawn(move || unparker.unpark());
/// assert!(park.park(Until::Woken).is_ok());
/// ```
#[derive(Clone)]
pub struct ThreadUnpark {
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    /// The sticky token: set by `unpark`, cleared by the `park` that it ends.
    rung: Mutex<bool>,
    changed: Condvar,
}

impl ThreadPark {
    /// A driver for the thread that will call [`park`](Park::park).
    pub fn new() -> Self {
        ThreadPark::default()
    }
}

impl Park for ThreadPark {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        ThreadUnpark {
            bell: Arc::clone(&self.bell),
        }
    }

    /// As the trait says. Never fails. [`Until::Now`] leaves the token for the next sleep.
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let at = match until {
            Until::Now => return Ok(()),
            Until::At(at) => at,
            Until::Woken => Instant::NEVER,
        };
        let mut rung = self.bell.rung.lock();
        while !*rung {
            if at == Instant::NEVER {
                rung = self.bell.changed.wait(rung);
                continue;
            }
            let left = at.saturating_since(Monotonic.now());
            if left.is_zero() {
                break;
            }
            rung = self.bell.changed.wait_timeout(rung, left);
        }
        *rung = false;
        Ok(())
    }
}

impl Unpark for ThreadUnpark {
    fn unpark(&self) {
        let was_rung = std::mem::replace(&mut *self.bell.rung.lock(), true);
        if !was_rung {
            self.bell.changed.notify_one();
        }
    }
}

impl fmt::Debug for ThreadPark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPark").finish_non_exhaustive()
    }
}

impl fmt::Debug for ThreadUnpark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadUnpark").finish_non_exhaustive()
    }
}
