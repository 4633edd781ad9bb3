//! Who has a reference to a task, and what that entitles to.

use super::cell::Ref;
use super::heap::Heap;
use super::state::Snapshot;
use super::{TaskId, TaskInfo};
use crate::pool::Word;
use pirn_core::Cause;
use std::mem::ManuallyDrop;

/// The duty to run a task, with a reference to it.
pub(crate) struct Runnable(Ref);

impl Runnable {
    pub(super) fn new(task: Ref) -> Runnable {
        Runnable(task)
    }

    /// Polls the task once, or does what else its state asks for. False if it is what a `run` waits
    /// for, whose turn that was.
    ///
    /// A bound task, only on its thread; the schedulers see to that.
    #[inline]
    pub(crate) fn run(self) -> bool {
        let task = ManuallyDrop::new(self).0;
        // SAFETY: a `Runnable` has a reference, which is passed on.
        unsafe { task.run() }
    }

    /// The task's number.
    pub(crate) fn id(&self) -> TaskId {
        // SAFETY: a `Runnable` has a reference.
        unsafe { self.0.header() }.id()
    }

    /// Queues a task that was just made.
    ///
    /// A bound task, only on its thread.
    pub(crate) fn start(self) {
        let task = self.into_ref();
        // SAFETY: a `Runnable` has a reference, which is passed on.
        unsafe { task.start() }
    }

    /// The reference, which is passed on.
    pub(super) fn into_ref(self) -> Ref {
        ManuallyDrop::new(self).0
    }
}

impl Word for Runnable {
    fn into_word(self) -> *mut () {
        ManuallyDrop::new(self).0.as_ptr().cast_mut()
    }

    unsafe fn from_word(word: *mut ()) -> Self {
        // SAFETY: the word came from `into_word`, and takes its reference along.
        Runnable(unsafe { Ref::from_ptr(word) })
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        // SAFETY: a `Runnable` has a reference, and is gone after this.
        unsafe { self.0.release(1) }
    }
}

// SAFETY: it can be sent to the thread that runs it. What may not leave its thread, a future that
// is not `Send`, is touched by `run` alone, and the scheduler of such tasks calls it
// where they were spawned: it holds what it runs in a `Bound`, which other threads cannot reach.
unsafe impl Send for Runnable {}

/// A reference to a task.
pub(crate) struct TaskRef(Ref);

impl TaskRef {
    /// Asks the task to end.
    pub(crate) fn cancel(&self, cause: Cause) {
        // SAFETY: this is a reference.
        unsafe { self.0.cancel(cause) }
    }

    /// Wakes the task. A bound one, on its thread.
    pub(crate) fn wake(&self) {
        // SAFETY: this is a reference.
        unsafe { self.0.wake_by_ref() }
    }

    /// What is known of it; `None` if it is what a `run` waits for.
    fn info(&self) -> Option<TaskInfo> {
        // SAFETY: this is a reference.
        unsafe { (!self.0.is_root()).then(|| self.0.info()) }
    }

    /// Drops the task's future, on the way out of its executor; or leaves that to the thread that
    /// is running it. A bound task's, on its thread.
    pub(crate) fn close(self) {
        let task = ManuallyDrop::new(self).0;
        // SAFETY: the reference is passed on.
        unsafe { task.close() }
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: this was a reference.
        unsafe { self.0.release(1) }
    }
}

// SAFETY: what can be done through it can be done on any thread, as through a waker; but `close`,
// which is called as it says.
unsafe impl Send for TaskRef {}

impl Heap {
    /// Visits all tasks that have not ended. Those of a heap of bound tasks, `alone`: on their
    /// thread.
    pub(crate) fn tasks(&self, alone: bool, mut visit: impl FnMut(TaskRef)) {
        self.for_each(|slot| {
            // SAFETY: slots that are visited are headers; `share` counts a reference only if there is
            // a task.
            if unsafe { slot.state() }.share(alone) {
                visit(TaskRef(slot));
            }
        });
    }

    /// What is known of the tasks that have not ended. Of bound ones, `alone`: on their thread.
    pub(crate) fn infos(&self, alone: bool, into: &mut Vec<TaskInfo>) {
        let mut tasks = Vec::new();
        self.tasks(alone, |task| tasks.push(task));
        into.extend(tasks.iter().filter_map(TaskRef::info));
    }

    /// Merges the words of what is left of bound tasks, all of which have ended, or will after the
    /// poll in which an eager one drops its executor; see [`away`](super::away). On their thread, by a
    /// scheduler that takes in nothing any more.
    pub(crate) fn merge(&self) {
        self.for_each(|slot| {
            // SAFETY: slots that are visited are headers. One that was merged before may be freed
            // elsewhere meanwhile; the others are home's.
            unsafe {
                let state = slot.state().load();
                if !state.is_merged() && state != Snapshot::VACANT {
                    slot.merge();
                }
            }
        });
    }
}
