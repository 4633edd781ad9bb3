//! One worker of a pool: what a thread does.

use super::deque::{CAPACITY, Local};
use super::idle::Woken;
use super::spin::Spin;
use super::{PoolHandle, Seat, Shared};
use crate::PARK_INTERVAL;
use crate::current::{Current, Enter};
use crate::gate::Gate;
use crate::task::{Heap, Owner, Runnable, Vacant};
use crate::unparker::Unparker;
use pirn_core::shim::atomic::{AtomicBool, fence};
use pirn_core::shim::{Arc, hint};
use pirn_core::{Instant, Monotonic, Park, ParkError, TimeSource, Until, budget, context};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How many tasks from the slot run in a row, before one from the ring does.
pub(super) const SLOT_RUNS: u32 = 3;

/// How many tasks from the ring run before the next one from the slot, after one from there that
/// woke nobody: to hurry it brought nothing. So a task that awaits many others is polled once for
/// some of them, and not for each.
pub(super) const SLOT_REST: u32 = 16;

/// In `slot_rest`: the poll of a task from the slot is going on.
const SLOT_POLL: u32 = 1 << 31;

/// How often a sleeper looks whether a task is stuck in the slot of a worker whose poll takes long.
const LOOK_AT_SLOTS: Duration = Duration::from_millis(5);

/// How often a worker that looks on before it sleeps does so between two looks at the time.
const LOOKS: u32 = 8;

/// A worker of a [`PoolExecutor`](crate::PoolExecutor), to be driven by a thread of the caller's.
///
/// [`run`](Self::run) gives it the thread and a [`Park`] to sleep on; [`poll_tick`](Self::poll_tick)
/// and [`try_tick`](Self::try_tick) let a foreign loop drive it step by step. A worker that is not
/// driven does nothing, but the others take what it has. Dropping it leaves its tasks to them.
///
/// # Examples
///
/// ```
/// use pirn_executor::{PoolExecutor, ThreadPark};
///
/// let (executor, mut workers) = PoolExecutor::new(1);
/// let task = executor.handle().spawn(async { "done" });
/// assert_eq!(workers[0].run(&mut ThreadPark::new(), task)?.unwrap(), "done");
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct Worker {
    /// Absent only while it is driven: then it is the thread's current executor.
    core: Option<Core>,
    /// A foreign loop was told that there is nothing to do, and the worker counts as asleep.
    resting: bool,
}

/// The worker's own part, on the thread that drives it. Nothing in it runs code of the user's.
pub(crate) struct Core {
    handle: PoolHandle,
    index: usize,
    local: Local<Runnable>,
    /// Polls, in all.
    polls: Cell<u64>,
    slot_runs: Cell<u32>,
    /// How many tasks from the ring go before the slot.
    slot_rest: Cell<u32>,
    searching: Cell<bool>,
    at: Cell<At>,
    /// The ring got a task of which nobody else was told: it was the only one, and so the next.
    untold: Cell<bool>,
    spin: Spin,
    random: Cell<u32>,
    /// The others' polls at the last search. A worker whose count is the same is in a long one.
    seen: RefCell<Vec<u64>>,
    /// For what is taken from the injector.
    batch: RefCell<Vec<Runnable>>,
    /// Of the seat's heap, until the worker is dropped.
    owner: RefCell<Option<Owner<Shared>>>,
    /// The gate, as its heap has obeyed it.
    gate: Cell<Gate>,
}

/// What the thread is at, for what is woken there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Its tasks: the one woken last goes to the slot.
    Tasks,
    /// Its `Park`: all go to the ring, and the others are told at the end.
    Park,
    /// Something that blocks: all go to the ring, and the others are told of each.
    Blocking,
}

impl Worker {
    pub(super) fn new(handle: PoolHandle, index: usize, local: Local<Runnable>) -> Self {
        let seen = vec![u64::MAX; handle.shared.seats.len()];
        let owner = Owner::new(handle.shared.clone(), |s| &s.seats[index].heap, 0);
        let core = Core {
            handle,
            index,
            local,
            polls: Cell::new(0),
            slot_runs: Cell::new(0),
            slot_rest: Cell::new(0),
            searching: Cell::new(false),
            at: Cell::new(At::Tasks),
            untold: Cell::new(false),
            spin: Spin::default(),
            random: Cell::new(index as u32 + 1),
            seen: RefCell::new(seen),
            batch: RefCell::default(),
            owner: RefCell::new(Some(owner)),
            gate: Cell::new(Gate::Open),
        };
        Worker {
            core: Some(core),
            resting: false,
        }
    }

    /// Runs tasks until `until` is ready, and gives its output; sleeps on `park` when there is
    /// nothing to run. Under load it looks at `park` after every
    /// [`PARK_INTERVAL`](crate::PARK_INTERVAL) polls.
    ///
    /// `until` is polled here, not as a task: it may borrow. A thread that lives for its worker
    /// runs it for [`PoolHandle::closed`](crate::PoolHandle::closed).
    ///
    /// # Errors
    ///
    /// When `park` fails.
    ///
    /// # Panics
    ///
    /// If `until` panics. Panics of tasks stay with their handles.
    pub fn run<P: Park, F: Future>(
        &mut self,
        park: &mut P,
        until: F,
    ) -> Result<F::Output, ParkError> {
        let driven = self.drive(Unparker::waker(park));
        let core = &*driven.core;
        let root = std::sync::Arc::new(Root {
            shared: core.handle.shared.clone(),
            worker: core.index,
            woken: AtomicBool::new(true),
        });
        let waker = Waker::from(root.clone());
        let mut cx = Context::from_waker(&waker);
        let mut until = pin!(until);
        let mut left = PARK_INTERVAL;
        loop {
            // Turn by turn, so that neither can starve the other.
            let woken = root.take();
            if woken {
                // That poll may take long: neither who relies on this search nor the task that
                // would be next must wait for it.
                core.stop_searching();
                core.tell();
                let _refilled = budget::refill();
                let polled = context::isolate(|| until.as_mut().poll(&mut cx));
                if let Poll::Ready(output) = polled {
                    return Ok(output);
                }
            }
            match core.next() {
                Some(task) => core.run(task),
                None if woken => {}
                None => {
                    left = PARK_INTERVAL;
                    if !core.look_on(park, &root)? {
                        core.sleep(park, &root)?;
                    }
                    continue;
                }
            }
            left -= 1;
            if left == 0 {
                left = PARK_INTERVAL;
                core.park(park, Until::Now)?;
            }
        }
    }

    /// Runs one task that is ready. False if there was none.
    ///
    /// For loops that need no wake-up: tests, or one that comes round anyway.
    pub fn try_tick(&mut self) -> bool {
        let driven = self.drive(Waker::noop().clone());
        let next = driven.core.next();
        driven.core.stop_searching();
        let ran = next.is_some();
        if let Some(task) = next {
            driven.core.run(task);
        }
        ran
    }

    /// Runs up to [`PARK_INTERVAL`](crate::PARK_INTERVAL) tasks that are ready: one step of a
    /// foreign loop.
    ///
    /// Ready if there may be more. Pending if there is none: `cx` is woken when there is. Then it is
    /// to be polled soon: until it is, or is dropped, the other workers rely on it to look for work.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::PoolExecutor;
    /// use std::task::{Context, Waker};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(workers[0].poll_tick(&mut cx).is_pending());
    /// let task = executor.handle().spawn(async {});
    /// assert!(workers[0].poll_tick(&mut cx).is_ready());
    /// assert!(task.is_finished());
    /// ```
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut driven = self.drive(cx.waker().clone());
        let core = &*driven.core;
        let mut ran = 0;
        while ran < PARK_INTERVAL {
            let Some(task) = core.next() else { break };
            core.run(task);
            ran += 1;
        }
        if ran > 0 {
            core.stop_searching();
            return Poll::Ready(());
        }
        core.lie_down();
        if core.handle.shared.has_work() || core.heed_gate() {
            core.get_up();
            core.stop_searching();
            return Poll::Ready(());
        }
        driven.rests = true;
        drop(driven);
        self.resting = true;
        Poll::Pending
    }

    /// Makes the worker the thread's current executor, whose sleep `unpark` ends.
    fn drive(&mut self, unpark: Waker) -> Driven<'_> {
        let core = self
            .core
            .take()
            .expect("a worker is driven by one at a time");
        let core = Rc::new(core);
        core.set_unpark(Some(unpark));
        if std::mem::take(&mut self.resting) {
            core.get_up();
        }
        Driven {
            _enter: Enter::new(Current::Worker(core.clone())),
            core: Lent {
                core: Some(core),
                place: &mut self.core,
            },
            rests: false,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(core) = &self.core else { return };
        core.set_unpark(None);
        if self.resting {
            core.get_up();
        }
        let tasks: Vec<_> = std::iter::from_fn(|| core.local.pop())
            .chain(core.local.take_slot())
            .collect();
        let shared = &core.handle.shared;
        shared.injector.push(tasks);
        core.stop_searching();
        shared.unpark(shared.idle.notify());
        core.heed_gate();
        let owner = core.owner.take();
        owner.into_iter().for_each(Owner::retire);
    }
}

/// A worker that is being driven, until this is dropped.
struct Driven<'a> {
    _enter: Enter,
    core: Lent<'a>,
    rests: bool,
}

/// The core, which goes back to its place. Dropped after `Enter`, which shares it.
struct Lent<'a> {
    core: Option<Rc<Core>>,
    place: &'a mut Option<Core>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = Core;
    fn deref(&self) -> &Core {
        self.core.as_ref().expect("present until the drop")
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        if !self.rests {
            self.core.leave();
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.place = self.core.take().and_then(Rc::into_inner);
    }
}

impl Core {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// True if it is a worker of this pool.
    #[inline]
    pub(super) fn is_of(&self, shared: &Shared) -> bool {
        std::ptr::eq(&*self.handle.shared, shared)
    }

    /// A slot for a task of `F`, which is to be spawned in it at once.
    #[inline]
    pub(crate) fn vacant<F: Future>(&self) -> Result<Vacant<Shared>, &'static str> {
        if let Some(reason) = self.handle.shared.gate().refusal() {
            return Err(reason);
        }
        let spawned = &self.seat().spawned;
        // Ordering: Relaxed, only this worker writes it; see `Shared::live`.
        spawned.store(spawned.load(Relaxed) + 1, Relaxed);
        let mut owner = self.owner.borrow_mut();
        let owner = owner
            .as_mut()
            .expect("a worker that is driven has its heap");
        Ok(owner.vacant::<F>())
    }

    /// A task has ended on this worker.
    #[inline]
    pub(super) fn count_end(&self) {
        let ended = &self.seat().ended;
        // Ordering: Relaxed, only this worker writes it. Release, see `Shared::live`.
        ended.store(ended.load(Relaxed) + 1, Release);
    }

    #[inline]
    pub(super) fn with_owner<R>(
        &self,
        heap: &Heap,
        f: impl FnOnce(&mut Owner<Shared>) -> R,
    ) -> Option<R> {
        if !std::ptr::eq(heap, &self.seat().heap) {
            return None;
        }
        self.owner.borrow_mut().as_mut().map(f)
    }

    /// Has the worker's heap obey the gate, if that has changed. True if it has.
    #[inline]
    fn heed_gate(&self) -> bool {
        let gate = self.handle.shared.gate();
        let changed = gate != self.gate.get();
        if changed {
            self.gate.set(gate);
            self.handle.shared.obey(gate, &self.seat().heap);
        }
        changed
    }

    fn seat(&self) -> &Seat {
        &self.handle.shared.seats[self.index]
    }

    /// Queues a task that was woken or spawned here. Gives the worker to be unparked for it.
    #[must_use]
    #[inline]
    pub(super) fn wake(&self, task: Runnable) -> Option<usize> {
        if self.at.get() != At::Tasks {
            return self.wake_aside(task);
        }
        if self.slot_rest.get() & SLOT_POLL != 0 {
            self.slot_rest.set(0);
        }
        // One task is for this worker itself: it takes no other one to run it.
        match self.local.swap_slot(task) {
            Some(displaced) => self.push(displaced),
            None if self.owes_news() => {}
            None => return None,
        }
        self.untold.set(false);
        self.handle.shared.idle.notify()
    }

    #[cold]
    fn wake_aside(&self, task: Runnable) -> Option<usize> {
        self.push(task);
        match self.at.get() {
            At::Blocking => self.handle.shared.idle.notify(),
            At::Park | At::Tasks => None,
        }
    }

    /// Queues a task behind all others. Gives the worker to be unparked for them.
    #[must_use]
    #[inline]
    pub(super) fn queue(&self, task: Runnable) -> Option<usize> {
        self.push(task);
        match self.has_more_than_one() {
            true => self.handle.shared.idle.notify(),
            false => None,
        }
    }

    /// Looks whether there is more than what this worker runs next, of which another is to be told;
    /// notes it if there is not.
    #[inline]
    fn has_more_than_one(&self) -> bool {
        let more = self.local.len() + usize::from(self.local.has_slot()) > 1;
        self.untold.set(!more);
        more
    }

    /// Whether the ring has a task of which nobody else was told.
    #[inline]
    fn owes_news(&self) -> bool {
        self.untold.get() && !self.local.is_empty()
    }

    /// Wakes another worker for the task of which none was told, since something goes before it.
    #[inline]
    fn tell(&self) {
        if self.owes_news() {
            self.share();
        }
    }

    /// Wakes another worker for what is in the ring.
    #[cold]
    fn share(&self) {
        self.untold.set(false);
        let shared = &self.handle.shared;
        shared.unpark(shared.idle.notify());
    }

    #[inline]
    fn push(&self, task: Runnable) {
        if let Err(half) = self.local.push(task) {
            self.overflow(half);
        }
    }

    #[cold]
    fn overflow(&self, half: Vec<Runnable>) {
        self.handle.shared.injector.push(half);
    }

    /// Runs a task that was taken.
    fn run(&self, task: Runnable) {
        self.stop_searching();
        let polls = self.polls.get() + 1;
        self.polls.set(polls);
        // Ordering: Relaxed, a statistic, and a hint for `steal`.
        self.seat().polls.store(polls, Relaxed);
        task.run();
    }

    /// Takes the next task, from wherever there is one.
    #[inline]
    fn next(&self) -> Option<Runnable> {
        self.heed_gate();
        let outside_first = self.polls.get() % u64::from(PARK_INTERVAL) == 0;
        outside_first
            .then(|| self.take_outside())
            .flatten()
            .or_else(|| self.next_own())
            .or_else(|| self.take_outside())
            .or_else(|| self.steal())
    }

    #[inline]
    fn next_own(&self) -> Option<Runnable> {
        let (runs, rest) = (self.slot_runs.get(), self.slot_rest.get());
        if runs < SLOT_RUNS && rest == 0 {
            if let Some(task) = self.local.take_slot() {
                self.slot_runs.set(runs + 1);
                // Until it wakes one.
                self.slot_rest.set(SLOT_REST | SLOT_POLL);
                return Some(task);
            }
        }
        self.slot_runs.set(0);
        self.slot_rest.set((rest & !SLOT_POLL).saturating_sub(1));
        self.local.pop().or_else(|| self.local.take_slot())
    }

    /// Takes this worker's part of the injector: gives one task, however full the ring is, and
    /// moves the others to the ring.
    #[inline]
    fn take_outside(&self) -> Option<Runnable> {
        match self.handle.shared.injector.is_empty() {
            true => None,
            false => self.take_from_injector(),
        }
    }

    #[cold]
    fn take_from_injector(&self) -> Option<Runnable> {
        let shared = &self.handle.shared;
        let mut batch = self.batch.borrow_mut();
        let limit = CAPACITY - self.local.len() + 1;
        shared.injector.take(shared.seats.len(), limit, &mut batch);
        let mut tasks = batch.drain(..);
        let first = tasks.next()?;
        if tasks.len() > 0 {
            // Whoever went to sleep meanwhile saw these tasks neither there nor here.
            self.untold.set(true);
            tasks.for_each(|task| self.push(task));
        }
        // The first runs before what is here.
        self.tell();
        Some(first)
    }

    /// Takes tasks from another worker.
    #[cold]
    fn steal(&self) -> Option<Runnable> {
        let shared = &*self.handle.shared;
        let workers = shared.seats.len();
        if workers == 1 {
            return None;
        }
        if !self.search() {
            return None;
        }
        let first = self.random() as usize;
        let others = || {
            (0..workers)
                .map(|i| first.wrapping_add(i) % workers)
                .filter(|&other| other != self.index)
        };
        let from_ring =
            others().find_map(|other| shared.seats[other].stealer.steal_into(&self.local));
        let stolen = from_ring.or_else(|| {
            let mut seen = self.seen.borrow_mut();
            others().find_map(|other| {
                let seat = &shared.seats[other];
                // Ordering: Relaxed, a hint.
                let polls = seat.polls.load(Relaxed);
                let long = std::mem::replace(&mut seen[other], polls) == polls;
                long.then(|| seat.stealer.steal_slot()).flatten()
            })
        });
        if stolen.is_some() {
            // Ordering: Relaxed, a statistic.
            self.seat().steals.fetch_add(1, Relaxed);
        }
        stolen
    }

    /// Counts as searching, unless enough others do.
    fn search(&self) -> bool {
        if !self.searching.get() {
            self.searching.set(self.handle.shared.idle.search());
        }
        self.searching.get()
    }

    /// Xorshift: which victim is tried first.
    fn random(&self) -> u32 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }

    /// No longer counts as searching, having found something.
    #[inline]
    fn stop_searching(&self) {
        if self.searching.replace(false) {
            let shared = &self.handle.shared;
            shared.unpark(shared.idle.found(|| shared.has_work()));
        }
    }

    /// Counts as asleep. `has_work` must be looked at after this.
    fn lie_down(&self) {
        let searching = self.searching.replace(false);
        self.handle.shared.idle.sleep(self.index, searching);
    }

    /// Counts as awake.
    fn get_up(&self) {
        match self.handle.shared.idle.woken(self.index) {
            Woken::ForWork => self.searching.set(true),
            Woken::Otherwise => {}
        }
    }

    /// Goes on looking for a moment, if that has paid of late. True if there is something to do.
    ///
    /// It counts as searching, so that nobody need wake it.
    #[cold]
    fn look_on<P: Park>(&self, park: &mut P, root: &Root) -> Result<bool, ParkError> {
        let shared = &*self.handle.shared;
        // Ordering: Relaxed, a setting.
        let limit = Duration::from_nanos(shared.spin.load(Relaxed));
        if limit.is_zero() || !self.spin.is_worth_it() || !self.search() {
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
    fn sleep<P: Park>(&self, park: &mut P, root: &Root) -> Result<(), ParkError> {
        let (shared, seat) = (&*self.handle.shared, self.seat());
        // Ordering: Relaxed, the fence in `lie_down` orders it before the look at `root`, against
        // `Root::wake_by_ref`.
        seat.parked.store(true, Relaxed);
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
        // Ordering: Relaxed, a statistic.
        seat.parks.fetch_add(1, Relaxed);
        self.park_asleep(park)
    }

    /// Sleeps, for a limited time if it is the one sleeper that looks after the slots.
    fn park_asleep<P: Park>(&self, park: &mut P) -> Result<(), ParkError> {
        let shared = &*self.handle.shared;
        let someone_works = shared.idle.sleeping() < shared.seats.len();
        let clock = match someone_works {
            true => context::clock().ok(),
            false => None,
        };
        let Some(clock) = clock else {
            return self.park(park, Until::Woken);
        };
        match Claimed::take(&shared.sentinel) {
            Some(_sentinel) => self.park(park, Until::At(clock.now() + LOOK_AT_SLOTS)),
            None => self.park(park, Until::Woken),
        }
    }

    /// Lets `park` sleep or look, and tells the others if that woke more than one task.
    fn park<P: Park>(&self, park: &mut P, until: Until) -> Result<(), ParkError> {
        self.at.set(At::Park);
        let away = Away(self);
        let parked = park.park(until);
        drop(away);
        if self.has_more_than_one() {
            self.share();
        }
        parked
    }

    pub(super) fn is_blocking(&self) -> bool {
        self.at.get() == At::Blocking
    }

    /// Leaves its tasks to the others for the time being. False if there is no other.
    #[must_use]
    pub(super) fn begin_to_block(&self) -> bool {
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

    pub(super) fn end_to_block(&self) {
        self.at.set(At::Tasks);
        // Ordering: Relaxed, as in `begin_to_block`.
        self.handle.shared.free.fetch_add(1, Relaxed);
    }

    /// From now on it is driven, and its sleep ended so; or it is not.
    fn set_unpark(&self, unpark: Option<Waker>) {
        let (unpark, free) = (unpark.map(std::sync::Arc::new), &self.handle.shared.free);
        let is_driven = unpark.is_some();
        let former = std::mem::replace(&mut *self.seat().unpark.lock(), unpark);
        // Ordering: Relaxed, as in `begin_to_block`.
        match (former.is_some(), is_driven) {
            (false, true) => free.fetch_add(1, Relaxed),
            (true, false) => free.fetch_sub(1, Relaxed),
            _ => 0,
        };
        drop(former);
    }

    /// Is no longer driven: what it has is the others'.
    fn leave(&self) {
        self.set_unpark(None);
        let mut last = false;
        while !last {
            self.stop_searching();
            last = !self.offer_all();
            // Ordering: pairs with the one in `shut`: what was spawned here before is seen there, or
            // the gate here.
            fence(SeqCst);
            // What the gate asks for, and the code of users that is called above, may wake tasks.
            last &= !self.heed_gate();
        }
    }

    /// Offers all that it has to the others, and wakes one. True if the slot had a task.
    fn offer_all(&self) -> bool {
        let slot = self.local.take_slot();
        let had_one = slot.is_some();
        slot.into_iter().for_each(|task| self.push(task));
        // Even if it has nothing: it may have been the one who looked after a shared driver.
        self.share();
        had_one
    }
}

/// A worker counts as asleep until this is dropped, also by a `Park` that panics.
struct Asleep<'a>(&'a Core);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        // Ordering: Relaxed, at worst one unpark too many.
        self.0.seat().parked.store(false, Relaxed);
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

/// What one worker at a time does, until this is dropped.
struct Claimed<'a>(&'a AtomicBool);

impl<'a> Claimed<'a> {
    fn take(flag: &'a AtomicBool) -> Option<Self> {
        // Ordering: Relaxed, nothing but which worker it is depends on it.
        let free = !flag.swap(true, Relaxed);
        free.then_some(Claimed(flag))
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        // Ordering: Relaxed, as above.
        self.0.store(false, Relaxed);
    }
}

/// The waker of what `run` waits for.
struct Root {
    shared: Arc<Shared>,
    worker: usize,
    woken: AtomicBool,
}

impl Root {
    fn is_woken(&self) -> bool {
        // Ordering: Relaxed, a guess; before a sleep, the fence in `lie_down` orders it against
        // the one in `wake_by_ref`.
        self.woken.load(Relaxed)
    }

    /// Takes the wake, if there was one.
    fn take(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `wake_by_ref`: what the waker's thread wrote
        // is visible. It publishes nothing.
        self.is_woken() && self.woken.swap(false, Acquire)
    }
}

impl Wake for Root {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `take`; publishes what this thread wrote.
        if self.woken.swap(true, Release) {
            return;
        }
        // Ordering: pairs with the fence in `Idle::sleep`: either the sleeper sees the wake, or
        // this sees that it sleeps.
        fence(SeqCst);
        // Ordering: Relaxed, the fences order it.
        if self.shared.seats[self.worker].parked.load(Relaxed) {
            self.shared.unpark(Some(self.worker));
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
