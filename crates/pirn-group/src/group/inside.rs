//! A child's hold on its group: its unsafe code.
//!
//! As long as a child is counted in, the group keeps itself: `enter` sees to that, and `leave_locked`
//! ends it after the last. So a child counts no reference of its own, which would be two more exchanges
//! on a word that all children share.

use super::shared::{Shared, leave};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// The group, in the hands of a child that is counted in until this is dropped.
pub(crate) struct Inside<E> {
    /// Alive until the child is counted out.
    shared: NonNull<Shared<E>>,
}

impl<E> Inside<E> {
    /// Counts a child in; `None` once the group is closed.
    #[inline]
    pub(crate) fn enter(shared: &Arc<Shared<E>>) -> Option<Self> {
        // SAFETY: what an `Arc` points to has an address.
        let pointer = unsafe { NonNull::new_unchecked(Arc::as_ptr(shared).cast_mut()) };
        shared.enter().then(|| Inside { shared: pointer })
    }
}

impl<E> Deref for Inside<E> {
    type Target = Shared<E>;

    #[inline]
    fn deref(&self) -> &Shared<E> {
        // SAFETY: the child is counted in as long as this is there, and so the group keeps itself.
        unsafe { self.shared.as_ref() }
    }
}

impl<E> Drop for Inside<E> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the group is there until the child is counted out; of which nothing is referred to by
        // then but the count, an atomic.
        let left = leave(unsafe { &(*self.shared.as_ptr()).count });
        if !left {
            // SAFETY: the child is still counted in. What keeps the group from then on is dropped last.
            drop(unsafe { self.shared.as_ref() }.leave_locked());
        }
    }
}

// SAFETY: it is as an `Arc` of the group, which is shared with other threads, and dropped on any.
unsafe impl<E> Send for Inside<E> where Arc<Shared<E>>: Send {}
