//! Gathers of equal futures: arrays, vectors, iterators.

use super::outcome::Outcome;
use super::plain::{Joining, Sure};
use super::{Gather, GatherResults};
use crate::branches::Branches;
use crate::error::GroupError;
use crate::known::Known;
use crate::several::form;
use crate::tally::Tally;
use crate::untaken::{Left, Untaken, Value};
use pirn_core::{BranchEnd, JoinError, Scope, TaskMeta};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The shape in which the values are given.
pub trait Shape<T> {
    type Values;

    fn of(values: Vec<T>) -> Self::Values;
}

/// The shape of a vector.
#[derive(Debug)]
pub enum Listed {}

/// The shape of an array.
#[derive(Debug)]
pub enum Arrayed<const N: usize> {}

impl<T> Shape<T> for Listed {
    type Values = Vec<T>;

    #[inline]
    fn of(values: Vec<T>) -> Vec<T> {
        values
    }
}

impl<T, const N: usize> Shape<T> for Arrayed<N> {
    type Values = [T; N];

    #[inline]
    fn of(values: Vec<T>) -> [T; N] {
        match values.try_into() {
            Ok(array) => array,
            Err(_) => unreachable!("there were as many futures"),
        }
    }
}

/// A place for each end.
type Places<L> = Untaken<Vec<Option<L>>>;

/// A gather of a list.
#[must_use = "futures do nothing unless awaited"]
pub struct Gathering<F: Future<Output: Outcome>, S> {
    branches: Branches<F>,
    tally: Tally<<F::Output as Outcome>::Error>,
    /// Gone when they were given.
    values: Option<Places<Value<<F::Output as Outcome>::Value>>>,
    shape: PhantomData<fn() -> S>,
}

/// Nothing is pinned: the futures lie in memory of their own.
impl<F: Future<Output: Outcome>, S> Unpin for Gathering<F, S> {}

impl<F: Future<Output: Outcome<Error: fmt::Display>>, S> Gathering<F, S> {
    fn new(futures: impl Iterator<Item = F>, meta: TaskMeta) -> Self {
        let branches = Branches::of(futures);
        Gathering {
            values: Some(none(branches.len(), meta.clone())),
            branches,
            tally: Tally::new(&"gather", meta),
            shape: PhantomData,
        }
    }
}

impl<F, T, E, S> Future for Gathering<F, S>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
    S: Shape<T>,
{
    type Output = Result<S::Values, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (branches, tally) = (&mut this.branches, &mut this.tally);
        let values = &mut this.values.as_mut().expect(AGAIN).all;
        let ended = |key: usize, end| {
            values[key] = tally.end(key, end).map(Value);
            tally.flow()
        };
        if ready!(branches.poll(cx, ended)).is_some() {
            let cause = tally.cancel();
            let mut ended = |key, end| tally.end_unwanted(key, end);
            branches.cancel(&cause, &mut ended);
            ready!(branches.poll_drained(cx, ended));
        }
        if !tally.is_well() {
            for (index, value) in values.iter_mut().enumerate() {
                if let Some(Value(value)) = value.take() {
                    tally.discard(index, value);
                }
            }
        }
        ready!(tally.poll_finish())?;
        let values = all(this.values.take(), |Value(value)| value);
        Poll::Ready(Ok(S::of(values)))
    }
}

/// A gather of every end.
#[must_use = "futures do nothing unless awaited"]
pub struct Settling<F: Future, S> {
    branches: Branches<F>,
    /// Gone when they were given.
    ends: Option<Places<Result<F::Output, JoinError>>>,
    stalled: bool,
    shape: PhantomData<fn() -> S>,
}

/// As a [`Gathering`].
impl<F: Future, S> Unpin for Settling<F, S> {}

impl<F: Future, S> Settling<F, S> {
    fn new(futures: impl Iterator<Item = F>, meta: TaskMeta) -> Self {
        let branches = Branches::of(futures);
        Settling {
            ends: Some(none(branches.len(), meta)),
            branches,
            stalled: false,
            shape: PhantomData,
        }
    }
}

impl<F: Future, S: Shape<Result<F::Output, JoinError>>> Future for Settling<F, S> {
    type Output = S::Values;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Values> {
        let this = &mut *self;
        let ends = &mut this.ends.as_mut().expect(AGAIN).all;
        let stalled = &mut this.stalled;
        let ended = |key: usize, end| {
            ends[key] = Some(result(end, stalled));
            ControlFlow::<()>::Continue(())
        };
        ready!(this.branches.poll(cx, ended));
        if this.stalled && Scope::must_stay() {
            return Poll::Pending;
        }
        Poll::Ready(S::of(all(this.ends.take(), |end| end)))
    }
}

fn join<F: Future, S>(
    futures: impl Iterator<Item = F>,
    meta: TaskMeta,
) -> Joining<Gathering<Sure<F>, S>> {
    Joining::new(|meta| Gathering::new(futures.map(Sure::new), meta), meta)
}

const AGAIN: &str = "a gather was polled after it was ready";

fn none<L: Left>(len: usize, meta: TaskMeta) -> Places<L> {
    let mut places = Vec::new();
    places.resize_with(len, || None);
    Untaken::new(places, meta)
}

fn all<L: Left, T>(untaken: Option<Places<L>>, give: impl Fn(L) -> T) -> Vec<T> {
    let all = untaken.expect(AGAIN).take().into_iter();
    all.map(|left| give(left.expect("each has ended and gave its value")))
        .collect()
}

/// How one ended. If it was cancelled with the body around, `stalled` is set: then nothing is to be
/// given as long as the body [must stay](Scope::must_stay).
#[inline]
pub(crate) fn result<T>(end: BranchEnd<T>, stalled: &mut bool) -> Result<T, JoinError> {
    result_of(end, || *stalled = true)
}

/// As [`result`].
#[inline]
pub(super) fn result_of<T>(end: BranchEnd<T>, stalled: impl FnOnce()) -> Result<T, JoinError> {
    match end {
        BranchEnd::Value(value) => Ok(value),
        BranchEnd::Panicked(payload) => Err(JoinError::Panicked(payload.into())),
        BranchEnd::Cancelled(cause) => Err(JoinError::Cancelled(cause)),
        BranchEnd::Stalled(cause) => {
            stalled();
            Err(JoinError::Cancelled(cause))
        }
    }
}

impl<F, T, E, const N: usize> Gather<form::Array> for [F; N]
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Values = [T; N];
    type Error = E;
    type Gathering = Known<Gathering<F, Arrayed<N>>, Result<[T; N], GroupError<E>>>;

    fn gather(self, meta: TaskMeta) -> Self::Gathering {
        Known::new(Gathering::new(self.into_iter(), meta))
    }
}

impl<F, T, E> Gather<form::Vector> for Vec<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Values = Vec<T>;
    type Error = E;
    type Gathering = Known<Gathering<F, Listed>, Result<Vec<T>, GroupError<E>>>;

    fn gather(self, meta: TaskMeta) -> Self::Gathering {
        Known::new(Gathering::new(self.into_iter(), meta))
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
    type Gathering = Known<Gathering<F, Listed>, Result<Vec<T>, GroupError<E>>>;

    fn gather(self, meta: TaskMeta) -> Self::Gathering {
        Known::new(Gathering::new(self, meta))
    }
}

impl<F: Future, const N: usize> GatherResults<form::Array> for [F; N] {
    type Values = [F::Output; N];
    type Ends = [Result<F::Output, JoinError>; N];
    type Settling = Settling<F, Arrayed<N>>;
    type Joining = Joining<Gathering<Sure<F>, Arrayed<N>>>;

    fn gather_results(self, meta: TaskMeta) -> Self::Settling {
        Settling::new(self.into_iter(), meta)
    }

    fn join(self, meta: TaskMeta) -> Self::Joining {
        join(self.into_iter(), meta)
    }
}

impl<F: Future> GatherResults<form::Vector> for Vec<F> {
    type Values = Vec<F::Output>;
    type Ends = Vec<Result<F::Output, JoinError>>;
    type Settling = Settling<F, Listed>;
    type Joining = Joining<Gathering<Sure<F>, Listed>>;

    fn gather_results(self, meta: TaskMeta) -> Self::Settling {
        Settling::new(self.into_iter(), meta)
    }

    fn join(self, meta: TaskMeta) -> Self::Joining {
        join(self.into_iter(), meta)
    }
}

impl<I: Iterator<Item: Future>> GatherResults<form::Iter> for I {
    type Values = Vec<<I::Item as Future>::Output>;
    type Ends = Vec<Result<<I::Item as Future>::Output, JoinError>>;
    type Settling = Settling<I::Item, Listed>;
    type Joining = Joining<Gathering<Sure<I::Item>, Listed>>;

    fn gather_results(self, meta: TaskMeta) -> Self::Settling {
        Settling::new(self, meta)
    }

    fn join(self, meta: TaskMeta) -> Self::Joining {
        join(self, meta)
    }
}
