//! Who sleeps, who searches, and who is woken for new work.
//!
//! A worker without work *searches*: it looks into the others' queues. If it finds nothing, it goes
//! to *sleep*. Whoever queues work wakes one sleeper, unless somebody searches already. A searcher
//! that finds work wakes the next one if it was the last searcher and there is more: so as many wake
//! as there is work for, one after another, and never a herd.
//!
//! | a worker is | who says so | who ends it |
//! |---|---|---|
//! | busy | nobody counts it | itself: `search`, `search_anyway`, `sleep` |
//! | searching | itself; or `notify`, of one that sleeps, before it wakes | itself: `found`, `sleep` |
//! | asleep | itself: `sleep` | `notify`, by name; or itself: `woken` |
//!
//! # No work is left behind while somebody sleeps
//!
//! A task *lies open* if it is in the injector, in a lane or in a ring, and whoever put it there
//! called `notify` or `found` since. (What does not lie open is what a worker runs next: its slot, or
//! the only task of its ring while the slot is empty, or what it put into a lane when it had polled
//! it. The worker tells of that one as soon as there is a second.) The claim: **while a task lies open, nobody sleeps, or somebody searches who is yet to
//! see it.** Three sequences decide it:
//!
//! ```text
//! whoever queues               whoever goes to sleep          whoever found work
//! ──────────────               ─────────────────────          ──────────────────
//! Q1 puts the task in          S1 counts as asleep, and no    F1 puts what it took along into
//! Q2 fence                        longer as searching            its ring
//! Q3 reads the counts;         S2 fence                       F2 no longer counts as searching
//! Q4 if some sleep and none    S3 looks at all queues once    F3 if it was the last: fence
//!    searches, names one, as      more; parks if there is     F4 reads the counts; if some sleep
//!    searching, and unparks it    nothing, else searches         and none searches, looks at all
//!                                                                queues; Q4 if there is something
//! ```
//!
//! 1. *Q against S.* Of the fences Q2 and S2 one comes first. If Q2 does, S3 sees the task. If S2
//!    does, Q3 sees the sleeper.
//! 2. *Q3 sees a searcher.* Then Q3 has read the counts as they were before that searcher's next
//!    change, which is its S1, or its F2:
//!    - S1: so Q2 comes before S2, and S3 sees the task.
//!    - F2, as the last: so Q2 comes before F3, and F4 sees the task. It sees who was asleep by
//!      then too, and wakes one; whoever lies down later has an S2 behind both fences, and sees the
//!      task in S3. The one that is woken sees it as well, being unparked after F3.
//!    - F2, not as the last: another searcher is counted, whose next change comes later still, so
//!      that this case distinction holds for it. There are finitely many of them.
//! 3. *What a searcher took along* (F1), if it was the last: F3 and F4 are its Q2 and Q3. If not,
//!    another searcher's S1 or F2 comes after this F2. F2 is a Release, S2 acquires what S1 read, and
//!    all changes in between are read-modify-writes: so S3 sees what F1 put in. If the other's change
//!    is an F2 too, the last of them looks in F4, behind F3, which acquires as well.
//! 4. *Nobody is named twice, and no name gets lost.* Names are taken under the lock of `sleepers`,
//!    where `notify` looks again: of two that come at once, the second finds a searcher. Who was
//!    named counts as searching from that moment, though it has yet to wake up; if it wakes for
//!    another reason first, `woken` tells it so, and it owes its own S or F like any searcher.
//!
//! What the workers owe for this:
//!
//! - Who searches polls nothing before its F or S: else all that rely on it wait for that poll.
//! - Where tasks are moved so that for a moment they are in no queue (from the injector to a ring,
//!   from a ring to the injector), whoever moves them calls `notify` afterwards. A thief is counted
//!   as searching meanwhile.
//! - Whoever comes out of `sleep` calls `woken`, whatever happened.

use pirn_core::shim::Mutex;
use pirn_core::shim::atomic::{AtomicU32, fence};
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};

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
    /// How many workers there may be: both counts have as many bits.
    pub const MAX_WORKERS: usize = (1 << 15) - 1;

    /// For so many workers, all of them busy.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_WORKERS`](Self::MAX_WORKERS).
    pub fn new(workers: usize) -> Idle {
        assert!(
            workers <= Self::MAX_WORKERS,
            "a pool has less than 2^15 workers"
        );
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
        // Ordering: Q2 of the proof above, pairs with the fence in `sleep`.
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

    /// Ends a search that found work: the worker to be woken for what else there is, if
    /// `has_work` sees anything.
    #[must_use]
    pub fn found(&self, has_work: impl FnOnce() -> bool) -> Option<usize> {
        // Ordering: Release, pairs with the fence in `sleep` and the one below, which acquire: a
        // searcher that ends its search after this sees what this one took along.
        let before = Counts(self.counts.fetch_sub(SEARCHING, Release));
        if before.searching() > 1 {
            return None;
        }
        // Ordering: F3 of the proof above, pairs with the fence in `notify`.
        fence(SeqCst);
        match self.wants_notify() && has_work() {
            true => self.wake_one(),
            false => None,
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
            // Ordering: Relaxed, the fence below acquires what `found` released; against `notify`,
            // the fences order it.
            self.counts.fetch_add(change, Relaxed);
        }
        // Ordering: S2 of the proof above, pairs with the fence in `notify`, and with the Release in
        // `found`.
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

    /// For who counts elsewhere as one who works, and did not sleep: who lies down after this sees that.
    pub fn rise(&self) {
        drop(self.sleepers.lock());
    }

    /// One of those who sleep of which `fits` is true, if any does: not named, nor counted as
    /// searching.
    pub fn any_sleeper(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let sleepers = self.sleepers.lock();
        sleepers.iter().rev().copied().find(|&worker| fits(worker))
    }

    /// How many sleep.
    pub fn sleeping(&self) -> usize {
        // Ordering: Relaxed, a statistic.
        Counts(self.counts.load(Relaxed)).sleeping() as usize
    }
}
