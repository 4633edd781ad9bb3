//! Where a guard reaches the value of its lock: the unsafe code of [`Lock`](super::Lock).

use super::LockGuard;
use pirn_core::const_unless_loom;
use pirn_core::shim::UnsafeCell;
use std::ops::{Deref, DerefMut};

/// The value. Touched by the holder of the lock, or through `&mut`.
pub(super) struct LockCell<T: ?Sized>(UnsafeCell<T>);

impl<T> LockCell<T> {
    const_unless_loom! {
        pub(super) fn new(value: T) -> Self {
            LockCell(UnsafeCell::new(value))
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> LockCell<T> {
    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only reference to the value, and is borrowed as long.
        self.0.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard is made by whoever took the lock, which nobody else takes until the guard
        // is dropped; `&self` keeps it, and keeps others from the `&mut` below.
        self.lock.cell.0.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to the only guard.
        self.lock.cell.0.with_mut(|value| unsafe { &mut *value })
    }
}

// SAFETY: a shared lock gives `&mut T` to one thread after the other, so `T` moves between threads;
// it never gives `&T` to two at once unless a guard is shared, which needs `T: Sync` there.
unsafe impl<T: ?Sized + Send> Sync for LockCell<T> {}
