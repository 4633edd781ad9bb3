//! Which chunks of a group have woken members, and the waker of whoever polls them.
//!
//! # States
//!
//! | `rung` bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | k | chunk k may have members that were woken | `ring`, by who sets the first bit of the chunk's word | `answer` |
//!
//! Who sets the first of the bits takes the waker out and wakes it. So an empty cell means that a
//! wake is on its way, by somebody who took the waker after the last `answer`: whoever finds it
//! empty has set a bit before, under an order that the cell's lock makes, and the poll to come sees
//! that bit.

use super::GROUP;
use crate::shim::ListLock;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::wake::{discard, wake};
use core::task::Waker;

pub(super) struct Bell {
    rung: AtomicUsize,
    waker: ListLock<Option<Waker>>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Bell {
            rung: AtomicUsize::new(0),
            waker: ListLock::new(None),
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
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Puts `waker` in place, and takes the bits of the chunks to look at.
    pub(super) fn answer(&self, waker: &Waker) -> usize {
        // Ordering: Relaxed, a guess: whoever rings takes the waker out, most likely.
        if self.rung.load(Ordering::Relaxed) != 0 || !self.has(waker) {
            let waker = waker.clone();
            let former = self.waker.lock().replace(waker);
            if let Some(former) = former {
                discard(former);
            }
        }
        // Ordering: AcqRel, as in `ring`: this comes after the waker, and before the chunks' words.
        self.rung.swap(0, Ordering::AcqRel)
    }

    fn has(&self, waker: &Waker) -> bool {
        let present = self.waker.lock();
        present
            .as_ref()
            .is_some_and(|present| present.will_wake(waker))
    }

    /// Wakes nobody any more.
    pub(super) fn silence(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            discard(waker);
        }
    }
}
