//! A run under virtual time.

use crate::ambient;
use crate::blocking::{Inline, Late};
use crate::book::expecting;
use crate::check::Telling;
use crate::clock::{Hold, JumpPark, MainWaker, VirtualTime, Watch, WatchedPark, World};
use crate::deadlock::{self, Deadlock};
use crate::event::Who;
use crate::jitter::{self, Jitter, LateClock};
use crate::trace::Trace;
use pirn_core::budget::inspect;
use pirn_core::calls::CallQueue;
use pirn_core::context::Handles;
use pirn_core::shim::Arc;
use pirn_core::{Cause, Clock, Kind, Rooted, Scope};
use pirn_executor::{Ended, LocalExecutor, Order};
use pirn_timer::TimerPark;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// One deterministic run of a program, or the settings of many.
///
/// Use [`check`](crate::check) for many runs under different seeds.
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
    settings: Settings,
}

/// What can be said of a run before it begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) seed: Option<u64>,
    pub(crate) workers: Option<usize>,
    pub(crate) ranked: bool,
    pub(crate) threshold: Duration,
    pub(crate) paused: bool,
    pub(crate) jitter: Duration,
}

/// How long what is left may go on after the main future has ended, in virtual time.
const GRACE: Duration = Duration::from_secs(3600);

const NOT_DROPPED: &str = "the main future is not dropped before the run has ended";

/// What a program finds that wants a socket, a file, a process or a signal.
const NO_SYSTEM: &str = "a simulated program cannot reach the system; \
                         for a socket use the in-memory streams and network of `pirn_sim`; \
                         for a file any reader or writer, such as `futures::io::Cursor` in memory, or \
                         `std::fs` before the run or in `to_thread`; \
                         for a process `std::process` in `to_thread`, or a stand-in; \
                         for a signal an `Event` or a `CancelToken` that the test sets";

impl Default for Sim {
    fn default() -> Self {
        Sim::new()
    }
}

impl Sim {
    /// A run at the clock's first instant, whose tasks run in the order in which they became ready.
    pub fn new() -> Self {
        Sim::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Sim {
            world: Arc::new(World::default()),
            settings,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Lets a random one of the ready tasks run next, the same for the same seed; and closures for
    /// threads at random moments. Now and then a task gives way at an await of something of pirn's that
    /// has nothing to wait for, such as a lock that is free: on other threads others may come between.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Lets so many workers run the tasks, as a runtime with threads does: each has a queue of its
    /// own and steals from the others when that is empty. All of it happens on this thread, in an
    /// order that the [seed](Self::seed) determines (0 if there is none).
    ///
    /// One worker may lag far behind while another goes on, which hardly ever happens where any
    /// ready task may be next.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// Gives each task a random rank, and runs the ready one of the highest; now and then one that runs
    /// gets another. The [seed](Self::seed) determines them (0 if there is none).
    ///
    /// It finds what goes wrong only where one task is very late. With [workers](Self::workers) there are
    /// no ranks.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    ///
    /// // Under some seeds a task of twenty turns ends before another one has had its first.
    /// let is_late = |seed| Sim::new().ranked().seed(seed).run(async {
    ///     let fast = pirn_executor::spawn(async {
    ///         for _ in 0..20 {
    ///             pirn_core::yield_now().await;
    ///         }
    ///     });
    ///     let late = pirn_executor::spawn(async move { fast.is_finished() });
    ///     late.await.unwrap()
    /// });
    /// assert!((0..100).any(is_late) && !(0..100).all(is_late));
    /// ```
    #[must_use]
    pub fn ranked(mut self) -> Self {
        self.settings.ranked = true;
        self
    }

    /// The schedule that [`check`](crate::check) gives a program under this seed: one fourth of them
    /// any ready task next, one fourth [ranked](Self::ranked), and one half two to four
    /// [workers](Self::workers).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    ///
    /// let answer = Sim::new().schedule(17).run(async { 42 });
    /// assert_eq!(answer, 42);
    /// ```
    #[must_use]
    pub fn schedule(mut self, seed: u64) -> Self {
        self.settings = self.settings.schedule(seed);
        self
    }

    /// Lets the clock jump only after nothing has happened for so long of *real* time: for programs
    /// that work with threads which cannot be given a [`Hold`]. Zero if nothing is said.
    ///
    /// Such a run is not the same each time.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = futures::channel::oneshot::channel();
    /// let thread = std::thread::spawn(move || sender.send(1).unwrap());
    /// let sim = Sim::new().threshold(Duration::from_secs(5)); // ends as soon as it is woken
    /// assert_eq!(sim.run(receiver), Ok(1));
    /// thread.join().unwrap();
    /// ```
    #[must_use]
    pub fn threshold(mut self, threshold: Duration) -> Self {
        self.settings.threshold = threshold;
        self
    }

    /// Begins with a clock that stands still, to be moved by [`advance`](crate::advance) alone.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.settings.paused = true;
        self
    }

    /// Lets timers be late: each fires at its time or up to `bound` after it, as the [seed](Self::seed)
    /// says (0 if there is none), and never before. Zero, if nothing is said: each fires at its time.
    ///
    /// With exact timers a sleep of 10 ms always ends before one of 11 ms, so a program that counts on
    /// that passes under all schedules, and fails on a machine that is busy. Ask for it where durations
    /// stand for an order: sleeps that are "long enough", heartbeats and their timeouts, leases, retries.
    /// A bound as large as the differences between them finds what goes wrong; half of all timers are on
    /// time all the same, so that some still fire together. It goes for all that waits for a time: sleeps,
    /// timeouts, deadlines of scopes, intervals, calls at a time, and what is on the way in a
    /// [`Network`](crate::net::Network). [`advance`](crate::advance) goes on for exactly as long as it is
    /// told, without the timers that are late beyond that.
    ///
    /// What it costs: what a test says of the exact time is no longer so, only that nothing is early;
    /// runs of the same program under two seeds differ in their times; and each timer takes an
    /// allocation. So it is for tests of its own, with [`check`](Self::check). To try tests that do not ask
    /// for it, set `PIRN_JITTER=5ms` in the environment (a whole number of `s`, `ms`, `us` or `ns`): it goes
    /// for whatever [`check`](crate::check()) and the facade's attribute run, in place of what they ask for.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    /// use pirn_timer::sleep;
    /// use std::time::Duration;
    ///
    /// let ms = Duration::from_millis;
    /// // Whether a task of 10 ms has ended after 11.
    /// let in_time = |sim: Sim| sim.run(async move {
    ///     let task = pirn_executor::spawn(sleep(ms(10)));
    ///     sleep(ms(11)).await;
    ///     task.is_finished()
    /// });
    /// assert!((0..50).all(|seed| in_time(Sim::new().schedule(seed))));
    /// assert!(!(0..50).all(|seed| in_time(Sim::new().schedule(seed).jitter(ms(5)))));
    /// ```
    #[must_use]
    pub fn jitter(mut self, bound: Duration) -> Self {
        self.settings.jitter = bound;
        self
    }

    /// Keeps the clock from jumping until the guard is dropped.
    #[must_use = "the clock is held until the guard is dropped"]
    pub fn hold(&self) -> Hold {
        self.world.hold()
    }

    /// Keeps what happens in the run; to be asked for before it.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    ///
    /// let sim = Sim::new();
    /// let trace = sim.trace();
    /// sim.run(async { pirn_executor::spawn(async {}).await.unwrap() });
    /// assert!(trace.to_string().contains("#1         returned"));
    /// ```
    pub fn trace(&self) -> Trace {
        Trace::of(&self.world)
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// Runs `main` to its end; then asks what is left to end, and waits for it, up to an hour of virtual
    /// time. A panic is followed by a line on standard error with the seed, and in a test by one that runs
    /// the test alone; [`check`](crate::check) tells more, and a trace.
    ///
    /// # Panics
    ///
    /// If `main` panics, or waits for ever ([`Deadlock`]), or cancels its own scope. Before that, what is
    /// left is asked to end as well, and is waited for, without regard for a [`Hold`].
    #[track_caller]
    pub fn run<F: Future>(self, main: F) -> F::Output {
        let _telling = Telling::of(self.settings);
        self.run_untold(main)
    }

    #[track_caller]
    pub(crate) fn run_untold<F: Future>(self, main: F) -> F::Output {
        match self.try_untold(main) {
            Ok(output) => output,
            Err(deadlock) => panic!("{deadlock}"),
        }
    }

    /// As [`run`](Self::run), with the [trace](Self::trace).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::Sim;
    /// use std::time::Duration;
    ///
    /// let program = || async {
    ///     let task = pirn_executor::spawn(pirn_timer::sleep(Duration::from_millis(5)));
    ///     pirn_timer::sleep(Duration::from_millis(5)).await;
    ///     task.await.unwrap();
    /// };
    /// let (_, first) = Sim::new().seed(7).run_traced(program());
    /// let (_, again) = Sim::new().seed(7).run_traced(program());
    /// assert_eq!(first.to_string(), again.to_string());
    /// ```
    #[track_caller]
    pub fn run_traced<F: Future>(self, main: F) -> (F::Output, Trace) {
        let trace = self.trace();
        (self.run(main), trace)
    }

    /// As [`run`](Self::run), with a deadlock as an error.
    ///
    /// # Errors
    ///
    /// [`Deadlock`] if `main` waits for ever. It and the tasks are polled once more then, to find out
    /// what they wait for, and its future is dropped.
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
        let _telling = Telling::of(self.settings);
        self.try_untold(main)
    }

    #[track_caller]
    fn try_untold<F: Future>(self, main: F) -> Result<F::Output, Deadlock> {
        let world = &self.world;
        self.settings.apply(world);
        let hooks = std::sync::Arc::new(Watch(Arc::clone(world)));
        let executor = LocalExecutor::with_hooks(self.settings.order(), hooks);
        let timers = TimerPark::new(JumpPark(Arc::clone(world)), VirtualTime(world.clone()));
        let timer = timers.timer();
        let late = Arc::<Late>::default();
        let mut park = WatchedPark {
            inner: timers,
            world: Arc::clone(world),
            late: Arc::clone(&late),
        };
        let reaper = Scope::detached();
        let mut handles = Handles::default();
        handles.spawner = Some(std::sync::Arc::new(executor.handle()));
        handles.local_spawner = Some(Rc::new(executor.handle()));
        let clock: std::sync::Arc<dyn Clock> = match self.settings.jitter {
            Duration::ZERO => std::sync::Arc::new(timer.clone()),
            _ => std::sync::Arc::new(LateClock {
                timer: timer.clone(),
                world: Arc::clone(world),
            }),
        };
        handles.clock = Some(std::sync::Arc::clone(&clock));
        handles.blocking = Some(std::sync::Arc::new(Inline {
            spawner: executor.handle(),
            late: Arc::clone(&late),
            world: Arc::clone(world),
            seeded: self.settings.is_seeded(),
        }));
        handles.reaper = Some(reaper.clone());
        handles.calls = Some(CallQueue::new(
            std::sync::Arc::new(executor.handle()),
            Some(clock),
        ));
        handles.no_system = Some(NO_SYSTEM);
        let (_entered, _around) = (Rc::new(handles).enter(), ambient::enter(world));

        // Keeps what was abandoned until the end.
        let keep = reaper.run(pending::<()>());
        let _keeping = expecting(Who::Reaper, || executor.spawn(keep));
        let mut main = pin!(Some(Rooted::new(main)));
        let mut waker = None;
        let watched = poll_fn(|cx| {
            let mut main = main.as_mut().as_pin_mut().expect(NOT_DROPPED);
            let waker = waker.get_or_insert_with(|| main_waker(world, cx));
            let mut cx = Context::from_waker(waker);
            world.polling(Who::Main);
            let polled = catch_unwind(AssertUnwindSafe(|| {
                let _refilled = inspect::refill();
                main.as_mut().poll(&mut cx)
            }));
            world.polled(Who::Main);
            let how = match &polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(_))) => Ended::Returned,
                Ok(Poll::Ready(Err(_))) => Ended::Cancelled,
                Err(_) => Ended::Panicked,
            };
            world.tell(|book, now| book.main_ended(now, how));
            Poll::Ready(match polled {
                Ok(Poll::Ready(ended)) => Ok(ended),
                Ok(Poll::Pending) => return Poll::Pending,
                Err(payload) => Err(payload),
            })
        });
        let ended = executor.run(&mut park, watched);
        let deadlock = match &ended {
            Err(_) if world.is_deadlocked() => {
                let waker = waker.as_ref().unwrap_or(Waker::noop());
                let main = main.as_mut().as_pin_mut().expect(NOT_DROPPED);
                Some(deadlock::report(world, &executor, main, waker))
            }
            _ => None,
        };
        if !matches!(ended, Ok(Ok(Ok(_)))) {
            world.fail();
        }
        // Before the others clean up, who may want what it holds.
        main.set(None);
        let shut = Cause::new(
            Kind::Shutdown,
            "the simulated program's main future has ended",
        );
        reaper.cancel(shut);
        world.end();
        let end = timer.sleep(GRACE);
        let shutdown = executor.shutdown(&mut park, end);
        late.close();
        match (ended, deadlock) {
            (Ok(Ok(Ok(output))), _) => {
                shutdown.expect("a sleep is left, so that the clock always has a next instant");
                Ok(output)
            }
            (Ok(Ok(Err(cause))), _) => panic!("the main future was {cause}"),
            (Ok(Err(payload)), _) => resume_unwind(payload),
            (Err(_), Some(deadlock)) => Err(deadlock),
            (Err(error), None) => panic!("{error}"),
        }
    }
}

fn main_waker(world: &Arc<World>, cx: &Context<'_>) -> Waker {
    Waker::from(std::sync::Arc::new(MainWaker {
        world: Arc::clone(world),
        inner: cx.waker().clone(),
    }))
}

impl Settings {
    /// See [`Sim::schedule`]. What somebody asked for stays.
    pub(crate) fn schedule(mut self, seed: u64) -> Settings {
        self.seed = Some(seed);
        if self.workers.is_none() && !self.ranked {
            self.ranked = seed % 4 == 1;
            self.workers = (seed % 4 > 1).then_some(2 + (seed / 4 % 3) as usize);
        }
        self
    }

    /// In words.
    pub(crate) fn told(self) -> String {
        let order = match (self.seed, self.workers, self.ranked) {
            (None, None, false) => "in every run".to_owned(),
            (seed, Some(workers), _) => {
                format!("under seed {} ({workers} workers)", seed.unwrap_or(0))
            }
            (seed, None, true) => format!("under seed {} (ranked)", seed.unwrap_or(0)),
            (Some(seed), None, false) => format!("under seed {seed}"),
        };
        match self.jitter {
            Duration::ZERO => order,
            bound => format!("{order}, with timers up to {} late", jitter::written(bound)),
        }
    }

    fn is_seeded(self) -> bool {
        self.seed.is_some() || self.workers.is_some() || self.ranked
    }

    fn order(self) -> Order {
        let seed = self.seed.unwrap_or(0);
        match self.workers {
            Some(workers) => Order::Stealing { seed, workers },
            None if self.ranked => Order::Ranked(seed),
            None if self.seed.is_some() => Order::Seeded(seed),
            None => Order::Fifo,
        }
    }

    fn apply(self, world: &World) {
        world.with_book(|book| book.begin());
        world.set_threshold(self.threshold);
        // Not the numbers of the scheduler once more.
        world.seed(!self.seed.unwrap_or(0));
        if self.is_seeded() {
            world.seed_rations(self.seed.unwrap_or(0).rotate_left(32));
        }
        if !self.jitter.is_zero() {
            world.set_jitter(Jitter::new(self.seed.unwrap_or(0), self.jitter));
        }
        if self.paused {
            world.pause();
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
