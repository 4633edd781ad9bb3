//! What has gone wrong with a combinator's futures.
//!
//! Whoever ends with it takes it. What is left in a tally that is dropped goes to the hook: see
//! [`untaken`](crate::untaken).

use crate::branches::decided;
use crate::catch::{drop_quietly, report_error, report_panic};
use crate::error::{Failure, GroupError};
use pirn_core::{BranchEnd, Cause, Payload, Scope, TaskMeta};
use std::fmt;
use std::mem;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Poll;

/// Of a race without runners.
pub(crate) const NOBODY: &str = "nobody was in the race";

pub(crate) struct Tally<E> {
    /// What the futures are called, with their number.
    what: &'static &'static str,
    meta: TaskMeta,
    /// Something has ended the whole, and the others are still to be cancelled.
    must_cancel: bool,
    /// The others were cancelled.
    cancelled: bool,
    /// One has won: errors of the others count for nothing.
    won: bool,
    /// It was said what the whole came to.
    over: bool,
    /// Apart, since as a rule there is none, and a tally is moved with the future around it.
    trouble: Option<Box<Trouble<E>>>,
}

/// What has gone wrong.
struct Trouble<E> {
    failures: Vec<Failure<E>>,
    panic: Option<(TaskMeta, Payload)>,
    /// Of one that was cancelled on its own.
    cause: Option<Arc<Cause>>,
    /// The body around is cancelled.
    stalled: Option<Arc<Cause>>,
    /// [`report_error`], known here so that nothing that holds a tally need say that `E` can be shown.
    report: fn(TaskMeta, E),
}

impl<E: fmt::Display> Tally<E> {
    #[inline]
    pub(crate) fn new(what: &'static &'static str, meta: TaskMeta) -> Self {
        Tally {
            what,
            meta,
            must_cancel: false,
            cancelled: false,
            won: false,
            over: false,
            trouble: None,
        }
    }

    /// Takes note of an end, and gives its value.
    #[inline]
    pub(crate) fn end<T>(&mut self, index: usize, end: BranchEnd<Result<T, E>>) -> Option<T> {
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
            BranchEnd::Value(Ok(_)) => return,
            BranchEnd::Value(Err(error)) => {
                let failure = Failure::new(self.name(index), error);
                self.trouble().failures.push(failure);
            }
            BranchEnd::Panicked(payload) => return self.panicked(self.name(index), payload),
            BranchEnd::Cancelled(_) if self.cancelled => return,
            BranchEnd::Cancelled(cause) => {
                self.trouble().cause.get_or_insert(cause);
            }
            BranchEnd::Stalled(cause) => {
                self.trouble().stalled = Some(cause);
                return;
            }
        }
        self.must_cancel = !self.cancelled;
    }

    /// What is called beside the futures has panicked.
    #[cold]
    pub(crate) fn panicked_beside(&mut self, payload: Payload) {
        self.panicked(self.meta.clone(), payload);
    }

    /// The first panic goes on when all have ended.
    fn panicked(&mut self, task: TaskMeta, payload: Payload) {
        if self.has_panicked() {
            report_panic(task, payload);
            return;
        }
        self.trouble().panic = Some((task, payload));
        self.must_cancel = !self.cancelled;
    }

    /// Takes note of the end of one whose value nobody wants any more.
    pub(crate) fn end_unwanted<T>(&mut self, index: usize, end: BranchEnd<Result<T, E>>) {
        if let Some(value) = self.end(index, end) {
            self.discard(index, value);
        }
    }

    /// Drops the value of one that counts for nothing.
    #[cold]
    pub(crate) fn discard<T>(&self, index: usize, value: T) {
        drop_quietly(&self.name(index), || drop(value));
    }

    /// Drops what else the user gave.
    pub(crate) fn drop_beside(&self, drops: impl FnOnce()) {
        drop_quietly(&self.meta, drops);
    }

    fn trouble(&mut self) -> &mut Trouble<E> {
        self.trouble.get_or_insert_with(|| {
            Box::new(Trouble {
                failures: Vec::new(),
                panic: None,
                cause: None,
                stalled: None,
                report: report_error,
            })
        })
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
        self.must_cancel
    }

    /// The cause for which the others are cancelled from now on.
    pub(crate) fn cancel(&mut self) -> Arc<Cause> {
        self.cancel_for("one of several failed")
    }

    /// True if nothing has gone wrong: the values count.
    #[inline]
    pub(crate) fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    /// True if one has panicked.
    pub(crate) fn has_panicked(&self) -> bool {
        let trouble = self.trouble.as_ref();
        trouble.is_some_and(|trouble| trouble.panic.is_some())
    }

    /// The cause for which the losers are cancelled: one has won, if none has panicked.
    pub(crate) fn lose(&mut self) -> Arc<Cause> {
        self.won = !self.has_panicked();
        self.cancel_for("another one won")
    }

    fn cancel_for(&mut self, text: &'static str) -> Arc<Cause> {
        self.must_cancel = false;
        self.cancelled = true;
        decided(text, &self.meta)
    }
}

impl<E: fmt::Display + 'static> Tally<E> {
    /// What the whole comes to when all have ended, to be called until it is ready.
    #[inline]
    pub(crate) fn poll_finish(&mut self) -> Poll<Result<(), GroupError<E>>> {
        match self.trouble {
            None => {
                self.end_whole();
                Poll::Ready(Ok(()))
            }
            Some(_) => self.poll_finish_badly().map(Err),
        }
    }

    /// The same, where none has won.
    #[cold]
    pub(crate) fn poll_finish_badly(&mut self) -> Poll<GroupError<E>> {
        // First of all: what comes next may unwind.
        self.end_whole();
        let Some(mut trouble) = self.trouble.take() else {
            return Poll::Ready(GroupError::refused(NOBODY));
        };
        if let Some((_, payload)) = trouble.panic.take() {
            trouble.untaken(false);
            resume_unwind(payload);
        }
        if !trouble.failures.is_empty() {
            return Poll::Ready(GroupError::failed(trouble.failures));
        }
        if trouble.stalled.is_some() && Scope::must_stay() {
            self.trouble = Some(trouble);
            self.over = false;
            return Poll::Pending;
        }
        match trouble.stalled.or(trouble.cause) {
            Some(cause) => Poll::Ready(GroupError::cancelled(cause)),
            None => Poll::Ready(GroupError::refused(NOBODY)),
        }
    }

    /// Who polls once more is given nothing.
    #[inline]
    fn end_whole(&mut self) {
        let again = mem::replace(&mut self.over, true);
        assert!(!again, "`{}` was polled after it was ready", self.what);
    }
}

impl<E> Trouble<E> {
    /// Reports what nobody receives any more.
    #[cold]
    fn untaken(self, won: bool) {
        for failure in self.failures {
            let task = failure.task().clone();
            match won {
                true => drop_quietly(&task, || drop(failure)),
                false => (self.report)(task, failure.into_error()),
            }
        }
        if let Some((task, payload)) = self.panic {
            report_panic(task, payload);
        }
    }
}

impl<E> Tally<E> {
    /// The combinator.
    #[inline]
    pub(crate) fn meta(&self) -> &TaskMeta {
        &self.meta
    }

    /// Reports what nobody receives any more.
    #[inline]
    pub(crate) fn let_go(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            trouble.untaken(self.won);
        }
    }
}

impl<E> Drop for Tally<E> {
    #[inline]
    fn drop(&mut self) {
        self.let_go();
    }
}
