//! Children that need not be `Send`, on spawners of one thread: spawned, started and collected as all
//! others.

use super::TaskGroup;
use super::child::{Child, Member, Sink, ToHandle};
use super::collect::Collector;
use super::start::{StartError, Started, reason};
use pirn_core::large::{hand_on, unboxed};
use pirn_core::{Priority, Refused, SpawnLocal, TaskMeta};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

impl<E: fmt::Display + 'static, S: SpawnLocal> TaskGroup<E, S> {
    /// Spawns a child that need not be `Send`, on a spawner of one thread. Otherwise as
    /// [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::rc::Rc;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone())).run(async |g| {
    ///     let text = Rc::new("not Send");
    ///     let length = g.spawn_local(async move { Ok(text.len()) });
    ///     Ok::<_, Error>(length.await?)
    /// });
    /// assert_eq!(futures::executor::block_on(executor.run(group)).unwrap(), 8);
    /// ```
    #[track_caller]
    pub fn spawn_local<F, T>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.spawn_local_as(TaskMeta::here(), future)
    }

    /// As [`spawn_local`](Self::spawn_local), with a name, for errors.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::rc::Rc;
    ///
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone())).run(async |g| {
    ///     g.spawn_local_named("weaver", async { Err::<(), _>("the thread broke") });
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(executor.run(group)).unwrap_err();
    /// assert_eq!(error.first().unwrap().task().name(), Some("weaver"));
    /// ```
    #[track_caller]
    pub fn spawn_local_named<F, T>(&self, name: impl Into<Arc<str>>, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.spawn_local_as(TaskMeta::here().named(name), future)
    }

    /// As [`spawn_local`](Self::spawn_local), for a child that is more or less urgent than others: see
    /// [`spawn_at`](Self::spawn_at).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Priority;
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    /// use pirn_group::GroupBuilder;
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// let (executor, order) = (LocalExecutor::new(), Rc::new(RefCell::new(Vec::new())));
    /// let note = |word| {
    ///     let order = Rc::clone(&order);
    ///     async move { Ok(order.borrow_mut().push(word)) }
    /// };
    /// let group = GroupBuilder::on(executor.handle()).run(async |g| {
    ///     g.spawn_local_at(Priority::Low, note("the carpet"));
    ///     g.spawn_local_at(Priority::High, note("the ribbon"));
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// executor.run(&mut ThreadPark::new(), group).unwrap().unwrap();
    /// assert_eq!(*order.borrow(), ["the ribbon", "the carpet"]);
    /// ```
    #[track_caller]
    pub fn spawn_local_at<F, T>(&self, priority: Priority, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.spawn_local_as(TaskMeta::here().with_priority(priority), future)
    }

    pub(crate) fn spawn_local_as<F, T>(&self, meta: TaskMeta, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.or_refused(&meta, self.put_local_child(meta.clone(), future)),
            |meta, future| self.or_refused(&meta, self.put_local_child(meta.clone(), future)),
        )
    }

    /// As [`try_spawn`](Self::try_spawn), for a child that need not be `Send`.
    ///
    /// # Errors
    ///
    /// As [`try_spawn`](Self::try_spawn).
    pub fn try_spawn_local<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_local_child(meta, future),
            unboxed(|meta, future| self.put_local_child(meta, future)),
        )
    }

    /// As [`start`](Self::start), for a child that need not be `Send`, nor what it says.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
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
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_core::Cause;
    /// use pirn_group::{GroupBuilder, Started};
    /// use std::rc::Rc;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone())).run(async |g| {
    ///     let serve = async |started: Started<Rc<str>>| {
    ///         let address = Rc::from("127.0.0.1:8080");
    ///         let _ = started.send(Rc::clone(&address));
    ///         std::future::pending::<Result<(), Error>>().await
    ///     };
    ///     let (address, _server) = g.start_local(serve).await?;
    ///     g.cancel(Cause::requested("that will do"));
    ///     Ok::<_, Error>(address)
    /// });
    /// let address = futures::executor::block_on(executor.run(group)).unwrap();
    /// assert_eq!(&*address, "127.0.0.1:8080");
    /// ```
    #[track_caller]
    pub fn start_local<V, T, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        V: 'static,
        T: 'static,
    {
        self.start_local_as(TaskMeta::here(), make)
    }

    /// As [`start_local`](Self::start_local), with a name, for errors.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
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
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::{GroupBuilder, Started};
    /// use std::rc::Rc;
    ///
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone())).run(async |g| {
    ///     let serve = async |started: Started<Rc<u16>>| {
    ///         let _ = started.send(Rc::new(80));
    ///         Err::<(), _>("the line broke")
    ///     };
    ///     g.start_local_named("server", serve).await.unwrap();
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(executor.run(group)).unwrap_err();
    /// assert_eq!(error.first().unwrap().task().name(), Some("server"));
    /// ```
    #[track_caller]
    pub fn start_local_named<V, T, F, Fut>(
        &self,
        name: impl Into<Arc<str>>,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        V: 'static,
        T: 'static,
    {
        self.start_local_as(TaskMeta::here().named(name), make)
    }

    async fn start_local_as<V, T, F, Fut>(
        &self,
        meta: TaskMeta,
        make: F,
    ) -> Result<(V, Child<T>), StartError<E>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        V: 'static,
        T: 'static,
    {
        let spawn = |future, sink| {
            hand_on(
                sink,
                future,
                |sink, future| reason(self.spawn_local_to(meta.clone(), future, sink)),
                |sink, future| reason(self.spawn_local_to(meta.clone(), future, sink)),
            )
        };
        self.starting(&meta, make, spawn)?.await
    }

    fn put_local_child<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let (sink, child) = ToHandle::new();
        self.spawn_local_to(meta, future, sink)?;
        Ok(child)
    }

    /// Spawns a child whose result goes to `sink`.
    fn spawn_local_to<F, K>(&self, meta: TaskMeta, future: F, sink: K) -> Result<(), Refused<F>>
    where
        F: Future<Output = Result<K::Value, E>> + 'static,
        K: Sink<Error = E> + 'static,
    {
        let member = Member::new(&self.shared, meta.clone(), future, sink)?;
        let spawned = self.spawner.spawn_local(meta, member);
        spawned.map_err(|refused| refused.map(Member::into_future))
    }
}

impl<T, E, S> Collector<T, E, S>
where
    T: 'static,
    E: fmt::Display + 'static,
    S: SpawnLocal,
{
    /// Spawns a child that need not be `Send`, as [`TaskGroup::spawn_local`], and gives its number: the
    /// first is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::AsyncLocalExecutor;
    /// use pirn_group::GroupBuilder;
    /// use std::rc::Rc;
    ///
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let executor = Rc::new(async_executor::LocalExecutor::new());
    /// let group = GroupBuilder::on(AsyncLocalExecutor::new(executor.clone())).run(async |g| {
    ///     let words = g.collect();
    ///     for word in ["warp", "weft"] {
    ///         words.spawn_local(async move { Ok(Rc::<str>::from(word)) });
    ///     }
    ///     Ok::<_, Error>(words.all().await?)
    /// });
    /// let words = futures::executor::block_on(executor.run(group)).unwrap();
    /// assert_eq!(words.iter().map(|word| &**word).collect::<Vec<_>>(), ["warp", "weft"]);
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        self.spawn_local_as(TaskMeta::here(), future)
    }

    /// As [`spawn_local`](Self::spawn_local), with a name, for errors.
    #[track_caller]
    pub fn spawn_local_named<F>(&self, name: impl Into<Arc<str>>, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        self.spawn_local_as(TaskMeta::here().named(name), future)
    }

    fn spawn_local_as<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_local(meta, future),
            |meta, future| self.put_local(meta, future),
        )
    }

    fn put_local<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let spawn = |sink| self.group.spawn_local_to(meta.clone(), future, sink);
        self.numbered(&meta, spawn)
    }
}
