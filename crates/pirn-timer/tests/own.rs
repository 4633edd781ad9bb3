//! A thread that is attached to its driver: its timers behave as all others do.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, calls, ns, poll, poll_with};
use pirn_core::{Instant, Park, Until};
use pirn_timer::{Monotonic, Sleep, ThreadPark, TimeSource, Timer, TimerPark};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// A sleep that notes its number when it fires.
fn noting(timer: &Timer, nanos: u64, number: u32, log: &Arc<Mutex<Vec<u32>>>) -> Sleep {
    let log = Arc::clone(log);
    let waker = calls(move || log.lock().unwrap().push(number));
    let mut sleep = timer.sleep_until(at(nanos));
    assert!(poll_with(&mut sleep, &waker).is_pending());
    sleep
}

fn timers(timer: &Timer) -> String {
    let shown = format!("{timer:?}");
    let (_, rest) = shown.split_once("timers: ").unwrap();
    rest.split(',').next().unwrap().to_owned()
}

#[test]
fn timers_of_both_kinds_fire_in_the_order_of_their_deadlines() {
    let mut f = Fixture::new();
    let log = Arc::default();
    let mut sleeps = vec![
        noting(&f.timer, 30, 3, &log),
        noting(&f.timer, 70_000, 6, &log),
    ];
    let _attached = f.timer.attach();
    sleeps.push(noting(&f.timer, 40, 4, &log));
    sleeps.push(noting(&f.timer, 20, 1, &log));
    sleeps.push(noting(&f.timer, 20, 2, &log));
    let (timer, other) = (f.timer.clone(), Arc::clone(&log));
    let elsewhere = thread::spawn(move || noting(&timer, 50, 5, &other));
    sleeps.push(elsewhere.join().unwrap());
    for number in 0..60 {
        sleeps.push(noting(
            &f.timer,
            100_000 + u64::from(number),
            7 + number,
            &log,
        ));
    }
    assert_eq!(timers(&f.timer), "66");
    f.advance_to(25);
    assert_eq!(*log.lock().unwrap(), [1, 2]);
    f.advance_to(1_000_000);
    assert!(log.lock().unwrap().iter().copied().eq(1..=66));
    assert_eq!(timers(&f.timer), "0");
}

#[test]
fn the_driver_sleeps_until_the_first_timer_of_either_kind() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut other = f.timer.sleep_until(at(50));
    assert!(poll(&mut other, &count).is_pending());
    let _attached = f.timer.attach();
    let mut own = f.timer.sleep_until(at(20));
    assert!(poll(&mut own, &count).is_pending());
    for until in [20, 50] {
        f.driver.park(Until::Woken).unwrap();
        assert_eq!(f.log.take_parks(), [Until::At(at(until))]);
    }
    assert_eq!(count.get(), 2);
    assert_eq!(f.log.unparks(), 0);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
}

#[test]
fn timers_outlive_the_attachment_and_can_be_moved_and_dropped_after_it() {
    let mut f = Fixture::new();
    let count = Count::new();
    let attached = f.timer.attach();
    let [mut fires, mut moved, dropped] = [10, 20, 30].map(|nanos| {
        let mut sleep = f.timer.sleep_until(at(nanos));
        assert!(poll(&mut sleep, &count).is_pending());
        sleep
    });
    drop(attached);
    moved.reset(at(40));
    drop(dropped);
    assert_eq!(timers(&f.timer), "2");
    let second = Count::new();
    assert!(poll(&mut fires, &second).is_pending());
    f.advance_to(30);
    assert_eq!((count.get(), second.get()), (0, 1));
    assert!(poll(&mut fires, &second).is_ready());
    let _again = f.timer.attach();
    f.advance_to(40);
    assert_eq!(count.get(), 1);
    assert!(poll(&mut moved, &count).is_ready());
}

#[test]
fn a_thread_is_attached_once_and_what_is_nested_does_without() {
    let (mut outer, mut inner) = (Fixture::new(), Fixture::new());
    let count = Count::new();
    let _attached = outer.timer.attach();
    let again = outer.timer.attach();
    let nested = inner.timer.attach();
    let mut sleeps = [outer.timer.sleep(ns(5)), inner.timer.sleep(ns(5))];
    for sleep in &mut sleeps {
        assert!(poll(sleep, &count).is_pending());
    }
    drop((again, nested));
    outer.advance_to(5);
    assert_eq!(count.get(), 1);
    inner.advance_to(5);
    assert_eq!(count.get(), 2);
    assert!(
        sleeps
            .iter_mut()
            .all(|sleep| poll(sleep, &count).is_ready())
    );
}

#[test]
fn on_another_thread_a_timer_can_be_dropped_moved_and_polled() {
    let mut f = Fixture::new();
    let _attached = f.timer.attach();
    let counts: [_; 4] = std::array::from_fn(|_| Count::new());
    let [dropped, mut moved, mut ended, mut polled] =
        [&counts[0], &counts[1], &counts[2], &counts[3]].map(|count| {
            let mut sleep = f.timer.sleep_until(at(10));
            assert!(poll(&mut sleep, count).is_pending());
            sleep
        });
    let there = Count::new();
    let seen = Arc::clone(&there);
    let (mut moved, mut ended, mut polled) = thread::spawn(move || {
        drop(dropped);
        moved.reset(at(30));
        ended.reset(Instant::NEVER);
        assert!(poll(&mut polled, &seen).is_pending());
        (moved, ended, polled)
    })
    .join()
    .unwrap();
    f.advance_to(0);
    let woken = counts.each_ref().map(|count| count.get());
    assert_eq!(woken, [0, 1, 1, 0], "those whose task is to look again");
    assert!(poll(&mut moved, &counts[1]).is_pending());
    assert!(poll(&mut ended, &counts[2]).is_pending());
    f.advance_to(10);
    assert_eq!((counts[3].get(), there.get()), (0, 1));
    assert_eq!(poll(&mut polled, &there), Poll::Ready(()));
    f.advance_to(30);
    assert_eq!(poll(&mut moved, &counts[1]), Poll::Ready(()));
    assert!(poll(&mut ended, &counts[2]).is_pending());
    assert_eq!(timers(&f.timer), "0");
}

#[test]
fn a_sleep_that_has_fired_and_is_polled_elsewhere_is_ready() {
    let mut f = Fixture::new();
    let _attached = f.timer.attach();
    let count = Count::new();
    let mut sleep = f.timer.sleep_until(at(10));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(10);
    let polled = thread::spawn(move || poll(&mut sleep, &count).is_ready());
    assert!(polled.join().unwrap());
}

#[test]
fn an_order_of_another_thread_ends_the_sleep_of_the_driver() {
    let mut f = Fixture::new();
    let _attached = f.timer.attach();
    let count = Count::new();
    let mut sleep = f.timer.sleep_until(at(1000));
    assert!(poll(&mut sleep, &count).is_pending());
    f.log.during(move || {
        let moving = thread::spawn(move || {
            sleep.reset(at(500));
            sleep
        });
        drop(moving.join().unwrap());
    });
    f.driver.park(Until::Woken).unwrap();
    assert_eq!((f.log.unparks(), count.get()), (1, 1));
}

#[test]
fn when_the_driver_is_dropped_the_timers_of_its_thread_go_over_to_the_fallback() {
    let driver = TimerPark::new(ThreadPark::new(), Monotonic);
    let timer = driver.timer();
    let attached = timer.attach();
    let count = Count::new();
    let mut sleep = timer.sleep(Duration::from_secs(3600));
    assert!(poll(&mut sleep, &count).is_pending());
    drop(driver);
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_pending());
    sleep.reset(Monotonic.now());
    pirn_core::shim::block_on(sleep);
    drop(attached);
    let _late = timer.attach();
    pirn_core::shim::block_on(timer.sleep(Duration::from_millis(1)));
}

#[test]
fn a_waker_may_use_the_timer_and_so_may_its_destructor() {
    let mut f = Fixture::new();
    let attached = f.timer.attach();
    let (timer, made) = (f.timer.clone(), Arc::new(Mutex::new(Vec::new())));
    let making = Arc::clone(&made);
    let count = Count::new();
    let (inner, seen) = (Arc::clone(&count), f.timer.clone());
    struct OnDrop(Timer);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            drop(self.0.sleep(Duration::from_nanos(1)));
        }
    }
    let on_drop = OnDrop(seen);
    let waker = calls(move || {
        let _ = &on_drop;
        let mut sleep = timer.sleep(ns(5));
        assert!(poll(&mut sleep, &inner).is_pending());
        making.lock().unwrap().push(sleep);
    });
    let mut sleep = f.timer.sleep_until(at(10));
    assert!(poll_with(&mut sleep, &waker).is_pending());
    let replaced = Count::new();
    drop(waker);
    f.advance_to(10);
    assert!(poll(&mut sleep, &replaced).is_ready());
    f.advance_to(15);
    assert_eq!(count.get(), 1);
    drop((made, attached));
}

#[test]
fn nothing_is_kept_after_the_end() {
    let f = Fixture::new();
    let probe = Arc::new(());
    struct Probed(common::Manual, #[allow(dead_code)] Arc<()>);
    impl TimeSource for Probed {
        fn now(&self) -> Instant {
            self.0.now()
        }
    }
    let driver = TimerPark::new(
        ThreadPark::new(),
        Probed(f.time.clone(), Arc::clone(&probe)),
    );
    let timer = driver.timer();
    let attached = timer.attach();
    let sleeps: Vec<Sleep> = (0..100).map(|_| timer.sleep(ns(1))).collect();
    drop(sleeps);
    drop((attached, timer, driver));
    assert_eq!(Arc::strong_count(&probe), 1);
}
