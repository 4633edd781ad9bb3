//! A time that is moved by hand, a sleep that moves it, and wakers that count.
#![allow(dead_code)] // Each test binary uses its part.

use pirn_core::context::{Entered, Handles};
use pirn_core::{Instant, Park, ParkError, Unpark, Until};
use pirn_timer::{TimeSource, Timer, TimerPark};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A time that stands still until it is moved.
#[derive(Clone, Default)]
pub(crate) struct Manual {
    nanos: Arc<AtomicU64>,
    reads: Arc<AtomicUsize>,
    slack: Duration,
}

impl Manual {
    pub(crate) fn with_slack(slack: Duration) -> Self {
        Manual {
            slack,
            ..Manual::default()
        }
    }

    pub(crate) fn set(&self, nanos: u64) {
        self.nanos.fetch_max(nanos, SeqCst);
    }

    /// How often it was read since the last call.
    pub(crate) fn take_reads(&self) -> usize {
        self.reads.swap(0, SeqCst)
    }
}

impl TimeSource for Manual {
    fn now(&self) -> Instant {
        self.reads.fetch_add(1, SeqCst);
        Instant::from_nanos(self.nanos.load(SeqCst))
    }

    fn slack(&self) -> Duration {
        self.slack
    }
}

/// What happened to a [`Jump`], and what it shall do.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) parks: Arc<Mutex<Vec<Until>>>,
    pub(crate) unparks: Arc<AtomicUsize>,
    during: Arc<Mutex<Option<Once>>>,
}

type Once = Box<dyn FnOnce() + Send>;

impl Log {
    /// What the driver was asked to sleep for since the last call.
    pub(crate) fn take_parks(&self) -> Vec<Until> {
        std::mem::take(&mut self.parks.lock().unwrap())
    }

    pub(crate) fn unparks(&self) -> usize {
        self.unparks.load(SeqCst)
    }

    /// Runs `f` during the next sleep, instead of jumping to its end.
    pub(crate) fn during(&self, f: impl FnOnce() + Send + 'static) {
        *self.during.lock().unwrap() = Some(Box::new(f));
    }
}

/// An inner driver that sleeps by moving the time to the end of the sleep.
pub(crate) struct Jump {
    time: Manual,
    log: Log,
}

#[derive(Clone)]
pub(crate) struct CountUnparks(Log);

impl Unpark for CountUnparks {
    fn unpark(&self) {
        self.0.unparks.fetch_add(1, SeqCst);
    }
}

impl Park for Jump {
    type Unpark = CountUnparks;

    fn unparker(&self) -> CountUnparks {
        CountUnparks(self.log.clone())
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        self.log.parks.lock().unwrap().push(until);
        let during = self.log.during.lock().unwrap().take();
        match (during, until) {
            (Some(f), _) => f(),
            (None, Until::At(at)) => self.time.set(at.as_nanos()),
            (None, _) => {}
        }
        Ok(())
    }
}

/// A driver by hand-moved time.
pub(crate) struct Fixture {
    pub(crate) driver: TimerPark<Jump>,
    pub(crate) timer: Timer,
    pub(crate) time: Manual,
    pub(crate) log: Log,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Fixture::with_slack(Duration::ZERO)
    }

    pub(crate) fn with_slack(slack: Duration) -> Self {
        let time = Manual::with_slack(slack);
        let log = Log::default();
        let inner = Jump {
            time: time.clone(),
            log: log.clone(),
        };
        let driver = TimerPark::new(inner, time.clone());
        Fixture {
            timer: driver.timer(),
            driver,
            time,
            log,
        }
    }

    /// Moves the time and lets the driver look.
    pub(crate) fn advance_to(&mut self, nanos: u64) {
        self.time.set(nanos);
        self.driver.park(Until::Now).unwrap();
        self.log.take_parks();
    }

    /// Makes the timer the thread's ambient clock.
    pub(crate) fn enter(&self) -> Entered {
        let mut handles = Handles::default();
        handles.clock = Some(Arc::new(self.timer.clone()));
        Rc::new(handles).enter()
    }
}

pub(crate) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

pub(crate) fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Arc<Count> {
        Arc::default()
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A waker that runs a closure.
pub(crate) struct Calls<F>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

pub(crate) fn calls(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Calls(f)).into()
}

/// Polls once with a counting waker.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    poll_with(future, &count.clone().into())
}

pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}
