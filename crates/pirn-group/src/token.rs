//! A token that cancels work from anywhere.

use pirn_core::{Cancelled, Cause, Instant, Kind, Limited, Scope};
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A switch that is thrown once, from anywhere, and the work that looks at it.
///
/// For what the tree of the code does not say: a connection that several requests share, a button, a
/// thread. Where work is cancelled because the code around it ends or fails, a [group](crate::group)
/// or a timeout does it without a token.
///
/// A token is a [`Scope`] that has no body: one pointer, `Send` and `Sync`. Clones are the same
/// token. A [child](Self::child) is cancelled with its parent, and alone. Dropping a token cancels
/// nothing; a [guard](Self::guard) does.
///
/// # Beside tokio-util's `CancellationToken`
///
/// | | `CancellationToken` 0.7 | `CancelToken` |
/// |---|---|---|
/// | the reason | none | kind, words and place: [`cause`](Self::cause) |
/// | of several cancels | | the outermost token's is the cause; on one token the first |
/// | `run_until_cancelled`, cancelled before the first poll | polls it once | never polls it |
/// | value and cancel in one poll | the value | the value |
/// | `run_until_cancelled` when cancelled | drops the future, goes on | drops it, awaits its clean-up and its children, goes on |
/// | a cancel from around, meanwhile | is a drop | the same clean-up, and nothing goes on |
/// | guard | takes the token, or borrows it | borrows nothing, keeps a clone; can be disarmed |
/// | child of a cancelled token | is cancelled | is cancelled |
/// | depth of a tree | any | any: cancel and drop are loops |
/// | a waker that panics | unwinds from `cancel` | goes to the [hook](pirn_core::report::set_hook); the others are woken |
///
/// # Cost
///
/// A token is one allocation of at most [`CancelToken::BYTES`], a waiter a slot in it. `is_cancelled`
/// is one load.
///
/// # Examples
///
/// ```
/// use pirn_group::CancelToken;
/// use std::thread;
///
/// let token = CancelToken::new();
/// let stop = token.child();
/// let worker = thread::spawn(move || {
///     pirn_core::shim::block_on(stop.run_until_cancelled(std::future::pending::<()>()))
/// });
/// token.cancel("the user pressed stop");
/// let cause = worker.join().unwrap().unwrap_err();
/// assert_eq!(cause.text(), "the user pressed stop");
/// ```
#[derive(Clone)]
pub struct CancelToken {
    scope: Scope,
}

impl CancelToken {
    /// What a token takes at most, on a machine of 64 bits, before anybody waits for it.
    pub const BYTES: usize = 272;

    /// A token that nothing else cancels.
    #[must_use]
    pub fn new() -> Self {
        CancelToken {
            scope: Scope::detached(),
        }
    }

    /// A token that is cancelled with this one, and alone.
    #[must_use]
    pub fn child(&self) -> Self {
        CancelToken {
            scope: self.scope.child(),
        }
    }

    /// Asks everything under this token and its children to end, for `reason`.
    ///
    /// Returns true if this was the first cause; a token that is cancelled keeps the cause it has.
    /// What runs under it ends at its next poll, for which it is woken. For another
    /// [kind](pirn_core::Kind) of cause, cancel the [scope](Self::scope).
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.scope.cancel(Cause::requested(reason))
    }

    /// Cancels the token when the guard is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Kind;
    /// use pirn_group::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.guard().disarm();
    /// assert!(!token.is_cancelled());
    /// drop(token.guard());
    /// assert_eq!(token.cause().unwrap().kind(), Kind::Dropped);
    /// ```
    #[track_caller]
    pub fn guard(&self) -> CancelGuard {
        CancelGuard {
            token: Some(self.clone()),
            made_at: Location::caller(),
        }
    }

    /// Runs `future` until it is ready, or the token is cancelled.
    ///
    /// It runs in a scope of its own, inside the one around. When the token is cancelled that scope
    /// is, for the token's cause: `future` is dropped, its clean-up and the children that it spawned
    /// into its scope are awaited, then the cause is returned. A value that is ready in the same poll
    /// wins. If the token was cancelled before the first poll, `future` never runs. Deadlines around
    /// hold inside; a cancel from around ends it too, and then nothing after it goes on.
    ///
    /// # Errors
    ///
    /// The cause of the cancel: the token's, or that of a cancel from within.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`; clean-up that is left goes to the scope around. The token is not
    /// cancelled by that.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{finally, shim::block_on};
    /// use pirn_group::CancelToken;
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// static CLOSED: AtomicBool = AtomicBool::new(false);
    /// let token = CancelToken::new();
    /// let work = finally(
    ///     async { token.cancel("seen enough"); std::future::pending::<()>().await },
    ///     async || CLOSED.store(true, Relaxed),
    /// );
    /// let cause = block_on(token.run_until_cancelled(work)).unwrap_err();
    /// assert_eq!(cause.text(), "seen enough");
    /// assert!(CLOSED.load(Relaxed));
    /// ```
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Arc<Cause>> {
        let mut run = match Limited::until(Instant::NEVER, future) {
            Ok(run) => run,
            Err((missing, _)) => unreachable!("no deadline, and yet {missing}"),
        };
        let mut told = false;
        if let Some(cause) = self.cause() {
            told = true;
            run.scope().cancel((*cause).clone());
        }
        let (mut run, mut cancelled) = (pin!(run), pin!(self.cancelled()));
        poll_fn(|cx| {
            // Whoever cancels the token after this wakes the task.
            let mut news = |cx: &mut Context<'_>, scope: Option<&Scope>| {
                if told || (!self.is_cancelled() && cancelled.as_mut().poll(cx).is_pending()) {
                    return false;
                }
                let (Some(scope), Some(cause)) = (scope, self.cause()) else {
                    return false;
                };
                told = true;
                scope.cancel((*cause).clone());
                true
            };
            news(cx, run.scope_if_made());
            let polled = run.as_mut().poll(cx);
            // In that poll its scope was made, or the token cancelled.
            match polled {
                Poll::Pending if news(cx, run.scope_if_made()) => run.as_mut().poll(cx),
                polled => polled,
            }
        })
        .await
    }

    /// Waits until the token is cancelled, and returns why. On a plain thread, block on it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up the wait; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::shim::block_on;
    /// use pirn_group::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.cancel("stop");
    /// assert_eq!(block_on(token.cancelled()).text(), "stop");
    /// ```
    pub fn cancelled(&self) -> Cancelled<'_> {
        self.scope.cancelled()
    }

    /// True once the token, or one above it, was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.scope.is_cancelled()
    }

    /// Why the token is cancelled, if it is. Of several causes, the outermost token's.
    #[must_use]
    pub fn cause(&self) -> Option<Arc<Cause>> {
        self.scope.cause()
    }

    /// The scope that this token is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken::new()
    }
}

/// A token that is cancelled with a scope and everything in it.
impl From<Scope> for CancelToken {
    fn from(scope: Scope) -> Self {
        CancelToken { scope }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cause", &self.cause())
            .finish()
    }
}

/// Cancels its token when it is dropped; from [`CancelToken::guard`].
///
/// The cause is of the kind [`Dropped`](pirn_core::Kind::Dropped), from the place where the guard was
/// made.
///
/// # Examples
///
/// ```
/// use pirn_group::{CancelGuard, CancelToken};
///
/// let token = CancelToken::new();
/// let guard: CancelGuard = token.guard();
/// drop(guard);
/// assert!(token.is_cancelled());
/// ```
#[must_use = "the token is cancelled when the guard is dropped"]
#[derive(Debug)]
pub struct CancelGuard {
    /// `None` once it is disarmed.
    token: Option<CancelToken>,
    made_at: &'static Location<'static>,
}

impl CancelGuard {
    /// Lets go without a cancel.
    pub fn disarm(mut self) {
        self.token = None;
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            let cause = Cause::new(Kind::Dropped, "the guard of its token was dropped");
            token.scope.cancel(cause.with_location(self.made_at));
        }
    }
}
