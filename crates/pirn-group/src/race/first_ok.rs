//! A race that only a success can win.

use super::Stage;
use crate::branches::Branches;
use crate::error::GroupError;
use crate::gather::outcome::Outcome;
use crate::known::Known;
use crate::several::Several;
use crate::tally::Tally;
use crate::untaken::Value;
use pin_project_lite::pin_project;
use pirn_core::TaskMeta;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs several futures at once, in the caller's own task, and gives the value of the first that
/// succeeds: otherwise as [`race`](crate::race()).
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
/// As [`race`](crate::race()). Errors that came before there is a success are reported.
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
pub fn first_ok<S, Form, T, E>(several: S) -> FirstOk<S::Future, T, E>
where
    S: Several<Form, Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    let meta = TaskMeta::here();
    FirstOk {
        inner: Known::new(Attempts {
            stage: Stage::new(meta.clone()),
            branches: Branches::of(several.futures()),
            tally: Tally::new(&"first_ok", meta),
        }),
    }
}

pin_project! {
    /// The future of [`first_ok`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct FirstOk<F: Future<Output: Outcome>, T, E> {
        #[pin]
        inner: Known<Attempts<F>, Result<T, GroupError<E>>>,
    }
}

impl<F: Future<Output: Outcome>, T, E> Future for FirstOk<F, T, E> {
    type Output = Result<T, GroupError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl<F: Future<Output: Outcome>, T, E> fmt::Debug for FirstOk<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOk").finish_non_exhaustive()
    }
}

struct Attempts<F: Future<Output: Outcome>> {
    // Dropped in this order.
    stage: Stage<Option<Value<<F::Output as Outcome>::Value>>>,
    branches: Branches<F>,
    tally: Tally<<F::Output as Outcome>::Error>,
}

/// Nothing is pinned: the futures lie in memory of their own.
impl<F: Future<Output: Outcome>> Unpin for Attempts<F> {}

impl<F, T, E> Future for Attempts<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Output = Result<T, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (branches, tally) = (&mut this.branches, &mut this.tally);
        if this.stage.is_open() {
            let decide = |key, end| match tally.end(key, end) {
                Some(value) => ControlFlow::Break(Some(Value(value))),
                None if tally.has_panicked() => ControlFlow::Break(None),
                None => ControlFlow::Continue(()),
            };
            if let Some(first) = ready!(branches.poll(cx, decide)) {
                this.stage.decide(first);
                // From here on they decide nothing, however they end.
                let cause = tally.lose();
                branches.cancel(&cause, |key, end| tally.end_unwanted(key, end));
            }
        }
        ready!(branches.poll_drained(cx, |key, end| tally.end_unwanted(key, end)));
        this.stage.poll_won(tally)
    }
}
