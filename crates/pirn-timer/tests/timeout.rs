//! `timeout`, `timeout_at` and the movable `Timeout`.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns};
use pirn_core::{Cause, Instant, Kind, Park, Scope, Until, finally, shield};
use pirn_timer::{Timed, Timeout, TimeoutError, move_on_after, now, sleep, timeout, timeout_at};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

const fn moves_anywhere<T: Send + 'static>() {}
const _: () = moves_anywhere::<Timed<std::future::Ready<()>>>();

fn poll<F: Future>(future: Pin<&mut F>, count: &Arc<Count>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&count.clone().into()))
}

fn elapsed<T>(polled: Poll<Result<T, TimeoutError>>) -> bool {
    matches!(polled, Poll::Ready(Err(TimeoutError::Elapsed)))
}

#[test]
fn a_value_in_time_is_returned_and_leaves_no_timer() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = Box::pin(timeout(ns(100), async {
        sleep(ns(10)).await;
        "in time"
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(10);
    let ended = poll(limited.as_mut(), &count);
    assert!(matches!(ended, Poll::Ready(Ok("in time"))));
    drop(limited);
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
}

#[test]
fn when_the_time_is_over_the_body_is_dropped_and_the_error_returned() {
    struct OnDrop(Arc<AtomicUsize>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = OnDrop(drops.clone());
    let mut limited = pin!(timeout(ns(100), async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(99);
    assert_eq!(count.get(), 0);
    f.advance_to(100);
    assert_eq!((count.get(), drops.load(SeqCst)), (1, 0));
    assert!(elapsed(poll(limited.as_mut(), &count)));
    assert_eq!(drops.load(SeqCst), 1);
}

#[test]
fn what_becomes_a_future_is_limited_as_one_is() {
    struct Request(u32);
    impl IntoFuture for Request {
        type Output = u32;
        type IntoFuture = std::future::Ready<u32>;

        fn into_future(self) -> Self::IntoFuture {
            ready(self.0)
        }
    }
    let f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = timeout(ns(100), Request(1));
    let _: &Timed<std::future::Ready<u32>> = &limited;
    assert!(matches!(
        poll(Pin::new(&mut limited), &count),
        Poll::Ready(Ok(1))
    ));
    let mut limited = Timeout::after(ns(100)).run(Request(2));
    assert!(matches!(
        poll(Pin::new(&mut limited), &count),
        Poll::Ready(Ok(2))
    ));
    let mut limited = move_on_after(ns(100), |_| Request(3));
    assert_eq!(poll(Pin::new(&mut limited), &count), Poll::Ready(Some(3)));
}

#[test]
fn a_value_that_is_ready_when_the_time_is_over_wins() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = pin!(timeout(ns(10), sleep(ns(10))));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(10);
    assert!(matches!(
        poll(limited.as_mut(), &count),
        Poll::Ready(Ok(()))
    ));
}

#[test]
fn a_limit_of_zero_or_in_the_past_allows_one_poll() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    f.advance_to(50);
    let count = Count::new();
    for limit in [at(0), at(49), at(50)] {
        let quick = pin!(timeout_at(limit, ready(5)));
        assert!(matches!(poll(quick, &count), Poll::Ready(Ok(5))));
        let slow = pin!(timeout_at(limit, pending::<()>()));
        assert!(elapsed(poll(slow, &count)));
    }
    let quick = pin!(timeout(Duration::ZERO, ready(5)));
    assert!(matches!(poll(quick, &count), Poll::Ready(Ok(5))));
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let slow = pin!(timeout(
        Duration::ZERO,
        poll_fn(move |_| {
            counted.fetch_add(1, SeqCst);
            Poll::<()>::Pending
        })
    ));
    assert!(elapsed(poll(slow, &count)));
    assert_eq!(polls.load(SeqCst), 1);
}

#[test]
fn the_longest_limit_is_none() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    f.advance_to(7);
    let count = Count::new();
    let limit = Timeout::after(Duration::MAX);
    let handle = limit.handle();
    assert_eq!(handle.when(), Instant::NEVER);
    let mut limited = pin!(limit.run(pending::<()>()));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(u64::MAX - 1);
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert!(!handle.expired());
}

#[test]
fn a_limit_counts_from_the_call() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = pin!(timeout(ns(10), pending::<()>()));
    f.advance_to(10);
    assert!(elapsed(poll(limited.as_mut(), &count)));
}

#[test]
fn clean_up_is_awaited_before_the_error_is_returned() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let inner = log.clone();
    let mut limited = pin!(timeout(
        ns(100),
        finally(pending::<()>(), move || async move {
            inner.lock().unwrap().push("begun");
            sleep(ns(50)).await;
            inner.lock().unwrap().push("ended");
        })
    ));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert_eq!(*log.lock().unwrap(), ["begun"]);
    f.advance_to(150);
    assert!(elapsed(poll(limited.as_mut(), &count)));
    assert_eq!(*log.lock().unwrap(), ["begun", "ended"]);
}

#[test]
fn a_shielded_part_is_not_cut_short() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let done = Arc::new(AtomicUsize::new(0));
    let inner = done.clone();
    let mut limited = pin!(timeout(ns(100), async move {
        shield(async {
            sleep(ns(150)).await;
            inner.store(1, SeqCst);
        })
        .await;
        pending::<()>().await;
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(150);
    assert!(elapsed(poll(limited.as_mut(), &count)));
    assert_eq!(done.load(SeqCst), 1);
}

#[test]
fn an_outer_cancel_is_not_taken_for_the_inner_timeout() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let seen = Arc::new(Mutex::new(None));
    let inner = seen.clone();
    let mut run = pin!(scope.run(async move {
        let ended = timeout(ns(100), pending::<()>()).await;
        *inner.lock().unwrap() = Some(ended);
    }));
    assert!(poll(run.as_mut(), &count).is_pending());
    // Both at once: the time is over, and the scope around is cancelled.
    f.advance_to(100);
    scope.cancel(Cause::requested("stop"));
    let Poll::Ready(Err(cause)) = poll(run, &count) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.text(), "stop");
    assert!(seen.lock().unwrap().is_none(), "the body did not go on");
}

#[test]
fn of_two_timeouts_at_the_same_time_the_outer_one_fires() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut outer = pin!(timeout(ns(100), async {
        timeout(ns(100), pending::<()>()).await
    }));
    assert!(poll(outer.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(elapsed(poll(outer, &count)));
}

#[test]
fn the_inner_of_two_timeouts_fires_alone() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut outer = pin!(timeout(ns(100), async {
        let ended = timeout(ns(40), pending::<()>()).await;
        assert!(ended.unwrap_err().is_elapsed());
        now()
    }));
    assert!(poll(outer.as_mut(), &count).is_pending());
    f.advance_to(40);
    let ended = poll(outer, &count);
    assert!(matches!(ended, Poll::Ready(Ok(time)) if time == at(40)));
}

#[test]
fn a_cancel_from_elsewhere_is_returned_with_its_cause() {
    let f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    // From within.
    let limited = pin!(timeout(ns(100), async {
        let scope = Scope::current().expect("the timeout's own");
        scope.cancel(Cause::requested("changed my mind"));
        pending::<()>().await;
    }));
    let Poll::Ready(Err(TimeoutError::Cancelled(cause))) = poll(limited, &count) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.text(), "changed my mind");

    // Made inside a scope, polled outside it.
    let scope = Scope::detached();
    let slot = Arc::new(Mutex::new(None));
    let inner = slot.clone();
    let run = pin!(scope.run(async move {
        *inner.lock().unwrap() = Some(Box::pin(timeout(ns(100), pending::<()>())));
        pending::<()>().await;
    }));
    assert!(poll(run, &count).is_pending());
    let mut limited = slot.lock().unwrap().take().unwrap();
    assert!(poll(limited.as_mut(), &count).is_pending());
    scope.cancel(Cause::new(Kind::Shutdown, "the end"));
    let Poll::Ready(Err(error)) = poll(limited.as_mut(), &count) else {
        panic!("not cancelled")
    };
    assert!(!error.is_elapsed());
    assert!(error.to_string().contains("the end"), "{error}");
}

#[test]
fn the_deadline_can_be_moved_later_and_earlier_from_within() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::after(ns(100));
    let (handle, inner) = (limit.handle(), limit.handle());
    let mut limited = pin!(limit.run(async move {
        sleep(ns(90)).await;
        inner.reschedule(inner.when() + ns(100));
        sleep(ns(60)).await;
        inner.reschedule(now() + ns(5));
        pending::<()>().await;
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    for (time, when) in [(90, 200), (150, 155)] {
        f.advance_to(time);
        assert!(poll(limited.as_mut(), &count).is_pending());
        assert_eq!(handle.when(), at(when));
    }
    f.advance_to(154);
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert!(!handle.expired());
    let wakes = count.get();
    f.advance_to(155);
    assert_eq!(count.get(), wakes + 1);
    assert!(elapsed(poll(limited, &count)));
    assert!(handle.expired());
    handle.reschedule(at(1000));
    assert!(handle.expired(), "it stays");
}

#[test]
fn the_deadline_can_be_moved_from_outside_while_the_body_waits() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = timeout(ns(100), pending::<()>());
    let handle = limited.handle();
    let mut limited = pin!(limited);
    assert!(poll(limited.as_mut(), &count).is_pending());
    handle.reschedule(Instant::NEVER);
    assert_eq!(count.get(), 1);
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(1000);
    assert_eq!(count.get(), 1);
    handle.reschedule(at(1000));
    assert_eq!(count.get(), 2);
    assert!(elapsed(poll(limited, &count)));
}

#[test]
fn a_timeout_around_a_loop_that_is_always_ready_fires() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let time = f.time.clone();
    let mut limited = pin!(timeout(ns(1000), async {
        let mut turns = 0u64;
        loop {
            turns += 1;
            time.set(turns);
            pirn_timer::sleep_until(Instant::EPOCH).await;
        }
    }));
    let mut polls = 0;
    while poll(limited.as_mut(), &count).is_pending() {
        f.driver.park(Until::Now).unwrap();
        polls += 1;
        assert!(polls < 100, "each poll is bounded by the budget");
    }
    assert!(polls > 1);
}

#[test]
fn the_cause_names_the_place_where_the_limit_was_set() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Arc::new(Mutex::new(None));
    let inner = scope.clone();
    let line = line!() + 1;
    let mut limited = pin!(timeout(ns(10), async move {
        *inner.lock().unwrap() = Scope::current();
        pending::<()>().await;
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(10);
    assert!(elapsed(poll(limited, &count)));
    let cause = scope.lock().unwrap().take().unwrap().cause().unwrap();
    assert_eq!((cause.kind(), cause.at().line()), (Kind::Deadline, line));
    assert!(cause.at().file().ends_with("tests/timeout.rs"));
}

#[test]
fn without_a_runtime_a_timeout_fires() {
    pirn_core::shim::block_on(async {
        let start = now();
        let ended = timeout(Duration::from_millis(2), pending::<()>()).await;
        assert!(ended.unwrap_err().is_elapsed());
        assert!(now() >= start + Duration::from_millis(2));
    });
}

#[test]
fn on_tokio_a_timeout_fires_and_waits_for_clean_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let cleaned = Arc::new(AtomicUsize::new(0));
        let inner = cleaned.clone();
        let body = finally(pending::<()>(), move || async move {
            sleep(Duration::from_millis(2)).await;
            inner.store(1, SeqCst);
        });
        let ended = tokio::spawn(timeout(Duration::from_millis(2), body)).await;
        assert!(ended.unwrap().unwrap_err().is_elapsed());
        assert_eq!(cleaned.load(SeqCst), 1);
    });
}

#[test]
fn on_async_executor_a_value_in_time_wins() {
    let executor = async_executor::Executor::new();
    let task = executor.spawn(timeout(Duration::from_secs(60), async {
        sleep(Duration::from_millis(1)).await;
        5
    }));
    assert_eq!(pirn_core::shim::block_on(executor.run(task)).unwrap(), 5);
}
