//! The one who runs a scope's body: [`Scoped`], and [`Rooted`] for a whole task.
//!
//! | `Phase` | meaning | next, by |
//! |---|---|---|
//! | `Body` | the body is there: polled while there is no cause; for its regions alone after that | `Drain`, by `conclude` |
//! | `Drain` | the body is gone, its outcome kept; clean-ups are polled, children awaited | `Done` or `Stalled`, by `leave` |
//! | `Stalled` | done, with nothing but a cause, in a body that is itself cancelled: pending there | `Done`, by a poll in a body that is not |
//! | `Done` | the outcome was returned | |
//!
//! # The first poll
//!
//! A body that is ready at its first poll ends a run that nobody need have known of. So a run
//! becomes known only after that: its waker goes to the scope, and it joins the frame around as a
//! region. What came meanwhile is seen then, since both are done before the causes are looked at.
//! Where the scope has no handle yet ([`Limited`](super::Limited)) there is not even a run before. A
//! body that is cancelled before its first poll, or first polled in a body that is, is none of this.

mod cell;
mod rooted;

pub use rooted::Rooted;

use super::{Cleanup, Grace, Regions, Scope, lose};
use crate::budget;
use crate::clock::{BoxSleep, Instant};
use crate::context::{self, Frame, Mode};
use crate::error::{Cause, Kind, Missing, Payload};
use crate::report::{Report, report};
use crate::scope::region::Region;
use crate::task_local::{self, List};
use crate::wake::Identity;
use pin_project_lite::pin_project;
use std::boxed::Box;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::Vec;

pin_project! {
    /// The future of [`Scope::run`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scoped<F: Future> {
        #[pin]
        body: Option<F>,
        run: Run<F::Output>,
    }

    impl<F: Future> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.run.end(this.body);
        }
    }
}

impl<F: Future> Scoped<F> {
    /// `scope` was claimed for this run.
    pub(super) fn new(scope: Scope, body: F) -> Self {
        Scoped {
            body: Some(body),
            run: Run::new(scope, Some(Region::default())),
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, Arc<Cause>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _budget = budget::refill_if_outermost();
        this.run.poll_lent(this.body, cx)
    }
}

type Polled<T> = Poll<Result<T, Arc<Cause>>>;

/// Where a body lies, pinned, as long as it is there.
pub(super) trait Place {
    type Body;

    /// The body.
    fn there(&mut self) -> Option<Pin<&mut Self::Body>>;

    /// Drops the body where it lies, if it is there. Then it is gone, even if this unwinds.
    fn vacate(&mut self);
}

impl<F> Place for Pin<&mut Option<F>> {
    type Body = F;

    #[inline]
    fn there(&mut self) -> Option<Pin<&mut F>> {
        self.as_mut().as_pin_mut()
    }

    #[inline]
    fn vacate(&mut self) {
        self.set(None);
    }
}

/// What one poll of a body gave.
pub(super) enum Pass<T> {
    Ready(T),
    Pending,
    Panicked(Payload),
}

/// Polls `body` once, in a frame made of `scope` and `regions`, which are left as the frame was.
pub(super) fn pass<F: Future + ?Sized>(
    body: Pin<&mut F>,
    scope: &mut Option<Scope>,
    regions: &mut Option<Arc<Regions>>,
    winding: bool,
    cx: &mut Context<'_>,
) -> Pass<F::Output> {
    let frame = Frame {
        scope: scope.take(),
        regions: regions.take(),
        mode: match winding {
            true => Mode::Winding,
            false => Mode::Plain,
        },
    };
    let (passed, frame) = frame.enter(|| poll_caught(body, cx));
    *scope = frame.scope;
    *regions = frame.regions;
    passed
}

#[inline]
pub(super) fn poll_caught<F: Future + ?Sized>(
    body: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Pass<F::Output> {
    match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
        Ok(Poll::Ready(value)) => Pass::Ready(value),
        Ok(Poll::Pending) => Pass::Pending,
        Err(payload) => Pass::Panicked(payload),
    }
}

enum Phase<T> {
    Body,
    Drain(Outcome<T>),
    Stalled(Arc<Cause>),
    Done,
}

/// How the body ended.
enum Outcome<T> {
    Value(T),
    /// Dropped, for the scope's cause or, where it has none, this one of the run around.
    Cancelled(Arc<Cause>),
    Panicked(Payload),
}

/// What a body has while it runs, besides itself.
pub(super) struct Run<T> {
    /// Absent only while the body is polled, when the frame has it.
    scope: Option<Scope>,
    phase: Phase<T>,
    /// This run has polled the body, or was made during a poll of it.
    started: bool,
    /// What the task keeps between its polls; or an outermost scope, on an executor of others.
    locals: Option<List>,
    regions: Option<Arc<Regions>>,
    /// This run as a region of the body around; none for a whole task.
    outer: Option<Region>,
    /// Of the waker that is registered with the scope as long as the signal is still `seen`. Who
    /// takes it out moves the signal first. So where another has its identity, it is gone, and whoever
    /// has the other sees that the signal has moved.
    waker: Identity,
    seen: u32,
    /// As the last poll of the cancelled body began, its regions were still being woken.
    waking: bool,
    deadline: Timer,
    late: Option<Box<Late>>,
}

/// What few runs need, apart: a run is moved with the future around it.
#[derive(Default)]
struct Late {
    /// When clean-up must have ended; `None` before a cancel.
    grace: Option<Timer>,
    cleanups: Vec<Cleanup>,
}

/// A run without its locals, which it has back as this is dropped, even by unwinding.
struct Lent<'a, T> {
    run: &'a mut Run<T>,
    locals: Option<List>,
}

impl<'a, T> Lent<'a, T> {
    #[inline]
    fn new(run: &'a mut Run<T>) -> Self {
        let locals = run.locals.take();
        Lent { run, locals }
    }
}

impl<T> Drop for Lent<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.run.locals = self.locals.take();
    }
}

impl<T> Run<T> {
    pub(super) fn new(scope: Scope, outer: Option<Region>) -> Self {
        Run {
            scope: Some(scope),
            phase: Phase::Body,
            started: false,
            locals: None,
            regions: None,
            outer,
            waker: Identity::NOBODY,
            seen: 0,
            waking: false,
            deadline: Timer::at(Instant::NEVER),
            late: None,
        }
    }

    /// Of a body that is gone.
    pub(super) fn ended(scope: Scope) -> Self {
        scope.try_end();
        Run {
            phase: Phase::Done,
            ..Run::new(scope, None)
        }
    }

    /// A branch that asked for its scope during its first polls, with the waker of the last.
    pub(super) fn of_branch(
        scope: Scope,
        regions: Option<Arc<Regions>>,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut run = Run {
            started: true,
            // First of all: what comes next may unwind.
            locals: task_local::settle(),
            regions,
            ..Run::new(scope, Some(Region::default()))
        };
        run.look(cx);
        if run.seen != 0 {
            // As in `become_known`.
            cx.waker().wake_by_ref();
        }
        run
    }

    /// A branch that was cancelled, and whose destructor asked for the scope: what it left is to be
    /// drained.
    pub(super) fn of_dropped(scope: Scope, cause: Arc<Cause>) -> Self {
        Run {
            started: true,
            phase: Phase::Drain(Outcome::Cancelled(cause)),
            locals: task_local::settle(),
            ..Run::new(scope, Some(Region::default()))
        }
    }

    /// Why it was cancelled, if it is done, and the body around must not go on.
    pub(super) fn stalled(&self) -> Option<&Arc<Cause>> {
        match &self.phase {
            Phase::Stalled(cause) => Some(cause),
            Phase::Body | Phase::Drain(_) | Phase::Done => None,
        }
    }

    /// The scope that this is the run of.
    pub(super) fn scope(&self) -> &Scope {
        self.scope
            .as_ref()
            .expect("present between polls of the body")
    }

    fn late(&mut self) -> &mut Late {
        self.late.get_or_insert_default()
    }

    fn has_cleanups(&self) -> bool {
        self.late
            .as_ref()
            .is_some_and(|late| !late.cleanups.is_empty())
    }

    /// Polls it, with the locals that it has.
    pub(super) fn poll_lent<P>(&mut self, body: P, cx: &mut Context<'_>) -> Polled<T>
    where
        P: Place<Body: Future<Output = T>>,
    {
        let mut lent = Lent::new(self);
        let Lent { run, locals } = &mut lent;
        task_local::keep(locals, || run.poll(body, cx))
    }

    /// What follows from a first poll of the body that nobody knew of, and from its destructor where
    /// it was ready.
    pub(super) fn go_on_after<P>(
        &mut self,
        (passed, dropped): (Pass<T>, Result<(), Payload>),
        regions: Option<Arc<Regions>>,
        body: P,
        cx: &mut Context<'_>,
    ) -> Polled<T>
    where
        P: Place<Body: Future<Output = T>>,
    {
        self.started = true;
        self.regions = regions;
        // First of all: what comes next may unwind.
        self.locals = task_local::settle();
        let mut lent = Lent::new(self);
        let Lent { run, locals } = &mut lent;
        task_local::keep(locals, || match (passed, dropped) {
            (Pass::Ready(value), Ok(())) => run.conclude(body, Outcome::Value(value), cx),
            (_, Err(payload)) => run.conclude(body, Outcome::Panicked(payload), cx),
            (passed, Ok(())) => run.go_on(body, passed, false, cx),
        })
    }

    /// What follows from the poll of a body during which its run was made.
    pub(super) fn go_on_lent<P>(
        &mut self,
        body: P,
        passed: Pass<T>,
        cx: &mut Context<'_>,
    ) -> Polled<T>
    where
        P: Place<Body: Future<Output = T>>,
    {
        let mut lent = Lent::new(self);
        let Lent { run, locals } = &mut lent;
        task_local::keep(locals, || run.go_on(body, passed, false, cx))
    }

    /// The future of the run is dropped, with the body.
    pub(super) fn end(&mut self, body: impl Place) {
        let mut locals = self.locals.take();
        task_local::keep(&mut locals, || self.abandon(body));
        task_local::end(locals);
    }

    pub(super) fn poll<P>(
        &mut self,
        mut body: P,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Arc<Cause>>>
    where
        P: Place<Body: Future<Output = T>>,
    {
        match &self.phase {
            Phase::Body | Phase::Drain(_) => {}
            Phase::Stalled(_) if Scope::must_stay() => return Poll::Pending,
            Phase::Stalled(cause) => {
                // It was polled by reference, in a body that was cancelled alone.
                let cause = Arc::clone(cause);
                self.phase = Phase::Done;
                return Poll::Ready(Err(cause));
            }
            Phase::Done => panic!("a scope's run was polled after it had ended"),
        }
        let known = !self.may_be_alone();
        if known {
            self.look(cx);
            self.join(cx);
        } else {
            self.seen = self.scope().signal();
        }
        if let Phase::Drain(_) = self.phase {
            return self.drain(cx);
        }
        match self.interruption() {
            None => {
                let passed = self.pass(body.there(), false, cx);
                if known && matches!(passed, Pass::Pending) && self.has_no_news() {
                    return Poll::Pending;
                }
                self.go_on(body, passed, false, cx)
            }
            Some(cause) => self.wind(body, cause, cx),
        }
    }

    /// True at the first poll: it may be the last, and nobody need know. In a cancelled body it is
    /// not even the first, and a body that was cancelled before it has none.
    fn may_be_alone(&self) -> bool {
        !self.started && matches!(self.phase, Phase::Body) && !Frame::is_winding()
    }

    /// Takes part in the frame around, as a region of its body.
    fn join(&mut self, cx: &mut Context<'_>) {
        if let Some(outer) = &mut self.outer {
            outer.poll(cx);
        }
    }

    /// [Looks](Self::look), and joins if it has not yet.
    ///
    /// What happened to the scope during a first poll woke nobody, and the body may have looked
    /// before it happened: so it is polled again.
    fn become_known(&mut self, cx: &mut Context<'_>) {
        let (first, before) = (self.waker == Identity::NOBODY, self.seen);
        self.look(cx);
        if first && self.seen != before {
            cx.waker().wake_by_ref();
        }
        if self.outer.as_ref().is_some_and(|outer| !outer.has_joined()) {
            self.join(cx);
        }
    }

    /// A cancelled body: dropped, unless regions in it are under way.
    fn wind<P>(
        &mut self,
        mut body: P,
        cause: Arc<Cause>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Arc<Cause>>>
    where
        P: Place<Body: Future<Output = T>>,
    {
        self.become_known(cx);
        self.tell(&cause);
        // None are if the body was never polled.
        if !Regions::any_held(&self.regions) {
            return self.conclude(body, Outcome::Cancelled(cause), cx);
        }
        // Before the poll, which misses a region whose executor is still to be woken.
        self.waking = self.scope().is_waking();
        let passed = self.pass(body.there(), true, cx);
        self.go_on(body, passed, true, cx)
    }

    /// Looks for news: keeps the waker registered, and the deadline as it was last set.
    fn look(&mut self, cx: &mut Context<'_>) {
        let same = self.waker == Identity::of(cx.waker());
        if same && self.scope().signal() == self.seen {
            return;
        }
        let waker = cx.waker().clone();
        // Of the clone: of what is kept.
        self.waker = Identity::of(&waker);
        let (seen, deadline) = self.scope().register_run(waker);
        self.seen = seen;
        self.deadline.set(deadline);
    }

    /// True if nothing has happened to the scope since this poll looked, and it has no deadline: so
    /// what was no reason to end then is none now, and the waker is in its place.
    fn has_no_news(&self) -> bool {
        self.scope().signal() == self.seen && self.deadline.at == Instant::NEVER
    }

    /// Why the body must not go on: the scope is cancelled, or the body around is.
    fn interruption(&self) -> Option<Arc<Cause>> {
        self.scope
            .as_ref()
            .and_then(Scope::cause)
            .or_else(|| self.outer.as_ref()?.interruption())
    }

    /// Tells what is in the scope, its children and the runs in its body, that the body around is
    /// cancelled: nobody else has, if the scope is none of its.
    fn tell(&self, cause: &Arc<Cause>) {
        if !self.scope().is_cancelled() {
            self.scope().inherit(cause);
        }
    }

    fn pass<F>(&mut self, body: Option<Pin<&mut F>>, winding: bool, cx: &mut Context<'_>) -> Pass<T>
    where
        F: Future<Output = T>,
    {
        self.started = true;
        let body = body.expect("the body is there in its phase");
        pass(body, &mut self.scope, &mut self.regions, winding, cx)
    }

    /// What follows from a poll of the body, `wound` if that was for its regions alone.
    pub(super) fn go_on<P>(
        &mut self,
        body: P,
        passed: Pass<T>,
        wound: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Arc<Cause>>>
    where
        P: Place<Body: Future<Output = T>>,
    {
        match passed {
            Pass::Ready(value) => return self.conclude(body, Outcome::Value(value), cx),
            Pass::Panicked(payload) => {
                let cause = Cause::new(Kind::Sibling, "the body of the scope panicked");
                self.scope().cancel(cause);
                return self.conclude(body, Outcome::Panicked(payload), cx);
            }
            Pass::Pending => {}
        }
        // The deadline may have been moved during the poll, and a scope that was made during it
        // does not have our waker yet.
        self.become_known(cx);
        self.check_deadline(cx);
        match self.interruption() {
            None => Poll::Pending,
            Some(cause) if !wound => self.wind(body, cause, cx),
            Some(cause) => {
                if self.is_held() {
                    if !self.grace_is_over(cx) {
                        return Poll::Pending;
                    }
                    self.scope().cut_off();
                }
                self.conclude(body, Outcome::Cancelled(cause), cx)
            }
        }
    }

    /// True if a region keeps the cancelled body, or may be about to say so.
    fn is_held(&self) -> bool {
        Regions::any_confirmed(&self.regions) || (self.waking && Regions::any_held(&self.regions))
    }

    fn check_deadline(&mut self, cx: &mut Context<'_>) {
        if self.deadline.is_over(cx) {
            // Where there is no clock any more it is not earlier than this.
            let now = context::clock().map_or(self.deadline.at, |clock| clock.now());
            self.scope().expire(now);
        }
    }

    fn grace_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.late().grace.is_none() {
            let end = match (self.scope().grace(), context::clock()) {
                (Some(limit), Ok(clock)) => clock.now() + limit,
                (Some(limit), Err(missing)) => {
                    if self.scope().chosen_grace() != Grace::Inherit {
                        report_unkept(limit, missing);
                    }
                    Instant::NEVER
                }
                (None, _) => Instant::NEVER,
            };
            self.late().grace = Some(Timer::at(end));
        }
        let grace = self.late().grace.as_mut();
        grace.is_some_and(|timer| timer.is_over(cx))
    }

    /// Drops the body and begins to drain.
    fn conclude(
        &mut self,
        body: impl Place,
        outcome: Outcome<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Arc<Cause>>> {
        self.phase = Phase::Drain(outcome);
        self.drop_body(body);
        self.drain(cx)
    }

    /// Drops the body in its frame. The first panic becomes the outcome, others are reported.
    fn drop_body(&mut self, mut body: impl Place) {
        // A destructor that blocks on a leaf of ours has nobody to go back to.
        let _unbounded = budget::lift();
        let drop = || catch_unwind(AssertUnwindSafe(|| body.vacate()));
        let frame = Frame {
            scope: self.scope.take(),
            regions: self.regions.take(),
            mode: Mode::Plain,
        };
        let (dropped, frame) = frame.enter(drop);
        self.scope = frame.scope;
        if let Err(payload) = dropped {
            match &mut self.phase {
                Phase::Drain(outcome) if !matches!(outcome, Outcome::Panicked(_)) => {
                    *outcome = Outcome::Panicked(payload);
                }
                _ => report(Report::Panic {
                    task: None,
                    payload,
                }),
            }
        }
    }

    /// Polls the clean-ups and waits for the children.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Arc<Cause>>> {
        if !self.has_cleanups() && self.scope().try_end() {
            // Nothing to wait for: the deadline's timer is not even made.
            return self.leave();
        }
        self.become_known(cx);
        self.check_deadline(cx);
        if let Some(cause) = self.interruption() {
            self.tell(&cause);
        }
        loop {
            let mut new = self.scope().take_cleanups();
            if !new.is_empty() {
                self.late().cleanups.append(&mut new);
            }
            if !self.has_cleanups() {
                break;
            }
            self.poll_cleanups(cx);
            if !self.has_cleanups() {
                continue;
            }
            if !self.grace_is_over(cx) {
                return Poll::Pending;
            }
            self.lose_cleanups();
        }
        if !self.scope().try_end() {
            budget::inspect::say("the children of its scope");
            return Poll::Pending;
        }
        self.leave()
    }

    fn poll_cleanups(&mut self, cx: &mut Context<'_>) {
        let mut shielded = Some(self.scope().shielded_child());
        self.late().cleanups.retain_mut(|cleanup| {
            match pass(cleanup.as_mut(), &mut shielded, &mut None, false, cx) {
                Pass::Ready(()) => false,
                Pass::Pending => true,
                Pass::Panicked(payload) => {
                    report(Report::Panic {
                        task: None,
                        payload,
                    });
                    false
                }
            }
        });
    }

    fn lose_cleanups(&mut self) {
        let cause = self.scope().cause();
        for cleanup in self.late().cleanups.drain(..) {
            lose(cleanup, "its grace period was over", cause.clone());
        }
    }

    /// Returns the outcome, unless it is a cause and the body around must not go on.
    fn leave(&mut self) -> Poll<Result<T, Arc<Cause>>> {
        let outer = self.outer.take();
        self.waker = Identity::NOBODY;
        self.deadline = Timer::at(Instant::NEVER);
        let Phase::Drain(outcome) = std::mem::replace(&mut self.phase, Phase::Done) else {
            unreachable!("only a drained run leaves")
        };
        let cause = match outcome {
            Outcome::Value(value) => return Poll::Ready(Ok(value)),
            Outcome::Panicked(payload) => resume_unwind(payload),
            // Before the look around: a cancel that comes from there comes there first.
            Outcome::Cancelled(cause) => self.scope().cause().unwrap_or(cause),
        };
        if outer.is_some_and(|outer| outer.is_over()) {
            self.phase = Phase::Stalled(cause);
            return Poll::Pending;
        }
        Poll::Ready(Err(cause))
    }

    /// The future of the run is dropped.
    pub(super) fn abandon(&mut self, body: impl Place) {
        // Dropped last: its destructor may panic.
        let _value = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Stalled(_) | Phase::Done => return,
            Phase::Drain(Outcome::Value(value)) => Some(value),
            Phase::Drain(Outcome::Panicked(payload)) => {
                report(Report::Panic {
                    task: None,
                    payload,
                });
                None
            }
            Phase::Body | Phase::Drain(Outcome::Cancelled(_)) => None,
        };
        let dropped = Cause::new(Kind::Dropped, "the future that ran the scope was dropped");
        self.scope().cancel(dropped);
        self.drop_body(body);
        let cleanups = match &mut self.late {
            Some(late) => std::mem::take(&mut late.cleanups),
            None => Vec::new(),
        };
        self.scope()
            .abandon(cleanups, self.outer.as_ref().and_then(Region::scope));
    }
}

/// A point in time to be reached, armed when it is first looked at.
struct Timer {
    at: Instant,
    sleep: Option<BoxSleep>,
    /// It was reached: the sleep is not polled again.
    over: bool,
}

/// A grace period that somebody has set, and nobody can measure.
#[cold]
fn report_unkept(limit: Duration, missing: Missing) {
    let error = std::format!(
        "a grace period of {limit:?} cannot be kept, clean-up takes as long as it takes: {missing}"
    );
    report(Report::Error {
        task: None,
        error: error.into(),
    });
}

impl Timer {
    fn at(at: Instant) -> Self {
        Timer {
            at,
            sleep: None,
            over: false,
        }
    }

    fn set(&mut self, at: Instant) {
        if self.at != at {
            *self = Timer::at(at);
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.over || self.at == Instant::NEVER {
            return self.over;
        }
        let at = self.at;
        if self.sleep.is_none() {
            // `set_deadline` saw a clock; a task that has moved out of its runtime may not.
            self.sleep = context::clock().ok().map(|clock| clock.sleep_until(at));
        }
        let Some(sleep) = &mut self.sleep else {
            return false;
        };
        // Time passes however much the body has spent.
        let _unbounded = budget::lift();
        self.over = sleep.as_mut().poll(cx).is_ready();
        self.over
    }
}
