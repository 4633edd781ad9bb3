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
use crate::group::inside::Inside;
use crate::group::limit::{Limit, Slot};
use crate::group::shared::{CLOSED, Shared, What};
use crate::group::slot::{self, Giver, Taker, Vacant};
use pin_project_lite::pin_project;
use pirn_core::report::{Report, report};
use pirn_core::shim::ListLock;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::{Cause, Kind, Limited, Refused, Scope, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A handle to a child of a group: await it for the child's value, or ignore it.
///
/// Dropping the handle does nothing to the child: that belongs to its group. A child that failed
/// gives [`ChildError::Cancelled`] with the group's cause here, since its error, or its panic, goes
/// to the group's end.
///
/// Who is cancelled as well, as the body and the siblings are by the first failure, gets no
/// `Cancelled` here: the await stays pending, and what waits in it is dropped there. So a
/// `child.await?` does not make a second failure of the first, on whatever thread that one came about.
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
    /// `None` once the result was taken.
    taker: Option<Taker<Given<T>, Link>>,
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

    /// The child's scope was made. Called once, if at all.
    fn link(&mut self, _: &Scope) {}

    /// Takes the result, with no lock held, or gives it back if nobody is left to take it.
    fn fill(
        self,
        result: Result<Self::Value, ChildError>,
    ) -> Option<Result<Self::Value, ChildError>>;
}

/// To a child's handle.
pub(crate) struct ToHandle<T, E> {
    giver: Giver<Given<T>, Link>,
    /// The handle knows the child's scope.
    linked: bool,
    error: PhantomData<fn(E)>,
}

/// What a handle gets.
enum Given<T> {
    Ended(Result<T, ChildError>),
    Refused(Box<Refusal>),
}

/// By which a handle cancels its child.
pub(crate) struct Link {
    /// `Reach::Asked`, without the lock.
    asked: AtomicBool,
    reach: ListLock<Reach>,
}

enum Reach {
    /// The child has no scope yet.
    Unmade,
    /// With the cause, until whoever makes the scope takes it. (Boxed, since it is as large as all
    /// the rest of the slot, of which there is one for each child.)
    Asked(Option<Box<Cause>>),
    Made(Scope),
    Ended,
}

/// Why a child never was. In a group that has ended nobody else learns of it: there it is reported,
/// unless the handle's owner takes it.
pub(crate) struct Refusal {
    reason: &'static str,
    unheard: Option<TaskMeta>,
}

impl<T, E> ToHandle<T, E> {
    /// With the handle.
    #[inline]
    pub(crate) fn new() -> (Self, Child<T>) {
        let (giver, taker) = slot::pair(Link::new());
        ToHandle::of(giver, taker)
    }

    /// The same with memory for the child, a `C`.
    #[inline]
    pub(crate) fn beside<C>() -> (Self, Child<T>, Vacant<C, Link>) {
        let (giver, taker, vacant) = slot::pair_beside(Link::new());
        let (sink, child) = ToHandle::of(giver, taker);
        (sink, child, vacant)
    }

    #[inline]
    fn of(giver: Giver<Given<T>, Link>, taker: Taker<Given<T>, Link>) -> (Self, Child<T>) {
        let sink = ToHandle {
            giver,
            linked: false,
            error: PhantomData,
        };
        (sink, Child { taker: Some(taker) })
    }
}

impl<T, E: fmt::Display> Sink for ToHandle<T, E> {
    type Value = T;
    type Error = E;

    #[inline]
    fn is_asked(&self) -> bool {
        // Ordering: Relaxed. Who misses it polls the child beside the cancel, and finds `Asked`
        // under the lock after that.
        self.giver.link().asked.load(Ordering::Relaxed)
    }

    fn link(&mut self, scope: &Scope) {
        self.linked = true;
        self.giver.link().make(scope);
    }

    // Always: the result is then made in its place.
    #[inline(always)]
    fn fill(self, result: Result<T, ChildError>) -> Option<Result<T, ChildError>> {
        if self.linked {
            self.giver.link().end();
        }
        match self.giver.give(Given::Ended(result))? {
            Given::Ended(result) => Some(result),
            Given::Refused(_) => None,
        }
    }
}

impl<T> Child<T> {
    /// The child that never was.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Child::given(Given::Refused(Box::new(refusal)))
    }

    fn given(given: Given<T>) -> Self {
        let (giver, taker) = slot::pair(Link::new());
        let left = giver.give(given);
        debug_assert!(left.is_none(), "the handle is here");
        Child { taker: Some(taker) }
    }

    /// Asks this child alone to end. That is not a failure: its siblings go on.
    ///
    /// Returns true if that is news to it: it has not ended, and was not cancelled before, as far as
    /// it knows.
    pub fn cancel(&self, cause: Cause) -> bool {
        match &self.taker {
            Some(taker) if !taker.has_ended() => taker.link().cancel(cause),
            _ => false,
        }
    }

    /// True once the child has ended.
    pub fn is_finished(&self) -> bool {
        self.taker.as_ref().is_none_or(Taker::has_ended)
    }

    /// The result, if the child has ended and nobody took it.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Result<T, ChildError>> {
        if !self.taker.as_ref()?.has_ended() {
            return None;
        }
        match self.taker.take()?.take()? {
            Given::Ended(result) => Some(result),
            Given::Refused(refusal) => Some(Err(ChildError::Refused(refusal.hear()))),
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
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taker = self.taker.as_mut();
        ready!(taker.expect(TAKEN).poll_ended(cx));
        ready!(budget::poll_spend(cx));
        match self.take().expect(TAKEN) {
            // The cancel came during this very poll: whose scope it is drops this after.
            cancelled @ Err(ChildError::Cancelled(_)) if Scope::must_stay() => {
                *self = Child::given(Given::Ended(cancelled));
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

const TAKEN: &str = "a child was polled after it was ready";

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

impl Link {
    fn new() -> Self {
        Link {
            asked: AtomicBool::new(false),
            reach: ListLock::new(Reach::Unmade),
        }
    }

    fn cancel(&self, cause: Cause) -> bool {
        let mut reach = self.reach.lock();
        match &*reach {
            Reach::Unmade => {
                *reach = Reach::Asked(Some(Box::new(cause)));
                // Ordering: Relaxed, see `is_asked`.
                self.asked.store(true, Ordering::Relaxed);
                true
            }
            Reach::Asked(_) | Reach::Ended => false,
            Reach::Made(scope) => {
                let scope = scope.clone();
                drop(reach);
                scope.cancel(cause)
            }
        }
    }

    fn make(&self, scope: &Scope) {
        let mut reach = self.reach.lock();
        if let Reach::Asked(cause) = &mut *reach {
            // Before anybody else can cancel the scope: the first cause is the one that counts.
            let cause = cause.take();
            drop(reach);
            cause.map(|cause| scope.cancel(*cause));
            reach = self.reach.lock();
        }
        *reach = Reach::Made(scope.clone());
    }

    /// The child ends, whose scope was made.
    fn end(&self) {
        let former = std::mem::replace(&mut *self.reach.lock(), Reach::Ended);
        drop(former);
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

#[cold]
fn gate(limit: &Arc<Limit>) -> Gate {
    Box::pin(Arc::clone(limit).slot())
}

struct Ending<K: Sink>(Option<Live<K>>);

struct Live<K: Sink> {
    shared: Inside<K::Error>,
    sink: K,
    /// The sink knows the scope.
    linked: bool,
    task: TaskMeta,
}

/// How a child ends that gives no value.
enum Outcome<E> {
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
        match Inside::enter(shared) {
            Some(inside) => Ok(Member::within(inside, task, future, sink)),
            None => Err(Refused::new(CLOSED, future)),
        }
    }

    /// The same for a child that is counted in.
    #[inline(always)]
    pub(crate) fn within(inside: Inside<K::Error>, task: TaskMeta, future: F, sink: K) -> Self {
        let gate = inside.limit.as_ref().map(gate);
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
        Member {
            run: Some(Limited::unplaced(body)),
            ending: Ending(Some(live)),
        }
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
        let (Some(run), Some(live)) = (this.run.as_mut().as_pin_mut(), &this.ending.0) else {
            return Poll::Ready(());
        };
        let around = &live.shared.scope;
        let outcome = match catch_unwind(AssertUnwindSafe(|| run.poll_in(around, cx))) {
            Ok(Poll::Pending) => {
                this.ending.link(this.run.as_ref());
                return Poll::Pending;
            }
            Ok(Poll::Ready(Ok(Ok(value)))) => {
                // The body is gone. What else may be left is what a scope keeps, its locals.
                if this.run.as_ref().get_ref().as_ref().is_some_and(has_scope) {
                    this.ending.drop_run(this.run);
                }
                this.ending.finish_with(value);
                return Poll::Ready(());
            }
            Ok(Poll::Ready(Ok(Err(error)))) => Outcome::Failed(What::Error(error)),
            Ok(Poll::Ready(Err(cause))) => Outcome::Cancelled(cause),
            Err(payload) => Outcome::Failed(What::Panic(payload)),
        };
        this.ending.drop_run(this.run);
        this.ending.finish(outcome);
        Poll::Ready(())
    }
}

impl<F: Future> Future for Body<F> {
    type Output = F::Output;

    #[inline]
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
        if let Some(mut run) = run.as_pin_mut() {
            live.linked = true;
            run.as_mut().place_in(&live.shared.scope);
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
        if let Some(run) = run.as_mut().as_pin_mut() {
            run.place_in(&live.shared.scope);
        }
        drop_quietly(&live.task, || run.set(None));
    }

    #[inline]
    fn finish_with(&mut self, value: K::Value) {
        let Some(live) = self.0.take() else { return };
        if let Some(left) = live.sink.fill(Ok(value)) {
            drop_quietly(&live.task, || drop(left));
        }
        drop(live.shared);
    }

    #[cold]
    fn finish(&mut self, outcome: Outcome<K::Error>) {
        let Some(live) = self.0.take() else { return };
        let Live {
            shared, sink, task, ..
        } = live;
        let cause = match outcome {
            Outcome::Cancelled(cause) => {
                shared.child_cancelled();
                cause
            }
            Outcome::Failed(what) => {
                if let Some(what) = sink.divert(what) {
                    shared.fail(&task, what);
                }
                why(&shared, &task)
            }
            Outcome::Lost(scope) => lost(&shared, scope, &task),
        };
        // It has no value whose destructor could panic.
        drop(sink.fill(Err(ChildError::Cancelled(cause))));
        drop(shared);
    }
}

fn has_scope<F: Future>(run: &Limited<F>) -> bool {
    run.scope_if_made().is_some()
}

/// Why the group is cancelled, after a child failed.
fn why<E>(shared: &Shared<E>, task: &TaskMeta) -> Arc<Cause> {
    let cancelled = shared.scope.cause();
    let failed = || Cause::new(Kind::Sibling, "").with_location(task.spawned_at());
    cancelled.unwrap_or_else(|| Arc::new(failed()))
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
            why(shared, task)
        }
    }
}
