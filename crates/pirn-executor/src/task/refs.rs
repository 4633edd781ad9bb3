//! Who has a reference to a task, and what that entitles to.

use super::cell::Ref;
use super::owned::NO_SLOT;
use crate::pool::Word;
use pirn_core::Cause;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::Relaxed;

/// The duty to run a task, with a reference to it.
pub(crate) struct Runnable(Ref);

impl Runnable {
    pub(super) fn new(task: Ref) -> Runnable {
        Runnable(task)
    }

    /// Polls the task once, or does what else its state asks for.
    ///
    /// For a task whose future is not `Send`, only on the thread that spawned it; the schedulers
    /// see to that.
    #[inline]
    pub(crate) fn run(self) {
        let task = ManuallyDrop::new(self).0;
        // SAFETY: a `Runnable` has a reference, which is passed on.
        unsafe { task.run() }
    }

    /// True if no set owns the task yet.
    pub(crate) fn is_orphan(&self) -> bool {
        // SAFETY: a `Runnable` has a reference.
        let header = unsafe { self.0.header() };
        // Ordering: Relaxed, the queue that the `Runnable` came through published it.
        header.slot.load(Relaxed) == NO_SLOT
    }

    /// Takes over the reference that is meant for the set of owned tasks. Once for each orphan.
    pub(crate) fn adopt(&self) -> OwnedTask {
        debug_assert!(self.is_orphan(), "a task can have one owner only");
        OwnedTask(self.0)
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
// is not `Send`, is touched by `run` alone, and the scheduler of such tasks runs them where they
// were spawned: it holds what it runs in a `Bound`, which other threads cannot reach into.
unsafe impl Send for Runnable {}

/// The reference to a task that the set of owned tasks keeps until the task is complete.
pub(crate) struct OwnedTask(Ref);

impl OwnedTask {
    pub(super) fn set_slot(&self, slot: u32) {
        // SAFETY: the set's reference keeps the cell alive.
        let header = unsafe { self.0.header() };
        // Ordering: Relaxed, written before the task is queued or by the thread that runs it.
        header.slot.store(slot, Relaxed);
    }

    /// Drops the task's future, on the way out of its executor; or leaves that to the thread that
    /// is running it. For futures that are not `Send`: on the thread that spawned them.
    pub(crate) fn close(self) {
        let task = ManuallyDrop::new(self).0;
        // SAFETY: the set's reference is passed on.
        unsafe { task.close() }
    }

    /// Another reference to the task.
    pub(crate) fn share(&self) -> TaskRef {
        // SAFETY: the set's reference keeps the cell alive.
        unsafe { self.0.header() }.state.retain();
        TaskRef(self.0)
    }
}

impl Word for OwnedTask {
    fn into_word(self) -> *mut () {
        ManuallyDrop::new(self).0.as_ptr().cast_mut()
    }

    unsafe fn from_word(word: *mut ()) -> Self {
        // SAFETY: the word came from `into_word`, and takes its reference along.
        OwnedTask(unsafe { Ref::from_ptr(word) })
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        // SAFETY: the set had a reference, and this was it. The task is complete: otherwise `close`
        // would have taken it.
        unsafe { self.0.release(1) }
    }
}

// SAFETY: as for `Runnable`; `close` is called by the owner alone.
unsafe impl Send for OwnedTask {}

/// A reference to a task.
pub(crate) struct TaskRef(Ref);

impl TaskRef {
    /// Asks the task to end.
    pub(crate) fn cancel(&self, cause: Cause) {
        // SAFETY: this is a reference.
        unsafe { self.0.cancel(cause) }
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: this was a reference.
        unsafe { self.0.release(1) }
    }
}

// SAFETY: what can be done through it can be done on any thread, as through a waker.
unsafe impl Send for TaskRef {}
