//! An executor whose tasks borrow from the code around it.
//!
//! # Why that is sound
//!
//! Who touches what is in a slot:
//!
//! | what | who | when that is |
//! |---|---|---|
//! | a future | who runs its task: `run`, the ticks, an eager spawn | this is borrowed |
//! | | who closes it: `shutdown`, `retire` | this is borrowed, or dropped |
//! | an output | who has just run or closed its task | as above |
//! | | home, for a handle that was let go of elsewhere: as it settles or merges | as above |
//! | | a [`Task<T>`](crate::Task), polled or dropped | `T` is alive, as for any type with a `Drop` |
//!
//! So all but the last happens inside this type's `&self` methods and its drop. It has `'env` in its
//! name and a `Drop`, so `'env` is alive then, which futures and outputs outlive. Nobody else can
//! drive or end the inner executor, which is in no other hands; a [`LocalHandle`] drives only what is
//! spawned eagerly through it, which borrows nothing, and settles nothing, also where that lists
//! tasks. Wakers, and whoever gives up the last reference to a task, find its stage empty or leave it alone: the executor has a reference until
//! the task has ended, so a slot that is vacated holds no future.
//!
//! **If it is forgotten**, nobody is left who runs, closes, settles or merges: what handles and
//! wakers queue and send stays where it is. The executor's heaps keep its shared part, and so the
//! pages, for ever; a slot with a future is never vacated. So the futures are leaked in place, as
//! pinning asks: neither touched after `'env`, nor is their memory used again. The same goes for
//! outputs that nobody takes.
//!
//! **It stays on its thread**, as the inner executor does, so all this happens on that one.
//!
//! `'env` is invariant: an executor that passed for one of a shorter `'env` would take futures that
//! it outlives.

use super::shared::Shared;
use super::{LocalExecutor, LocalHandle, LocalStatistics, Order};
use crate::current::{Current, Enter};
use crate::entry::or_ended;
use crate::task::{Spawned, Task, TaskInfo, Vacant};
use pirn_core::large::{hand_on, unboxed};
use pirn_core::{Park, ParkError, Priority, Refused, TaskMeta};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::task::{Context, Poll};

/// A [`LocalExecutor`] whose tasks may borrow what outlives it.
///
/// It is driven as that one is, and ended in the same two ways. Dropping it drops the futures of all
/// its tasks, without their clean-up; [`shutdown`](Self::shutdown) waits for that. Handles and wakers
/// may outlive it, and with it `'env`, as far as the types of their values allow.
///
/// A [group](https://docs.rs/pirn-group) that borrows does with less: use this to have tasks of their
/// own, spawned over time, and driven by hand.
///
/// # Fairness
///
/// As [`LocalExecutor`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{ScopedExecutor, ThreadPark};
///
/// let mut numbers = [1, 2, 3];
/// let text = String::from("borrowed");
/// let executor = ScopedExecutor::new();
/// let tasks: Vec<_> = numbers
///     .iter_mut()
///     .map(|n| executor.spawn(async { *n *= 10; &text[..] }))
///     .collect();
/// let words = executor.run(&mut ThreadPark::new(), async {
///     let mut words = Vec::new();
///     for task in tasks {
///         words.push(task.await.unwrap());
///     }
///     words
/// })?;
/// drop(executor);
/// assert_eq!((numbers, words), ([10, 20, 30], vec!["borrowed"; 3]));
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
///
/// What its tasks borrow must outlive it:
///
/// ```compile_fail,E0597
/// let executor = pirn_executor::ScopedExecutor::new();
/// let text = String::from("dropped before the executor");
/// executor.spawn(async { println!("{text}") }).detach();
/// ```
///
/// and it does not pass for one whose tasks could borrow for less:
///
/// ```compile_fail
/// use pirn_executor::ScopedExecutor;
///
/// fn shorter<'a, 'b: 'a>(executor: &'a ScopedExecutor<'b>) -> &'a ScopedExecutor<'a> {
///     executor
/// }
/// ```
pub struct ScopedExecutor<'env> {
    inner: LocalExecutor,
    env: PhantomData<fn(&'env ()) -> &'env ()>,
}

impl Default for ScopedExecutor<'_> {
    fn default() -> Self {
        ScopedExecutor::new()
    }
}

impl<'env> ScopedExecutor<'env> {
    /// An executor of this thread.
    pub fn new() -> Self {
        ScopedExecutor::with_order(Order::Fifo)
    }

    /// An executor of this thread that chooses the next task by `order`.
    pub fn with_order(order: Order) -> Self {
        ScopedExecutor {
            inner: LocalExecutor::with_order(order),
            env: PhantomData,
        }
    }

    /// A handle that spawns what borrows nothing.
    pub fn handle(&self) -> LocalHandle {
        self.inner.handle()
    }

    /// Spawns a task. It runs when the executor is driven, never inside this call.
    ///
    /// After [`shutdown`](Self::shutdown) it ends at once as
    /// [`JoinError::Refused`](pirn_core::JoinError::Refused).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'env,
        F::Output: 'env,
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
    /// [`Refused`], with the future, after [`shutdown`](Self::shutdown).
    pub fn try_spawn<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put(meta, future),
            unboxed(|meta, future| self.put(meta, future)),
        )
    }

    /// As [`spawn`](Self::spawn), for a task that is more or less urgent than others: see
    /// [`Priority`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{Priority, ScopedExecutor};
    /// use std::cell::RefCell;
    ///
    /// let said = RefCell::new(Vec::new());
    /// let executor = ScopedExecutor::new();
    /// executor.spawn(async { said.borrow_mut().push("ordinary") }).detach();
    /// executor.spawn_at(Priority::High, async { said.borrow_mut().push("urgent") }).detach();
    /// while executor.try_tick() {}
    /// assert_eq!(*said.borrow(), ["urgent", "ordinary"]);
    /// ```
    #[track_caller]
    pub fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        hand_on(
            TaskMeta::here().with_priority(priority),
            future,
            or_ended(|meta, future| self.put(meta, future)),
            or_ended(|meta, future| self.put(meta, future)),
        )
    }

    /// As [`spawn`](Self::spawn), and polls the task once before it returns: see
    /// [`spawn_eager`](crate::spawn_eager()).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::ScopedExecutor;
    ///
    /// let mut count = 1;
    /// let executor = ScopedExecutor::new();
    /// let task = executor.spawn_eager(async { count += 1 });
    /// assert!(task.is_finished());
    /// drop(executor);
    /// assert_eq!(count, 2);
    /// ```
    #[track_caller]
    pub fn spawn_eager<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'env,
        F::Output: 'env,
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
    /// [`Refused`], with the future unpolled, after [`shutdown`](Self::shutdown).
    pub fn try_spawn_eager<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_eager(meta, future),
            unboxed(|meta, future| self.put_eager(meta, future)),
        )
    }

    fn put_eager<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        let vacant = match self.vacant::<F>() {
            Ok(vacant) => vacant,
            Err(reason) => return Err(Refused::new(reason, future)),
        };
        // SAFETY: as in `put`; this is borrowed until the poll below is over.
        let Spawned { task, runnable } = unsafe { vacant.fill_borrowing(&meta, future) };
        let _current = Enter::new(Current::Local(self.handle()));
        self.inner.handle.shared.run(runnable);
        Ok(task)
    }

    /// A slot for a task of `F`, which is to be spawned in it at once; or why not.
    fn vacant<F: Future>(&self) -> Result<Vacant<Shared>, &'static str> {
        let shared = &*self.inner.handle.shared;
        let own = shared.own();
        // There are no hooks to be told, so nothing else stands against it.
        let refusal = || own.refusal().unwrap_or_default();
        shared.vacant::<F>(own).ok_or_else(refusal)
    }

    fn put<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        let vacant = match self.vacant::<F>() {
            Ok(vacant) => vacant,
            Err(reason) => return Err(Refused::new(reason, future)),
        };
        // SAFETY: tasks of this executor are run, closed, settled and merged only while this is
        // borrowed or dropped, as said above; so `'env` is alive, which future and output outlive.
        unsafe {
            if meta.priority() == Priority::Normal {
                return Ok(vacant.spawn_borrowing(&meta, future));
            }
            let Spawned { task, runnable } = vacant.fill_borrowing(&meta, future);
            runnable.start();
            Ok(task)
        }
    }

    /// As [`LocalExecutor::run`].
    ///
    /// # Errors
    ///
    /// When `park` fails.
    ///
    /// # Panics
    ///
    /// If `until` panics.
    pub fn run<P: Park, F: Future>(&self, park: &mut P, until: F) -> Result<F::Output, ParkError> {
        self.inner.run(park, until)
    }

    /// As [`LocalExecutor::try_tick`].
    pub fn try_tick(&self) -> bool {
        self.inner.try_tick()
    }

    /// As [`LocalExecutor::poll_tick`].
    pub fn poll_tick(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_tick(cx)
    }

    /// Ends the executor, as [`LocalExecutor::shutdown`]: asks all tasks to end, runs them and their
    /// clean-up until they have, or until `deadline` is ready, and says which had not; their futures
    /// are dropped. Dropping the executor alone drops the futures at once.
    ///
    /// From the first moment new tasks are refused. What the clean-up borrows must outlive the
    /// executor, as all that its tasks borrow.
    ///
    /// # Errors
    ///
    /// When `park` fails. The futures are dropped nevertheless.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::finally_in_place;
    /// use pirn_executor::{ScopedExecutor, ThreadPark};
    /// use std::cell::Cell;
    /// use std::future::pending;
    ///
    /// let saved = Cell::new(0);
    /// let executor = ScopedExecutor::new();
    /// for n in [20, 22] {
    ///     let saved = &saved;
    ///     let save = async move || saved.set(saved.get() + n);
    ///     executor.spawn(finally_in_place(pending::<()>(), save)).detach();
    /// }
    /// while executor.try_tick() {}
    /// let cut_off = executor.shutdown(&mut ThreadPark::new(), pending::<()>())?;
    /// assert!(cut_off.is_empty());
    /// assert_eq!(saved.get(), 42);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn shutdown<P: Park>(
        &self,
        park: &mut P,
        deadline: impl Future,
    ) -> Result<Vec<TaskInfo>, ParkError> {
        self.inner.shutdown(park, deadline)
    }

    /// As [`LocalExecutor::wake_all`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::ScopedExecutor;
    /// use std::cell::Cell;
    /// use std::task::Poll;
    ///
    /// let ready = Cell::new(false);
    /// let executor = ScopedExecutor::new();
    /// let task = executor.spawn(std::future::poll_fn(|_| match ready.get() {
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
        self.inner.wake_all();
    }

    /// As [`LocalExecutor::tasks`].
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.inner.tasks()
    }

    /// What it has done and holds.
    pub fn statistics(&self) -> LocalStatistics {
        self.inner.statistics()
    }
}

impl Drop for ScopedExecutor<'_> {
    /// Has the compiler see to it that `'env` is alive while the inner executor is dropped, and with
    /// it the futures.
    fn drop(&mut self) {}
}

impl fmt::Debug for ScopedExecutor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedExecutor")
            .field(&self.statistics())
            .finish()
    }
}
