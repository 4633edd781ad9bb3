//! The task that is polled on this thread.

use super::TaskInfo;
use super::cell::Ref;
use pirn_core::shim;
use std::cell::Cell;

shim::per_thread! {
    // There while the task is polled: whoever polls it has a reference.
    static NOW: Cell<Option<Ref>> = Cell::new(None);
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
pub fn current() -> Option<TaskInfo> {
    let task = NOW.try_with(Cell::get).ok().flatten()?;
    // SAFETY: it stands here only during its poll, and whoever polls it has a reference; the caller
    // runs inside that poll.
    Some(unsafe { task.info() })
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
