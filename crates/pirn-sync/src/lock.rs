//! A lock that a task holds across its awaits.
//!
//! # States
//!
//! One atomic word beside the wait list:
//!
//! | word | meaning | set by | left by |
//! | --- | --- | --- | --- |
//! | `FREE` | nobody holds it, nobody waits | `Word::release`, `Word::settle` | `Word::try_take` |
//! | `HELD` | somebody holds it or was granted it | `Word::try_take`, `Word::settle` | `Word::release`, `Word::flag` |
//! | `CONTENDED` | the same, and somebody waits | `Word::flag`, `Word::settle` | `Word::open`, `Word::settle` |
//! | `OPEN` | nobody holds it; the wait list is locked and decides who is next | `Word::open` | `Word::settle` |
//!
//! The fast paths are `FREE` to `HELD` and back, one read-modify-write each. All other transitions
//! happen with the wait list locked. A waiter is in the queue only while the word is `CONTENDED`
//! (or `OPEN`), so whoever finds it `FREE` overtakes nobody.
//!
//! # Barging
//!
//! In a lock that allows it, a newcomer may overtake the one to whom the lock was handed, as long as
//! that one has not come for it: with the list locked, it revokes the grant, which shows whether there
//! was one, and has the lock. How often is counted under the list's lock:
//!
//! | what | meaning | set by | cleared by |
//! | --- | --- | --- | --- |
//! | `overtaken` | how often the one that is next was overtaken since it was first handed the lock | `Word::overtake` | `settle`, as it hands the lock to another |
//! | `again` | the one to whom it was handed last was overtaken, and is the next; or gave it back, to another of its task that claims it, or to the next | `Word::overtake`, `put_back` | `settle`, as it hands the lock over |
//!
//! Whoever is handed a lock that was given back inherits the count: a task whose futures claim it
//! from each other, without the budget to take it, is overtaken no oftener for that.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::sync::atomic as plain;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim::atomic::{AtomicU8, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

mod cell;
mod guard;
use cell::LockCell;
pub(crate) use cell::Projected;
pub(crate) use guard::Relock;
pub use guard::{MappedLockGuard, OwnedLockGuard};

/// A value that one task at a time may use, also across awaits.
///
/// For a few lines without an await in them, `std`'s mutex is the better choice: it is faster, and
/// a task cannot be suspended while it holds it.
///
/// A panic while the lock is held unlocks it, as any drop of the guard does: there is no poisoning,
/// and the next holder finds the value as the panic left it. Where that can be half a change, build
/// the new value first and put it in with one assignment.
///
/// A lock is not re-entrant: a task that asks for a lock that it holds waits for ever.
///
/// # Fairness
///
/// First come, first served: unlocking hands the lock to the first in the queue, and neither
/// [`try_lock`](Self::try_lock) nor a newcomer overtakes anybody. A lock that was handed to a task
/// belongs to that task: whichever of its `lock` futures it polls first gets it, and the one that
/// was handed it takes the other's place in the queue. So a task that stops polling one such future
/// to await another does not hang. (A part of a task with wakers of
/// its own, such as `FuturesUnordered`, counts as a task: if it is granted the lock, it has to be
/// polled or dropped.)
///
/// # Examples
///
/// ```
/// use pirn_sync::Lock;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let total = Lock::new(1);
/// *total.lock().await += 41;
/// assert_eq!(total.into_inner(), 42);
/// # });
/// ```
pub struct Lock<T: ?Sized> {
    list: WaitList<Word>,
    cell: LockCell<T>,
}

/// Access to the value of a [`Lock`], which is unlocked as this is dropped.
#[must_use = "the lock is unlocked as soon as its guard is dropped"]
pub struct LockGuard<'a, T: ?Sized> {
    lock: &'a Lock<T>,
    /// `Send` and `Sync` as a `&mut T` is.
    _value: PhantomData<&'a mut T>,
}

pin_project_lite::pin_project! {
    /// The future of [`Lock::lock`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<'a, T: ?Sized> {
        lock: &'a Lock<T>,
        #[pin]
        waiter: Waiter<'a, Word>,
    }
}

const FREE: u8 = 0;
const HELD: u8 = 1;
const WAITERS: u8 = 2;
const CONTENDED: u8 = HELD | WAITERS;
const OPEN: u8 = WAITERS;

struct Word {
    word: AtomicU8,
    /// How often one who was handed the lock may be overtaken.
    overtakes: u8,
    // The rest is read and written with the wait list locked. In the list's own state it would cost
    // the lock eight bytes. `core`'s atomics on purpose: there is nothing in them for a model to
    // explore.
    overtaken: plain::AtomicU8,
    again: plain::AtomicBool,
    revoked: plain::AtomicU32,
}

impl<T> Lock<T> {
    const_unless_loom! {
        /// An unlocked lock around `value`.
        pub fn new(value: T) -> Self {
            Lock { list: Word::list(0), cell: LockCell::new(value) }
        }
    }

    const_unless_loom! {
        /// An unlocked lock that lets newcomers barge in: at most `overtakes` of them take it between
        /// the moment when it is handed to the first in the queue and the moment when that one has it.
        /// With 0 it is the same as [`new`](Self::new).
        ///
        /// A task that is handed the lock has to be woken and run before it takes it. Where that takes
        /// longer than what is done under the lock, as for a few lines without an await, strict order
        /// makes every task wait its turn once one did; here the tasks that run go on meanwhile. Where
        /// the lock is held over an await, this gains nothing and wakes tasks in vain.
        ///
        /// # Fairness
        ///
        /// Those who wait have the lock in the order in which they came, and before each of them at
        /// most `overtakes` others who came later, [`try_lock`](Self::try_lock) among them. So who
        /// waits has it at the latest when those before it in the queue, and for each of these and
        /// itself `overtakes` more, had it. Where the one that is next leaves, or another future of its
        /// task comes for the lock, those who overtook it count for the one that is next then. Of the rest, all is as with other locks.
        ///
        /// # Examples
        ///
        /// ```
        /// use pirn_sync::Lock;
        ///
        /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
        /// # rt.block_on(async {
        /// let total = Lock::new_barging(1, 32);
        /// *total.lock().await += 41;
        /// assert_eq!(total.into_inner(), 42);
        /// # });
        /// ```
        pub fn new_barging(value: T, overtakes: u8) -> Self {
            Lock { list: Word::list(overtakes), cell: LockCell::new(value) }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// The value, through the only reference there is to the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = pirn_sync::Lock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(*lock.try_lock().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.cell.get_mut()
    }

    /// True if somebody holds it or is about to. It may have changed by the time this returns.
    pub fn is_locked(&self) -> bool {
        self.list.policy().is_taken()
    }

    /// Takes the lock if it is free and nobody waits for it; or if its turn may be taken from the one
    /// who is next, in a [barging](Self::new_barging) lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = pirn_sync::Lock::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        try_take(&self.list).then(|| self.guard())
    }

    /// Waits for the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a lock that it had been handed goes to the next.
    #[inline]
    pub fn lock(&self) -> Acquire<'_, T> {
        Acquire {
            lock: self,
            waiter: Waiter::new(&self.list, 0, ()),
        }
    }

    /// As [`try_lock`](Self::try_lock), for a guard that keeps the lock alive.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = std::sync::Arc::new(pirn_sync::Lock::new(1));
    /// let guard = lock.try_lock_owned().unwrap();
    /// assert!(lock.try_lock_owned().is_none());
    /// assert_eq!(*guard, 1);
    /// ```
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<OwnedLockGuard<T>> {
        let taken = try_take(&self.list);
        taken.then(|| OwnedLockGuard::of(Arc::clone(self)))
    }

    /// As [`lock`](Self::lock), for a guard that keeps the lock alive and can move to another task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a lock that it had been handed goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Lock;
    /// use std::sync::Arc;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let total = Arc::new(Lock::new(1));
    /// let mut guard = total.lock_owned().await;
    /// tokio::spawn(async move { *guard += 41 }).await.unwrap();
    /// assert_eq!(*total.lock().await, 42);
    /// # });
    /// ```
    pub async fn lock_owned(self: &Arc<Self>) -> OwnedLockGuard<T> {
        core::mem::forget(self.lock().await);
        OwnedLockGuard::of(Arc::clone(self))
    }

    /// To be made by whoever took the lock.
    #[inline]
    fn guard(&self) -> LockGuard<'_, T> {
        LockGuard {
            lock: self,
            _value: PhantomData,
        }
    }
}

#[inline]
fn try_take(list: &WaitList<Word>) -> bool {
    let word = list.policy();
    word.try_take() || word.overtakes > 0 && list.enter(Word::overtake)
}

#[inline]
fn unlock(list: &WaitList<Word>) {
    if !list.policy().release() {
        hand_over(list);
    }
}

#[cold]
fn hand_over(list: &WaitList<Word>) {
    list.enter(|door| {
        door.policy().open();
        Word::settle(door, 0);
    });
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// The lock it locks.
    pub fn lock(guard: &Self) -> &'a Lock<T> {
        guard.lock
    }
}

impl Word {
    const_unless_loom! {
        fn list(overtakes: u8) -> WaitList<Word> {
            let policy = Word {
                word: AtomicU8::new(FREE),
                overtakes,
                overtaken: plain::AtomicU8::new(0),
                again: plain::AtomicBool::new(false),
                revoked: plain::AtomicU32::new(0),
            };
            WaitList::new(policy, ())
        }
    }

    #[inline]
    fn is_taken(&self) -> bool {
        // Ordering: Relaxed, a hint that orders nothing.
        self.word.load(Ordering::Relaxed) != FREE
    }

    #[inline]
    fn try_take(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `release` and in `settle`; the last holder's
        // writes to the value. Relaxed on failure: nothing is taken.
        self.word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Unlocks if nobody waits.
    #[inline]
    fn release(&self) -> bool {
        // Ordering: Relaxed, a guess, which spares the exchange that would fail.
        self.word.load(Ordering::Relaxed) == HELD
            && self
                .word
                // Ordering: Release, pairs with the Acquire in `try_take`; publishes the holder's
                // writes. Relaxed on failure: the wait list's lock publishes them.
                .compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed)
                .is_ok()
    }

    /// Takes the lock, or lets its holder know that somebody waits. With the list locked.
    fn take_or_flag(&self) -> bool {
        loop {
            // Ordering: Relaxed, a guess that the exchanges check. `CONTENDED` and `OPEN` stay while
            // the list is locked.
            match self.word.load(Ordering::Relaxed) {
                FREE if self.try_take() => return true,
                HELD if self.flag() => return false,
                FREE | HELD => {}
                _ => return false,
            }
        }
    }

    /// Lets the holder know that somebody waits. With the list locked.
    fn flag(&self) -> bool {
        // Ordering: Relaxed, publishes nothing: the holder, who sees the flag, locks the list.
        self.word
            .compare_exchange(HELD, CONTENDED, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes the lock from the one to whom it was handed, if that has not come for it and may be
    /// overtaken once more.
    #[cold]
    fn overtake(door: &mut Door<'_, Self>) -> bool {
        let line = door.policy();
        // Ordering: Relaxed, the list's lock orders it.
        let overtaken = line.overtaken.load(Ordering::Relaxed);
        let taken = overtaken < door.policy().overtakes && door.revoke(0);
        if taken {
            let line = door.policy();
            // Ordering: Relaxed, as above.
            line.overtaken.store(overtaken + 1, Ordering::Relaxed);
            // Ordering: Relaxed, as above.
            line.again.store(true, Ordering::Relaxed);
            // Ordering: Relaxed, the list's lock ordered the former holder before; the one that was
            // handed the lock waits again.
            door.policy().word.store(CONTENDED, Ordering::Relaxed);
        }
        taken
    }

    /// With the list locked, by whoever holds the lock.
    fn open(&self) {
        // Ordering: Relaxed; only holders of the list's lock leave `OPEN`.
        self.word.store(OPEN, Ordering::Relaxed);
    }
}

impl Policy<1> for Word {
    type State = ();
    type Want = ();

    fn admit(door: &mut Door<'_, Self>, _: usize, (): ()) -> Option<()> {
        let may_barge = door.policy().overtakes > 0;
        (door.policy().take_or_flag() || may_barge && Self::overtake(door)).then_some(())
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, (): ()) {
        let line = door.policy();
        // Ordering: Relaxed, the list's lock orders it.
        line.again.store(true, Ordering::Relaxed);
        line.open();
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        let word = &door.policy().word;
        // Ordering: Relaxed, the list's lock orders the transitions to and from `OPEN` and
        // `CONTENDED`.
        let open = word.load(Ordering::Relaxed) == OPEN;
        if open {
            let line = door.policy();
            // Ordering: Relaxed, the list's lock orders it.
            if line.again.load(Ordering::Relaxed) {
                // Ordering: Relaxed, as above.
                line.again.store(false, Ordering::Relaxed);
            } else {
                // Ordering: Relaxed, as above.
                line.overtaken.store(0, Ordering::Relaxed);
            }
        }
        let handed = open && door.grant_head(queue, ());
        match (open, door.has_waiting(queue)) {
            (true, waiting) => {
                let next = match (handed, waiting) {
                    (true, true) => CONTENDED,
                    (true, false) => HELD,
                    (false, _) => FREE,
                };
                // Ordering: Release, pairs with the Acquire in `try_take`; passes on what the last
                // holder wrote, whom the list's lock ordered before.
                word.store(next, Ordering::Release);
            }
            // The last waiter left; the holder need not come here. It may be coming already, and
            // will find the list empty.
            (false, false) => {
                // Ordering: Relaxed, publishes nothing.
                let _ =
                    word.compare_exchange(CONTENDED, HELD, Ordering::Relaxed, Ordering::Relaxed);
            }
            (false, true) => {}
        }
    }

    fn revoked(door: &mut Door<'_, Self>, by: i32) -> u32 {
        let revoked = &door.policy().revoked;
        // Ordering: Relaxed, the list's lock orders it.
        let count = revoked.load(Ordering::Relaxed).wrapping_add_signed(by);
        // Ordering: Relaxed, as above.
        revoked.store(count, Ordering::Relaxed);
        count
    }

    #[inline]
    fn expects_wait(&self, _: usize) -> bool {
        // Who barges in needs no waker.
        self.overtakes == 0
    }
}

impl<'a, T: ?Sized> Future for Acquire<'a, T> {
    type Output = LockGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            let word = this.lock.list.policy();
            // A look spares those who will wait an exchange that fails.
            if !word.is_taken() && word.try_take() {
                return Poll::Ready(this.lock.guard());
            }
        }
        ready!(this.waiter.poll_granted(cx));
        Poll::Ready(this.lock.guard())
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        unlock(&self.lock.list);
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Lock::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Lock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `try_lock`: to look is no reason to take the turn from one who waits.
        let guard = self.list.policy().try_take().then(|| self.guard());
        match guard {
            Some(guard) => f.debug_tuple("Lock").field(&&*guard).finish(),
            None => f.write_str("Lock(<locked>)"),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> fmt::Debug for Acquire<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}
