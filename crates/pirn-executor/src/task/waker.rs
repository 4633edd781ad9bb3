//! The waker of a task: the task's pointer and a reference.

use super::cell::Ref;
use std::task::{RawWaker, RawWakerVTable, Waker};

pub(super) static WAKER_VTABLE: RawWakerVTable =
    RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// The waker takes over a reference, or is never dropped and does not outlive one.
pub(super) unsafe fn waker_of(task: Ref) -> Waker {
    // SAFETY: the table's functions keep the contract of wakers: each waker has a reference, the
    // word is atomic, and a cell is freed only with the last of them.
    unsafe { Waker::new(task.as_ptr(), &WAKER_VTABLE) }
}

unsafe fn clone(ptr: *const ()) -> RawWaker {
    // SAFETY: a waker of ours has the pointer of its task and a reference.
    unsafe { Ref::from_ptr(ptr).retain() };
    RawWaker::new(ptr, &WAKER_VTABLE)
}

unsafe fn wake(ptr: *const ()) {
    // SAFETY: a waker of ours has the pointer of its task and a reference, which it gives up here.
    unsafe { Ref::from_ptr(ptr).wake_by_val() }
}

unsafe fn wake_by_ref(ptr: *const ()) {
    // SAFETY: a waker of ours has the pointer of its task and a reference.
    unsafe { Ref::from_ptr(ptr).wake_by_ref() }
}

unsafe fn drop_waker(ptr: *const ()) {
    // SAFETY: a waker of ours has the pointer of its task and a reference, which it gives up here.
    unsafe { Ref::from_ptr(ptr).release(1) }
}
