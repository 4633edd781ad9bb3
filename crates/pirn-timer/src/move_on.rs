//! Work that is cut short without an error when its time is over.

use crate::timeout::{Timed, Timeout, TimeoutHandle};
use pin_project_lite::pin_project;
use pirn_core::Instant;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs `body` for at most `duration`, counted from this call, and goes on without it when the time
/// is over: `None` says that it was cut short.
///
/// As [`timeout`](crate::timeout), where to be late is no error; and the body gets a handle by which
/// it moves its own deadline, so that a limit can mean "since the last sign of life". `None` stands
/// for every cancel of the body: its time was over, or somebody cancelled its scope. Which of the
/// two, [`TimeoutHandle::expired`] tells. The name and the behaviour are trio's; its `fail_after` is
/// [`timeout`](crate::timeout).
///
/// A cancel of the scope around ends the body all the same, and what comes after it too: the task
/// does not move on. With a duration of zero the body is polled once. With [`Duration::MAX`] there is
/// no limit.
///
/// # Cancel safety
///
/// Dropping the future drops the body; clean-up that is left goes to the scope around.
///
/// # Panics
///
/// As [`timeout`](crate::timeout).
///
/// # Examples
///
/// ```
/// use pirn_timer::{move_on_after, now, sleep};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let mut read = Vec::new();
/// let ended = move_on_after(Duration::from_secs(60), async |limit| {
///     for line in ["warp", "weft"] {
///         read.push(line);
///         limit.reschedule(now() + Duration::from_millis(1)); // for the next one
///     }
///     sleep(Duration::from_secs(60)).await;
/// })
/// .await;
/// assert_eq!(ended, None);
/// assert_eq!(read, ["warp", "weft"]);
/// # });
/// ```
#[track_caller]
pub fn move_on_after<B, F>(duration: Duration, body: B) -> MoveOn<F::IntoFuture>
where
    B: FnOnce(TimeoutHandle) -> F,
    F: IntoFuture,
{
    MoveOn::new(Timeout::after(duration), body)
}

/// Runs `body` until `at`, a time of the ambient clock. Otherwise as [`move_on_after`].
///
/// # Cancel safety
///
/// As [`move_on_after`].
///
/// # Panics
///
/// As [`move_on_after`].
///
/// # Examples
///
/// ```
/// use pirn_timer::{move_on_at, now};
/// use std::future::{pending, ready};
///
/// # pirn_core::shim::block_on(async {
/// // A deadline that has passed: one poll first.
/// assert_eq!(move_on_at(now(), |_| ready(5)).await, Some(5));
/// assert_eq!(move_on_at(now(), |_| pending::<()>()).await, None);
/// # });
/// ```
#[track_caller]
pub fn move_on_at<B, F>(at: Instant, body: B) -> MoveOn<F::IntoFuture>
where
    B: FnOnce(TimeoutHandle) -> F,
    F: IntoFuture,
{
    MoveOn::new(Timeout::at(at), body)
}

pin_project! {
    /// The future of [`move_on_after`] and [`move_on_at`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_timer::{MoveOn, move_on_after};
    /// use std::future::{Ready, ready};
    /// use std::time::Duration;
    ///
    /// let quick: MoveOn<Ready<i32>> = move_on_after(Duration::from_secs(1), |_| ready(5));
    /// assert_eq!(pirn_core::shim::block_on(quick), Some(5));
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct MoveOn<F: Future> {
        #[pin]
        timed: Timed<F>,
    }
}

impl<F: Future> MoveOn<F> {
    fn new<B: IntoFuture<IntoFuture = F>>(
        limit: Timeout,
        body: impl FnOnce(TimeoutHandle) -> B,
    ) -> Self
    where
        F: Future<Output = B::Output>,
    {
        let body = body(limit.handle());
        MoveOn {
            timed: limit.run(body),
        }
    }

    /// The handle that moves the deadline, for who is outside the body.
    pub fn handle(&mut self) -> TimeoutHandle {
        self.timed.handle()
    }
}

impl<F: Future> Future for MoveOn<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().timed.poll(cx).map(Result::ok)
    }
}
