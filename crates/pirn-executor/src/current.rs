//! The executor around the caller.

use crate::entry::or_ended;
use crate::local::{self, LocalHandle};
use crate::pool::{self, Core};
use crate::task::{Aside, Task, TaskInfo, Vacant};
use pirn_core::large::{hand_on, unboxed};
use pirn_core::shim::per_thread;
use pirn_core::{Detached, Locals, Priority, Refused, TaskMeta};
use std::cell::RefCell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// An executor that runs on this thread.
#[derive(Clone)]
pub(crate) enum Current {
    /// A current-thread executor.
    Local(LocalHandle),
    /// A worker of a pool.
    Worker(Rc<Core>),
}

per_thread! {
    // Without a destructor, which would have to be looked for at each access: `Enter` leaves nothing
    // behind.
    static CURRENT: RefCell<ManuallyDrop<Option<Current>>> = RefCell::new(ManuallyDrop::new(None));
}

/// Makes an executor the current one until it is dropped. Its tasks see no task-locals of a task
/// that drives it.
pub(crate) struct Enter {
    former: Option<Current>,
    _outside: Detached,
    _task: Aside,
}

impl Enter {
    pub(crate) fn new(current: Current) -> Enter {
        let current = ManuallyDrop::new(Some(current));
        Enter {
            former: CURRENT.with(|slot| ManuallyDrop::into_inner(slot.replace(current))),
            _outside: Locals::detach(),
            _task: Aside::new(),
        }
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        let former = ManuallyDrop::new(self.former.take());
        drop(CURRENT.with(|slot| ManuallyDrop::into_inner(slot.replace(former))));
    }
}

/// A slot for a task, by who will run it.
enum Place {
    Local(Vacant<local::Shared>),
    Pool(Vacant<pool::Shared>),
}

const NONE: &str = "there is no executor around the caller: spawn inside one, or use a handle";

const NOT_LOCAL: &str = "the executor around the caller takes futures that are Send only";

/// Calls `f` with the current executor. Nothing in `f` may be user code.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Current>) -> R) -> R {
    CURRENT.with(|slot| f(slot.borrow().as_ref()))
}

/// Spawns a task on the executor that runs the caller, by the shortest way.
///
/// Without one, or if it is shut down, the task ends at once as
/// [`JoinError::Refused`](pirn_core::JoinError::Refused) and the future is dropped; see
/// [`try_spawn`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark, spawn};
///
/// let executor = LocalExecutor::new();
/// let sum = executor.run(&mut ThreadPark::new(), async {
///     let (a, b) = (spawn(async { 1 }), spawn(async { 2 }));
///     a.await.unwrap() + b.await.unwrap()
/// })?;
/// assert_eq!(sum, 3);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    hand_on(TaskMeta::here(), future, or_ended(put), or_ended(put))
}

/// As [`spawn`], with a name and place of the caller's choice, and the future back if it is
/// refused.
///
/// # Errors
///
/// [`Refused`] outside an executor, or if it is shut down.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::try_spawn;
///
/// let refused = try_spawn(TaskMeta::here().named("lost"), async {}).unwrap_err();
/// assert!(refused.reason().contains("no executor"));
/// ```
pub fn try_spawn<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    hand_on(meta, future, put, unboxed(put))
}

#[inline]
fn put<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let place = with(|current| match current {
        Some(Current::Local(executor)) => executor.vacant_for::<F>(&meta).map(Place::Local),
        Some(Current::Worker(core)) => core.vacant_for::<F>(&meta).map(Place::Pool),
        None => None,
    });
    match place {
        Some(Place::Local(vacant)) => Ok(vacant.spawn(&meta, future)),
        Some(Place::Pool(vacant)) => Ok(vacant.spawn(&meta, future)),
        None => spawn_otherwise(meta, future),
    }
}

/// As [`spawn`], for a task that is more or less urgent than others: see [`Priority`]. (For one with a
/// name besides, [`try_spawn`] takes a [`TaskMeta`] [with a priority](TaskMeta::with_priority).)
///
/// # Examples
///
/// ```
/// use pirn_core::yield_now;
/// use pirn_executor::{LocalExecutor, Priority, ThreadPark, spawn, spawn_at};
///
/// let executor = LocalExecutor::new();
/// executor.run(&mut ThreadPark::new(), async {
///     let report = spawn_at(Priority::Low, async {});
///     let request = spawn(async { yield_now().await });
///     request.await.unwrap();
///     assert!(!report.is_finished());
///     report.await.unwrap();
/// })?;
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[track_caller]
pub fn spawn_at<F>(priority: Priority, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let meta = TaskMeta::here().with_priority(priority);
    hand_on(
        meta,
        future,
        or_ended(spawn_otherwise),
        or_ended(spawn_otherwise),
    )
}

#[cold]
fn spawn_otherwise<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // A copy: hooks are user code, which may not run inside `with`.
    match with(|current| current.cloned()) {
        Some(Current::Local(executor)) => executor.spawn_otherwise(meta, future),
        Some(Current::Worker(core)) => core.spawn_otherwise(meta, future),
        None => Err(Refused::new(NONE, future)),
    }
}

/// Spawns a task whose future is not `Send` on the current-thread executor that runs the caller.
///
/// Otherwise as [`spawn`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark, spawn_local};
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new();
/// let length = executor.run(&mut ThreadPark::new(), async {
///     let text = Rc::new("not Send");
///     spawn_local(async move { text.len() }).await.unwrap()
/// })?;
/// assert_eq!(length, 8);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    hand_on(
        TaskMeta::here(),
        future,
        or_ended(put_local),
        or_ended(put_local),
    )
}

/// Spawns a task on the current-thread executor that runs the caller, and polls it once before this
/// returns.
///
/// What is ready at its first poll never sees the queue; the handle is finished then. What is not
/// goes on as any task, in its turn, when it is woken. asyncio's eager tasks (3.12).
///
/// That first poll is a poll as others, with a budget, a scope and task-locals of the task's own. It
/// runs on top of the caller's, in the order of the code and not of the queue: a `RefCell` that the
/// caller has borrowed is borrowed in there too, and an eager task that spawns eager tasks takes
/// stack for each. A panic stays with the handle.
///
/// Otherwise as [`spawn_local`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark, spawn_eager};
/// use std::{cell::Cell, rc::Rc};
///
/// let executor = LocalExecutor::new();
/// executor.run(&mut ThreadPark::new(), async {
///     let steps = Rc::new(Cell::new(0));
///     let counting = steps.clone();
///     let task = spawn_eager(async move {
///         counting.set(1);
///         pirn_core::yield_now().await;
///         counting.set(2);
///     });
///     assert_eq!((steps.get(), task.is_finished()), (1, false));
///     task.await.unwrap();
///     assert_eq!(steps.get(), 2);
///     assert!(spawn_eager(async { 3 }).is_finished());
/// })?;
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[track_caller]
pub fn spawn_eager<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    hand_on(
        TaskMeta::here(),
        future,
        or_ended(put_eager),
        or_ended(put_eager),
    )
}

/// As [`spawn_eager`], with a name and place of the caller's choice, and the future back, unpolled,
/// if it is refused.
///
/// # Errors
///
/// As [`try_spawn_local`].
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::try_spawn_eager;
///
/// let refused = try_spawn_eager(TaskMeta::here(), async { unreachable!() }).unwrap_err();
/// assert!(refused.reason().contains("no executor"));
/// ```
pub fn try_spawn_eager<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    hand_on(meta, future, put_eager, unboxed(put_eager))
}

fn put_eager<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    // A copy: the poll is user code, which may not run inside `with`.
    match with(|current| current.cloned()) {
        Some(Current::Local(executor)) => executor.put_eager(meta, future),
        Some(Current::Worker(_)) => Err(Refused::new(NOT_LOCAL, future)),
        None => Err(Refused::new(NONE, future)),
    }
}

/// As [`spawn_local`], with a name and place of the caller's choice, and the future back if it is
/// refused.
///
/// # Errors
///
/// [`Refused`] outside a current-thread executor, or if it is shut down.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::try_spawn_local;
///
/// let refused = try_spawn_local(TaskMeta::here(), async { 5 }).unwrap_err();
/// let mut future = std::pin::pin!(refused.into_future());
/// let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// assert_eq!(future.as_mut().poll(&mut cx), std::task::Poll::Ready(5));
/// ```
pub fn try_spawn_local<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    hand_on(meta, future, put_local, unboxed(put_local))
}

#[inline]
fn put_local<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let vacant = with(|current| match current {
        Some(Current::Local(executor)) => executor.vacant_for::<F>(&meta),
        _ => None,
    });
    match vacant {
        Some(vacant) => Ok(vacant.spawn(&meta, future)),
        None => spawn_local_otherwise(meta, future),
    }
}

/// As [`spawn_local`], for a task that is more or less urgent than others: see [`Priority`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, Priority, ThreadPark, spawn_local_at};
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new();
/// let length = executor.run(&mut ThreadPark::new(), async {
///     let text = Rc::new("not Send");
///     spawn_local_at(Priority::High, async move { text.len() }).await.unwrap()
/// })?;
/// assert_eq!(length, 8);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[track_caller]
pub fn spawn_local_at<F>(priority: Priority, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let meta = TaskMeta::here().with_priority(priority);
    hand_on(
        meta,
        future,
        or_ended(spawn_local_otherwise),
        or_ended(spawn_local_otherwise),
    )
}

#[cold]
fn spawn_local_otherwise<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match with(|current| current.cloned()) {
        Some(Current::Local(executor)) => executor.spawn_otherwise(meta, future),
        Some(Current::Worker(_)) => Err(Refused::new(NOT_LOCAL, future)),
        None => Err(Refused::new(NONE, future)),
    }
}

/// The tasks of the executor that runs the caller which have not ended, in the order of their numbers.
///
/// For a look at what is there, and at what is left. Empty outside an executor. What a `run` waits
/// for is no task. On a worker of a pool, some of them may have ended, and others begun, when it
/// returns. asyncio's `all_tasks()`.
///
/// It costs a look at each task that is or was there, and an allocation.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark, spawn, tasks};
///
/// assert!(tasks().is_empty());
/// let executor = LocalExecutor::new();
/// executor.run(&mut ThreadPark::new(), async {
///     let first = spawn(std::future::pending::<()>());
///     let second = spawn(async { tasks().len() });
///     let ids: Vec<_> = tasks().iter().map(|task| task.id()).collect();
///     assert_eq!(ids, [first.id(), second.id()]);
///     assert_eq!(second.await.unwrap(), 2); // the one that asks is among them
/// })?;
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub fn tasks() -> Vec<TaskInfo> {
    // A copy: it takes a while, and nothing of it needs to be inside `with`.
    match with(|current| current.cloned()) {
        Some(Current::Local(executor)) => executor.tasks(),
        Some(Current::Worker(core)) => core.tasks(),
        None => Vec::new(),
    }
}
