//! What is had of children that borrow, as of all others: those that say when they are ready, and
//! results that are kept.

use super::{Houses, InTask, InTaskLocal, Takes, Within};
use crate::group::TaskGroup;
use crate::group::child::Child;
use crate::group::collect::{Collector, ToCollector};
use crate::group::start::{StartError, Started, ToStarter, reason};
use pirn_core::TaskMeta;
use pirn_core::large::hand_on;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

impl<'env, E: fmt::Display + Send + 'static> TaskGroup<E, InTask<'env>> {
    /// Spawns the child that `make` makes, which may borrow, waits until it says that it is
    /// [ready](Started::send), and gives what it said and its handle.
    ///
    /// Until then the child is the business of whoever calls this: an error of it is returned here,
    /// a panic goes on here, and the group is not cancelled for it. From then on it is a child as any
    /// other.
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
    /// use pirn_core::Cause;
    /// use pirn_group::{Started, group_in_task};
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let address = "127.0.0.1:8080".to_owned();
    /// let serve = async |started: Started<_>| {
    ///     let _ = started.send(address.rsplit(':').next().unwrap()); // borrowed
    ///     std::future::pending::<Result<(), Error>>().await
    /// };
    /// let group = group_in_task(async |g| {
    ///     let (port, _server) = g.start(serve).await?;
    ///     g.cancel(Cause::requested("that will do"));
    ///     Ok::<_, Error>(port)
    /// });
    /// assert_eq!(futures::executor::block_on(group).unwrap(), "8080");
    /// ```
    #[track_caller]
    pub fn start<V, T, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'env,
        V: Send + 'env,
        T: Send + 'env,
    {
        let meta = TaskMeta::here();
        async move { self.start_in(meta, make).await }
    }

    /// As `start`, with a name, for errors.
    ///
    /// # Errors
    ///
    /// As `start`.
    ///
    /// # Cancel safety
    ///
    /// As `start`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_group::{Started, group_in_task};
    ///
    /// let group = group_in_task(async |g| {
    ///     let serve = async |started: Started<u16>| {
    ///         let _ = started.send(80);
    ///         Err::<(), _>("the line broke")
    ///     };
    ///     g.start_named("server", serve).await.unwrap();
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(group).unwrap_err();
    /// assert_eq!(error.first().unwrap().task().name(), Some("server"));
    /// ```
    #[track_caller]
    pub fn start_named<V, T, F, Fut>(
        &self,
        name: impl Into<Arc<str>>,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'env,
        V: Send + 'env,
        T: Send + 'env,
    {
        let meta = TaskMeta::here().named(name);
        async move { self.start_in(meta, make).await }
    }
}

impl<'env, E: fmt::Display + 'static> TaskGroup<E, InTaskLocal<'env>> {
    /// Starts a child that may borrow and need not be [`Send`]. Otherwise as `start`.
    ///
    /// # Errors
    ///
    /// As `start`.
    ///
    /// # Panics
    ///
    /// As `start`.
    ///
    /// # Cancel safety
    ///
    /// As `start`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_group::{Started, group_in_task};
    /// use std::cell::Cell;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let served = Cell::new(0);
    /// let group = group_in_task(async |g| {
    ///     let serve = async |started: Started<u16>| {
    ///         let _ = started.send(8080);
    ///         served.set(served.get() + 1);
    ///         Ok(())
    ///     };
    ///     let (port, _server) = g.start_local(serve).await?;
    ///     Ok::<_, Error>(port)
    /// });
    /// assert_eq!((futures::executor::block_on(group).unwrap(), served.get()), (8080, 1));
    /// ```
    #[track_caller]
    pub fn start_local<V, T, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'env,
        V: 'env,
        T: 'env,
    {
        let meta = TaskMeta::here();
        async move { self.start_in(meta, make).await }
    }

    /// As [`start_local`](Self::start_local), with a name, for errors.
    ///
    /// # Errors
    ///
    /// As `start`.
    ///
    /// # Cancel safety
    ///
    /// As `start`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_group::{Started, group_in_task};
    ///
    /// let group = group_in_task(async |g| {
    ///     let serve = async |_: Started<()>| Err::<(), _>("no such port");
    ///     Ok::<_, &str>(g.start_local_named("server", serve).await.err().unwrap().to_string())
    /// });
    /// let text = futures::executor::block_on(group).unwrap();
    /// assert_eq!(text, "the task failed before it was ready: no such port");
    /// ```
    #[track_caller]
    pub fn start_local_named<V, T, F, Fut>(
        &self,
        name: impl Into<Arc<str>>,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'env,
        V: 'env,
        T: 'env,
    {
        let meta = TaskMeta::here().named(name);
        async move { self.start_in(meta, make).await }
    }
}

impl<'env, T, E> Collector<T, E, InTask<'env>>
where
    T: Send + 'env,
    E: fmt::Display + Send + 'static,
{
    /// Spawns a child that may borrow, as a part of the task, and gives its number: the first is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let words = ["warp".to_owned(), "and".to_owned(), "weft".to_owned()];
    /// let group = pirn_group::group_in_task(async |g| {
    ///     let ends = g.collect();
    ///     for word in &words {
    ///         ends.spawn(async { Ok(&word[1..]) }); // borrowed
    ///     }
    ///     Ok::<_, Error>(ends.all().await?)
    /// });
    /// assert_eq!(futures::executor::block_on(group).unwrap(), ["arp", "nd", "eft"]);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
    {
        self.spawn_in(TaskMeta::here(), future)
    }

    /// As `spawn`, with a name, for errors.
    #[track_caller]
    pub fn spawn_named<F>(&self, name: impl Into<Arc<str>>, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
    {
        self.spawn_in(TaskMeta::here().named(name), future)
    }
}

impl<'env, T: 'env, E: fmt::Display + 'static> Collector<T, E, InTaskLocal<'env>> {
    /// Spawns a child that may borrow and need not be [`Send`], as a part of the task, and gives its
    /// number: the first is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let letters = Cell::new(0);
    /// let group = pirn_group::group_in_task(async |g| {
    ///     let mut sizes = g.collect();
    ///     for word in ["warp", "and", "weft"] {
    ///         let letters = &letters;
    ///         sizes.spawn_local(async move {
    ///             letters.set(letters.get() + word.len());
    ///             Ok(word.len())
    ///         });
    ///     }
    ///     let mut most = 0;
    ///     while let Some((_, size)) = sizes.next().await {
    ///         most = most.max(size?);
    ///     }
    ///     Ok::<_, Error>(most)
    /// });
    /// assert_eq!((futures::executor::block_on(group).unwrap(), letters.get()), (4, 11));
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'env,
    {
        self.spawn_in(TaskMeta::here(), future)
    }

    /// As [`spawn_local`](Self::spawn_local), with a name, for errors.
    #[track_caller]
    pub fn spawn_local_named<F>(&self, name: impl Into<Arc<str>>, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'env,
    {
        self.spawn_in(TaskMeta::here().named(name), future)
    }
}

impl<E: fmt::Display + 'static, C: ?Sized> TaskGroup<E, Within<C>> {
    async fn start_in<V, T, F, Fut>(
        &self,
        meta: TaskMeta,
        make: F,
    ) -> Result<(V, Child<T>), StartError<E>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: Houses<Fut, ToStarter<V, T, E>>,
    {
        let spawn = |future, sink| {
            hand_on(
                sink,
                future,
                |sink, future| reason(self.put(meta.clone(), future, sink)),
                |sink, future| reason(self.put(meta.clone(), future, sink)),
            )
        };
        self.starting(&meta, make, spawn)?.await
    }
}

impl<T, E: fmt::Display + 'static, C: ?Sized> Collector<T, E, Within<C>> {
    fn spawn_in<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>>,
        C: Houses<F, ToCollector<T, E>>,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_in(meta, future),
            |meta, future| self.put_in(meta, future),
        )
    }

    fn put_in<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>>,
        C: Takes<F, ToCollector<T, E>>,
    {
        let spawn = |sink| self.group.put(meta.clone(), future, sink);
        self.numbered(&meta, spawn)
    }
}
