//! Guards of a [`Lock`] that borrow less than the lock, or nothing.

use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use pirn_core::wait::WaitList;

use super::cell::Projected;
use super::{Lock, LockGuard, Word, unlock};

/// As [`LockGuard`], of a lock behind an [`Arc`]: what [`Lock::lock_owned`] gives.
#[must_use = "the lock is unlocked as soon as its guard is dropped"]
pub struct OwnedLockGuard<T: ?Sized> {
    pub(super) lock: Arc<Lock<T>>,
    /// `Sync` only if the value is; the lock does not ask for that.
    _value: PhantomData<T>,
}

/// Access to a part of the value of a [`Lock`], which is unlocked as this is dropped.
///
/// Made by [`LockGuard::map`].
#[must_use = "the lock is unlocked as soon as its guard is dropped"]
pub struct MappedLockGuard<'a, U: ?Sized> {
    value: Projected<'a, U>,
    list: &'a WaitList<Word>,
}

/// A guard of a whole lock, which can be given up and made again: a [`LockGuard`] or an
/// [`OwnedLockGuard`].
pub trait Relock: DerefMut {
    /// What leads to the lock.
    type Place;

    fn place(&self) -> Self::Place;

    fn lock(place: &Self::Place) -> &Lock<Self::Target>;

    /// To be called by whoever took the lock.
    fn locked(place: Self::Place) -> Self;
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// Narrows the guard to a part of what it gives access to.
    ///
    /// This is an associated function, so that it hides no method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Lock, LockGuard};
    ///
    /// let pair = Lock::new((1, 2));
    /// let mut second = LockGuard::map(pair.try_lock().unwrap(), |pair| &mut pair.1);
    /// *second = 5;
    /// assert!(pair.is_locked());
    /// drop(second);
    /// assert_eq!(pair.into_inner(), (1, 5));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedLockGuard<'a, U> {
        let value = Projected::of(f(&mut guard));
        MappedLockGuard::of(guard, value)
    }

    /// As [`map`](Self::map), if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard, if `f` returned `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Lock, LockGuard};
    ///
    /// let list = Lock::new(vec![1, 2]);
    /// let third = LockGuard::try_map(list.try_lock().unwrap(), |list| list.get_mut(2));
    /// third.unwrap_err().push(3);
    /// assert_eq!(list.into_inner(), [1, 2, 3]);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedLockGuard<'a, U>, Self> {
        match f(&mut guard).map(Projected::of) {
            Some(value) => Ok(MappedLockGuard::of(guard, value)),
            None => Err(guard),
        }
    }
}

impl<'a, U: ?Sized> MappedLockGuard<'a, U> {
    fn of<T: ?Sized>(guard: LockGuard<'a, T>, value: Projected<'a, U>) -> Self {
        let list = &guard.lock.list;
        mem::forget(guard);
        MappedLockGuard { value, list }
    }
}

impl<T: ?Sized> OwnedLockGuard<T> {
    /// To be made by whoever took the lock.
    pub(super) fn of(lock: Arc<Lock<T>>) -> Self {
        OwnedLockGuard {
            lock,
            _value: PhantomData,
        }
    }

    /// The lock it locks.
    pub fn lock(guard: &Self) -> &Arc<Lock<T>> {
        &guard.lock
    }
}

impl<'a, T: ?Sized> Relock for LockGuard<'a, T> {
    type Place = &'a Lock<T>;

    fn place(&self) -> Self::Place {
        self.lock
    }

    fn lock(place: &Self::Place) -> &Lock<T> {
        place
    }

    fn locked(place: Self::Place) -> Self {
        place.guard()
    }
}

impl<T: ?Sized> Relock for OwnedLockGuard<T> {
    type Place = Arc<Lock<T>>;

    fn place(&self) -> Self::Place {
        Arc::clone(&self.lock)
    }

    fn lock(place: &Self::Place) -> &Lock<T> {
        place
    }

    fn locked(place: Self::Place) -> Self {
        OwnedLockGuard::of(place)
    }
}

impl<U: ?Sized> Deref for MappedLockGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        self.value.get()
    }
}

impl<U: ?Sized> DerefMut for MappedLockGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Drop for OwnedLockGuard<T> {
    #[inline]
    fn drop(&mut self) {
        unlock(&self.lock.list);
    }
}

impl<U: ?Sized> Drop for MappedLockGuard<'_, U> {
    #[inline]
    fn drop(&mut self) {
        unlock(self.list);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for MappedLockGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Display> fmt::Display for MappedLockGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
