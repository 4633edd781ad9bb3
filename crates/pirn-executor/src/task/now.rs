//! The task that is polled on this thread.

use super::TaskId;
use super::cell::Ref;
use pirn_core::{TaskMeta, shim};
use std::cell::Cell;
use std::fmt;
use std::panic::Location;

shim::per_thread! {
    // There while the task is polled: whoever polls it has a reference.
    static NOW: Cell<Option<Ref>> = Cell::new(None);
}

/// What is known of the task that runs the caller: [`current`] gives it.
///
/// # Examples
///
/// ```
/// use pirn_executor::{CurrentTask, LocalExecutor, current};
///
/// let executor = LocalExecutor::new();
/// let task = executor.spawn(async { current() });
/// let id = task.id();
/// while executor.try_tick() {}
/// let seen: CurrentTask = pirn_core::shim::block_on(task).unwrap().unwrap();
/// assert_eq!(seen.id(), id);
/// ```
#[derive(Clone)]
pub struct CurrentTask {
    id: TaskId,
    meta: TaskMeta,
}

impl CurrentTask {
    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The task's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.meta.name()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.meta.spawned_at()
    }

    /// Name and place together, as reports have it.
    pub fn meta(&self) -> &TaskMeta {
        &self.meta
    }
}

/// The task that runs the caller, if that is one of pirn's executors' tasks.
///
/// `None` outside a task: on a plain thread, in a destructor that runs after the task's last poll,
/// and in the future that an executor's `run` waits for, which is none. asyncio's `current_task()`.
///
/// It costs a task two stores for each poll, and a look at a table here if the task has a name.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::{LocalExecutor, current};
///
/// assert!(current().is_none());
/// let executor = LocalExecutor::new();
/// let name = async { current().unwrap().name().map(str::to_owned) };
/// let task = executor.try_spawn(TaskMeta::here().named("fetcher"), name).unwrap();
/// while executor.try_tick() {}
/// assert_eq!(pirn_core::shim::block_on(task).unwrap().as_deref(), Some("fetcher"));
/// ```
pub fn current() -> Option<CurrentTask> {
    let task = NOW.try_with(Cell::get).ok().flatten()?;
    // SAFETY: it stands here only during its poll, and whoever polls it has a reference; the caller
    // runs inside that poll.
    let (id, meta) = unsafe { (task.header().id, task.meta()) };
    Some(CurrentTask { id, meta })
}

/// The poll of `task` begins on this thread, by somebody who has a reference, up to [`end`].
#[inline]
pub(super) fn begin(task: Ref) {
    let _ = NOW.try_with(|now| now.set(Some(task)));
}

/// The poll has ended.
#[inline]
pub(super) fn end() {
    let _ = NOW.try_with(|now| now.set(None));
}

/// No task runs until this is dropped, or other ones: an executor is driven inside a poll.
pub(crate) struct Aside(Option<Ref>);

impl Aside {
    pub(crate) fn new() -> Aside {
        Aside(NOW.try_with(Cell::take).ok().flatten())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = NOW.try_with(|now| now.set(self.0));
    }
}

impl fmt::Debug for CurrentTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentTask")
            .field("id", &self.id)
            .field("name", &self.name())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .finish()
    }
}
