//! The gathers whose futures are tasks of an executor: children of a group, `Send` or not.

use crate::catch::Catch;
use crate::error::{ChildError, GroupError};
use crate::group::{Child, GroupBuilder, TaskGroup};
use crate::untaken::{Untaken, Value};
use pin_project_lite::pin_project;
use pirn_core::{JoinError, Spawn, SpawnLocal, TaskMeta};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<S: Spawn> GroupBuilder<S> {
    /// Runs futures as children of a group, and gives their values in the order in which the
    /// futures were given: as [`gather`](crate::gather()), which needs no spawner and whose futures
    /// may borrow, but with a task for each, so that they run on all threads of the executor.
    ///
    /// # Errors
    ///
    /// The first failure cancels the others; when all have ended, every error is returned.
    ///
    /// # Panics
    ///
    /// With the first panic of a future, when all have ended.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn gather<I, F, T, E>(self, futures: I) -> Result<Vec<T>, GroupError<E>>
    where
        I: IntoIterator<Item = F>,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        self.gather_by(|g, meta, children| {
            let spawned = |future| Value(g.spawn_as(meta.clone(), future));
            children.extend(futures.into_iter().map(spawned));
        })
        .await
    }

    /// Runs futures as children of a group, and gives how each ended, in the order in which they
    /// were given: as [`gather_results`](crate::gather_results()), with a task for each. A panic of one
    /// is its own result, and the others go on.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run). A panic, which nobody is given then, is reported.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pirn_compat::Futures;
    /// # use pirn_group::GroupBuilder;
    /// # let mut pool = futures::executor::LocalPool::new();
    /// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
    /// let ends = group.gather_results((0..3).map(|i| async move { 6 / i }));
    /// # let ends = pool.run_until(ends);
    /// assert!(ends[0].as_ref().unwrap_err().is_panic()); // a division by zero
    /// assert_eq!(ends[2].as_ref().unwrap(), &3);
    /// ```
    pub async fn gather_results<I, F, T>(self, futures: I) -> Vec<Result<T, JoinError>>
    where
        I: IntoIterator<Item = F>,
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let futures: Vec<F> = futures.into_iter().collect();
        self.gather_results_by(futures.len(), |g, meta, children| {
            let settled = futures.into_iter().map(|future| Settle::new(future, meta));
            children.extend(settled.map(|f| g.spawn_as(meta.clone(), f)));
        })
        .await
    }
}

impl<S: SpawnLocal> GroupBuilder<S> {
    /// As [`gather`](Self::gather), for futures that need not be `Send`, on a spawner of one thread.
    ///
    /// # Errors
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Panics
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::rc::Rc;
    ///
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone()));
    /// let words = ["warp", "weft"].map(|word| async move { Ok::<_, &str>(Rc::<str>::from(word)) });
    /// let words = futures::executor::block_on(executor.run(group.gather_local(words)));
    /// assert_eq!(words.unwrap().concat(), "warpweft");
    /// ```
    pub async fn gather_local<I, F, T, E>(self, futures: I) -> Result<Vec<T>, GroupError<E>>
    where
        I: IntoIterator<Item = F>,
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: fmt::Display + 'static,
    {
        self.gather_by(|g, meta, children| {
            let spawned = |future| Value(g.spawn_local_as(meta.clone(), future));
            children.extend(futures.into_iter().map(spawned));
        })
        .await
    }

    /// As [`gather_results`](Self::gather_results), for futures that need not be `Send`, on a spawner
    /// of one thread.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::rc::Rc;
    ///
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone()));
    /// let ends = group.gather_results_local((0..3).map(|i| async move { Rc::new(6 / i) }));
    /// let ends = futures::executor::block_on(executor.run(ends));
    /// assert!(ends[0].as_ref().unwrap_err().is_panic()); // a division by zero
    /// assert_eq!(**ends[2].as_ref().unwrap(), 3);
    /// ```
    pub async fn gather_results_local<I, F, T>(self, futures: I) -> Vec<Result<T, JoinError>>
    where
        I: IntoIterator<Item = F>,
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let futures: Vec<F> = futures.into_iter().collect();
        self.gather_results_by(futures.len(), |g, meta, children| {
            let settled = futures.into_iter().map(|future| Settle::new(future, meta));
            children.extend(settled.map(|f| g.spawn_local_as(meta.clone(), f)));
        })
        .await
    }
}

impl<S> GroupBuilder<S> {
    // Both are told how to spawn all, not how to spawn one: that would be one more copy of a future.
    async fn gather_by<T, E>(
        self,
        spawn_all: impl FnOnce(&TaskGroup<E, S>, &TaskMeta, &mut Vec<Value<Child<T>>>),
    ) -> Result<Vec<T>, GroupError<E>>
    where
        E: fmt::Display + 'static,
    {
        let meta = self.meta.clone();
        let mut children = Untaken::new(Vec::new(), meta.clone());
        let body = async |g| {
            spawn_all(&g, &meta, &mut children.all);
            Ok(())
        };
        self.run(body).await?;
        let mut values = Untaken::new(Vec::with_capacity(children.all.len()), meta);
        for Value(child) in &mut children.all {
            match child.take() {
                Some(Ok(value)) => values.all.push(Value(value)),
                // Cancelled by itself: not a failure, and yet there is no value.
                Some(Err(ChildError::Cancelled(cause))) => {
                    return Err(GroupError::cancelled(cause));
                }
                _ => unreachable!("every child of a group has ended when the group has"),
            }
        }
        let values = values.take().into_iter();
        Ok(values.map(|Value(value)| value).collect())
    }

    async fn gather_results_by<T>(
        self,
        all: usize,
        spawn_all: impl FnOnce(&TaskGroup<Infallible, S>, &TaskMeta, &mut Vec<Child<Settled<T>>>),
    ) -> Vec<Result<T, JoinError>> {
        let (meta, mut children) = (self.meta.clone(), Vec::with_capacity(all));
        let body = async |g| {
            spawn_all(&g, &meta, &mut children);
            Ok(())
        };
        let ended = self.run(body).await;
        let mut results: Vec<_> = children
            .into_iter()
            .filter_map(|mut child| child.take())
            .map(|ended| ended?.take().expect("it is taken here alone"))
            .collect();
        // A group that was cancelled before its first poll spawned nothing.
        if let Some(cause) = ended.as_ref().err().and_then(GroupError::cause) {
            results.resize_with(all, || Err(JoinError::Cancelled(cause.clone())));
        }
        results
    }
}

type Settled<T> = Untaken<Option<Result<T, JoinError>>>;

pin_project! {
    /// A future that cannot fail: its value, or its panic, is its result.
    struct Settle<F> {
        #[pin]
        inner: Catch<F>,
        meta: TaskMeta,
    }
}

impl<F> Settle<F> {
    fn new(future: F, meta: &TaskMeta) -> Self {
        Settle {
            inner: Catch { inner: future },
            meta: meta.clone(),
        }
    }
}

impl<F: Future> Future for Settle<F> {
    type Output = Result<Settled<F::Output>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = ready!(this.inner.poll(cx));
        let ended = ended.map_err(|payload| JoinError::Panicked(payload.into()));
        Poll::Ready(Ok(Untaken::new(Some(ended), this.meta.clone())))
    }
}
