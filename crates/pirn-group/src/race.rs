//! Several futures at once, of which one decides.

mod staggered;

pub use staggered::staggered_race;

use crate::branches::{Branches, decided, stay};
use crate::catch::report_panic;
use crate::error::GroupError;
use crate::several::Several;
use crate::tally::{NOBODY, Tally};
use crate::untaken::{Left, Untaken, Value};
use pirn_core::{BranchEnd, Cause, JoinError, TaskMeta};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;

/// Runs several futures at once, in the caller's own task, and gives the value of the first that has
/// one: a tuple of up to twelve, an array, a vector or an iterator, with one type of output.
///
/// The others are cancelled, and it returns when they have ended, their clean-up included, up to the
/// grace period. So nothing of theirs goes on behind the winner's back. It does not ask what the
/// value is; for the first success, see [`first_ok`].
///
/// Nothing is spawned: the futures may borrow, and need be neither `Send` nor `'static`.
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
pub fn race<S, Form>(several: S) -> impl Future<Output = Result<S::Output, JoinError>>
where
    S: Several<Form>,
{
    let meta = TaskMeta::here();
    async move {
        let mut branches = Branches::of(several.futures());
        let (mut alone, mut stalled) = (None, None);
        let decide = |_, end| match end {
            BranchEnd::Value(value) => ControlFlow::Break(Ok(value)),
            BranchEnd::Panicked(payload) => ControlFlow::Break(Err(payload)),
            BranchEnd::Cancelled(cause) => {
                alone = Some(cause);
                ControlFlow::Continue(())
            }
            BranchEnd::Stalled(cause) => {
                stalled = Some(cause);
                ControlFlow::Continue(())
            }
        };
        let first = decide_and_drain(&mut branches, decide, &meta).await;
        if first.is_none() && stalled.is_some() {
            stay().await;
        }
        match first {
            Some(Ok(value)) => Ok(value),
            Some(Err(payload)) => resume_unwind(payload),
            None => Err(match stalled.or(alone) {
                Some(cause) => JoinError::Cancelled(cause),
                None => JoinError::Refused(NOBODY),
            }),
        }
    }
}

/// Polls until one is decisive; then cancels the others and polls until they have ended. `None` if
/// all have ended and none was.
async fn decide_and_drain<F: Future, W: Left>(
    branches: &mut Branches<F>,
    mut decide: impl FnMut(usize, BranchEnd<F::Output>) -> ControlFlow<W>,
    meta: &TaskMeta,
) -> Option<W> {
    let first = poll_fn(|cx| branches.poll(cx, &mut decide)).await?;
    let mut first = Untaken::new(Some(first), meta.clone());
    drain(branches, &decided("another one won", meta), meta).await;
    first.take()
}

/// Cancels all and polls until they have ended. Panics are reported, those of their values' destructors
/// too.
pub(crate) async fn drain<F: Future>(
    branches: &mut Branches<F>,
    cause: &Arc<Cause>,
    meta: &TaskMeta,
) {
    let ended = |_, end| unheard(end, meta);
    branches.cancel(cause, ended);
    poll_fn(|cx| branches.poll_drained(cx, ended)).await;
}

/// Of an end that nobody hears of, panics are reported.
fn unheard<T>(end: BranchEnd<T>, meta: &TaskMeta) {
    match end {
        BranchEnd::Panicked(payload) => report_panic(meta.clone(), payload),
        BranchEnd::Value(value) => Value(value).left(meta),
        BranchEnd::Cancelled(_) | BranchEnd::Stalled(_) => {}
    }
}

/// Runs several futures at once, in the caller's own task, and gives the value of the first that
/// succeeds: otherwise as [`race`].
///
/// # Errors
///
/// If none succeeds, every error, in the order in which they came; a [refusal](GroupError::refusal) if
/// there were none.
///
/// # Panics
///
/// With a panic that comes before a success, when the others have ended; errors are reported before.
/// A loser's is reported, and so is that of a destructor of its value.
///
/// # Cancel safety
///
/// As [`race`]. Errors that came before there is a success are reported.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::first_ok;
///
/// let mirrors = ["down", "slow", "up"].map(async |name| match name {
///     "up" => Ok(name),
///     _ => Err(format!("{name} did not answer")),
/// });
/// assert_eq!(first_ok(mirrors).await.unwrap(), "up");
/// let errors = first_ok([async { Err::<(), _>("down") }]).await.unwrap_err();
/// assert_eq!(errors.into_errors(), ["down"]);
/// # });
/// ```
#[track_caller]
pub fn first_ok<S, Form, T, E>(several: S) -> impl Future<Output = Result<T, GroupError<E>>>
where
    S: Several<Form, Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    let meta = TaskMeta::here();
    async move {
        let mut branches = Branches::of(several.futures());
        let mut tally = Tally::new("first_ok", meta.clone());
        let first = poll_fn(|cx| {
            branches.poll(cx, |key, end| match tally.end(key, end) {
                Some(value) => ControlFlow::Break(Some(value)),
                None if tally.has_panicked() => ControlFlow::Break(None),
                None => ControlFlow::Continue(()),
            })
        })
        .await;
        let decided = first.is_some();
        let mut winner = Untaken::new(first.flatten().map(Value), meta);
        if decided {
            // From here on they decide nothing, however they end.
            let cause = tally.lose();
            let mut lost = |key, end| tally.end_unwanted(key, end);
            branches.cancel(&cause, &mut lost);
            poll_fn(|cx| branches.poll_drained(cx, &mut lost)).await;
        }
        won(winner.take(), tally).await
    }
}

/// What there is to return when all have ended.
async fn won<T, E: fmt::Display + 'static>(
    winner: Option<Value<T>>,
    tally: Tally<E>,
) -> Result<T, GroupError<E>> {
    match winner {
        // With the tally goes what became of the others: a panic of theirs is reported.
        Some(Value(value)) => Ok(value),
        None => match tally.finish_badly().await? {},
    }
}
