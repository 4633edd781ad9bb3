//! What an executor tells of its tasks, to whoever wants to know.
//!
//! The tasks of an executor that was made with hooks are [told of](crate::task::Vacant::fill_told):
//! their code calls the hooks on its way. Those of all others are compiled without a trace of it, and
//! to spawn them costs no look at whether there are hooks: who has some, keeps its
//! [`Gate`](crate::gate::Gate) so that a spawn goes another way.

use crate::task::TaskId;
use pirn_core::TaskMeta;
use pirn_core::report::{Report, report};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Is told what happens to the tasks of an executor.
///
/// For monitors and profilers: a tree of tasks, the polls that took too long. All is told on the
/// thread where it happens: with a [`LocalExecutor`](crate::LocalExecutor) on its own, but `spawned`
/// for what another thread spawns; with a [`PoolExecutor`](crate::PoolExecutor) on any. Nothing is
/// told under a lock of the executor, so a hook may spawn and wake. It runs in the middle of what it
/// is told of, so it must be short. A panic in it goes to the
/// [hook for reports](pirn_core::report::set_hook).
///
/// For each task, in this order: `spawned`; then any number of `polling` and `polled` in turn, with
/// `woken` anywhere; `ended`, after the last poll, or without one. After `ended` no more; but if a
/// pool is dropped at the very moment at which a task is woken elsewhere, `woken` may come after it.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::{Hooks, LocalExecutor, Order, TaskId};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// #[derive(Default)]
/// struct Polls(AtomicUsize);
/// impl Hooks for Polls {
///     fn polling(&self, _: TaskId) {
///         self.0.fetch_add(1, Relaxed);
///     }
/// }
///
/// let polls = Arc::new(Polls::default());
/// let executor = LocalExecutor::with_hooks(Order::Fifo, polls.clone());
/// executor.spawn(pirn_core::yield_now()).detach();
/// while executor.try_tick() {}
/// assert_eq!(polls.0.load(Relaxed), 2);
/// ```
pub trait Hooks: Send + Sync + 'static {
    /// A task is about to be made and queued. If its executor is shut down meanwhile, it is refused
    /// after all, and ends as cancelled.
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        let _ = (id, meta);
    }

    /// It is about to be polled, on this thread.
    fn polling(&self, id: TaskId) {
        let _ = id;
    }

    /// The poll has ended, on this thread.
    fn polled(&self, id: TaskId) {
        let _ = id;
    }

    /// It is about to be queued, having been woken or asked to end. A task that is woken while it is
    /// polled is queued after that poll; one that is in the queue is not queued again. What another
    /// thread asks of a `LocalExecutor` is told when that does it, at its next turn.
    fn woken(&self, id: TaskId) {
        let _ = id;
    }

    /// It has ended. Its future is gone.
    fn ended(&self, id: TaskId, how: Ended) {
        let _ = (id, how);
    }
}

/// How a task has ended.
///
/// # Examples
///
/// ```
/// use pirn_executor::Ended;
///
/// assert_ne!(Ended::Returned, Ended::Cancelled);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned its value.
    Returned,
    /// It was cancelled, or cut off by the end of its executor.
    Cancelled,
    /// It panicked.
    Panicked,
}

/// Tells hooks something.
pub(crate) fn tell(hooks: &dyn Hooks, call: impl FnOnce(&dyn Hooks)) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| call(hooks))) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}
