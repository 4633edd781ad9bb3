//! What the scope tests share: a counting waker, a clock that stands still, a log of reports.

#![allow(dead_code, reason = "each test binary uses its part")]

use pirn_core::context::{Entered, Handles};
use pirn_core::report::{Report, set_hook};
use pirn_core::{BoxSleep, Clock, Instant};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Counter {
    pub(crate) fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (Arc::clone(&counter), counter.into())
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Polls once with a waker of no interest.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A clock that moves when it is told to.
#[derive(Default)]
pub(crate) struct Manual(Mutex<Times>);

#[derive(Default)]
struct Times {
    now: Instant,
    waiting: Vec<(Instant, Waker)>,
}

impl Manual {
    /// Makes a clock the ambient one of this thread.
    pub(crate) fn enter() -> (Arc<Manual>, Entered) {
        let clock = Arc::new(Manual::default());
        let mut handles = Handles::default();
        handles.clock = Some(Arc::new(Shared(Arc::clone(&clock))));
        (clock, Rc::new(handles).enter())
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.now = times.now + by;
        let now = times.now;
        let (due, rest) = std::mem::take(&mut times.waiting)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        times.waiting = rest;
        drop(times);
        let due: Vec<(Instant, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }
}

struct Shared(Arc<Manual>);

impl Clock for Shared {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Until {
            clock: Arc::clone(&self.0),
            at,
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

struct Until {
    clock: Arc<Manual>,
    at: Instant,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut times = self.clock.0.lock().unwrap();
        if times.now >= self.at {
            return Poll::Ready(());
        }
        times.waiting.push((self.at, cx.waker().clone()));
        Poll::Pending
    }
}

/// What was reported on this thread, taken out.
pub(crate) fn reports() -> Vec<String> {
    static SEEN: Mutex<Option<HashMap<ThreadId, Vec<String>>>> = Mutex::new(None);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Some(Arc::new(|report: &Report| {
            let mut seen = SEEN.lock().unwrap();
            let of_thread = seen
                .get_or_insert_default()
                .entry(thread::current().id())
                .or_default();
            of_thread.push(report.to_string());
        })));
    });
    let mut seen = SEEN.lock().unwrap();
    seen.get_or_insert_default()
        .remove(&thread::current().id())
        .unwrap_or_default()
}

/// A log of what happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    pub(crate) fn say(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    pub(crate) fn said(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }

    /// Says so when it is dropped.
    pub(crate) fn on_drop(&self, what: &'static str) -> OnDrop {
        OnDrop(self.clone(), what)
    }
}

pub(crate) struct OnDrop(Log, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Pending at each poll, as a foreign leaf: knows nothing of budgets and scopes. Counts its polls.
#[derive(Default)]
pub(crate) struct Foreign(pub(crate) Arc<AtomicUsize>);

impl Foreign {
    pub(crate) fn polls(count: &Arc<AtomicUsize>) -> usize {
        count.load(Relaxed)
    }
}

impl Future for Foreign {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.fetch_add(1, Relaxed);
        Poll::Pending
    }
}

/// A leaf of ours: ready once it is opened, and it spends budget.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        let wakers = std::mem::take(&mut gate.1);
        drop(gate);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn passed(&self) -> impl Future<Output = ()> + Send + use<> {
        let gate = self.clone();
        std::future::poll_fn(move |cx| {
            let mut state = gate.0.lock().unwrap();
            if !state.0 {
                state.1.push(cx.waker().clone());
                return Poll::Pending;
            }
            drop(state);
            pirn_core::budget::poll_spend(cx)
        })
    }
}
