//! Several futures at once, of which one decides.

mod first_ok;
mod staggered;

pub use first_ok::{FirstOk, first_ok};
pub use staggered::{StaggeredRace, staggered_race};

use crate::branches::{Branches, decided};
use crate::catch::report_panic;
use crate::error::GroupError;
use crate::several::Several;
use crate::tally::{NOBODY, Tally};
use crate::untaken::{Left, Untaken, Value};
use pirn_core::{BranchEnd, Cause, JoinError, Payload, Scope, TaskMeta};
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Runs several futures at once, in the caller's own task, and gives the value of the first that has
/// one: a tuple of up to twelve, an array, a vector or an iterator, with one type of output.
///
/// The others are cancelled, and it returns when they have ended, their clean-up included, up to the
/// grace period. So nothing of theirs goes on behind the winner's back. It does not ask what the
/// value is; for the first success, see [`first_ok`].
///
/// Nothing is spawned: the futures may borrow, and need be neither `Send` nor `'static`. An iterator is gone
/// through at the call.
///
/// # Errors
///
/// [`JoinError::Cancelled`] if each was cancelled on its own, and [`JoinError::Refused`] if there
/// were none.
///
/// # Panics
///
/// With a panic that comes first, when the others have ended. A loser's is reported, and so is that of a
/// destructor of its value.
///
/// # Fairness
///
/// Of those that are ready in the same poll the first in order wins.
///
/// # Cancel safety
///
/// Dropping it drops the futures; clean-up that is left goes to the scope around. What a loser had
/// done and not returned is lost: race futures that are cancel safe. So is the winner's value, if
/// this is dropped while losers still clean up; a panic that came first is reported then.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::race;
/// use std::future::{pending, ready};
///
/// assert_eq!(race((pending(), async { "weft" })).await.unwrap(), "weft");
/// assert_eq!(race((1..4).map(ready)).await.unwrap(), 1);
/// # });
/// ```
#[track_caller]
pub fn race<S, Form>(several: S) -> Race<S::Future>
where
    S: Several<Form>,
{
    Race {
        branches: Branches::of(several.futures()),
        stage: Stage::new(TaskMeta::here()),
        alone: None,
        stalled: None,
    }
}

/// The future of [`race`].
#[must_use = "futures do nothing unless awaited"]
pub struct Race<F: Future> {
    // Dropped in this order.
    stage: Stage<Result<F::Output, Payload>>,
    branches: Branches<F>,
    /// Why the latest was cancelled that was so on its own, and with the body around.
    alone: Option<Arc<Cause>>,
    stalled: Option<Arc<Cause>>,
}

/// Nothing is pinned: the futures lie in memory of their own.
impl<F: Future> Unpin for Race<F> {}

impl<F: Future> Future for Race<F> {
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.stage.is_open() {
            let (alone, stalled) = (&mut this.alone, &mut this.stalled);
            let decide = |_, end| match end {
                BranchEnd::Value(value) => ControlFlow::Break(Ok(value)),
                BranchEnd::Panicked(payload) => ControlFlow::Break(Err(payload)),
                BranchEnd::Cancelled(cause) => {
                    *alone = Some(cause);
                    ControlFlow::Continue(())
                }
                BranchEnd::Stalled(cause) => {
                    *stalled = Some(cause);
                    ControlFlow::Continue(())
                }
            };
            match ready!(this.branches.poll(cx, decide)) {
                Some(first) => {
                    this.stage.decide(first);
                    let meta = this.stage.meta();
                    let cause = decided("another one won", meta);
                    this.branches.cancel(&cause, |_, end| unheard(end, meta));
                }
                None if this.stalled.is_some() && Scope::must_stay() => return Poll::Pending,
                None => {}
            }
        }
        let meta = this.stage.meta();
        ready!(this.branches.poll_drained(cx, |_, end| unheard(end, meta)));
        Poll::Ready(match this.stage.end() {
            Some(Ok(value)) => Ok(value),
            Some(Err(payload)) => resume_unwind(payload),
            None => Err(match this.stalled.take().or(this.alone.take()) {
                Some(cause) => JoinError::Cancelled(cause),
                None => JoinError::Refused(NOBODY),
            }),
        })
    }
}

impl<F: Future> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race")
            .field("left", &self.branches.len())
            .finish_non_exhaustive()
    }
}

/// How far a race is, and who has decided it.
struct Stage<W: Left> {
    at: At,
    first: Untaken<Option<W>>,
}

#[derive(PartialEq, Eq)]
enum At {
    Open,
    /// The losers are cancelled, and are to end.
    Decided,
    Over,
}

impl<W: Left> Stage<W> {
    fn new(meta: TaskMeta) -> Self {
        Stage {
            at: At::Open,
            first: Untaken::new(None, meta),
        }
    }

    fn is_open(&self) -> bool {
        self.at == At::Open
    }

    fn meta(&self) -> &TaskMeta {
        self.first.task()
    }

    fn decide(&mut self, first: W) {
        self.at = At::Decided;
        self.first.all = Some(first);
    }

    /// All have ended: who has decided it, once.
    fn end(&mut self) -> Option<W> {
        assert!(self.at != At::Over, "a race was polled after it was ready");
        self.at = At::Over;
        self.first.take()
    }
}

/// Decided by a value, or by a panic that the tally has.
impl<T> Stage<Option<Value<T>>> {
    /// What there is to return when all have ended.
    fn poll_won<E>(&mut self, tally: &mut Tally<E>) -> Poll<Result<T, GroupError<E>>>
    where
        E: fmt::Display + 'static,
    {
        if self.at != At::Over && !matches!(self.first.all, Some(Some(_))) {
            let error = ready!(tally.poll_finish_badly());
            self.at = At::Over;
            return Poll::Ready(Err(error));
        }
        let winner = self.end().flatten();
        tally.let_go();
        let Value(value) = winner.expect("it was decided by a value");
        Poll::Ready(Ok(value))
    }
}

/// Of an end that nobody hears of, panics are reported.
pub(crate) fn unheard<T>(end: BranchEnd<T>, meta: &TaskMeta) {
    match end {
        BranchEnd::Panicked(payload) => report_panic(meta.clone(), payload),
        BranchEnd::Value(value) => Value(value).left(meta),
        BranchEnd::Cancelled(_) | BranchEnd::Stalled(_) => {}
    }
}
