//! What a child and its handle share: its unsafe code.
//!
//! One allocation, with a place for the result, one for the handle's waker, and one word, of these bits:
//!
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `WAITS` | the handle waits, with its waker in place | `Snapshot::arm` | `Snapshot::disarm` |
//! | `ENDED` | the child has given its result, or will not | `Snapshot::end` | never |
//! | `LEFT` | the child touches the slot no more; implies `ENDED` | `Snapshot::end`, `Snapshot::leave` | never |
//! | `GONE` | the handle touches the slot no more | `Snapshot::go` | never |
//!
//! ```text
//!            arm                          take
//!       ┌───────────▶ waiting ──▶ ENDED ───────▶ LEFT
//!   fresh ◀──────────┘         end       leave     ▲
//!       │   disarm                                 │
//!       └──────────────────────────────────────────┘
//!                           end
//! ```
//!
//! A child that ends while nobody waits, as most do, ends and leaves in one exchange. From then on the
//! slot is the handle's alone, which takes the result and frees the slot without a further one. If the
//! handle waits, its waker is the child's from the end on: the child takes it out, leaves, and wakes
//! last of all. Who finds the other gone frees the slot, without a further change of the word.

use pirn_core::budget;
use pirn_core::shim::atomic::{AtomicU8, Ordering};
use pirn_core::shim::{IS_LOOM, UnsafeCell};
use pirn_core::wake::{discard, wake};
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

struct Slot<T, L> {
    word: AtomicU8,
    /// The child's until it has ended, then the handle's; at last the one's who frees it.
    result: UnsafeCell<Option<T>>,
    /// The handle's while `WAITS` is clear; the child's from when that ended and saw `WAITS`, until it
    /// has left; at last the one's who frees it.
    waker: UnsafeCell<Option<Waker>>,
    /// Both's, by reference.
    link: L,
}

/// The child's end. As it is dropped the child ends without a result.
pub(super) struct Giver<T, L> {
    /// Alive until the child has left, and freed by whoever of the two is last.
    slot: NonNull<Slot<T, L>>,
}

/// The handle's end.
pub(super) struct Taker<T, L> {
    /// Alive until the handle is gone, and freed by whoever of the two is last.
    slot: NonNull<Slot<T, L>>,
}

const WAITS: u8 = 1;
const ENDED: u8 = 1 << 1;
const LEFT: u8 = 1 << 2;
const GONE: u8 = 1 << 3;

/// The word as it was at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Snapshot(u8);

/// What the child does that has ended.
enum End {
    /// Nothing: it has left.
    Nothing,
    /// Take the waker out, leave, and wake it.
    Wake,
    /// Free the slot: the handle is gone.
    Free,
}

/// Both ends of a new slot.
#[inline]
pub(super) fn pair<T, L>(link: L) -> (Giver<T, L>, Taker<T, L>) {
    let slot = Box::new(Slot {
        word: AtomicU8::new(Snapshot::NEW.0),
        result: UnsafeCell::new(None),
        waker: UnsafeCell::new(None),
        link,
    });
    let slot = NonNull::from(Box::leak(slot));
    (Giver { slot }, Taker { slot })
}

impl<T, L> Giver<T, L> {
    /// Ends with a result. If nobody is left to take it, it is given back.
    #[inline]
    pub(super) fn give(self, result: T) -> Option<T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the child has not ended, so the result is its own; there is none yet.
        let put = |place: *mut Option<T>| unsafe { place.write(Some(result)) };
        this.slot().result.with_mut(put);
        this.end()
    }

    /// What both ends share.
    #[inline]
    pub(super) fn link(&self) -> &L {
        &self.slot().link
    }

    /// Ends and leaves: this is not used again. Gives the result back if the handle is gone.
    #[inline]
    fn end(&self) -> Option<T> {
        // A look costs little, and a wrong guess an exchange. Under loom, a look just before the
        // exchange would hide that one of the handle's came between: there it is a guess.
        let now = match IS_LOOM {
            true => Snapshot::NEW,
            false => self.slot().look(),
        };
        match self.turn_from(now, Snapshot::end) {
            End::Nothing => None,
            End::Wake => {
                self.wake();
                None
            }
            // SAFETY: the handle is gone, and this is not used again.
            End::Free => unsafe { free(self.slot) },
        }
    }

    #[inline(never)]
    fn wake(&self) {
        // SAFETY: the child ended while the handle waited, so that one's waker is the child's.
        let take = |waker: *mut Option<Waker>| unsafe { (*waker).take() };
        let waker = self.slot().waker.with_mut(take);
        if self.turn_from(Snapshot(WAITS | ENDED), Snapshot::leave) {
            // SAFETY: the handle is gone, and this is not used again. It took the result.
            drop(unsafe { free(self.slot) });
        }
        waker.into_iter().for_each(wake);
    }

    #[inline]
    fn slot(&self) -> &Slot<T, L> {
        // SAFETY: alive, since the child has not left.
        unsafe { self.slot.as_ref() }
    }

    #[inline]
    fn turn_from<R>(&self, now: Snapshot, decide: impl Fn(Snapshot) -> (Snapshot, R)) -> R {
        // SAFETY: alive, since the child has not left.
        unsafe { turn_from(self.slot, now, decide) }
    }
}

impl<T, L> Taker<T, L> {
    /// True once the child has ended. Then what it did before is seen.
    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        self.slot().look().has(ENDED)
    }

    /// Waits until the child has ended.
    #[inline]
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.slot().look();
        match now.has(ENDED) {
            true => Poll::Ready(()),
            false => self.wait_from(now, cx.waker()),
        }
    }

    /// Takes the result, if the child has ended with one, and goes.
    #[inline]
    pub(super) fn take(self) -> Option<T> {
        let now = self.slot().look();
        if !now.has(ENDED) {
            return None;
        }
        let this = ManuallyDrop::new(self);
        this.take_and_go(now)
    }

    /// What both ends share.
    #[inline]
    pub(super) fn link(&self) -> &L {
        &self.slot().link
    }

    /// The child has ended, and this is not used again.
    #[inline]
    fn take_and_go(&self, now: Snapshot) -> Option<T> {
        match now.has(LEFT) {
            // SAFETY: the child has left, and this is not used again.
            true => unsafe { free(self.slot) },
            false => self.take_before_it_left(now),
        }
    }

    #[cold]
    fn take_before_it_left(&self, now: Snapshot) -> Option<T> {
        // SAFETY: the child has ended, so the result is the handle's.
        let take = |result: *mut Option<T>| unsafe { (*result).take() };
        let result = self.slot().result.with_mut(take);
        if self.turn_from(now, Snapshot::go) {
            // SAFETY: the child has left, and this is not used again. The result was taken.
            drop(unsafe { free(self.slot) });
        }
        result
    }

    /// Puts the waker in place, unless the child ends meanwhile.
    #[inline(never)]
    fn wait_from(&mut self, now: Snapshot, waker: &Waker) -> Poll<()> {
        let slot = self.slot();
        if !self.turn_from(now, Snapshot::disarm) {
            return Poll::Ready(());
        }
        // SAFETY: `WAITS` is clear, so the waker is the handle's; nobody has a reference to it.
        let is_there = |mine: *const Option<Waker>| unsafe {
            (*mine).as_ref().is_some_and(|mine| mine.will_wake(waker))
        };
        if !slot.waker.with(is_there) {
            let fresh = Some(waker.clone());
            // SAFETY: as above.
            let put = |mine: *mut Option<Waker>| unsafe { mem::replace(&mut *mine, fresh) };
            slot.waker.with_mut(put).into_iter().for_each(discard);
        }
        // From what it was just now, but for a child that has ended: no look is needed.
        match self.turn_from(Snapshot::NEW, Snapshot::arm) {
            true => {
                budget::inspect::say("the end of a child of its group");
                Poll::Pending
            }
            false => Poll::Ready(()),
        }
    }

    /// Waits no longer, so that the slot does not keep the handle's task alive.
    #[cold]
    fn stop_waiting(&self) {
        if self.turn_from(Snapshot(WAITS), Snapshot::disarm) {
            // SAFETY: `WAITS` is clear, so the waker is the handle's.
            let take = |waker: *mut Option<Waker>| unsafe { (*waker).take() };
            let waker = self.slot().waker.with_mut(take);
            waker.into_iter().for_each(discard);
        }
    }

    #[inline]
    fn slot(&self) -> &Slot<T, L> {
        // SAFETY: alive, since the handle is not gone.
        unsafe { self.slot.as_ref() }
    }

    #[inline]
    fn turn_from<R>(&self, now: Snapshot, decide: impl Fn(Snapshot) -> (Snapshot, R)) -> R {
        // SAFETY: alive, since the handle is not gone.
        unsafe { turn_from(self.slot, now, decide) }
    }
}

impl<T, L> Slot<T, L> {
    /// What the word says now.
    #[inline]
    fn look(&self) -> Snapshot {
        // Ordering: Acquire, pairs with the Release in `exchange`; if the child has ended, what it did
        // before is seen, and its result.
        Snapshot(self.word.load(Ordering::Acquire))
    }
}

/// Changes the word as decided, from a look or a guess, and returns what else was decided.
///
/// The other end may free the slot from then on, while this function has not returned yet: so nothing
/// of it is referred to here, and in what is called, but the word, an atomic.
///
/// # Safety
///
/// The slot is alive until its word was changed.
#[inline]
unsafe fn turn_from<T, L, R>(
    slot: NonNull<Slot<T, L>>,
    mut now: Snapshot,
    decide: impl Fn(Snapshot) -> (Snapshot, R),
) -> R {
    loop {
        let (next, decided) = decide(now);
        if next == now {
            return decided;
        }
        // SAFETY: alive, since the word was not changed yet.
        let word = unsafe { &(*slot.as_ptr()).word };
        match exchange(word, now, next) {
            Ok(_) => return decided,
            Err(seen) => now = Snapshot(seen),
        }
    }
}

#[inline]
fn exchange(word: &AtomicU8, now: Snapshot, next: Snapshot) -> Result<u8, u8> {
    // Ordering: Release publishes what this end did with the result and the waker: the child's
    // result as it ends, the handle's waker as it is armed, the last access as one leaves.
    // Acquire, also on failure, pairs with that in the other end's exchange, so that what is
    // decided to be this end's from now on is seen as the other left it.
    word.compare_exchange(now.0, next.0, Ordering::AcqRel, Ordering::Acquire)
}

impl Snapshot {
    const NEW: Snapshot = Snapshot(0);

    #[inline]
    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    fn with(self, bits: u8) -> Snapshot {
        Snapshot(self.0 | bits)
    }

    /// The child ends.
    #[inline]
    fn end(self) -> (Snapshot, End) {
        if self.has(GONE) {
            (self, End::Free)
        } else if self.has(WAITS) {
            (self.with(ENDED), End::Wake)
        } else {
            (self.with(ENDED | LEFT), End::Nothing)
        }
    }

    /// The child, which has ended, leaves; true if it is the last.
    #[inline]
    fn leave(self) -> (Snapshot, bool) {
        match self.has(GONE) {
            true => (self, true),
            false => (self.with(LEFT), false),
        }
    }

    /// The handle goes; true if it is the last.
    #[inline]
    fn go(self) -> (Snapshot, bool) {
        match self.has(LEFT) {
            true => (self, true),
            false => (self.with(GONE), false),
        }
    }

    /// The handle begins to wait; false if there is nothing to wait for.
    #[inline]
    fn arm(self) -> (Snapshot, bool) {
        match self.has(ENDED) {
            true => (self, false),
            false => (self.with(WAITS), true),
        }
    }

    /// The handle waits no longer, and has its waker to itself; false if there is nothing to wait for.
    #[inline]
    fn disarm(self) -> (Snapshot, bool) {
        match self.has(ENDED) {
            true => (self, false),
            false => (Snapshot(self.0 & !WAITS), true),
        }
    }
}

impl<T, L> Drop for Giver<T, L> {
    fn drop(&mut self) {
        // It gave none.
        drop(self.end());
    }
}

impl<T, L> Drop for Taker<T, L> {
    #[inline]
    fn drop(&mut self) {
        let mut now = self.slot().look();
        if now == Snapshot(WAITS) {
            self.stop_waiting();
            now = self.slot().look();
        }
        if now.has(ENDED) {
            drop(self.take_and_go(now));
        } else if self.turn_from(now, Snapshot::go) {
            // SAFETY: the child has left, and this is not used again.
            drop(unsafe { free(self.slot) });
        }
    }
}

/// Frees the slot, and gives the result, if it is still there.
///
/// # Safety
///
/// The slot is of [`pair`], the other end is done with it, and the caller's is not used again.
#[inline]
unsafe fn free<T, L>(slot: NonNull<Slot<T, L>>) -> Option<T> {
    // SAFETY: `pair` made it of a box, and nobody else has a pointer to it that is used again. Whole,
    // since its parts are read out below.
    let mut slot = unsafe { Box::from_raw(slot.as_ptr().cast::<ManuallyDrop<Slot<T, L>>>()) };
    if IS_LOOM {
        // The model checker sees by this access that nobody else is at it.
        mem::replace(&mut slot.word, AtomicU8::new(0)).into_inner();
    }
    // SAFETY: this is the only reference to the slot, and each part is read once.
    let result = slot.result.with_mut(|result| unsafe { result.read() });
    // SAFETY: as above.
    let waker = slot.waker.with_mut(|waker| unsafe { waker.read() });
    // SAFETY: as above. Whatever becomes of the result, what is left is dropped before.
    unsafe { std::ptr::drop_in_place(&mut slot.link) };
    drop(slot);
    waker.into_iter().for_each(discard);
    result
}

// SAFETY: an end moves the result to another thread, where it is taken or dropped, and the waker, which
// is `Send`; the word says whose each is. The link is shared by both, and dropped by either.
unsafe impl<T: Send, L: Send + Sync> Send for Giver<T, L> {}

// SAFETY: as above.
unsafe impl<T: Send, L: Send + Sync> Send for Taker<T, L> {}

// SAFETY: a shared end lets one look at the word and at the link, no more: all else takes `&mut self` or
// `self`.
unsafe impl<T: Send, L: Send + Sync> Sync for Taker<T, L> {}
