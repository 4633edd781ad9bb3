//! The lanes of a pool: tasks that are more or less urgent than others, for all workers to take.
//!
//! Two queues behind one lock, one task at a time. For few tasks: with many, the lock would contend
//! before the injector's does, of which each worker takes its share at once.

use super::Shared;
use crate::priority::{Lane, Waiting};
use crate::task::Runnable;
use pirn_core::shim::atomic::AtomicU64;
use pirn_core::shim::{Arc, Mutex};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

/// Two queues, with their lengths beside the lock. On cache lines of its own: the lengths are read
/// at each poll, and never written by a pool without such tasks.
#[repr(align(128))]
pub struct Lanes<T> {
    /// [`Waiting`], in two halves. Written under the lock.
    waiting: AtomicU64,
    /// Until the pool is gone.
    queues: Mutex<Option<Queues<T>>>,
}

struct Queues<T> {
    high: VecDeque<T>,
    low: VecDeque<T>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        let queues = Queues {
            high: VecDeque::new(),
            low: VecDeque::new(),
        };
        Lanes {
            waiting: AtomicU64::new(0),
            queues: Mutex::new(Some(queues)),
        }
    }
}

impl<T> Lanes<T> {
    /// True if there is nothing: a guess, unless a fence orders it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Ordering: Relaxed, a guess for the busy, who come back; who goes to sleep reads it after
        // the fence in `Idle::sleep`, which pairs with the one in `Idle::notify` after the push.
        self.waiting.load(Relaxed) == 0
    }

    /// How many there are: a guess.
    pub fn waiting(&self) -> Waiting {
        // Ordering: Relaxed, as in `is_empty`.
        let waiting = self.waiting.load(Relaxed);
        Waiting {
            high: (waiting >> 32) as usize,
            low: waiting as u32 as usize,
        }
    }

    /// Queues an item; or drops it, after unlocking, if it is closed.
    pub fn push(&self, lane: Lane, item: T) {
        let mut queues = self.queues.lock();
        match &mut *queues {
            Some(queues) => {
                queues.of(lane).push_back(item);
                self.note(queues);
            }
            None => {
                drop(queues);
                drop(item);
            }
        }
    }

    /// Takes what has waited for longest.
    pub fn take(&self, lane: Lane) -> Option<T> {
        let mut queues = self.queues.lock();
        let queues = queues.as_mut()?;
        let item = queues.of(lane).pop_front();
        self.note(queues);
        item
    }

    /// Takes everything, for ever.
    pub fn close(&self) -> impl Iterator<Item = T> + use<T> {
        let mut queues = self.queues.lock();
        // Ordering: Relaxed, as in `note`.
        self.waiting.store(0, Relaxed);
        let closed = queues.take();
        let closed = closed.map(|queues| queues.high.into_iter().chain(queues.low));
        closed.into_iter().flatten()
    }

    fn note(&self, queues: &Queues<T>) {
        let (high, low) = (queues.high.len() as u64, queues.low.len() as u64);
        // Ordering: Relaxed, see `is_empty`; the lock orders the writes.
        self.waiting.store(high << 32 | low, Relaxed);
    }
}

impl<T> Queues<T> {
    fn of(&mut self, lane: Lane) -> &mut VecDeque<T> {
        match lane {
            Lane::High => &mut self.high,
            Lane::Low => &mut self.low,
        }
    }
}

impl Shared {
    /// Queues a task in a lane. `next`: from a worker that is about to take its next task.
    pub(super) fn queue_in(this: &Arc<Self>, lane: Lane, task: Runnable, next: bool) {
        let mut task = Some(task);
        let notify = Shared::with_core(this, |core| {
            core.and_then(|core| core.queue_in(lane, task.take()?, next))
        });
        match task {
            Some(task) => {
                // The task may be run, freed and with it the last pointer but this one, before
                // `notify`.
                let this = this.clone();
                this.lanes.push(lane, task);
                this.unpark(this.idle.notify());
            }
            None => this.unpark(notify),
        }
    }
}
