//! What is known of a combinator's futures: how many are left, and what has gone wrong.

use crate::branches::{decided, stay};
use crate::error::{Failure, GroupError};
use pirn_core::report::{Report, report};
use pirn_core::{BranchEnd, Cause, Payload, TaskMeta};
use std::convert::Infallible;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;

pub(crate) struct Tally<E> {
    /// What the futures are called, with their number.
    what: &'static str,
    meta: TaskMeta,
    pub(crate) left: usize,
    failures: Vec<Failure<E>>,
    panic: Option<Payload>,
    /// Of one that was cancelled on its own.
    cause: Option<Arc<Cause>>,
    /// The body around is cancelled.
    stalled: Option<Arc<Cause>>,
    /// The others were cancelled.
    cancelled: bool,
}

impl<E> Tally<E> {
    #[inline]
    pub(crate) fn new(what: &'static str, meta: TaskMeta, left: usize) -> Self {
        Tally {
            what,
            meta,
            left,
            failures: Vec::new(),
            panic: None,
            cause: None,
            stalled: None,
            cancelled: false,
        }
    }

    /// Takes note of an end, and gives its value.
    #[inline]
    pub(crate) fn end<T>(&mut self, index: usize, end: BranchEnd<Result<T, E>>) -> Option<T> {
        self.left -= 1;
        match end {
            BranchEnd::Value(Ok(value)) => Some(value),
            other => {
                self.end_badly(index, other);
                None
            }
        }
    }

    #[cold]
    fn end_badly<T>(&mut self, index: usize, end: BranchEnd<Result<T, E>>) {
        match end {
            BranchEnd::Value(Ok(_)) => {}
            BranchEnd::Value(Err(error)) => {
                let task = self.name(index);
                self.failures.push(Failure::new(task, error));
            }
            BranchEnd::Panicked(payload) if self.panic.is_none() => self.panic = Some(payload),
            BranchEnd::Panicked(payload) => report(Report::Panic {
                task: Some(self.name(index)),
                payload,
            }),
            BranchEnd::Cancelled(cause) if !self.cancelled => {
                self.cause.get_or_insert(cause);
            }
            BranchEnd::Cancelled(_) => {}
            BranchEnd::Stalled(cause) => self.stalled = Some(cause),
        }
    }

    fn name(&self, index: usize) -> TaskMeta {
        let name = format!("{}[{index}]", self.what);
        self.meta.clone().named(name)
    }

    /// Breaks where the others are to be cancelled.
    #[inline]
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        match self.must_cancel() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    #[inline]
    pub(crate) fn must_cancel(&self) -> bool {
        let bad = !self.failures.is_empty() || self.panic.is_some() || self.cause.is_some();
        bad && !self.cancelled
    }

    /// The cause for which the others are cancelled from now on.
    pub(crate) fn cancel(&mut self) -> Arc<Cause> {
        self.cancelled = true;
        decided("one of several failed", &self.meta)
    }

    /// True if one has panicked.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// The cause for which the losers are cancelled.
    pub(crate) fn lose(&mut self) -> Arc<Cause> {
        self.cancelled = true;
        decided("another one won", &self.meta)
    }

    /// One has won, whatever became of the others; a panic of theirs is reported.
    pub(crate) fn forgive(self) {
        if let Some(payload) = self.panic {
            let task = Some(self.meta);
            report(Report::Panic { task, payload });
        }
    }
}

impl<E: fmt::Display + 'static> Tally<E> {
    /// What the whole comes to when all have ended.
    #[inline]
    pub(crate) async fn finish(self) -> Result<(), GroupError<E>> {
        if !self.cancelled && self.stalled.is_none() {
            return Ok(());
        }
        match self.finish_badly().await? {}
    }

    /// What the whole comes to when all have ended and none has won.
    pub(crate) async fn finish_badly(self) -> Result<Infallible, GroupError<E>> {
        if let Some(payload) = self.panic {
            for failure in self.failures {
                let task = Some(failure.task().clone());
                let error = failure.error().to_string().into();
                report(Report::Error { task, error });
            }
            resume_unwind(payload);
        }
        if !self.failures.is_empty() {
            return Err(GroupError::failed(self.failures));
        }
        if let Some(cause) = self.stalled {
            stay().await;
            return Err(GroupError::cancelled(cause));
        }
        match self.cause {
            Some(cause) => Err(GroupError::cancelled(cause)),
            None => Err(GroupError::cancelled(decided(
                "there was nobody",
                &self.meta,
            ))),
        }
    }
}
