//! One child of a group: its handle, the future that its executor polls, and how it ends.
//!
//! ```text
//! executor ──polls──▶ Member ──▶ Scoped (the child's scope) ──▶ Body ──▶ the user's future
//!                       └ Ending: guard, sink              └ waits for a slot first, if limited
//! ```
//!
//! However the member ends, by its last poll or dropped by its executor, `Ending` does the same, in
//! this order: a failure goes to the group, which is cancelled, unless the sink takes it; the result
//! goes to the sink; the child is counted out.

use crate::catch::drop_quietly;
use crate::error::ChildError;
use crate::group::limit::Slot;
use crate::group::shared::{CLOSED, Shared, What};
use pin_project_lite::pin_project;
use pirn_core::shim::Mutex;
use pirn_core::wake::wake;
use pirn_core::{Cause, ChildGuard, Kind, Refused, Scope, Scoped, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A handle to a child of a group: await it for the child's value, or ignore it.
///
/// Dropping the handle does nothing to the child: that belongs to its group. A child that failed
/// gives [`ChildError::Cancelled`] with the group's cause here, since its error, or its panic, goes
/// to the group's end.
///
/// # Cancel safety
///
/// Awaiting is safe to give up: the value stays until a poll takes it.
///
/// # Examples
///
/// ```
/// use pirn_compat::AsyncExecutor;
/// use pirn_group::GroupBuilder;
/// use std::sync::Arc;
///
/// # let executor = Arc::new(async_executor::Executor::new());
/// # let spawner = AsyncExecutor::new(executor.clone());
/// let sum = GroupBuilder::on(spawner).run(async |g| {
///     let (a, b) = (g.spawn(async { Ok(1) }), g.spawn(async { Ok(2) }));
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(a.await? + b.await?)
/// });
/// # let sum = futures::executor::block_on(executor.run(sum));
/// assert_eq!(sum.unwrap(), 3);
/// ```
pub struct Child<T> {
    result: Arc<ResultSlot<T>>,
    /// `None` for one that was refused.
    scope: Option<Scope>,
}

/// Where a child's result goes.
pub(crate) trait Sink {
    type Value;
    type Error: fmt::Display;

    /// Takes a failure, or leaves it to the group.
    fn divert(&self, what: What<Self::Error>) -> Option<What<Self::Error>> {
        Some(what)
    }

    /// Takes the result. Called once, with no lock held.
    fn fill(&self, result: Result<Self::Value, ChildError>);
}

/// To a child's handle.
pub(crate) struct ToHandle<T, E> {
    result: Arc<ResultSlot<T>>,
    error: PhantomData<fn(E)>,
}

struct ResultSlot<T>(Mutex<Progress<T>>);

enum Progress<T> {
    Running(Option<Waker>),
    Ended(Result<T, ChildError>),
    Taken,
}

impl<T, E> ToHandle<T, E> {
    pub(crate) fn new() -> Self {
        ToHandle {
            result: ResultSlot::new(Progress::Running(None)),
            error: PhantomData,
        }
    }

    /// The handle.
    pub(crate) fn child(&self) -> Child<T> {
        Child {
            result: Arc::clone(&self.result),
            scope: None,
        }
    }
}

impl<T, E: fmt::Display> Sink for ToHandle<T, E> {
    type Value = T;
    type Error = E;

    fn fill(&self, result: Result<T, ChildError>) {
        self.result.fill(result);
    }
}

impl<T> Child<T> {
    /// The handle of a child that runs in `scope`.
    pub(crate) fn in_scope(self, scope: Scope) -> Self {
        Child {
            scope: Some(scope),
            ..self
        }
    }

    /// The child that never was.
    pub(crate) fn refused(reason: &'static str) -> Self {
        Child {
            result: ResultSlot::new(Progress::Ended(Err(ChildError::Refused(reason)))),
            scope: None,
        }
    }

    /// Asks this child alone to end. That is not a failure: its siblings go on.
    ///
    /// Returns true if it was not cancelled before.
    pub fn cancel(&self, cause: Cause) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.cancel(cause))
    }

    /// True once the child has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.result.0.lock(), Progress::Running(_))
    }

    /// The result, if the child has ended and nobody took it.
    pub(crate) fn take(&self) -> Option<Result<T, ChildError>> {
        let mut progress = self.result.0.lock();
        if !matches!(*progress, Progress::Ended(_)) {
            return None;
        }
        match std::mem::replace(&mut *progress, Progress::Taken) {
            Progress::Ended(result) => Some(result),
            Progress::Running(_) | Progress::Taken => None,
        }
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, ChildError>;

    /// # Panics
    ///
    /// If polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.result.poll_ended(cx).is_pending() || budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.take().expect("a child was polled after it was ready"))
    }
}

impl<T> ResultSlot<T> {
    fn new(progress: Progress<T>) -> Arc<Self> {
        Arc::new(ResultSlot(Mutex::new(progress)))
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        let mut progress = self.0.lock();
        let polled = match &mut *progress {
            Progress::Running(slot) => {
                std::mem::swap(slot, &mut waker);
                Poll::Pending
            }
            Progress::Ended(_) | Progress::Taken => Poll::Ready(()),
        };
        drop(progress);
        drop(waker);
        polled
    }

    fn fill(&self, result: Result<T, ChildError>) {
        let mut progress = self.0.lock();
        let former = std::mem::replace(&mut *progress, Progress::Ended(result));
        drop(progress);
        if let Progress::Running(Some(waker)) = former {
            wake(waker);
        }
    }
}

pin_project! {
    /// What an executor is given for a child.
    pub(crate) struct Member<F: Future, K: Sink> {
        #[pin]
        work: Work<F>,
        ending: Ending<K>,
    }

    impl<F: Future, K: Sink> PinnedDrop for Member<F, K> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.ending.drop_work(this.work.as_mut());
            this.ending.finish(Outcome::Lost);
        }
    }
}

pin_project! {
    #[project = WorkProject]
    #[project_replace = WorkReplace]
    enum Work<F: Future> {
        /// Not polled yet: what the user gave can be given back.
        Fresh { body: Body<F> },
        Running { #[pin] run: Scoped<Body<F>> },
        Over,
    }
}

pin_project! {
    /// The user's future, behind the group's limit if it has one.
    struct Body<F> {
        gate: Option<Gate>,
        slot: Option<Slot>,
        #[pin]
        future: F,
    }
}

type Gate = Pin<Box<dyn Future<Output = Slot> + Send>>;

struct Ending<K: Sink>(Option<Live<K>>);

struct Live<K: Sink> {
    shared: Arc<Shared<K::Error>>,
    sink: K,
    scope: Scope,
    task: TaskMeta,
    guard: ChildGuard,
}

enum Outcome<T, E> {
    Value(T),
    Failed(What<E>),
    Cancelled(Arc<Cause>),
    /// Its executor dropped it.
    Lost,
}

impl<F, K> Member<F, K>
where
    F: Future<Output = Result<K::Value, K::Error>>,
    K: Sink,
{
    /// Makes `future` a child of the group, to be spawned, and gives its scope.
    pub(crate) fn new(
        shared: &Arc<Shared<K::Error>>,
        task: TaskMeta,
        future: F,
        sink: K,
    ) -> Result<(Self, Scope), Refused<F>> {
        let Some(guard) = shared.enter() else {
            return Err(Refused::new(CLOSED, future));
        };
        let scope = shared.scope.child();
        let gate = shared
            .limit
            .clone()
            .map(|limit| -> Gate { Box::pin(limit.slot()) });
        let body = Body {
            gate,
            slot: None,
            future,
        };
        let live = Live {
            shared: Arc::clone(shared),
            sink,
            scope: scope.clone(),
            task,
            guard,
        };
        let member = Member {
            work: Work::Fresh { body },
            ending: Ending(Some(live)),
        };
        Ok((member, scope))
    }

    /// Takes the future out of a member that was not spawned.
    pub(crate) fn into_future(self) -> F {
        let mut this = Box::pin(self);
        let this = this.as_mut().project();
        drop(this.ending.0.take());
        match this.work.project_replace(Work::Over) {
            WorkReplace::Fresh { body } => body.future,
            _ => unreachable!("a member that was not spawned was not polled"),
        }
    }
}

impl<F, K> Future for Member<F, K>
where
    F: Future<Output = Result<K::Value, K::Error>>,
    K: Sink,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(live) = &this.ending.0 else {
            return Poll::Ready(());
        };
        if matches!(*this.work, Work::Fresh { .. }) {
            if let WorkReplace::Fresh { body } = this.work.as_mut().project_replace(Work::Over) {
                let run = live.scope.run(body);
                this.work.set(Work::Running { run });
            }
        }
        let WorkProject::Running { run } = this.work.as_mut().project() else {
            return Poll::Ready(());
        };
        let outcome = match catch_unwind(AssertUnwindSafe(|| run.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(Ok(value)))) => Outcome::Value(value),
            Ok(Poll::Ready(Ok(Err(error)))) => Outcome::Failed(What::Error(error)),
            Ok(Poll::Ready(Err(cause))) => Outcome::Cancelled(cause),
            Err(payload) => Outcome::Failed(What::Panic(payload)),
        };
        this.ending.drop_work(this.work);
        this.ending.finish(outcome);
        Poll::Ready(())
    }
}

impl<F: Future> Future for Body<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(gate) = this.gate {
            match gate.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(slot) => *this.slot = Some(slot),
            }
            *this.gate = None;
        }
        this.future.poll(cx)
    }
}

impl<K: Sink> Ending<K> {
    fn drop_work<F: Future>(&self, mut work: Pin<&mut Work<F>>) {
        let Some(live) = &self.0 else { return };
        drop_quietly(&live.task, || work.set(Work::Over));
    }

    fn finish(&mut self, outcome: Outcome<K::Value, K::Error>) {
        let Some(live) = self.0.take() else { return };
        let Live {
            shared,
            sink,
            scope,
            task,
            guard,
        } = live;
        let ended = match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Cancelled(cause) => {
                shared.child_cancelled();
                Err(cause)
            }
            Outcome::Failed(what) => {
                if let Some(what) = sink.divert(what) {
                    shared.fail(&task, what);
                }
                Err(why(&shared))
            }
            Outcome::Lost => Err(lost(&shared, &scope, &task)),
        };
        sink.fill(ended.map_err(ChildError::Cancelled));
        // If nobody is left to take the value, it goes here.
        drop_quietly(&task, || drop(sink));
        drop(guard);
    }
}

/// Why the group is cancelled, after a child failed.
fn why<E>(shared: &Shared<E>) -> Arc<Cause> {
    let cancelled = shared.scope.cause();
    cancelled.unwrap_or_else(|| Arc::new(Cause::new(Kind::Sibling, "")))
}

/// Why a child ended that its executor dropped. If nobody had cancelled it, nobody wanted that.
fn lost<E>(shared: &Shared<E>, scope: &Scope, task: &TaskMeta) -> Arc<Cause> {
    match scope.cause() {
        Some(cause) if cause.kind() != Kind::Dropped => {
            shared.child_cancelled();
            cause
        }
        _ => {
            shared.incomplete(task, "the executor dropped a child before it had ended");
            why(shared)
        }
    }
}
