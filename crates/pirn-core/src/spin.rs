//! The lock of the wait lists: it spins, and unlocking it is one plain store.
//!
//! # States
//!
//! | `held` | meaning | set by | cleared by |
//! | --- | --- | --- | --- |
//! | false | nobody has the value | | |
//! | true | one guard has it | `SpinLock::try_acquire` | `SpinGuard::drop` |
//!
//! The price of a lock that can let its waiters sleep is a second read-modify-write, in the unlock,
//! which has to see them; here that would be most of what an uncontended queue costs. So whoever
//! finds this one held looks again a few times, then gives the processor away, and in the end sleeps
//! for short times: so a holder that was preempted, or is of a lower priority and needs the processor
//! to go on, does go on. There is no order among those who wait, and no bound. Sections are to be a
//! few dozen instructions (and now and then the growth of a queue), and run no code of users.
//!
//! Without the feature `std` there is nobody to give the processor to: it spins until the lock is
//! free. Whoever takes it where the holder cannot go on meanwhile, such as an interrupt handler on
//! the holder's own processor, waits for ever.

use crate::shim::UnsafeCell;
use crate::shim::atomic::{AtomicBool, Ordering};
use crate::shim::{back_off, spin};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// A lock for a few instructions.
///
/// # Examples
///
/// ```
/// use pirn_core::spin::SpinLock;
///
/// let count = SpinLock::new(0);
/// *count.lock() += 1;
/// assert_eq!(*count.lock(), 1);
/// ```
#[repr(C)]
pub struct SpinLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

/// Access to the value of a [`SpinLock`], which is unlocked as this is dropped.
#[must_use = "the lock is unlocked as soon as its guard is dropped"]
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
    /// `Send` and `Sync` as a `&mut T` is.
    _value: PhantomData<&'a mut T>,
}

/// How long who finds it held waits before it looks again, in pauses of the processor, and how often;
/// each wait is twice as long as the one before. The first is far longer than a section: who has the
/// lines of the lock and its value comes for it again some dozens of times meanwhile, and each look
/// takes them away. (A first wait of 16 made contended rows of queues slower by a fifth; one of 160
/// was no better.)
const FIRST_WAIT: u32 = 64;
const LOOKS: u32 = 2;

impl<T> SpinLock<T> {
    crate::const_unless_loom! {
        /// An unlocked lock around `value`.
        pub fn new(value: T) -> Self {
            SpinLock { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Waits for the lock, on this thread; for ever, if this thread has it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        if !self.try_acquire() {
            self.acquire_contended();
        }
        SpinGuard {
            lock: self,
            _value: PhantomData,
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in the guard's drop; the former holder's writes.
        // Relaxed on failure: nothing is taken.
        self.held
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn acquire_contended(&self) {
        if spin(FIRST_WAIT, LOOKS, || self.try_acquire()) {
            return;
        }
        let mut turn = 0;
        loop {
            back_off(turn);
            turn += 1;
            // Ordering: Relaxed, a guess, which leaves the cache line to the holder.
            if !self.held.load(Ordering::Relaxed) && self.try_acquire() {
                return;
            }
        }
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard is made by whoever set `held`, and nobody else sets it until the guard is
        // dropped; `&self` keeps it, and keeps others from the `&mut` below.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `&mut self` is the only reference to the only guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Ordering: Release, pairs with the Acquire in `try_acquire`; publishes the holder's writes.
        self.lock.held.store(false, Ordering::Release);
    }
}

// SAFETY: a shared lock gives `&mut T` to one thread after the other, so `T` moves between threads;
// it never gives `&T` to two at once unless a guard is shared, which needs `T: Sync` there.
unsafe impl<T: Send> Sync for SpinLock<T> {}
