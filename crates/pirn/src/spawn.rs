//! Spawning on the runtime that runs here.

use crate::current;
use pirn_core::large::{hand_on, unboxed};
use pirn_core::{Refused, TaskMeta};
use pirn_executor::internals::or_ended;
use pirn_executor::{Priority, Task, TaskInfo};
use std::future::Future;

/// Starts a task on the runtime that runs here; with worker threads, on one of those.
///
/// The task starts at once, and is cancelled when the [`Task`] is dropped: keep it, await it, or
/// [`detach`](Task::detach) it. To start several and wait for all, a
/// [`TaskGroup`](crate::TaskGroup) is better. It gets a copy of the
/// [task-locals](crate::TaskLocal) that stand around the call. Outside a runtime the task ends at once as
/// [`JoinError::Refused`](crate::JoinError::Refused).
///
/// # Examples
///
/// ```
/// pirn::run(async {
///     let task = pirn::spawn(async { 2 + 2 });
///     assert_eq!(task.await.unwrap(), 4);
/// });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let meta = TaskMeta::here();
    hand_on(
        meta,
        future,
        or_ended(current::try_spawn),
        or_ended(current::try_spawn),
    )
}

/// As [`spawn`], for a task that goes before the others, or after them.
///
/// On each thread at least every ninth poll is of a [`Normal`](Priority::Normal) task and one in 61 of
/// a [`Low`](Priority::Low) one, if any is ready: see [`Priority`]. What should not hold up the
/// others at all, since it computes, is better in [`to_thread`](crate::to_thread).
///
/// # Examples
///
/// ```
/// use pirn::Priority;
///
/// pirn::run(async {
///     let report = pirn::spawn_at(Priority::Low, async { "when there is time" });
///     let alarm = pirn::spawn_at(Priority::High, async { "now" });
///     assert_eq!(alarm.await.unwrap(), "now");
///     assert_eq!(report.await.unwrap(), "when there is time");
/// });
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
        or_ended(current::try_spawn),
        or_ended(current::try_spawn),
    )
}

/// As [`spawn`], with a name, a priority and a place of the caller's choice, and the future back if it is
/// refused.
///
/// # Errors
///
/// [`Refused`] outside a runtime, and in one that is shutting down.
///
/// # Examples
///
/// ```
/// use pirn::{TaskMeta, current, try_spawn};
///
/// let meta = TaskMeta::here().named("weaver");
/// let refused = try_spawn(meta.clone(), async {}).unwrap_err();
/// assert!(refused.to_string().contains("no executor"), "{refused}");
///
/// pirn::run(async {
///     let task = try_spawn(meta, async { current().unwrap().name().map(str::to_owned) }).unwrap();
///     assert_eq!(task.await.unwrap().as_deref(), Some("weaver"));
/// });
/// ```
pub fn try_spawn<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    hand_on(
        meta,
        future,
        current::try_spawn,
        unboxed(current::try_spawn),
    )
}

/// Starts a task that stays on this thread, so that its future need not be `Send`.
///
/// It runs on the thread that called [`run`](crate::run()), and can be started only there: by
/// the main future and by other local tasks. On a worker thread, and outside a runtime, the task
/// ends at once as [`JoinError::Refused`](crate::JoinError::Refused).
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// pirn::run(async {
///     let shared = Rc::new(4);
///     let task = pirn::spawn_local({
///         let shared = Rc::clone(&shared);
///         async move { *shared + 1 }
///     });
///     assert_eq!(task.await.unwrap(), 5);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    pirn_executor::spawn_local(future)
}

/// As [`spawn_local`], with a name and place of the caller's choice, and the future back if it is
/// refused.
///
/// # Errors
///
/// [`Refused`] on a worker thread, outside a runtime, and in one that shuts down.
///
/// # Examples
///
/// ```
/// use pirn::{TaskMeta, try_spawn_local};
/// use std::rc::Rc;
///
/// let text = Rc::new("not Send");
/// let length = async move { text.len() };
/// let refused = try_spawn_local(TaskMeta::here(), length).unwrap_err();
/// assert!(refused.reason().contains("no executor"));
/// pirn::run(async {
///     let task = try_spawn_local(TaskMeta::here().named("counts"), refused.into_future()).unwrap();
///     assert_eq!(task.await.unwrap(), 8);
/// });
/// ```
pub fn try_spawn_local<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    pirn_executor::try_spawn_local(meta, future)
}

/// As [`spawn_local`], for a task that goes before the others of its thread, or after them: see
/// [`Priority`].
///
/// # Examples
///
/// ```
/// use pirn::{Priority, spawn_local, spawn_local_at};
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// pirn::run(async {
///     let order = Rc::new(RefCell::new(Vec::new()));
///     let note = |what| {
///         let order = Rc::clone(&order);
///         async move { order.borrow_mut().push(what) }
///     };
///     let (redraw, click) = (spawn_local(note("redraw")), note("click"));
///     spawn_local_at(Priority::High, click).await.unwrap();
///     redraw.await.unwrap();
///     assert_eq!(*order.borrow(), ["click", "redraw"]);
/// });
/// ```
#[track_caller]
pub fn spawn_local_at<F>(priority: Priority, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    pirn_executor::spawn_local_at(priority, future)
}

/// As [`spawn_local`], and polls the task once before it returns.
///
/// What is ready at its first poll costs no turn; the handle is finished then. What is not goes on
/// as any task. asyncio's eager tasks. See [`pirn_executor::spawn_eager`] for what to mind.
///
/// # Examples
///
/// ```
/// pirn::run(async {
///     let cached = pirn::spawn_eager(async { 4 });
///     assert!(cached.is_finished());
///     let slow = pirn::spawn_eager(pirn::yield_now());
///     assert!(!slow.is_finished());
///     slow.await.unwrap();
/// });
/// ```
#[track_caller]
pub fn spawn_eager<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    pirn_executor::spawn_eager(future)
}

/// As [`spawn_eager`], with a name and place of the caller's choice, and the future back, unpolled, if
/// it is refused.
///
/// # Errors
///
/// As [`try_spawn_local`].
///
/// # Examples
///
/// ```
/// use pirn::{TaskMeta, try_spawn_eager};
///
/// pirn::run(async {
///     let cached = try_spawn_eager(TaskMeta::here().named("cached"), async { 4 }).unwrap();
///     assert!(cached.is_finished());
///     let on_a_worker = pirn::spawn(async {
///         let refused = try_spawn_eager(TaskMeta::here(), async { 4 }).unwrap_err();
///         refused.into_future().await
///     });
///     assert_eq!(on_a_worker.await.unwrap(), 4);
/// });
/// ```
pub fn try_spawn_eager<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    pirn_executor::try_spawn_eager(meta, future)
}

/// The tasks of the runtime that runs here which have not ended, in the order of their numbers.
///
/// For a look at what is there, and at what is left. Empty outside a runtime; the main future is no
/// task. A worker thread sees only tasks that may be on worker threads; of those, some may have ended,
/// and others begun, when it returns. asyncio's `all_tasks()`.
///
/// It costs a look at each task that is or was there, and an allocation.
///
/// # Examples
///
/// ```
/// use pirn::TaskMeta;
///
/// pirn::run(async {
///     let meta = TaskMeta::here().named("weaver");
///     let weaver = pirn::try_spawn(meta, std::future::pending::<()>()).unwrap();
///     let tasks = pirn::tasks();
///     assert_eq!((tasks.len(), tasks[0].id()), (1, weaver.id()));
///     assert!(tasks[0].to_string().starts_with("task `weaver` spawned at"));
/// });
/// ```
pub fn tasks() -> Vec<TaskInfo> {
    current::tasks()
}
