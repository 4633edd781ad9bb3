//! The races of calls: made, made ready, run and cancelled on several threads.

use crate::count::Count;
use crate::tokens::poll_once;
use pirn_core::calls::CallQueue;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, Mutex, thread};
use pirn_core::{BoxSleep, BoxTask, Clock, DynSpawn, Instant, Refused, TaskMeta};
use std::future::{pending, ready};
use std::pin::Pin;
use std::task::Waker;

/// The tasks that were spawned, to be polled by hand.
#[derive(Clone)]
struct Tasks(Arc<Mutex<Vec<BoxTask>>>);

impl DynSpawn for Tasks {
    fn spawn_boxed(&self, _: TaskMeta, task: BoxTask) -> Result<(), Refused<BoxTask>> {
        self.0.lock().push(task);
        Ok(())
    }
}

impl Tasks {
    fn take(&self) -> Vec<BoxTask> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// It is `now`; what comes later never comes. Keeps for when the last sleep was.
#[derive(Clone)]
struct Still(Arc<Mutex<Instant>>, Instant);

impl Clock for Still {
    fn now(&self) -> Instant {
        self.1
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        *self.0.lock() = at;
        match at <= self.1 {
            true => Box::pin(ready(())),
            false => Box::pin(pending()),
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn queue() -> (CallQueue, Tasks, Still) {
    let tasks = Tasks(Arc::new(Mutex::new(Vec::new())));
    let clock = Still(Arc::new(Mutex::new(Instant::NEVER)), at(10));
    let (spawner, time) = (std::sync::Arc::new(tasks.clone()), clock.clone());
    let queue = CallQueue::new(spawner, Some(std::sync::Arc::new(time)));
    (queue, tasks, clock)
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn counting(count: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let count = Arc::clone(count);
    move || {
        // Ordering: Relaxed, read when all threads were joined.
        count.fetch_add(1, Relaxed);
    }
}

fn poll_all(tasks: Vec<BoxTask>) {
    for mut task in tasks {
        assert!(poll_once(Pin::new(&mut task), Waker::noop()).is_ready());
    }
}

#[test]
fn two_calls_that_are_made_at_once_both_run_once() {
    shim::model(|| {
        let (queue, tasks, _) = queue();
        let count = Arc::new(AtomicUsize::new(0));
        let (elsewhere, call) = (queue.clone(), counting(&count));
        let maker = thread::spawn(move || drop(elsewhere.call_soon(call).unwrap()));
        drop(queue.call_soon(counting(&count)).unwrap());
        poll_all(tasks.take());
        maker.join().unwrap();
        poll_all(tasks.take());
        // Ordering: Relaxed, all threads were joined.
        assert_eq!(count.load(Relaxed), 2);
    });
}

#[test]
fn a_call_is_cancelled_or_runs_and_never_both() {
    shim::model(|| {
        let (queue, tasks, _) = queue();
        let count = Arc::new(AtomicUsize::new(0));
        let handle = queue.call_soon(counting(&count)).unwrap();
        let runner = thread::spawn(move || poll_all(tasks.take()));
        let cancelled = handle.cancel();
        runner.join().unwrap();
        // Ordering: Relaxed, all threads were joined.
        assert_eq!(count.load(Relaxed), usize::from(!cancelled));
        assert_eq!(handle.is_cancelled(), cancelled);
    });
}

#[test]
fn a_timed_call_is_cancelled_or_runs_and_never_both() {
    shim::model(|| {
        let (queue, tasks, _) = queue();
        let count = Arc::new(AtomicUsize::new(0));
        let handle = queue.call_at(at(5), counting(&count)).unwrap();
        let runner = thread::spawn(move || {
            poll_all(tasks.take()); // the driver
            poll_all(tasks.take()); // the turn
        });
        let cancelled = handle.cancel();
        runner.join().unwrap();
        // Ordering: Relaxed, all threads were joined.
        assert_eq!(count.load(Relaxed), usize::from(!cancelled));
    });
}

#[test]
fn an_earlier_call_that_comes_as_the_driver_goes_to_sleep_wakes_it_or_is_seen() {
    shim::model(|| {
        let (queue, tasks, clock) = queue();
        drop(queue.call_at(at(30), || ()).unwrap());
        let mut driver = tasks.take().remove(0);
        let count = Count::new();
        let waker = count.waker();
        let elsewhere = queue.clone();
        let maker = thread::spawn(move || drop(elsewhere.call_at(at(20), || ()).unwrap()));
        assert!(poll_once(Pin::new(&mut driver), &waker).is_pending());
        maker.join().unwrap();
        let slept_for = *clock.0.lock();
        assert!(slept_for == at(20) || count.wakes() > 0);
        assert!(poll_once(Pin::new(&mut driver), &waker).is_pending());
        assert_eq!(*clock.0.lock(), at(20));
        // It takes the calls along: the queue keeps its own tasks alive otherwise.
        drop(driver);
    });
}

#[test]
fn a_call_that_is_made_as_the_driver_ends_has_a_driver() {
    shim::model(|| {
        let (queue, tasks, _) = queue();
        let first = queue.call_at(at(30), || ()).unwrap();
        let mut driver = tasks.take().remove(0);
        first.cancel();
        let count = Arc::new(AtomicUsize::new(0));
        let (elsewhere, call) = (queue.clone(), counting(&count));
        let maker = thread::spawn(move || drop(elsewhere.call_at(at(5), call).unwrap()));
        assert!(poll_once(Pin::new(&mut driver), Waker::noop()).is_ready());
        drop(driver);
        maker.join().unwrap();
        // A new driver, or the turn that the old one made; then the turn of the new one.
        poll_all(tasks.take());
        poll_all(tasks.take());
        // Ordering: Relaxed, all threads were joined.
        assert_eq!(count.load(Relaxed), 1);
    });
}
