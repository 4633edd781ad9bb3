//! Many futures at once, their results in the order in which they were given.

pub(crate) mod list;
pub(crate) mod outcome;
mod plain;
mod spawned;
mod tuple;

use crate::error::GroupError;
use pirn_core::TaskMeta;
use std::fmt;
use std::future::Future;

/// Runs several futures at once, in the caller's own task, and gives their values in the order in
/// which the futures were given: a tuple of up to twelve different ones, an array, a vector or an
/// iterator of equal ones.
///
/// Nothing is spawned: they may borrow, need be neither `Send` nor `'static`, and it works on every
/// executor. They share the caller's thread, though; where each is to be a task, see
/// [`GroupBuilder::gather`](crate::GroupBuilder::gather).
///
/// An iterator is gone through at the call; the futures do nothing before the first poll.
///
/// Each future has a cancel scope of its own, made when something in it asks for one. A member of a
/// list is polled only when it was woken, and one that sleeps costs nothing; those of a tuple share
/// the task's waker. Those of a tuple lie in the future that is returned, and move with it: a future of
/// many kilobytes is better [boxed](Box::pin) before.
///
/// # Errors
///
/// The first failure cancels the others and is returned when all have ended, the clean-up of those
/// that were cancelled included, up to the grace period. What another one fails with meanwhile comes
/// after it. If one was cancelled on its own, that ends the others too, and is the
/// [cause](GroupError::cause).
///
/// # Panics
///
/// With the first panic of a future, when all have ended; errors are reported before.
///
/// # Cancel safety
///
/// Dropping it drops the futures; clean-up that is left goes to the scope around. Errors and panics that
/// it had not returned yet are reported. A cancel of the scope around reaches the futures as it would reach
/// code that is written there.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::gather;
/// use std::num::ParseIntError;
///
/// let text = String::from("7 9");
/// let (a, b) = text.split_once(' ').unwrap();
/// let parse = async |s: &str| s.parse::<u32>(); // borrows
/// assert_eq!(gather((parse(a), parse(b))).await?, (7, 9));
/// assert_eq!(gather([a, b].map(parse)).await?, [7, 9]);
/// let error = gather(["7", "warp"].iter().map(|s| parse(s))).await.unwrap_err();
/// assert_eq!(error.len(), 1);
/// # Ok::<(), pirn_group::GroupError<ParseIntError>>(())
/// # }).unwrap();
/// ```
///
/// A gather of gathers fails with the errors of groups, which can be made one:
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::{GroupError, gather};
///
/// let parse = async |cell: &str| cell.parse::<u32>();
/// let rows = ["7 9", "5 warp"].map(|row| gather(row.split(' ').map(|cell| parse(cell))));
/// let error = gather(rows).await.map_err(GroupError::flatten).unwrap_err();
/// assert!(error.first().unwrap().error().to_string().contains("invalid digit"));
/// # });
/// ```
#[track_caller]
pub fn gather<S, Form>(several: S) -> S::Gathering
where
    S: Gather<Form>,
{
    several.gather(TaskMeta::here())
}

/// Runs several futures at once, in the caller's own task, and gives how each ended, in the order in
/// which they were given: a panic of one is its own result, and none ends the others.
///
/// Otherwise as [`gather`]. For futures that are to be tasks, see
/// [`GroupBuilder::gather_results`](crate::GroupBuilder::gather_results).
///
/// # Cancel safety
///
/// As [`gather`]; an error is a value here, though, and is dropped as one.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// let ends = pirn_group::gather_results((0..3).map(|i| async move { 6 / i })).await;
/// assert!(ends[0].as_ref().unwrap_err().is_panic()); // a division by zero
/// assert_eq!(ends[2].as_ref().unwrap(), &3);
///
/// let (word, number) = pirn_group::gather_results((async { "warp" }, async { 7 })).await;
/// assert_eq!((word.unwrap(), number.unwrap()), ("warp", 7));
/// # });
/// ```
#[track_caller]
pub fn gather_results<S, Form>(several: S) -> S::Settling
where
    S: GatherResults<Form>,
{
    several.gather_results(TaskMeta::here())
}

/// Runs several futures that cannot fail at once, in the caller's own task, and gives their values, in
/// the order in which the futures were given.
///
/// Otherwise as [`gather`], which is for futures that give a [`Result`].
///
/// # Panics
///
/// With the first panic of a future, when all have ended: that of one cancels the others. And if
/// something in a future cancels that future alone, by its [`Scope`](pirn_core::Scope): it has no value
/// then. [`gather_results`] gives both as results.
///
/// # Cancel safety
///
/// As [`gather`].
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::join;
///
/// let text = String::from("warp and weft");
/// let count = async |word: &str| text.matches(word).count(); // borrows
/// let (length, ands) = join((async { text.len() }, count("and"))).await;
/// assert_eq!((length, ands), (13, 1));
/// assert_eq!(join(["w", "a", "x"].map(|word| count(word))).await, [2, 2, 0]);
/// # });
/// ```
#[track_caller]
pub fn join<S, Form>(several: S) -> S::Joining
where
    S: GatherResults<Form>,
{
    several.join(TaskMeta::here())
}

// The futures have names, and hold what was made of an iterator rather than the iterator itself: only so
// does the compiler see in every task that they are `Send`, whatever they borrow and fail with. For the
// same reason their types say each thing once; see also `known.rs`.

/// What [`gather`] takes: a tuple, array, vector or iterator of futures whose output is a
/// [`Result`], with one type of error. `Form` is found by the compiler.
pub trait Gather<Form> {
    /// The values, in the shape of the futures; of an iterator a vector.
    type Values;
    /// What each may fail with.
    type Error: fmt::Display + 'static;
    /// The future of [`gather`].
    type Gathering: Future<Output = Result<Self::Values, GroupError<Self::Error>>>;

    #[doc(hidden)]
    fn gather(self, meta: TaskMeta) -> Self::Gathering;
}

/// What [`gather_results`] and [`join`] take: a tuple, array, vector or iterator of futures. `Form` is
/// found by the compiler.
pub trait GatherResults<Form> {
    /// What they give, in the shape of the futures; of an iterator a vector.
    type Values;
    /// How each ended, in the shape of the futures; of an iterator a vector.
    type Ends;
    /// The future of [`gather_results`].
    type Settling: Future<Output = Self::Ends>;
    /// The future of [`join`].
    type Joining: Future<Output = Self::Values>;

    #[doc(hidden)]
    fn gather_results(self, meta: TaskMeta) -> Self::Settling;

    #[doc(hidden)]
    fn join(self, meta: TaskMeta) -> Self::Joining;
}
