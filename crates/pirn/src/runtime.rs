//! The one place where executor, timer and reactor meet.
//!
//! ```text
//! current thread:  LocalExecutor ── TimerPark ── ReactorPark
//! ```

use crate::current;
use pirn_core::context::Handles;
use pirn_core::report::{Report, report};
use pirn_core::{Cause, Kind, ParkError, Rooted, Scope};
use pirn_executor::{LocalExecutor, Task};
use pirn_io::blocking::BlockingPool;
use pirn_io::{Handle as Reactor, ReactorPark};
use pirn_timer::{Monotonic, TimeSource, Timer, TimerPark};
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
/// # Examples
///
/// ```
/// use pirn::Runtime;
///
/// let mut runtime = Runtime::builder().build()?;
/// assert_eq!(runtime.run(async { 1 })?, 1);
/// assert_eq!(runtime.run(async { 2 })?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Runtime {
    // In the order in which they are dropped.
    local: LocalExecutor,
    park: TimerPark<ReactorPark>,
    timer: Timer,
    reactor: Reactor,
    blocking: BlockingPool,
    reaper: Scope,
    /// Runs the reaper's scope until the end.
    reaping: Option<Task<()>>,
    grace: Duration,
}

/// Why [`Runtime::run`] gave no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It was called inside a runtime, whose thread it would block.
    Nested,
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
            RunError::Cancelled(cause) => write!(f, "the main future was {cause}"),
            RunError::Park(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Park(error) => Some(error),
            RunError::Nested | RunError::Cancelled(_) => None,
        }
    }
}

/// What had not ended when a runtime's grace period was over.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Unended {
    /// Tasks whose futures were dropped.
    pub tasks: usize,
    /// Closures that still run on threads: they cannot be interrupted.
    pub closures: usize,
}

impl Unended {
    /// True if everything had ended.
    pub fn is_empty(&self) -> bool {
        self.tasks == 0 && self.closures == 0
    }
}

impl fmt::Display for Unended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the runtime's grace period was over: {} tasks were dropped and {} closures on threads \
             were left behind",
            self.tasks, self.closures
        )
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
///     .grace(Duration::from_secs(1))
///     .build()?;
/// assert!(runtime.run(async { pirn::now() })?.as_nanos() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until `build`"]
pub struct Builder {
    grace: Duration,
    max_blocking_threads: Option<usize>,
}

impl Builder {
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
        assert!(threads > 0, "a runtime needs at least one thread for what blocks, not 0");
        Builder { max_blocking_threads: Some(threads), ..self }
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// If the system has no thread or descriptor left.
    pub fn build(self) -> io::Result<Runtime> {
        let reactor_park = ReactorPark::new(|| Monotonic.now())?;
        let reactor = reactor_park.handle();
        let park = TimerPark::new(reactor_park, Monotonic);
        let timer = park.timer();
        let mut blocking = pirn_io::blocking::Builder::new();
        if let Some(threads) = self.max_blocking_threads {
            blocking = blocking.max_threads(threads);
        }
        let local = LocalExecutor::new();
        let reaper = Scope::detached();
        let reaping = reaper.run(pending::<()>());
        let reaping = local.spawn(async move { drop(reaping.await) });
        Ok(Runtime {
            local,
            park,
            timer,
            reactor,
            blocking: blocking.build(),
            reaper,
            reaping: Some(reaping),
            grace: self.grace,
        })
    }
}

impl Runtime {
    /// A runtime with the default settings.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Runtime::builder().build()
    }

    /// The default settings, to be changed.
    pub fn builder() -> Builder {
        Builder { grace: GRACE, max_blocking_threads: None }
    }

    /// Runs `main` to its end on this thread, beside the runtime's tasks. Tasks that are left stay
    /// where they are, for the next `run`, and do not go on in between.
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] inside a runtime; [`RunError::Cancelled`] if `main`'s scope was
    /// cancelled before it had a value.
    ///
    /// # Panics
    ///
    /// If `main` panics.
    pub fn run<F: Future>(&mut self, main: F) -> Result<F::Output, RunError> {
        let _running = current::Running::new().ok_or(RunError::Nested)?;
        let (_handles, _reactor) = (self.handles().enter(), self.reactor.enter());
        match self.local.run(&mut self.park, Rooted::new(main)) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(cause)) => Err(RunError::Cancelled(cause)),
            Err(error) => Err(RunError::Park(error)),
        }
    }

    fn handles(&self) -> Rc<Handles> {
        let mut handles = Handles::default();
        handles.spawner = Some(Arc::new(self.local.handle()));
        handles.local_spawner = Some(Rc::new(self.local.handle()));
        handles.clock = Some(Arc::new(self.timer.clone()));
        handles.blocking = Some(Arc::new(self.blocking.clone()));
        handles.reaper = Some(self.reaper.clone());
        Rc::new(handles)
    }

    /// Ends the runtime: asks what is left to end, waits for it up to the grace period, and drops
    /// the rest.
    ///
    /// # Errors
    ///
    /// [`Unended`] if something had not ended by then.
    #[track_caller]
    pub fn shutdown(mut self) -> Result<(), Unended> {
        let unended = self.end(Location::caller());
        if unended.is_empty() { Ok(()) } else { Err(unended) }
    }

    fn end(&mut self, at: &'static Location<'static>) -> Unended {
        let Some(reaping) = self.reaping.take() else { return Unended::default() };
        let shut = Cause::new(Kind::Shutdown, "the runtime shuts down").with_location(at);
        self.reaper.cancel(shut);
        let (_handles, _reactor) = (self.handles().enter(), self.reactor.enter());
        let end = self.timer.now() + self.grace;
        let tasks = self.local.shutdown(&mut self.park, self.timer.sleep_until(end));
        drop(reaping);
        let ended = self.blocking.shutdown(self.timer.sleep_until(end));
        let closures = match LocalExecutor::new().run(&mut self.park, ended) {
            Ok(Err(unfinished)) => unfinished.jobs().len(),
            Ok(Ok(())) | Err(_) => 0,
        };
        Unended { tasks: tasks.unwrap_or_default(), closures }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let unended = self.end(Location::caller());
        if !unended.is_empty() {
            report(Report::Error { task: None, error: unended.into() });
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("grace", &self.grace).finish_non_exhaustive()
    }
}
