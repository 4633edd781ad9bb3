//! The races of the driver: timers that are made, moved, polled and dropped on other threads while
//! it fires, or falls asleep.

use pirn_core::shim::atomic::{AtomicU64, Ordering::SeqCst};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::{Instant, Park, ParkError, Until};
use pirn_timer::{Sleep, ThreadPark, ThreadUnpark, TimeSource, Timer, TimerPark};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

/// A time that stands still until it is moved. Changed by the driver's thread alone in each model,
/// so that it needs no order beyond its own.
#[derive(Clone)]
pub(crate) struct Manual(Arc<AtomicU64>);

impl Manual {
    fn new() -> Self {
        Manual(Arc::new(AtomicU64::new(0)))
    }

    pub(crate) fn set(&self, nanos: u64) {
        self.0.store(nanos, SeqCst);
    }
}

impl TimeSource for Manual {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(SeqCst))
    }

    fn slack(&self) -> Duration {
        Duration::ZERO
    }
}

/// The end of times that come. A later one never does: that sleep must be ended by an unpark.
pub(crate) const HORIZON: u64 = 100;

/// Sleeps by the shipped [`ThreadPark`], to the near future by moving the time.
pub(crate) struct Inner {
    time: Manual,
    thread: ThreadPark,
}

impl Park for Inner {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        self.thread.unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        match until {
            Until::Now => Ok(()),
            Until::At(at) if at.as_nanos() <= HORIZON => {
                self.time.set(at.as_nanos());
                Ok(())
            }
            Until::At(_) | Until::Woken => self.thread.park(Until::Woken),
        }
    }
}

pub(crate) fn driver() -> (TimerPark<Inner>, Timer, Manual) {
    let time = Manual::new();
    let inner = Inner {
        time: time.clone(),
        thread: ThreadPark::new(),
    };
    let driver = TimerPark::new(inner, time.clone());
    let timer = driver.timer();
    (driver, timer, time)
}

/// Counts its wakes, by std's atomics: nothing is to be explored in it.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> std::sync::Arc<Count> {
        std::sync::Arc::default()
    }

    pub(crate) fn get(&self) -> usize {
        // Ordering: read after the threads were joined.
        self.0.load(Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        // Ordering: a count.
        self.0.fetch_add(1, Relaxed);
    }
}

pub(crate) fn poll(sleep: &mut Sleep, count: &std::sync::Arc<Count>) -> Poll<()> {
    let waker = count.clone().into();
    Pin::new(sleep).poll(&mut Context::from_waker(&waker))
}

pub(crate) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Fires what is due at `nanos`, on another thread.
fn fires_at(
    mut driver: TimerPark<Inner>,
    time: Manual,
    nanos: u64,
) -> thread::JoinHandle<TimerPark<Inner>> {
    thread::spawn(move || {
        time.set(nanos);
        driver.park(Until::Now).unwrap();
        driver
    })
}

/// Parks until `nanos` have come, on another thread.
fn sleeps_until(
    mut driver: TimerPark<Inner>,
    time: Manual,
    nanos: u64,
) -> thread::JoinHandle<TimerPark<Inner>> {
    thread::spawn(move || {
        while time.now() < at(nanos) {
            driver.park(Until::Woken).unwrap();
        }
        driver
    })
}

#[test]
fn a_timer_made_while_the_driver_falls_asleep_without_any_is_not_lost() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let sleeper = sleeps_until(driver, time, 5);
        block_on(timer.sleep_until(at(5)));
        sleeper.join().unwrap();
    });
}

#[test]
fn a_timer_earlier_than_the_sleep_the_driver_begins_is_not_lost() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let count = Count::new();
        let mut far = timer.sleep_until(at(10 * HORIZON));
        assert!(poll(&mut far, &count).is_pending());
        let sleeper = sleeps_until(driver, time, 5);
        block_on(timer.sleep_until(at(5)));
        drop(sleeper.join().unwrap());
        assert_eq!(count.get(), 1, "woken by the driver's end");
    });
}

#[test]
fn a_waiting_timer_that_is_moved_before_the_driver_s_sleep_ends_it() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(10 * HORIZON));
        assert!(poll(&mut sleep, &count).is_pending());
        let sleeper = sleeps_until(driver, time, 5);
        sleep.reset(at(5));
        sleeper.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn two_timers_of_two_threads_both_fire_though_the_driver_is_unparked_once() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let sleeper = sleeps_until(driver, time, 7);
        let other = timer.clone();
        let second = thread::spawn(move || {
            let count = Count::new();
            let mut sleep = other.sleep_until(at(5));
            let ready = poll(&mut sleep, &count).is_ready();
            (sleep, count, ready)
        });
        let first_count = Count::new();
        let mut first = timer.sleep_until(at(7));
        assert!(poll(&mut first, &first_count).is_pending());
        let (second, second_count, ready) = second.join().unwrap();
        let mut driver = sleeper.join().unwrap();
        assert_eq!(first_count.get(), 1);
        // It may have come after the last turn.
        driver.park(Until::Now).unwrap();
        assert_eq!(second_count.get(), usize::from(!ready));
        drop(second);
    });
}

#[test]
fn a_timer_made_while_the_driver_fires_is_fired_then_or_at_the_next_turn() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let firing = fires_at(driver, time, 5);
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(5));
        let ready = poll(&mut sleep, &count).is_ready();
        let mut driver = firing.join().unwrap();
        driver.park(Until::Now).unwrap();
        assert_eq!(count.get(), usize::from(!ready));
        assert!(poll(&mut sleep, &count).is_ready());
    });
}

#[test]
fn a_timer_that_is_moved_later_while_it_fires_still_fires_at_its_new_time() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &count).is_pending());
        let firing = fires_at(driver, time.clone(), 5);
        sleep.reset(at(10));
        let mut driver = firing.join().unwrap();
        let early = count.get();
        assert!(early <= 1, "for the old time, if that was first");
        assert!(poll(&mut sleep, &count).is_pending());
        time.set(10);
        driver.park(Until::Now).unwrap();
        assert_eq!(count.get(), early + 1);
        assert!(poll(&mut sleep, &count).is_ready());
    });
}

#[test]
fn a_timer_dropped_on_another_thread_while_it_fires_is_woken_at_most_once_and_leaves_nothing() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &count).is_pending());
        let dropping = thread::spawn(move || drop(sleep));
        let firing = fires_at(driver, time, 5);
        dropping.join().unwrap();
        drop(firing.join().unwrap());
        assert!(count.get() <= 1);
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_key_that_was_used_again_while_its_timer_fired_is_not_mistaken() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let (first, second) = (Count::new(), Count::new());
        let mut old = timer.sleep_until(at(5));
        assert!(poll(&mut old, &first).is_pending());
        let firing = fires_at(driver, time, 5);
        // Takes the entry that the firing leaves, or another one.
        let mut new = timer.sleep_until(at(10));
        assert!(poll(&mut new, &second).is_pending());
        drop(old);
        let mut driver = firing.join().unwrap();
        driver.park(Until::At(at(10))).unwrap();
        assert_eq!(second.get(), 1);
        assert!(poll(&mut new, &second).is_ready());
    });
}

#[test]
fn a_waker_replaced_while_the_timer_fires_is_woken_or_not_needed() {
    shim::model(|| {
        let (driver, timer, time) = driver();
        let (first, second) = (Count::new(), Count::new());
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &first).is_pending());
        let firing = fires_at(driver, time, 5);
        let polled = poll(&mut sleep, &second);
        drop(firing.join().unwrap());
        let woken = (first.get(), second.get());
        match polled {
            Poll::Ready(()) => assert_eq!(woken, (1, 0)),
            Poll::Pending => assert_eq!(woken, (0, 1)),
        }
    });
}

#[test]
fn the_shim_is_plugged_in() {
    shim::model_must_fail(|| {
        let (driver, timer, time) = driver();
        let count = Count::new();
        let firing = fires_at(driver, time.clone(), 5);
        let mut sleep = timer.sleep_until(at(5));
        let armed = poll(&mut sleep, &count).is_pending();
        let driver = firing.join().unwrap();
        let woken = count.get();
        drop((sleep, driver));
        // Wrong: one that is put in after the turn waits for the next.
        assert!(!armed || woken == 1);
    });
}
