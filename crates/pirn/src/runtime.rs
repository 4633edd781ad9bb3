//! The one place where executor, timer and reactor meet.
//!
//! ```text
//! current thread:  LocalExecutor ── TimerPark ── ReactorPark
//!
//! N workers:       LocalExecutor ── ThreadPark              (the main future, local tasks)
//!                  worker 0 ─┐
//!                  worker 1 ─┼─ SharedPark ── TimerPark ── ReactorPark
//!                  …        ─┘  (one that sleeps holds the driver, the others sleep as threads)
//! ```

use crate::current::{Entered, Running};
use crate::hooks::Monitor;
use crate::lent::Lent;
use crate::nested::{self, Nest, Sleep};
use crate::slow::{self, Measured};
use crate::statistics::Statistics;
use crate::workers::Workers;
use pirn_core::calls::CallQueue;
use pirn_core::context::{self, Handles};
use pirn_core::large::hand_on;
use pirn_core::report::{Report, report};
use pirn_core::{Cause, Kind, ParkError, Rooted, Scope, Spawn, TaskMeta};
use pirn_executor::{Hooks, LocalExecutor, Order, PoolExecutor, Task, TaskInfo, ThreadPark};
use pirn_io::blocking::{BlockingPool, Unfinished};
use pirn_io::{Handle as Reactor, ReactorPark};
use pirn_timer::{Monotonic, TimeSource, Timer, TimerPark};
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::num::NonZero;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Sleeps until something happens, and makes it happen: timers over the reactor.
pub(crate) type Driver = TimerPark<ReactorPark>;

/// How long clean-up may take at the end of a runtime, if nobody says otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// Runs an async program: `main` and all that it spawns, to the end of `main`.
///
/// Makes a [`Runtime`] with one worker thread per core, runs `main` on it, on this thread, and
/// shuts it down: what is left is cancelled, cleans up for ten seconds at most, and is dropped. As
/// Python's `asyncio.run`.
///
/// # Panics
///
/// - Inside another `run`. Use `.await` there; or call this in [`to_thread`](crate::to_thread).
/// - If the system has no thread or descriptor left for a runtime.
/// - If `main` panics, or cancels its own scope.
///
/// # Examples
///
/// ```
/// let answer = pirn::run(async {
///     let half = pirn::spawn(async { 21 });
///     2 * half.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F: Future>(main: F) -> F::Output {
    let ended = match Runtime::new() {
        Ok(mut runtime) => runtime.run(main),
        Err(error) => panic!("pirn::run cannot start: {error}"),
    };
    match ended {
        Ok(output) => output,
        Err(error) => panic!("pirn::run: {error}"),
    }
}

/// Everything that a program's tasks run on: executor, timers, reactor, threads for what blocks.
///
/// [`run`] makes one with the defaults. Dropping it is [`shutdown`](Self::shutdown).
///
/// It does not survive a `fork`: the child has none of its threads, and shares the descriptor by which
/// the parent waits for its sockets. There it must be neither used nor dropped; the child makes one of
/// its own, or calls `exec`, as [`process`](crate::process) does.
///
/// # Examples
///
/// ```
/// use pirn::Runtime;
///
/// let mut runtime = Runtime::builder().current_thread().build()?;
/// assert_eq!(runtime.run(async { 1 })?, 1);
/// assert_eq!(runtime.run(async { 2 })?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Runtime {
    local: Rc<LocalExecutor>,
    pub(crate) threads: Threads,
    common: Common,
    /// Runs the reaper's scope; taken at the end.
    reaping: Option<Task<()>>,
    grace: Duration,
    slow_polls: Option<Duration>,
}

/// Who sleeps where.
pub(crate) enum Threads {
    /// The one that calls `run`.
    Current(Lent<Driver>),
    /// Workers hold the driver; the one that calls `run` sleeps by itself.
    Pool(ThreadPark, Workers),
}

/// What a runtime's threads have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) timer: Timer,
    pub(crate) reactor: Reactor,
    pub(crate) blocking: BlockingPool,
    pub(crate) reaper: Scope,
    pub(crate) calls: CallQueue,
}

impl Common {
    /// The ambient handles of a thread that spawns by `spawner`.
    pub(crate) fn handles(&self, spawner: impl Spawn + Send + Sync + 'static) -> Handles {
        let mut handles = Handles::default();
        handles.spawner = Some(Arc::new(spawner));
        handles.clock = Some(Arc::new(self.timer.clone()));
        handles.blocking = Some(Arc::new(self.blocking.clone()));
        handles.reaper = Some(self.reaper.clone());
        handles.calls = Some(self.calls.clone());
        handles
    }
}

/// Why [`Runtime::run`] gave no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It was called inside a runtime, whose thread it would block.
    Nested,
    /// [`run_until`](crate::run_until) was called where no runtime is being run.
    Outside,
    /// So many calls of [`run_until`](crate::run_until) are under way on this thread, one inside the
    /// other, that its stack is in danger.
    TooDeep,
    /// The main future's scope was cancelled, for this cause.
    Cancelled(Arc<Cause>),
    /// The system refuses to wait for events.
    Park(ParkError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Nested => f.write_str(
                "a runtime is running on this thread already, and another `run` would block it: \
                 use `.await` or `spawn` here, or call `run` inside `to_thread`",
            ),
            RunError::Outside => f.write_str(
                "no runtime is being run by this thread: `run_until` needs the one that called \
                 `run`; use `.await` on a worker, and `run` outside",
            ),
            RunError::TooDeep => write!(
                f,
                "{} calls of `run_until` are under way on this thread: tasks that call it must not \
                 run inside one another without an end; use `.await`",
                nested::MAX_DEPTH
            ),
            RunError::Cancelled(cause) => write!(f, "the main future was {cause}"),
            RunError::Park(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Park(error) => Some(error),
            RunError::Nested | RunError::Outside | RunError::TooDeep | RunError::Cancelled(_) => {
                None
            }
        }
    }
}

/// What had not ended when a runtime's grace period was over: what [`Runtime::shutdown`] says.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::time::Duration;
///
/// let grace = Duration::from_millis(5);
/// let mut runtime = pirn::Runtime::builder().current_thread().grace(grace).build()?;
/// runtime.run(async {
///     // Its clean-up never ends.
///     pirn::spawn(pirn::finally(pending::<()>(), async || pending().await)).detach();
///     pirn::yield_now().await;
/// })?;
/// let unended = runtime.shutdown().unwrap_err();
/// assert_eq!((unended.tasks.len(), unended.closures.jobs().len()), (1, 0));
/// assert!(unended.to_string().contains("task spawned at"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Unended {
    /// The tasks whose futures were dropped.
    pub tasks: Vec<TaskInfo>,
    /// The closures that still run on threads, which cannot be interrupted; by the places where they
    /// were given to [`to_thread`](crate::to_thread).
    pub closures: Unfinished,
}

impl Unended {
    /// True if everything had ended.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.closures.jobs().is_empty()
    }
}

/// How many tasks a text names.
const NAMED: usize = 10;

impl fmt::Display for Unended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dropped = self.tasks.len();
        write!(
            f,
            "the runtime's grace period was over: {dropped} tasks were dropped"
        )?;
        for (number, task) in self.tasks.iter().take(NAMED).enumerate() {
            let before = if number == 0 { " (" } else { ", " };
            write!(f, "{before}{task}")?;
        }
        match dropped {
            0 => {}
            1..=NAMED => f.write_str(")")?,
            _ => write!(f, ", and {} more)", dropped - NAMED)?,
        }
        write!(f, ", and on threads {}", self.closures)
    }
}

impl std::error::Error for Unended {}

/// Settings for a [`Runtime`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut runtime = pirn::Runtime::builder()
///     .workers(2)
///     .grace(Duration::from_secs(1))
///     .build()?;
/// assert!(runtime.run(async { pirn::now() })?.as_nanos() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "settings do nothing until `build`"]
pub struct Builder {
    workers: usize,
    thread_name: String,
    grace: Duration,
    max_blocking_threads: Option<usize>,
    slow_polls: Option<Duration>,
    hooks: Option<Arc<dyn Hooks>>,
    spin: Option<Duration>,
    /// None for the system's monotonic clock.
    time: Option<Arc<dyn TimeSource>>,
}

impl Builder {
    /// Runs everything on the thread that calls [`Runtime::run`].
    pub fn current_thread(self) -> Self {
        Builder { workers: 0, ..self }
    }

    /// How many worker threads run what is [spawned](crate::spawn); one per core if nothing is
    /// said. The main future and local tasks stay on the thread that calls [`Runtime::run`].
    ///
    /// # Panics
    ///
    /// If it is 0: that is [`current_thread`](Self::current_thread). If it is more than
    /// [`PoolExecutor::MAX_WORKERS`].
    #[track_caller]
    pub fn workers(self, workers: usize) -> Self {
        assert!(
            workers > 0,
            "a pool needs at least one worker, not 0; or use `current_thread`"
        );
        assert!(
            workers <= PoolExecutor::MAX_WORKERS,
            "a pool has less than 2^15 workers, not {workers}"
        );
        Builder { workers, ..self }
    }

    /// What worker threads are called, before a hyphen and their number.
    pub fn thread_name(self, name: impl Into<String>) -> Self {
        Builder {
            thread_name: name.into(),
            ..self
        }
    }

    /// How long clean-up may take at the end, 10 seconds if nothing is said.
    pub fn grace(self, grace: Duration) -> Self {
        Builder { grace, ..self }
    }

    /// The most threads that [`to_thread`](crate::to_thread), files and name look-ups use at once.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_blocking_threads(self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "a runtime needs at least one thread for what blocks, not 0"
        );
        Builder {
            max_blocking_threads: Some(threads),
            ..self
        }
    }

    /// How long a worker thread that has nothing to do looks on before it sleeps, at most; some
    /// microseconds if nothing is said.
    ///
    /// What comes meanwhile costs no wake-up, so more of it answers sooner, for CPU time. One worker
    /// does so at a time, and soon none where nothing comes. Timers and sockets may be late by as much,
    /// so let it be short. Zero turns it off; without worker threads there is nothing to set. See
    /// [`set_spin`](https://docs.rs/pirn-executor/latest/pirn_executor/struct.PoolExecutor.html#method.set_spin).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = pirn::Runtime::builder().workers(1).spin(Duration::ZERO);
    /// assert_eq!(builder.build()?.run(async { pirn::spawn(async { 1 }).await.unwrap() })?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spin(self, limit: Duration) -> Self {
        Builder {
            spin: Some(limit),
            ..self
        }
    }

    /// Has each poll of a task that takes longer than `limit` [reported](pirn_core::report), with the
    /// task's name and place: it blocks, or computes for long, and its thread could do nothing else
    /// meanwhile. The report comes when the poll has ended.
    ///
    /// If nothing is said, that is on, with 100 ms, in builds with debug assertions, and off in
    /// others; it then costs a task an allocation and two readings of the clock per poll. `None` turns
    /// it off. asyncio's debug mode does the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn::report::{Report, set_hook};
    /// use std::sync::{Arc, atomic::{AtomicBool, Ordering::Relaxed}};
    /// use std::time::Duration;
    ///
    /// static SLOW: AtomicBool = AtomicBool::new(false);
    /// set_hook(Some(Arc::new(|report: &Report| {
    ///     SLOW.store(matches!(report, Report::SlowPoll { .. }), Relaxed);
    /// })));
    /// let limit = Duration::from_millis(1);
    /// let mut runtime = pirn::Runtime::builder().slow_polls(limit).build()?;
    /// runtime.run(async {
    ///     pirn::spawn(async { std::thread::sleep(Duration::from_millis(2)) }).await.unwrap()
    /// })?;
    /// assert!(SLOW.load(Relaxed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn slow_polls(self, limit: impl Into<Option<Duration>>) -> Self {
        Builder {
            slow_polls: limit.into(),
            ..self
        }
    }

    /// Tells `hooks` of each task, on the thread where something happens to it: local tasks and those of
    /// the workers, but not the main future, which is no task. For monitors and profilers: see [`Hooks`].
    /// [Slow polls](Self::slow_polls) are reported besides.
    ///
    /// A task then costs an allocation more, as with slow polls, but no further one; without hooks
    /// nothing. The hooks' own time counts as the poll's in which they are called. If it is said twice,
    /// the last holds. trio's instruments.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn::{Ended, Hooks, TaskId};
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering::Relaxed}};
    ///
    /// #[derive(Default)]
    /// struct Panics(AtomicUsize);
    /// impl Hooks for Panics {
    ///     fn ended(&self, _: TaskId, how: Ended) {
    ///         if how == Ended::Panicked {
    ///             self.0.fetch_add(1, Relaxed);
    ///         }
    ///     }
    /// }
    ///
    /// let panics = Arc::new(Panics::default());
    /// let mut runtime = pirn::Runtime::builder().hooks(panics.clone()).build()?;
    /// runtime.run(async {
    ///     pirn::spawn(async {}).await.unwrap();
    ///     pirn::spawn(async { panic!("for the example") }).await.unwrap_err();
    /// })?;
    /// assert_eq!(panics.0.load(Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hooks(self, hooks: Arc<dyn Hooks>) -> Self {
        Builder {
            hooks: Some(hooks),
            ..self
        }
    }

    /// By which time the runtime's timers go, the system's monotonic clock if nothing is said. For
    /// tests under virtual time pirn-sim is better: its clock jumps.
    pub fn clock(self, time: impl TimeSource) -> Self {
        Builder {
            time: Some(Arc::new(time)),
            ..self
        }
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// If the system has no thread or descriptor left; and inside a simulation, which a runtime would
    /// block.
    pub fn build(self) -> io::Result<Runtime> {
        let simulated = |missing| io::Error::new(io::ErrorKind::Unsupported, missing);
        context::system("runtime").map_err(simulated)?;
        let now = self.time.clone();
        let now = move || {
            now.as_ref()
                .map_or_else(|| Monotonic.now(), |time| time.now())
        };
        let reactor_park = ReactorPark::new(now)?;
        let reactor = reactor_park.handle();
        let driver = match self.time {
            Some(time) => TimerPark::new(reactor_park, time),
            // As it is: a timer asks for the time often.
            None => TimerPark::new(reactor_park, Monotonic),
        };
        let mut blocking = pirn_io::blocking::Builder::new();
        if let Some(threads) = self.max_blocking_threads {
            blocking = blocking.max_threads(threads);
        }
        let hooks = Monitor::new(self.slow_polls, self.hooks);
        let local = Rc::new(match &hooks {
            Some(hooks) => LocalExecutor::with_hooks(Order::Fifo, hooks.clone()),
            None => LocalExecutor::new(),
        });
        let timer = driver.timer();
        let calls = CallQueue::new(Arc::new(local.handle()), Some(Arc::new(timer.clone())));
        let common = Common {
            timer,
            reactor,
            blocking: blocking.build(),
            reaper: Scope::detached(),
            calls,
        };
        let reaping = common.reaper.run(pending::<()>());
        let meta = TaskMeta::here().named("clean-up that was handed over");
        let reaping = local
            .try_spawn(meta, async move { drop(reaping.await) })
            .expect("an executor that is new takes tasks");
        let threads = match self.workers {
            0 => Threads::Current(Lent::new(driver)),
            workers => {
                let workers = Workers::start(workers, &self.thread_name, driver, &common, hooks)?;
                if let Some(limit) = self.spin {
                    workers.set_spin(limit);
                }
                Threads::Pool(ThreadPark::new(), workers)
            }
        };
        Ok(Runtime {
            local,
            threads,
            common,
            reaping: Some(reaping),
            grace: self.grace,
            slow_polls: self.slow_polls,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("grace", &self.grace)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("slow_polls", &self.slow_polls)
            .field("hooks", &self.hooks.is_some())
            .field("spin", &self.spin)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime with the default settings: one worker thread per core.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Runtime::builder().build()
    }

    /// The default settings, to be changed.
    pub fn builder() -> Builder {
        Builder {
            workers: thread::available_parallelism().map_or(1, NonZero::get),
            thread_name: "pirn-worker".to_owned(),
            grace: GRACE,
            max_blocking_threads: None,
            slow_polls: slow::USUAL,
            hooks: None,
            spin: None,
            time: None,
        }
    }

    /// Runs `main` to its end on this thread, beside the runtime's tasks. Tasks that are left stay,
    /// for the next `run`; those on this thread do not go on in between.
    ///
    /// Code inside that cannot `.await` has [`run_until`](crate::run_until); a loop that owns the
    /// thread itself, as a GUI's, takes the runtime as its [`Guest`](crate::Guest).
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] inside a runtime; [`RunError::Cancelled`] if `main`'s scope was
    /// cancelled before it had a value.
    ///
    /// # Panics
    ///
    /// If `main` panics.
    #[track_caller]
    pub fn run<F: Future>(&mut self, main: F) -> Result<F::Output, RunError> {
        let with = (self, TaskMeta::here());
        hand_on(with, main, Runtime::run_main, Runtime::run_main)
    }

    fn run_main<F: Future>(
        (this, meta): (&mut Self, TaskMeta),
        main: F,
    ) -> Result<F::Output, RunError> {
        let _running = Running::new().ok_or(RunError::Nested)?;
        let main = Rooted::new(Measured {
            main,
            limit: this.slow_polls,
            meta: meta.named("main"),
        });
        let ended = this.enter(|local, threads| match threads {
            Threads::Current(driver) => local.run(driver, main),
            Threads::Pool(park, _) => local.run(park, main),
        });
        match ended {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(cause)) => Err(RunError::Cancelled(cause)),
            Err(error) => Err(RunError::Park(error)),
        }
    }

    /// Calls `f` with the runtime's handles around it.
    pub(crate) fn enter<R>(&mut self, f: impl FnOnce(&LocalExecutor, &mut Threads) -> R) -> R {
        let local = self.local.handle();
        let (mut handles, pool) = match &self.threads {
            Threads::Current(_) => (self.common.handles(local.clone()), None),
            Threads::Pool(_, workers) => {
                let pool = workers.handle();
                (self.common.handles(pool.clone()), Some(pool))
            }
        };
        let _entered = Entered::new(pool, self.reaping.as_ref().map(Task::id));
        // Not if the driver is elsewhere: it would not know of the timers of this thread.
        let _timer = match &self.threads {
            Threads::Current(driver) if driver.is_home() => Some(self.common.timer.attach()),
            Threads::Current(_) | Threads::Pool(..) => None,
        };
        handles.local_spawner = Some(Rc::new(local));
        let (_handles, _reactor) = (Rc::new(handles).enter(), self.common.reactor.enter());
        let _nest = Nest {
            local: Rc::clone(&self.local),
            sleep: match &self.threads {
                Threads::Current(driver) => Sleep::Own(driver.clone()),
                Threads::Pool(_, workers) => Sleep::Shared(workers.shared()),
            },
        }
        .enter();
        f(&self.local, &mut self.threads)
    }

    /// What its executors have done and hold: polls, tasks, queues, sleeps. Between runs; inside one
    /// there is [`statistics`](crate::statistics()).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut runtime = pirn::Runtime::builder().current_thread().build()?;
    /// let task = runtime.run(async { pirn::spawn(std::future::pending::<()>()) })?;
    /// assert_eq!(runtime.statistics().local.unwrap().live, 1);
    /// assert!(runtime.statistics().pool.is_none());
    /// # drop(task);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn statistics(&self) -> Statistics {
        let pool = match &self.threads {
            Threads::Current(_) => None,
            Threads::Pool(_, workers) => Some(workers.statistics()),
        };
        let own = self.reaping.is_some();
        Statistics::new(Some(self.local.statistics()), own, pool)
    }

    /// Ends the runtime: asks what is left to end, waits for it up to the grace period, and drops
    /// the rest.
    ///
    /// A poll that is in progress on a worker thread cannot be interrupted: this waits for it,
    /// however long it takes.
    ///
    /// # Errors
    ///
    /// [`Unended`] if something had not ended by then.
    #[track_caller]
    pub fn shutdown(mut self) -> Result<(), Unended> {
        let unended = self.end(Location::caller());
        if unended.is_empty() {
            Ok(())
        } else {
            Err(unended)
        }
    }

    fn end(&mut self, at: &'static Location<'static>) -> Unended {
        let Some(reaping) = self.reaping.take() else {
            return Unended::default();
        };
        let Common {
            timer,
            blocking,
            reaper,
            ..
        } = self.common.clone();
        let end = timer.now() + self.grace;
        let deadline = || timer.sleep_until(end);
        let shut = Cause::new(Kind::Shutdown, "the runtime shuts down").with_location(at);
        reaper.cancel(shut);
        self.enter(|local, threads| {
            let (tasks, closures) = match threads {
                Threads::Current(driver) => {
                    let tasks = local.shutdown(driver, deadline());
                    let closures = blocking.shutdown(deadline());
                    (tasks, LocalExecutor::new().run(driver, closures))
                }
                Threads::Pool(park, workers) => {
                    let tasks = workers.shutdown_with(local, park, deadline);
                    let closures = blocking.shutdown(deadline());
                    // The workers are gone: the driver is this thread's.
                    (
                        tasks,
                        LocalExecutor::new().run(&mut workers.driver(), closures),
                    )
                }
            };
            drop(reaping);
            let closures = match closures {
                Ok(Err(unfinished)) => unfinished,
                Ok(Ok(())) | Err(_) => Unfinished::default(),
            };
            Unended {
                tasks: tasks.unwrap_or_default(),
                closures,
            }
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let unended = self.end(Location::caller());
        if !unended.is_empty() {
            report(Report::Error {
                task: None,
                error: unended.into(),
            });
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
