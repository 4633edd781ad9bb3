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
//!
//! A child may lie in the same memory, *beside* its slot. Then it leaves not as it ends but when it was
//! dropped, by a third end, the [`Hold`]: so the handle may take the result before.

use pirn_core::budget;
use pirn_core::shim::atomic::{AtomicU8, Ordering};
use pirn_core::shim::{IS_LOOM, UnsafeCell};
use pirn_core::wake::{discard, wake};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// `head` comes first: see [`head`].
#[repr(C)]
struct Slot<T, L> {
    head: Head<L>,
    /// The child's until it has ended, then the handle's; at last the one's who frees it.
    result: UnsafeCell<Option<T>>,
}

/// What there is whatever the result.
struct Head<L> {
    word: AtomicU8,
    /// The child lies in the same memory.
    is_beside: bool,
    /// Of all the memory.
    layout: &'static Layout,
    /// The handle's while `WAITS` is clear; the child's from when that ended and saw `WAITS`, until it
    /// has left; at last the one's who frees it.
    waker: UnsafeCell<Option<Waker>>,
    /// Both's, by reference.
    link: L,
}

/// A slot, and the child that has it. `slot` comes first, so that a pointer to it is one to the whole.
#[repr(C)]
struct Beside<T, L, C> {
    slot: Slot<T, L>,
    child: MaybeUninit<C>,
}

/// The child's end. As it is dropped the child ends without a result.
pub(super) struct Giver<T, L> {
    /// Alive until the child has left, and freed by whoever of the two is last.
    slot: NonNull<Slot<T, L>>,
}

/// Memory beside a slot, in which a child is to lie: not initialised, and there as long as the hold, which
/// is to be dropped after the child's end.
pub(super) struct Vacant<C, L> {
    pub(super) place: NonNull<MaybeUninit<C>>,
    pub(super) hold: Hold<L>,
}

/// What keeps the slot for a child that lies beside it, and leaves as it is dropped.
pub(super) struct Hold<L> {
    /// Alive until this is dropped, and freed by whoever of this and the handle is last.
    head: NonNull<Head<L>>,
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
    /// Free the slot, or leave that to the hold: the handle is gone.
    Free,
}

/// Both ends of a new slot.
#[inline]
pub(super) fn pair<T, L>(link: L) -> (Giver<T, L>, Taker<T, L>) {
    let slot = make(link, const { &Layout::new::<Slot<T, L>>() }, false);
    (Giver { slot }, Taker { slot })
}

/// The same with memory for a `C` beside it.
#[inline]
pub(super) fn pair_beside<T, L, C>(link: L) -> (Giver<T, L>, Taker<T, L>, Vacant<C, L>) {
    let slot = make(link, const { &Layout::new::<Beside<T, L, C>>() }, true);
    let whole = slot.cast::<Beside<T, L, C>>();
    // SAFETY: it has just been allocated, for all of it, and nobody has a reference to this part.
    let place = unsafe { NonNull::new_unchecked(&raw mut (*whole.as_ptr()).child) };
    let hold = Hold { head: head(slot) };
    (Giver { slot }, Taker { slot }, Vacant { place, hold })
}

/// A slot in new memory of this `layout`, which begins with one of a slot.
#[inline]
fn make<T, L>(link: L, layout: &'static Layout, is_beside: bool) -> NonNull<Slot<T, L>> {
    // SAFETY: the layout's size is not zero, the word being in it.
    let memory = unsafe { alloc(*layout) };
    let Some(slot) = NonNull::new(memory.cast::<Slot<T, L>>()) else {
        handle_alloc_error(*layout)
    };
    let fresh = Slot {
        head: Head {
            word: AtomicU8::new(Snapshot::NEW.0),
            is_beside,
            layout,
            waker: UnsafeCell::new(None),
            link,
        },
        result: UnsafeCell::new(None),
    };
    // SAFETY: the memory is new, and large enough and aligned for a slot, with which the layout begins.
    unsafe { slot.write(fresh) };
    slot
}

#[inline]
fn head<T, L>(slot: NonNull<Slot<T, L>>) -> NonNull<Head<L>> {
    // It is the first field of a `repr(C)`.
    slot.cast()
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
        &self.slot().head.link
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
        let is_beside = self.slot().head.is_beside;
        match self.turn_from(now, |now| now.end(is_beside)) {
            End::Nothing => None,
            End::Wake => {
                self.wake(is_beside);
                None
            }
            // SAFETY: the handle is gone, so the result is still the child's.
            End::Free if is_beside => self.slot().result.with_mut(|it| unsafe { (*it).take() }),
            // SAFETY: the handle is gone, and this is not used again.
            End::Free => unsafe { free(self.slot) },
        }
    }

    #[inline(never)]
    fn wake(&self, is_beside: bool) {
        // SAFETY: the child ended while the handle waited, so that one's waker is the child's.
        let take = |waker: *mut Option<Waker>| unsafe { (*waker).take() };
        let waker = self.slot().head.waker.with_mut(take);
        if !is_beside && self.turn_from(Snapshot(WAITS | ENDED), Snapshot::leave) {
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
        unsafe { turn_from(head(self.slot), now, decide) }
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
        &self.slot().head.link
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
        if !slot.head.waker.with(is_there) {
            let fresh = Some(waker.clone());
            // SAFETY: as above.
            let put = |mine: *mut Option<Waker>| unsafe { mem::replace(&mut *mine, fresh) };
            slot.head.waker.with_mut(put).into_iter().for_each(discard);
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
            let waker = self.slot().head.waker.with_mut(take);
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
        unsafe { turn_from(head(self.slot), now, decide) }
    }
}

impl<T, L> Slot<T, L> {
    /// What the word says now.
    #[inline]
    fn look(&self) -> Snapshot {
        look(&self.head.word)
    }
}

#[inline]
fn look(word: &AtomicU8) -> Snapshot {
    // Ordering: Acquire, pairs with the Release in `exchange`; if the child has ended, what it did
    // before is seen, and its result.
    Snapshot(word.load(Ordering::Acquire))
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
unsafe fn turn_from<L, R>(
    head: NonNull<Head<L>>,
    mut now: Snapshot,
    decide: impl Fn(Snapshot) -> (Snapshot, R),
) -> R {
    loop {
        let (next, decided) = decide(now);
        if next == now {
            return decided;
        }
        // SAFETY: alive, since the word was not changed yet.
        let word = unsafe { &(*head.as_ptr()).word };
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

    /// The child ends, and leaves, unless it lies beside.
    #[inline]
    fn end(self, is_beside: bool) -> (Snapshot, End) {
        if self.has(GONE) {
            (self, End::Free)
        } else if self.has(WAITS) {
            (self.with(ENDED), End::Wake)
        } else {
            let left = if is_beside { 0 } else { LEFT };
            (self.with(ENDED | left), End::Nothing)
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

    /// The handle goes, unless the child has ended: then there is a result to be taken.
    #[inline]
    fn go_first(self) -> (Snapshot, bool) {
        match self.has(ENDED) {
            true => (self, false),
            false => (self.with(GONE), true),
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

impl<L> Drop for Hold<L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: alive, since this has not left.
        let word = unsafe { &(*self.head.as_ptr()).word };
        // As in `Giver::end`.
        let now = match IS_LOOM {
            true => Snapshot(ENDED),
            false => look(word),
        };
        // SAFETY: as above.
        if unsafe { turn_from(self.head, now, Snapshot::leave) } {
            // SAFETY: the handle is gone, and this is not used again. There is no result: the handle
            // took it, or else the child has it back.
            unsafe { free_head(self.head) };
        }
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
        } else if !self.turn_from(now, Snapshot::go_first) {
            drop(self.take_and_go(self.slot().look()));
        }
    }
}

/// Frees the slot, and gives the result, if it is still there.
///
/// # Safety
///
/// The slot is of [`make`], the others are done with it, and the caller's end is not used again.
#[inline]
unsafe fn free<T, L>(slot: NonNull<Slot<T, L>>) -> Option<T> {
    // SAFETY: nobody else has a pointer to it that is used again, and the result is read once.
    let result = unsafe { (*slot.as_ptr()).result.with_mut(|result| result.read()) };
    // SAFETY: the caller's word, and the result was read out.
    unsafe { free_head(head(slot)) };
    result
}

/// Frees the slot, of which there is no result to be dropped.
///
/// # Safety
///
/// As [`free`]; and the child that lies beside, if one does, was dropped.
#[inline]
unsafe fn free_head<L>(head: NonNull<Head<L>>) {
    // SAFETY: nobody else has a pointer to it that is used again.
    let parts = unsafe { &mut *head.as_ptr() };
    if IS_LOOM {
        // The model checker sees by this access that nobody else is at it.
        mem::replace(&mut parts.word, AtomicU8::new(0)).into_inner();
    }
    let layout = parts.layout;
    // SAFETY: this is the only reference to it, and each part is read once.
    let waker = parts.waker.with_mut(|waker| unsafe { waker.read() });
    // SAFETY: as above. Whatever becomes of the result, what is left is dropped before.
    unsafe { std::ptr::drop_in_place(&mut parts.link) };
    // SAFETY: `make` allocated it with this layout.
    unsafe { dealloc(head.as_ptr().cast(), *layout) };
    waker.into_iter().for_each(discard);
}

// SAFETY: an end moves the result to another thread, where it is taken or dropped, and the waker, which
// is `Send`; the word says whose each is. The link is shared by both, and dropped by either.
unsafe impl<T: Send, L: Send + Sync> Send for Giver<T, L> {}

// SAFETY: as above; of the result there is nothing that it drops.
unsafe impl<L: Send + Sync> Send for Hold<L> {}

// SAFETY: as above.
unsafe impl<T: Send, L: Send + Sync> Send for Taker<T, L> {}

// SAFETY: a shared end lets one look at the word and at the link, no more: all else takes `&mut self` or
// `self`.
unsafe impl<T: Send, L: Send + Sync> Sync for Taker<T, L> {}
