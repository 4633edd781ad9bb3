//! The innermost driver: a thread that sleeps.

use crate::shim::{Arc, Condvar, Mutex};
use crate::{Instant, Monotonic, Park, ParkError, TimeSource, Unpark, Until};
use std::fmt;

/// A [`Park`] that puts its thread to sleep and waits for nothing but its [`Unpark`] and the time:
/// the bottom of a stack of drivers without a reactor.
///
/// It goes by [`Monotonic`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, ThreadPark, Unpark, Until};
///
/// let mut park = ThreadPark::new();
/// let unparker = park.unparker();
/// std::thread::spawn(move || unparker.unpark());
/// assert!(park.park(Until::Woken).is_ok());
/// park.park(Until::Now)?; // does not sleep
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Default)]
pub struct ThreadPark(Arc<Sleep>);

/// Ends the sleep of a [`ThreadPark`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, ThreadPark, ThreadUnpark, Unpark, Until};
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

/// | state | who enters it | who leaves it |
/// |---|---|---|
/// | Awake | `park`, `take_token` | `park`, `unpark` |
/// | Asleep | `park` | `park`, `unpark` |
/// | Token | `unpark` | the `park` that it ends, `take_token` |
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
    /// A driver for the thread that will call [`park`](Park::park).
    pub fn new() -> Self {
        ThreadPark::default()
    }

    /// Takes the token, as a sleep that it ends would. False if there is none.
    ///
    /// For a driver that sleeps elsewhere at times.
    pub fn take_token(&self) -> bool {
        let mut state = self.0.state.lock();
        let token = *state == State::Token;
        *state = State::Awake;
        token
    }
}

impl Park for ThreadPark {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        ThreadUnpark(self.0.clone())
    }

    /// As the trait says. Never fails. [`Until::Now`], and a time that has come, leave the token
    /// for the next sleep.
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let at = match until {
            Until::Now => return Ok(()),
            Until::At(at) => at,
            Until::Woken => Instant::NEVER,
        };
        let mut state = self.0.state.lock();
        while *state != State::Token {
            if at == Instant::NEVER {
                *state = State::Asleep;
                state = self.0.wake.wait(state);
                continue;
            }
            let left = at.saturating_since(Monotonic.now());
            if left.is_zero() {
                *state = State::Awake;
                return Ok(());
            }
            *state = State::Asleep;
            state = self.0.wake.wait_timeout(state, left);
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
