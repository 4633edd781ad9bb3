//! Waiting for a point in time.

use crate::ambient::{self, AnyClock};
use crate::driver::{Look, Ticket};
use crate::fallback;
use pirn_core::wake::{discard, wake};
use pirn_core::{BoxSleep, Instant, budget};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Waits for `duration`, counted from this call.
///
/// As asyncio's `sleep` it yields at least once: `sleep(Duration::ZERO).await` is a pure yield,
/// which lets the other tasks run and touches no timer. With [`Duration::MAX`] it never ends.
///
/// # Cancel safety
///
/// Dropping the future takes the timer back; nothing is lost.
///
/// # Panics
///
/// If there is no clock and the system refuses the [fallback](crate::install_fallback) its thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let start = pirn_timer::now();
/// pirn_timer::sleep(Duration::from_millis(2)).await;
/// assert!(pirn_timer::now() >= start + Duration::from_millis(2));
/// # });
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    // Before there is anything to drop, so that the sleep is built where it stays.
    let deadline = ambient::now() + duration;
    Sleep::fresh(AnyClock::ambient(), duration, deadline)
}

/// Waits until `at`, a time of the ambient clock.
///
/// Ready at its first poll if that has passed. With [`Instant::NEVER`] it never ends.
///
/// # Cancel safety
///
/// As [`sleep`].
///
/// # Panics
///
/// As [`sleep`].
///
/// # Examples
///
/// ```
/// use pirn_timer::{now, sleep_until};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let at = now() + Duration::from_millis(2);
/// sleep_until(at).await;
/// assert!(now() >= at);
/// # });
/// ```
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep::until(AnyClock::ambient(), at)
}

/// The future of [`sleep`] and [`sleep_until`]: ends at its deadline, never early.
///
/// It is `Unpin` and can be [`reset`](Self::reset). It takes part in the timer from its first poll
/// on, and may be polled and dropped on any thread and any executor. Polled after its end it is
/// ready again.
///
/// # Cancel safety
///
/// Dropping it takes the timer back; nothing is lost.
///
/// # Examples
///
/// ```
/// use pirn_timer::{Sleep, sleep};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let mut idle: Sleep = sleep(Duration::from_secs(60));
/// let soon = pirn_timer::now() + Duration::from_millis(1);
/// idle.reset(soon);
/// assert_eq!(idle.deadline(), soon);
/// (&mut idle).await;
/// assert!(idle.is_elapsed());
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    clock: AnyClock,
    deadline: Instant,
    link: Link,
}

/// How the sleep hangs on its clock.
///
/// | link | meaning | next |
/// |---|---|---|
/// | `Zero` | of no length, not polled: yields once | `Idle` |
/// | `Fresh` | of some length, not polled: waits, without a look at the time | as `wait` says |
/// | `Idle` | takes part in nothing: the time decides | ready, or as `wait` says |
/// | `Ahead` | moved on to a later time by an interval: the driver's last turn decides, not the clock | ready, or as `wait` says |
/// | `Armed` | in a wheel of the timer's, or fired since | `Idle` |
/// | `Aside` | waits by a clock that is not ours, or without an end | `Idle`; without an end by `reset` only |
enum Link {
    Zero,
    Fresh,
    Idle,
    Ahead,
    Armed(Ticket),
    Aside(Aside),
}

/// What few sleeps have, apart, and dropped out of the way of the others.
struct Aside(Option<Box<Apart>>);

struct Apart {
    /// `None` for ever.
    sleep: Option<BoxSleep>,
    /// For `reset`.
    waker: Waker,
}

impl Aside {
    fn new(sleep: Option<BoxSleep>, waker: Waker) -> Aside {
        Aside(Some(Box::new(Apart { sleep, waker })))
    }
}

impl Drop for Aside {
    #[inline]
    fn drop(&mut self) {
        if let Some(apart) = self.0.take() {
            drop_apart(*apart);
        }
    }
}

#[cold]
fn drop_apart(apart: Apart) {
    let Apart { sleep, waker } = apart;
    drop(sleep);
    discard(waker);
}

impl Sleep {
    /// One of `duration`, by `clock`, that ends at `deadline`.
    #[inline]
    pub(crate) fn fresh(clock: AnyClock, duration: Duration, deadline: Instant) -> Sleep {
        let link = match duration {
            Duration::ZERO => Link::Zero,
            _ => Link::Fresh,
        };
        Sleep {
            clock,
            deadline,
            link,
        }
    }

    pub(crate) fn until(clock: AnyClock, deadline: Instant) -> Sleep {
        Sleep {
            clock,
            deadline,
            link: Link::Idle,
        }
    }

    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// True if the deadline has come, whether or not the future has been polled since.
    pub fn is_elapsed(&self) -> bool {
        self.now() >= self.deadline
    }

    /// The present, by its clock.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Makes it end at `at` instead. A task that waits for it goes on waiting, and is woken at the
    /// new time; one that has ended begins anew.
    pub fn reset(&mut self, at: Instant) {
        self.deadline = at;
        self.link = match mem::replace(&mut self.link, Link::Idle) {
            Link::Zero | Link::Fresh | Link::Idle | Link::Ahead => Link::Idle,
            Link::Armed(ticket) if at == Instant::NEVER => match self.take_back(ticket) {
                Some(waker) => Link::Aside(Aside::new(None, waker)),
                None => Link::Idle,
            },
            Link::Armed(ticket) if self.rearm(ticket, at) => Link::Armed(ticket),
            Link::Armed(_) => Link::Idle,
            Link::Aside(mut aside) => match aside.0.take() {
                Some(apart) => poll_again(apart.waker),
                None => Link::Idle,
            },
        };
    }

    /// Makes it begin anew, after it has ended, and end at `at`.
    ///
    /// As [`reset`](Self::reset), but the next poll does not read the clock. Where `at` has passed
    /// since the driver's last turn, it is over at the next one.
    pub(crate) fn go_on_until(&mut self, at: Instant) {
        debug_assert!(matches!(self.link, Link::Idle), "it has ended");
        self.deadline = at;
        self.link = Link::Ahead;
    }

    /// Polls what has moved on.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let passed = match &self.clock {
            AnyClock::Own(timer) => timer.is_past(self.deadline),
            AnyClock::Foreign(clock) => clock.now() >= self.deadline,
        };
        if passed { self.pass(cx) } else { self.wait(cx) }
    }

    /// Polls without the yield of [`sleep`]'s first poll.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_elapsed() {
            self.pass(cx)
        } else {
            self.wait(cx)
        }
    }

    /// Its time has come: ready, if the task's budget allows.
    fn pass(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link = Link::Idle;
        budget::poll_spend(cx)
    }

    /// Begins to wait. The link has nothing to drop.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = match &self.clock {
            AnyClock::Own(timer) if self.deadline != Instant::NEVER => timer,
            _ => return self.wait_otherwise(cx),
        };
        match timer.arm_own(self.deadline, cx.waker().clone()) {
            Ok(key) => {
                self.set_link(Link::Armed(Ticket { own: true, key }));
                Poll::Pending
            }
            Err(waker) => self.wait_locked(waker, cx),
        }
    }

    /// The same where another thread has the timer's wheel, or nobody.
    #[inline(never)]
    fn wait_locked(&mut self, waker: Waker, cx: &mut Context<'_>) -> Poll<()> {
        let armed = match self.clock.own() {
            Some(timer) => timer.arm_locked(self.deadline, waker),
            None => Err(waker),
        };
        match armed {
            Ok(ticket) => {
                self.set_link(Link::Armed(ticket));
                Poll::Pending
            }
            Err(waker) => {
                discard(waker);
                self.wait_by_fallback(cx)
            }
        }
    }

    /// Replaces a link that has nothing to drop.
    #[inline]
    fn set_link(&mut self, link: Link) {
        mem::forget(mem::replace(&mut self.link, link));
    }

    /// The same for ever, or by a clock that is not ours.
    #[cold]
    fn wait_otherwise(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        self.link = match &self.clock {
            AnyClock::Foreign(clock) if self.deadline != Instant::NEVER => {
                let mut sleep = clock.sleep_until(self.deadline);
                match sleep.as_mut().poll(cx) {
                    Poll::Pending => Link::Aside(Aside::new(Some(sleep), waker)),
                    Poll::Ready(()) => poll_again(waker),
                }
            }
            _ => Link::Aside(Aside::new(None, waker)),
        };
        Poll::Pending
    }

    /// The driver is gone: the rest of the time is waited for by the fallback, which never goes.
    #[cold]
    fn wait_by_fallback(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.deadline.saturating_since(self.now());
        let timer = fallback::timer();
        self.deadline = timer.now() + left;
        self.clock = AnyClock::from(&timer);
        self.wait(cx)
    }

    /// Polls what is not fresh.
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.link {
            Link::Zero => {
                self.link = poll_again(cx.waker().clone());
                Poll::Pending
            }
            Link::Fresh => self.wait(cx),
            Link::Idle => self.poll_idle(cx),
            Link::Ahead => self.poll_ahead(cx),
            Link::Armed(ticket) => match self.look(ticket, cx.waker()) {
                Look::Waiting => Poll::Pending,
                Look::Fired => self.pass(cx),
                Look::Gone => self.wait(cx),
                Look::Away => self.poll_idle(cx),
            },
            Link::Aside(ref mut aside) => {
                if let Some(apart) = &mut aside.0 {
                    if !apart.waker.will_wake(cx.waker()) {
                        discard(mem::replace(&mut apart.waker, cx.waker().clone()));
                    }
                    match &mut apart.sleep {
                        Some(sleep) => ready!(sleep.as_mut().poll(cx)),
                        None => {
                            budget::inspect::say("a time that never comes");
                            return Poll::Pending;
                        }
                    }
                }
                self.pass(cx)
            }
        }
    }

    fn look(&self, ticket: Ticket, waker: &Waker) -> Look {
        match self.clock.own() {
            Some(timer) => timer.look(ticket, waker),
            None => Look::Gone,
        }
    }

    fn rearm(&self, ticket: Ticket, at: Instant) -> bool {
        let timer = self.clock.own();
        timer.is_some_and(|timer| timer.rearm(ticket, at))
    }

    fn take_back(&self, ticket: Ticket) -> Option<Waker> {
        self.clock.own().and_then(|timer| timer.take_back(ticket))
    }
}

/// Has the task poll again, with nothing else to wake it.
fn poll_again(waker: Waker) -> Link {
    wake(waker);
    Link::Idle
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match this.link {
            Link::Fresh => this.wait(cx),
            _ => this.poll_on(cx),
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let (&Link::Armed(ticket), AnyClock::Own(timer)) = (&self.link, &mut self.clock) {
            discard(timer.disarm(ticket));
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("elapsed", &self.is_elapsed())
            .finish_non_exhaustive()
    }
}
