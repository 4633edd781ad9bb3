//! How a worker that has nothing to do searches and sleeps, and leaves what it has to the others.

use super::{At, Core};
use crate::pool::claimed::Claimed;
use crate::pool::idle::Woken;
use crate::pool::worker::Root;
use crate::task::{Owner, Rested};
use pirn_core::shim::atomic::fence;
use pirn_core::shim::{choose, hint};
use pirn_core::{Clock, Instant, Monotonic, Park, ParkError, TimeSource, Until, context};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::Waker;
use std::time::Duration;

/// How often a worker that looks on before it sleeps does so between two looks at the time.
const LOOKS: u32 = choose(8, 1) as u32;

impl Core {
    /// Counts as searching, unless enough others do.
    pub(super) fn search(&self) -> bool {
        if !self.searching.get() {
            self.searching.set(self.handle.shared.idle.search());
        }
        self.searching.get()
    }

    /// No longer counts as searching, having found something.
    #[inline]
    pub(in crate::pool) fn stop_searching(&self) {
        if self.searching.replace(false) {
            let shared = &self.handle.shared;
            shared.unpark(shared.idle.found(|| shared.has_work()));
        }
    }

    /// Counts as asleep. `has_work` must be looked at after this.
    pub(in crate::pool) fn lie_down(&self) {
        let searching = self.searching.replace(false);
        self.handle.shared.idle.sleep(self.index, searching);
    }

    /// Counts as awake.
    pub(in crate::pool) fn get_up(&self) {
        match self.handle.shared.idle.woken(self.index) {
            Woken::ForWork => self.searching.set(true),
            Woken::Otherwise => {}
        }
    }

    /// Goes on looking for a moment, if that has paid of late. True if there is something to do.
    ///
    /// It counts as searching, so that nobody need wake it.
    #[cold]
    pub(in crate::pool) fn look_on<P: Park>(
        &self,
        park: &mut P,
        root: &Root,
    ) -> Result<bool, ParkError> {
        let shared = &*self.handle.shared;
        // Ordering: Relaxed, a setting.
        let limit = Duration::from_nanos(shared.spin.load(Relaxed));
        if limit.is_zero() || self.rests.get() || !self.spin.is_worth_it() || !self.search() {
            return Ok(false);
        }
        let Some(_spinning) = Claimed::take(&shared.spinning) else {
            return Ok(false);
        };
        // What it sleeps on is looked at now, since it is not meanwhile.
        self.park(park, Until::Now)?;
        let hit = self.look_until(Monotonic.now() + limit, root);
        self.spin.looked(hit);
        Ok(hit)
    }

    /// Looks for work until that time. True if there is any.
    fn look_until(&self, end: Instant, root: &Root) -> bool {
        loop {
            for _ in 0..LOOKS {
                // This worker's own ring among others.
                if root.is_woken() || self.handle.shared.has_work() {
                    return true;
                }
                hint::spin_loop();
            }
            if Monotonic.now() >= end {
                return false;
            }
        }
    }

    /// Sleeps until there is something to do.
    #[cold]
    pub(in crate::pool) fn sleep<P: Park>(
        &self,
        park: &mut P,
        root: &Root,
    ) -> Result<(), ParkError> {
        let (shared, seat) = (&*self.handle.shared, self.seat());
        // Ordering: Relaxed, the fence in `lie_down` orders it before the look at `root`, against
        // `Root::wake_by_ref`.
        seat.parked.store(true, Relaxed);
        let clock = match shared.seats.len() > 1 {
            true => context::clock().ok(),
            false => None,
        };
        // Ordering: Relaxed, the lock of the sleepers orders it: see `be_watched`.
        seat.can_watch.store(clock.is_some(), Relaxed);
        self.lie_down();
        let asleep = Asleep(self);
        if shared.has_work() || self.heed_gate() {
            drop(asleep);
            if !self.searching.replace(true) {
                // Whatever the others do: it was seen.
                shared.idle.search_anyway();
            }
            return Ok(());
        }
        if root.is_woken() {
            return Ok(());
        }
        self.rests.set(self.rest());
        if self.rests.get() {
            // Not for long: there is more of that, after a look at all else.
            return self.park(park, Until::Now);
        }
        // Ordering: Relaxed, a statistic.
        seat.parks.fetch_add(1, Relaxed);
        self.park_asleep(park, clock)
    }

    /// Gives memory back that was not needed for a while, or does a part of that. To be called where
    /// it counts as asleep, and has nothing to do. True if there is more: then it is to be called
    /// again soon, after a look at all else.
    #[must_use]
    pub(in crate::pool) fn rest(&self) -> bool {
        let shared = &*self.handle.shared;
        let inside = self.owner.borrow_mut().as_mut().map(Owner::rest);
        let outside = &shared.outside;
        let outside = match outside.heap.is_large() {
            // Whoever has it spawns, or rests.
            true => match outside.owner.try_lock().as_deref_mut() {
                Some(owner) => owner.as_mut().map(Owner::rest),
                None => None,
            },
            false => None,
        };
        shared.injector.rest();
        [inside, outside].contains(&Some(Rested::Partly))
    }

    /// Sleeps, for a limited time if it is to watch, by `clock`.
    fn park_asleep<P: Park>(
        &self,
        park: &mut P,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<(), ParkError> {
        let shared = &*self.handle.shared;
        let polls = self.polls.get();
        let has_worked = self.slept_at.replace(polls) != polls;
        // Ordering: Relaxed. Who is driven from now on sees this sleeper, or is seen: the lock of the sleepers
        // orders it.
        let driven = shared.free.load(Relaxed);
        let works = has_worked || shared.idle.sleeping() < driven;
        let Some(clock) = clock.filter(|_| works) else {
            return self.park(park, Until::Woken);
        };
        match shared.watches.take() {
            Some((_watch, time)) => self.park(park, Until::At(clock.now() + time)),
            None => self.park(park, Until::Woken),
        }
    }

    /// Lets `park` sleep or look, and tells the others if that woke more than one task.
    pub(in crate::pool) fn park<P: Park>(
        &self,
        park: &mut P,
        until: Until,
    ) -> Result<(), ParkError> {
        self.at.set(At::Park);
        let away = Away(self);
        let parked = park.park(until);
        drop(away);
        if self.has_more_than_one() {
            self.share();
        }
        parked
    }

    pub(in crate::pool) fn is_blocking(&self) -> bool {
        self.at.get() == At::Blocking
    }

    /// Leaves its tasks to the others for the time being. False if there is no other.
    #[must_use]
    pub(in crate::pool) fn begin_to_block(&self) -> bool {
        let shared = &self.handle.shared;
        let others = |free: usize| free.checked_sub(1).filter(|&others| others > 0);
        // Ordering: Relaxed, only the number counts.
        let left = shared.free.fetch_update(Relaxed, Relaxed, others);
        if left.is_ok() {
            self.at.set(At::Blocking);
            self.offer_all();
        }
        left.is_ok()
    }

    pub(in crate::pool) fn end_to_block(&self) {
        self.at.set(At::Tasks);
        // Ordering: Relaxed, as in `begin_to_block`.
        self.handle.shared.free.fetch_add(1, Relaxed);
        // The poll goes on, and while this one did not work the others need not have watched.
        self.handle.shared.idle.rise();
        self.be_watched();
    }

    /// From now on it is driven, and its sleep ended so; or it is not.
    pub(in crate::pool) fn set_unpark(&self, unpark: Option<Waker>) {
        let (unpark, free) = (unpark.map(std::sync::Arc::new), &self.handle.shared.free);
        let is_driven = unpark.is_some();
        let former = std::mem::replace(&mut *self.seat().unpark.lock(), unpark);
        // Ordering: Relaxed, as in `begin_to_block`.
        match (former.is_some(), is_driven) {
            (false, true) => free.fetch_add(1, Relaxed),
            (true, false) => free.fetch_sub(1, Relaxed),
            _ => 0,
        };
        pirn_core::wake::discard(former.and_then(std::sync::Arc::into_inner));
    }

    /// Is no longer driven: what it has is the others'.
    pub(in crate::pool) fn leave(&self) {
        self.set_unpark(None);
        let mut last = false;
        while !last {
            self.stop_searching();
            self.offer_all();
            // Ordering: pairs with the one in `shut`: what was spawned here before is seen there, or
            // the gate here. That in `notify` was before the code of users that it may have called.
            fence(SeqCst);
            // What the gate asks for, and the code of users that was called above, may wake tasks.
            last = !self.heed_gate() && !self.local.has_slot();
        }
    }

    /// Is gone: what it has goes to the others. `resting`: it counts as asleep.
    pub(in crate::pool) fn retire(&self, resting: bool) {
        self.set_unpark(None);
        if resting {
            self.get_up();
        }
        let tasks: Vec<_> = std::iter::from_fn(|| self.local.pop())
            .chain(self.local.take_slot())
            .collect();
        let shared = &self.handle.shared;
        shared.injector.push(tasks);
        self.stop_searching();
        shared.unpark(shared.idle.notify());
        self.heed_gate();
        let owner = self.owner.take();
        owner.into_iter().for_each(Owner::retire);
    }

    /// Offers all that it has to the others, and wakes one.
    fn offer_all(&self) {
        let slot = self.local.take_slot();
        slot.into_iter().for_each(|task| self.push(task));
        // Even if it has nothing: it may have been the one who looked after a shared driver.
        self.share();
    }
}

/// A worker counts as asleep until this is dropped, also by a `Park` that panics.
struct Asleep<'a>(&'a Core);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let seat = self.0.seat();
        // Ordering: Relaxed, at worst one unpark too many.
        seat.parked.store(false, Relaxed);
        // Ordering: Relaxed, as above.
        seat.can_watch.store(false, Relaxed);
        self.0.get_up();
    }
}

/// A worker is in its `Park` until this is dropped.
struct Away<'a>(&'a Core);

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.at.set(At::Tasks);
    }
}
