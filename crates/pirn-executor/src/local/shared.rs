//! What a current-thread executor shares: its own part, and what other threads may touch.

use super::lanes::Lanes;
use super::order::Chooser;
use crate::bound::Bound;
use crate::gate::Gate;
use crate::hooks::{Ended, Hooks, tell};
use crate::priority::Lane;
use crate::room;
use crate::task::{
    Heap, Owner, Rested, Root, Runnable, Schedule, Sent, Side, Spawned, Task, TaskId, TaskInfo,
    Vacant,
};
use pirn_core::shim::atomic::AtomicBool;
use pirn_core::shim::{Arc, Mutex, choose};
use pirn_core::wake::wake;
use pirn_core::{Refused, TaskMeta};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

pub(crate) struct Shared {
    pub(super) own: Bound<Own>,
    /// The tasks that were spawned on the executor's thread.
    pub(super) heap: Heap,
    /// Those that were spawned elsewhere.
    outside: Heap,
    remote: Mutex<Remote>,
    /// True while something is in the remote queue. Kept beside the lock, so that a look costs no
    /// lock; the look before a sleep is under the lock.
    remote_ready: AtomicBool,
    side: Side,
    /// There if the gate was `Told` at first.
    hooks: Option<std::sync::Arc<dyn Hooks>>,
}

/// The executor's own part. Nothing of the user's runs while any of it is borrowed.
pub(super) struct Own {
    queue: RefCell<VecDeque<Runnable>>,
    /// Of tasks that are more or less urgent than those in the queue.
    lanes: Lanes,
    order: RefCell<Chooser>,
    pub(super) polls: Cell<u64>,
    /// Cells that came from other threads, and are still to be settled.
    arrived: RefCell<VecDeque<Sent>>,
    /// Tasks that have not ended.
    pub(super) live: Cell<usize>,
    gate: Cell<Gate>,
    /// The queues of what comes from other threads give room back that was not needed for a while.
    gives_room: Cell<bool>,
    /// A foreign loop was told that there is nothing to do: a wake must tell it otherwise.
    idle: Cell<bool>,
    /// Woken when the last task has ended.
    drained: Cell<Option<Waker>>,
    /// Until the executor is gone.
    owner: RefCell<Option<Owner<Shared>>>,
}

/// What other threads may touch.
struct Remote {
    queue: VecDeque<Sent>,
    gate: Gate,
    /// Wakes whoever drives the executor. There while that one sleeps, or is about to.
    sleeper: Option<Waker>,
    /// Until the executor is gone. Then nothing is sent to it any more.
    owner: Option<Owner<Shared>>,
}

/// A task that is told of. In a box, so that not every future is compiled for both kinds of tasks.
type Told<T> = Pin<Box<dyn Future<Output = T>>>;

/// So many cells that came from other threads are settled in one turn, at most. If each is a miss of the
/// cache, and does no more than queue its task, that is some 70 µs.
const ARRIVALS: usize = choose(512, 1);

const GONE: &str = "an executor that is not gone has its heaps";

impl Shared {
    pub(super) fn new(order: Chooser, hooks: Option<std::sync::Arc<dyn Hooks>>) -> Arc<Shared> {
        let gate = match hooks {
            None => Gate::Open,
            Some(_) => Gate::Told,
        };
        let own = Own {
            queue: RefCell::default(),
            lanes: Lanes::default(),
            arrived: RefCell::default(),
            order: RefCell::new(order),
            polls: Cell::new(0),
            live: Cell::new(0),
            gate: Cell::new(gate),
            gives_room: Cell::new(false),
            idle: Cell::new(false),
            drained: Cell::new(None),
            owner: RefCell::new(None),
        };
        let remote = Remote {
            queue: VecDeque::new(),
            gate,
            sleeper: None,
            owner: None,
        };
        let shared = Arc::new(Shared {
            own: Bound::new(own),
            heap: Heap::new(),
            outside: Heap::new(),
            remote: Mutex::new(remote),
            remote_ready: AtomicBool::new(false),
            side: Side::default(),
            hooks,
        });
        let home = shared.own.owner();
        let owner = Owner::new(shared.clone(), |shared| &shared.heap, home);
        *shared.own().owner.borrow_mut() = Some(owner);
        let owner = Owner::new(shared.clone(), |shared| &shared.outside, home);
        shared.remote.lock().owner = Some(owner);
        shared
    }

    /// The own part, for the executor itself, which never leaves its thread.
    #[inline]
    pub(super) fn own(&self) -> &Own {
        self.own.get().expect("the executor is on its own thread")
    }

    /// A slot for a task of `F`, which is to be spawned in it at once, on the executor's thread. `None`
    /// if that is not the whole of it: see `make`.
    #[inline]
    pub(super) fn vacant<F: Future>(&self, own: &Own) -> Option<Vacant<Shared>> {
        (own.gate.get() == Gate::Open).then(|| self.take::<F>(own))
    }

    #[inline]
    fn take<F: Future>(&self, own: &Own) -> Vacant<Shared> {
        own.live.set(own.live.get() + 1);
        own.owner.borrow_mut().as_mut().expect(GONE).vacant::<F>()
    }

    /// Makes a task on the executor's thread, which is to be queued or run, and tells the hooks of it,
    /// if there are any; or says why not.
    pub(super) fn make<F>(
        &self,
        own: &Own,
        meta: TaskMeta,
        future: F,
    ) -> Result<Spawned<F::Output>, Refused<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if let Some(reason) = own.refusal() {
            return Err(Refused::new(reason, future));
        }
        if own.gate.get() == Gate::Open {
            return Ok(self.take::<F>(own).fill_as(&meta, future));
        }
        let id = self.tell_spawned(&meta);
        if let Some(reason) = own.refusal() {
            return Err(self.refuse_told(id, reason, future));
        }
        let vacant = self.take::<Told<F::Output>>(own);
        Ok(vacant.fill_told::<Told<F::Output>>(id, &meta, Box::pin(future)))
    }

    pub(super) fn spawn_elsewhere<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut remote = self.remote.lock();
        if let Some(reason) = remote.gate.refusal() {
            return Err(Refused::new(reason, future));
        }
        let spawned = if remote.gate == Gate::Told {
            drop(remote);
            let id = self.tell_spawned(&meta);
            remote = self.remote.lock();
            if let Some(reason) = remote.gate.refusal() {
                drop(remote);
                return Err(self.refuse_told(id, reason, future));
            }
            let vacant = remote.vacant::<Told<F::Output>>();
            vacant.fill_told::<Told<F::Output>>(id, &meta, Box::pin(future))
        } else {
            remote.vacant::<F>().fill_as(&meta, future)
        };
        let sleeper = self.push_remote(&mut remote, Sent::born(spawned.runnable));
        drop(remote);
        sleeper.into_iter().for_each(wake);
        Ok(spawned.task)
    }

    fn tell_spawned(&self, meta: &TaskMeta) -> TaskId {
        let id = TaskId::next();
        self.tell(|hooks| hooks.spawned(id, meta));
        id
    }

    /// Refuses a task that was told of: the gate was shut meanwhile.
    fn refuse_told<F>(&self, id: TaskId, reason: &'static str, future: F) -> Refused<F> {
        self.tell(|hooks| hooks.ended(id, Ended::Cancelled));
        Refused::new(reason, future)
    }

    fn tell(&self, call: impl FnOnce(&dyn Hooks)) {
        if let Some(hooks) = &self.hooks {
            tell(&**hooks, call);
        }
    }

    /// What a `run` waits for, and its waker.
    pub(super) fn root(&self) -> (Root<Shared>, Waker) {
        Root::new(self.own().owner.borrow_mut().as_mut().expect(GONE))
    }

    /// Runs the next task of the queue. False if there is none.
    #[inline]
    pub(super) fn run_one(&self) -> bool {
        match self.own().pop() {
            Some(task) => {
                self.run(task);
                true
            }
            None => false,
        }
    }

    /// Runs a task, on the executor's thread.
    #[inline]
    pub(super) fn run(&self, task: Runnable) {
        let polls = &self.own().polls;
        let is_task = task.run();
        polls.set(polls.get() + u64::from(is_task));
    }

    /// Does what other threads asked for, or a part of that, in the order in which they did. To be
    /// called at each turn. True if there may be more.
    #[inline]
    pub(super) fn take_remote(&self) -> bool {
        // Ordering: Relaxed, a hint: what it misses now, the next turn or the look before the
        // sleep finds.
        self.remote_ready.load(Relaxed) && self.take_arrivals(ARRIVALS)
    }

    /// Does all that other threads have asked for.
    pub(super) fn take_remote_now(&self) {
        let _none = self.take_arrivals(usize::MAX);
    }

    /// Settles what has come from other threads, so many cells at most. True if there may be more.
    #[cold]
    fn take_arrivals(&self, most: usize) -> bool {
        // Those that an earlier turn left.
        let mut left = self.settle(most);
        if left > 0 {
            let mut remote = self.remote.lock();
            // Ordering: Relaxed, written under the lock. While one of several is settled, a destructor
            // that drives the executor finds the others by it.
            self.remote_ready.store(remote.queue.len() > 1, Relaxed);
            std::mem::swap(&mut *self.own().arrived.borrow_mut(), &mut remote.queue);
            drop(remote);
            left = self.settle(left);
        }
        if left == 0 {
            // Ordering: Relaxed, a hint, for this thread's own next turn.
            self.remote_ready.store(true, Relaxed);
        }
        left == 0
    }

    /// Settles what has arrived, so many cells at most. How many more it might have been: if any, then
    /// nothing is left.
    fn settle(&self, most: usize) -> usize {
        let arrived = &self.own().arrived;
        // One by one: destructors may run in between, which may drive the executor.
        for settled in 0..most {
            let next = arrived.borrow_mut().pop_front();
            match next {
                Some(cell) => cell.settle(),
                None => return most - settled,
            }
        }
        0
    }

    /// Puts a cell into the remote queue. Gives the waker of a driver that sleeps, to be woken
    /// after unlocking.
    #[must_use]
    fn push_remote(&self, remote: &mut Remote, cell: Sent) -> Option<Waker> {
        remote.queue.push_back(cell);
        // Ordering: Relaxed, a hint; written under the lock.
        self.remote_ready.store(true, Relaxed);
        remote.sleeper.take()
    }

    /// Takes back what `fall_asleep` or `fall_idle` announced.
    pub(super) fn wake_up(&self) -> Option<Waker> {
        self.remote.lock().sleeper.take()
    }

    /// Gives memory back that was not needed for a while, or does a part of that. To be called when
    /// there is nothing to do. True if there is more: then it is to be called again soon, after a
    /// look at all else.
    #[must_use]
    fn rest(&self) -> bool {
        let own = self.own();
        if own.gives_room.get() && self.give_room() {
            return true;
        }
        let rest = |owner: &mut Option<Owner<Shared>>| match owner {
            Some(owner) => owner.rest(),
            None => Rested::Wholly,
        };
        let inside = rest(&mut own.owner.borrow_mut());
        let outside = match self.outside.is_large() {
            true => rest(&mut self.remote.lock().owner),
            false => Rested::Wholly,
        };
        let rested = [inside, outside];
        if rested.contains(&Rested::Gave) {
            // From the next rest on, since this one gave enough.
            own.gives_room.set(true);
            return true;
        }
        if rested.contains(&Rested::Partly) {
            return true;
        }
        // The rest of it next time.
        let _ = room::rest(&mut own.queue.borrow_mut());
        false
    }

    /// Gives back a part of the room that the queues have of what comes from other threads. True if
    /// there is more.
    #[cold]
    fn give_room(&self) -> bool {
        let own = self.own();
        let elsewhere = room::rest(&mut self.remote.lock().queue);
        let here = room::rest(&mut own.arrived.borrow_mut());
        own.gives_room.set(elsewhere || here);
        elsewhere || here
    }

    /// Announces that the driver is about to sleep. False if there is something to do.
    #[must_use]
    pub(super) fn fall_asleep(&self, unpark: &Waker) -> bool {
        if !self.own().is_idle() || self.rest() {
            return false;
        }
        let unpark = unpark.clone();
        let mut remote = self.remote.lock();
        let sleep = remote.queue.is_empty();
        let former = match sleep {
            true => remote.sleeper.replace(unpark),
            false => None,
        };
        drop(remote);
        drop(former);
        sleep
    }

    /// As `fall_asleep`, for a foreign loop, which `waker` wakes; at once, if it is to come back for
    /// more of what is done in a rest.
    #[must_use]
    pub(super) fn fall_idle(&self, waker: &Waker) -> bool {
        let own = self.own();
        let more = own.is_idle() && self.rest();
        let again = more.then(|| waker.clone());
        let waker = waker.clone();
        let mut remote = self.remote.lock();
        let idle = own.is_idle() && remote.queue.is_empty();
        if idle {
            own.idle.set(true);
            let former = remote.sleeper.replace(waker);
            drop(remote);
            pirn_core::wake::discard(former);
            again.into_iter().for_each(wake);
        }
        idle
    }

    /// Lets less in.
    pub(super) fn shut(&self, gate: Gate) {
        self.own().gate.set(gate);
        self.remote.lock().gate = gate;
        self.take_remote_now();
    }

    /// Asks all tasks to end.
    pub(super) fn cancel_all(&self, cause: &pirn_core::Cause) {
        let mut tasks = Vec::new();
        for heap in [&self.heap, &self.outside] {
            heap.tasks(true, |task| tasks.push(task));
        }
        for task in tasks {
            task.cancel(cause.clone());
        }
    }

    /// What is known of the tasks that have not ended, in the order of their numbers.
    pub(super) fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = Vec::new();
        for heap in [&self.heap, &self.outside] {
            heap.infos(true, &mut tasks);
        }
        tasks.sort_by_key(TaskInfo::id);
        tasks
    }

    /// Queues all tasks that rest.
    pub(super) fn wake_all(&self) {
        let mut tasks = Vec::new();
        for heap in [&self.heap, &self.outside] {
            heap.tasks(true, |task| tasks.push(task));
        }
        for task in tasks {
            task.wake();
        }
    }

    /// Has `waker` woken when the last task has ended. How many have not.
    pub(super) fn wait_drained(&self, waker: Waker) -> usize {
        let own = self.own();
        drop(own.drained.replace(Some(waker)));
        own.live.get()
    }

    /// Drops the futures of all tasks, and lets none in any more.
    pub(super) fn close(&self) {
        self.shut(Gate::Closed);
        for heap in [&self.heap, &self.outside] {
            // One by one: destructors run in between, and may wake, end and drop other tasks.
            heap.tasks(true, |task| task.close());
        }
        let own = self.own();
        drop(own.drained.take());
    }

    /// Is gone: nobody drives it any more.
    pub(super) fn retire(&self) {
        self.close();
        let outside = {
            let mut remote = self.remote.lock();
            remote.owner.take()
        };
        self.take_remote_now();
        let own = self.own();
        let held = own.order.borrow_mut().take_held();
        drop((held, own.queue.take(), own.lanes.clear()));
        pirn_core::wake::discard(self.wake_up());
        for heap in [&self.heap, &self.outside] {
            heap.merge();
        }
        let inside = own.owner.take();
        inside.into_iter().chain(outside).for_each(Owner::retire);
    }
}

impl Remote {
    fn vacant<F: Future>(&mut self) -> Vacant<Shared> {
        self.owner.as_mut().expect(GONE).vacant::<F>()
    }
}

impl Own {
    #[inline]
    fn pop(&self) -> Option<Runnable> {
        let chooser = &mut *self.order.borrow_mut();
        let lanes = &self.lanes;
        let first = match lanes.is_empty() {
            true => None,
            false => lanes.take_first(chooser),
        };
        first
            .or_else(|| chooser.next(&mut self.queue.borrow_mut()))
            .or_else(|| match lanes.is_empty() {
                true => None,
                false => lanes.take_any(chooser),
            })
    }

    /// Why a new task is refused, if it is.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        self.gate.get().refusal()
    }

    /// How many tasks are ready.
    pub(super) fn queued(&self) -> usize {
        self.queue.borrow().len() + self.order.borrow().held() + self.lanes.len()
    }

    /// True if no task is ready, as far as it has taken in what other threads asked for.
    fn is_idle(&self) -> bool {
        self.queue.borrow().is_empty()
            && self.lanes.is_empty()
            && self.order.borrow().held() == 0
            && self.arrived.borrow().is_empty()
    }
}

impl Shared {
    #[cold]
    fn tell_foreign_loop(this: &Arc<Self>) {
        // The loop's waker may be what drops the executor.
        let this = this.clone();
        this.wake_up().into_iter().for_each(wake);
    }
}

impl Schedule for Shared {
    const BOUND: bool = true;

    #[inline]
    fn schedule(this: &Arc<Self>, task: Runnable) {
        let own = this.own();
        own.queue.borrow_mut().push_back(task);
        if own.idle.replace(false) {
            Shared::tell_foreign_loop(this);
        }
    }

    fn schedule_in(this: &Arc<Self>, lane: Lane, task: Runnable) {
        let own = this.own();
        own.lanes.push(lane, task);
        if own.idle.replace(false) {
            Shared::tell_foreign_loop(this);
        }
    }

    fn send(this: &Arc<Self>, cell: Sent) -> Result<(), Sent> {
        // The cell may be settled and freed, and with it the last pointer but this one, before the
        // driver is woken.
        let this = this.clone();
        let mut remote = this.remote.lock();
        if remote.owner.is_none() {
            return Err(cell);
        }
        let sleeper = this.push_remote(&mut remote, cell);
        drop(remote);
        sleeper.into_iter().for_each(wake);
        Ok(())
    }

    fn admit(&self) {
        let own = self.own();
        own.live.set(own.live.get() + 1);
    }

    #[inline]
    fn ended(&self) {
        let own = self.own();
        let live = own.live.get() - 1;
        own.live.set(live);
        if live == 0 {
            own.drained.take().into_iter().for_each(wake);
        }
    }

    #[inline]
    fn with_owner<R>(&self, heap: &Heap, f: impl FnOnce(&mut Owner<Self>) -> R) -> Option<R> {
        if !std::ptr::eq(heap, &self.heap) {
            return None;
        }
        self.own.get()?.owner.borrow_mut().as_mut().map(f)
    }

    fn side(&self) -> &Side {
        &self.side
    }

    fn hooks(&self) -> Option<&dyn Hooks> {
        self.hooks.as_deref()
    }
}
