//! `interval` and what it does about missed ticks.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns};
use pirn_core::{Instant, budget};
use pirn_timer::{Interval, MissedTick, interval, interval_at};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

const fn moves_anywhere<T: Send + Sync + Unpin + 'static>() {}
const _: () = moves_anywhere::<Interval>();

fn tick(interval: &mut Interval, count: &Arc<Count>) -> Poll<Instant> {
    let waker = count.clone().into();
    interval.poll_tick(&mut Context::from_waker(&waker))
}

#[test]
fn the_first_tick_is_now_and_the_others_follow_regularly() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    f.time.set(7);
    let count = Count::new();
    let mut interval = interval(ns(10));
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(7)));
    for n in 1..5 {
        assert_eq!(tick(&mut interval, &count), Poll::Pending);
        f.advance_to(7 + 10 * n);
        assert_eq!(count.get(), n as usize);
        assert_eq!(tick(&mut interval, &count), Poll::Ready(at(7 + 10 * n)));
    }
}

#[test]
fn an_interval_can_start_later() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut interval = interval_at(at(100), ns(10));
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
    f.advance_to(100);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(100)));
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
}

/// The ticks of a period of 10 that are taken on time at 0 and 10, then at 34, 35, … 60.
fn ticks_after_a_delay(missed: MissedTick) -> Vec<(u64, u64)> {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut interval = interval(ns(10)).with_missed_tick(missed);
    let mut taken = Vec::new();
    for time in [0, 10].into_iter().chain(34..=60) {
        f.advance_to(time);
        while let Poll::Ready(tick) = tick(&mut interval, &count) {
            taken.push((time, tick.as_nanos()));
        }
    }
    taken
}

#[test]
fn a_burst_makes_up_for_missed_ticks() {
    let expected = [
        (0, 0),
        (10, 10),
        (34, 20),
        (34, 30),
        (40, 40),
        (50, 50),
        (60, 60),
    ];
    assert_eq!(ticks_after_a_delay(MissedTick::Burst), expected);
}

#[test]
fn a_delay_shifts_all_later_ticks() {
    let expected = [(0, 0), (10, 10), (34, 20), (44, 44), (54, 54)];
    assert_eq!(ticks_after_a_delay(MissedTick::Delay), expected);
}

#[test]
fn a_skip_stays_in_step() {
    let expected = [(0, 0), (10, 10), (34, 20), (40, 40), (50, 50), (60, 60)];
    assert_eq!(ticks_after_a_delay(MissedTick::Skip), expected);
}

#[test]
fn on_the_thread_that_drives_missed_ticks_are_made_up_for_all_the_same() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let _attached = f.timer.attach();
    let count = Count::new();
    let mut interval = interval(ns(10));
    let mut taken = Vec::new();
    for time in [0, 10].into_iter().chain(34..=60) {
        f.advance_to(time);
        while let Poll::Ready(tick) = tick(&mut interval, &count) {
            taken.push((time, tick.as_nanos()));
        }
    }
    let late = [(0, 0), (10, 10), (34, 20), (34, 30)];
    assert_eq!(taken[..4], late);
    assert_eq!(taken[4..], [(40, 40), (50, 50), (60, 60)]);
}

#[test]
fn on_the_thread_that_drives_a_tick_reads_no_clock_and_is_not_early() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let _attached = f.timer.attach();
    let count = Count::new();
    let mut interval = interval(ns(10));
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(0)));
    f.advance_to(9);
    f.time.take_reads();
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
    assert_eq!(f.time.take_reads(), 0);
    f.advance_to(10);
    assert_eq!(f.time.take_reads(), 1); // the driver's own
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(10)));
    // Its time comes while the driver does not look: so it is over at the next turn.
    f.time.set(20);
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
    assert_eq!(f.time.take_reads(), 0);
    f.advance_to(20);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(20)));
}

#[test]
fn a_skip_far_behind_costs_one_tick() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut interval = interval(ns(1)).with_missed_tick(MissedTick::Skip);
    let far = u64::MAX / 2;
    f.advance_to(far);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(0)));
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
    f.advance_to(far + 1);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(far + 1)));
}

#[test]
fn dropping_a_tick_loses_none() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let waker = count.clone().into();
    let mut cx = Context::from_waker(&waker);
    let mut interval = interval_at(at(10), ns(10));
    assert!(std::pin::pin!(interval.tick()).poll(&mut cx).is_pending());
    f.advance_to(10);
    drop(interval.tick());
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(10)));
}

#[test]
fn a_reset_moves_the_next_tick_and_all_after_it() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut interval = interval_at(at(10), ns(10));
    assert_eq!(tick(&mut interval, &count), Poll::Pending);
    interval.reset(at(13));
    f.advance_to(13);
    assert_eq!(count.get(), 1);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(13)));
    f.advance_to(23);
    assert_eq!(tick(&mut interval, &count), Poll::Ready(at(23)));
}

#[test]
fn an_interval_without_a_second_tick_is_pending_for_ever() {
    for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        let mut f = Fixture::new();
        let _entered = f.enter();
        f.time.set(5);
        let count = Count::new();
        let mut interval = interval(Duration::MAX).with_missed_tick(missed);
        assert_eq!(tick(&mut interval, &count), Poll::Ready(at(5)));
        assert_eq!(tick(&mut interval, &count), Poll::Pending);
        f.advance_to(u64::MAX - 1);
        assert_eq!(tick(&mut interval, &count), Poll::Pending);
    }
}

#[test]
fn a_burst_does_not_starve_the_thread() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut interval = interval(ns(1));
    f.advance_to(1_000_000);
    let _refilled = budget::refill();
    let mut ticks = 0;
    while tick(&mut interval, &count).is_ready() {
        ticks += 1;
    }
    assert_eq!((ticks, count.get()), (budget::BUDGET, 1));
}

#[test]
fn a_period_of_zero_panics_at_the_caller() {
    let place = Arc::new(std::sync::Mutex::new(None));
    let seen = place.clone();
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *seen.lock().unwrap() = info.location().map(|l| (l.file().to_owned(), l.line()));
    }));
    let line = line!() + 1;
    let panic = std::panic::catch_unwind(|| interval(Duration::ZERO)).unwrap_err();
    std::panic::set_hook(former);
    let message = pirn_core::panic_message(&*panic);
    assert_eq!(message, "the period of an interval must not be zero");
    let (file, at) = place.lock().unwrap().take().unwrap();
    assert!(file.ends_with("tests/interval.rs"));
    assert_eq!(at, line);
}
