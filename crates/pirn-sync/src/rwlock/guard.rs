//! What holders of an [`RwLock`] have in hand.

use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use pirn_core::wait::WaitList;

use super::cell::Shared;
use super::{RwLock, Want, Word, downgrade, let_go};
use crate::lock::Projected;

/// Access to the value of an [`RwLock`], or to a part of it, together with other readers. It is let
/// go as this is dropped.
#[must_use = "the lock is let go as soon as its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    value: Shared<'a, T>,
    hold: Hold<'a>,
}

/// Access to the value of an [`RwLock`] alone. It is let go as this is dropped.
#[must_use = "the lock is let go as soon as its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    pub(super) lock: &'a RwLock<T>,
    /// `Send` as a `&mut T` is, and because of `downgrade` only if a `&T` is too.
    _value: PhantomData<&'a mut T>,
}

/// Access alone to a part of the value of an [`RwLock`], which is let go as this is dropped.
///
/// Made by [`RwLockWriteGuard::map`]. It cannot be downgraded: what `map` was given may have been
/// good for a writer alone, as the inside of a `Cell` is.
#[must_use = "the lock is let go as soon as its guard is dropped"]
pub struct MappedRwLockWriteGuard<'a, U: ?Sized> {
    value: Projected<'a, U>,
    _hold: Hold<'a>,
}

/// As [`RwLockReadGuard`], of a lock behind an [`Arc`]: what [`RwLock::read_owned`] gives.
#[must_use = "the lock is let go as soon as its guard is dropped"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    pub(super) hold: OwnedHold<T>,
}

/// As [`RwLockWriteGuard`], of a lock behind an [`Arc`].
#[must_use = "the lock is let go as soon as its guard is dropped"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    pub(super) hold: OwnedHold<T>,
}

/// What was taken of a lock, to be let go.
struct Hold<'a> {
    list: &'a WaitList<Word>,
    want: Want,
}

/// The same of a lock behind an `Arc`. `Send` and `Sync` if the lock is both, so if the value is.
pub(super) struct OwnedHold<T: ?Sized> {
    pub(super) lock: Arc<RwLock<T>>,
    want: Want,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// To be made by whoever took the lock to read.
    #[inline]
    pub(super) fn of(lock: &'a RwLock<T>) -> Self {
        RwLockReadGuard {
            value: lock.cell.share(),
            hold: Hold {
                list: &lock.list,
                want: Want::Read,
            },
        }
    }

    /// Narrows the guard to a part of what it gives access to.
    ///
    /// This is an associated function, so that it hides no method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.try_read().unwrap(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// assert!(pair.try_write().is_none());
    /// ```
    pub fn map<U: ?Sized>(guard: Self, f: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        RwLockReadGuard {
            value: Shared::of(f(&guard)),
            hold: guard.hold,
        }
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
    /// use pirn_sync::{RwLock, RwLockReadGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// let second = RwLockReadGuard::try_map(list.try_read().unwrap(), |list| list.get(1));
    /// assert_eq!(*second.unwrap(), 2);
    /// let third = RwLockReadGuard::try_map(list.try_read().unwrap(), |list| list.get(2));
    /// assert_eq!(third.unwrap_err().len(), 2);
    /// ```
    pub fn try_map<U: ?Sized>(
        guard: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        match f(&guard).map(Shared::of) {
            Some(value) => Ok(RwLockReadGuard {
                value,
                hold: guard.hold,
            }),
            None => Err(guard),
        }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// To be made by whoever took the lock to write.
    #[inline]
    pub(super) fn of(lock: &'a RwLock<T>) -> Self {
        RwLockWriteGuard {
            lock,
            _value: PhantomData,
        }
    }

    /// Goes on as a reader: no writer gets in between, and readers that are first in the queue are
    /// let in.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.try_write().unwrap();
    /// *guard = 2;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let lock = guard.lock;
        mem::forget(guard);
        let guard = RwLockReadGuard::of(lock);
        downgrade(&lock.list);
        guard
    }

    /// Narrows the guard to a part of what it gives access to.
    ///
    /// This is an associated function, so that it hides no method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, 2));
    /// let mut second = RwLockWriteGuard::map(pair.try_write().unwrap(), |pair| &mut pair.1);
    /// *second = 5;
    /// drop(second);
    /// assert_eq!(pair.into_inner(), (1, 5));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let value = Projected::of(f(&mut guard));
        MappedRwLockWriteGuard::of(guard, value)
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
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// let third = RwLockWriteGuard::try_map(list.try_write().unwrap(), |list| list.get_mut(2));
    /// third.unwrap_err().push(3);
    /// assert_eq!(list.into_inner(), [1, 2, 3]);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match f(&mut guard).map(Projected::of) {
            Some(value) => Ok(MappedRwLockWriteGuard::of(guard, value)),
            None => Err(guard),
        }
    }
}

impl<'a, U: ?Sized> MappedRwLockWriteGuard<'a, U> {
    fn of<T: ?Sized>(guard: RwLockWriteGuard<'a, T>, value: Projected<'a, U>) -> Self {
        let list = &guard.lock.list;
        mem::forget(guard);
        MappedRwLockWriteGuard {
            value,
            _hold: Hold {
                list,
                want: Want::Write,
            },
        }
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// To be made by whoever took the lock to read.
    pub(super) fn of(lock: Arc<RwLock<T>>) -> Self {
        let want = Want::Read;
        OwnedRwLockReadGuard {
            hold: OwnedHold { lock, want },
        }
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// To be made by whoever took the lock to write.
    pub(super) fn of(lock: Arc<RwLock<T>>) -> Self {
        let want = Want::Write;
        OwnedRwLockWriteGuard {
            hold: OwnedHold { lock, want },
        }
    }

    /// Goes on as a reader: no writer gets in between, and readers that are first in the queue are
    /// let in.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = std::sync::Arc::new(RwLock::new(1));
    /// let mut guard = lock.try_write_owned().unwrap();
    /// *guard = 2;
    /// let guard = OwnedRwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(mut guard: Self) -> OwnedRwLockReadGuard<T> {
        guard.hold.want = Want::Read;
        downgrade(&guard.hold.lock.list);
        OwnedRwLockReadGuard { hold: guard.hold }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value.get()
    }
}

impl<U: ?Sized> Deref for MappedRwLockWriteGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        self.value.get()
    }
}

impl<U: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let_go(&self.lock.list, Want::Write);
    }
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        let_go(self.list, self.want);
    }
}

impl<T: ?Sized> Drop for OwnedHold<T> {
    #[inline]
    fn drop(&mut self) {
        let_go(&self.lock.list, self.want);
    }
}

/// A guard prints as what it gives access to.
macro_rules! prints_its_value {
    ($($guard:ty),*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

prints_its_value!(
    RwLockReadGuard<'_, T>,
    RwLockWriteGuard<'_, T>,
    MappedRwLockWriteGuard<'_, T>,
    OwnedRwLockReadGuard<T>,
    OwnedRwLockWriteGuard<T>
);
