//! A group: a body, the children that it spawns, and an end after all of them.

mod child;
mod collect;
mod end;
mod in_task;
mod inside;
mod limit;
mod local;
mod owned;
mod shared;
mod slot;
mod start;

pub use child::Child;
pub use collect::Collector;
pub use in_task::{InTask, InTaskLocal, Within, group_in_task};
pub use owned::OwnedGroup;
pub use start::{StartError, Started};

use crate::ambient::Ambient;
use crate::catch::{Catch, drop_quietly};
use crate::error::GroupError;
use child::{Member, Refusal, Sink, ToHandle};
use end::end;
use in_task::Children;
use pin_project_lite::pin_project;
use pirn_core::large::{hand_on, unboxed};
use pirn_core::{Cause, Grace, Priority, Refused, Scope, Spawn, TaskMeta, budget, shield};
use shared::{Closes, Exit, Leaving, Shared, What};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Runs `body` as a group on the spawner of the runtime around, and ends after every child that was
/// spawned in it: short for [`GroupBuilder::ambient`] and [`GroupBuilder::run`].
///
/// Without a runtime the body does not run, and the error [says so](GroupError::missing).
///
/// # Cancel safety
///
/// As [`GroupBuilder::run`].
///
/// # Examples
///
/// ```
/// # use pirn_core::context::Handles;
/// # let mut pool = futures::executor::LocalPool::new();
/// # let mut handles = Handles::default();
/// # handles.spawner = Some(std::sync::Arc::new(pirn_compat::Futures::new(
/// #     futures::executor::ThreadPool::new().unwrap(),
/// # )));
/// # let _entered = std::rc::Rc::new(handles).enter();
/// # pool.run_until(async {
/// use pirn_group::group;
///
/// let length = group(async |g| {
///     let (a, b) = (g.spawn(async { Ok("warp") }), g.spawn(async { Ok("weft") }));
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(a.await?.len() + b.await?.len())
/// })
/// .await;
/// assert_eq!(length.unwrap(), 8);
/// # });
/// ```
#[track_caller]
pub fn group<T, E, F, Fut>(body: F) -> impl Future<Output = Result<T, GroupError<E>>>
where
    E: fmt::Display + 'static,
    F: FnOnce(TaskGroup<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let meta = TaskMeta::here();
    async move {
        match Ambient::current() {
            Ok(spawner) => GroupBuilder::new(spawner, meta).run(body).await,
            Err(missing) => Err(missing.into()),
        }
    }
}

/// What a group is made from: a spawner, and what else is known of it.
///
/// # Examples
///
/// Twenty items, at most five at once, on tokio:
///
/// ```
/// use pirn_compat::TokioHandle;
/// use pirn_group::GroupBuilder;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let squares = GroupBuilder::on(TokioHandle::current()?)
///     .limit(5)
///     .gather((0..20).map(|i| async move { Ok::<_, std::io::Error>(i * i) }))
///     .await?;
/// assert_eq!(squares[19], 361);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it runs a group"]
pub struct GroupBuilder<S> {
    spawner: S,
    pub(crate) meta: TaskMeta,
    limit: Option<usize>,
    grace: Grace,
}

impl GroupBuilder<Ambient> {
    /// A group on the spawner of the runtime around the caller.
    ///
    /// # Errors
    ///
    /// [`Missing`](pirn_core::Missing) outside a runtime. It becomes a [`GroupError`] by `?`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_group::{GroupBuilder, GroupError};
    /// use std::num::ParseIntError;
    ///
    /// async fn parse_all(words: Vec<String>) -> Result<Vec<u32>, GroupError<ParseIntError>> {
    ///     let five_at_once = GroupBuilder::ambient()?.limit(5);
    ///     five_at_once.gather(words.into_iter().map(async |word| word.parse())).await
    /// }
    ///
    /// let outside = futures::executor::block_on(parse_all(Vec::new())).unwrap_err();
    /// assert_eq!(outside.missing().unwrap().what(), "spawner");
    /// ```
    #[track_caller]
    pub fn ambient() -> Result<Self, pirn_core::Missing> {
        let meta = TaskMeta::here();
        Ambient::current().map(|spawner| GroupBuilder::new(spawner, meta))
    }
}

impl<S> GroupBuilder<S> {
    pub(crate) fn new(spawner: S, meta: TaskMeta) -> Self {
        GroupBuilder {
            spawner,
            meta,
            limit: None,
            grace: Grace::Inherit,
        }
    }

    /// A group whose children run on `spawner`.
    #[track_caller]
    pub fn on(spawner: S) -> Self {
        GroupBuilder::new(spawner, TaskMeta::here())
    }

    /// Gives the group a name, for errors.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        GroupBuilder {
            meta: self.meta.named(name),
            ..self
        }
    }

    /// Lets at most `children` run at once. The others wait as tasks that have not started: in the
    /// order in which the executor first polled them, which need not be that in which they were
    /// spawned. So one with a [priority](TaskGroup::spawn_at) may start before an older one, and one
    /// that the executor does not poll keeps no slot from the others. With 0 none ever starts.
    pub fn limit(self, children: usize) -> Self {
        GroupBuilder {
            limit: Some(children),
            ..self
        }
    }

    /// How long clean-up of the body and of each child may take after a cancel, before it is dropped
    /// and [reported](pirn_core::report). Where nothing is said it is what holds around the group.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Grace, Scope};
    /// use pirn_group::GroupBuilder;
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let group = GroupBuilder::in_task().grace(Grace::After(second)).run_in_task(async |g| {
    ///     let grace = async { Ok(Scope::current().and_then(|scope| scope.grace())) };
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(g.spawn(grace).await?)
    /// });
    /// assert_eq!(futures::executor::block_on(group).unwrap(), Some(second)); // of the child
    /// ```
    pub fn grace(self, grace: Grace) -> Self {
        GroupBuilder { grace, ..self }
    }

    /// Runs `body` with the group in its hands, and ends after the last child, clean-up included.
    ///
    /// - The body and every child return a value: the body's is returned.
    /// - One of them fails, by an error or a panic: the others are cancelled and awaited, then all
    ///   errors are returned. A panic goes on from here, the errors having been
    ///   [reported](pirn_core::report).
    /// - The group is cancelled, by [`TaskGroup::cancel`], a deadline or a scope around: children
    ///   and body are cancelled and awaited, then the cause is returned. Where the body had
    ///   returned its value already, [`TaskGroup::cancel`] does not take it away: so a body ends the
    ///   children that run for ever. A cancel of the scope around is not returned to a body that it
    ///   ends.
    ///
    /// # Errors
    ///
    /// [`GroupError`] as said.
    ///
    /// # Panics
    ///
    /// With the first panic of the body or a child, when all have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the children and leaves them, with their clean-up, to the scope
    /// around, then to the runtime's reaper; without either that is
    /// [reported](pirn_core::report::Report::Orphaned), and each ends at its next poll. Errors that
    /// nobody received are reported.
    ///
    /// # Examples
    ///
    /// The first failure ends the siblings:
    ///
    /// ```
    /// use pirn_compat::AsyncExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::sync::Arc;
    ///
    /// let executor = Arc::new(async_executor::Executor::new());
    /// let group = GroupBuilder::on(AsyncExecutor::new(executor.clone())).run(async |g| {
    ///     g.spawn(std::future::pending::<Result<(), _>>()); // would run for ever
    ///     g.spawn(async { Err::<(), _>("no such host") });
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(executor.run(group)).unwrap_err();
    /// assert_eq!(error.into_errors(), ["no such host"]);
    /// ```
    pub fn run<T, E, F, Fut>(self, body: F) -> impl Future<Output = Result<T, GroupError<E>>>
    where
        E: fmt::Display + 'static,
        F: FnOnce(TaskGroup<E, S>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run(self, |_, _| Elsewhere, body)
    }
}

/// Runs `body` as a group whose children are polled by what `children` makes.
async fn run<S, C, T, E, F, Fut>(
    builder: GroupBuilder<S>,
    children: impl FnOnce(&S, &Arc<Shared<E>>) -> C,
    body: F,
) -> Result<T, GroupError<E>>
where
    C: Children,
    E: fmt::Display + 'static,
    F: FnOnce(TaskGroup<E, S>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let around = Scope::current();
    let scope = Scope::child_of(around.as_ref());
    scope.set_grace(builder.grace);
    let shared = Shared::new(scope, builder.meta, builder.limit);
    let exit = Exit(Arc::clone(&shared));
    let children = children(&builder.spawner, &shared);
    let handle = TaskGroup {
        shared: Arc::clone(&shared),
        spawner: builder.spawner,
    };

    let mut value = None;
    let inside = async {
        let _closes = Closes(Arc::clone(&shared));
        let inner = async { body(handle).await };
        match (Catch { inner }).await {
            Ok(Ok(returned)) => {
                value = Some(returned);
                poll_fn(|_| shared.poll_close()).await;
            }
            Ok(Err(error)) => shared.fail(&shared.meta, What::Error(error)),
            Err(payload) => shared.fail(&shared.meta, What::Panic(payload)),
        }
    };
    // Cancels reach the scope from above; the shield keeps its run from being stalled by them,
    // so that failures are returned rather than the cancel that came with them.
    let run = shared.scope.run(inside);
    let inner = Driven {
        leaving: Leaving::new(&shared.scope, &shared.meta),
        children,
        run,
    };
    let ended = shield(Catch { inner }).await;
    end(exit, value, ended, around.as_ref()).await
}

pin_project! {
    /// The run of a group's scope, and the children that are polled beside it.
    struct Driven<'a, R, C> {
        leaving: Leaving<&'a Scope>,
        // Dropped first: the run is that of a scope that waits for them.
        children: C,
        #[pin]
        run: R,
    }
}

impl<R: Future, C: Children> Future for Driven<'_, R, C> {
    type Output = R::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R::Output> {
        let this = self.project();
        let _budget = budget::refill_if_outermost();
        this.children.begin();
        let polled = this.run.poll(cx);
        match polled.is_pending() {
            true => this.children.poll(cx),
            false => this.leaving.ended(),
        }
        polled
    }
}

/// The children of a group that are tasks of an executor.
struct Elsewhere;

impl Children for Elsewhere {}

/// A group, in the hands of its body and its children: spawns, and cancels.
///
/// It is a cheap handle; clones are the same group. Keep it out of what outlives the group: it
/// refuses then. For a group without a body, to be kept in a struct, see [`OwnedGroup`].
///
/// # Examples
///
/// A child spawns its siblings, and the body ends what runs for ever:
///
/// ```
/// use pirn_compat::AsyncExecutor;
/// use pirn_core::Cause;
/// use pirn_group::GroupBuilder;
/// use std::sync::Arc;
///
/// type Error = Box<dyn std::error::Error + Send + Sync>;
/// let executor = Arc::new(async_executor::Executor::new());
/// let group = GroupBuilder::on(AsyncExecutor::new(executor.clone())).run(async |g| {
///     g.spawn_named("heartbeat", std::future::pending::<Result<(), Error>>());
///     let handle = g.clone();
///     let twice = g.spawn(async move { Ok(handle.spawn(async { Ok(21) }).await? * 2) });
///     let answer = twice.await?;
///     g.cancel(Cause::requested("done"));
///     Ok::<_, Error>(answer)
/// });
/// assert_eq!(futures::executor::block_on(executor.run(group)).unwrap(), 42);
/// ```
pub struct TaskGroup<E, S = Ambient> {
    shared: Arc<Shared<E>>,
    spawner: S,
}

impl<E, S: Clone> Clone for TaskGroup<E, S> {
    fn clone(&self) -> Self {
        TaskGroup {
            shared: Arc::clone(&self.shared),
            spawner: self.spawner.clone(),
        }
    }
}

impl<E, S> fmt::Debug for TaskGroup<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("meta", &self.shared.meta)
            .field("scope", &self.shared.scope)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display + Send + 'static, S: Spawn> TaskGroup<E, S> {
    /// Spawns a child.
    ///
    /// If the executor refuses it, the group is cancelled, since it cannot do what it is asked. In
    /// a group that has ended, the refusal goes to the handle, and is [reported](pirn_core::report) if
    /// that is dropped unasked; see [`try_spawn`](Self::try_spawn). In a group that was cancelled the child never starts.
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_as(TaskMeta::here(), future)
    }

    /// As [`spawn`](Self::spawn), with a name, for errors.
    #[track_caller]
    pub fn spawn_named<F, T>(&self, name: impl Into<Arc<str>>, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_as(TaskMeta::here().named(name), future)
    }

    /// As [`spawn`](Self::spawn), for a child that is more or less urgent than others, where the
    /// executor heeds that: see [`Priority`]. A child with a name as well: [`try_spawn`](Self::try_spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Priority;
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    /// use pirn_group::GroupBuilder;
    ///
    /// let executor = LocalExecutor::new();
    /// let group = GroupBuilder::on(executor.handle()).run(async |g| {
    ///     let later = g.spawn_at(Priority::Low, async { Ok(std::time::Instant::now()) });
    ///     let sooner = g.spawn_at(Priority::High, async { Ok(std::time::Instant::now()) });
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(sooner.await? <= later.await?)
    /// });
    /// assert!(executor.run(&mut ThreadPark::new(), group).unwrap().unwrap());
    /// ```
    #[track_caller]
    pub fn spawn_at<F, T>(&self, priority: Priority, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_as(TaskMeta::here().with_priority(priority), future)
    }

    pub(crate) fn spawn_as<F, T>(&self, meta: TaskMeta, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_or_refused(meta, future),
            |meta, future| self.put_or_refused(meta, future),
        )
    }

    /// As [`spawn`](Self::spawn), with a name and place of the caller's choice, and the future back
    /// if it is refused, which is then all that happens.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the group [takes no more children](Self::is_closed): its body has ended with an
    /// error or was cancelled, or has returned and no child lived any more, or it was closed; or if
    /// the executor takes no more tasks.
    pub fn try_spawn<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_child(meta, future),
            unboxed(|meta, future| self.put_child(meta, future)),
        )
    }

    #[inline]
    fn put_or_refused<F, T>(&self, meta: TaskMeta, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.or_refused(&meta, self.put_child(meta.clone(), future))
    }

    #[inline]
    fn put_child<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (sink, child) = ToHandle::new();
        self.spawn_to(meta, future, sink)?;
        Ok(child)
    }

    /// Spawns a child whose result goes to `sink`.
    #[inline]
    fn spawn_to<F, K>(&self, meta: TaskMeta, future: F, sink: K) -> Result<(), Refused<F>>
    where
        F: Future<Output = Result<K::Value, E>> + Send + 'static,
        K: Sink<Error = E> + Send + 'static,
        K::Value: Send,
    {
        let member = Member::new(&self.shared, meta.clone(), future, sink)?;
        let spawned = self.spawner.spawn(meta, member);
        spawned.map_err(|refused| refused.map(Member::into_future))
    }
}

impl<E: fmt::Display + 'static, S> TaskGroup<E, S> {
    /// The child, or the handle of one that never was.
    fn or_refused<F, T>(&self, meta: &TaskMeta, spawned: Result<Child<T>, Refused<F>>) -> Child<T> {
        spawned.unwrap_or_else(|refused| Child::refused(self.refused(meta, refused)))
    }

    /// A child that should have run was refused.
    fn refused<F>(&self, meta: &TaskMeta, refused: Refused<F>) -> Refusal {
        let reason = refused.reason();
        drop_quietly(meta, || drop(refused));
        self.shared.refused(meta, reason)
    }
}

impl<E, S> TaskGroup<E, S> {
    /// Asks the children and the body to end, for `cause`. What the body has returned stays.
    ///
    /// Returns true if the group was not cancelled before.
    pub fn cancel(&self, cause: Cause) -> bool {
        self.shared.scope.cancel(cause)
    }

    /// Refuses children from now on. Those that live are not touched, and the group ends after them.
    pub fn close(&self) {
        self.shared.close();
    }

    /// True if the group takes no more children: it was [closed](Self::close), has ended, or is
    /// about to.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The group's scope: for its deadline, its grace period, its cause.
    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    /// How many children live, those that wait for the [limit](GroupBuilder::limit) included.
    pub fn live(&self) -> usize {
        self.shared.live()
    }
}
