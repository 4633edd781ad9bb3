//! What is known of a task, for people.

use super::TaskId;
use pirn_core::TaskMeta;
use std::fmt;
use std::panic::Location;

/// What is known of a task: [`current`](crate::current) gives that of the one that runs the caller,
/// [`tasks`](crate::tasks) those of all.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, TaskInfo, current};
///
/// let executor = LocalExecutor::new();
/// let task = executor.spawn(async { current() });
/// let id = task.id();
/// while executor.try_tick() {}
/// let seen: TaskInfo = pirn_core::shim::block_on(task).unwrap().unwrap();
/// assert_eq!(seen.id(), id);
/// ```
#[derive(Clone)]
pub struct TaskInfo {
    pub(super) id: TaskId,
    pub(super) meta: TaskMeta,
}

impl TaskInfo {
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

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meta.fmt(f)
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskInfo")
            .field("id", &self.id)
            .field("name", &self.name())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .finish()
    }
}
