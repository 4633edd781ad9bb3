//! A race whose runners start one after the other.

use super::Stage;
use crate::branches::Branches;
use crate::catch::drop_quietly;
use crate::error::GroupError;
use crate::gather::outcome::Outcome;
use crate::known::Known;
use crate::tally::Tally;
use crate::untaken::Value;
use pin_project_lite::pin_project;
use pirn_core::{TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What one pass over the attempts came to.
enum Turn<T> {
    Won(T),
    Panicked,
    /// The latest attempt failed: the next starts at once.
    Next,
}

/// Makes attempts until one succeeds: the next starts when the latest has failed, or when the time
/// that `delay` makes is over, and those before go on meanwhile. So one connects to a host with several
/// addresses (RFC 8305, "Happy Eyeballs"); asyncio's `staggered_race`.
///
/// When one succeeds, the others are cancelled, and it returns when they have ended, their clean-up
/// included. Nothing is spawned.
///
/// # Errors
///
/// If none succeeds, every error, in the order in which they came; a [refusal](GroupError::refusal) if
/// there were no attempts.
///
/// # Panics
///
/// As [`first_ok`](crate::first_ok). A panic of `delay`, of what it makes, or of the iterator ends all as
/// one of an attempt does.
///
/// # Cancel safety
///
/// Dropping it drops the attempts; clean-up that is left goes to the scope around. The winner's value
/// is lost, if this is dropped while others still clean up. Errors that came before there is a success
/// are reported.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::staggered_race;
/// use std::future::pending;
///
/// let addresses = ["refused", "silent", "fine"];
/// let connect = async |address: &str| match address {
///     "refused" => Err("refused"),
///     "silent" => pending().await,
///     _ => Ok(address.len()),
/// };
/// let attempts = addresses.iter().map(|address| connect(address));
/// let delay = || pirn_core::yield_now(); // `pirn_timer::sleep(Duration::from_millis(250))`
/// assert_eq!(staggered_race(attempts, delay).await.unwrap(), 4);
/// # });
/// ```
#[track_caller]
pub fn staggered_race<I, F, T, E, M, D>(
    attempts: I,
    delay: M,
) -> StaggeredRace<I::IntoIter, F, T, E, M, D>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
    M: FnMut() -> D,
    D: Future<Output = ()>,
{
    let meta = TaskMeta::here();
    StaggeredRace {
        inner: Known::new(Staggered {
            stage: Stage::new(meta.clone()),
            branches: Branches::new(),
            wait: None,
            attempts: Some(attempts.into_iter()),
            delay,
            tally: Tally::new(&"staggered_race", meta),
            numbers: Vec::new(),
            latest: usize::MAX,
            started: 0,
            next: true,
        }),
    }
}

pin_project! {
    /// The future of [`staggered_race`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct StaggeredRace<I, F: Future<Output: Outcome>, T, E, M, D> {
        #[pin]
        inner: Known<Staggered<I, F, M, D>, Result<T, GroupError<E>>>,
    }
}

impl<I, F: Future<Output: Outcome>, T, E, M, D> Future for StaggeredRace<I, F, T, E, M, D> {
    type Output = Result<T, GroupError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl<I, F: Future<Output: Outcome>, T, E, M, D> fmt::Debug for StaggeredRace<I, F, T, E, M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaggeredRace").finish_non_exhaustive()
    }
}

pin_project! {
    struct Staggered<I, F: Future<Output: Outcome>, M, D> {
        // Dropped in this order, after what is not yet a branch.
        stage: Stage<Option<Value<<F::Output as Outcome>::Value>>>,
        branches: Branches<F>,
        // Until the next attempt starts.
        #[pin]
        wait: Option<D>,
        // Gone when all have ended.
        attempts: Option<I>,
        delay: M,
        tally: Tally<<F::Output as Outcome>::Error>,
        // Which attempt has which key, and the key of the latest.
        numbers: Vec<usize>,
        latest: usize,
        started: usize,
        // The next is to start.
        next: bool,
    }

    impl<I, F: Future<Output: Outcome>, M, D> PinnedDrop for Staggered<I, F, M, D> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let task = this.tally.meta();
            drop_quietly(task, || this.wait.set(None));
            drop_quietly(task, || *this.attempts = None);
        }
    }
}

impl<I, F, T, E, M, D> Staggered<I, F, M, D>
where
    I: Iterator<Item = F>,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
    M: FnMut() -> D,
    D: Future<Output = ()>,
{
    /// Polls until all have ended, decided or not.
    fn poll_ended(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (branches, tally, numbers) = (this.branches, this.tally, this.numbers);
        let _budget = budget::refill_if_outermost();
        while this.stage.is_open() {
            // A cancelled body starts none, and yet those under way may have clean-up to do.
            if *this.next && !budget::is_frozen() {
                ready!(budget::poll_spend(cx));
                *this.next = false;
                let start = || {
                    this.wait.set(None);
                    if let Some(attempt) = this.attempts.as_mut().and_then(Iterator::next) {
                        *this.latest = branches.push(attempt);
                        numbers.resize(numbers.len().max(*this.latest + 1), 0);
                        numbers[*this.latest] = *this.started;
                        *this.started += 1;
                        this.wait.set(Some((this.delay)()));
                    }
                };
                if let Err(payload) = catch_unwind(AssertUnwindSafe(start)) {
                    tally.panicked_beside(payload);
                }
            }
            let turn = match tally.has_panicked() {
                true => Poll::Ready(Some(Turn::Panicked)),
                false => branches.poll(cx, |key, end| match tally.end(numbers[key], end) {
                    Some(value) => ControlFlow::Break(Turn::Won(value)),
                    None if tally.has_panicked() => ControlFlow::Break(Turn::Panicked),
                    None if key == *this.latest => ControlFlow::Break(Turn::Next),
                    None => ControlFlow::Continue(()),
                }),
            };
            let first = match turn {
                Poll::Ready(Some(Turn::Next)) => {
                    *this.latest = usize::MAX;
                    *this.next = true;
                    continue;
                }
                Poll::Ready(Some(Turn::Panicked)) => None,
                Poll::Ready(Some(Turn::Won(value))) => Some(Value(value)),
                Poll::Ready(None) | Poll::Pending if *this.next => return Poll::Pending,
                Poll::Ready(None) if this.wait.is_none() => return Poll::Ready(()),
                Poll::Ready(None) | Poll::Pending => {
                    let Some(waiting) = this.wait.as_mut().as_pin_mut() else {
                        return Poll::Pending;
                    };
                    match catch_unwind(AssertUnwindSafe(|| waiting.poll(cx))) {
                        Ok(over) => {
                            ready!(over);
                            *this.next = true;
                        }
                        Err(payload) => tally.panicked_beside(payload),
                    }
                    continue;
                }
            };
            this.stage.decide(first);
            tally.drop_beside(|| this.wait.set(None));
            let cause = tally.lose();
            branches.cancel(&cause, |key, end| tally.end_unwanted(numbers[key], end));
        }
        branches.poll_drained(cx, |key, end| tally.end_unwanted(numbers[key], end))
    }
}

impl<I, F, T, E, M, D> Future for Staggered<I, F, M, D>
where
    I: Iterator<Item = F>,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
    M: FnMut() -> D,
    D: Future<Output = ()>,
{
    type Output = Result<T, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.as_mut().poll_ended(cx));
        let this = self.project();
        // With those that were not started.
        this.tally.drop_beside(|| *this.attempts = None);
        this.stage.poll_won(this.tally)
    }
}
