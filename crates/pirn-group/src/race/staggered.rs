//! A race whose runners start one after the other.

use super::won;
use crate::branches::Branches;
use crate::error::GroupError;
use crate::tally::Tally;
use crate::untaken::{Untaken, Value};
use pirn_core::{TaskMeta, budget};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Poll, ready};

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
pub fn staggered_race<I, F, T, E, D>(
    attempts: I,
    mut delay: impl FnMut() -> D,
) -> impl Future<Output = Result<T, GroupError<E>>>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
    D: Future<Output = ()>,
{
    let meta = TaskMeta::here();
    async move {
        let mut attempts = attempts.into_iter();
        let mut branches = Branches::new();
        let mut tally = Tally::new("staggered_race", meta.clone());
        let mut winner = Untaken::new(None, meta);
        // Which attempt has which key, and the key of the latest.
        let (mut numbers, mut latest, mut started) = (Vec::new(), usize::MAX, 0);
        let mut wait = pin!(None);
        let (mut next, mut decided) = (true, false);
        poll_fn(|cx| {
            let _budget = budget::refill_if_outermost();
            while !decided {
                // A cancelled body starts none, and yet those under way may have clean-up to do.
                if next && !budget::is_frozen() {
                    ready!(budget::poll_spend(cx));
                    next = false;
                    let start = || {
                        wait.set(None);
                        if let Some(attempt) = attempts.next() {
                            latest = branches.push(attempt);
                            numbers.resize(numbers.len().max(latest + 1), 0);
                            numbers[latest] = started;
                            started += 1;
                            wait.set(Some(delay()));
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
                        None if key == latest => ControlFlow::Break(Turn::Next),
                        None => ControlFlow::Continue(()),
                    }),
                };
                match turn {
                    Poll::Ready(Some(Turn::Next)) => {
                        latest = usize::MAX;
                        next = true;
                        continue;
                    }
                    Poll::Ready(Some(Turn::Panicked)) => decided = true,
                    Poll::Ready(Some(Turn::Won(value))) => {
                        decided = true;
                        winner.all = Some(Value(value));
                    }
                    Poll::Ready(None) | Poll::Pending if next => return Poll::Pending,
                    Poll::Ready(None) if wait.is_none() => return Poll::Ready(()),
                    Poll::Ready(None) | Poll::Pending => {
                        let Some(waiting) = wait.as_mut().as_pin_mut() else {
                            return Poll::Pending;
                        };
                        match catch_unwind(AssertUnwindSafe(|| waiting.poll(cx))) {
                            Ok(over) => {
                                ready!(over);
                                next = true;
                            }
                            Err(payload) => tally.panicked_beside(payload),
                        }
                        continue;
                    }
                }
                tally.drop_beside(|| wait.set(None));
                let cause = tally.lose();
                branches.cancel(&cause, |key, end| tally.end_unwanted(numbers[key], end));
            }
            branches.poll_drained(cx, |key, end| tally.end_unwanted(numbers[key], end))
        })
        .await;
        // With those that were not started.
        tally.drop_beside(|| drop(attempts));
        won(winner.take(), tally).await
    }
}
