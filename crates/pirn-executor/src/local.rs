//! The executor of one thread.
//!
//! # How it works
//!
//! What all threads share has two parts. The [`Bound`](crate::bound::Bound) one, the run queue and
//! the heap of its tasks, only the executor's thread can reach: a wake there is a push on a plain
//! queue. The remote one, behind a lock, takes what other threads ask of its tasks and the tasks
//! that they spawn, and holds the waker of whoever drives the executor, while that one sleeps.
//!
//! ```text
//! wake on the own thread ──▶ queue ───────────────────────┐
//! wake elsewhere ──▶ remote queue ──▶ (once a turn, settled) ──▶ queue ──▶ run
//! ```

mod lanes;
mod order;
mod scoped;
mod shared;

pub use order::Order;
pub use scoped::ScopedExecutor;

use crate::current::{Current, Enter};
use crate::entry::or_ended;
use crate::gate::Gate;
use crate::hooks::Hooks;
use crate::task::{Spawned, Task, TaskInfo, Vacant};
use crate::unparker::Unparker;
use order::Chooser;
use pirn_core::large::{hand_on, unboxed};
use pirn_core::shim::Arc;
use pirn_core::{
    Cause, Kind, Locals, Park, ParkError, Priority, Refused, Spawn, SpawnLocal, TaskMeta, Until,
    budget, context,
};
pub(crate) use shared::Shared;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// How many tasks are polled before an executor looks at its [`Park`], and at what other threads
/// sent it: a ready event waits for this many polls at most, whatever the tasks do.
pub const PARK_INTERVAL: u32 = 61;

/// An executor of one thread, for futures that need not be `Send`.
///
/// It is driven in one of two ways: [`run`](Self::run) gives it the thread and a [`Park`] to sleep
/// on; [`poll_tick`](Self::poll_tick) and [`try_tick`](Self::try_tick) let a foreign loop drive it
/// step by step. Tasks come from [`spawn`](Self::spawn), from the free functions
/// [`spawn`](crate::spawn()) and [`spawn_local`](crate::spawn_local()) inside its tasks, and from
/// its [`handle`](Self::handle).
///
/// Dropping it drops the futures of all its tasks, which end as cancelled by shutdown. Wakers and
/// handles may outlive it.
///
/// After a `fork` a lock may be held for ever by a thread that the child does not have: one that woke
/// or spawned something here. So it must not be touched in the child, nor dropped, unless no other
/// thread ever had a waker or a handle of it.
///
/// What tasks took in memory is used again by others. What was not needed for a while, beyond half a
/// megabyte, is given back when there is nothing to do, in `run` or `poll_tick`: in parts of about a
/// tenth of a millisecond, between which all else has its turn.
///
/// # Fairness
///
/// Tasks run in the order in which they became ready ([`Order::Fifo`]), unless some have a
/// [`Priority`]. What other threads woke or spawned joins the queue after [`PARK_INTERVAL`] polls at
/// most; if it is more than 512 tasks, so many at a time, in the order in which that was done. A task
/// that always finds something ready gives way when its [budget](pirn_core::budget) is spent.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark};
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new();
/// let text = Rc::new("not Send"); // and yet in a task
/// let task = executor.spawn(async move { text.len() });
/// let length = executor.run(&mut ThreadPark::new(), task)?;
/// assert_eq!(length.unwrap(), 8);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct LocalExecutor {
    handle: LocalHandle,
    /// Its thread is the one that made it.
    stays: PhantomData<*const ()>,
}

/// Spawns on a [`LocalExecutor`], from any thread; and on the executor's own, also what is not
/// `Send`.
///
/// A handle does not keep the executor alive: it refuses when that is gone.
///
/// # Examples
///
/// ```
/// use pirn_core::{Spawn, TaskMeta};
/// use pirn_executor::{LocalExecutor, ThreadPark};
///
/// let executor = LocalExecutor::new();
/// let handle = executor.handle();
/// let task = std::thread::spawn(move || handle.spawn(async { 5 })).join().unwrap();
/// assert_eq!(executor.run(&mut ThreadPark::new(), task)?.unwrap(), 5);
///
/// let handle = executor.handle();
/// drop(executor);
/// assert!(Spawn::spawn(&handle, TaskMeta::here(), async {}).is_err());
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Clone)]
pub struct LocalHandle {
    shared: Arc<Shared>,
}

/// What a [`LocalExecutor`] has done and holds.
///
/// # Examples
///
/// ```
/// let executor = pirn_executor::LocalExecutor::new();
/// executor.spawn(async {}).detach();
/// assert_eq!(executor.statistics().live, 1);
/// while executor.try_tick() {}
/// assert_eq!((executor.statistics().live, executor.statistics().polls), (0, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalStatistics {
    /// Polls of tasks, in all.
    pub polls: u64,
    /// Tasks that have not ended, those aside that another thread spawned and that have not been
    /// taken in yet.
    pub live: usize,
    /// Tasks that are ready.
    pub queued: usize,
}

const FOREIGN: &str = "a future that is not Send can be spawned on its executor's thread only";

impl Default for LocalExecutor {
    fn default() -> Self {
        LocalExecutor::new()
    }
}

impl LocalExecutor {
    /// An executor of this thread.
    pub fn new() -> Self {
        LocalExecutor::with_order(Order::Fifo)
    }

    /// An executor of this thread that chooses the next task by `order`.
    pub fn with_order(order: Order) -> Self {
        LocalExecutor::of(Shared::new(Chooser::new(order), None))
    }

    /// An executor of this thread that tells `hooks` of its tasks. Each task then costs an
    /// allocation more.
    pub fn with_hooks(order: Order, hooks: std::sync::Arc<dyn Hooks>) -> Self {
        LocalExecutor::of(Shared::new(Chooser::new(order), Some(hooks)))
    }

    fn of(shared: Arc<Shared>) -> Self {
        LocalExecutor {
            handle: LocalHandle { shared },
            stays: PhantomData,
        }
    }

    /// A handle that spawns.
    pub fn handle(&self) -> LocalHandle {
        self.handle.clone()
    }

    /// Spawns a task. It runs when the executor is driven, never inside this call.
    ///
    /// After [`shutdown`](Self::shutdown) it ends at once as
    /// [`JoinError::Refused`](pirn_core::JoinError::Refused).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.handle.spawn_local(future)
    }

    /// As [`spawn`](Self::spawn), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, after [`shutdown`](Self::shutdown).
    pub fn try_spawn<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.handle.try_spawn_local(meta, future)
    }

    /// As [`spawn`](Self::spawn), for a task that is more or less urgent than others: see
    /// [`Priority`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, Priority};
    /// use std::sync::mpsc::channel;
    ///
    /// let executor = LocalExecutor::new();
    /// let (say, said) = channel();
    /// let urgent = say.clone();
    /// executor.spawn(async move { say.send("ordinary").unwrap() }).detach();
    /// executor.spawn_at(Priority::High, async move { urgent.send("urgent").unwrap() }).detach();
    /// while executor.try_tick() {}
    /// assert_eq!(said.iter().collect::<Vec<_>>(), ["urgent", "ordinary"]);
    /// ```
    #[track_caller]
    pub fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.handle.spawn_local_at(priority, future)
    }

    /// Runs tasks until `until` is ready, and gives its output; sleeps on `park` when there is
    /// nothing to run. Under load it looks at `park` after every [`PARK_INTERVAL`] polls.
    ///
    /// `until` is polled here, not as a task: it may borrow. Tasks that are left stay where they
    /// are, for the next `run`. A `run` inside a task runs the other tasks while the outer one
    /// waits; it needs a `park` of its own.
    ///
    /// # Errors
    ///
    /// When `park` fails.
    ///
    /// # Panics
    ///
    /// If `until` panics. Panics of tasks stay with their handles.
    pub fn run<P: Park, F: Future>(&self, park: &mut P, until: F) -> Result<F::Output, ParkError> {
        let shared = &*self.handle.shared;
        let until = Locals::current().carry(until);
        let _current = Enter::new(Current::Local(self.handle.clone()));
        let unpark = Unparker::waker(park);
        let _former = FormerSleeper(shared.wake_up());
        let (root, waker) = shared.root();
        let mut cx = Context::from_waker(&waker);
        let mut until = pin!(until);
        let mut turn = true;
        loop {
            let _more = shared.take_remote();
            let mut left = PARK_INTERVAL;
            let busy = loop {
                if turn || root.take_turn() {
                    turn = false;
                    let _refilled = budget::refill();
                    let polled = context::isolate(|| until.as_mut().poll(&mut cx));
                    if let Poll::Ready(output) = polled {
                        return Ok(output);
                    }
                }
                if !shared.run_one() {
                    break false;
                }
                left -= 1;
                if left == 0 {
                    break true;
                }
            };
            if busy || !shared.fall_asleep(&unpark) {
                park.park(Until::Now)?;
            } else {
                let parked = park.park(Until::Woken);
                drop(shared.wake_up());
                parked?;
            }
        }
    }

    /// Runs one task that is ready. False if there was none.
    ///
    /// For loops that need no wake-up: tests, or one that comes round anyway.
    pub fn try_tick(&self) -> bool {
        let shared = &*self.handle.shared;
        let _current = Enter::new(Current::Local(self.handle.clone()));
        loop {
            let more = shared.take_remote();
            if shared.run_one() {
                return true;
            }
            if !more {
                return false;
            }
        }
    }

    /// Runs up to [`PARK_INTERVAL`] tasks that are ready: one step of a foreign loop.
    ///
    /// Ready if it ran any, or took in but a part of what other threads sent: there may be more. Pending
    /// if there was none: `cx` is woken when there is.
    ///
    /// # Examples
    ///
    /// A loop with events of its own, to which the executor is one more source of them:
    ///
    /// ```
    /// use pirn_executor::LocalExecutor;
    /// use std::sync::{Arc, mpsc};
    /// use std::task::{Context, Wake};
    ///
    /// enum Event { Click(u32), Tasks }
    /// struct Post(mpsc::Sender<Event>);
    /// impl Wake for Post {
    ///     fn wake(self: Arc<Self>) {
    ///         self.0.send(Event::Tasks).ok();
    ///     }
    /// }
    ///
    /// let (sender, events) = mpsc::channel();
    /// let waker = Arc::new(Post(sender.clone())).into();
    /// let executor = LocalExecutor::new();
    /// assert!(executor.poll_tick(&mut Context::from_waker(&waker)).is_pending());
    /// sender.send(Event::Click(3)).unwrap();
    /// let mut tasks = Vec::new();
    /// while let Ok(event) = events.try_recv() {
    ///     match event {
    ///         Event::Click(n) => tasks.push(executor.spawn(async move { n * 2 })),
    ///         Event::Tasks => while executor.poll_tick(&mut Context::from_waker(&waker)).is_ready() {},
    ///     }
    /// }
    /// assert!(tasks[0].is_finished());
    /// ```
    pub fn poll_tick(&self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &*self.handle.shared;
        let _current = Enter::new(Current::Local(self.handle.clone()));
        loop {
            let more = shared.take_remote();
            let ran = (0..PARK_INTERVAL).take_while(|_| shared.run_one()).count();
            if ran > 0 || more {
                return Poll::Ready(());
            }
            if shared.fall_idle(cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// Ends the executor: asks all tasks to end, runs them until they have, or until `deadline` is
    /// ready, and says which had not; their futures are dropped.
    ///
    /// From the first moment new tasks are refused. Called within one of its tasks, it waits for that
    /// one too, which cannot end meanwhile: so it needs a `deadline` there, and names the task.
    ///
    /// # Errors
    ///
    /// When `park` fails. The futures are dropped nevertheless.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    ///
    /// let executor = LocalExecutor::new();
    /// let task = executor.spawn(std::future::pending::<()>());
    /// let cut_off = executor.shutdown(&mut ThreadPark::new(), std::future::pending::<()>())?;
    /// assert!(cut_off.is_empty());
    /// assert!(task.is_finished());
    /// assert!(executor.try_spawn(pirn_core::TaskMeta::here(), async {}).is_err());
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn shutdown<P: Park>(
        &self,
        park: &mut P,
        deadline: impl Future,
    ) -> Result<Vec<TaskInfo>, ParkError> {
        let at = Location::caller();
        let shared = &*self.handle.shared;
        shared.shut(Gate::NoTasks);
        let cause = Cause::new(Kind::Shutdown, "its executor shuts down").with_location(at);
        shared.cancel_all(&cause);
        let mut deadline = pin!(deadline);
        let end = poll_fn(|cx| {
            let live = shared.wait_drained(cx.waker().clone());
            match live == 0 || deadline.as_mut().poll(cx).is_ready() {
                true => Poll::Ready(live),
                false => Poll::Pending,
            }
        });
        let ended = self.run(park, end);
        let left = match ended {
            Ok(0) => Vec::new(),
            _ => shared.tasks(),
        };
        let _outside = Locals::detach();
        shared.close();
        ended.map(|_| left)
    }

    /// Wakes all tasks that have not ended, as anybody might who has their wakers.
    ///
    /// For tests: a task that goes on only now had lost a wake-up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::task::Poll;
    ///
    /// let executor = pirn_executor::LocalExecutor::new();
    /// let ready = Rc::new(Cell::new(false));
    /// let looks = ready.clone();
    /// let task = executor.spawn(std::future::poll_fn(move |_| match looks.get() {
    ///     true => Poll::Ready(()),
    ///     false => Poll::Pending, // and nobody has its waker
    /// }));
    /// while executor.try_tick() {}
    /// ready.set(true);
    /// assert!(!executor.try_tick());
    /// executor.wake_all();
    /// assert!(executor.try_tick() && task.is_finished());
    /// ```
    pub fn wake_all(&self) {
        self.handle.shared.take_remote_now();
        self.handle.shared.wake_all();
    }

    /// The tasks that have not ended, in the order of their numbers: as
    /// [`tasks`](crate::tasks()), from outside.
    ///
    /// It costs a look at each task that is or was there.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::TaskMeta;
    /// use std::future::pending;
    ///
    /// let executor = pirn_executor::LocalExecutor::new();
    /// let meta = TaskMeta::here().named("weaver");
    /// let _task = executor.try_spawn(meta, pending::<()>()).unwrap();
    /// let tasks = executor.tasks();
    /// assert_eq!(tasks.len(), 1);
    /// assert_eq!(tasks[0].name(), Some("weaver"));
    /// ```
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.handle.tasks()
    }

    /// What it has done and holds.
    pub fn statistics(&self) -> LocalStatistics {
        let own = self.handle.shared.own();
        LocalStatistics {
            polls: own.polls.get(),
            live: own.live.get(),
            queued: own.queued(),
        }
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        let _outside = Locals::detach();
        self.handle.shared.retire();
    }
}

impl LocalHandle {
    /// What is known of the tasks that have not ended. On their thread.
    ///
    /// It settles nothing: a handle may outlive a `ScopedExecutor` that was forgotten.
    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        self.shared.tasks()
    }

    /// Spawns a task whose future is `Send`, from any thread.
    ///
    /// If the executor is shut down or gone the task ends at once as
    /// [`JoinError::Refused`](pirn_core::JoinError::Refused).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            TaskMeta::here(),
            future,
            or_ended(|meta, future| self.put(meta, future)),
            or_ended(|meta, future| self.put(meta, future)),
        )
    }

    /// As [`spawn`](Self::spawn), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, if the executor is shut down or gone.
    pub fn try_spawn<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put(meta, future),
            unboxed(|meta, future| self.put(meta, future)),
        )
    }

    #[inline]
    fn put_detached<F>(&self, meta: TaskMeta, future: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.vacant_for::<F>(&meta) {
            Some(vacant) => vacant.spawn_detached(&meta, future),
            None => self.spawn_anywhere(meta, future)?.detach(),
        }
        Ok(())
    }

    #[inline]
    fn put<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.vacant_for::<F>(&meta) {
            Some(vacant) => Ok(vacant.spawn(&meta, future)),
            None => self.spawn_anywhere(meta, future),
        }
    }

    /// As [`spawn`](Self::spawn), for a task that is more or less urgent than others: see
    /// [`Priority`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, Priority, ThreadPark};
    ///
    /// let executor = LocalExecutor::new();
    /// let task = executor.handle().spawn_at(Priority::Low, async { 5 });
    /// assert_eq!(executor.run(&mut ThreadPark::new(), task)?.unwrap(), 5);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let meta = TaskMeta::here().with_priority(priority);
        hand_on(
            meta,
            future,
            or_ended(|meta, future| self.spawn_anywhere(meta, future)),
            or_ended(|meta, future| self.spawn_anywhere(meta, future)),
        )
    }

    #[cold]
    fn spawn_anywhere<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.shared.own.get() {
            Some(_) => self.spawn_otherwise(meta, future),
            None => self.shared.spawn_elsewhere(meta, future),
        }
    }

    /// Spawns a task whose future need not be `Send`, on the executor's own thread.
    ///
    /// Elsewhere, or if the executor is shut down or gone, the task ends at once as
    /// [`JoinError::Refused`](pirn_core::JoinError::Refused).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::JoinError;
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    /// use std::rc::Rc;
    ///
    /// let executor = LocalExecutor::new();
    /// let (handle, text) = (executor.handle(), Rc::new("not Send"));
    /// let task = handle.spawn_local(async move { text.len() });
    /// assert_eq!(executor.run(&mut ThreadPark::new(), task)?.unwrap(), 8);
    ///
    /// let elsewhere = std::thread::spawn(move || handle.spawn_local(async {})).join().unwrap();
    /// let ended = executor.run(&mut ThreadPark::new(), elsewhere)?;
    /// assert!(matches!(ended, Err(JoinError::Refused(_))));
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        hand_on(
            TaskMeta::here(),
            future,
            or_ended(|meta, future| self.put_local(meta, future)),
            or_ended(|meta, future| self.put_local(meta, future)),
        )
    }

    /// As [`spawn_local`](Self::spawn_local), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, on another thread, or if the executor is shut down or gone.
    pub fn try_spawn_local<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_local(meta, future),
            unboxed(|meta, future| self.put_local(meta, future)),
        )
    }

    #[inline]
    fn put_local_detached<F>(&self, meta: TaskMeta, future: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        match self.vacant_for::<F>(&meta) {
            Some(vacant) => vacant.spawn_detached(&meta, future),
            None => self.spawn_otherwise(meta, future)?.detach(),
        }
        Ok(())
    }

    #[inline]
    fn put_local<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.vacant_for::<F>(&meta) {
            Some(vacant) => Ok(vacant.spawn(&meta, future)),
            None => self.spawn_otherwise(meta, future),
        }
    }

    /// As [`spawn_local`](Self::spawn_local), for a task that is more or less urgent than others: see
    /// [`Priority`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, Priority, ThreadPark};
    /// use std::rc::Rc;
    ///
    /// let executor = LocalExecutor::new();
    /// let text = Rc::new("not Send");
    /// let task = executor.handle().spawn_local_at(Priority::High, async move { text.len() });
    /// assert_eq!(executor.run(&mut ThreadPark::new(), task)?.unwrap(), 8);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn_local_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let meta = TaskMeta::here().with_priority(priority);
        hand_on(
            meta,
            future,
            or_ended(|meta, future| self.spawn_otherwise(meta, future)),
            or_ended(|meta, future| self.spawn_otherwise(meta, future)),
        )
    }

    /// As [`spawn_local`](Self::spawn_local), and polls the task once before it returns: see
    /// [`spawn_eager`](crate::spawn_eager()).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::LocalExecutor;
    ///
    /// let executor = LocalExecutor::new();
    /// let task = executor.handle().spawn_eager(async { 5 });
    /// assert!(task.is_finished());
    /// ```
    #[track_caller]
    pub fn spawn_eager<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        hand_on(
            TaskMeta::here(),
            future,
            or_ended(|meta, future| self.put_eager(meta, future)),
            or_ended(|meta, future| self.put_eager(meta, future)),
        )
    }

    /// As [`spawn_eager`](Self::spawn_eager), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future unpolled, on another thread, or if the executor is shut down or
    /// gone.
    pub fn try_spawn_eager<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_eager(meta, future),
            unboxed(|meta, future| self.put_eager(meta, future)),
        )
    }

    pub(crate) fn put_eager<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawned = match self.vacant_for::<F>(&meta) {
            Some(vacant) => vacant.fill(&meta, future),
            None => self.make(meta, future)?,
        };
        let _current = Enter::new(Current::Local(self.clone()));
        self.shared.run(spawned.runnable);
        Ok(spawned.task)
    }

    /// A slot for a task of `F`, which is to be spawned in it at once. `None` on another thread than
    /// the executor's, or if it has a priority, or if there are hooks to be told, or if the executor
    /// is shut down or gone: see `spawn_otherwise`.
    #[inline]
    pub(crate) fn vacant_for<F: Future>(&self, meta: &TaskMeta) -> Option<Vacant<Shared>> {
        match meta.priority() {
            Priority::Normal => self.shared.vacant::<F>(self.shared.own.get()?),
            Priority::High | Priority::Low => None,
        }
    }

    /// Spawns a task for which there was no slot `vacant`: with word to the hooks, or with a priority,
    /// or not at all.
    #[cold]
    pub(crate) fn spawn_otherwise<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let Spawned { task, runnable } = self.make(meta, future)?;
        runnable.start();
        Ok(task)
    }

    #[cold]
    fn make<F>(&self, meta: TaskMeta, future: F) -> Result<Spawned<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.shared.own.get() {
            Some(own) => self.shared.make(own, meta, future),
            None => Err(Refused::new(FOREIGN, future)),
        }
    }
}

impl Spawn for LocalHandle {
    #[inline]
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        hand_on(
            meta,
            f,
            |meta, f| self.put_detached(meta, f),
            unboxed(|meta, f| self.put_detached(meta, f)),
        )
    }
}

impl SpawnLocal for LocalHandle {
    #[inline]
    fn spawn_local<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        hand_on(
            meta,
            f,
            |meta, f| self.put_local_detached(meta, f),
            unboxed(|meta, f| self.put_local_detached(meta, f)),
        )
    }
}

/// The waker of a foreign loop that `run` interrupted: told at the end to look again, since what
/// happened meanwhile did not reach it.
struct FormerSleeper(Option<Waker>);

impl Drop for FormerSleeper {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(pirn_core::wake::wake);
    }
}

impl fmt::Debug for LocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalExecutor")
            .field(&self.statistics())
            .finish()
    }
}

impl fmt::Debug for LocalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHandle").finish_non_exhaustive()
    }
}
