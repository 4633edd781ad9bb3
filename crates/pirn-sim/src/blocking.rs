//! Work for threads, done inline.

use crate::book::expecting;
use crate::clock::World;
use crate::event::{By, What, Who};
use pirn_core::report::{Report, report};
use pirn_core::shim::{Arc, Mutex};
use pirn_core::{Blocking, BoxJob, Refused, Spawn, TaskMeta, yield_now};
use pirn_executor::LocalHandle;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A pool without threads: each job is a task that runs it. That task lets a number of turns go by
/// first, which the seed determines; meanwhile it is ready, so the clock does not jump.
pub(crate) struct Inline {
    pub(crate) spawner: LocalHandle,
    pub(crate) late: Arc<Late>,
    pub(crate) world: Arc<World>,
    /// False where tasks run in the order in which they became ready, and so do jobs.
    pub(crate) seeded: bool,
}

/// The most turns that a job lets go by.
const TURNS: u64 = 24;

impl Inline {
    /// How many turns a job lets go by: none for half of them.
    fn turns(&self) -> u64 {
        if !self.seeded {
            return 0;
        }
        match self.world.random_below(2) {
            0 => 0,
            _ => self.world.random_below(TURNS) + 1,
        }
    }
}

impl Blocking for Inline {
    fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>> {
        if self.late.is_closed() {
            return Err(Refused::new("the simulation has ended", job));
        }
        let who = self.world.tell(|book, now| book.next_job(now));
        let (turns, world) = (self.turns(), Arc::clone(&self.world));
        let mut carried = Carried {
            who,
            job: Some(job),
            late: Arc::clone(&self.late),
        };
        let task = async move {
            for _ in 0..turns {
                yield_now().await;
            }
            if let Some(job) = carried.job.take() {
                world.record(who, What::Runs);
                job();
                world.record(who, What::Done);
            }
        };
        let spawned = expecting(who, || {
            Spawn::spawn(&self.spawner, TaskMeta::here().named("to_thread"), task)
        });
        // Where the executor takes no tasks any more, it is late.
        drop(spawned);
        Ok(())
    }
}

/// A job on its way to its turn.
struct Carried {
    who: Who,
    job: Option<BoxJob>,
    late: Arc<Late>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            let refused = self.late.push(self.who, job);
            guarded(|| drop(refused));
        }
    }
}

/// Jobs that are left, or come, as a run ends and its executor cancels the tasks that have them, and
/// takes no others. Who cleans up may wait for them, as a pool takes and runs them until all tasks have
/// ended. So the driver runs them.
#[derive(Default)]
pub(crate) struct Late(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<(Who, BoxJob)>,
    closed: bool,
}

impl Late {
    fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Gives it back once it is closed.
    fn push(&self, who: Who, job: BoxJob) -> Option<BoxJob> {
        let mut jobs = self.0.lock();
        if jobs.closed {
            return Some(job);
        }
        jobs.waiting.push_back((who, job));
        None
    }

    fn next(&self) -> Option<(Who, BoxJob)> {
        self.0.lock().waiting.pop_front()
    }

    /// Runs what is there. True if there was any.
    pub(crate) fn run(&self, world: &World) -> bool {
        let mut any = false;
        while let Some((who, job)) = self.next() {
            any = true;
            world.with_book(|book| book.set_outside(By::Who(who)));
            world.record(who, What::Runs);
            guarded(job);
            world.record(who, What::Done);
        }
        any
    }

    /// All tasks have ended: what nobody waited for is dropped.
    pub(crate) fn close(&self) {
        self.0.lock().closed = true;
        while let Some((_, job)) = self.next() {
            guarded(|| drop(job));
        }
    }
}

/// A panic goes to the hook.
fn guarded(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}
