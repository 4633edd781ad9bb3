//! Where a guard reaches the value of its lock: the unsafe code of [`Lock`](super::Lock).

use super::{LockGuard, OwnedLockGuard};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use pirn_core::const_unless_loom;
use pirn_core::shim::UnsafeCell;

/// The value. Touched by the holder of the lock, or through `&mut`.
pub(super) struct LockCell<T: ?Sized>(UnsafeCell<T>);

/// A part of a value behind a lock, as its holder sees it: part of a guard, which keeps others out.
///
/// Not a `&mut T`: whoever is given one by value may rely on it until it returns, and a guard that is
/// dropped lets others in before.
pub(crate) struct Projected<'a, T: ?Sized> {
    value: NonNull<T>,
    _value: PhantomData<&'a mut T>,
}

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

impl<'a, T: ?Sized> Projected<'a, T> {
    /// Of a value that lies behind a lock (or anywhere for longer), and becomes part of the only
    /// guard of that lock.
    pub(crate) fn of(value: &mut T) -> Self {
        Projected {
            value: NonNull::from(value),
            _value: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: the guard that this is part of keeps others out and borrows the lock, so the value
        // is in place, and `&self` keeps the guard from the `&mut` below.
        unsafe { self.value.as_ref() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to it.
        unsafe { self.value.as_mut() }
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

impl<T: ?Sized> Deref for OwnedLockGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: as for the other guard; this one keeps the lock alive.
        self.lock.cell.0.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for OwnedLockGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to the only guard.
        self.lock.cell.0.with_mut(|value| unsafe { &mut *value })
    }
}

// SAFETY: a shared lock gives `&mut T` to one thread after the other, so `T` moves between threads;
// it never gives `&T` to two at once unless a guard is shared, which needs `T: Sync` there.
unsafe impl<T: ?Sized + Send> Sync for LockCell<T> {}

// SAFETY: it gives what a `&mut T` gives, and nothing else.
unsafe impl<T: ?Sized + Send> Send for Projected<'_, T> {}

// SAFETY: shared, it gives a `&T`, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for Projected<'_, T> {}
