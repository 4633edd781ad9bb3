//! One child of a group: its handle, the future that its executor polls, and how it ends.
//!
//! ```text
//! executor ──polls──▶ Member ──▶ Limited (in the group's) ──▶ Body ──▶ the user's future
//!                       └ Ending: guard, sink           └ waits for a slot first, if limited
//! ```
//!
//! However the member ends, by its last poll or dropped by its executor, `Ending` does the same, in
//! this order: a failure goes to the group, which is cancelled, unless the sink takes it; the result
//! goes to the sink; the child is counted out.

use crate::catch::drop_quietly;
use crate::error::ChildError;
use crate::group::limit::Slot;
use crate::group::shared::{CLOSED, Inside, Shared, What};
use pin_project_lite::pin_project;
use pirn_core::report::{Report, report};
use pirn_core::shim::ListLock;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::wake::{discard, wake};
use pirn_core::{Cause, Kind, Limited, Refused, Scope, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

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
    // `None` once the result was taken.
    result: Option<Arc<ResultSlot<T>>>,
}

/// Where a child's result goes.
pub(crate) trait Sink {
    type Value;
    type Error: fmt::Display;

    /// Takes a failure, or leaves it to the group.
    fn divert(&self, what: What<Self::Error>) -> Option<What<Self::Error>> {
        Some(what)
    }

    /// True if the child is to be cancelled, and has no scope yet.
    fn is_asked(&self) -> bool {
        false
    }

    /// The child's scope was made.
    fn link(&self, _: &Scope) {}

    /// Takes the result. Called once, with no lock held.
    fn fill(&self, result: Result<Self::Value, ChildError>);
}

/// To a child's handle.
pub(crate) struct ToHandle<T, E> {
    result: Arc<ResultSlot<T>>,
    error: PhantomData<fn(E)>,
}

/// What a child and its handle share.
///
/// The handle takes the result with its slot, without the lock, where the child's side is gone by
/// then, as a rule. The lock is one whose unlocking is a store: a child takes it once.
struct ResultSlot<T> {
    progress: ListLock<Progress<T>>,
    /// `Link::Asked`, without the lock.
    asked: AtomicBool,
    /// Not `Progress::Running`, without the lock.
    ended: AtomicBool,
}

/// Why a child never was. In a group that has ended nobody else learns of it: there it is reported,
/// unless the handle's owner takes it.
pub(crate) struct Refusal {
    reason: &'static str,
    unheard: Option<TaskMeta>,
}

enum Progress<T> {
    Running { waker: Option<Waker>, link: Link },
    Refused(Refusal),
    Ended(Result<T, ChildError>),
    Taken,
}

enum Link {
    Unmade,
    /// With the cause, until whoever makes the scope takes it. (Boxed, since it is as large as all
    /// the rest of the slot, of which there is one for each child.)
    Asked(Option<Box<Cause>>),
    Made(Scope),
}

impl<T, E> ToHandle<T, E> {
    pub(crate) fn new() -> Self {
        let running = Progress::Running {
            waker: None,
            link: Link::Unmade,
        };
        ToHandle {
            result: ResultSlot::new(running),
            error: PhantomData,
        }
    }

    /// The handle.
    pub(crate) fn child(&self) -> Child<T> {
        Child {
            result: Some(Arc::clone(&self.result)),
        }
    }
}

impl<T, E: fmt::Display> Sink for ToHandle<T, E> {
    type Value = T;
    type Error = E;

    fn is_asked(&self) -> bool {
        // Ordering: Relaxed. Who misses it polls the child beside the cancel, and finds `Asked`
        // under the lock after that.
        self.result.asked.load(Ordering::Relaxed)
    }

    fn link(&self, scope: &Scope) {
        self.result.link(scope);
    }

    fn fill(&self, result: Result<T, ChildError>) {
        self.result.fill(result);
    }
}

impl<T> Child<T> {
    /// The child that never was.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Child {
            result: Some(ResultSlot::new(Progress::Refused(refusal))),
        }
    }

    /// Asks this child alone to end. That is not a failure: its siblings go on.
    ///
    /// Returns true if that is news to it: it has not ended, and was not cancelled before, as far as
    /// it knows.
    pub fn cancel(&self, cause: Cause) -> bool {
        match &self.result {
            Some(result) => result.cancel(cause),
            None => false,
        }
    }

    /// True once the child has ended.
    pub fn is_finished(&self) -> bool {
        self.result.as_ref().is_none_or(|result| result.is_ended())
    }

    /// The result, if the child has ended and nobody took it.
    pub(crate) fn take(&mut self) -> Option<Result<T, ChildError>> {
        if !self.result.as_ref()?.is_ended() {
            return None;
        }
        match Arc::try_unwrap(self.result.take()?) {
            Ok(slot) => slot.progress.into_inner().into_result(),
            // The child's side is about to let go.
            Err(slot) => {
                std::mem::replace(&mut *slot.progress.lock(), Progress::Taken).into_result()
            }
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
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = self.result.as_ref();
        ready!(result.expect(TAKEN).poll_ended(cx));
        ready!(budget::poll_spend(cx));
        Poll::Ready(self.take().expect(TAKEN))
    }
}

const TAKEN: &str = "a child was polled after it was ready";

impl<T> Progress<T> {
    fn into_result(self) -> Option<Result<T, ChildError>> {
        match self {
            Progress::Refused(refusal) => Some(Err(ChildError::Refused(refusal.hear()))),
            Progress::Ended(result) => Some(result),
            Progress::Running { .. } | Progress::Taken => None,
        }
    }
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, unheard: Option<TaskMeta>) -> Self {
        Refusal { reason, unheard }
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// Somebody receives it.
    fn hear(mut self) -> &'static str {
        self.unheard = None;
        self.reason
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        let Some(task) = self.unheard.take() else {
            return;
        };
        report(Report::Error {
            task: Some(task),
            error: format!("it was not spawned: {}", self.reason).into(),
        });
    }
}

impl<T> ResultSlot<T> {
    fn new(progress: Progress<T>) -> Arc<Self> {
        let ended = !matches!(progress, Progress::Running { .. });
        Arc::new(ResultSlot {
            progress: ListLock::new(progress),
            asked: AtomicBool::new(false),
            ended: AtomicBool::new(ended),
        })
    }

    fn is_ended(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `fill`: the result is there, and what the
        // child did before it is visible to who sees this.
        self.ended.load(Ordering::Acquire)
    }

    fn cancel(&self, cause: Cause) -> bool {
        let mut progress = self.progress.lock();
        let Progress::Running { link, .. } = &mut *progress else {
            return false;
        };
        match link {
            Link::Unmade => {
                *link = Link::Asked(Some(Box::new(cause)));
                // Ordering: Relaxed, see `is_asked`.
                self.asked.store(true, Ordering::Relaxed);
                true
            }
            Link::Asked(_) => false,
            Link::Made(scope) => {
                let scope = scope.clone();
                drop(progress);
                scope.cancel(cause)
            }
        }
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_ended() {
            return Poll::Ready(());
        }
        let mut own = Some(cx.waker().clone());
        let mut progress = self.progress.lock();
        let polled = match &mut *progress {
            Progress::Running { waker, .. } => {
                std::mem::swap(waker, &mut own);
                Poll::Pending
            }
            Progress::Refused(_) | Progress::Ended(_) | Progress::Taken => Poll::Ready(()),
        };
        drop(progress);
        own.into_iter().for_each(discard);
        polled
    }

    fn link(&self, scope: &Scope) {
        let mut progress = self.progress.lock();
        if let Progress::Running {
            link: Link::Asked(cause),
            ..
        } = &mut *progress
        {
            // Before anybody else can cancel the scope: the first cause is the one that counts.
            let cause = cause.take();
            drop(progress);
            cause.map(|cause| scope.cancel(*cause));
            progress = self.progress.lock();
        }
        if let Progress::Running { link, .. } = &mut *progress {
            *link = Link::Made(scope.clone());
        }
    }

    fn fill(&self, result: Result<T, ChildError>) {
        let mut progress = self.progress.lock();
        let former = std::mem::replace(&mut *progress, Progress::Ended(result));
        // Ordering: Release, pairs with the Acquire in `is_ended`.
        self.ended.store(true, Ordering::Release);
        drop(progress);
        // The link is dropped here.
        if let Progress::Running {
            waker: Some(waker), ..
        } = former
        {
            wake(waker);
        }
    }
}

pin_project! {
    /// What an executor is given for a child.
    pub(crate) struct Member<F: Future, K: Sink> {
        // `None` once it has ended, or with nothing left in it.
        #[pin]
        run: Option<Limited<Body<F>>>,
        ending: Ending<K>,
    }

    impl<F: Future, K: Sink> PinnedDrop for Member<F, K> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.ending.0.is_none() {
                // It has ended, and is gone.
                return;
            }
            let scope = this.ending.scope(this.run.as_mut());
            this.ending.drop_run(this.run);
            this.ending.finish(Outcome::Lost(scope));
        }
    }
}

pin_project! {
    /// The user's future, behind the group's limit if it has one.
    struct Body<F> {
        gate: Option<Gate>,
        #[pin]
        future: F,
        // Given back after the future's destructors.
        slot: Option<Slot>,
    }
}

type Gate = Pin<Box<dyn Future<Output = Slot> + Send>>;

struct Ending<K: Sink>(Option<Live<K>>);

struct Live<K: Sink> {
    shared: Inside<K::Error>,
    sink: K,
    /// The sink knows the scope.
    linked: bool,
    task: TaskMeta,
}

enum Outcome<T, E> {
    Value(T),
    Failed(What<E>),
    Cancelled(Arc<Cause>),
    /// Its executor dropped it; with its scope, if it had one.
    Lost(Option<Scope>),
}

impl<F, K> Member<F, K>
where
    F: Future<Output = Result<K::Value, K::Error>>,
    K: Sink,
{
    /// Makes `future` a child of the group, to be spawned.
    #[inline]
    pub(crate) fn new(
        shared: &Arc<Shared<K::Error>>,
        task: TaskMeta,
        future: F,
        sink: K,
    ) -> Result<Self, Refused<F>> {
        let Some(inside) = shared.enter() else {
            return Err(Refused::new(CLOSED, future));
        };
        let gate = shared
            .limit
            .clone()
            .map(|limit| -> Gate { Box::pin(limit.slot()) });
        let body = Body {
            gate,
            future,
            slot: None,
        };
        let live = Live {
            shared: inside,
            sink,
            linked: false,
            task,
        };
        Ok(Member {
            run: Some(Limited::child_of(&shared.scope, body)),
            ending: Ending(Some(live)),
        })
    }

    /// Takes the future out of a member that was not spawned.
    pub(crate) fn into_future(mut self) -> F {
        drop(self.ending.0.take());
        let body = self.run.take().and_then(Limited::into_body);
        let body = body.expect("a member that was not spawned was not polled");
        body.future
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
        if this.ending.0.is_none() {
            return Poll::Ready(());
        }
        this.ending.link_if_asked(this.run.as_mut());
        let Some(run) = this.run.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        let outcome = match catch_unwind(AssertUnwindSafe(|| run.poll(cx))) {
            Ok(Poll::Pending) => {
                this.ending.link(this.run.as_ref());
                return Poll::Pending;
            }
            Ok(Poll::Ready(Ok(Ok(value)))) => Outcome::Value(value),
            Ok(Poll::Ready(Ok(Err(error)))) => Outcome::Failed(What::Error(error)),
            Ok(Poll::Ready(Err(cause))) => Outcome::Cancelled(cause),
            Err(payload) => Outcome::Failed(What::Panic(payload)),
        };
        // A body that was ready is gone. What else may be left is what a scope keeps, its locals.
        let is_bare = |run: &Limited<_>| run.scope_if_made().is_none();
        let ready = matches!(outcome, Outcome::Value(_));
        if !(ready && this.run.as_ref().get_ref().as_ref().is_some_and(is_bare)) {
            this.ending.drop_run(this.run);
        }
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
    /// Makes the scope of a child that is to be cancelled before it has one.
    fn link_if_asked<F: Future>(&mut self, run: Pin<&mut Option<Limited<F>>>) {
        let Some(live) = &mut self.0 else { return };
        if live.linked || !live.sink.is_asked() {
            return;
        }
        if let Some(run) = run.as_pin_mut() {
            live.linked = true;
            live.sink.link(run.make_scope());
        }
    }

    /// Tells the sink of the scope, once there is one.
    fn link<F: Future>(&mut self, run: Pin<&Option<Limited<F>>>) {
        let Some(live) = &mut self.0 else { return };
        if live.linked {
            return;
        }
        if let Some(scope) = run.get_ref().as_ref().and_then(Limited::scope_if_made) {
            live.linked = true;
            live.sink.link(scope);
        }
    }

    /// The scope of a child that its executor drops.
    fn scope<F: Future>(&mut self, mut run: Pin<&mut Option<Limited<F>>>) -> Option<Scope> {
        self.link_if_asked(run.as_mut());
        let run = run.as_ref().get_ref().as_ref()?;
        run.scope_if_made().cloned()
    }

    fn drop_run<F: Future>(&self, mut run: Pin<&mut Option<Limited<F>>>) {
        let Some(live) = &self.0 else { return };
        drop_quietly(&live.task, || run.set(None));
    }

    fn finish(&mut self, outcome: Outcome<K::Value, K::Error>) {
        let Some(live) = self.0.take() else { return };
        let Live {
            shared, sink, task, ..
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
            Outcome::Lost(scope) => Err(lost(&shared, scope, &task)),
        };
        sink.fill(ended.map_err(ChildError::Cancelled));
        // If nobody is left to take the value, it goes here.
        drop_quietly(&task, || drop(sink));
        drop(shared);
    }
}

/// Why the group is cancelled, after a child failed.
fn why<E>(shared: &Shared<E>) -> Arc<Cause> {
    let cancelled = shared.scope.cause();
    cancelled.unwrap_or_else(|| Arc::new(Cause::new(Kind::Sibling, "")))
}

/// Why a child ended that its executor dropped. If nobody had cancelled it, nobody wanted that.
fn lost<E>(shared: &Shared<E>, scope: Option<Scope>, task: &TaskMeta) -> Arc<Cause> {
    match scope.as_ref().unwrap_or(&shared.scope).cause() {
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
