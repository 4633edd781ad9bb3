//! The gathers whose futures are tasks of an executor: children of a group.

use crate::catch::Catch;
use crate::error::{ChildError, GroupError};
use crate::group::GroupBuilder;
use crate::untaken::{Untaken, Value};
use pin_project_lite::pin_project;
use pirn_core::{JoinError, Spawn, TaskMeta};
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
        let meta = self.meta.clone();
        let mut children = Untaken::new(Vec::new(), meta.clone());
        let spawn_all = async |g: crate::TaskGroup<E, S>| {
            let children = &mut children.all;
            let spawned = |future| Value(g.spawn_as(meta.clone(), future));
            children.extend(futures.into_iter().map(spawned));
            Ok(())
        };
        self.run(spawn_all).await?;
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
        Ok(values
            .take()
            .into_iter()
            .map(|Value(value)| value)
            .collect())
    }

    /// Runs futures as children of a group, and gives how each ended, in the order in which they
    /// were given: as [`gather_results`](crate::gather_results()), with a task for each. A panic of one is
    /// its own result, and the others go on.
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
        let all = futures.len();
        let (meta, mut children) = (self.meta.clone(), Vec::with_capacity(all));
        let spawn_all = async |g: crate::TaskGroup<Infallible, S>| {
            let settled = futures.into_iter().map(|inner| Settle {
                inner: Catch { inner },
                meta: meta.clone(),
            });
            children.extend(settled.map(|future| g.spawn_as(meta.clone(), future)));
            Ok(())
        };
        let ended = self.run(spawn_all).await;
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

impl<F: Future> Future for Settle<F> {
    type Output = Result<Settled<F::Output>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = ready!(this.inner.poll(cx));
        let ended = ended.map_err(|payload| JoinError::Panicked(payload.into()));
        Poll::Ready(Ok(Untaken::new(Some(ended), this.meta.clone())))
    }
}
