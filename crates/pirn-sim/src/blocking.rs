//! Work for threads, done inline.

use crate::book::expecting;
use crate::clock::World;
use crate::event::What;
use pirn_core::shim::{Arc, Mutex};
use pirn_core::{Blocking, BoxJob, Refused, Spawn, TaskMeta, yield_now};
use pirn_executor::LocalHandle;

/// A pool without threads: each job is a task that runs it. That task lets a number of turns go by
/// first, which the seed determines; meanwhile it is ready, so the clock does not jump.
pub(crate) struct Inline {
    pub(crate) spawner: LocalHandle,
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
        // A refusal gives the job back.
        let slot = Arc::new(Mutex::new(Some(job)));
        let inside = Arc::clone(&slot);
        let who = self.world.tell(|book, now| book.next_job(now));
        let (turns, world) = (self.turns(), Arc::clone(&self.world));
        let task = async move {
            for _ in 0..turns {
                yield_now().await;
            }
            let job = inside.lock().take();
            if let Some(job) = job {
                world.record(who, What::Runs);
                job();
                world.record(who, What::Done);
            }
        };
        let spawned = expecting(who, || {
            Spawn::spawn(&self.spawner, TaskMeta::here().named("to_thread"), task)
        });
        match spawned {
            Ok(()) => Ok(()),
            Err(refused) => {
                let reason = refused.reason();
                drop(refused);
                let job = slot.lock().take();
                job.map_or(Ok(()), |job| Err(Refused::new(reason, job)))
            }
        }
    }
}
