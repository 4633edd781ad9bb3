//! What makes timers fire: a [`Park`] around another one.
//!
//! # How it works
//!
//! The timers of a driver stand in two [wheels](Wheel), each with the waker of the task that waits
//! for it: those that the driver's own thread made while it was [attached](Timer::attach), in a wheel
//! that it [reaches without a lock](own); all others in one under a short lock. No lock is held while
//! a waker is cloned, woken or dropped, while the time is read, or while anybody sleeps. Beside the
//! wheels stands what the driver does:
//!
//! | `Driver` | meaning | entered by | left by |
//! |---|---|---|---|
//! | `Awake` | will look at the wheels before it sleeps | `turn`; `hurry`, which unparks | `lie_down` |
//! | `Asleep { until }` | sleeps until then, or is about to | `lie_down` | `turn`, `hurry`, `retire` |
//! | `Gone` | was dropped; no timer fires any more | `retire` | never |
//!
//! No wake-up is lost: `lie_down` looks at the wheels and says `Asleep` under one lock. A timer put
//! in before that is seen by it; one put in after it sees `Asleep`, and if it is due earlier,
//! unparks the driver. That token is sticky, so it also ends a sleep that has not begun yet. After
//! it the driver counts as `Awake`: it will look again, so nobody need unpark it a second time.
//! A driver that is awake, above all one whose own thread makes the timer, is never unparked.
//!
//! A timer of the own wheel may come to another thread with its task. Dropped there, it is left as an
//! order to forget it. Polled there, the same, and it is set anew in the other wheel. Moved there, it
//! is left as an order to wake its task, which sets it anew. Orders are given under the lock, and
//! obeyed in `turn`; `lie_down` does not sleep where there are some.
//!
//! Deadlines are nanoseconds and timers fire in their order. Only the driver's sleep is rounded up,
//! to a multiple of [`TimeSource::slack`]; what is due is then decided by a fresh reading of the
//! time. So a timer is never early, and late by at most the slack on an idle machine. After a turn in
//! which [`MANY`] timers or more fired, the next sleep for a timer is at least [`REST`] times the
//! slack long: where many are due, a wake-up for each few of them would cost more than they do. After
//! one in which [`CROWD`] timers or more fired, and for [`GATHER`] times the slack, it also sleeps
//! [`REST`] times the slack past the first deadline: what fires together once, as intervals do that
//! were begun one after the other, then does so in one wake-up.

use crate::own;
use crate::sleep::Sleep;
use crate::wheel::{Key, Wheel};
use pirn_core::TimeSource;
use pirn_core::shim::{Arc, ListGuard, ListLock};
use pirn_core::wake::{WakeBatch, discard, wake};
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
    /// The driver does not wake for a timer before this, since many have just fired.
    rest_until: u64,
    /// Until then it lets them gather, since very many have just fired.
    gather_until: u64,
    /// Of those who lock.
    timers: Wheel<Waker>,
    /// Of the thread that drives, and [with it](own) while it is attached.
    own: Option<Box<Wheel<Waker>>>,
    /// What others want of the own wheel's timers while it is with its thread.
    orders: Vec<Order>,
}

/// A timer that is set: in which wheel, and where.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) own: bool,
    pub(crate) key: Key,
}

/// To be done by the thread that drives, at its next turn.
enum Order {
    /// Forget the timer.
    Drop(Key),
    /// Wake who waits for it, to look again.
    Wake(Key),
}

/// How many timers of one turn are many.
const MANY: u32 = 4;
/// How many times the slack the driver sleeps after that.
const REST: u64 = 3;
/// How many timers of one turn are very many.
const CROWD: u32 = 64;
/// How many times the slack timers gather after that.
const GATHER: u64 = 16;

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
    /// It is with the thread that drives, which was told to forget it.
    Away,
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
                    rest_until: 0,
                    gather_until: 0,
                    own: Some(Box::default()),
                    orders: Vec::new(),
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
    #[inline]
    pub fn now(&self) -> Instant {
        self.0.time.now()
    }

    /// As [`sleep`](crate::sleep), by this timer.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_timer::{Manual, ThreadPark, TimerPark};
    /// use std::time::Duration;
    ///
    /// let time = Manual::new();
    /// let driver = TimerPark::new(ThreadPark::new(), time.clone());
    /// let sleep = driver.timer().sleep(Duration::from_secs(1));
    /// assert!(!sleep.is_elapsed());
    /// time.advance(Duration::from_secs(1));
    /// assert!(sleep.is_elapsed());
    /// ```
    #[inline]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        // Before there is anything to drop, so that the sleep is built where it stays.
        let deadline = self.now() + duration;
        Sleep::fresh(self.into(), duration, deadline)
    }

    /// As [`sleep_until`](crate::sleep_until), by this timer.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::until(self.into(), at)
    }

    /// Lends the own wheel to the thread that drives, unless nobody ever will any more.
    pub(crate) fn lend(&self) -> Option<Box<Wheel<Waker>>> {
        let mut state = self.0.state.lock();
        match state.driver {
            Driver::Gone => None,
            _ => state.own.take(),
        }
    }

    /// Takes it back from this thread, which has it.
    pub(crate) fn take_back_wheel(&self) {
        // Orders first, or they were left behind for a wheel that is here.
        let mut state = self.obey();
        if let Some(wheel) = own::take(self) {
            state.own = Some(wheel);
        }
    }

    /// True if both are handles of one driver.
    #[inline]
    pub(crate) fn is(&self, other: &Timer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// True if `at` has come. On the thread that drives it says what the last turn saw, which is
    /// never too early, and does not read the time.
    pub(crate) fn is_past(&self, at: Instant) -> bool {
        match own::with_wheel(self, |wheel| wheel.now()) {
            Some(turned) => at.as_nanos() <= turned,
            None => at <= self.now(),
        }
    }

    /// Puts a timer in, if this thread has the wheel for it. Gives the waker back if not.
    #[inline]
    pub(crate) fn arm_own(&self, at: Instant, waker: Waker) -> Result<Key, Waker> {
        let mut waker = Some(waker);
        let insert = |wheel: &mut Wheel<Waker>| Some(wheel.insert(at.as_nanos(), waker.take()?));
        match (own::with_wheel(self, insert).flatten(), waker) {
            (Some(key), _) => Ok(key),
            (None, Some(waker)) => Err(waker),
            (None, None) => unreachable!("it was not put in"),
        }
    }

    /// Puts it in the wheel of those who lock. Gives the waker back if the driver is gone.
    pub(crate) fn arm_locked(&self, at: Instant, waker: Waker) -> Result<Ticket, Waker> {
        let at = at.as_nanos();
        let mut state = self.0.state.lock();
        if let Driver::Gone = state.driver {
            return Err(waker);
        }
        let key = state.timers.insert(at, waker);
        self.hurry(state, at);
        Ok(Ticket { own: false, key })
    }

    /// Moves a timer that has not fired to another time. False if it has, or if who waits for it is
    /// woken to do it.
    pub(crate) fn rearm(&self, ticket: Ticket, at: Instant) -> bool {
        let at = at.as_nanos();
        let key = ticket.key;
        match self.reach(ticket, |wheel| wheel.reset(key, at)) {
            Ok((moved, Some(state))) => {
                if moved {
                    self.hurry(state, at);
                }
                moved
            }
            Ok((moved, None)) => moved,
            Err(state) => {
                self.order(state, Order::Wake(key));
                false
            }
        }
    }

    /// Takes a timer that has not fired out, who waits for it being of no more interest.
    #[inline]
    pub(crate) fn disarm(&self, ticket: Ticket) -> Option<Waker> {
        let key = ticket.key;
        match self.reach(ticket, |wheel| wheel.remove(key)) {
            Ok((waker, _state)) => waker,
            Err(mut state) => {
                state.orders.push(Order::Drop(key));
                None
            }
        }
    }

    /// Takes a timer out. `None` if it has fired, or if who waits for it is woken instead.
    pub(crate) fn take_back(&self, ticket: Ticket) -> Option<Waker> {
        let key = ticket.key;
        match self.reach(ticket, |wheel| wheel.remove(key)) {
            Ok((waker, _state)) => waker,
            Err(state) => {
                self.order(state, Order::Wake(key));
                None
            }
        }
    }

    /// Looks whether a timer has fired, and if not, makes `waker` the one that it wakes.
    pub(crate) fn look(&self, ticket: Ticket, waker: &Waker) -> Look {
        let key = ticket.key;
        let seen = self.reach(ticket, |wheel| {
            let former = wheel.get_mut(key)?;
            Some(former.will_wake(waker))
        });
        match seen {
            Ok((Some(true), _)) => return Look::Waiting,
            // Unlocked: the clone is code of users.
            Ok((Some(false), state)) => drop(state),
            Ok((None, None)) => return Look::Fired,
            Ok((None, Some(state))) => return state.fired(),
            Err(mut state) => {
                state.orders.push(Order::Drop(key));
                return Look::Away;
            }
        }
        let mut waker = waker.clone();
        let replaced = self.reach(ticket, |wheel| {
            std::mem::swap(wheel.get_mut(key)?, &mut waker);
            Some(())
        });
        let look = match replaced {
            Ok((Some(()), state)) => {
                drop(state);
                Look::Waiting
            }
            Ok((None, None)) => Look::Fired,
            Ok((None, Some(state))) => state.fired(),
            Err(mut state) => {
                // Its thread was attached meanwhile.
                state.orders.push(Order::Drop(key));
                Look::Away
            }
        };
        // The former one, or the clone, with nothing locked.
        discard(waker);
        look
    }

    /// Calls `f` with the wheel that a timer is in, and gives the lock that was needed for it. If
    /// the wheel is with another thread, only the lock.
    #[inline]
    fn reach<R>(
        &self,
        ticket: Ticket,
        mut f: impl FnMut(&mut Wheel<Waker>) -> R,
    ) -> Result<(R, Option<ListGuard<'_, State>>), ListGuard<'_, State>> {
        if ticket.own {
            if let Some(result) = own::with_wheel(self, &mut f) {
                return Ok((result, None));
            }
        }
        let mut state = self.0.state.lock();
        let wheel = match &mut *state {
            State { timers, .. } if !ticket.own => Some(timers),
            State { own, .. } => own.as_deref_mut(),
        };
        match wheel.map(f) {
            Some(result) => Ok((result, Some(state))),
            None => Err(state),
        }
    }

    /// Leaves an order for the thread that drives, which is to see to it now.
    fn order(&self, mut state: ListGuard<'_, State>, order: Order) {
        state.orders.push(order);
        self.unpark_before(state, 0);
    }

    /// Unlocks, and unparks the driver if it would wake too late for a timer at `at`.
    fn hurry(&self, state: ListGuard<'_, State>, at: u64) {
        let wake_up = self.wake_up_for(&state, at);
        self.unpark_before(state, wake_up);
    }

    /// Unlocks, and unparks the driver if it would sleep beyond `wake_up`.
    fn unpark_before(&self, mut state: ListGuard<'_, State>, wake_up: u64) {
        let unpark = match state.driver {
            Driver::Asleep { until } => wake_up < until,
            _ => false,
        };
        if unpark {
            state.driver = Driver::Awake;
        }
        drop(state);
        if unpark {
            (self.0.unpark)();
        }
    }

    /// So many times the slack.
    fn slacks(&self, times: u64) -> u64 {
        self.0.slack.saturating_mul(times)
    }

    /// When a driver that sleeps wakes for a deadline.
    fn wake_up_for(&self, state: &State, at: u64) -> u64 {
        let gathered = match at < state.gather_until {
            true => at.saturating_add(self.slacks(REST)),
            false => at,
        };
        let at = gathered.max(state.rest_until);
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
        if !state.orders.is_empty() {
            // To obey them wakes tasks, which are not to wait for the end of a sleep.
            return Until::Now;
        }
        let next = self.with_wheels(&mut state, |own, timers| {
            let own = own.and_then(|own| own.next_turn());
            own.into_iter().chain(timers.next_turn()).min()
        });
        let until = match next {
            Some(turn) => limit.min(self.wake_up_for(&state, turn)),
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
        let (mut more, mut fired) = (true, 0);
        while more {
            let mut state = self.obey();
            state.driver = Driver::Awake;
            more = self.with_wheels(&mut state, |mut own, timers| {
                while !batch.is_full() {
                    match pop_first(own.as_deref_mut(), timers, now) {
                        Some(waker) => {
                            batch.push(waker);
                            fired += 1;
                        }
                        None => return false,
                    }
                }
                true
            });
            if fired >= MANY {
                state.rest_until = now.saturating_add(self.slacks(REST));
            }
            if fired >= CROWD {
                state.gather_until = now.saturating_add(self.slacks(GATHER));
            }
            drop(state);
            batch.wake_all();
        }
    }

    /// Does what others have ordered, and locks.
    fn obey(&self) -> ListGuard<'_, State> {
        loop {
            let mut state = self.0.state.lock();
            if state.orders.is_empty() {
                return state;
            }
            let orders = std::mem::take(&mut state.orders);
            drop(state);
            for order in orders {
                let (Order::Drop(key) | Order::Wake(key)) = order;
                let waker = own::with_wheel(self, |wheel| wheel.remove(key)).flatten();
                match (waker, order) {
                    (Some(waker), Order::Wake(_)) => wake(waker),
                    (Some(waker), Order::Drop(_)) => discard(waker),
                    (None, _) => {}
                }
            }
        }
    }

    /// Calls `f` with both wheels: the own one, unless it is with another thread, and the other.
    fn with_wheels<R>(
        &self,
        state: &mut State,
        f: impl FnOnce(Option<&mut Wheel<Waker>>, &mut Wheel<Waker>) -> R,
    ) -> R {
        let State { own, timers, .. } = state;
        if let Some(own) = own {
            return f(Some(own), timers);
        }
        let mut f = Some(f);
        let mut call = |own: Option<&mut Wheel<Waker>>| f.take().map(|f| f(own, timers));
        match own::with_wheel(self, |own| call(Some(own))).flatten() {
            Some(result) => result,
            None => call(None).unwrap_or_else(|| unreachable!("it was not called")),
        }
    }

    /// Ends it: wakes everybody, so that sleeps look for another driver.
    fn retire(&self) {
        let with_thread = own::take(self);
        let mut state = self.0.state.lock();
        state.driver = Driver::Gone;
        let own = with_thread.or(state.own.take());
        state.own = Some(Box::default());
        state.orders.clear();
        let timers = std::mem::take(&mut state.timers);
        drop(state);
        for mut wheel in own.into_iter().map(|own| *own).chain([timers]) {
            while let Some(waker) = wheel.pop_expired(u64::MAX) {
                wake(waker);
            }
        }
    }
}

/// The next timer that is due in either wheel: earlier deadlines first.
fn pop_first(own: Option<&mut Wheel<Waker>>, timers: &mut Wheel<Waker>, now: u64) -> Option<Waker> {
    let own = match own {
        Some(own) if !own.is_empty() => own,
        Some(own) => {
            // It is asked which time the last turn saw.
            own.pop_expired(now);
            return timers.pop_expired(now);
        }
        None => return timers.pop_expired(now),
    };
    // A turn that is no deadline gives nothing, and brings the next one nearer to it.
    while let Some(other) = timers.next_turn() {
        let Some(first) = own.next_turn() else { break };
        if first.min(other) > now {
            return None;
        }
        let popped = if first <= other {
            own.pop_expired(other.min(now))
        } else {
            timers.pop_expired(first.min(now))
        };
        if popped.is_some() {
            return popped;
        }
    }
    own.pop_expired(now)
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
        let mut state = self.0.state.lock();
        let timers = self.with_wheels(&mut state, |own, timers| {
            own.map_or(0, |own| own.len()) + timers.len()
        });
        f.debug_struct("Timer")
            .field("now", &now)
            .field("timers", &timers)
            .field("driver", &state.driver)
            .finish()
    }
}
