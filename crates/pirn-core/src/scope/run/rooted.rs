//! A whole task, under a scope that is made when it is first needed: [`Rooted`].
//!
//! | `Kept` | meaning | next, by |
//! |---|---|---|
//! | none | bare: polled in a frame that makes a scope when somebody asks | `Run`, by `poll_bare`, where somebody did or set a local, and by `request_cancel` |
//! | `Locals` | the same, with locals around | the same |
//! | `Run` | as in `run.rs` | |
//!
//! The body of one that has no run is dropped when it is ready; whether it is there, `cell.rs` knows.

use super::cell::BodyCell;
use super::{Lent, Pass, Place, Polled, Run, pass};
use crate::budget;
use crate::context::Frame;
use crate::error::Cause;
use crate::report::{Report, report};
use crate::scope::Scope;
use crate::task_local::{self, List};
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::Vec;

pin_project! {
    /// A whole task: runs `body` under a scope that is made when it is first needed.
    ///
    /// For executors. As long as nothing asks for [`Scope::current`] and nobody cancels, there is
    /// no scope, and this costs one look at a thread-local per poll. Otherwise it is as
    /// [`Scope::run`]. It is as large as the body and a word.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the body; where there is a scope, as that of [`Scope::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Rooted, Scope, shim::block_on};
    /// use std::pin::pin;
    ///
    /// let mut task = pin!(Rooted::new(async { Scope::current().is_some() }));
    /// assert!(block_on(task.as_mut()).unwrap());
    ///
    /// let mut task = pin!(Rooted::new(async { unreachable!("never polled") }));
    /// task.as_mut().request_cancel(Cause::requested("not needed"));
    /// assert!(block_on(task).is_err());
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct Rooted<F: Future> {
        #[pin]
        cell: Cell<F>,
    }

    impl<F: Future> PinnedDrop for Rooted<F> {
        fn drop(this: Pin<&mut Self>) {
            let cell = this.project().cell;
            if !cell.is_over() {
                end(cell);
            }
        }
    }
}

type Cell<F> = BodyCell<F, Kept<<F as Future>::Output>>;

/// What a task has besides its body: as a rule nothing.
enum Kept<T> {
    /// No scope. The locals are absent only for the length of a poll.
    Locals(Option<List>),
    Run(Run<T>),
}

impl<T> Kept<T> {
    fn locals(&mut self) -> &mut Option<List> {
        match self {
            Kept::Locals(locals) => locals,
            Kept::Run(run) => &mut run.locals,
        }
    }
}

impl<F: Future> Rooted<F> {
    /// A task of `body`, which gets a copy of the [locals](crate::TaskLocal) around the caller.
    #[inline]
    pub fn new(body: F) -> Self {
        let locals = task_local::inherit();
        Rooted {
            cell: BodyCell::new(body, locals.map(|locals| Kept::Locals(Some(locals)))),
        }
    }

    /// Cancels the task's scope. To be followed by a poll.
    pub fn request_cancel(self: Pin<&mut Self>, cause: Cause) {
        let mut cell = self.project().cell;
        let locals = match cell.as_mut().kept() {
            Some(Kept::Run(run)) => {
                run.scope().cancel(cause);
                return;
            }
            Some(Kept::Locals(locals)) => locals.take(),
            None => None,
        };
        let run = Run {
            locals,
            ..Run::new(Scope::of_task(), None)
        };
        keep_run(cell, run).0.scope().cancel(cause);
    }

    /// Polls a task that has no scope yet.
    #[inline]
    fn poll_bare(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<F::Output> {
        let mut cell = self.project().cell;
        let (mut scope, mut regions) = (None, None);
        let mut body = cell.as_mut().body();
        let there = body.there().expect("`Rooted` polled after completion");
        let passed = pass(there, &mut scope, &mut regions, false, cx);
        // The common case on its own: in the match below `passed` is moved, which waits for what was
        // just written to it.
        if matches!(passed, Pass::Pending) && scope.is_none() && regions.is_none() {
            return Poll::Pending;
        }
        match (scope, passed) {
            (None, Pass::Ready(value)) => {
                body.vacate();
                Poll::Ready(Ok(value))
            }
            (None, Pass::Panicked(payload)) => resume_unwind(payload),
            (scope, passed) => {
                // The body asked for its scope, or set a local: from now on there is a run.
                let scope = scope.unwrap_or_else(Scope::of_task);
                let run = Run {
                    started: true,
                    // First of all: what comes next may unwind.
                    locals: task_local::settle(),
                    regions,
                    ..Run::new(scope, None)
                };
                let (run, body) = keep_run(cell, run);
                let mut lent = Lent::new(run);
                let Lent { run, locals } = &mut lent;
                task_local::keep(locals, || {
                    // The body may have ended, and a child that it left is to wake this task.
                    run.look(cx);
                    if run.seen != 0 {
                        // As in `become_known`.
                        cx.waker().wake_by_ref();
                    }
                    run.go_on(body, passed, false, cx)
                })
            }
        }
    }

    /// Polls a task that has locals.
    #[inline(never)]
    fn poll_carried(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<F::Output> {
        /// Puts the locals back, even if the poll unwinds.
        struct Carrying<'a, F: Future> {
            task: Pin<&'a mut Rooted<F>>,
            locals: Option<List>,
        }
        impl<F: Future> Drop for Carrying<'_, F> {
            fn drop(&mut self) {
                let cell = self.task.as_mut().project().cell;
                if let Some(kept) = cell.kept() {
                    *kept.locals() = self.locals.take();
                }
            }
        }
        let kept = self.as_mut().project().cell.kept();
        let locals = kept.and_then(|kept| kept.locals().take());
        let mut carrying = Carrying { task: self, locals };
        let Carrying { task, locals } = &mut carrying;
        task_local::keep(locals, || match task.as_mut().project().cell.split() {
            (Some(Kept::Run(run)), body) => run.poll(body, cx),
            (Some(Kept::Locals(_)) | None, _) => task.as_mut().poll_bare(cx),
        })
    }
}

/// Gives a task its run.
fn keep_run<F: Future>(
    cell: Pin<&mut Cell<F>>,
    run: Run<F::Output>,
) -> (&mut Run<F::Output>, impl Place<Body = F>) {
    match cell.keep(Kept::Run(run)) {
        (Kept::Run(run), body) => (run, body),
        (Kept::Locals(_), _) => unreachable!("it was given a run"),
    }
}

/// The task is dropped, and is not over, or has something besides its body.
#[inline(never)]
fn end<F: Future>(cell: Pin<&mut Cell<F>>) {
    if cell.is_bare() {
        return drop_bare(cell.body());
    }
    let (Some(kept), body) = cell.split() else {
        return;
    };
    let mut locals = kept.locals().take();
    task_local::keep(&mut locals, || match kept {
        Kept::Run(run) => run.abandon(body),
        Kept::Locals(_) => drop_bare(body),
    });
    task_local::end(locals);
}

/// Drops the body of a task that has no scope.
fn drop_bare(mut body: impl Place) {
    let _unbounded = budget::lift();
    let (dropped, frame) =
        Frame::default().enter(|| catch_unwind(AssertUnwindSafe(|| body.vacate())));
    if let Some(scope) = frame.scope {
        // A destructor asked for it, or set a local.
        task_local::end(task_local::settle());
        scope.abandon(Vec::new(), None);
    }
    if let Err(payload) = dropped {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

impl<F: Future> Future for Rooted<F> {
    type Output = Result<F::Output, Arc<Cause>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        if this.cell.is_bare() {
            return self.poll_bare(cx);
        }
        match this.cell.split() {
            (Some(Kept::Run(run)), body) if run.locals.is_none() => {
                let (polled, locals) = task_local::watch(|| run.poll(body, cx));
                if locals.is_some() {
                    run.locals = locals;
                }
                polled
            }
            _ => self.poll_carried(cx),
        }
    }
}
