//! The queue that all workers look at: what comes from outside, and what did not fit elsewhere.

use pirn_core::shim::Mutex;
use pirn_core::shim::atomic::AtomicUsize;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

/// A queue behind a lock, with its length beside it.
pub struct Injector<T> {
    queue: Mutex<Option<VecDeque<T>>>,
    /// Written under the lock; read without it, to spare the lock when there is nothing.
    len: AtomicUsize,
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Injector {
            queue: Mutex::new(Some(VecDeque::new())),
            len: AtomicUsize::new(0),
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

    /// Gives memory back.
    pub fn shrink(&self) {
        if let Some(queue) = &mut *self.queue.lock() {
            queue.shrink_to_fit();
        }
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
