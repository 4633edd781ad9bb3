//! The boundary to code of users, where nothing can catch a panic.

use core::mem;

/// Calls `f`; a panic ends the program.
///
/// It must not go on into our callers: one that wakes many has nodes of others in its frame.
#[inline]
pub(super) fn call(f: impl FnOnce()) {
    let unwound = Unwound;
    f();
    mem::forget(unwound);
}

/// Dropped only by a panic that goes by.
struct Unwound;

impl Drop for Unwound {
    fn drop(&mut self) {
        // The second panic at once, which aborts.
        panic!("a waker panicked, and without `std` nothing can catch that");
    }
}
