//! Waiting for a point in time.

use crate::ambient::AnyClock;
use crate::driver::{Look, Ticket};
use crate::fallback;
use pirn_core::wake::wake;
use pirn_core::{BoxSleep, Instant, budget};
use std::fmt;
use std::future::Future;
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
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::lasting(AnyClock::ambient(), duration)
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
/// | `Never` | waits without an end; the waker is for `reset` | `Idle`, by `reset` |
/// | `Foreign` | waits by a clock that is not ours; the waker is for `reset` | `Idle` |
enum Link {
    Zero,
    Fresh,
    Idle,
    Ahead,
    Armed(Ticket),
    Never(Waker),
    Foreign(Box<(BoxSleep, Waker)>),
}

impl Sleep {
    pub(crate) fn lasting(clock: AnyClock, duration: Duration) -> Sleep {
        let link = match duration {
            Duration::ZERO => Link::Zero,
            _ => Link::Fresh,
        };
        Sleep {
            deadline: clock.now() + duration,
            clock,
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
        self.link = match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Zero | Link::Fresh | Link::Idle | Link::Ahead => Link::Idle,
            Link::Armed(ticket) if at == Instant::NEVER => match self.take_back(ticket) {
                Some(waker) => Link::Never(waker),
                None => Link::Idle,
            },
            Link::Armed(ticket) if self.rearm(ticket, at) => Link::Armed(ticket),
            Link::Armed(_) => Link::Idle,
            Link::Never(waker) => poll_again(waker),
            Link::Foreign(waiting) => poll_again(waiting.1),
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

    /// Begins to wait.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        self.link = match &self.clock {
            _ if self.deadline == Instant::NEVER => Link::Never(waker),
            AnyClock::Own(timer) => match timer.arm(self.deadline, waker) {
                Ok(ticket) => Link::Armed(ticket),
                Err(_) => return self.wait_by_fallback(cx),
            },
            AnyClock::Foreign(clock) => {
                let mut sleep = clock.sleep_until(self.deadline);
                match sleep.as_mut().poll(cx) {
                    Poll::Pending => Link::Foreign(Box::new((sleep, waker))),
                    Poll::Ready(()) => poll_again(waker),
                }
            }
        };
        Poll::Pending
    }

    /// The driver is gone: the rest of the time is waited for by the fallback, which never goes.
    fn wait_by_fallback(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.deadline.saturating_since(self.now());
        let timer = fallback::timer();
        self.deadline = timer.now() + left;
        self.clock = AnyClock::from(&timer);
        self.wait(cx)
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match this.link {
            Link::Zero => {
                this.link = poll_again(cx.waker().clone());
                Poll::Pending
            }
            Link::Fresh => this.wait(cx),
            Link::Idle => this.poll_idle(cx),
            Link::Ahead => this.poll_ahead(cx),
            Link::Armed(ticket) => match this.look(ticket, cx.waker()) {
                Look::Waiting => Poll::Pending,
                Look::Fired => this.pass(cx),
                Look::Gone => this.wait(cx),
                Look::Away => this.poll_idle(cx),
            },
            Link::Never(ref mut waker) => {
                waker.clone_from(cx.waker());
                budget::inspect::say("a time that never comes");
                Poll::Pending
            }
            Link::Foreign(ref mut waiting) => {
                waiting.1.clone_from(cx.waker());
                ready!(waiting.0.as_mut().poll(cx));
                this.pass(cx)
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (&Link::Armed(ticket), AnyClock::Own(timer)) = (&self.link, &mut self.clock) {
            drop(timer.disarm(ticket));
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
