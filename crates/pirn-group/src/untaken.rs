//! How futures ended, until somebody is given that.
//!
//! What a combinator has of its futures is not lost in silence where it is dropped before it could give
//! that: errors and panics that [failed the whole](crate::tally) are reported by the tally; ends that are
//! results lie in what is here, which reports panics. Values are dropped, each by itself.

use crate::catch::{drop_quietly, report_panic};
use pirn_core::{JoinError, Payload, TaskMeta};
use std::mem;

/// Ends, or places for them, that were not given to anybody yet.
pub(crate) struct Untaken<All: IntoIterator<Item: Left> + Default> {
    pub(crate) all: All,
    /// The combinator.
    task: TaskMeta,
}

/// What may be left of a future.
pub(crate) trait Left {
    /// Nobody takes it any more.
    fn left(self, task: &TaskMeta);
}

impl<All: IntoIterator<Item: Left> + Default> Untaken<All> {
    #[inline]
    pub(crate) fn new(all: All, task: TaskMeta) -> Self {
        Untaken { all, task }
    }

    /// The combinator.
    #[inline]
    pub(crate) fn task(&self) -> &TaskMeta {
        &self.task
    }

    /// What there is, for who gives it.
    #[inline]
    pub(crate) fn take(&mut self) -> All {
        mem::take(&mut self.all)
    }
}

impl<All: IntoIterator<Item: Left> + Default> Drop for Untaken<All> {
    #[inline]
    fn drop(&mut self) {
        for left in self.take() {
            left.left(&self.task);
        }
    }
}

/// A value of the user's. If its destructor panics, that keeps no other from being dropped.
pub(crate) struct Value<T>(pub(crate) T);

impl<T> Left for Value<T> {
    fn left(self, task: &TaskMeta) {
        drop_quietly(task, || drop(self));
    }
}

impl<T> Left for Result<T, Payload> {
    fn left(self, task: &TaskMeta) {
        match self {
            Ok(value) => Value(value).left(task),
            Err(payload) => report_panic(task.clone(), payload),
        }
    }
}

impl<T> Left for Result<T, JoinError> {
    fn left(self, task: &TaskMeta) {
        match self {
            Ok(value) => Value(value).left(task),
            Err(JoinError::Panicked(panic)) => report_panic(task.clone(), panic.into_payload()),
            Err(_) => {}
        }
    }
}

impl<L: Left> Left for Option<L> {
    #[inline]
    fn left(self, task: &TaskMeta) {
        if let Some(left) = self {
            left.left(task);
        }
    }
}

/// With the number of the future.
impl<L: Left> Left for (usize, L) {
    fn left(self, task: &TaskMeta) {
        self.1.left(task);
    }
}
