//! A body with a limit in time, whose scope and run are made when they are needed: [`Limited`].
//!
//! | `Stage` | meaning | next, by |
//! |---|---|---|
//! | `Planned` | the body was not polled, or asked for nothing and is over: nobody knows of it | `Run`, by `carry_out`, by a first poll that is not all, or by a body that asks for its scope |
//! | `Run` | as [`Scoped`](super::Scoped) from then on | |
//!
//! Most bodies under a timeout are ready at their first poll. Those cost a frame, and no allocation.

use super::Scope;
use super::region::Region;
use super::run::{Pass, Run, poll_caught};
use crate::budget;
use crate::clock::Instant;
use crate::context::{self, Begun, Frame, Mode, Plan, loan};
use crate::error::{Cause, Kind, Missing, Payload};
use crate::report::{Report, report};
use crate::task_local;
use pin_project_lite::pin_project;
use std::boxed::Box;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::Vec;

pin_project! {
    /// Runs a body in a new scope until a time: as [`Scope::new`], [`Scope::set_deadline`] and
    /// [`Scope::run`], but the scope is made when it is needed.
    ///
    /// A body that is ready at its first poll, and asks for nothing, never has one.
    ///
    /// # Cancel safety
    ///
    /// As that of [`Scope::run`]: dropping it cancels the scope and drops the body.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Instant, Limited, shim::block_on};
    ///
    /// let run: Limited<_> = Limited::until(Instant::NEVER, async { 5 }).map_err(|(missing, _)| missing)?;
    /// assert_eq!(block_on(run).unwrap(), 5);
    /// # Ok::<(), pirn_core::Missing>(())
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct Limited<F: Future> {
        #[pin]
        body: Option<F>,
        stage: Stage<F::Output>,
    }

    impl<F: Future> PinnedDrop for Limited<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            match this.stage {
                Stage::Planned { around, plan } => {
                    let around = around.take();
                    if this.body.is_some() {
                        drop_planned(this.body, around, *plan);
                    } else if let Some(around) = around {
                        Frame::give_back(around);
                    }
                }
                Stage::Run(run) => end_run(run.take(), this.body),
            }
        }
    }
}

enum Stage<T> {
    /// The scope around, unless that is given at each poll, and what is known of the own one.
    Planned { around: Option<Scope>, plan: Plan },
    /// Absent once it was dropped, which is done out of the way of those who have none.
    Run(Option<ManuallyDrop<Box<Run<T>>>>),
}

impl<F: Future> Limited<F> {
    /// Runs `body` until `at`.
    ///
    /// # Errors
    ///
    /// [`Missing`], and the body, if there is no clock here, neither a runtime's nor a fallback.
    #[track_caller]
    #[inline]
    pub fn until(at: Instant, body: F) -> Result<Limited<F>, (Missing, F)> {
        if at != Instant::NEVER && !context::has_clock() {
            if let Err(missing) = context::clock() {
                return Err((missing, body));
            }
        }
        Ok(Limited::ending(at, body))
    }

    /// As [`until`](Self::until), for who has just read the clock that is here. Where there is none,
    /// nothing ends at `at`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Instant, Limited, shim::block_on};
    ///
    /// let run = Limited::ending(Instant::NEVER, async { 5 });
    /// assert_eq!(block_on(run).unwrap(), 5);
    /// ```
    #[track_caller]
    #[inline]
    pub fn ending(at: Instant, body: F) -> Limited<F> {
        let plan = Plan {
            deadline: at,
            set_at: Location::caller(),
        };
        let around = Frame::lend().or_else(context::reaper);
        Limited {
            body: Some(body),
            stage: Stage::Planned { around, plan },
        }
    }

    /// Runs `body` in a child of the scope that is given to [`poll_in`](Self::poll_in): as
    /// [`Scope::child`] and [`Scope::run`], but the child is made when it is needed, and until then
    /// there is not even a handle of the scope around.
    ///
    /// It is to be [placed](Self::place_in) before anything else is done with it but `poll_in`, which
    /// includes that it is dropped. What is not runs as in a scope that has none around.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Limited, Scope, shim::block_on};
    /// use std::{future::poll_fn, pin::pin};
    ///
    /// let around = Scope::detached();
    /// let body = async { Scope::current().unwrap().parent().is_some() };
    /// let mut run = pin!(Limited::unplaced(body));
    /// assert!(block_on(poll_fn(|cx| run.as_mut().poll_in(&around, cx))).unwrap());
    ///
    /// around.cancel(Cause::requested("enough"));
    /// let mut run = pin!(Limited::unplaced(async { unreachable!("never polled") }));
    /// let ended = block_on(poll_fn(|cx| run.as_mut().poll_in(&around, cx)));
    /// assert_eq!(ended.unwrap_err().text(), "enough");
    /// ```
    #[track_caller]
    #[inline]
    pub fn unplaced(body: F) -> Limited<F> {
        let plan = Plan {
            deadline: Instant::NEVER,
            set_at: Location::caller(),
        };
        Limited {
            body: Some(body),
            stage: Stage::Planned { around: None, plan },
        }
    }

    /// Runs `body` in a child of `around`: as [`Scope::child`] and [`Scope::run`], but the child is
    /// made when it is needed.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Limited, Scope, shim::block_on};
    ///
    /// let around = Scope::detached();
    /// let run = Limited::child_of(&around, async { Scope::current().unwrap().parent().is_some() });
    /// assert!(block_on(run).unwrap());
    /// around.cancel(Cause::requested("enough"));
    /// let run = Limited::child_of(&around, async { unreachable!("never polled") });
    /// assert_eq!(block_on(run).unwrap_err().text(), "enough");
    /// ```
    #[track_caller]
    #[inline]
    pub fn child_of(around: &Scope, body: F) -> Limited<F> {
        let plan = Plan {
            deadline: Instant::NEVER,
            set_at: Location::caller(),
        };
        let around = Some(around.clone());
        Limited {
            body: Some(body),
            stage: Stage::Planned { around, plan },
        }
    }

    /// The body, if it was not polled to its end.
    pub fn into_body(mut self) -> Option<F> {
        self.body.take()
    }

    /// The same for a scope that is there already: as [`Scope::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Limited, Scope, shim::block_on};
    ///
    /// let scope = Scope::detached();
    /// let run = Limited::within(&scope, async { unreachable!("never polled") });
    /// scope.cancel(Cause::requested("enough"));
    /// assert_eq!(block_on(run).unwrap_err().text(), "enough");
    /// ```
    pub fn within(scope: &Scope, body: F) -> Limited<F> {
        let run = Run::new(scope.claim(), Some(Region::default()));
        Limited {
            body: Some(body),
            stage: Stage::of(run),
        }
    }

    /// The scope that this runs in, made if it was not yet.
    #[must_use]
    pub fn scope(&mut self) -> &Scope {
        self.stage.carry_out(self.body.is_none()).scope()
    }

    /// Keeps a handle of the scope around, if it has none so far and there is a use for it: see
    /// [`unplaced`](Self::unplaced).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Limited, Scope};
    /// use std::{future::pending, pin::pin};
    ///
    /// let around = Scope::detached();
    /// let mut run = pin!(Limited::unplaced(pending::<()>()));
    /// run.as_mut().place_in(&around);
    /// assert!(run.make_scope().parent().is_some());
    /// ```
    #[inline]
    pub fn place_in(self: Pin<&mut Self>, around: &Scope) {
        let this = self.project();
        if this.body.is_some() {
            this.stage.place(Some(around));
        }
    }

    /// As `poll`, in a child of `around`, which is the same at each poll: see
    /// [`unplaced`](Self::unplaced).
    #[inline]
    pub fn poll_in(
        self: Pin<&mut Self>,
        around: &Scope,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Arc<Cause>>> {
        self.poll_given(Some(around), cx)
    }

    #[inline(always)]
    fn poll_given(
        self: Pin<&mut Self>,
        given: Option<&Scope>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Arc<Cause>>> {
        let this = self.project();
        let _budget = budget::refill_if_outermost();
        let Stage::Planned { around, plan } = this.stage else {
            return poll_run(this.body, this.stage, given, cx);
        };
        // Frozen: in a cancelled body, as a rule, which the run finds out.
        let is_cancelled = || around.as_ref().or(given).is_some_and(Scope::is_cancelled);
        if this.body.is_none() || budget::is_frozen() || is_cancelled() {
            return poll_run(this.body, this.stage, given, cx);
        }
        let Some(begun) = Frame::begin_planned(around, *plan) else {
            return poll_inside(this.body, this.stage, given, cx);
        };
        match given {
            Some(around) => {
                let first = || poll_first(this.body, this.stage, given, begun, cx);
                loan::during(around, first)
            }
            None => poll_first(this.body, this.stage, given, begun, cx),
        }
    }

    /// As [`scope`](Self::scope), where it is pinned.
    #[must_use]
    pub fn make_scope(self: Pin<&mut Self>) -> &Scope {
        let this = self.project();
        let over = this.body.is_none();
        this.stage.carry_out(over).scope()
    }

    /// The scope that this runs in, unless nothing has needed it so far: always there where the run
    /// has ended with a cause.
    #[must_use]
    pub fn scope_if_made(&self) -> Option<&Scope> {
        match &self.stage {
            Stage::Planned { .. } => None,
            Stage::Run(run) => run.as_ref().map(|run| run.scope()),
        }
    }
}

impl<T> Stage<T> {
    fn of(run: Run<T>) -> Self {
        Stage::Run(Some(ManuallyDrop::new(Box::new(run))))
    }

    /// Keeps a handle of the scope around, if there is none.
    #[inline]
    fn place(&mut self, given: Option<&Scope>) {
        if let (Stage::Planned { around, .. }, Some(given)) = (self, given) {
            around.get_or_insert_with(|| given.clone());
        }
    }

    /// Makes the scope and its run, if that is still to be done.
    fn carry_out(&mut self, over: bool) -> &mut Run<T> {
        if let Stage::Planned { around, plan } = self {
            let scope = Scope::planned(around.take(), *plan);
            let region = Some(Region::default());
            *self = Stage::of(match over {
                true => Run::ended(scope),
                false => Run::new(scope, region),
            });
        }
        match self {
            Stage::Run(Some(run)) => run,
            Stage::Run(None) | Stage::Planned { .. } => unreachable!("it was carried out"),
        }
    }
}

/// What the first poll of a body gave, and then its destructor, where it was ready.
type First<T> = (Pass<T>, Result<(), Payload>);

/// Polls a body for the first time. One that is ready is dropped in the same frame.
#[inline]
fn pass_first<F: Future>(mut body: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> First<F::Output> {
    let there = body.as_mut().as_pin_mut();
    let passed = poll_caught(there.expect("it was not polled"), cx);
    let dropped = match passed {
        Pass::Ready(_) => drop_caught(body),
        Pass::Pending | Pass::Panicked(_) => Ok(()),
    };
    (passed, dropped)
}

#[inline]
fn drop_caught<F>(mut body: Pin<&mut Option<F>>) -> Result<(), Payload> {
    if !std::mem::needs_drop::<F>() {
        body.set(None);
        return Ok(());
    }
    let _unbounded = budget::lift();
    catch_unwind(AssertUnwindSafe(|| body.set(None)))
}

/// The future of the run is dropped, with the body.
#[cold]
fn end_run<F: Future>(run: Option<ManuallyDrop<Box<Run<F::Output>>>>, body: Pin<&mut Option<F>>) {
    if let Some(run) = run {
        ManuallyDrop::into_inner(run).end(body);
    }
}

/// Drops a body that was not polled.
fn drop_planned<F>(mut body: Pin<&mut Option<F>>, around: Option<Scope>, plan: Plan) {
    if !std::mem::needs_drop::<F>() {
        return;
    }
    let _unbounded = budget::lift();
    let drop = || catch_unwind(AssertUnwindSafe(|| body.set(None)));
    let (dropped, frame) = Frame::enter_planned(around, plan, drop);
    if let (Some(scope), Mode::Plain) = (frame.scope, frame.mode) {
        // A destructor asked for it, or set a local.
        task_local::end(task_local::settle());
        scope.cancel(Cause::new(
            Kind::Dropped,
            "the future that ran the scope was dropped",
        ));
        scope.abandon(Vec::new(), None);
    }
    if let Err(payload) = dropped {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, Arc<Cause>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_given(None, cx)
    }
}

/// The first poll, and what follows: in one call, since what is moved on the way out of it, though it
/// was written in pieces, is waited for.
#[inline(always)]
fn poll_first<F: Future>(
    mut body: Pin<&mut Option<F>>,
    stage: &mut Stage<F::Output>,
    given: Option<&Scope>,
    begun: Begun,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Arc<Cause>>> {
    let Stage::Planned { around, .. } = stage else {
        unreachable!("the caller looked")
    };
    let (passed, dropped) = pass_first(body.as_mut(), cx);
    match (passed, dropped, begun.end()) {
        (Pass::Ready(value), Ok(()), Ok(unmade)) => {
            // It was taken, which the compiler cannot know.
            std::mem::forget(std::mem::replace(around, unmade));
            Poll::Ready(Ok(value))
        }
        (passed, dropped, Ok(unmade)) => {
            *around = unmade;
            go_on(body, stage, given, (passed, dropped), None, cx)
        }
        (passed, dropped, Err(frame)) => {
            let first = (passed, dropped);
            go_on(body, stage, given, first, Some(frame), cx)
        }
    }
}

/// The first poll, inside another one that has no frame yet, or in a branch.
#[cold]
fn poll_inside<F: Future>(
    mut body: Pin<&mut Option<F>>,
    stage: &mut Stage<F::Output>,
    given: Option<&Scope>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Arc<Cause>>> {
    stage.place(given);
    let Stage::Planned { around, plan } = stage else {
        unreachable!("the caller looked")
    };
    let (first, frame) =
        Frame::enter_planned(around.take(), *plan, || pass_first(body.as_mut(), cx));
    go_on(body, stage, given, first, Some(frame), cx)
}

/// What follows from the first poll, and from the frame, if there was one.
#[cold]
fn go_on<F: Future>(
    body: Pin<&mut Option<F>>,
    stage: &mut Stage<F::Output>,
    given: Option<&Scope>,
    first: First<F::Output>,
    frame: Option<Frame>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Arc<Cause>>> {
    let mut regions = None;
    if let (Stage::Planned { around, plan }, Some(frame)) = (&mut *stage, frame) {
        regions = frame.regions;
        if frame.mode == Mode::Planned {
            *around = frame.scope;
            if let (Pass::Ready(value), Ok(())) = first {
                return Poll::Ready(Ok(value));
            }
        } else {
            let scope = frame.scope.unwrap_or_else(|| Scope::planned(None, *plan));
            *stage = Stage::of(Run::new(scope, Some(Region::default())));
        }
    }
    stage.place(given);
    let run = stage.carry_out(false);
    run.go_on_after(first, regions, body, cx)
}

#[cold]
fn poll_run<F: Future>(
    body: Pin<&mut Option<F>>,
    stage: &mut Stage<F::Output>,
    given: Option<&Scope>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Arc<Cause>>> {
    stage.place(given);
    stage.carry_out(body.is_none()).poll_lent(body, cx)
}
