//! Numbers for tasks and threads that are never used twice.

use super::label::END;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

    #[inline]
    pub(super) fn of(number: u64) -> TaskId {
        TaskId(number)
    }

    /// If there is none left, the process ends: a panic would leave an executor with a task that it
    /// counts and does not have.
    pub(crate) fn next() -> TaskId {
        IDS.with(|ids| {
            let (next, end) = ids.get();
            if next < end {
                ids.set((next + 1, end));
                return TaskId(next);
            }
            let first = block();
            ids.set((first + 1, first + BLOCK));
            TaskId(first)
        })
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

/// A thread takes this many numbers at once, so that workers do not meet at the counter.
const BLOCK: u64 = 1024;

static BLOCKS: AtomicU64 = AtomicU64::new(1);

/// The first number of a block that nobody else gets.
#[cold]
fn block() -> u64 {
    // Ordering: Relaxed, only uniqueness is asked of it. `std`'s atomic on purpose: there is nothing
    // in it for a model to explore.
    let first = BLOCKS.fetch_add(BLOCK, Relaxed);
    if first > END - BLOCK {
        eprintln!("pirn: this process has had {first} tasks, which is all there can be; it ends");
        std::process::abort();
    }
    first
}

/// Leaves one block, and what threads have of theirs: for tests of what happens then.
pub fn spend() {
    // Ordering: Relaxed, as in `block`.
    BLOCKS.store(END - BLOCK, Relaxed);
}

std::thread_local! {
    /// The next number of this thread, and the end of its block.
    static IDS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}
