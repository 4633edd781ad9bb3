//! Children that say when they are ready.
//!
//! | `Progress` | meaning | set by |
//! |---|---|---|
//! | `Waiting` | the child has neither said so nor ended; whoever starts it waits | `Ready::new` |
//! | `Said` | it is ready; its value waits for the starter | `Started::send` |
//! | `Ended` | it ended before that; why lies in `Early` | `ToStarter`, as the child ends |
//! | `Over` | the starter has taken what there was, or was dropped: a failure from now on is the group's | `Starting`, its drop |

use super::TaskGroup;
use super::child::{Child, Sink, ToHandle};
use super::shared::{Shared, What};
use crate::error::ChildError;
use pirn_core::large::hand_on;
use pirn_core::shim::Mutex;
use pirn_core::wake::{discard, wake};
use pirn_core::{Cause, Kind, Refused, Scope, Spawn, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// With what a child that was [started](TaskGroup::start) says that it is ready.
///
/// Dropping it says nothing: whoever starts the child waits on, until it ends.
///
/// # Examples
///
/// ```
/// use pirn_group::Started;
///
/// async fn serve(started: Started<u16>) -> Result<(), std::io::Error> {
///     let port = 8080; // of the socket that listens by now
///     assert!(started.send(port).is_ok()); // somebody waits for it
///     Ok(())
/// }
/// # let mut pool = futures::executor::LocalPool::new();
/// # let group = pirn_group::GroupBuilder::on(pirn_compat::Futures::new(pool.spawner()));
/// # let run = group.run(async |g| Ok(g.start(serve).await.map_err(std::io::Error::other)?.0));
/// # assert_eq!(pool.run_until(run).unwrap(), 8080);
/// ```
pub struct Started<V>(Arc<Ready<V>>);

struct Ready<V>(Mutex<Progress<V>>);

enum Progress<V> {
    Waiting(Option<Waker>),
    Said(V),
    Ended,
    Over,
}

/// Why a child that was [started](TaskGroup::start) did not become ready.
///
/// # Examples
///
/// ```
/// use pirn_group::StartError;
///
/// let error: StartError<std::fmt::Error> = StartError::NotStarted;
/// assert_eq!(error.to_string(), "the task ended without saying that it was ready");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartError<E> {
    /// It failed. The group knows nothing of it.
    Failed(E),
    /// It returned a value, and had not said that it was ready.
    NotStarted,
    /// It was cancelled, alone or with its group, or its executor dropped it.
    Cancelled(Arc<Cause>),
    /// It was never spawned, for this reason.
    Refused(&'static str),
}

/// How a child ended that was not ready.
enum Early<E> {
    Failed(What<E>),
    Other(StartError<E>),
}

/// From a child to whoever starts it, and then to its handle.
pub(super) struct ToStarter<V, T, E> {
    ready: Arc<Ready<V>>,
    early: Arc<Mutex<Option<Early<E>>>>,
    handle: ToHandle<T, E>,
}

/// Waits until the child is ready.
pub(super) struct Starting<V, T, E: fmt::Display> {
    ready: Arc<Ready<V>>,
    early: Arc<Mutex<Option<Early<E>>>>,
    shared: Arc<Shared<E>>,
    /// Until it is given away.
    child: Option<Child<T>>,
    task: TaskMeta,
}

impl<E: fmt::Display + Send + 'static, S: Spawn> TaskGroup<E, S> {
    /// Spawns the child that `make` makes, waits until it says that it is
    /// [ready](Started::send), and gives what it said and its handle.
    ///
    /// Until then the child is the business of whoever calls this, though it runs in the group: an
    /// error of it is returned here, a panic goes on here, and the group is not cancelled for it.
    /// From then on it is a child as any other. Taken from trio's `Nursery.start`; there, the
    /// child's cancel scope is the caller's until it is ready, here it is the group's from the start.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the child ends without having been ready, or is refused.
    ///
    /// # Panics
    ///
    /// With a panic of the child, if it comes before it was ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the child if it is not ready yet; the group waits for it, and an
    /// error of it is then the group's. If it is ready, it goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncExecutor;
    /// use pirn_core::Cause;
    /// use pirn_group::{GroupBuilder, Started};
    /// use std::sync::Arc;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let executor = Arc::new(async_executor::Executor::new());
    /// let group = GroupBuilder::on(AsyncExecutor::new(executor.clone())).run(async |g| {
    ///     let serve = async |started: Started<u16>| {
    ///         let _ = started.send(8080);
    ///         std::future::pending::<Result<(), Error>>().await
    ///     };
    ///     let (port, _server) = g.start(serve).await?;
    ///     g.cancel(Cause::requested("that will do"));
    ///     Ok::<_, Error>(port)
    /// });
    /// assert_eq!(futures::executor::block_on(executor.run(group)).unwrap(), 8080);
    /// ```
    #[track_caller]
    pub fn start<V, T, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        V: Send + 'static,
        T: Send + 'static,
    {
        self.start_as(TaskMeta::here(), make)
    }

    /// As [`start`](Self::start), with a name, for errors.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncExecutor;
    /// use pirn_group::{GroupBuilder, Started};
    /// use std::sync::Arc;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let executor = Arc::new(async_executor::Executor::new());
    /// let group = GroupBuilder::on(AsyncExecutor::new(executor.clone())).run(async |g| {
    ///     let serve = async |_: Started<u16>| Err::<(), Error>("no such port".into());
    ///     let error = g.start_named("server", serve).await.err().unwrap();
    ///     Ok::<_, Error>(error.to_string())
    /// });
    /// let text = futures::executor::block_on(executor.run(group)).unwrap();
    /// assert_eq!(text, "the task failed before it was ready: no such port");
    /// ```
    #[track_caller]
    pub fn start_named<V, T, F, Fut>(
        &self,
        name: impl Into<Arc<str>>,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        V: Send + 'static,
        T: Send + 'static,
    {
        self.start_as(TaskMeta::here().named(name), make)
    }

    async fn start_as<V, T, F, Fut>(
        &self,
        meta: TaskMeta,
        make: F,
    ) -> Result<(V, Child<T>), StartError<E>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        V: Send + 'static,
        T: Send + 'static,
    {
        let spawn = |future, sink| {
            hand_on(
                sink,
                future,
                |sink, future| reason(self.spawn_to(meta.clone(), future, sink)),
                |sink, future| reason(self.spawn_to(meta.clone(), future, sink)),
            )
        };
        self.starting(&meta, make, spawn)?.await
    }
}

impl<E: fmt::Display, S> TaskGroup<E, S> {
    /// Makes a child, and has it spawned by `spawn`, with its result going to the sink, or hears why
    /// not.
    pub(super) fn starting<V, T, F, Fut>(
        &self,
        meta: &TaskMeta,
        make: F,
        spawn: impl FnOnce(Fut, ToStarter<V, T, E>) -> Result<(), &'static str>,
    ) -> Result<Starting<V, T, E>, StartError<E>>
    where
        F: FnOnce(Started<V>) -> Fut,
    {
        let ready = Arc::new(Ready(Mutex::new(Progress::Waiting(None))));
        let early = Arc::new(Mutex::new(None));
        let future = make(Started(Arc::clone(&ready)));
        let (handle, child) = ToHandle::new();
        let sink = ToStarter {
            ready: Arc::clone(&ready),
            early: Arc::clone(&early),
            handle,
        };
        spawn(future, sink).map_err(StartError::Refused)?;
        Ok(Starting {
            ready,
            early,
            shared: Arc::clone(&self.shared),
            child: Some(child),
            task: meta.clone(),
        })
    }
}

/// Why a child was refused, without its future.
pub(super) fn reason<F>(spawned: Result<(), Refused<F>>) -> Result<(), &'static str> {
    spawned.map_err(|refused| refused.reason())
}

impl<V> Started<V> {
    /// Says that the child is ready, and gives `value` to whoever starts it.
    ///
    /// # Errors
    ///
    /// The value, if nobody waits for it any more; the child is then cancelled.
    pub fn send(self, value: V) -> Result<(), V> {
        let mut progress = self.0.0.lock();
        let Progress::Waiting(waker) = &mut *progress else {
            return Err(value);
        };
        let waker = waker.take();
        *progress = Progress::Said(value);
        drop(progress);
        if let Some(waker) = waker {
            wake(waker);
        }
        Ok(())
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

impl<V, T, E: fmt::Display> Sink for ToStarter<V, T, E> {
    type Value = T;
    type Error = E;

    fn divert(&self, what: What<E>) -> Option<What<E>> {
        match self.ready.end(&self.early, Early::Failed(what))? {
            Early::Failed(what) => Some(what),
            Early::Other(_) => None,
        }
    }

    fn is_asked(&self) -> bool {
        self.handle.is_asked()
    }

    fn link(&mut self, scope: &Scope) {
        self.handle.link(scope);
    }

    fn fill(self, result: Result<T, ChildError>) -> Option<Result<T, ChildError>> {
        let early = match &result {
            Ok(_) => StartError::NotStarted,
            Err(ChildError::Cancelled(cause)) => StartError::Cancelled(Arc::clone(cause)),
            Err(ChildError::Refused(reason)) => StartError::Refused(reason),
        };
        let left = self.handle.fill(result);
        // After a failure that the starter has, this finds nobody.
        drop(self.ready.end(&self.early, Early::Other(early)));
        left
    }
}

impl<V, T, E: fmt::Display> Future for Starting<V, T, E> {
    type Output = Result<(V, Child<T>), StartError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.ready.poll_said(cx));
        ready!(budget::poll_spend(cx));
        if let Some(value) = self.ready.take() {
            let child = self.child.take();
            return Poll::Ready(Ok((value, child.expect("given away once"))));
        }
        let early = self.early.lock().take();
        Poll::Ready(Err(match early {
            Some(Early::Failed(What::Error(error))) => StartError::Failed(error),
            Some(Early::Failed(What::Panic(payload))) => resume_unwind(payload),
            Some(Early::Other(error)) => error,
            None => StartError::NotStarted,
        }))
    }
}

impl<V, T, E: fmt::Display> Drop for Starting<V, T, E> {
    fn drop(&mut self) {
        let mut progress = self.ready.0.lock();
        let former = std::mem::replace(&mut *progress, Progress::Over);
        drop(progress);
        match former {
            Progress::Waiting(waker) => {
                discard(waker);
                let text = "whoever started it was dropped";
                let cause = Cause::new(Kind::Dropped, text).with_location(self.task.spawned_at());
                if let Some(child) = &self.child {
                    child.cancel(cause);
                }
            }
            Progress::Ended => {
                if let Some(Early::Failed(what)) = self.early.lock().take() {
                    self.shared.fail(&self.task, what);
                }
            }
            Progress::Said(_) | Progress::Over => {}
        }
    }
}

impl<V> Ready<V> {
    /// Ready if the child has said so, or has ended.
    fn poll_said(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        let mut progress = self.0.lock();
        let polled = match &mut *progress {
            Progress::Waiting(slot) => {
                std::mem::swap(slot, &mut waker);
                budget::inspect::say("a child that is not ready yet");
                Poll::Pending
            }
            Progress::Said(_) | Progress::Ended | Progress::Over => Poll::Ready(()),
        };
        drop(progress);
        waker.into_iter().for_each(discard);
        polled
    }

    /// Says why the child ends, if the starter waits; otherwise gives it back.
    fn end<E>(&self, place: &Mutex<Option<Early<E>>>, early: Early<E>) -> Option<Early<E>> {
        let mut progress = self.0.lock();
        let Progress::Waiting(waker) = &mut *progress else {
            return Some(early);
        };
        let waker = waker.take();
        // In its place before the starter can know of it.
        *place.lock() = Some(early);
        *progress = Progress::Ended;
        drop(progress);
        if let Some(waker) = waker {
            wake(waker);
        }
        None
    }

    fn take(&self) -> Option<V> {
        let mut progress = self.0.lock();
        if !matches!(*progress, Progress::Said(_)) {
            return None;
        }
        match std::mem::replace(&mut *progress, Progress::Over) {
            Progress::Said(value) => Some(value),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Failed(error) => {
                write!(f, "the task failed before it was ready: {error:#}")
            }
            StartError::NotStarted => {
                f.write_str("the task ended without saying that it was ready")
            }
            StartError::Cancelled(cause) => write!(f, "the task was {cause}"),
            StartError::Refused(reason) => write!(f, "the task was not spawned: {reason}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for StartError<E> {}
