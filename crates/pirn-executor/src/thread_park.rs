//! The simplest driver: a thread that sleeps.

use pirn_core::shim::{Arc, Condvar, Mutex};
use pirn_core::{Clock, Park, ParkError, Unpark, Until, context};
use std::fmt;

/// A [`Park`] that puts its thread to sleep and waits for nothing but its [`Unpark`].
///
/// To sleep [until an instant](Until::At) it needs a clock: its [own](Self::with_clock), or else
/// the [ambient](context::clock) one.
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_executor::ThreadPark;
///
/// let mut park = ThreadPark::new();
/// let unparker = park.unparker();
/// std::thread::spawn(move || unparker.unpark());
/// park.park(Until::Woken)?;
/// park.park(Until::Now)?; // does not sleep
/// assert!(park.park(Until::At(pirn_core::Instant::NEVER)).is_err()); // by which clock?
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Default)]
pub struct ThreadPark {
    sleep: Arc<Sleep>,
    clock: Option<std::sync::Arc<dyn Clock>>,
}

/// Ends the sleep of a [`ThreadPark`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_executor::{ThreadPark, ThreadUnpark};
///
/// let mut park = ThreadPark::new();
/// let unparker: ThreadUnpark = park.unparker();
/// unparker.unpark();
/// assert!(park.park(Until::Woken).is_ok()); // at once: the token is sticky
/// ```
#[derive(Clone)]
pub struct ThreadUnpark(Arc<Sleep>);

#[derive(Default)]
struct Sleep {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The thread runs, and no token is there.
    #[default]
    Awake,
    /// The thread sleeps.
    Asleep,
    /// The present sleep, or the next one, is to end.
    Token,
}

impl ThreadPark {
    /// A driver without a clock of its own.
    pub fn new() -> Self {
        ThreadPark::default()
    }

    /// The same, which reads `clock`.
    #[must_use]
    pub fn with_clock(self, clock: std::sync::Arc<dyn Clock>) -> Self {
        ThreadPark {
            clock: Some(clock),
            ..self
        }
    }

    /// Takes the token. False if there is none.
    pub(crate) fn take_token(&self) -> bool {
        std::mem::take(&mut *self.sleep.state.lock()) == State::Token
    }
}

impl Park for ThreadPark {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        ThreadUnpark(self.sleep.clone())
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let limit = match until {
            Until::Now | Until::Woken => None,
            Until::At(at) => {
                let clock = match &self.clock {
                    Some(clock) => clock.clone(),
                    None => context::clock().map_err(|e| ParkError::new("thread", e))?,
                };
                Some(at.saturating_since(clock.now()))
            }
        };
        let mut state = self.sleep.state.lock();
        if *state != State::Token && until != Until::Now {
            *state = State::Asleep;
            state = match limit {
                // A limit that cannot be reached ends early, which `park` may.
                Some(limit) => self.sleep.wake.wait_timeout(state, limit),
                None => self.sleep.wake.wait(state),
            };
        }
        *state = State::Awake;
        Ok(())
    }
}

impl Unpark for ThreadUnpark {
    fn unpark(&self) {
        let before = std::mem::replace(&mut *self.0.state.lock(), State::Token);
        if before == State::Asleep {
            self.0.wake.notify_one();
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
