//! What a current-thread executor shares: its own part, and what other threads may touch.

use super::order::Chooser;
use crate::bound::Bound;
use crate::gate::Gate;
use crate::task::{Owned, OwnedTask, Runnable, Schedule, Side};
use pirn_core::shim::atomic::AtomicBool;
use pirn_core::shim::{Arc, Mutex};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

pub(super) struct Shared {
    pub(super) own: Bound<RefCell<Own>>,
    pub(super) remote: Mutex<Remote>,
    /// True while something is in the remote queue. Kept beside the lock, so that a look costs no
    /// lock; the look before a sleep is under the lock.
    pub(super) remote_ready: AtomicBool,
    pub(super) side: Side,
}

/// The executor's own part. Nothing of the user's runs while it is borrowed.
pub(super) struct Own {
    pub(super) queue: VecDeque<Runnable>,
    pub(super) owned: Owned,
    pub(super) order: Chooser,
    pub(super) polls: u64,
    pub(super) gate: Gate,
    /// A foreign loop was told that there is nothing to do: a wake must tell it otherwise.
    pub(super) idle: bool,
    /// Woken when the last task has ended.
    pub(super) drained: Option<Waker>,
}

/// What other threads may touch.
pub(super) struct Remote {
    pub(super) queue: VecDeque<Runnable>,
    pub(super) gate: Gate,
    /// Wakes whoever drives the executor. There while that one sleeps, or is about to.
    pub(super) sleeper: Option<Waker>,
}

impl Shared {
    /// The own part, for the executor itself, which never leaves its thread.
    pub(super) fn own(&self) -> &RefCell<Own> {
        self.own.get().expect("the executor is on its own thread")
    }

    /// Runs the next task of the queue. False if there is none.
    #[inline]
    pub(super) fn run_one(&self) -> bool {
        let next = self.own().borrow_mut().pop();
        match next {
            Some(task) => {
                task.run();
                true
            }
            None => false,
        }
    }

    /// Moves what other threads sent to the run queue.
    #[inline]
    pub(super) fn take_remote(&self) {
        // Ordering: Relaxed, a hint: what it misses now, the next turn or the look before the
        // sleep finds.
        if self.remote_ready.load(Relaxed) {
            self.take_remote_now();
        }
    }

    pub(super) fn take_remote_now(&self) {
        let tasks = {
            let mut remote = self.remote.lock();
            // Ordering: Relaxed, written under the lock.
            self.remote_ready.store(false, Relaxed);
            std::mem::take(&mut remote.queue)
        };
        for task in tasks {
            let refused = {
                let mut own = self.own().borrow_mut();
                let refused = own.take_in(&task);
                // Whoever drives the executor is about to run it.
                let _ = own.push(task);
                refused
            };
            if let Some(task) = refused {
                task.close();
            }
        }
    }

    /// Puts a task into the remote queue. Gives the waker of a driver that sleeps, to be woken
    /// after unlocking.
    #[must_use]
    pub(super) fn push_remote(&self, remote: &mut Remote, task: Runnable) -> Option<Waker> {
        remote.queue.push_back(task);
        // Ordering: Relaxed, a hint; written under the lock.
        self.remote_ready.store(true, Relaxed);
        remote.sleeper.take()
    }

    /// Wakes the driver if it sleeps.
    pub(super) fn notify(&self) {
        if let Some(sleeper) = self.wake_up() {
            sleeper.wake();
        }
    }

    /// Takes back what `fall_asleep` or `fall_idle` announced.
    pub(super) fn wake_up(&self) -> Option<Waker> {
        self.remote.lock().sleeper.take()
    }

    /// Announces that the driver is about to sleep. False if there is something to do.
    #[must_use]
    pub(super) fn fall_asleep(&self, root: &AtomicBool, unpark: &Waker) -> bool {
        if !self.own().borrow().queue.is_empty() {
            return false;
        }
        let unpark = unpark.clone();
        let mut remote = self.remote.lock();
        // Ordering: Relaxed, `Root::wake` sets the flag before it takes this lock: either it is
        // seen here, or the sleeper is seen there.
        let sleep = remote.queue.is_empty() && !root.load(Relaxed);
        if sleep {
            remote.sleeper = Some(unpark);
        }
        sleep
    }

    /// As `fall_asleep`, for a foreign loop, which `waker` wakes.
    #[must_use]
    pub(super) fn fall_idle(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut own = self.own().borrow_mut();
        let mut remote = self.remote.lock();
        let idle = own.queue.is_empty() && remote.queue.is_empty();
        if idle {
            own.idle = true;
            let former = remote.sleeper.replace(waker);
            drop((own, remote));
            drop(former);
        }
        idle
    }

    /// Lets less in.
    pub(super) fn shut(&self, gate: Gate) {
        self.own().borrow_mut().gate = gate;
        self.remote.lock().gate = gate;
    }

    /// Drops the futures of all tasks, and lets nothing in any more.
    pub(super) fn close(&self) {
        self.shut(Gate::Closed);
        self.take_remote_now();
        loop {
            // One by one: destructors run in between, and may wake, end and drop other tasks.
            let task = self.own().borrow_mut().owned.pop();
            match task {
                Some(task) => task.close(),
                None => break,
            }
        }
        let mut own = self.own().borrow_mut();
        let (queue, drained) = (std::mem::take(&mut own.queue), own.drained.take());
        drop(own);
        drop((queue, drained, self.wake_up()));
    }
}

impl Own {
    /// Puts the task of another thread into the owned set, if it is in none. Gives it back if
    /// there is no room.
    pub(super) fn take_in(&mut self, task: &Runnable) -> Option<OwnedTask> {
        match task.is_orphan() {
            true => self.owned.insert(task.adopt()).err(),
            false => None,
        }
    }

    /// Queues a task. True if a foreign loop is to be told.
    #[must_use]
    #[inline]
    pub(super) fn push(&mut self, task: Runnable) -> bool {
        self.queue.push_back(task);
        std::mem::take(&mut self.idle)
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Runnable> {
        let task = match &mut self.order {
            Chooser::Fifo => self.queue.pop_front(),
            Chooser::Seeded(random) => {
                let index = random.below(self.queue.len());
                self.queue.swap_remove_back(index)
            }
        };
        self.polls += task.is_some() as u64;
        task
    }
}

impl Schedule for Shared {
    #[inline]
    fn schedule(this: &Arc<Self>, task: Runnable) {
        let Some(own) = this.own.get() else {
            return Shared::schedule_elsewhere(this, task);
        };
        let mut own = own.borrow_mut();
        if own.gate == Gate::Closed {
            drop(own);
            drop(task);
        } else if own.push(task) {
            drop(own);
            this.notify();
        }
    }

    fn release(&self, slot: u32) -> Option<OwnedTask> {
        let mut own = self.own().borrow_mut();
        let task = own.owned.remove(slot);
        if own.owned.len() == 0 && own.drained.is_some() {
            let drained = own.drained.take();
            drop(own);
            drained.into_iter().for_each(pirn_core::wake::wake);
        }
        task
    }

    fn side(&self) -> &Side {
        &self.side
    }
}

impl Shared {
    #[cold]
    fn schedule_elsewhere(this: &Arc<Self>, task: Runnable) {
        // The task may be run, freed and with it the last pointer but this one, before `notify`.
        let this = this.clone();
        let mut remote = this.remote.lock();
        if remote.gate == Gate::Closed {
            drop(remote);
            drop(task);
            return;
        }
        let sleeper = this.push_remote(&mut remote, task);
        drop(remote);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}
