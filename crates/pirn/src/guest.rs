//! A runtime inside a foreign loop.

use crate::current::Running;
use crate::lent::Lent;
use crate::nested::Nest;
use crate::runtime::{Driver, RunError, Runtime, Threads};
use pirn_core::report::{Report, report};
use pirn_core::{JoinError, Park, Unpark, Until};
use pirn_executor::Task;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

/// A runtime that is driven step by step by a loop that owns the thread: a GUI's, a game's.
///
/// That loop calls [`step`](Self::step) when it was told to, by the `wake` that it gives: a closure
/// that posts it an event, from any thread. Between the steps it does what it likes. Timers and
/// sockets are waited for on a thread of the guest's own (with workers: on those), so nothing is
/// late while the loop sleeps in its own way. trio's guest mode.
///
/// The main future and local tasks run on the loop's thread, inside `step`, so they may touch what
/// only that thread may.
///
/// Dropping it cancels the main future and [shuts the runtime down](Runtime::shutdown), which waits
/// for clean-up; [`finish`](Self::finish) gives the runtime back instead.
///
/// # Examples
///
/// ```
/// use pirn::{Guest, Runtime};
/// use std::sync::mpsc::channel;
/// use std::task::Poll;
/// use std::time::Duration;
///
/// enum Event { Step, Quit }
///
/// let (sender, events) = channel();
/// let (wakes, quits) = (sender.clone(), sender);
/// let main = async move {
///     pirn::sleep(Duration::from_millis(1)).await;
///     quits.send(Event::Quit).unwrap();
///     42
/// };
/// let runtime = Runtime::builder().current_thread().build()?;
/// let mut guest = Guest::new(runtime, main, move || drop(wakes.send(Event::Step)))?;
/// let mut answer = None;
/// for event in events {
///     match event {
///         Event::Step => if let Poll::Ready(ended) = guest.step() {
///             answer = Some(ended?);
///         }
///         Event::Quit => break, // a click on a button, as it were
///     }
/// }
/// # while answer.is_none() { if let Poll::Ready(ended) = guest.step() { answer = Some(ended?) } }
/// assert_eq!(answer, Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Guest<T> {
    main: Option<Task<T>>,
    bell: Arc<Bell>,
    waker: Waker,
    engine: Option<Engine>,
    /// Taken by `finish`.
    runtime: Option<Runtime>,
}

/// Tells the loop that a step is worth taking, once for each step.
struct Bell {
    rung: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// The thread that waits for timers and sockets.
struct Engine {
    stop: Arc<AtomicBool>,
    unpark: Box<dyn Fn()>,
    thread: JoinHandle<Driver>,
    home: Lent<Driver>,
}

impl<T: 'static> Guest<T> {
    /// Makes `runtime` the guest of the loop that `wake` tells to call [`step`](Self::step).
    ///
    /// `wake` is called on any thread, the loop's own included, and at most once between two steps;
    /// for the first time before this returns.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread. The runtime is then dropped.
    pub fn new<F>(
        mut runtime: Runtime,
        main: F,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = T> + 'static,
    {
        let engine = match &runtime.threads {
            Threads::Current(driver) => Engine::start(driver)?,
            Threads::Pool(..) => None,
        };
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(false),
            wake: Box::new(wake),
        });
        let main = runtime.enter(|local, _| local.spawn(main));
        bell.ring();
        Ok(Guest {
            main: Some(main),
            waker: Arc::clone(&bell).into(),
            bell,
            engine,
            runtime: Some(runtime),
        })
    }

    /// Runs what is ready, at most some sixty polls, and gives the main future's value when that has
    /// ended; after that it is pending, and the tasks that are left go on.
    ///
    /// What comes later is announced by `wake`. To call it without having been told does no harm.
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] inside a runtime; [`RunError::Cancelled`] if the main future was
    /// cancelled.
    ///
    /// # Panics
    ///
    /// If the main future panicked.
    pub fn step(&mut self) -> Poll<Result<T, RunError>> {
        let Some(_running) = Running::new() else {
            return Poll::Ready(Err(RunError::Nested));
        };
        self.bell.answer();
        let mut cx = Context::from_waker(&self.waker);
        let elsewhere = self.engine.is_some();
        if let Some(runtime) = &mut self.runtime {
            let more = runtime.enter(|local, _| {
                let _nest = elsewhere.then(Nest::without_driver);
                local.poll_tick(&mut cx).is_ready()
            });
            if more {
                self.bell.ring();
            }
        }
        let Some(main) = self.main.take_if(|main| main.is_finished()) else {
            return Poll::Pending;
        };
        match ended(main) {
            Ok(output) => Poll::Ready(Ok(output)),
            Err(JoinError::Cancelled(cause)) => Poll::Ready(Err(RunError::Cancelled(cause))),
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(JoinError::Refused(reason)) => unreachable!("the runtime was open: {reason}"),
        }
    }

    /// Ends the guest's time and gives the runtime back; a main future that has not ended is
    /// cancelled, and cleans up when the runtime runs again or is shut down.
    pub fn finish(mut self) -> Runtime {
        self.leave().expect("it is taken once")
    }
}

impl<T> Guest<T> {
    fn leave(&mut self) -> Option<Runtime> {
        if let Some(engine) = self.engine.take() {
            engine.stop();
        }
        let mut runtime = self.runtime.take()?;
        let main = self.main.take();
        runtime.enter(|_, _| drop(main));
        Some(runtime)
    }
}

impl<T> Drop for Guest<T> {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// The outcome of a task that is complete.
fn ended<T>(mut task: Task<T>) -> Result<T, JoinError> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(&mut task).poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it is complete, and nothing bounds this poll"),
    }
}

impl Bell {
    fn ring(&self) {
        // Ordering: AcqRel, pairs with `answer`: what the one who rings did before is seen by the
        // step that follows, which clears the bell before it looks.
        if !self.rung.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    fn answer(&self) {
        // Ordering: AcqRel, pairs with `ring`.
        self.rung.swap(false, Ordering::AcqRel);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Engine {
    /// `None` if there is no driver to take out.
    fn start(home: &Lent<Driver>) -> io::Result<Option<Engine>> {
        let Some(mut driver) = home.take() else {
            return Ok(None);
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let unparker = driver.unparker();
        let thread = thread::Builder::new()
            .name("pirn-guest".to_owned())
            .spawn(move || {
                // Ordering: Relaxed, the unpark that follows orders it; the join publishes the rest.
                while !stopped.load(Ordering::Relaxed) {
                    if let Err(error) = driver.park(Until::Woken) {
                        report(Report::Error {
                            task: None,
                            error: error.into(),
                        });
                        break;
                    }
                }
                driver
            })?;
        Ok(Some(Engine {
            stop,
            unpark: Box::new(move || unparker.unpark()),
            thread,
            home: home.clone(),
        }))
    }

    /// Brings the driver home.
    fn stop(self) {
        // Ordering: Relaxed, see `start`.
        self.stop.store(true, Ordering::Relaxed);
        (self.unpark)();
        // It panics only if a waker of the user's does, and then the driver is lost.
        if let Ok(driver) = self.thread.join() {
            self.home.put_back(driver);
        }
    }
}

impl<T> fmt::Debug for Guest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("main", &self.main)
            .finish_non_exhaustive()
    }
}
