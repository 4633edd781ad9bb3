//! Which chunks of a group have woken members, and the waker of whoever polls them.
//!
//! # States
//!
//! | `rung` bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | k | chunk k may have members that were woken | `ring`, by who sets the first bit of the chunk's word | `answer` |
//!
//! | `full` | meaning | set by | cleared by |
//! |---|---|---|---|
//! | | the cell has a waker; a hint, which is late in one direction at most | `put` | `take` |
//!
//! Who sets the first of the bits takes the waker out and wakes it. So an empty cell means that a
//! wake is on its way, by somebody who took the waker after the last `answer`: whoever finds it
//! empty has set a bit before, under an order that the cell's lock makes, and the poll to come sees
//! that bit.

use super::GROUP;
use crate::shim::ListLock;
use crate::shim::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::wake::{Identity, discard, wake};
use core::task::Waker;

pub(super) struct Bell {
    rung: AtomicUsize,
    waker: ListLock<Option<Waker>>,
    full: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> Self {
        Bell {
            rung: AtomicUsize::new(0),
            waker: ListLock::new(None),
            full: AtomicBool::new(false),
        }
    }

    /// A member of the chunk `place` was woken, the first since that chunk was looked at.
    pub(super) fn ring(&self, place: usize) {
        debug_assert!(place < GROUP);
        // Ordering: AcqRel. Release, pairs with the Acquire in `answer`; who sees the bit sees the
        // chunk's word. Acquire, pairs with the Release there: who finds no bit comes after the
        // waker was put in place.
        if self.rung.fetch_or(1 << place, Ordering::AcqRel) != 0 {
            return;
        }
        if let Some(waker) = self.take() {
            wake(waker);
        }
    }

    /// Puts `waker` in place, and takes the bits of the chunks to look at. `known` is the identity of
    /// what was put there last.
    pub(super) fn answer(&self, waker: &Waker, known: &mut Identity) -> usize {
        // Ordering: Relaxed. Who empties the cell wakes the task after that, so that a poll which
        // misses it is followed by one that does not. While it is full it keeps what the identity
        // names, so that no other waker has the same.
        if *known != Identity::of(waker) || !self.full.load(Ordering::Relaxed) {
            let waker = waker.clone();
            // Of the clone: of what is kept.
            *known = Identity::of(&waker);
            self.put(waker);
        }
        // Ordering: Relaxed. A bit that comes after this look is that of somebody who finds the waker:
        // it stood there before, or was put there under the lock, which orders the two.
        if self.rung.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        // Ordering: AcqRel, as in `ring`: this comes after the waker, and before the chunks' words.
        self.rung.swap(0, Ordering::AcqRel)
    }

    #[cold]
    fn put(&self, waker: Waker) {
        let mut cell = self.waker.lock();
        let former = cell.replace(waker);
        // Ordering: Relaxed, under the lock; see `answer`.
        self.full.store(true, Ordering::Relaxed);
        drop(cell);
        if let Some(former) = former {
            discard(former);
        }
    }

    fn take(&self) -> Option<Waker> {
        let mut cell = self.waker.lock();
        // Ordering: Relaxed, under the lock; see `answer`.
        self.full.store(false, Ordering::Relaxed);
        cell.take()
    }

    /// Wakes nobody any more.
    pub(super) fn silence(&self) {
        if let Some(waker) = self.take() {
            discard(waker);
        }
    }
}
