//! The races of the wheel that is with its thread: timers that the thread made, and that are moved,
//! polled and dropped on another while it fires, falls asleep, or gives the wheel back.

use crate::driver::{Count, HORIZON, at, driver, poll};
use pirn_core::shim::{self, thread};
use pirn_core::{Park, Until};
use std::task::Poll;

#[test]
fn a_timer_of_the_driver_s_thread_dropped_on_another_is_forgotten_at_the_next_turn() {
    shim::model(|| {
        let (mut driver, timer, time) = driver();
        let attached = timer.attach();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &count).is_pending());
        let dropping = thread::spawn(move || drop(sleep));
        time.set(5);
        driver.park(Until::Now).unwrap();
        dropping.join().unwrap();
        driver.park(Until::Now).unwrap();
        assert!(count.get() <= 1);
        assert_eq!(std::sync::Arc::strong_count(&count), 1, "nothing is left");
        drop(attached);
    });
}

#[test]
fn a_timer_dropped_on_another_thread_while_its_wheel_is_given_back_is_forgotten() {
    shim::model(|| {
        let (mut driver, timer, _) = driver();
        let attached = timer.attach();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &count).is_pending());
        let dropping = thread::spawn(move || drop(sleep));
        drop(attached);
        dropping.join().unwrap();
        driver.park(Until::Now).unwrap();
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
        assert_eq!(count.get(), 0);
    });
}

#[test]
fn a_timer_that_another_thread_moves_while_the_driver_falls_asleep_has_its_task_woken() {
    shim::model(|| {
        let (mut driver, timer, _) = driver();
        let attached = timer.attach();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(10 * HORIZON));
        assert!(poll(&mut sleep, &count).is_pending());
        let moving = thread::spawn(move || {
            sleep.reset(at(5));
            sleep
        });
        // Sleeps until it is unparked, and wakes the task, which then polls for the new time.
        while count.get() == 0 {
            driver.park(Until::Woken).unwrap();
        }
        let mut sleep = moving.join().unwrap();
        assert!(poll(&mut sleep, &count).is_pending());
        driver.park(Until::Woken).unwrap();
        assert_eq!(count.get(), 2);
        assert!(poll(&mut sleep, &count).is_ready());
        drop(attached);
    });
}

#[test]
fn a_timer_that_is_taken_from_time_and_given_it_again_elsewhere_still_fires() {
    shim::model(|| {
        let (mut driver, timer, _) = driver();
        let attached = timer.attach();
        let count = Count::new();
        let mut sleep = timer.sleep_until(at(10 * HORIZON));
        assert!(poll(&mut sleep, &count).is_pending());
        let moving = thread::spawn(move || {
            sleep.reset(pirn_core::Instant::NEVER);
            sleep.reset(at(5));
            sleep
        });
        while count.get() == 0 {
            driver.park(Until::Woken).unwrap();
        }
        let mut sleep = moving.join().unwrap();
        let polled = poll(&mut sleep, &count);
        driver.park(Until::Woken).unwrap();
        assert!(polled.is_ready() || poll(&mut sleep, &count).is_ready());
        drop(attached);
    });
}

#[test]
fn a_timer_that_is_polled_on_another_thread_fires_there() {
    shim::model(|| {
        let (mut driver, timer, time) = driver();
        let attached = timer.attach();
        let (here, there) = (Count::new(), Count::new());
        let mut sleep = timer.sleep_until(at(5));
        assert!(poll(&mut sleep, &here).is_pending());
        let polling = {
            let there = there.clone();
            thread::spawn(move || {
                let polled = poll(&mut sleep, &there);
                (sleep, polled)
            })
        };
        time.set(5);
        driver.park(Until::Now).unwrap();
        let (mut sleep, polled) = polling.join().unwrap();
        driver.park(Until::Now).unwrap();
        match polled {
            Poll::Ready(()) => {}
            Poll::Pending => assert_eq!(there.get(), 1),
        }
        assert!(poll(&mut sleep, &there).is_ready());
        assert!(here.get() <= 1);
        drop(attached);
    });
}

#[test]
fn timers_of_the_driver_s_thread_and_of_another_fire_in_one_sleep() {
    shim::model(|| {
        let (mut driver, timer, _) = driver();
        let attached = timer.attach();
        let (own, other) = (Count::new(), Count::new());
        let mut sleep = timer.sleep_until(at(10));
        assert!(poll(&mut sleep, &own).is_pending());
        let making = {
            let (timer, other) = (timer.clone(), other.clone());
            thread::spawn(move || {
                let mut sleep = timer.sleep_until(at(5));
                let polled = poll(&mut sleep, &other);
                (sleep, polled)
            })
        };
        driver.park(Until::Woken).unwrap();
        let (_sleep, polled) = making.join().unwrap();
        while own.get() == 0 {
            driver.park(Until::Woken).unwrap();
        }
        driver.park(Until::Now).unwrap();
        assert_eq!(
            (own.get(), other.get()),
            (1, usize::from(polled.is_pending()))
        );
        drop(attached);
    });
}
