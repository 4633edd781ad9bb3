//! One of several futures that one body polls: a run of its own once it asks for a scope.
//!
//! | `run` | `body` | meaning | next, by |
//! |---|---|---|---|
//! | none | there | bare: polled in a frame that makes a scope when somebody asks | a run, by `settle`; ended, by `poll_bare` or `cancel` |
//! | there | | as in `run.rs`: a region of the body around | ended, by its run |
//! | none | gone | ended | |
//!
//! A bare branch has no region under way and has handed nothing over, since both ask for the scope.
//! So a cancel just drops it, and a cancel of the body around need not find it: only who asks what the
//! body waits for ([`inspect`]) has it polled with a frozen budget.

use super::Scope;
use super::run::{Pass, Run};
use crate::budget::{self, inspect};
use crate::context::{Frame, Mode};
use crate::error::{Cause, Payload};
use crate::report::{Report, report};
use crate::task_local;
use pin_project_lite::pin_project;
use std::boxed::Box;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project! {
    /// One of several futures that one body polls: for combinators.
    ///
    /// What it runs has a scope of its own, a child of the one around, which is made when somebody
    /// asks for [`Scope::current`](crate::Scope::current), or a clean-up or a shield needs it. As
    /// long as nobody does, this costs a look at a thread-local per poll. So each branch can be
    /// [cancelled](Self::cancel) alone, and its clean-up awaited; a cancel of the scope around
    /// reaches it as it would reach code that is written there.
    ///
    /// Poll it within the body that it is a branch of, and only there.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops what it runs. If that had a scope, the scope is cancelled, and what is left
    /// goes to the scopes around, as with [`Scope::run`](crate::Scope::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Branch, BranchEnd, Cause, Scope, finally};
    /// use std::future::{Future, pending};
    /// use std::pin::pin;
    /// use std::sync::Arc;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let work = async { finally(pending::<()>(), || async { println!("closed") }).await };
    /// let mut branch = pin!(Branch::new(work));
    /// assert!(branch.as_mut().poll(&mut cx).is_pending());
    /// let cause = Arc::new(Cause::requested("not needed"));
    /// assert!(branch.as_mut().cancel(&cause).is_none()); // its clean-up is to be awaited
    /// let Poll::Ready(BranchEnd::Cancelled(cause)) = branch.poll(&mut cx) else {
    ///     unreachable!("the clean-up does not wait for anything")
    /// };
    /// assert_eq!(cause.text(), "not needed");
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct Branch<F: Future> {
        #[pin]
        body: Option<F>,
        run: Option<Box<Run<F::Output>>>,
    }

    impl<F: Future> PinnedDrop for Branch<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(run) = this.run {
                run.end(this.body);
            }
        }
    }
}

/// How a [`Branch`] ended, clean-up included.
#[derive(Debug)]
pub enum BranchEnd<T> {
    /// With its value.
    Value(T),
    /// With a panic: go on with it, or report it.
    Panicked(Payload),
    /// It was cancelled, for this cause.
    Cancelled(Arc<Cause>),
    /// It was cancelled, for this cause, and so is the body around, which must not go on for that: a
    /// combinator that has nothing else to return stays pending where [it is over](Scope::is_over).
    Stalled(Arc<Cause>),
}

impl<T> BranchEnd<T> {
    /// The same, elsewhere: so that what a call gives is not moved in one piece with what is written
    /// here in several, which would be waited for.
    #[inline]
    fn moved(self) -> Self {
        match self {
            BranchEnd::Value(value) => BranchEnd::Value(value),
            BranchEnd::Panicked(payload) => BranchEnd::Panicked(payload),
            BranchEnd::Cancelled(cause) => BranchEnd::Cancelled(cause),
            BranchEnd::Stalled(cause) => BranchEnd::Stalled(cause),
        }
    }
}

impl<F: Future> Branch<F> {
    /// A branch that runs `body`.
    #[inline]
    pub const fn new(body: F) -> Self {
        Branch {
            body: Some(body),
            run: None,
        }
    }

    /// Cancels it. What asked for no scope is dropped at once, and the end returned, which is a
    /// panic if its destructor panicked. Otherwise it is to be polled, at least once, to its end.
    pub fn cancel(self: Pin<&mut Self>, cause: &Arc<Cause>) -> Option<BranchEnd<F::Output>> {
        let mut this = self.project();
        if let Some(run) = this.run {
            run.scope().cancel(Cause::clone(cause));
            return None;
        }
        // A destructor that blocks on a leaf of ours has nobody to go back to.
        let _unbounded = budget::lift();
        let branch = Frame::branch();
        let dropped = catch_unwind(AssertUnwindSafe(|| this.body.set(None)));
        if let Some(scope) = branch.leave().and_then(|frame| frame.scope) {
            let run = Run::of_dropped(scope, Arc::clone(cause));
            run.scope().cancel(Cause::clone(cause));
            *this.run = Some(Box::new(run));
            dropped.unwrap_or_else(|payload| {
                report(Report::Panic {
                    task: None,
                    payload,
                });
            });
            return None;
        }
        Some(match dropped {
            Ok(()) => BranchEnd::Cancelled(Arc::clone(cause)),
            Err(payload) => BranchEnd::Panicked(payload),
        })
    }

    /// Drops what it runs where it lies, as dropping the branch does, which then drops nothing more: for
    /// who holds several in one place, and is to outlive a destructor that panics. It is not polled
    /// after that.
    ///
    /// # Panics
    ///
    /// With the panic of a destructor.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Branch;
    /// use std::pin::pin;
    /// use std::rc::Rc;
    ///
    /// let owned = Rc::new("warp");
    /// let mut branch = pin!(Branch::new({
    ///     let owned = owned.clone();
    ///     async move { drop(owned) }
    /// }));
    /// branch.as_mut().vacate();
    /// assert_eq!(Rc::strong_count(&owned), 1);
    /// ```
    pub fn vacate(self: Pin<&mut Self>) {
        let mut this = self.project();
        match this.run {
            Some(run) => run.end(this.body),
            None => this.body.set(None),
        }
    }

    #[inline]
    fn poll_bare(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BranchEnd<F::Output>> {
        if budget::is_frozen() && !inspect::asks() {
            // It has no regions, for which alone the body around is polled.
            return Poll::Pending;
        }
        let mut this = self.project();
        assert!(this.body.is_some(), "a branch was polled after its end");
        // Each by itself, and the common ones first: what is moved as a whole, though it was written in
        // pieces, waits for them.
        let branch = Frame::branch();
        let (passed, frame) = match poll_and_drop(this.body.as_mut(), cx) {
            Ok(Poll::Pending) => match branch.leave() {
                None => return Poll::Pending,
                Some(frame) => (Pass::Pending, frame),
            },
            Ok(Poll::Ready(value)) => {
                if budget::is_frozen() {
                    budget::note_lost();
                }
                match branch.leave() {
                    None => return Poll::Ready(BranchEnd::Value(value)),
                    Some(frame) => (Pass::Ready(value), frame),
                }
            }
            Err(payload) => {
                drop_after_panic(this.body.as_mut());
                match branch.leave() {
                    None => return Poll::Ready(BranchEnd::Panicked(payload)),
                    Some(frame) => (Pass::Panicked(payload), frame),
                }
            }
        };
        settle(this.body, this.run, frame, passed, cx).map(BranchEnd::moved)
    }

    #[inline(never)]
    fn poll_run(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BranchEnd<F::Output>> {
        let this = self.project();
        let run = this.run.as_deref_mut().expect("the caller looked");
        ended(run, |run| run.poll_lent(this.body, cx))
    }
}

impl Scope {
    /// Calls `f`, which polls [branches](Branch), as a part of this scope's body, although the code
    /// around may be in another scope: for sets that outlive a `timeout` around one wait for them.
    ///
    /// A cancel of a scope in between does not reach such branches, and their clean-up does not hold
    /// it up. In a body that is cancelled they do not go on either. What is set in a
    /// [task-local](crate::TaskLocal) in there ends with it where there is no task around.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Scope;
    ///
    /// let scope = Scope::detached();
    /// let parent = scope.inside(|| Scope::current().unwrap());
    /// scope.cancel(pirn_core::Cause::requested("the same"));
    /// assert!(parent.is_cancelled());
    /// ```
    pub fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        let (here, mode) = Frame::with(|frame| match frame {
            Some(frame) if frame.mode == Mode::Winding => (frame.is_of(self), Mode::Winding),
            Some(frame) => (frame.is_of(self), Mode::Plain),
            None => (false, Mode::Plain),
        });
        if here {
            return f();
        }
        let frame = Frame {
            scope: Some(self.clone()),
            regions: None,
            mode,
        };
        let enter = || frame.enter(|| catch_unwind(AssertUnwindSafe(f))).0;
        let (result, locals) = task_local::watch(enter);
        task_local::end(locals);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

/// Polls the body, and drops it in the same frame if that was the last time.
#[inline]
fn poll_and_drop<F: Future>(
    mut body: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Result<Poll<F::Output>, Payload> {
    catch_unwind(AssertUnwindSafe(|| {
        let there = body.as_mut().as_pin_mut();
        let polled = there.expect("the caller looked").poll(cx);
        if polled.is_ready() {
            let _unbounded = budget::lift();
            body.set(None);
        }
        polled
    }))
}

/// The first panic counts.
#[cold]
fn drop_after_panic<F>(mut body: Pin<&mut Option<F>>) {
    let _unbounded = budget::lift();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body.set(None))) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

/// The body asked for its scope: from now on there is a run.
#[cold]
fn settle<F: Future>(
    body: Pin<&mut Option<F>>,
    place: &mut Option<Box<Run<F::Output>>>,
    frame: Frame,
    passed: Pass<F::Output>,
    cx: &mut Context<'_>,
) -> Poll<BranchEnd<F::Output>> {
    let Some(scope) = frame.scope else {
        unreachable!("the caller looked")
    };
    let run = place.insert(Box::new(Run::of_branch(scope, frame.regions, cx)));
    ended(run, |run| run.go_on_lent(body, passed, cx))
}

/// What a poll of the run comes to.
fn ended<T>(
    run: &mut Run<T>,
    poll: impl FnOnce(&mut Run<T>) -> Poll<Result<T, Arc<Cause>>>,
) -> Poll<BranchEnd<T>> {
    match catch_unwind(AssertUnwindSafe(|| poll(run))) {
        Ok(Poll::Pending) => match run.stalled() {
            Some(cause) => Poll::Ready(BranchEnd::Stalled(Arc::clone(cause))),
            None => Poll::Pending,
        },
        Ok(Poll::Ready(Ok(value))) => {
            if budget::is_frozen() {
                budget::note_lost();
            }
            Poll::Ready(BranchEnd::Value(value))
        }
        Ok(Poll::Ready(Err(cause))) => Poll::Ready(BranchEnd::Cancelled(cause)),
        Err(payload) => Poll::Ready(BranchEnd::Panicked(payload)),
    }
}

impl<F: Future> Future for Branch<F> {
    type Output = BranchEnd<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.run {
            None => self.poll_bare(cx),
            Some(_) => self.poll_run(cx).map(BranchEnd::moved),
        }
    }
}

impl<F: Future> fmt::Debug for Branch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch").finish_non_exhaustive()
    }
}
