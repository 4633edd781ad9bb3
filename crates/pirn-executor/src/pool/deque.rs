//! A worker's own queue: a ring that thieves take batches from, and a slot for what was woken last.
//!
//! One [`Local`] pushes and pops; any number of [`Stealer`]s take. The ring is first in, first out
//! for both.
//!
//! ```text
//!      head ─▶ taken by compare-exchange, one by the owner, half by a thief
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │   │ a │ b │ c │   │   │   │      slots are words, read without claiming them
//!   └───┴───┴───┴───┴───┴───┴───┴───┘
//!                       tail ─▶ moved by the owner alone
//! ```
//!
//! A thief reads the slots first and claims them afterwards, by moving `head`: if that fails,
//! what it read is forgotten, and may have been overwritten meanwhile. Both indices only grow, so
//! the exchange cannot succeed by accident. (Claiming first would need a second index for "being
//! read", as a slot must not be overwritten before it is read.)

use pirn_core::shim::atomic::{AtomicPtr, AtomicUsize};
use pirn_core::shim::{Arc, choose, load_before_store};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How many items the ring holds.
pub const CAPACITY: usize = choose(256, 4);

/// Something that owns one pointer, which is not null.
pub trait Word: Send + Sized {
    /// The pointer.
    fn into_word(self) -> *mut ();

    /// Back from the pointer.
    ///
    /// # Safety
    ///
    /// `word` came from `into_word`, and this is the only time that it is turned back.
    unsafe fn from_word(word: *mut ()) -> Self;
}

struct Ring<T> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: Box<[AtomicPtr<()>; CAPACITY]>,
    /// What was woken last, or null.
    slot: AtomicPtr<()>,
    /// It takes and gives items, which are `Send`, and never shows one to two threads.
    items: PhantomData<fn(T) -> T>,
}

/// The owner's end.
pub struct Local<T: Word> {
    ring: Arc<Ring<T>>,
    /// One thread at a time pushes and pops.
    one: PhantomData<Cell<()>>,
}

/// A thief's end.
pub struct Stealer<T: Word>(Arc<Ring<T>>);

/// A queue of one worker.
pub fn deque<T: Word>() -> (Local<T>, Stealer<T>) {
    let null = || AtomicPtr::new(std::ptr::null_mut());
    let ring = Arc::new(Ring {
        head: AtomicUsize::new(0),
        tail: AtomicUsize::new(0),
        slots: Box::new(std::array::from_fn(|_| null())),
        slot: null(),
        items: PhantomData,
    });
    let local = Local {
        ring: ring.clone(),
        one: PhantomData,
    };
    (local, Stealer(ring))
}

impl<T: Word> Local<T> {
    /// Queues an item. If the ring is full, gives the older half of it and the item, to go where
    /// all workers look.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Vec<T>> {
        let tail = self.ring.own_tail();
        // Ordering: Acquire, pairs with the Release of a thief's claim: it has read the slots that
        // are overwritten from here on.
        while tail.wrapping_sub(self.ring.head.load(Acquire)) >= CAPACITY {
            if let Some(mut half) = self.take_half() {
                half.push(item);
                return Err(half);
            }
        }
        self.ring.write(tail, item.into_word());
        // Ordering: Release, pairs with the Acquire in `span`; publishes the slot and the item.
        self.ring.tail.store(tail.wrapping_add(1), Release);
        Ok(())
    }

    /// Takes the oldest half out of a full ring. `None` if thieves were faster.
    #[cold]
    fn take_half(&self) -> Option<Vec<T>> {
        let (head, len) = self.ring.span();
        let count = len / 2;
        let words: Vec<_> = (0..count).map(|i| self.ring.read(head, i)).collect();
        if count == 0 || !self.ring.claim(head, count) {
            return None;
        }
        // SAFETY: `claim` made the items ours; each was put there as a word.
        Some(
            words
                .into_iter()
                .map(|w| unsafe { T::from_word(w) })
                .collect(),
        )
    }

    /// Takes the oldest item of the ring.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        loop {
            let (head, len) = self.ring.span();
            if len == 0 {
                return None;
            }
            let word = self.ring.read(head, 0);
            if self.ring.claim(head, 1) {
                // SAFETY: `claim` made the item ours; it was put there as a word.
                return Some(unsafe { T::from_word(word) });
            }
        }
    }

    /// Puts an item into the slot, and gives what was there.
    #[inline]
    pub fn swap_slot(&self, item: T) -> Option<T> {
        let word = item.into_word();
        // Ordering: Relaxed, nobody else puts anything in: if it is empty it stays so.
        if load_before_store(&self.ring.slot, Relaxed).is_null() {
            // Ordering: Release, pairs with the Acquire in `steal_slot`; publishes the item.
            self.ring.slot.store(word, Release);
            return None;
        }
        self.ring.swap_slot(word)
    }

    /// Takes what is in the slot.
    #[inline]
    pub fn take_slot(&self) -> Option<T> {
        match self.has_slot() {
            true => self.ring.swap_slot(std::ptr::null_mut()),
            false => None,
        }
    }

    /// True if there is something in the slot.
    #[inline]
    pub fn has_slot(&self) -> bool {
        self.ring.has_slot()
    }

    /// How many items are in the ring.
    #[inline]
    pub fn len(&self) -> usize {
        self.ring.span().1
    }

    /// True if the ring is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Word> Drop for Local<T> {
    fn drop(&mut self) {
        // Nobody else puts anything in.
        while self.pop().is_some() {}
        drop(self.take_slot());
    }
}

impl<T: Word> Stealer<T> {
    /// Another thief's end.
    pub fn share(&self) -> Self {
        Stealer(self.0.clone())
    }

    /// Takes the older half of the ring: gives one item, and puts the others into `thief`.
    pub fn steal_into(&self, thief: &Local<T>) -> Option<T> {
        let own = thief.ring.own_tail();
        // Ordering: Acquire, as in `push`: these slots are overwritten below.
        let room = CAPACITY - own.wrapping_sub(thief.ring.head.load(Acquire));
        loop {
            let (head, len) = self.0.span();
            // One is given back, so that there may be one more than there is room.
            let count = (len - len / 2).min(CAPACITY - CAPACITY / 2).min(room + 1);
            if count == 0 {
                return None;
            }
            let first = self.0.read(head, 0);
            for i in 1..count {
                // Beyond the tail of the thief's ring, so nobody sees it yet.
                thief
                    .ring
                    .write(own.wrapping_add(i - 1), self.0.read(head, i));
            }
            if self.0.claim(head, count) {
                // Ordering: Release, as in `push`.
                thief.ring.tail.store(own.wrapping_add(count - 1), Release);
                // SAFETY: `claim` made the item ours; it was put there as a word.
                return Some(unsafe { T::from_word(first) });
            }
        }
    }

    /// Takes what is in the slot. `None` also if that changes at this moment.
    pub fn steal_slot(&self) -> Option<T> {
        let slot = &self.0.slot;
        // Ordering: Relaxed, a guess that the exchange checks.
        let word = slot.load(Relaxed);
        if word.is_null() {
            return None;
        }
        // Ordering: Acquire, pairs with the Release in the two `swap_slot`; makes the item visible. Failure Relaxed: nothing was taken.
        let taken = slot.compare_exchange(word, std::ptr::null_mut(), Acquire, Relaxed);
        // SAFETY: what is in the slot was put there as a word, and the exchange took it out. If
        // another item with the same word came meanwhile, that is the one.
        taken.ok().map(|word| unsafe { T::from_word(word) })
    }

    /// How many items there are, in the ring and the slot: a guess.
    pub fn len(&self) -> usize {
        self.0.span().1 + usize::from(self.0.has_slot())
    }

    /// True if the ring is empty: a guess, unless a fence orders it.
    pub fn is_empty(&self) -> bool {
        self.0.span().1 == 0
    }
}

impl<T: Word> Ring<T> {
    /// The tail, for the owner.
    #[inline]
    fn own_tail(&self) -> usize {
        // Ordering: Relaxed, only the owner writes it.
        self.tail.load(Relaxed)
    }

    /// Where the items begin, and how many there are. Out of date at once, unless `claim` says
    /// otherwise.
    #[inline]
    fn span(&self) -> (usize, usize) {
        // Ordering: Relaxed, a guess that `claim` checks. Read before the tail: so there are never
        // more items counted than there are, if `head` has not moved.
        let head = self.head.load(Relaxed);
        // Ordering: Acquire, pairs with the Release in `push` and `steal_into`; publishes the
        // slots up to here.
        let tail = self.tail.load(Acquire);
        let len = tail.wrapping_sub(head);
        // An older tail than head, or the reverse: both mean that `head` has moved since.
        (head, if len > CAPACITY { 0 } else { len })
    }

    #[inline]
    fn place(&self, index: usize) -> &AtomicPtr<()> {
        &self.slots[index % CAPACITY]
    }

    #[inline]
    fn read(&self, head: usize, offset: usize) -> *mut () {
        // Ordering: Relaxed, `tail` published it; if it is overwritten meanwhile, `claim` fails.
        self.place(head.wrapping_add(offset)).load(Relaxed)
    }

    #[inline]
    fn write(&self, index: usize, word: *mut ()) {
        // Ordering: Relaxed, `tail` publishes it.
        self.place(index).store(word, Relaxed);
    }

    /// Makes the `count` items from `head` on the caller's, who has read them. False if somebody
    /// else was faster.
    #[inline]
    fn claim(&self, head: usize, count: usize) -> bool {
        let next = head.wrapping_add(count);
        // Ordering: Release, pairs with the Acquire in `push` and `steal_into`: the slots have been
        // read before they are overwritten. (No model notices if it is weakened: loom lets no load
        // see a store that comes later.) Failure Relaxed: the caller looks again.
        self.head
            .compare_exchange(head, next, Release, Relaxed)
            .is_ok()
    }

    #[inline]
    fn has_slot(&self) -> bool {
        // Ordering: Relaxed, a thief may take it at any time.
        !self.slot.load(Relaxed).is_null()
    }

    /// For the owner.
    #[inline]
    fn swap_slot(&self, word: *mut ()) -> Option<T> {
        // Ordering: Release, pairs with the Acquire in `steal_slot`; publishes the item that goes
        // in. The one that comes out was put in by the owner, too.
        let word = self.slot.swap(word, Release);
        // SAFETY: what is in the slot was put there as a word, and the swap took it out.
        (!word.is_null()).then(|| unsafe { T::from_word(word) })
    }
}
