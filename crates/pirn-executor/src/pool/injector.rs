//! The queue that all workers look at: what comes from outside, and what did not fit elsewhere.

use crate::room;
use pirn_core::shim::Mutex;
use pirn_core::shim::atomic::AtomicUsize;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

/// A queue behind a lock, with its length beside it.
pub struct Injector<T> {
    queue: Mutex<Option<VecDeque<T>>>,
    /// Written under the lock; read without it, to spare the lock when there is nothing.
    len: AtomicUsize,
    /// For how many it has room. Written under the lock.
    /// (`std`'s atomic on purpose: a hint, in which there is nothing for a model to explore.)
    room: std::sync::atomic::AtomicUsize,
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Injector {
            queue: Mutex::new(Some(VecDeque::new())),
            len: AtomicUsize::new(0),
            room: Default::default(),
        }
    }
}

impl<T> Injector<T> {
    /// Queues items; or drops them, after unlocking, if it is closed.
    pub fn push(&self, items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>) {
        let items = items.into_iter();
        let mut queue = self.queue.lock();
        match &mut *queue {
            Some(queue) => {
                queue.extend(items);
                self.set_len(queue.len());
                self.set_room(queue);
            }
            None => {
                drop(queue);
                items.for_each(drop);
            }
        }
    }

    /// Moves one part in `share`, at least one item and at most `limit`, to `out`.
    pub fn take(&self, share: usize, limit: usize, out: &mut Vec<T>) {
        let mut queue = self.queue.lock();
        if let Some(queue) = &mut *queue {
            let count = queue.len().div_ceil(share.max(1)).min(limit);
            out.extend(queue.drain(..count));
            self.set_len(queue.len());
        }
    }

    /// Gives a part of its room back, half of it at most, if it is much and hardly used. For who has
    /// nothing else to do.
    pub fn rest(&self) {
        if self.room() > room::KEPT {
            self.shrink();
        }
    }

    #[cold]
    fn shrink(&self) {
        if let Some(queue) = &mut *self.queue.lock() {
            let less = room::after_rest(queue.capacity());
            if queue.len() <= less / 2 {
                queue.shrink_to(less);
                self.set_room(queue);
            }
        }
    }

    /// For how many there is room: a guess.
    pub fn room(&self) -> usize {
        // Ordering: Relaxed, a hint.
        self.room.load(Relaxed)
    }

    fn set_room(&self, queue: &VecDeque<T>) {
        // Ordering: Relaxed, a hint.
        self.room.store(queue.capacity(), Relaxed);
    }

    /// True if there is nothing: a guess, unless a fence orders it.
    pub fn is_empty(&self) -> bool {
        // Ordering: Relaxed, a guess for the busy, who come back; who goes to sleep reads it after
        // the fence in `Idle::sleep`, which pairs with the one in `Idle::notify` after the push.
        self.len.load(Relaxed) == 0
    }

    /// How many items there are: a guess.
    pub fn len(&self) -> usize {
        // Ordering: Relaxed, a statistic.
        self.len.load(Relaxed)
    }

    /// Takes everything, for ever.
    pub fn close(&self) -> VecDeque<T> {
        let mut queue = self.queue.lock();
        self.set_len(0);
        queue.take().unwrap_or_default()
    }

    fn set_len(&self, len: usize) {
        // Ordering: Relaxed, see `is_empty`; the lock orders the writes.
        self.len.store(len, Relaxed);
    }
}
