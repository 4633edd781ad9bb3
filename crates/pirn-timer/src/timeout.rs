//! Work with a limit in time.

use crate::ambient::{self, AnyClock};
use pin_project_lite::pin_project;
use pirn_core::{Cause, Grace, Instant, Kind, Limited, Scope};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Runs `body`, a future or what [becomes one](IntoFuture), for at most `duration`, counted from this
/// call.
///
/// When the time is over the body is cancelled: it is dropped, its clean-up
/// ([`finally`](pirn_core::finally)) is waited for, and so are the children that it spawned into
/// this [`Scope`]. Only then the error is returned. A value that is ready at the same poll wins.
/// With a duration of zero the body is polled once. With [`Duration::MAX`] there is no limit.
///
/// A cancel from outside ends the body all the same, and is never taken for the timeout's own.
///
/// The body lies in the future that is returned, and moves with it: one of many kilobytes is better
/// [boxed](Box::pin) before.
///
/// # Cancel safety
///
/// Dropping the future drops the body; clean-up that is left goes to the scope around.
///
/// # Panics
///
/// If there is no clock and the system refuses the [fallback](crate::install_fallback) its thread.
///
/// # Examples
///
/// ```
/// use pirn_timer::{TimeoutError, sleep, timeout};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let quick = timeout(Duration::from_secs(60), async { 5 }).await;
/// assert_eq!(quick.unwrap(), 5);
///
/// let slow = timeout(Duration::from_millis(1), sleep(Duration::from_secs(60))).await;
/// assert!(matches!(slow, Err(TimeoutError::Elapsed)));
/// # });
/// ```
#[track_caller]
#[inline]
pub fn timeout<F: IntoFuture>(duration: Duration, body: F) -> Timed<F::IntoFuture> {
    let at = end_of(duration);
    Timed {
        limited: Limited::ending(at, body.into_future()),
    }
}

/// Runs `body` until `at`, a time of the ambient clock. Otherwise as [`timeout`].
///
/// # Cancel safety
///
/// As [`timeout`].
///
/// # Panics
///
/// As [`timeout`].
///
/// # Examples
///
/// ```
/// use pirn_timer::{TimeoutError, now, timeout_at};
/// use std::future::{pending, ready};
///
/// # pirn_core::shim::block_on(async {
/// // A deadline that has passed: one poll first.
/// assert_eq!(timeout_at(now(), ready(5)).await.unwrap(), 5);
/// let late = timeout_at(now(), pending::<()>()).await;
/// assert!(matches!(late, Err(TimeoutError::Elapsed)));
/// # });
/// ```
#[track_caller]
pub fn timeout_at<F: IntoFuture>(at: Instant, body: F) -> Timed<F::IntoFuture> {
    match Limited::until(at, body.into_future()) {
        Ok(limited) => Timed { limited },
        // There is no clock here yet.
        Err((_, body)) => Timeout::at(at).run(body),
    }
}

/// When a limit of `duration` that begins now is over.
#[inline]
fn end_of(duration: Duration) -> Instant {
    match duration {
        Duration::MAX => Instant::NEVER,
        _ => ambient::now() + duration,
    }
}

/// A limit in time that can be moved while the body runs.
///
/// As asyncio's `timeout()`. Where it need not be moved, [`timeout`] is shorter.
///
/// # Examples
///
/// ```
/// use pirn_timer::{Timeout, now, sleep};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let limit = Timeout::after(Duration::from_secs(60));
/// let handle = limit.handle();
/// let ended = limit
///     .run(async {
///         handle.reschedule(now() + Duration::from_millis(1));
///         sleep(Duration::from_secs(60)).await;
///     })
///     .await;
/// assert!(ended.is_err());
/// assert!(handle.expired());
/// # });
/// ```
#[must_use = "a timeout limits what it is told to run"]
pub struct Timeout {
    handle: TimeoutHandle,
}

/// Moves the deadline of a [`Timeout`], and tells how it stands. Clones are the same.
///
/// # Examples
///
/// ```
/// use pirn_core::Instant;
/// use pirn_timer::{Timeout, TimeoutHandle};
///
/// let handle: TimeoutHandle = Timeout::at(Instant::NEVER).handle();
/// assert_eq!(handle.when(), Instant::NEVER);
/// assert!(!handle.expired());
/// ```
#[derive(Clone)]
pub struct TimeoutHandle {
    scope: Scope,
}

/// Why a body under a [`timeout`] gave no value.
///
/// # Examples
///
/// ```
/// use pirn_timer::TimeoutError;
///
/// assert_eq!(TimeoutError::Elapsed.to_string(), "timed out");
/// ```
#[derive(Clone, Debug)]
pub enum TimeoutError {
    /// The time was over.
    Elapsed,
    /// It was cancelled before, for this cause: from within, or through a scope around it. (Seen
    /// only from outside that scope; what runs inside it is dropped before it could look.)
    Cancelled(Arc<Cause>),
}

pin_project! {
    /// The future of [`timeout`], [`timeout_at`] and [`Timeout::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_timer::{Timed, timeout};
    /// use std::future::{Ready, ready};
    /// use std::time::Duration;
    ///
    /// let timed: Timed<Ready<i32>> = timeout(Duration::from_secs(1), ready(5));
    /// assert_eq!(pirn_core::shim::block_on(timed).unwrap(), 5);
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timed<F: Future> {
        #[pin]
        limited: Limited<F>,
    }
}

impl Timeout {
    /// A limit of `duration`, counted from this call; none with [`Duration::MAX`].
    ///
    /// # Panics
    ///
    /// As [`timeout`].
    #[track_caller]
    pub fn after(duration: Duration) -> Timeout {
        Timeout::at(end_of(duration))
    }

    /// A limit at `at`, a time of the ambient clock; none with [`Instant::NEVER`].
    ///
    /// # Panics
    ///
    /// As [`timeout`].
    #[track_caller]
    pub fn at(at: Instant) -> Timeout {
        let handle = TimeoutHandle {
            scope: Scope::new(),
        };
        handle.set(at);
        Timeout { handle }
    }

    /// How long clean-up of the body may take once the time is over, before it is dropped and
    /// [reported](pirn_core::report). Where nothing is said it is what holds around the timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Grace, finally};
    /// use pirn_timer::Timeout;
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let millisecond = Duration::from_millis(1);
    /// let limit = Timeout::after(millisecond).grace(Grace::After(millisecond));
    /// let endless = finally(pending::<()>(), pending::<()>); // its clean-up, too
    /// assert!(limit.run(endless).await.is_err());
    /// # });
    /// ```
    pub fn grace(self, grace: Grace) -> Self {
        self.handle.scope.set_grace(grace);
        self
    }

    /// The handle that moves the deadline, to be taken into the body.
    pub fn handle(&self) -> TimeoutHandle {
        self.handle.clone()
    }

    /// Runs `body`, as [`timeout`] does.
    ///
    /// # Cancel safety
    ///
    /// As [`timeout`].
    pub fn run<F: IntoFuture>(self, body: F) -> Timed<F::IntoFuture> {
        Timed {
            limited: Limited::within(&self.handle.scope, body.into_future()),
        }
    }
}

impl TimeoutHandle {
    /// The deadline, [`Instant::NEVER`] if there is none.
    pub fn when(&self) -> Instant {
        self.scope.own_deadline()
    }

    /// Moves the deadline; [`Instant::NEVER`] takes it away. Returns true if that was in time.
    ///
    /// Once the body was cancelled, because its time was over or for another reason, or has ended, it is
    /// too late: the deadline stays what it was, and this returns false. (asyncio raises there.)
    ///
    /// # Panics
    ///
    /// As [`timeout`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Instant;
    /// use pirn_timer::Timeout;
    /// use std::future::ready;
    /// use std::time::Duration;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let limit = Timeout::after(Duration::from_secs(60));
    /// let handle = limit.handle();
    /// assert!(handle.reschedule(Instant::NEVER));
    /// assert_eq!(limit.run(ready(5)).await.unwrap(), 5);
    /// assert!(!handle.reschedule(Instant::NEVER));
    /// # });
    /// ```
    #[track_caller]
    pub fn reschedule(&self, at: Instant) -> bool {
        let moved = match self.scope.move_deadline(at) {
            Err(_) => {
                // There is no clock here yet: from now on there is.
                AnyClock::ambient();
                self.scope.move_deadline(at)
            }
            moved => moved,
        };
        debug_assert!(moved.is_ok(), "the fallback is a clock");
        moved.unwrap_or(false)
    }

    #[track_caller]
    fn set(&self, at: Instant) {
        if self.scope.set_deadline(at).is_err() {
            // There is no clock here yet: from now on there is.
            AnyClock::ambient();
            let set = self.scope.set_deadline(at);
            debug_assert!(set.is_ok(), "the fallback is a clock");
        }
    }

    /// True if the body was cancelled because its time was over, and for nothing else.
    pub fn expired(&self) -> bool {
        match self.scope.cause() {
            Some(cause) => error(Some(&self.scope), cause).is_elapsed(),
            None => false,
        }
    }
}

/// What a cancel of a timeout's scope for `cause` means: only a cause of its own is its time. Not
/// asked of the scope around, which may be cancelled since the run has ended.
fn error(scope: Option<&Scope>, cause: Arc<Cause>) -> TimeoutError {
    let own = scope.and_then(Scope::own_cause);
    let own = own.is_some_and(|own| Arc::ptr_eq(&own, &cause));
    match own && cause.kind() == Kind::Deadline {
        true => TimeoutError::Elapsed,
        false => TimeoutError::Cancelled(cause),
    }
}

impl<F: Future> Timed<F> {
    /// The handle that moves the deadline.
    pub fn handle(&mut self) -> TimeoutHandle {
        TimeoutHandle {
            scope: self.limited.scope().clone(),
        }
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut limited = self.project().limited;
        let ended = ready!(limited.as_mut().poll(cx));
        Poll::Ready(ended.map_err(|cause| error(limited.scope_if_made(), cause)))
    }
}

impl TimeoutError {
    /// True if the time was over.
    pub fn is_elapsed(&self) -> bool {
        matches!(self, TimeoutError::Elapsed)
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeoutError::Elapsed => f.write_str("timed out"),
            TimeoutError::Cancelled(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for TimeoutError {}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

impl fmt::Debug for TimeoutHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("when", &self.when())
            .field("expired", &self.expired())
            .finish()
    }
}
