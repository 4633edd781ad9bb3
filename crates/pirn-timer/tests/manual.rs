//! The time that is moved by hand.
#![cfg(not(loom))]

use pirn_core::{Instant, Park, TimeSource, Until};
use pirn_timer::{Manual, ThreadPark, TimerPark};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_moves_when_it_is_moved_and_never_back() {
    let time = Manual::new();
    let same = time.clone();
    assert_eq!(time.now(), Instant::EPOCH);
    time.advance(SECOND);
    assert_eq!(same.now(), Instant::EPOCH + SECOND);
    same.advance_to(Instant::EPOCH + 5 * SECOND);
    same.advance_to(Instant::EPOCH + 3 * SECOND);
    assert_eq!(time.now(), Instant::EPOCH + 5 * SECOND);
    time.advance(Duration::MAX);
    assert_eq!(time.now(), Instant::NEVER);
    assert_eq!(format!("{time:?}"), "Manual(Instant::NEVER)");
}

#[test]
fn timers_by_it_fire_exactly_when_the_driver_looks() {
    let time = Manual::new();
    let mut driver = TimerPark::new(ThreadPark::new(), time.clone());
    let mut sleep = pin!(driver.timer().sleep(SECOND));
    let mut poll = || sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    time.advance(SECOND - Duration::from_nanos(1));
    driver.park(Until::Now).unwrap();
    assert!(poll().is_pending());
    time.advance(Duration::from_nanos(1));
    driver.park(Until::Now).unwrap();
    assert_eq!(poll(), Poll::Ready(()));
}
