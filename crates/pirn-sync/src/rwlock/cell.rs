//! Where a guard reaches the value of its lock: the unsafe code of [`RwLock`](super::RwLock).

use super::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockWriteGuard};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use pirn_core::const_unless_loom;
use pirn_core::shim::UnsafeCell;

/// The value. Read by whoever holds the lock, written by a writer that does, or through `&mut`.
pub(super) struct RwLockCell<T: ?Sized>(UnsafeCell<T>);

/// The value, or a part of it, as a reader sees it: part of a guard, which keeps writers out.
///
/// Not a `&T`: whoever is given one by value may rely on it until it returns, and a guard that is
/// dropped lets writers in before.
pub(super) struct Shared<'a, T: ?Sized> {
    value: NonNull<T>,
    _value: PhantomData<&'a T>,
}

impl<T> RwLockCell<T> {
    const_unless_loom! {
        pub(super) fn new(value: T) -> Self {
            RwLockCell(UnsafeCell::new(value))
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> RwLockCell<T> {
    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only reference to the value, and is borrowed as long.
        self.0.with_mut(|value| unsafe { &mut *value })
    }

    /// To be called by whoever took the lock to read, or is about to be a reader and writes no more.
    #[inline]
    pub(super) fn share(&self) -> Shared<'_, T> {
        // SAFETY: no writer has the lock but the caller, who writes no more.
        self.0.with(|value| Shared::of(unsafe { &*value }))
    }
}

impl<'a, T: ?Sized> Shared<'a, T> {
    /// Of a value that lies behind a lock (or anywhere for longer), and becomes part of a guard that
    /// lets others read that lock and not write.
    #[inline]
    pub(super) fn of(value: &T) -> Self {
        Shared {
            value: NonNull::from(value),
            _value: PhantomData,
        }
    }

    #[inline]
    pub(super) fn get(&self) -> &T {
        // SAFETY: the guard that this is part of keeps writers out and borrows the lock, so the
        // value is in place and does not change while the guard is borrowed.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a write guard is made by whoever took the lock to write, which nobody else takes
        // until the guard is dropped; `&self` keeps it, and keeps others from the `&mut` below.
        self.lock.cell.0.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to the only guard.
        self.lock.cell.0.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a read guard is made by whoever took the lock to read, and while it is there nobody
        // writes; it keeps the lock alive.
        self.hold.lock.cell.0.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: as for the other write guard; this one keeps the lock alive.
        self.hold.lock.cell.0.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to the only guard.
        self.hold
            .lock
            .cell
            .0
            .with_mut(|value| unsafe { &mut *value })
    }
}

// SAFETY: a shared lock gives `&mut T` to one thread after the other, so `T` moves between threads,
// and `&T` to several at once.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockCell<T> {}

// SAFETY: it gives a `&T`, and nothing else.
unsafe impl<T: ?Sized + Sync> Send for Shared<'_, T> {}

// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for Shared<'_, T> {}
