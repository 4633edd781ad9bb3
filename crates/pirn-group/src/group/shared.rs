//! What a group, its handles and its children share.
//!
//! | `Phase` | meaning | set by |
//! |---|---|---|
//! | `Open` | children may join | `Shared::new` |
//! | `Closed` | no more may join; those that live are awaited | `Shared::poll_close` after the last child, `Closes` as the body ends or is dropped, `Shared::close` on request |
//! | `Abandoned` | the group's future was dropped: what fails now goes to the hook | `Exit` |
//!
//! | `count` | meaning | set by |
//! |---|---|---|
//! | bit 0, `CLOSED` | the phase is not `Open` | `closed`, under the lock |
//! | the others | how many children live | `enter`, and `leave`, `leave_locked` |
//!
//! A child that joins others and leaves others behind, in an open group, does not lock: one exchange.
//! Whatever else moves the count holds the lock: from none to one, from one to none, and all that
//! comes after the closing. So under the lock it is certain whether anybody lives, and the guards,
//! which keep the scope waiting, are there before the children are and gone after.

use crate::catch::{report_error, report_panic};
use crate::group::child::Refusal;
use crate::group::limit::Limit;
use pirn_core::shim::Mutex;
use pirn_core::shim::atomic::AtomicUsize;
use pirn_core::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use pirn_core::{Cause, ChildGuard, Kind, Payload, Scope, TaskMeta, budget};
use std::borrow::Borrow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::Poll;

pub(crate) struct Shared<E> {
    pub(crate) scope: Scope,
    /// The group's own name and place.
    pub(crate) meta: TaskMeta,
    pub(crate) limit: Option<Arc<Limit>>,
    pub(super) count: AtomicUsize,
    state: Mutex<State<E>>,
}

const CLOSED_BIT: usize = 1;
const CHILD: usize = 2;

struct State<E> {
    phase: Phase,
    /// This group, as long as a child lives: see [`Inside`](super::inside::Inside).
    keep: Option<Arc<Shared<E>>>,
    /// What keeps the scope waiting: one as long as a child lives; one for each that still does as the group is closed, so that the scope knows how many
    /// there are if its run is dropped.
    guards: Vec<ChildGuard>,
    failures: Vec<Failed<E>>,
    /// A child was cancelled with the group: the body's value alone is not the group's end.
    cut_off: bool,
    /// Why the group is not complete, if a child was refused or lost by its executor.
    incomplete: Option<Arc<Cause>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
    Abandoned,
}

/// A failure of a child or of the body.
pub(crate) struct Failed<E> {
    pub(crate) task: TaskMeta,
    pub(crate) what: What<E>,
}

pub(crate) enum What<E> {
    Error(E),
    Panic(Payload),
}

pub(crate) const CLOSED: &str = "the group has ended, or is about to";

impl<E> Shared<E> {
    pub(crate) fn new(scope: Scope, meta: TaskMeta, limit: Option<usize>) -> Arc<Self> {
        Arc::new(Shared {
            scope,
            meta,
            limit: limit.map(Limit::new),
            count: AtomicUsize::new(0),
            state: Mutex::new(State {
                phase: Phase::Open,
                keep: None,
                guards: Vec::new(),
                failures: Vec::new(),
                cut_off: false,
                incomplete: None,
            }),
        })
    }

    /// Counts a child in, and keeps the group until it is counted out. False once the group is closed.
    #[inline]
    pub(super) fn enter(self: &Arc<Self>) -> bool {
        let joined = |count| match count {
            0..CHILD => None,
            _ if count & CLOSED_BIT != 0 => None,
            _ => Some(count + CHILD),
        };
        // Ordering: Relaxed, twice: this publishes nothing, and who closes the group reads the count in
        // an exchange, which comes before or after this one.
        self.count.fetch_update(Relaxed, Relaxed, joined).is_ok() || self.enter_locked()
    }

    /// Counts the first child in. False if the group is closed.
    #[cold]
    fn enter_locked(self: &Arc<Self>) -> bool {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return false;
        }
        state.keep.get_or_insert_with(|| Arc::clone(self));
        if state.guards.is_empty() {
            state.guards.push(self.scope.enter());
        }
        // Ordering: Relaxed, as in `enter`.
        self.count.fetch_add(CHILD, Relaxed);
        true
    }

    /// Counts a child out that may be the last, and gives what is then to be dropped: the guard that
    /// kept the scope waiting, if there is one, and at last what keeps the group.
    #[cold]
    pub(super) fn leave_locked(&self) -> (Option<ChildGuard>, Option<Arc<Self>>) {
        let mut state = self.state.lock();
        // Ordering: AcqRel. Acquire, pairs with the Release in `leave`. Release, pairs with the Acquire
        // in `live`.
        let live = self.count.fetch_sub(CHILD, AcqRel) / CHILD - 1;
        let last = live < state.guards.len();
        let guard = if last { state.guards.pop() } else { None };
        let keep = match live {
            0 => state.keep.take(),
            _ => state.keep.clone(),
        };
        (guard, keep)
    }

    /// How many children live.
    pub(crate) fn live(&self) -> usize {
        // Ordering: Acquire, pairs with the Release in `leave` and in `leave_locked`: who sees that a
        // child has ended sees what it did.
        self.count.load(Acquire) / CHILD
    }

    /// Lets no more children join.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        let live = self.closed(&mut state);
        while state.guards.len() < live {
            state.guards.push(self.scope.enter());
        }
    }

    /// Closes an open group, and says how many children live. From then on all that changes that
    /// number holds the lock.
    fn closed(&self, state: &mut State<E>) -> usize {
        if state.phase == Phase::Open {
            state.phase = Phase::Closed;
        }
        // Ordering: Relaxed. Whoever leaves after this holds the lock; who left before is seen by the
        // last, or was seen by who was the last then.
        self.count.fetch_or(CLOSED_BIT, Relaxed) / CHILD
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().phase != Phase::Open
    }

    /// Closes the group once no child lives. Polled inside the scope's run, which is woken when the
    /// last child has ended, and which drops this if the group was cancelled.
    pub(crate) fn poll_close(&self) -> Poll<()> {
        let mut state = self.state.lock();
        // Ordering: Relaxed. That nobody lives is certain under the lock, and was written under it.
        if self.count.load(Relaxed) >= CHILD {
            budget::inspect::say("the children of its group");
            return Poll::Pending;
        }
        self.closed(&mut state);
        match state.cut_off {
            // The cancel came during this very poll: the run sees it after.
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// A child was cancelled: alone, or with the group.
    pub(crate) fn child_cancelled(&self) {
        if self.scope.is_cancelled() {
            self.state.lock().cut_off = true;
        }
    }

    /// A child was refused or lost by its executor: the group must not pass for complete.
    pub(crate) fn incomplete(&self, task: &TaskMeta, reason: &'static str) {
        let cause = Cause::new(Kind::Shutdown, reason).with_location(task.spawned_at());
        let kept = Arc::new(cause.clone());
        self.state.lock().incomplete.get_or_insert(kept);
        self.scope.cancel(cause);
    }

    /// Spawning a child was refused: the group's end tells of it, if that is to come.
    pub(crate) fn refused(&self, task: &TaskMeta, reason: &'static str) -> Refusal {
        let open = self.state.lock().phase == Phase::Open;
        if open {
            self.incomplete(task, reason);
        }
        Refusal::new(reason, (!open).then(|| task.clone()))
    }
}

impl<E: fmt::Display> Shared<E> {
    /// Keeps a failure and cancels the group.
    pub(crate) fn fail(&self, task: &TaskMeta, what: What<E>) {
        let failed = Failed {
            task: task.clone(),
            what,
        };
        let mut state = self.state.lock();
        if state.phase == Phase::Abandoned {
            drop(state);
            failed.report();
            return;
        }
        state.failures.push(failed);
        drop(state);
        let text = match task.name() {
            Some(name) => format!("`{name}` failed").into(),
            None => std::borrow::Cow::Borrowed(""),
        };
        self.scope
            .cancel(Cause::new(Kind::Sibling, text).with_location(task.spawned_at()));
    }
}

/// Counts a child out. False if that is to be done under the lock: it may be the last, or the group is
/// closed. If it is true the group may be gone.
#[inline]
pub(super) fn leave(count: &AtomicUsize) -> bool {
    let left = |count| match count {
        0..=CHILD => None,
        _ if count & CLOSED_BIT != 0 => None,
        _ => Some(count - CHILD),
    };
    // Ordering: Release, pairs with the Acquire in `leave_locked`: what a child did comes before the
    // end of the group, which comes after the last child. Relaxed, nothing is read.
    count.fetch_update(Release, Relaxed, left).is_ok()
}

impl<E: fmt::Display> Failed<E> {
    /// Tells the hook: nobody else is left.
    pub(crate) fn report(self) {
        let Failed { task, what } = self;
        match what {
            What::Panic(payload) => report_panic(task, payload),
            What::Error(error) => report_error(task, error),
        }
    }
}

/// Closes the group as the body ends or is dropped.
pub(crate) struct Closes<E>(pub(crate) Arc<Shared<E>>);

impl<E> Drop for Closes<E> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Dropped before the group's end, with its future, it cancels the group: so that what is then said of
/// clean-up names the place where the group was made.
pub(crate) struct Leaving<S: Borrow<Scope>> {
    /// `None` after the end.
    scope: Option<S>,
    made_at: &'static Location<'static>,
}

impl<S: Borrow<Scope>> Leaving<S> {
    pub(crate) fn new(scope: S, meta: &TaskMeta) -> Self {
        Leaving {
            scope: Some(scope),
            made_at: meta.spawned_at(),
        }
    }

    #[inline]
    pub(crate) fn ended(&mut self) {
        self.scope = None;
    }
}

impl<S: Borrow<Scope>> Drop for Leaving<S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(scope) = &self.scope {
            leave_early(scope.borrow(), self.made_at);
        }
    }
}

#[cold]
fn leave_early(scope: &Scope, made_at: &'static Location<'static>) {
    // It has where its end was a panic.
    if !scope.has_ended() {
        let cause = Cause::new(Kind::Dropped, "the group was dropped");
        scope.cancel(cause.with_location(made_at));
    }
}

/// The end of the group's future: hands the failures out, or, if the future is dropped before,
/// reports them.
pub(crate) struct Exit<E: fmt::Display>(pub(crate) Arc<Shared<E>>);

impl<E: fmt::Display> Exit<E> {
    /// The failures, in the order in which they occurred, and why the group is not complete.
    /// Every child has ended.
    pub(crate) fn leave(&self) -> (Vec<Failed<E>>, Option<Arc<Cause>>) {
        let mut state = self.0.state.lock();
        (std::mem::take(&mut state.failures), state.incomplete.take())
    }
}

impl<E: fmt::Display> Drop for Exit<E> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        self.0.closed(&mut state);
        state.phase = Phase::Abandoned;
        let failures = std::mem::take(&mut state.failures);
        drop(state);
        failures.into_iter().for_each(Failed::report);
    }
}
