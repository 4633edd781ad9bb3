//! A runtime inside a foreign loop.

use crate::current::Running;
use crate::lent::Lent;
use crate::nested::Nest;
use crate::runtime::{Driver, RunError, Runtime, Threads};
use pirn_core::report::{Report, report};
use pirn_core::{JoinError, Park, Unpark, Until};
use pirn_executor::{Task, ThreadPark};
use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
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

/// The thread that waits for timers and sockets. Dropping it ends the thread and brings the driver
/// home.
struct Engine {
    stop: Arc<AtomicBool>,
    unpark: Box<dyn Fn()>,
    /// Taken by the drop.
    thread: Option<JoinHandle<Option<Driver>>>,
    home: Lent<Driver>,
}

impl<T: 'static> Guest<T> {
    /// Makes `runtime` the guest of the loop that `wake` tells to call [`step`](Self::step).
    ///
    /// `wake` is called on any thread, the loop's own included, and at most once between two steps;
    /// for the first time before this returns, and not after the guest's end.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread. The runtime is then dropped, which [shuts it
    /// down](Runtime::shutdown); so it is if that first `wake` panics.
    pub fn new<F>(
        runtime: Runtime,
        main: F,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = T> + 'static,
    {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(false),
            wake: Box::new(wake),
        });
        // Whole from the beginning, so that whatever fails from here on ends it in good order.
        let mut guest = Guest {
            main: None,
            waker: Arc::clone(&bell).into(),
            bell,
            engine: None,
            runtime: None,
        };
        let runtime = guest.runtime.insert(runtime);
        if let Threads::Current(driver) = &runtime.threads {
            guest.engine = Engine::start(driver)?;
        }
        guest.main = Some(runtime.enter(|local, _| local.spawn(main)));
        guest.bell.ring();
        Ok(guest)
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
        self.bell.mute();
        drop(self.engine.take());
        let mut runtime = self.runtime.take()?;
        let main = self.main.take();
        runtime.enter(|local, _| {
            drop(main);
            // A run that ends at once: the executor lets go of the waker that the last step left.
            let _ = local.run(&mut ThreadPark::new(), ready(()));
        });
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

    /// No step follows: it stays rung, and so tells nobody any more.
    fn mute(&self) {
        // Ordering: Relaxed, publishes nothing.
        self.rung.store(true, Ordering::Relaxed);
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
        if !home.is_home() {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // The driver leaves home only when there is a thread for it.
        let (send, sent) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("pirn-guest".to_owned())
            .spawn(move || {
                let mut driver: Driver = sent.recv().ok()?;
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
                Some(driver)
            })?;
        let unparker = home.unparker();
        let engine = Engine {
            stop,
            unpark: Box::new(move || unparker.unpark()),
            thread: Some(thread),
            home: home.clone(),
        };
        if let Some(driver) = home.take() {
            // The thread waits for it.
            let _ = send.send(driver);
        }
        Ok(Some(engine))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Ordering: Relaxed, see `start`.
        self.stop.store(true, Ordering::Relaxed);
        (self.unpark)();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Some(driver))) => self.home.put_back(driver),
            // A waker of the user's did it, and the driver is lost.
            Some(Err(payload)) => report(Report::Panic {
                task: None,
                payload,
            }),
            Some(Ok(None)) | None => {}
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
