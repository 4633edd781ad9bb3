//! A lock that many tasks hold to read, or one to write.
//!
//! # States
//!
//! One atomic word beside the wait list: the number of readers, above two flags.
//!
//! | part | meaning | set by | cleared by |
//! | --- | --- | --- | --- |
//! | `WAITERS` | somebody waits; nobody takes it but with the wait list locked | `Word::take_or_flag` | `Word::settle` |
//! | `WRITER` | a writer holds it or was granted it | `Word::try_take`, `Word::take_or_flag`, `Word::settle` | `Word::let_go`, `Word::downgrade` |
//! | the number, in units of `READER` | so many readers hold it or were granted it | the same, and `Word::downgrade` | `Word::let_go` |
//!
//! Without `WAITERS` it is taken by one compare-exchange. It is let go by one subtraction, with
//! the list locked or not: whoever leaves nobody in it while somebody waits then locks the list and
//! serves the queue. A waiter is in the queue only while `WAITERS` is set, so whoever finds the flag
//! clear overtakes nobody.
//!
//! # Whose a grant is
//!
//! A grant belongs to the task. What a task was granted and has not taken, in a future that it does
//! not poll, serves another of its futures as follows.
//!
//! | granted | it polls a `read` | it polls a `write` |
//! | --- | --- | --- |
//! | to read | served: the two change places | served, if nobody reads but by such grants of this task. Else the grants stay, and the writer waits |
//! | to write | served, and with it the readers that are first in the queue; the writer takes its place | served: the two change places |
//!
//! The one case that is refused is a grant too small for the request. To let the writer have it all
//! the same, and wait at the head until the other readers have left, would take from a reader what
//! it was granted and is about to use: if another reader waits for that one before it leaves, both
//! hang, though they were let in together. The price: a task hangs that keeps a `read` which was
//! granted and which it no longer polls, and awaits a `write` which it polls for the last time while
//! others read.
//!
//! # Why not over the semaphore's word
//!
//! A writer is a request for all permits, so its policy would do. But what one waiter wants would be
//! a number and not a bit, and a reader that leaves would need a compare-exchange, and the list's
//! lock while a writer waits, instead of one subtraction.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

mod cell;
mod guard;
use cell::RwLockCell;
pub use guard::{
    MappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard,
    RwLockWriteGuard,
};

/// A value that many tasks may read at once, or one may change, also across awaits.
///
/// It pays where reading takes long, and changes are rare. For a few lines without an await in them
/// `std`'s is the better choice; where reads are short, a [`Lock`](crate::Lock) is simpler.
///
/// A panic while it is held lets it go, as any drop of a guard does: there is no poisoning, and the
/// next holder finds the value as the panic left it.
///
/// It is not re-entrant: a task that holds a guard and awaits another one waits for ever if either
/// of the two writes, or if a writer has come in between.
///
/// # Fairness
///
/// First come, first served, whoever reads or writes. Readers that follow each other in the queue
/// are let in together; a reader that comes after a waiting writer waits behind it, so writers are
/// not starved by readers. Neither [`try_read`](Self::try_read) nor [`try_write`](Self::try_write)
/// nor a newcomer overtakes anybody.
///
/// What was granted to a task belongs to that task: whichever of its `read` and `write` futures it
/// polls first gets it, and the one that was granted it takes the other's place in the queue. There
/// is one exception: a grant to read is of no use to a `write` while others read. Then the grant
/// stays where it is, for the reader to take; so a task that awaits a `write` alone, while it keeps a
/// `read` which was granted and which it does not poll, may hang. (A part of a task with wakers of
/// its own, such as `FuturesUnordered`, counts as a task: what it is granted has to be polled or
/// dropped.)
///
/// # Examples
///
/// ```
/// use pirn_sync::RwLock;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let routes = RwLock::new(vec!["/"]);
/// {
///     let (one, another) = (routes.read().await, routes.read().await);
///     assert_eq!(one.len() + another.len(), 2);
/// }
/// routes.write().await.push("/about");
/// assert_eq!(*routes.read().await, ["/", "/about"]);
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    list: WaitList<Word>,
    cell: RwLockCell<T>,
}

pin_project_lite::pin_project! {
    /// The future of [`RwLock::read`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Read<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        waiter: Waiter<'a, Word>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`RwLock::write`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Write<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        waiter: Waiter<'a, Word>,
    }
}

const FREE: usize = 0;
const WAITERS: usize = 1;
const WRITER: usize = 2;
/// One reader, in the word.
const READER: usize = 4;
/// The most readers at once. Few under the model checker, which so comes to the end of them.
const MAX_READERS: usize = shim::choose(usize::MAX >> 3, 3);

struct Word(AtomicUsize);

/// What a waiter wants or was granted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Read,
    Write,
}

impl<T> RwLock<T> {
    const_unless_loom! {
        /// A lock around `value` that nobody holds.
        pub fn new(value: T) -> Self {
            RwLock {
                list: WaitList::new(Word(AtomicUsize::new(FREE)), ()),
                cell: RwLockCell::new(value),
            }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// The value, through the only reference there is to the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = pirn_sync::RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.cell.get_mut()
    }

    /// Takes it to read, if no writer holds it and nobody waits for it.
    ///
    /// `None` also if `usize::MAX >> 3` readers have it already.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = pirn_sync::RwLock::new(1);
    /// let one = lock.try_read().unwrap();
    /// assert_eq!(*one + *lock.try_read().unwrap(), 2);
    /// assert!(lock.try_write().is_none());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.word().try_take(Want::Read).then(|| self.read_guard())
    }

    /// Takes it to write, if nobody holds it and nobody waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = pirn_sync::RwLock::new(1);
    /// *lock.try_write().unwrap() += 1;
    /// assert_eq!(*lock.try_read().unwrap(), 2);
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.word()
            .try_take(Want::Write)
            .then(|| self.write_guard())
    }

    /// Waits to read: for the writer that has it, and for all who came before.
    ///
    /// # Panics
    ///
    /// As the future is first polled, if `usize::MAX >> 3` readers have it already. Guards that are
    /// forgotten count.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; what it had been granted goes to the next.
    #[inline]
    pub fn read(&self) -> Read<'_, T> {
        Read {
            lock: self,
            waiter: Waiter::new(&self.list, 0, Want::Read),
        }
    }

    /// Waits to write: for the readers or the writer that have it, and for all who came before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, so that readers behind it are let in at once if readers
    /// have it; what it had been granted goes to the next.
    #[inline]
    pub fn write(&self) -> Write<'_, T> {
        Write {
            lock: self,
            waiter: Waiter::new(&self.list, 0, Want::Write),
        }
    }

    /// As [`try_read`](Self::try_read), for a guard that keeps the lock alive.
    pub fn try_read_owned(self: &Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        let taken = self.word().try_take(Want::Read);
        taken.then(|| OwnedRwLockReadGuard::of(Arc::clone(self)))
    }

    /// As [`try_write`](Self::try_write), for a guard that keeps the lock alive.
    pub fn try_write_owned(self: &Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        let taken = self.word().try_take(Want::Write);
        taken.then(|| OwnedRwLockWriteGuard::of(Arc::clone(self)))
    }

    /// As [`read`](Self::read), for a guard that keeps the lock alive and can move to another task.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; what it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::RwLock;
    /// use std::sync::Arc;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let lock = Arc::new(RwLock::new(7));
    /// let guard = lock.read_owned().await;
    /// let task = tokio::spawn(async move { *guard });
    /// assert_eq!(task.await.unwrap(), 7);
    /// # });
    /// ```
    pub async fn read_owned(self: &Arc<Self>) -> OwnedRwLockReadGuard<T> {
        core::mem::forget(self.read().await);
        OwnedRwLockReadGuard::of(Arc::clone(self))
    }

    /// As [`write`](Self::write), for a guard that keeps the lock alive and can move to another task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; what it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::RwLock;
    /// use std::sync::Arc;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let lock = Arc::new(RwLock::new(7));
    /// let mut guard = lock.write_owned().await;
    /// tokio::spawn(async move { *guard += 1 }).await.unwrap();
    /// assert_eq!(*lock.read().await, 8);
    /// # });
    /// ```
    pub async fn write_owned(self: &Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        core::mem::forget(self.write().await);
        OwnedRwLockWriteGuard::of(Arc::clone(self))
    }

    #[inline]
    fn word(&self) -> &Word {
        self.list.policy()
    }

    /// To be made by whoever took it to read.
    #[inline]
    fn read_guard(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard::of(self)
    }

    /// To be made by whoever took it to write.
    #[inline]
    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard::of(self)
    }
}

impl Want {
    /// What it adds to the word.
    const fn amount(self) -> usize {
        match self {
            Want::Read => READER,
            Want::Write => WRITER,
        }
    }
}

/// True if whoever is first in line may have what it wants.
fn admits(word: usize, want: Want) -> bool {
    match want {
        Want::Read => word & WRITER == 0 && word / READER < MAX_READERS,
        Want::Write => word & !WAITERS == 0,
    }
}

/// The word after somebody took what it wants, if that overtakes nobody.
fn take(word: usize, want: Want) -> Option<usize> {
    (word & WAITERS == 0 && admits(word, want)).then(|| word + want.amount())
}

/// True if the last holder was the one that left behind `word`, and somebody waits.
fn must_serve(word: usize) -> bool {
    word == WAITERS
}

impl Word {
    /// Takes it if nobody waits.
    #[inline]
    fn try_take(&self, want: Want) -> bool {
        match want {
            // Ordering: Acquire on success, pairs with the Release in `let_go` and `downgrade`: what
            // the last writer wrote. Relaxed otherwise: nothing is taken.
            Want::Read => self
                .0
                .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                    take(word, want)
                })
                .is_ok(),
            // Ordering: as above, and all that the readers read comes before.
            Want::Write => self
                .0
                .compare_exchange(FREE, WRITER, Ordering::Acquire, Ordering::Relaxed)
                .is_ok(),
        }
    }

    /// With the list locked: takes it if nobody waits, or says that somebody waits now.
    fn take_or_flag(&self, want: Want) -> bool {
        // Ordering: Acquire, as in `try_take`; setting the flag publishes nothing, since whoever sees
        // it locks the list.
        let former = self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                Some(take(word, want).unwrap_or(word | WAITERS))
            });
        matches!(former, Ok(word) if take(word, want).is_some())
    }

    /// Lets go of what was taken. True if the queue is to be served.
    #[inline]
    fn let_go(&self, want: Want) -> bool {
        let amount = want.amount();
        // Ordering: Release, pairs with the Acquire in `try_take`, `take_or_flag` and `settle`: a
        // writer publishes what it wrote, and a reader that it has done reading.
        must_serve(self.0.fetch_sub(amount, Ordering::Release) - amount)
    }

    /// Turns a writer into a reader. True if the queue is to be served.
    #[inline]
    fn downgrade(&self) -> bool {
        // Ordering: Release, pairs as in `let_go`; publishes what the writer wrote.
        self.0.fetch_add(READER - WRITER, Ordering::Release) & WAITERS != 0
    }

    #[cold]
    fn panic_if_full(&self) {
        // Ordering: Relaxed, so many readers do not all leave at once.
        let readers = self.0.load(Ordering::Relaxed) / READER;
        assert!(
            readers < MAX_READERS,
            "an RwLock has at most {MAX_READERS} readers at once"
        );
    }
}

#[inline]
fn let_go(list: &WaitList<Word>, want: Want) {
    if list.policy().let_go(want) {
        serve(list);
    }
}

#[inline]
fn downgrade(list: &WaitList<Word>) {
    if list.policy().downgrade() {
        serve(list);
    }
}

#[cold]
fn serve(list: &WaitList<Word>) {
    list.enter(|door| Word::settle(door, 0));
}

impl Policy<1> for Word {
    type State = ();
    type Want = Want;

    fn admit(door: &mut Door<'_, Self>, _: usize, want: Want) -> Option<Want> {
        door.policy().take_or_flag(want).then_some(want)
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, granted: Want) {
        // Whether the queue is to be served or not, `settle` follows.
        let _ = door.policy().let_go(granted);
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        let word = &door.policy().0;
        while let Some(want) = door.head(queue) {
            // Ordering: Relaxed, a look. While somebody waits, whoever does not hold the list's lock
            // only lets go, which makes nothing untrue that `admits` said.
            if !admits(word.load(Ordering::Relaxed), want) {
                return;
            }
            // Ordering: Acquire, pairs with the Release of those who let go without the list's lock,
            // which passes it on to the one that is granted.
            word.fetch_add(want.amount(), Ordering::Acquire);
            door.grant_head(queue, want);
        }
        // Ordering: Relaxed; a read-modify-write passes on what others released.
        word.fetch_and(!WAITERS, Ordering::Relaxed);
    }

    fn suffices(&self, want: Want, granted: impl Iterator<Item = Want>) -> bool {
        match want {
            Want::Read => true,
            Want::Write => {
                // Ordering: Relaxed; while somebody waits, only readers that leave change the word
                // without the list's lock, and one that is not seen to have left was here.
                let word = self.0.load(Ordering::Relaxed) & !WAITERS;
                granted.map(Want::amount).sum::<usize>() == word
            }
        }
    }
}

/// Polls for what the waiter wants.
#[inline]
fn poll_take(mut waiter: Pin<&mut Waiter<'_, Word>>, want: Want, cx: &mut Context<'_>) -> Poll<()> {
    if waiter.as_mut().newcomer().is_some() {
        ready!(budget::poll_spend(cx));
        let word = waiter.list().policy();
        if word.try_take(want) {
            return Poll::Ready(());
        }
        if want == Want::Read {
            word.panic_if_full();
        }
    }
    waiter.poll_granted(cx).map(|_| ())
}

impl<'a, T: ?Sized> Future for Read<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(poll_take(this.waiter, Want::Read, cx));
        Poll::Ready(this.lock.read_guard())
    }
}

impl<'a, T: ?Sized> Future for Write<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(poll_take(this.waiter, Want::Write, cx));
        Poll::Ready(this.lock.write_guard())
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_tuple("RwLock").field(&&*guard).finish(),
            None => f.write_str("RwLock(<locked>)"),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Read<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for Write<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").finish_non_exhaustive()
    }
}
