//! A number of permits, and tasks that wait for some.
//!
//! # States
//!
//! One atomic word beside the wait list: the free permits, above two flags.
//!
//! | flag | meaning | set by | cleared by |
//! | --- | --- | --- | --- |
//! | `WAITERS` | somebody waits; the word changes only with the wait list locked | `Word::take_or_flag` | `Word::settle` |
//! | `CLOSED` | no more permits are given | `Semaphore::close` | nobody |
//!
//! Without `WAITERS`, permits are taken and returned by one compare-exchange each. With it, a
//! request is served when it is the first of the queue and enough permits are free, so permits may
//! be free while somebody waits for more.
//!
//! The wait list's lock protects how many permits were forgotten, which are all that
//! `Semaphore::release` may give back: so what is free, in hands and forgotten is always what the
//! semaphore was made with and what was added.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

use crate::error::{Closed, TooManyReleased, TryAcquireError};

/// A limit on how many do something at once: a number of permits that tasks take and return.
///
/// To limit to one, with a value to protect, use a [`Lock`](crate::Lock).
///
/// # Fairness
///
/// First come, first served, whatever they ask for: a request for many permits waits at the head of
/// the queue until enough are free, and nobody overtakes it meanwhile, neither
/// [`try_acquire`](Self::try_acquire) nor a smaller request. Permits that were granted to a task
/// belong to that task: whichever of its `acquire` futures it polls first gets them, as with
/// [`Lock`](crate::Lock#fairness), if they and the free ones are enough for it. If they are too few,
/// they stay where they are, for the smaller request to take; so a task that awaits a large request
/// alone, while it keeps a small one which was granted and which it does not poll, may hang.
///
/// # Examples
///
/// ```
/// use pirn_sync::Semaphore;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let connections = Semaphore::new(2);
/// let first = connections.acquire().await?;
/// let second = connections.acquire().await?;
/// assert!(connections.try_acquire().is_err());
/// drop(first);
/// assert_eq!(connections.available(), 1);
/// # drop(second);
/// # Ok::<_, pirn_sync::Closed>(()) }).unwrap();
/// ```
pub struct Semaphore {
    list: WaitList<Word>,
}

/// Permits of a [`Semaphore`], which get them back as this is dropped.
#[must_use = "the permits go back as soon as this is dropped"]
pub struct Permit<'a> {
    list: &'a WaitList<Word>,
    count: usize,
}

/// Permits of a [`Semaphore`] behind an [`Arc`], which get them back as this is dropped.
#[must_use = "the permits go back as soon as this is dropped"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

pin_project_lite::pin_project! {
    /// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<'a> {
        #[pin]
        waiter: Waiter<'a, Word>,
    }
}

const WAITERS: usize = 1;
const CLOSED: usize = 2;
/// One permit, in the word.
const ONE: usize = 4;

struct Word(AtomicUsize);

/// What a waiter wants or was granted: so many permits, or to hear that the semaphore was closed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Want(usize);

impl Want {
    const CLOSED: Want = Want(usize::MAX);
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    const_unless_loom! {
        /// A semaphore with so many free permits; 0 is allowed.
        ///
        /// # Panics
        ///
        /// If they are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[track_caller]
        pub fn new(permits: usize) -> Self {
            assert!(
                permits <= Semaphore::MAX_PERMITS,
                "a semaphore holds at most usize::MAX >> 3 permits, and was to be made with more"
            );
            Semaphore { list: WaitList::new(Word(AtomicUsize::new(permits * ONE)), 0) }
        }
    }

    /// How many permits are free. It may have changed by the time this returns.
    pub fn available(&self) -> usize {
        // Ordering: Relaxed, a hint that orders nothing.
        self.list.policy().0.load(Ordering::Relaxed) / ONE
    }

    /// True once it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `close`: what came before closing is seen.
        self.list.policy().0.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NoPermits`], or [`TryAcquireError::Closed`].
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NoPermits`], or [`TryAcquireError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Semaphore, TryAcquireError};
    ///
    /// let memory = Semaphore::new(100);
    /// let permit = memory.try_acquire_many(80).unwrap();
    /// assert_eq!(memory.try_acquire_many(30).unwrap_err(), TryAcquireError::NoPermits);
    /// assert_eq!((permit.count(), memory.available()), (80, 20));
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        let word = self.list.policy();
        if word.try_take(count) {
            Ok(Permit {
                list: &self.list,
                count,
            })
        } else if self.is_closed() {
            Err(TryAcquireError::Closed)
        } else {
            Err(TryAcquireError::NoPermits)
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed before the permit was granted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a permit that it had been granted goes to the next.
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire {
            waiter: Waiter::new(&self.list, 0, Want(1)),
        }
    }

    /// Waits for `count` permits at once.
    ///
    /// If the semaphore never has so many, this waits for ever, and so does whoever comes later.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed before they were granted.
    ///
    /// # Panics
    ///
    /// If `count` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; permits that it had been granted go to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Semaphore;
    ///
    /// # pirn_sync::block_on(async {
    /// let memory = Semaphore::new(100);
    /// let large = memory.acquire_many(80).await?;
    /// assert_eq!(memory.available(), 20);
    /// drop(large);
    /// assert_eq!(memory.available(), 100);
    /// # Ok::<_, pirn_sync::Closed>(()) }).unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        check(count);
        Acquire {
            waiter: Waiter::new(&self.list, 0, Want(count)),
        }
    }

    /// As [`try_acquire`](Self::try_acquire), for a permit that keeps the semaphore alive.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NoPermits`], or [`TryAcquireError::Closed`].
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        Ok(OwnedPermit::of(self, self.try_acquire()?))
    }

    /// As [`acquire`](Self::acquire), for a permit that keeps the semaphore alive and can move to
    /// another task.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed before the permit was granted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a permit that it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Semaphore;
    /// use std::sync::Arc;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let limit = Arc::new(Semaphore::new(1));
    /// let permit = limit.acquire_owned().await?;
    /// let task = tokio::spawn(async move { permit.count() });
    /// assert_eq!(task.await.unwrap(), 1);
    /// assert_eq!(limit.available(), 1);
    /// # Ok::<_, pirn_sync::Closed>(()) }).unwrap();
    /// ```
    pub async fn acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, Closed> {
        Ok(OwnedPermit::of(self, self.acquire().await?))
    }

    /// As [`acquire_many`](Self::acquire_many), for permits that keep the semaphore alive.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed before they were granted.
    ///
    /// # Panics
    ///
    /// If `count` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; permits that it had been granted go to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let memory = std::sync::Arc::new(pirn_sync::Semaphore::new(10));
    /// assert_eq!(memory.acquire_many_owned(7).await?.count(), 7);
    /// # Ok::<_, pirn_sync::Closed>(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn acquire_many_owned(
        self: &Arc<Self>,
        count: usize,
    ) -> impl Future<Output = Result<OwnedPermit, Closed>> {
        let acquire = self.acquire_many(count);
        async move { Ok(OwnedPermit::of(self, acquire.await?)) }
    }

    /// Gives back permits that were [forgotten](Permit::forget), for those that are taken in one
    /// place and given back in another with no guard to carry between them.
    ///
    /// What this gives back cannot be more than was taken, as in asyncio's `BoundedSemaphore`. To
    /// have more permits than at first, use [`add_permits`](Self::add_permits).
    ///
    /// # Errors
    ///
    /// [`TooManyReleased`], if fewer were forgotten and not released yet. None is given back then.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Semaphore, TooManyReleased};
    ///
    /// let semaphore = Semaphore::new(2);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.release(1), Ok(()));
    /// assert_eq!(semaphore.release(1), Err(TooManyReleased { released: 1, forgotten: 0 }));
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    pub fn release(&self, count: usize) -> Result<(), TooManyReleased> {
        self.list.enter(|door| {
            let forgotten = *door.state();
            let Some(left) = forgotten.checked_sub(count) else {
                return Err(TooManyReleased {
                    released: count,
                    forgotten,
                });
            };
            *door.state() = left;
            Word::put_back(door, 0, Want(count));
            Word::settle(door, 0);
            Ok(())
        })
    }

    /// Adds permits, for ever.
    ///
    /// # Panics
    ///
    /// If more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(0);
    /// semaphore.add_permits(3);
    /// assert_eq!(semaphore.available(), 3);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let free = self.available();
        assert!(
            count <= Self::MAX_PERMITS - free.min(Self::MAX_PERMITS),
            "a semaphore holds at most {} permits: {count} cannot be added to {free} free ones",
            Self::MAX_PERMITS,
        );
        give_back(&self.list, count);
    }

    /// Ends it: whoever waits, and whoever asks from now on, gets [`Closed`]. Permits that were
    /// granted before stay good.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let semaphore = pirn_sync::Semaphore::new(0);
    /// semaphore.close();
    /// assert_eq!(semaphore.acquire().await.unwrap_err(), pirn_sync::Closed);
    /// # });
    /// ```
    pub fn close(&self) {
        self.list.enter(|door| {
            // Ordering: Release, pairs with the Acquire in `is_closed`.
            door.policy().0.fetch_or(CLOSED, Ordering::Release);
            Word::settle(door, 0);
        });
    }
}

#[track_caller]
fn check(count: usize) {
    assert!(
        count <= Semaphore::MAX_PERMITS,
        "a semaphore holds at most {} permits, and {count} are asked for",
        Semaphore::MAX_PERMITS,
    );
}

#[inline]
fn give_back(list: &WaitList<Word>, count: usize) {
    if !list.policy().try_return(count) {
        return_slowly(list, count);
    }
}

/// What cannot be counted is never released.
fn note_forgotten(list: &WaitList<Word>, count: usize) {
    list.enter(|door| *door.state() = door.state().saturating_add(count));
}

#[cold]
fn return_slowly(list: &WaitList<Word>, count: usize) {
    list.enter(|door| {
        Word::put_back(door, 0, Want(count));
        Word::settle(door, 0);
    });
}

/// The free permits of a word, if `count` of them may be taken from it by somebody who overtakes
/// nobody: the word that is left.
fn take(word: usize, count: usize) -> Option<usize> {
    let free = word / ONE;
    (free >= count && word & CLOSED == 0).then(|| word - count * ONE)
}

/// The word with `count` permits more. What no word can hold is let go: that takes more than
/// `MAX_PERMITS` free ones and as many in hands at once.
fn put(word: usize, count: usize) -> usize {
    let free = (word / ONE).saturating_add(count).min(usize::MAX / ONE);
    (free * ONE) | (word & (ONE - 1))
}

impl Word {
    /// Takes permits if nobody waits.
    #[inline]
    fn try_take(&self, count: usize) -> bool {
        // Ordering: Acquire on success, pairs with the Release in `try_return` and `put_back`: what
        // the former holders did comes before. Relaxed otherwise: nothing is taken.
        self.0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                if word & WAITERS != 0 {
                    None
                } else {
                    take(word, count)
                }
            })
            .is_ok()
    }

    /// Returns permits if nobody waits.
    #[inline]
    fn try_return(&self, count: usize) -> bool {
        // Ordering: Release on success, pairs with the Acquire in `try_take`; publishes what the
        // holder did. Relaxed otherwise: the wait list's lock publishes it.
        self.0
            .fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                (word & WAITERS == 0).then(|| put(word, count))
            })
            .is_ok()
    }

    /// Returns permits, with the list locked.
    fn put(&self, count: usize) {
        // Ordering: Relaxed, a guess where it is not final.
        let word = self.0.load(Ordering::Relaxed);
        if word & WAITERS != 0 {
            // Ordering: Relaxed, the list's lock publishes what the holder did. No exchange: see
            // `WAITERS`.
            self.0.store(put(word, count), Ordering::Relaxed);
        } else {
            // Ordering: Release, as in `try_return`. Never fails: the closure always gives a word.
            let _ = self
                .0
                .fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                    Some(put(word, count))
                });
        }
    }

    /// With the list locked and nobody waiting: takes permits, or says that somebody waits now.
    fn take_or_flag(&self, count: usize) -> bool {
        // Ordering: Acquire, as in `try_take`; setting the flag publishes nothing, since whoever
        // sees it locks the list.
        let former = self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                Some(take(word, count).unwrap_or(word | WAITERS))
            });
        matches!(former, Ok(word) if take(word, count).is_some())
    }
}

impl Policy<1> for Word {
    /// How many permits were forgotten and not released.
    type State = usize;
    type Want = Want;

    fn admit(door: &mut Door<'_, Self>, queue: usize, want: Want) -> Option<Want> {
        let word = door.policy();
        // Ordering: Relaxed, `CLOSED` is set with the list locked.
        if word.0.load(Ordering::Relaxed) & CLOSED != 0 {
            return Some(Want::CLOSED);
        }
        (!door.has_waiting(queue) && word.take_or_flag(want.0)).then_some(want)
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, granted: Want) {
        if granted != Want::CLOSED {
            door.policy().put(granted.0);
        }
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        let word = &door.policy().0;
        // Ordering: Relaxed; what came back through the list is ordered by the list's lock, and
        // what came back before anybody waited by the Acquire in `take_or_flag`.
        let before = word.load(Ordering::Relaxed);
        if before & WAITERS == 0 {
            return;
        }
        let mut now = before;
        while let Some(want) = door.head(queue) {
            if now & CLOSED != 0 {
                door.grant_head(queue, Want::CLOSED);
            } else if now / ONE >= want.0 {
                now -= want.0 * ONE;
                door.grant_head(queue, want);
            } else {
                break;
            }
        }
        if !door.has_waiting(queue) {
            now &= !WAITERS;
        }
        if now != before {
            // Ordering: Release, pairs with the Acquire in `try_take`; passes on what former holders
            // did, whom the list's lock ordered before. No exchange: see `WAITERS`.
            word.store(now, Ordering::Release);
        }
    }

    fn transfers(_: usize, granted: Want) -> bool {
        granted != Want::CLOSED
    }

    fn suffices(&self, want: Want, granted: impl Iterator<Item = Want>) -> bool {
        // Ordering: Relaxed; while somebody waits only holders of the list's lock change the count.
        let free = self.0.load(Ordering::Relaxed) / ONE;
        granted.fold(free, |sum, granted| sum.saturating_add(granted.0)) >= want.0
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let list = this.waiter.list();
        if let Some(Want(count)) = this.waiter.as_mut().newcomer() {
            ready!(budget::poll_spend(cx));
            if list.policy().try_take(count) {
                return Poll::Ready(Ok(Permit { list, count }));
            }
        }
        match ready!(this.waiter.poll_granted(cx)) {
            Want::CLOSED => Poll::Ready(Err(Closed)),
            Want(count) => Poll::Ready(Ok(Permit { list, count })),
        }
    }
}

impl Permit<'_> {
    /// How many permits it stands for.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes its permits from the semaphore, for ever or until somebody
    /// [releases](Semaphore::release) them.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(2);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn forget(mut self) {
        note_forgotten(self.list, self.count);
        self.count = 0;
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            give_back(self.list, self.count);
        }
    }
}

impl OwnedPermit {
    fn of(semaphore: &Arc<Semaphore>, permit: Permit<'_>) -> Self {
        let count = permit.count;
        core::mem::forget(permit);
        OwnedPermit {
            semaphore: Arc::clone(semaphore),
            count,
        }
    }

    /// How many permits it stands for.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore that they belong to.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes its permits from the semaphore, for ever or until somebody
    /// [releases](Semaphore::release) them.
    pub fn forget(mut self) {
        note_forgotten(&self.semaphore.list, self.count);
        self.count = 0;
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            give_back(&self.semaphore.list, self.count);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("count", &self.count)
            .finish()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("count", &self.count)
            .finish()
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}
