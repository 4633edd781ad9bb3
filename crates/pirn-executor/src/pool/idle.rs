//! Who sleeps, who searches, and who is woken for new work.
//!
//! A worker without work *searches*: it looks into the others' queues. If it finds nothing, it goes
//! to *sleep*. Whoever queues work wakes one sleeper, unless somebody searches already. A searcher
//! that finds work wakes the next one if it was the last searcher: so as many wake as there is
//! work for, one after another.
//!
//! # Why no work is left behind while somebody sleeps
//!
//! ```text
//! whoever queues             whoever goes to sleep
//! ──────────────             ─────────────────────
//! 1. puts the work in        1. is counted as asleep, and no longer as searching
//! 2. fence                   2. fence
//! 3. reads the counts        3. looks at all queues once more
//! ```
//!
//! Of two fences one comes first: either 3 on the left sees the sleeper, or 3 on the right sees the
//! work. If 3 on the left sees a searcher instead, that one has yet to do all of the right side, or
//! to find work and, as the last searcher, to wake the next.

use pirn_core::shim::Mutex;
use pirn_core::shim::atomic::{AtomicU32, fence};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// The workers that sleep, and how many search.
pub struct Idle {
    counts: AtomicU32,
    /// Those who sleep; the last one to lie down is the first one to be woken.
    sleepers: Mutex<Vec<usize>>,
    workers: u32,
}

const SEARCHING: u32 = 1;
const SLEEPING: u32 = 1 << 16;

/// How many there are of each. Changed by additions only, so that no exchange is needed.
#[derive(Clone, Copy)]
struct Counts(u32);

impl Counts {
    fn searching(self) -> u32 {
        self.0 & (SLEEPING - 1)
    }

    fn sleeping(self) -> u32 {
        self.0 / SLEEPING
    }
}

/// How a sleep ended.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    /// By `notify`: there is work, and the worker counts as searching.
    ForWork,
    /// By something else.
    Otherwise,
}

impl Idle {
    /// For so many workers, all of them busy.
    ///
    /// # Panics
    ///
    /// If there are 2^15 workers or more.
    pub fn new(workers: usize) -> Idle {
        assert!(workers < 1 << 15, "a pool has less than 2^15 workers");
        Idle {
            counts: AtomicU32::new(0),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            workers: workers as u32,
        }
    }

    /// After work was queued: the worker to be woken for it, if any.
    #[must_use]
    #[inline]
    pub fn notify(&self) -> Option<usize> {
        // Ordering: pairs with the fence in `sleep`, see above.
        fence(SeqCst);
        match self.wants_notify() {
            true => self.wake_one(),
            false => None,
        }
    }

    #[inline]
    fn wants_notify(&self) -> bool {
        // Ordering: Relaxed, the fences order it.
        let counts = Counts(self.counts.load(Relaxed));
        counts.sleeping() > 0 && counts.searching() == 0
    }

    #[cold]
    fn wake_one(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        // Somebody else may have woken one meanwhile: that one searches.
        if !self.wants_notify() {
            return None;
        }
        let worker = sleepers.pop()?;
        // Ordering: Relaxed, the lock orders the changes of those who sleep.
        self.counts
            .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Relaxed);
        Some(worker)
    }

    /// Begins to search. False if enough others do: half of the workers.
    #[must_use]
    pub fn search(&self) -> bool {
        // Ordering: Relaxed, a limit that may be missed by a few.
        let counts = Counts(self.counts.load(Relaxed));
        if counts.searching() * 2 >= self.workers {
            return false;
        }
        // Ordering: Relaxed, as long as it is counted the searcher does no harm; see `found`.
        self.counts.fetch_add(SEARCHING, Relaxed);
        true
    }

    /// Begins to search, however many do: for a worker that has seen work.
    pub fn search_anyway(&self) {
        // Ordering: Relaxed, as in `search`.
        self.counts.fetch_add(SEARCHING, Relaxed);
    }

    /// Ends a search that found work: the worker to be woken for what else there may be.
    #[must_use]
    pub fn found(&self) -> Option<usize> {
        // Ordering: Relaxed, the fence in `notify` follows.
        let before = Counts(self.counts.fetch_sub(SEARCHING, Relaxed));
        match before.searching() {
            1 => self.notify(),
            _ => None,
        }
    }

    /// Counts the worker as asleep. It must look at all queues once more after this, and call
    /// `woken` in any case.
    pub fn sleep(&self, worker: usize, searching: bool) {
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(worker);
            let change = match searching {
                true => SLEEPING.wrapping_sub(SEARCHING),
                false => SLEEPING,
            };
            // Ordering: Relaxed, the fences order it.
            self.counts.fetch_add(change, Relaxed);
        }
        // Ordering: pairs with the fence in `notify`, see above.
        fence(SeqCst);
    }

    /// Counts the worker as awake.
    pub fn woken(&self, worker: usize) -> Woken {
        let mut sleepers = self.sleepers.lock();
        match sleepers.iter().position(|&sleeper| sleeper == worker) {
            None => Woken::ForWork,
            Some(place) => {
                sleepers.remove(place);
                // Ordering: Relaxed, the lock orders the changes of those who sleep.
                self.counts.fetch_sub(SLEEPING, Relaxed);
                Woken::Otherwise
            }
        }
    }

    /// How many sleep.
    pub fn sleeping(&self) -> usize {
        // Ordering: Relaxed, a statistic.
        Counts(self.counts.load(Relaxed)).sleeping() as usize
    }
}
