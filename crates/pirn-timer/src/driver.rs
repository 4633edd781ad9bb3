//! What makes timers fire: a [`Park`] around another one.
//!
//! # How it works
//!
//! The timers of a driver stand in one [`Wheel`] under a short lock, each with the waker of the
//! task that waits for it. The lock is never held while a waker is cloned, woken or dropped, while
//! the time is read, or while anybody sleeps. Beside the wheel stands what the driver does:
//!
//! | `Driver` | meaning | entered by | left by |
//! |---|---|---|---|
//! | `Awake` | will look at the wheel before it sleeps | `turn`; `hurry`, which unparks | `lie_down` |
//! | `Asleep { until }` | sleeps until then, or is about to | `lie_down` | `turn`, `hurry`, `retire` |
//! | `Gone` | was dropped; no timer fires any more | `retire` | never |
//!
//! No wake-up is lost: `lie_down` looks at the wheel and says `Asleep` under one lock. A timer put
//! in before that is seen by it; one put in after it sees `Asleep`, and if it is due earlier,
//! unparks the driver. That token is sticky, so it also ends a sleep that has not begun yet. After
//! it the driver counts as `Awake`: it will look again, so nobody need unpark it a second time.
//! A driver that is awake, above all one whose own thread makes the timer, is never unparked.
//!
//! Deadlines are nanoseconds and timers fire in their order. Only the driver's sleep is rounded up,
//! to a multiple of [`TimeSource::slack`]; what is due is then decided by a fresh reading of the
//! time. So a timer is never early, and late by at most the slack on an idle machine.

use crate::sleep::Sleep;
use crate::wheel::{Key, Wheel};
use pirn_core::TimeSource;
use pirn_core::shim::{Arc, ListLock};
use pirn_core::wake::{WakeBatch, wake};
use pirn_core::{BoxSleep, Clock, Instant, Park, ParkError, Unpark, Until};
use std::any::Any;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

/// A [`Park`] that makes timers fire, around the one that sleeps.
///
/// Give it to an executor, or [park](Park::park) in a loop on a thread of its own. [`Until::Now`]
/// fires what is due without sleeping. When it is dropped, sleeps that are left go over to the
/// [fallback](crate::install_fallback).
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Until};
/// use pirn_timer::{Monotonic, ThreadPark, TimerPark};
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use std::time::Duration;
///
/// let mut driver = TimerPark::new(ThreadPark::new(), Monotonic);
/// let mut sleep = pin!(driver.timer().sleep(Duration::from_millis(1)));
/// let mut cx = Context::from_waker(Waker::noop());
/// while sleep.as_mut().poll(&mut cx).is_pending() {
///     driver.park(Until::Woken)?; // sleeps no longer than to the next timer
/// }
/// assert!(sleep.is_elapsed());
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct TimerPark<P: Park> {
    inner: P,
    timer: Timer,
}

/// Makes sleeps that a [`TimerPark`] fires, and tells its time. A handle: clones are the same.
///
/// Usable from any thread. As a [`Clock`] it stands among the
/// [ambient handles](pirn_core::context), where [`sleep`](crate::sleep) finds it.
///
/// # Examples
///
/// ```
/// use pirn_timer::{Monotonic, ThreadPark, Timer, TimerPark};
/// use std::time::Duration;
///
/// let driver = TimerPark::new(ThreadPark::new(), Monotonic);
/// let timer: Timer = driver.timer();
/// let sleep = timer.sleep_until(timer.now() + Duration::from_secs(1));
/// assert!(!sleep.is_elapsed());
/// ```
#[derive(Clone)]
pub struct Timer(Arc<Shared>);

struct Shared {
    time: Box<dyn TimeSource>,
    /// [`TimeSource::slack`], in nanoseconds.
    slack: u64,
    unpark: Box<dyn Fn() + Send + Sync>,
    state: ListLock<State>,
}

struct State {
    driver: Driver,
    timers: Wheel<Waker>,
}

/// See the table above.
#[derive(Clone, Copy, Debug)]
enum Driver {
    Awake,
    Asleep { until: u64 },
    Gone,
}

/// What [`Timer::look`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The timer will wake the waker that was shown.
    Waiting,
    /// Its time had come.
    Fired,
    /// The driver is gone, and the timer with it.
    Gone,
}

impl<P: Park> TimerPark<P> {
    /// A driver that sleeps by `inner` and goes by `time`, the same that `inner` goes by.
    pub fn new(inner: P, time: impl TimeSource) -> Self {
        let unparker = inner.unparker();
        TimerPark {
            inner,
            timer: Timer(Arc::new(Shared {
                slack: nanos(time.slack()),
                time: Box::new(time),
                unpark: Box::new(move || unparker.unpark()),
                state: ListLock::new(State {
                    driver: Driver::Awake,
                    timers: Wheel::new(),
                }),
            })),
        }
    }

    /// The handle that makes sleeps.
    pub fn timer(&self) -> Timer {
        self.timer.clone()
    }
}

impl<P: Park> Park for TimerPark<P> {
    type Unpark = P::Unpark;

    fn unparker(&self) -> P::Unpark {
        self.inner.unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let until = self.timer.lie_down(until);
        let slept = self.inner.park(until);
        self.timer.turn();
        slept
    }
}

impl<P: Park> Drop for TimerPark<P> {
    fn drop(&mut self) {
        self.timer.retire();
    }
}

impl Timer {
    /// The present.
    pub fn now(&self) -> Instant {
        self.0.time.now()
    }

    /// As [`sleep`](crate::sleep), by this timer.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::lasting(self.clone().into(), duration)
    }

    /// As [`sleep_until`](crate::sleep_until), by this timer.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::until(self.clone().into(), at)
    }

    /// Puts a timer in. Gives the waker back if the driver is gone.
    pub(crate) fn arm(&self, at: Instant, waker: Waker) -> Result<Key, Waker> {
        let mut state = self.0.state.lock();
        if let Driver::Gone = state.driver {
            return Err(waker);
        }
        let key = state.timers.insert(at.as_nanos(), waker);
        let unpark = state.hurry(|| self.wake_up_for(at.as_nanos()));
        drop(state);
        if unpark {
            (self.0.unpark)();
        }
        Ok(key)
    }

    /// Moves a timer that has not fired to another time. False if it has.
    pub(crate) fn rearm(&self, key: Key, at: Instant) -> bool {
        let mut state = self.0.state.lock();
        if !state.timers.reset(key, at.as_nanos()) {
            return false;
        }
        let unpark = state.hurry(|| self.wake_up_for(at.as_nanos()));
        drop(state);
        if unpark {
            (self.0.unpark)();
        }
        true
    }

    /// Takes a timer that has not fired out.
    pub(crate) fn disarm(&self, key: Key) -> Option<Waker> {
        self.0.state.lock().timers.remove(key)
    }

    /// Looks whether a timer has fired, and if not, makes `waker` the one that it wakes.
    pub(crate) fn look(&self, key: Key, waker: &Waker) -> Look {
        let mut state = self.0.state.lock();
        match state.timers.get_mut(key) {
            None => return state.fired(),
            Some(former) if former.will_wake(waker) => return Look::Waiting,
            Some(_) => {}
        }
        drop(state);
        let mut waker = waker.clone();
        let mut state = self.0.state.lock();
        match state.timers.get_mut(key) {
            None => state.fired(),
            Some(former) => {
                std::mem::swap(former, &mut waker);
                Look::Waiting
            }
        }
        // The lock is let go before the former waker is dropped: `state` was declared later.
    }

    /// When a driver that sleeps wakes for a deadline.
    fn wake_up_for(&self, at: u64) -> u64 {
        at.checked_next_multiple_of(self.0.slack).unwrap_or(at)
    }

    /// Before the sleep: until when.
    fn lie_down(&self, until: Until) -> Until {
        let limit = match until {
            Until::Now => return Until::Now,
            Until::At(at) => at.as_nanos(),
            Until::Woken => u64::MAX,
        };
        let mut state = self.0.state.lock();
        let until = match state.timers.next_turn() {
            Some(turn) => limit.min(self.wake_up_for(turn)),
            None => limit,
        };
        state.driver = Driver::Asleep { until };
        match Instant::from_nanos(until) {
            Instant::NEVER => Until::Woken,
            at => Until::At(at),
        }
    }

    /// After the sleep: fires what is due by one reading of the time, a batch to a lock.
    fn turn(&self) {
        let now = self.now().as_nanos();
        let mut batch = WakeBatch::new();
        let mut more = true;
        while more {
            let mut state = self.0.state.lock();
            state.driver = Driver::Awake;
            while more && !batch.is_full() {
                match state.timers.pop_expired(now) {
                    Some(waker) => batch.push(waker),
                    None => more = false,
                }
            }
            drop(state);
            batch.wake_all();
        }
    }

    /// Ends it: wakes everybody, so that sleeps look for another driver.
    fn retire(&self) {
        let mut state = self.0.state.lock();
        state.driver = Driver::Gone;
        let mut timers = std::mem::take(&mut state.timers);
        drop(state);
        while let Some(waker) = timers.pop_expired(u64::MAX) {
            wake(waker);
        }
    }
}

impl Clock for Timer {
    fn now(&self) -> Instant {
        Timer::now(self)
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Timer::sleep_until(self, at))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl State {
    /// True if the driver is to be unparked for a timer it must wake for at `wake_up`.
    fn hurry(&mut self, wake_up: impl FnOnce() -> u64) -> bool {
        match self.driver {
            Driver::Asleep { until } if wake_up() < until => {
                self.driver = Driver::Awake;
                true
            }
            _ => false,
        }
    }

    /// What a timer that is not in the wheel has come to.
    fn fired(&self) -> Look {
        match self.driver {
            Driver::Gone => Look::Gone,
            _ => Look::Fired,
        }
    }
}

/// Whole nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<P: Park> fmt::Debug for TimerPark<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerPark")
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.now();
        let state = self.0.state.lock();
        f.debug_struct("Timer")
            .field("now", &now)
            .field("timers", &state.timers.len())
            .field("driver", &state.driver)
            .finish()
    }
}
