//! `sleep`, `sleep_until` and `Sleep`.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns, poll, poll_with};
use pirn_core::context::Handles;
use pirn_core::{BoxSleep, Clock, Instant, Park, Until, budget};
use pirn_timer::{Sleep, Timer, now, sleep, sleep_until};
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

const fn moves_anywhere<T: Send + Sync + Unpin + 'static>() {}
const _: () = moves_anywhere::<Sleep>();

#[test]
fn a_sleep_of_no_length_yields_once_and_touches_no_timer() {
    let f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut sleep = sleep(Duration::ZERO);
    assert!(poll(&mut sleep, &count).is_pending());
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_ready());
    assert_eq!(f.log.unparks(), 0);
}

#[test]
fn a_sleep_of_some_length_yields_even_if_its_time_has_passed() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut sleep = sleep(ns(10));
    f.time.set(20);
    assert!(sleep.is_elapsed());
    assert!(poll(&mut sleep, &count).is_pending());
    f.driver.park(Until::Now).unwrap();
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_deadline_that_has_passed_is_ready_at_the_first_poll() {
    let f = Fixture::new();
    let _entered = f.enter();
    f.time.set(20);
    let count = Count::new();
    for deadline in [0, 19, 20] {
        assert!(poll(&mut sleep_until(at(deadline)), &count).is_ready());
    }
    assert!(poll(&mut sleep_until(at(21)), &count).is_pending());
    assert_eq!(count.get(), 0);
}

#[test]
fn a_sleep_counts_from_the_call_and_not_from_its_first_poll() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut sleep = sleep(ns(100));
    f.time.set(60);
    assert_eq!(sleep.deadline(), at(100));
    assert!(poll(&mut sleep, &count).is_pending());
    f.driver.park(Until::Woken).unwrap();
    assert_eq!((now(), count.get()), (at(100), 1));
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_sleep_that_was_not_polled_takes_part_in_nothing() {
    let mut f = Fixture::new();
    let _sleep = f.timer.sleep(ns(10));
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
}

#[test]
fn dropping_a_sleep_takes_the_timer_back() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    drop(sleep);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
    assert_eq!(Arc::strong_count(&count), 1, "its waker is dropped with it");
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let mut f = Fixture::new();
    let (first, second) = (Count::new(), Count::new());
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &first).is_pending());
    assert!(poll(&mut sleep, &second).is_pending());
    assert_eq!(Arc::strong_count(&first), 1);
    f.advance_to(10);
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[test]
fn a_sleep_is_ready_only_after_it_has_fired_and_then_stays_ready() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(10);
    for _ in 0..3 {
        assert!(poll(&mut sleep, &count).is_ready());
    }
    assert_eq!(count.get(), 1);
}

#[test]
fn a_waiting_sleep_can_be_moved_either_way() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(100));
    assert!(poll(&mut sleep, &count).is_pending());
    sleep.reset(at(200));
    f.advance_to(150);
    assert_eq!(count.get(), 0);
    sleep.reset(at(160));
    assert_eq!(sleep.deadline(), at(160));
    f.advance_to(160);
    assert_eq!(count.get(), 1, "without a poll in between");
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_waiting_sleep_that_is_moved_into_the_past_fires_at_the_next_turn() {
    let mut f = Fixture::new();
    f.time.set(500);
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(100));
    assert!(poll(&mut sleep, &count).is_pending());
    sleep.reset(at(3));
    f.driver.park(Until::Now).unwrap();
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_sleep_that_has_ended_can_be_used_again() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    for round in 1..4 {
        assert!(poll(&mut sleep, &count).is_pending());
        f.advance_to(round * 10);
        assert!(poll(&mut sleep, &count).is_ready());
        sleep.reset(at((round + 1) * 10));
    }
    assert_eq!(count.get(), 3);
}

#[test]
fn a_reset_after_firing_and_before_the_poll_holds() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(10);
    sleep.reset(at(20));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(20);
    assert_eq!(count.get(), 2);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn a_sleep_without_an_end_sets_no_timer_and_can_be_given_one() {
    let mut f = Fixture::new();
    let count = Count::new();
    for mut sleep in [
        f.timer.sleep(Duration::MAX),
        f.timer.sleep_until(Instant::NEVER),
    ] {
        assert_eq!(sleep.deadline(), Instant::NEVER);
        assert!(poll(&mut sleep, &count).is_pending());
        assert!(poll(&mut sleep, &count).is_pending());
        f.driver.park(Until::Woken).unwrap();
        assert_eq!(f.log.take_parks(), [Until::Woken]);
        let woken = count.get();
        sleep.reset(f.timer.now() + ns(10));
        assert_eq!(count.get(), woken + 1, "the task must poll to wait anew");
        assert!(poll(&mut sleep, &count).is_pending());
        f.driver.park(Until::Woken).unwrap();
        assert_eq!(count.get(), woken + 2);
        assert!(poll(&mut sleep, &count).is_ready());
        f.log.take_parks();
    }
}

#[test]
fn a_waiting_sleep_can_lose_its_end_and_find_it_again() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    sleep.reset(Instant::NEVER);
    f.advance_to(10);
    assert_eq!(count.get(), 0);
    sleep.reset(at(20));
    assert_eq!(count.get(), 1);
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(20);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn an_exhausted_budget_delays_a_sleep_that_has_ended() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(10);
    let refilled = budget::refill();
    let mut ended = f.timer.sleep_until(at(0));
    for _ in 0..budget::BUDGET {
        assert!(poll(&mut ended, &count).is_ready());
    }
    assert!(poll(&mut sleep, &count).is_pending());
    assert_eq!(count.get(), 2, "and wakes the task");
    drop(refilled);
    assert!(poll(&mut sleep, &count).is_ready());
}

#[test]
fn many_sleeps_made_and_dropped_in_any_order_leave_no_timer() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleeps: Vec<Sleep> = (0..1000)
        .map(|n| {
            let mut sleep = f.timer.sleep(ns(1 + n * 7919 % 100_000));
            assert!(poll(&mut sleep, &count).is_pending());
            sleep
        })
        .collect();
    f.advance_to(50_000);
    let fired = count.get();
    assert!(fired > 400 && fired < 600);
    while !sleeps.is_empty() {
        drop(sleeps.swap_remove(sleeps.len() * 7 / 11));
    }
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
    assert_eq!(count.get(), fired);
}

/// A clock that is not ours: delegates, and hides that it does.
struct Foreign(Timer);

impl Clock for Foreign {
    fn now(&self) -> Instant {
        self.0.now()
    }
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(self.0.sleep_until(at))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_foreign_clock_is_used_as_it_is() {
    let mut f = Fixture::new();
    let mut handles = Handles::default();
    handles.clock = Some(Arc::new(Foreign(f.timer.clone())));
    let _entered = Rc::new(handles).enter();
    let count = Count::new();

    f.advance_to(5);
    assert_eq!(now(), at(5));
    assert!(poll(&mut sleep_until(at(5)), &count).is_ready());
    let mut sleep = sleep(ns(10));
    assert!(poll(&mut sleep, &count).is_pending());
    assert!(poll(&mut sleep, &count).is_pending());
    sleep.reset(at(100));
    assert_eq!(count.get(), 1, "the task must poll to wait anew");
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(99);
    assert!(poll(&mut sleep, &count).is_pending());
    f.advance_to(100);
    assert_eq!(count.get(), 2);
    assert!(poll(&mut sleep, &count).is_ready());
    assert!(poll(&mut sleep_until(Instant::NEVER), &count).is_pending());
}

#[test]
fn a_sleep_may_be_polled_and_dropped_on_other_threads() {
    let mut f = Fixture::new();
    let count = Count::new();
    let mut sleep = f.timer.sleep(ns(10));
    let (other, waker) = (f.timer.clone(), count.clone());
    let sleep = std::thread::spawn(move || {
        assert!(poll(&mut sleep, &waker).is_pending());
        let mut dropped = other.sleep(ns(5));
        assert!(poll(&mut dropped, &waker).is_pending());
        sleep
    })
    .join()
    .unwrap();
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::At(at(10))]);
    assert_eq!(count.get(), 1);
    drop(sleep);
}

/// Two sleeps end in their order, and neither early. Real time, by the fallback thread.
async fn sleeps_end_in_order() {
    let start = now();
    let order = std::sync::Mutex::new(Vec::new());
    let one = async {
        sleep(Duration::from_millis(6)).await;
        assert!(now() >= start + Duration::from_millis(6));
        order.lock().unwrap().push("one");
    };
    let two = async {
        sleep_until(start + Duration::from_millis(2)).await;
        assert!(now() >= start + Duration::from_millis(2));
        order.lock().unwrap().push("two");
    };
    let (mut one, mut two) = (std::pin::pin!(one), std::pin::pin!(two));
    let (mut one_ended, mut two_ended) = (false, false);
    std::future::poll_fn(|cx| {
        // The earlier one first: on a busy machine both may have ended.
        two_ended = two_ended || two.as_mut().poll(cx).is_ready();
        one_ended = one_ended || one.as_mut().poll(cx).is_ready();
        if one_ended && two_ended {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    assert_eq!(*order.lock().unwrap(), ["two", "one"]);
}

#[test]
fn without_a_runtime_sleeps_end_in_order() {
    pirn_core::shim::block_on(sleeps_end_in_order());
}

#[test]
fn on_tokio_sleeps_end_in_order() {
    // Without its timer: none is needed.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::spawn(sleeps_end_in_order()).await.unwrap();
    });
}

#[test]
fn on_async_executor_sleeps_end_in_order() {
    let executor = async_executor::Executor::new();
    let task = executor.spawn(sleeps_end_in_order());
    pirn_core::shim::block_on(executor.run(task));
}

#[test]
fn the_fallback_is_installed_once_for_all_threads() {
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| pirn_timer::install_fallback().unwrap()))
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(pirn_core::context::clock().unwrap().as_any().is::<Timer>());
}

#[test]
fn a_zero_sleep_without_a_runtime_is_a_pure_yield() {
    let count = Count::new();
    let mut sleep = sleep(Duration::ZERO);
    assert!(poll_with(&mut sleep, &count.clone().into()).is_pending());
    assert!(poll_with(&mut sleep, &count.clone().into()).is_ready());
}

#[test]
fn a_waker_that_panics_as_it_is_dropped_does_not_unwind_out_of_a_sleep() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bad waker, of which the hook is told");
        }
    }
    fn poll_with_bomb(sleep: &mut Sleep) {
        let waker = Waker::from(Arc::new(Bomb));
        let polled = Pin::new(sleep).poll(&mut Context::from_waker(&waker));
        // From here on the sleep has the last one.
        assert!(polled.is_pending());
    }
    let f = Fixture::new();
    let _entered = f.enter();
    let fresh = || [sleep(ns(10)), sleep_until(Instant::NEVER)];
    for mut sleep in fresh() {
        poll_with_bomb(&mut sleep);
        assert!(poll(&mut sleep, &Count::new()).is_pending());
    }
    for mut sleep in fresh() {
        poll_with_bomb(&mut sleep);
        drop(sleep);
    }
}
