//! Gathers of equal futures: arrays, vectors, iterators.

use super::plain::{self, Sure};
use super::{Gather, GatherResults};
use crate::branches::{Branches, stay};
use crate::error::GroupError;
use crate::several::form;
use crate::tally::Tally;
use pirn_core::{BranchEnd, JoinError, TaskMeta};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::task::Poll;

async fn gather<F, T, E>(
    futures: impl Iterator<Item = F>,
    meta: TaskMeta,
) -> Result<Vec<T>, GroupError<E>>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    let mut branches = Branches::of(futures);
    let mut tally = Tally::new("gather", meta);
    let mut values: Vec<Option<T>> = Vec::new();
    values.resize_with(branches.len(), || None);
    poll_fn(|cx| {
        let ended = |key: usize, end| {
            values[key] = tally.end(key, end);
            tally.flow()
        };
        match branches.poll(cx, ended) {
            Poll::Ready(Some(())) => {
                let cause = tally.cancel();
                let mut ended = |key, end| tally.end_unwanted(key, end);
                branches.cancel(&cause, &mut ended);
                branches.poll_drained(cx, ended)
            }
            polled => polled.map(|_| ()),
        }
    })
    .await;
    if !tally.is_well() {
        for (index, value) in values.drain(..).enumerate() {
            value
                .into_iter()
                .for_each(|value| tally.discard(index, value));
        }
    }
    tally.finish().await?;
    let value = |value: Option<T>| value.expect("each gave its value");
    Ok(values.into_iter().map(value).collect())
}

async fn gather_results<F: Future>(
    futures: impl Iterator<Item = F>,
) -> Vec<Result<F::Output, JoinError>> {
    let mut branches = Branches::of(futures);
    let mut ends = Vec::new();
    ends.resize_with(branches.len(), || None);
    let mut stalled = false;
    poll_fn(|cx| {
        let ended = |key: usize, end| {
            ends[key] = Some(result(end, &mut stalled));
            ControlFlow::<()>::Continue(())
        };
        branches.poll(cx, ended)
    })
    .await;
    if stalled {
        stay().await;
    }
    let end = |end: Option<_>| end.expect("each has ended");
    ends.into_iter().map(end).collect()
}

/// How one ended. If it was cancelled with the body around, `stalled` is set: then nothing is to be
/// given as long as that [must stay](stay).
#[inline]
pub(crate) fn result<T>(end: BranchEnd<T>, stalled: &mut bool) -> Result<T, JoinError> {
    match end {
        BranchEnd::Value(value) => Ok(value),
        BranchEnd::Panicked(payload) => Err(JoinError::Panicked(payload.into())),
        BranchEnd::Cancelled(cause) => Err(JoinError::Cancelled(cause)),
        BranchEnd::Stalled(cause) => {
            *stalled = true;
            Err(JoinError::Cancelled(cause))
        }
    }
}

fn array<T, const N: usize>(values: Vec<T>) -> [T; N] {
    match values.try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("there were as many futures"),
    }
}

impl<F, T, E, const N: usize> Gather<form::Array> for [F; N]
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Values = [T; N];
    type Error = E;

    async fn gather(self, meta: TaskMeta) -> Result<[T; N], GroupError<E>> {
        gather(self.into_iter(), meta).await.map(array)
    }
}

impl<F, T, E> Gather<form::Vector> for Vec<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Values = Vec<T>;
    type Error = E;

    fn gather(self, meta: TaskMeta) -> impl Future<Output = Result<Vec<T>, GroupError<E>>> {
        gather(self.into_iter(), meta)
    }
}

impl<I, F, T, E> Gather<form::Iter> for I
where
    I: Iterator<Item = F>,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Values = Vec<T>;
    type Error = E;

    fn gather(self, meta: TaskMeta) -> impl Future<Output = Result<Vec<T>, GroupError<E>>> {
        gather(self, meta)
    }
}

impl<F: Future, const N: usize> GatherResults<form::Array> for [F; N] {
    type Values = [F::Output; N];
    type Ends = [Result<F::Output, JoinError>; N];

    async fn gather_results(self) -> Self::Ends {
        array(gather_results(self.into_iter()).await)
    }

    fn join(self, meta: TaskMeta) -> impl Future<Output = Self::Values> {
        plain::join(self.map(Sure::new), meta)
    }
}

impl<F: Future> GatherResults<form::Vector> for Vec<F> {
    type Values = Vec<F::Output>;
    type Ends = Vec<Result<F::Output, JoinError>>;

    fn gather_results(self) -> impl Future<Output = Self::Ends> {
        gather_results(self.into_iter())
    }

    fn join(self, meta: TaskMeta) -> impl Future<Output = Self::Values> {
        plain::join(self.into_iter().map(Sure::new), meta)
    }
}

impl<I: Iterator<Item: Future>> GatherResults<form::Iter> for I {
    type Values = Vec<<I::Item as Future>::Output>;
    type Ends = Vec<Result<<I::Item as Future>::Output, JoinError>>;

    fn gather_results(self) -> impl Future<Output = Self::Ends> {
        gather_results(self)
    }

    fn join(self, meta: TaskMeta) -> impl Future<Output = Self::Values> {
        plain::join(self.map(Sure::new), meta)
    }
}
