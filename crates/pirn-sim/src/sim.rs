//! A run under virtual time.

use crate::blocking::Inline;
use crate::clock::{Hold, JumpPark, VirtualTime, World};
use pirn_core::calls::CallQueue;
use pirn_core::context::Handles;
use pirn_core::shim::Arc;
use pirn_core::{Cause, Kind, Rooted, Scope};
use pirn_executor::{LocalExecutor, Order};
use pirn_timer::TimerPark;
use std::fmt;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// One deterministic run of a program.
///
/// Use [`check`] for many runs under different seeds.
///
/// # Examples
///
/// ```
/// use pirn_sim::Sim;
/// use std::time::Duration;
///
/// let order = Sim::new().run(async {
///     let (tell, told) = std::sync::mpsc::channel();
///     let tasks = [30, 10, 20].map(|ms| {
///         let tell = tell.clone();
///         pirn_executor::spawn(async move {
///             pirn_timer::sleep(Duration::from_millis(ms)).await;
///             tell.send(ms).unwrap();
///         })
///     });
///     for task in tasks {
///         task.await.unwrap();
///     }
///     told.try_iter().collect::<Vec<_>>()
/// });
/// assert_eq!(order, [10, 20, 30]);
/// ```
pub struct Sim {
    world: Arc<World>,
    order: Order,
}

/// The run could not go on: nothing was ready, no timer was left, and no [`Hold`] was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// The tasks that had not ended, the main one included.
    pub live: usize,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deadlock: nothing is ready, no timer is left, and {} tasks have not ended; if one of \
             them waits for a thread or a socket outside, take a `Hold` meanwhile",
            self.live
        )
    }
}

impl std::error::Error for Deadlock {}

/// How long what is left may go on after the main future has ended, in virtual time.
const GRACE: Duration = Duration::from_secs(3600);

impl Default for Sim {
    fn default() -> Self {
        Sim::new()
    }
}

impl Sim {
    /// A run at the clock's first instant, whose tasks run in the order in which they became ready.
    pub fn new() -> Self {
        Sim {
            world: Arc::new(World::default()),
            order: Order::Fifo,
        }
    }

    /// Lets a random one of the ready tasks run next, the same for the same seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Sim {
            order: Order::Seeded(seed),
            ..self
        }
    }

    /// Keeps the clock from jumping until the guard is dropped.
    #[must_use = "the clock is held until the guard is dropped"]
    pub fn hold(&self) -> Hold {
        self.world.hold()
    }

    /// Runs `main` to its end; then asks what is left to end, and waits for it.
    ///
    /// # Panics
    ///
    /// If `main` panics, or waits for ever ([`Deadlock`]), or cancels its own scope.
    #[track_caller]
    pub fn run<F: Future>(self, main: F) -> F::Output {
        match self.try_run(main) {
            Ok(output) => output,
            Err(deadlock) => panic!("{deadlock}"),
        }
    }

    /// As [`run`](Self::run), with a deadlock as an error.
    ///
    /// # Errors
    ///
    /// [`Deadlock`] if `main` waits for ever. Its future is dropped.
    ///
    /// # Panics
    ///
    /// If `main` panics or cancels its own scope.
    ///
    /// # Examples
    ///
    /// ```
    /// let ended = pirn_sim::Sim::new().try_run(std::future::pending::<()>());
    /// assert_eq!(ended.unwrap_err().live, 1);
    /// ```
    #[track_caller]
    pub fn try_run<F: Future>(self, main: F) -> Result<F::Output, Deadlock> {
        let executor = LocalExecutor::with_order(self.order);
        let mut park = TimerPark::new(
            JumpPark(Arc::clone(&self.world)),
            VirtualTime(self.world.clone()),
        );
        let timer = park.timer();
        let reaper = Scope::detached();
        let mut handles = Handles::default();
        handles.spawner = Some(std::sync::Arc::new(executor.handle()));
        handles.local_spawner = Some(Rc::new(executor.handle()));
        handles.clock = Some(std::sync::Arc::new(timer.clone()));
        handles.blocking = Some(std::sync::Arc::new(Inline(executor.handle())));
        handles.reaper = Some(reaper.clone());
        handles.calls = Some(CallQueue::new(
            std::sync::Arc::new(executor.handle()),
            Some(std::sync::Arc::new(timer.clone())),
        ));
        let _entered = Rc::new(handles).enter();

        // Keeps what was abandoned until the end.
        let _keeping = executor.spawn(reaper.run(pending::<()>()));
        let ended = executor.run(&mut park, Rooted::new(main));
        let live = executor.statistics().live;
        let shut = Cause::new(
            Kind::Shutdown,
            "the simulated program's main future has ended",
        );
        reaper.cancel(shut);
        let end = timer.sleep(GRACE);
        let shutdown = executor.shutdown(&mut park, end);
        match ended {
            Ok(Ok(output)) => {
                shutdown.expect("a sleep is left, so that the clock always has a next instant");
                Ok(output)
            }
            Ok(Err(cause)) => panic!("the main future was {cause}"),
            Err(_) if self.world.is_deadlocked() => Err(Deadlock { live }),
            Err(error) => panic!("{error}"),
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Runs `program` under the seeds from zero up to `seeds`; a failure names its seed.
///
/// # Panics
///
/// As the first run that fails, after a line on standard error that says how to run it alone.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// let runs = Rc::new(Cell::new(0));
/// pirn_sim::check(100, || {
///     let runs = runs.clone();
///     async move { runs.set(runs.get() + 1) }
/// });
/// assert_eq!(runs.get(), 100);
/// ```
pub fn check<F: Future<Output = ()>>(seeds: u64, program: impl Fn() -> F) {
    for seed in 0..seeds {
        let run = AssertUnwindSafe(|| Sim::new().seed(seed).run(program()));
        if let Err(payload) = catch_unwind(run) {
            eprintln!("pirn-sim: failed with seed {seed}; alone: Sim::new().seed({seed}).run(…)");
            resume_unwind(payload);
        }
    }
}
