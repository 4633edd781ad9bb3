//! The driver: how long it sleeps, what it fires, whom it wakes, when it is unparked.
#![cfg(not(loom))]

mod common;

use common::{Calls, Count, Fixture, at, calls, ns, poll, poll_with};
use pirn_core::{Clock, Instant, Park, ParkError, Unpark, Until};
use pirn_timer::{Monotonic, Sleep, ThreadPark, TimeSource, Timer, TimerPark};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const fn is_send_sync<T: Send + Sync>() {}
const _: () = is_send_sync::<Timer>();
const _: () = is_send_sync::<TimerPark<ThreadPark>>();

/// A sleep until `nanos`, polled once.
fn armed(timer: &Timer, nanos: u64, count: &Arc<Count>) -> Sleep {
    let mut sleep = timer.sleep_until(at(nanos));
    assert!(poll(&mut sleep, count).is_pending());
    sleep
}

#[test]
fn without_timers_the_driver_sleeps_as_long_as_it_may() {
    let mut f = Fixture::new();
    for until in [
        Until::Woken,
        Until::At(at(70)),
        Until::Now,
        Until::At(Instant::NEVER),
    ] {
        f.driver.park(until).unwrap();
    }
    let expected = [Until::Woken, Until::At(at(70)), Until::Now, Until::Woken];
    assert_eq!(f.log.take_parks(), expected);
}

#[test]
fn the_driver_sleeps_until_the_next_timer_or_its_limit_whichever_is_first() {
    let mut f = Fixture::new();
    let count = Count::new();
    let _later = armed(&f.timer, 2_000_000, &count);
    let _sooner = armed(&f.timer, 1_000_000, &count);
    f.driver.park(Until::At(at(500_000))).unwrap();
    f.driver.park(Until::Woken).unwrap();
    f.driver.park(Until::At(at(9_000_000))).unwrap();
    f.driver.park(Until::Woken).unwrap();
    let expected = [
        Until::At(at(500_000)),
        Until::At(at(1_000_000)),
        Until::At(at(2_000_000)),
        Until::Woken,
    ];
    assert_eq!(f.log.take_parks(), expected);
    assert_eq!(count.get(), 2);
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines_and_equal_ones_in_the_order_of_arming() {
    let mut f = Fixture::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut sleeps = Vec::new();
    for (name, nanos) in [("d", 900), ("b", 70), ("c", 70), ("a", 3), ("e", 900)] {
        let order = order.clone();
        let waker = calls(move || order.lock().unwrap().push(name));
        let mut sleep = f.timer.sleep_until(at(nanos));
        assert!(poll_with(&mut sleep, &waker).is_pending());
        sleeps.push(sleep);
    }
    f.advance_to(1000);
    assert_eq!(*order.lock().unwrap(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_look_without_sleep_fires_what_is_due_and_nothing_early() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = armed(&f.timer, 1000, &count);
    f.advance_to(999);
    assert_eq!(count.get(), 0);
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(1000);
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_sleep_that_ends_too_early_fires_nothing() {
    let mut f = Fixture::new();
    let count = Count::new();
    let _sleep = armed(&f.timer, 1000, &count);
    let time = f.time.clone();
    f.log.during(move || time.set(999));
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(count.get(), 0);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(count.get(), 1);
}

#[test]
fn a_timer_made_while_the_driver_is_awake_does_not_unpark_it() {
    let mut f = Fixture::new();
    let count = Count::new();
    f.driver.park(Until::At(at(10))).unwrap();
    let mut sleep = armed(&f.timer, 100, &count);
    sleep.reset(at(50));
    drop(sleep);
    assert_eq!(f.log.unparks(), 0);
}

#[test]
fn a_timer_earlier_than_the_sleep_unparks_the_driver_once() {
    let mut f = Fixture::new();
    let count = Count::new();
    let _far = armed(&f.timer, 1000, &count);
    let (timer, log, waker) = (f.timer.clone(), f.log.clone(), count.clone());
    f.log.during(move || {
        let _later = armed(&timer, 2000, &waker);
        let _equal = armed(&timer, 1000, &waker);
        assert_eq!(log.unparks(), 0);
        let _sooner = armed(&timer, 500, &waker);
        assert_eq!(log.unparks(), 1);
        let _soonest = armed(&timer, 400, &waker);
        assert_eq!(log.unparks(), 1, "it will look again anyhow");
    });
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.unparks(), 1);
}

#[test]
fn a_reset_to_before_the_end_of_the_sleep_unparks_the_driver() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = armed(&f.timer, 1000, &count);
    let log = f.log.clone();
    f.log.during(move || {
        sleep.reset(at(2000));
        assert_eq!(log.unparks(), 0);
        sleep.reset(at(900));
        assert_eq!(log.unparks(), 1);
    });
    f.driver.park(Until::Woken).unwrap();
}

#[test]
fn near_timers_fire_in_one_wake_up_after_all_of_them() {
    let mut f = Fixture::with_slack(ns(1000));
    let count = Count::new();
    let sleeps = [1001, 1500, 2000, 2001].map(|nanos| armed(&f.timer, nanos, &count));
    f.driver.park(Until::Woken).unwrap();
    assert_eq!((f.timer.now(), count.get()), (at(2000), 3));
    f.driver.park(Until::Woken).unwrap();
    assert_eq!((f.timer.now(), count.get()), (at(3000), 4));
    drop(sleeps);
}

#[test]
fn within_the_slack_of_its_sleep_a_new_timer_does_not_unpark_the_driver() {
    let mut f = Fixture::with_slack(ns(1000));
    let count = Count::new();
    let _sleep = armed(&f.timer, 1900, &count);
    let (timer, log, waker) = (f.timer.clone(), f.log.clone(), count.clone());
    f.log.during(move || {
        let _near = armed(&timer, 1100, &waker);
        assert_eq!(log.unparks(), 0);
        let _sooner = armed(&timer, 1000, &waker);
        assert_eq!(log.unparks(), 1);
    });
    f.driver.park(Until::Woken).unwrap();
}

/// Where a driver with a slack of 1000 wakes for a timer at `next` after so many fired at 1000.
fn wake_up_after(fired: u64, next: u64) -> Until {
    let mut f = Fixture::with_slack(ns(1000));
    let count = Count::new();
    let _fire: Vec<_> = (0..fired).map(|_| armed(&f.timer, 1000, &count)).collect();
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(count.get() as u64, fired);
    let _next = armed(&f.timer, next, &count);
    f.log.take_parks();
    f.driver.park(Until::Woken).unwrap();
    assert!(f.timer.now() >= at(next));
    f.log.take_parks()[0]
}

#[test]
fn after_many_timers_the_driver_rests_for_some_slacks() {
    assert_eq!(wake_up_after(3, 1001), Until::At(at(2000)));
    assert_eq!(wake_up_after(4, 1001), Until::At(at(4000)));
    assert_eq!(wake_up_after(4, 4001), Until::At(at(5000)));
}

#[test]
fn after_very_many_timers_the_next_ones_gather_for_a_while() {
    assert_eq!(wake_up_after(63, 9001), Until::At(at(10_000)));
    assert_eq!(wake_up_after(64, 9001), Until::At(at(13_000)));
    assert_eq!(wake_up_after(100, 16_999), Until::At(at(20_000)));
    assert_eq!(wake_up_after(100, 17_000), Until::At(at(17_000)));
    assert_eq!(
        wake_up_after(100, u64::MAX - 1),
        Until::At(at(u64::MAX - 1))
    );
}

#[test]
fn the_slack_does_not_reach_past_the_end_of_time() {
    let mut f = Fixture::with_slack(ns(1000));
    let count = Count::new();
    let _sleep = armed(&f.timer, u64::MAX - 1, &count);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::At(at(u64::MAX - 1))]);
    assert_eq!(count.get(), 1);
}

#[test]
fn more_timers_than_a_batch_holds_all_fire() {
    let mut f = Fixture::new();
    let count = Count::new();
    let sleeps: Vec<_> = (0..100).map(|n| armed(&f.timer, 10 + n, &count)).collect();
    f.advance_to(1000);
    assert_eq!(count.get(), 100);
    drop(sleeps);
}

#[test]
fn a_jump_of_hours_fires_everything_once() {
    let mut f = Fixture::new();
    let count = Count::new();
    let hour = 3_600_000_000_000;
    let sleeps: Vec<_> = (1..50).map(|n| armed(&f.timer, n * hour, &count)).collect();
    f.advance_to(25 * hour);
    assert_eq!(count.get(), 25);
    f.advance_to(1000 * hour);
    assert_eq!(count.get(), 49);
    drop(sleeps);
}

#[test]
fn a_jump_takes_as_many_looks_at_the_time_and_sleeps_however_long_it_is() {
    const DUE: u64 = 40;
    let cost = |length: u64| {
        let mut f = Fixture::new();
        let count = Count::new();
        let due = (0..DUE).map(|n| length - n * (length / DUE));
        let later = (1..100).map(|n| length + n);
        let arm = |at| armed(&f.timer, at, &count);
        let sleeps: Vec<_> = due.chain(later).map(arm).collect();
        f.time.set(length);
        f.time.take_reads();
        f.driver.park(Until::Now).unwrap();
        assert_eq!(count.get(), DUE as usize);
        drop(sleeps);
        (f.time.take_reads(), f.log.take_parks().len())
    };
    let hour = 3_600_000_000_000;
    for length in [hour, 100_000 * hour, u64::MAX - 1000] {
        assert_eq!(cost(length), cost(1000), "{length} ns");
    }
}

#[test]
fn a_panicking_waker_does_no_harm_to_the_others() {
    let mut f = Fixture::new();
    pirn_core::report::set_hook(Some(Arc::new(|_| {})));
    let count = Count::new();
    let mut bad = f.timer.sleep_until(at(5));
    assert!(poll_with(&mut bad, &calls(|| panic!("a waker's panic"))).is_pending());
    let _good = armed(&f.timer, 6, &count);
    f.advance_to(10);
    assert_eq!(count.get(), 1);
    let _another = armed(&f.timer, 20, &count);
    f.advance_to(20);
    assert_eq!(count.get(), 2);
}

#[test]
fn a_waker_may_use_the_timer() {
    let mut f = Fixture::new();
    let count = Count::new();
    let slot = Arc::new(Mutex::new(Some(armed(&f.timer, 30, &count))));
    let (timer, other, inner) = (f.timer.clone(), slot.clone(), count.clone());
    let waker = calls(move || {
        // Drops one timer and makes another.
        *other.lock().unwrap() = Some(armed(&timer, 11, &inner));
    });
    let mut sleep = f.timer.sleep_until(at(5));
    assert!(poll_with(&mut sleep, &waker).is_pending());
    f.advance_to(10);
    assert_eq!(count.get(), 0);
    f.advance_to(30);
    assert_eq!(count.get(), 1);
}

#[test]
fn dropping_a_waker_may_use_the_timer() {
    struct Holds {
        _sleep: Sleep,
    }
    impl std::task::Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    let mut f = Fixture::new();
    let count = Count::new();
    let _sleep = armed(&f.timer, 10, &count);
    let waker = Arc::new(Holds { _sleep }).into();
    let mut outer = f.timer.sleep_until(at(20));
    assert!(poll_with(&mut outer, &waker).is_pending());
    drop(waker);
    // The sleep holds the last reference to a waker that holds a sleep.
    drop(outer);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
}

#[test]
fn when_the_driver_is_dropped_its_sleeps_go_over_to_the_fallback() {
    let f = Fixture::new();
    let count = Count::new();
    let mut sleep = armed(&f.timer, 3_600_000_000_000, &count);
    drop(f.driver);
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_pending());
    let left = sleep.deadline().saturating_since(pirn_timer::now());
    assert!(left > Duration::from_secs(3500) && left <= Duration::from_secs(3600));
    sleep.reset(Monotonic.now());
    pirn_core::shim::block_on(&mut sleep);
    assert!(sleep.is_elapsed());

    // Made after the driver's end.
    pirn_core::shim::block_on(f.timer.sleep(Duration::from_millis(1)));
}

#[test]
fn an_error_of_the_inner_driver_is_passed_on_after_firing() {
    struct Broken;
    #[derive(Clone)]
    struct Nothing;
    impl Unpark for Nothing {
        fn unpark(&self) {}
    }
    impl Park for Broken {
        type Unpark = Nothing;
        fn unparker(&self) -> Nothing {
            Nothing
        }
        fn park(&mut self, _: Until) -> Result<(), ParkError> {
            Err(ParkError::new("test driver", "broken"))
        }
    }
    let time = common::Manual::default();
    let mut driver = TimerPark::new(Broken, time.clone());
    let count = Count::new();
    let _sleep = armed(&driver.timer(), 5, &count);
    time.set(5);
    let error = driver.park(Until::Woken).unwrap_err();
    assert_eq!(error.to_string(), "the test driver cannot wait for events");
    assert_eq!(count.get(), 1);
}

#[test]
fn the_timer_is_a_clock() {
    let mut f = Fixture::new();
    let clock: Arc<dyn Clock> = Arc::new(f.timer.clone());
    assert_eq!(clock.now(), at(0));
    let count = Count::new();
    let mut sleep = clock.sleep_until(at(10));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(10);
    assert!(poll(&mut sleep, &count).is_ready());
    assert!(clock.as_any().is::<Timer>());
}

#[test]
fn a_thread_that_only_sleeps_keeps_the_token_of_an_unpark() {
    let mut park = ThreadPark::new();
    let unparker = park.unparker();
    unparker.unpark();
    unparker.unpark();
    park.park(Until::Now).unwrap();
    park.park(Until::Woken).unwrap();
    let start = Monotonic.now();
    park.park(Until::At(start + Duration::from_micros(100)))
        .unwrap();
    assert!(Monotonic.now() >= start + Duration::from_micros(100));
    park.park(Until::At(start)).unwrap();
}

#[test]
fn a_timer_made_on_another_thread_ends_the_sleep_of_a_real_driver() {
    let mut driver = TimerPark::new(ThreadPark::new(), Monotonic);
    let timer = driver.timer();
    let thread = std::thread::spawn(move || {
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let set = done.clone();
        let unparked = std::thread::current();
        let waker = Arc::new(Calls(move || {
            set.store(true, std::sync::atomic::Ordering::Release);
            unparked.unpark();
        }))
        .into();
        let deadline = timer.now() + Duration::from_millis(1);
        let mut sleep = timer.sleep_until(deadline);
        while poll_with(&mut sleep, &waker).is_pending() {
            std::thread::park();
        }
        assert!(timer.now() >= deadline);
        assert!(done.load(std::sync::atomic::Ordering::Acquire));
    });
    while !thread.is_finished() {
        driver
            .park(Until::At(Monotonic.now() + Duration::from_millis(100)))
            .unwrap();
    }
    thread.join().unwrap();
}

#[test]
fn an_order_that_came_before_the_sleep_lets_there_be_none() {
    let mut f = Fixture::new();
    let _attached = f.timer.attach();
    let count = Count::new();
    let mut sleep = f.timer.sleep_until(at(1000));
    assert!(poll(&mut sleep, &count).is_pending());
    std::thread::spawn(move || sleep.reset(Instant::NEVER))
        .join()
        .unwrap();
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Now]);
    assert_eq!(count.get(), 1);
}
