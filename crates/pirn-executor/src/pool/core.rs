//! A worker's own part: its queues, what it takes next, and from where.

mod lanes;
mod sleep;
mod watch;

use super::deque::{CAPACITY, Local};
use super::spin::Spin;
use super::{PoolHandle, Seat, Shared};
use crate::PARK_INTERVAL;
use crate::current::{Current, Enter};
use crate::gate::Gate;
use crate::priority::Turns;
use crate::task::{Heap, Owner, Runnable, Task, TaskInfo, Vacant};
use pirn_core::shim::Arc;
use pirn_core::{Priority, Refused, TaskMeta};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::Ordering::{Relaxed, Release};

/// How many tasks from the slot run in a row, before one from the ring does.
pub(super) const SLOT_RUNS: u32 = 3;

/// How many tasks from the ring run before the next one from the slot, after one from there that
/// woke nobody: to hurry it brought nothing. So a task that awaits many others is polled once for
/// some of them, and not for each.
pub(super) const SLOT_REST: u32 = 16;

/// In `slot_rest`: the poll of a task from the slot is going on.
const SLOT_POLL: u32 = 1 << 31;

/// The worker's own part, on the thread that drives it. Nothing in it runs code of the user's.
pub(crate) struct Core {
    handle: PoolHandle,
    index: usize,
    local: Local<Runnable>,
    /// Polls, in all.
    polls: Cell<u64>,
    /// After so many polls it is the turn of what comes from outside.
    outside_from: Cell<u64>,
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
    turns: Turns,
    /// A lane may have a task of which nobody else was told, since this worker takes from it next.
    lane_untold: Cell<bool>,
    /// The polls at its last sleep.
    slept_at: Cell<u64>,
    /// It has not slept, since there is more of what it does as it rests.
    rests: Cell<bool>,
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

impl Core {
    pub(super) fn new(handle: PoolHandle, index: usize, local: Local<Runnable>) -> Self {
        let seen = vec![u64::MAX; handle.shared.seats.len()];
        let owner = Owner::new(handle.shared.clone(), |s| &s.seats[index].heap, 0);
        Core {
            handle,
            index,
            local,
            polls: Cell::new(0),
            outside_from: Cell::new(0),
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
            turns: Turns::default(),
            lane_untold: Cell::new(false),
            slept_at: Cell::new(0),
            rests: Cell::new(false),
        }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// True if it is a worker of this pool.
    #[inline]
    pub(super) fn is_of(&self, shared: &Shared) -> bool {
        std::ptr::eq(&*self.handle.shared, shared)
    }

    /// Spawns a task for which there was no slot `vacant`: see [`Shared::spawn_otherwise`].
    pub(crate) fn spawn_otherwise<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Shared::spawn_otherwise(&self.handle.shared, meta, future)
    }

    /// What is known of the executor's tasks.
    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        self.handle.tasks()
    }

    /// A slot for a task of `F`, which is to be spawned in it at once. `None` if that is not the whole
    /// of it: see `Shared::spawn_otherwise`.
    #[inline]
    pub(crate) fn vacant_for<F: Future>(&self, meta: &TaskMeta) -> Option<Vacant<Shared>> {
        let open = self.handle.shared.gate() == Gate::Open;
        (open && meta.priority() == Priority::Normal).then(|| self.take::<F>())
    }

    /// As [`vacant_for`](Self::vacant_for), also if there are hooks to be told, or it has a priority; or says
    /// why not.
    pub(super) fn vacant_or_refuse<F: Future>(&self) -> Result<Vacant<Shared>, &'static str> {
        match self.handle.shared.gate().refusal() {
            None => Ok(self.take::<F>()),
            Some(reason) => Err(reason),
        }
    }

    #[inline]
    fn take<F: Future>(&self) -> Vacant<Shared> {
        let spawned = &self.seat().spawned;
        // Ordering: Relaxed, only this worker writes it; see `Shared::live`.
        spawned.store(spawned.load(Relaxed) + 1, Relaxed);
        let mut owner = self.owner.borrow_mut();
        let owner = owner
            .as_mut()
            .expect("a worker that is driven has its heap");
        owner.vacant::<F>()
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
    pub(super) fn heed_gate(&self) -> bool {
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
    pub(super) fn tell(&self) {
        if self.owes_news() || self.lane_untold.get() {
            self.share();
        }
    }

    /// Wakes another worker for what there is.
    #[cold]
    fn share(&self) {
        self.untold.set(false);
        self.lane_untold.set(false);
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
    pub(super) fn run(&self, task: Runnable) {
        self.stop_searching();
        let polls = self.polls.get() + 1;
        self.polls.set(polls);
        // Ordering: Relaxed, a statistic, and a hint for `steal`.
        self.seat().polls.store(polls, Relaxed);
        task.run();
    }

    /// True if the thread is at the tasks of this pool.
    pub(super) fn polls_for(&self, shared: &Shared) -> bool {
        self.is_of(shared) && self.at.get() != At::Park
    }

    /// Runs a task that was just made, within the poll that made it: that one's turn goes on.
    pub(super) fn run_eagerly(self: Rc<Self>, task: Runnable) {
        let _current = Enter::new(Current::Worker(self.clone()));
        task.run();
        // If it goes on at once, it waits for the rest of that poll, which may be long.
        self.tell();
    }

    /// Takes the next task, from wherever there is one.
    #[inline]
    pub(super) fn next(&self) -> Option<Runnable> {
        self.heed_gate();
        match self.handle.shared.lanes.is_empty() {
            true => self.next_plain().or_else(|| self.steal()),
            false => self.next_beside_lanes(),
        }
    }

    /// Takes the next task of its own, or from outside.
    #[inline]
    fn next_plain(&self) -> Option<Runnable> {
        let polls = self.polls.get();
        // Not at every so many polls: one of those may be a lane's, time and again.
        let outside_first = polls >= self.outside_from.get();
        if outside_first {
            self.outside_from.set(polls + u64::from(PARK_INTERVAL));
        }
        outside_first
            .then(|| self.take_outside())
            .flatten()
            .or_else(|| self.next_own())
            .or_else(|| self.take_outside())
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

    /// Xorshift: which victim is tried first.
    fn random(&self) -> u32 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }
}
