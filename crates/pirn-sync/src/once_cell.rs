//! A value that is made once, when it is first needed.
//!
//! # States
//!
//! One atomic word beside the wait list, which has two queues: those who would make the value, and
//! those who only wait for it.
//!
//! | word | meaning | set by | left by |
//! | --- | --- | --- | --- |
//! | `EMPTY` | no value, and nobody makes one; nobody is in the first queue, once settled | `new`; `Turn::drop`, `Word::put_back`; `take` | `Word::begin`, `Word::settle` |
//! | `BUSY` | somebody has the turn to make it, or was granted it | `Word::begin`, `Word::settle` | `Turn::drop`, `Word::put_back` |
//! | `FULL` | the value is there | `with_value`; `Turn::drop` | `take`, through `&mut` |
//!
//! All transitions through a shared reference happen with the wait list locked; looking for the
//! value takes one load. Who has the turn, a [`Turn`], is the only one to write the value.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim::atomic::{AtomicU8, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

use crate::error::SetError;

mod cell;
use cell::Slot;

/// A value that is made once, by whoever needs it first, and then shared.
///
/// Where making it needs no await, `std`'s `OnceLock` is the better choice. With `()` for a value it
/// is a thing to be done once.
///
/// One at a time makes it. If making it fails, panics or is cancelled, the cell is as it was, and
/// the next who asked for it makes it, with an initialiser of its own; there is no poisoning.
///
/// Who makes the value must not ask for it: an initialiser that awaits
/// [`get_or_init`](Self::get_or_init) or [`wait`](Self::wait) of its own cell waits for ever. So
/// does a task that stops polling its own initialiser to await the cell in another future, as with
/// the guard of a [`Lock`](crate::Lock).
///
/// # Fairness
///
/// First come, first served: if an initialiser does not make it, the turn goes to the first in the
/// queue, and neither [`set`](Self::set) nor a newcomer overtakes anybody. A turn that was granted
/// belongs to the task, as with [`Lock`](crate::Lock#fairness). Once the value is there, all who
/// wait are let go.
///
/// # Examples
///
/// ```
/// use pirn_sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// async fn config() -> &'static str {
///     CONFIG.get_or_init(async || String::from("read from somewhere")).await
/// }
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (one, two) = tokio::join!(config(), config());
/// assert!(std::ptr::eq(one, two));
/// # });
/// ```
pub struct OnceCell<T> {
    list: WaitList<Word, 2>,
    slot: Slot<T>,
}

pin_project_lite::pin_project! {
    /// The future of [`OnceCell::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<'a, T> {
        cell: &'a OnceCell<T>,
        #[pin]
        waiter: Waiter<'a, Word, 2>,
    }
}

/// The queues of the wait list.
const MAKE: usize = 0;
const WAIT: usize = 1;

const EMPTY: u8 = 0;
const BUSY: u8 = 1;
const FULL: u8 = 2;

struct Word(AtomicU8);

/// What a waiter is granted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    /// To make the value.
    Turn,
    /// To go and look at it.
    Value,
}

/// The turn to make the value, which goes to the next if it is dropped without one.
struct Turn<'a, T> {
    cell: &'a OnceCell<T>,
    /// `FULL` once the value was written.
    end: u8,
}

impl<T> OnceCell<T> {
    const_unless_loom! {
        /// A cell without a value.
        pub fn new() -> Self {
            OnceCell { list: WaitList::new(Word(AtomicU8::new(EMPTY)), ()), slot: Slot::new(None) }
        }
    }

    const_unless_loom! {
        /// A cell with a value.
        ///
        /// # Examples
        ///
        /// ```
        /// static NAME: pirn_sync::OnceCell<&str> = pirn_sync::OnceCell::with_value("pirn");
        /// assert_eq!(NAME.get(), Some(&"pirn"));
        /// ```
        pub fn with_value(value: T) -> Self {
            OnceCell {
                list: WaitList::new(Word(AtomicU8::new(FULL)), ()),
                slot: Slot::new(Some(value)),
            }
        }
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value()
    }

    /// The value, if it is there, through the only reference to the cell.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = pirn_sync::OnceCell::with_value(1);
    /// *cell.get_mut().unwrap() = 2;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.slot.get_mut().as_mut()
    }

    /// Takes the value out, and leaves the cell without one.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = pirn_sync::OnceCell::with_value(1);
    /// assert_eq!((cell.take(), cell.take()), (Some(1), None));
    /// assert_eq!(cell.set(2), Ok(()));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        let value = self.slot.get_mut().take();
        if value.is_some() {
            // Ordering: Relaxed, nobody else has a reference.
            self.list.policy().0.store(EMPTY, Ordering::Relaxed);
        }
        value
    }

    /// The value, if it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = pirn_sync::OnceCell::with_value(1);
    /// assert_eq!(cell.into_inner(), Some(1));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.slot.into_inner()
    }

    /// Gives it a value, if it has none and nobody is making one.
    ///
    /// # Errors
    ///
    /// [`SetError::Full`] or [`SetError::Busy`], with the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(SetError::Full(2)));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        let granted = self.list.enter(|door| Word::admit(door, MAKE, Grant::Turn));
        match granted {
            Some(Grant::Turn) => {
                self.turn().fill(value);
                Ok(())
            }
            Some(Grant::Value) => Err(SetError::Full(value)),
            None => Err(SetError::Busy(value)),
        }
    }

    /// The value; if it is not there, waits for its turn and makes it with `init`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; the turn to make the value, if it had been granted or
    /// `init` was under way, goes to the next.
    ///
    /// # Panics
    ///
    /// If `init` does. The next who waits makes the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::OnceCell;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (cell, mut made) = (OnceCell::new(), 0);
    /// for _ in 0..2 {
    ///     let value = cell.get_or_init(async || {
    ///         made += 1;
    ///         "value"
    ///     });
    ///     assert_eq!(*value.await, "value");
    /// }
    /// assert_eq!(made, 1);
    /// # });
    /// ```
    pub async fn get_or_init<F>(&self, init: impl FnOnce() -> F) -> &T
    where
        F: Future<Output = T>,
    {
        if let Some(value) = self.get() {
            // It stays there, so it may be paid for after the look; no waiter is made.
            if !spend_now() {
                poll_fn(budget::poll_spend).await;
            }
            return value;
        }
        match self.value_or_turn().await {
            Ok(value) => value,
            Err(turn) => turn.fill(init().await),
        }
    }

    /// As [`get_or_init`](Self::get_or_init), with an `init` that may fail.
    ///
    /// # Errors
    ///
    /// That of `init`. The next who waits makes the value.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::OnceCell;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let cell = OnceCell::new();
    /// let failed = cell.get_or_try_init(async || "12a".parse::<u32>()).await;
    /// assert!(failed.is_err());
    /// assert_eq!(cell.get_or_try_init(async || "12".parse()).await?, &12);
    /// # Ok::<_, std::num::ParseIntError>(()) }).unwrap();
    /// ```
    pub async fn get_or_try_init<F, E>(&self, init: impl FnOnce() -> F) -> Result<&T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get() {
            if !spend_now() {
                poll_fn(budget::poll_spend).await;
            }
            return Ok(value);
        }
        match self.value_or_turn().await {
            Ok(value) => Ok(value),
            Err(turn) => Ok(turn.fill(init().await?)),
        }
    }

    /// Waits until somebody has given it a value.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and has no other effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::OnceCell;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let cell = OnceCell::new();
    /// let (value, set) = tokio::join!(cell.wait(), async { cell.set(5) });
    /// assert_eq!((value, set), (&5, Ok(())));
    /// # });
    /// ```
    #[inline]
    pub fn wait(&self) -> Wait<'_, T> {
        Wait {
            cell: self,
            waiter: Waiter::new(&self.list, WAIT, Grant::Value),
        }
    }

    /// To be made by whoever was granted the turn.
    fn turn(&self) -> Turn<'_, T> {
        Turn {
            cell: self,
            end: EMPTY,
        }
    }

    /// For who found no value.
    async fn value_or_turn(&self) -> Result<&T, Turn<'_, T>> {
        let mut waiter = pin!(Waiter::new(&self.list, MAKE, Grant::Turn));
        let granted = poll_fn(|cx| {
            if waiter.as_mut().newcomer().is_some() {
                ready!(budget::poll_spend(cx));
            }
            waiter.as_mut().poll_granted(cx)
        });
        match granted.await {
            Grant::Value => Ok(self.there()),
            Grant::Turn => Err(self.turn()),
        }
    }

    /// For whoever was told that it is.
    #[inline]
    fn there(&self) -> &T {
        self.get().expect("a full cell has a value")
    }
}

/// Spends one unit of the budget, if there is one: who need not wait has no await then.
#[inline]
fn spend_now() -> bool {
    budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready()
}

impl Word {
    #[inline]
    fn is_full(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `set`; the value is seen.
        self.0.load(Ordering::Acquire) == FULL
    }

    /// Takes the turn if nobody has it and there is no value. With the list locked.
    fn begin(&self) -> Result<u8, u8> {
        // Ordering: Relaxed, it is set with the list locked. (A compare-exchange for the checker's
        // sake: after a load here it would not try what a look from outside the lock may see.)
        self.0
            .compare_exchange(EMPTY, BUSY, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// With the list locked.
    fn look(&self) -> u8 {
        // Ordering: Relaxed, it was set with the list locked.
        self.0.load(Ordering::Relaxed)
    }

    /// With the list locked.
    fn set(&self, word: u8) {
        // Ordering: Release, pairs with the Acquire in `is_full`; publishes the value, if there is
        // one.
        self.0.store(word, Ordering::Release);
    }
}

impl Policy<2> for Word {
    type State = ();
    type Want = Grant;

    fn admit(door: &mut Door<'_, Self, 2>, queue: usize, _: Grant) -> Option<Grant> {
        let word = door.policy();
        match queue {
            MAKE => match word.begin() {
                Ok(_) => Some(Grant::Turn),
                Err(word) => (word == FULL).then_some(Grant::Value),
            },
            _ => (word.look() == FULL).then_some(Grant::Value),
        }
    }

    fn put_back(door: &mut Door<'_, Self, 2>, _: usize, granted: Grant) {
        if granted == Grant::Turn {
            door.policy().set(EMPTY);
        }
    }

    fn settle(door: &mut Door<'_, Self, 2>, _: usize) {
        let word = door.policy();
        let now = word.look();
        if now == EMPTY && door.grant_head(MAKE, Grant::Turn) {
            word.set(BUSY);
        }
        if now == FULL {
            while door.grant_head(MAKE, Grant::Value) {}
            while door.grant_head(WAIT, Grant::Value) {}
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.cell.list.enter(|door| {
            door.policy().set(self.end);
            Word::settle(door, MAKE);
        });
    }
}

impl<'a, T> Future for Wait<'a, T> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            if let Some(value) = this.cell.get() {
                return Poll::Ready(value);
            }
        }
        ready!(this.waiter.poll_granted(cx));
        Poll::Ready(this.cell.there())
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        OnceCell::with_value(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => f.debug_tuple("OnceCell").field(value).finish(),
            None => f.write_str("OnceCell(<empty>)"),
        }
    }
}

impl<T> fmt::Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
