//! Numbers for tasks that are never used twice.

use super::label::Label;
use std::fmt;

/// The number of a task, unique in the process and never used again.
///
/// # Examples
///
/// ```
/// use pirn_executor::LocalExecutor;
///
/// let executor = LocalExecutor::new();
/// let (a, b) = (executor.spawn(async {}), executor.spawn(async {}));
/// assert_ne!(a.id(), b.id());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    /// As a number.
    pub fn get(self) -> u64 {
        self.0
    }

    pub(super) fn of(number: u64) -> TaskId {
        TaskId(number)
    }

    /// One that nobody else gets.
    pub(crate) fn next() -> TaskId {
        Label::next().id()
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
