//! `timeout`, `timeout_at` and the movable `Timeout`.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns};
use pirn_core::{Cause, Instant, Kind, Park, Scope, Until, finally, shield};
use pirn_timer::{Timed, Timeout, TimeoutError, move_on_after, now, sleep, timeout, timeout_at};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        assert!(inner.reschedule(now() + ns(5)));
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
    assert!(!handle.reschedule(at(1000)));
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

// What asyncio's and trio's own suites ask, one by one: pirn-group's docs/scopes.md.

#[test]
fn a_limit_that_was_not_reached_has_not_expired_however_late_it_gets() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::at(at(100));
    let handle = limit.handle();
    let mut limited = pin!(limit.run(sleep(ns(10))));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(10);
    assert!(matches!(poll(limited, &count), Poll::Ready(Ok(()))));
    f.advance_to(1000);
    assert_eq!((handle.when(), handle.expired()), (at(100), false));
    // Nobody is left to be late.
    assert!(!handle.reschedule(at(900)));
    assert_eq!((handle.when(), handle.expired()), (at(100), false));
    // Nor where the body was ready before anybody asked for its scope.
    let mut limited = pin!(timeout(ns(100), ready(())));
    assert!(matches!(
        poll(limited.as_mut(), &count),
        Poll::Ready(Ok(()))
    ));
    assert!(!limited.handle().reschedule(at(5000)));
}

#[test]
fn an_error_of_the_body_is_its_value_and_the_limit_has_not_expired() {
    let f = Fixture::new();
    let _entered = f.enter();
    let limit = Timeout::after(ns(100));
    let handle = limit.handle();
    let limited = pin!(limit.run(ready(Err::<(), _>("broken"))));
    let ended = poll(limited, &Count::new());
    assert!(matches!(ended, Poll::Ready(Ok(Err("broken")))));
    assert!(!handle.expired());
}

#[test]
fn a_panic_in_the_clean_up_of_a_late_body_goes_on() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::after(ns(100));
    let handle = limit.handle();
    let body = finally(pending::<()>(), || async { panic!("in the clean-up") });
    let mut limited = pin!(limit.run(body));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(100);
    let unwound = catch_unwind(AssertUnwindSafe(|| poll(limited, &count)));
    let said = unwound.err().unwrap();
    assert_eq!(said.downcast_ref(), Some(&"in the clean-up"));
    assert!(handle.expired());
}

#[test]
fn a_panic_that_unwinds_as_the_time_is_over_hands_its_clean_up_over_and_goes_on() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let time = f.time.clone();
    let cleaned = Arc::new(AtomicUsize::new(0));
    let inner = cleaned.clone();
    let body = finally(
        async move {
            time.set(100);
            panic!("in the work");
        },
        move || async move {
            sleep(ns(50)).await;
            inner.store(1, SeqCst);
        },
    );
    let mut limited = pin!(timeout(ns(100), body));
    assert!(poll::<Timed<_>>(limited.as_mut(), &count).is_pending());
    f.advance_to(150);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let ended: Poll<Result<(), _>> = poll(limited, &count);
        ended.is_ready()
    }));
    let said = unwound.unwrap_err();
    assert_eq!(said.downcast_ref(), Some(&"in the work"));
    assert_eq!(cleaned.load(SeqCst), 1);
}

#[test]
fn a_thread_that_was_busy_past_two_limits_finds_the_outer_one_over() {
    // What the outer and the inner limit are, and how long the thread is busy.
    for (outer, inner, busy, fires) in [
        (100, 10, 100, true), // past both
        (10, 100, 50, true),  // the outer is the shorter
        (100, 10, 50, false), // past the inner alone
    ] {
        let mut f = Fixture::new();
        let _entered = f.enter();
        let count = Count::new();
        let time = f.time.clone();
        let handle = Arc::new(Mutex::new(None));
        let kept = handle.clone();
        let mut limited = pin!(timeout(ns(outer), async move {
            let limit = Timeout::after(ns(inner));
            *kept.lock().unwrap() = Some(limit.handle());
            let busy = async {
                time.set(busy);
                pending::<()>().await;
            };
            let ended = limit.run(busy).await;
            assert!(ended.unwrap_err().is_elapsed());
            pending::<()>().await;
        }));
        let first = poll(limited.as_mut(), &count);
        let first = match first.is_pending() {
            true => {
                f.advance_to(busy);
                poll(limited.as_mut(), &count)
            }
            false => first,
        };
        assert_eq!(elapsed(first), fires);
        let handle = handle.lock().unwrap().take().unwrap();
        assert_eq!(handle.expired(), !fires, "by its own time alone");
        if !fires {
            f.advance_to(outer);
            assert!(elapsed(poll(limited, &count)));
        }
    }
}

#[test]
fn a_limit_says_how_it_stands() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::at(at(100));
    let handle = limit.handle();
    let shown = |limit: &dyn std::fmt::Debug| format!("{limit:?}");
    assert_eq!(shown(&limit), shown(&handle));
    let before = shown(&handle);
    assert!(before.contains("expired: false"), "{before}");
    f.advance_to(100);
    assert!(elapsed(poll(pin!(limit.run(pending::<()>())), &count)));
    let after = shown(&handle);
    assert_eq!(after, before.replace("false", "true"));
}

#[test]
fn a_clean_up_may_limit_itself_whatever_cancelled_the_body() {
    for outer_cancel in [false, true] {
        let mut f = Fixture::new();
        let _entered = f.enter();
        let count = Count::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let inner = seen.clone();
        let scope = Scope::detached();
        let body = finally(pending::<()>(), move || async move {
            for limit in [Duration::ZERO, ns(20)] {
                let ended = timeout(limit, pending::<()>()).await;
                inner.lock().unwrap().push((ended.is_err(), now()));
            }
        });
        let mut run = pin!(scope.run(timeout(ns(100), body)));
        assert!(poll(run.as_mut(), &count).is_pending());
        let over = match outer_cancel {
            true => 50,
            false => 100,
        };
        f.advance_to(over);
        if outer_cancel {
            scope.cancel(Cause::requested("stop"));
        }
        assert!(poll(run.as_mut(), &count).is_pending());
        f.advance_to(over + 20);
        let ended = poll(run, &count);
        assert_eq!(matches!(ended, Poll::Ready(Err(_))), outer_cancel);
        assert_eq!(matches!(ended, Poll::Ready(Ok(Err(_)))), !outer_cancel);
        assert_eq!(
            *seen.lock().unwrap(),
            [(true, at(over)), (true, at(over + 20))]
        );
    }
}

#[test]
fn a_second_cancel_does_not_reach_a_clean_up_that_has_begun() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let (again, seen) = (scope.clone(), Arc::new(Mutex::new(None)));
    let inner = seen.clone();
    let body = finally(pending::<()>(), move || async move {
        let ended = timeout(ns(100), async move {
            assert!(!again.cancel(Cause::requested("again")));
            sleep(ns(20)).await;
            5
        });
        *inner.lock().unwrap() = ended.await.ok();
    });
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut(), &count).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert!(poll(run.as_mut(), &count).is_pending());
    f.advance_to(20);
    let Poll::Ready(Err(cause)) = poll(run, &count) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.text(), "stop");
    assert_eq!(*seen.lock().unwrap(), Some(5));
}

#[test]
fn a_limit_may_be_moved_before_it_runs() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::after(ns(100));
    let handle = limit.handle();
    assert_eq!(handle.when(), at(100));
    assert!(handle.reschedule(at(20)));
    assert_eq!(handle.when(), at(20));
    let mut limited = pin!(limit.run(pending::<()>()));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(20);
    assert!(elapsed(poll(limited, &count)));
}

#[test]
fn a_limit_whose_body_was_cancelled_keeps_its_deadline() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let limit = Timeout::at(at(100));
    let (handle, inner) = (limit.handle(), limit.handle());
    // Expiring: in the clean-up, the time is over and the run is not.
    let mut limited = pin!(limit.run(finally(pending::<()>(), move || async move {
        assert!(!inner.reschedule(at(500)));
        sleep(ns(50)).await;
    })));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert_eq!((handle.when(), handle.expired()), (at(100), true));
    f.advance_to(150);
    assert!(elapsed(poll(limited, &count)));
    // Expired.
    assert!(!handle.reschedule(Instant::NEVER));
    assert_eq!((handle.when(), handle.expired()), (at(100), true));
    // Cancelled for another reason.
    let mut limited = timeout_at(at(400), async {
        Scope::current().unwrap().cancel(Cause::requested("stop"));
        pending::<()>().await;
    });
    let handle = limited.handle();
    let ended = poll(pin!(limited), &count);
    assert!(matches!(
        ended,
        Poll::Ready(Err(TimeoutError::Cancelled(_)))
    ));
    assert!(!handle.reschedule(at(200)));
    f.advance_to(300);
    assert_eq!((handle.when(), handle.expired()), (at(400), false));
}

#[test]
fn a_limit_that_is_made_where_all_is_cancelled_has_its_deadline_too() {
    let f = Fixture::new();
    let _entered = f.enter();
    let scope = Scope::detached();
    let around = scope.clone();
    let run = pin!(scope.run(async move {
        around.cancel(Cause::requested("stop"));
        Timeout::at(at(100)).handle().when()
    }));
    assert!(matches!(poll(run, &Count::new()), Poll::Ready(Ok(when)) if when == at(100)));
}

#[test]
fn a_deadline_that_is_moved_thousands_of_times_has_one_timer() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = timeout(ns(100), pending::<()>());
    let handle = limited.handle();
    let mut limited = pin!(limited);
    for turn in 0..5000 {
        handle.reschedule(at(9998 + turn % 2));
        assert!(poll(limited.as_mut(), &count).is_pending());
    }
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::At(at(9999))]);
    f.driver.park(Until::Now).unwrap();
    assert!(elapsed(poll(limited, &count)));
    f.log.take_parks();
    f.driver.park(Until::Woken).unwrap();
    assert_eq!(f.log.take_parks(), [Until::Woken]);
}

#[test]
fn with_a_limit_of_zero_the_clean_up_is_awaited_too() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let cleaned = Arc::new(AtomicUsize::new(0));
    let inner = cleaned.clone();
    let body = finally(pending::<()>(), move || async move {
        sleep(ns(50)).await;
        inner.store(1, SeqCst);
    });
    let mut limited = pin!(timeout(Duration::ZERO, body));
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert_eq!(cleaned.load(SeqCst), 0);
    f.advance_to(50);
    assert!(elapsed(poll(limited, &count)));
    assert_eq!(cleaned.load(SeqCst), 1);
}

#[test]
fn a_shielded_value_that_comes_after_the_time_is_returned() {
    for limit in [Duration::ZERO, ns(100)] {
        let mut f = Fixture::new();
        let _entered = f.enter();
        let count = Count::new();
        let mut limited = pin!(timeout(
            limit,
            shield(async {
                sleep(ns(150)).await;
                42
            })
        ));
        assert!(poll(limited.as_mut(), &count).is_pending());
        f.advance_to(100);
        assert!(poll(limited.as_mut(), &count).is_pending());
        f.advance_to(150);
        assert!(matches!(poll(limited, &count), Poll::Ready(Ok(42))));
    }
}

#[test]
fn an_outer_cancel_during_the_clean_up_of_a_late_body_waits_for_it_and_wins() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let cleaned = Arc::new(AtomicUsize::new(0));
    let inner = cleaned.clone();
    let mut run = pin!(scope.run(async move {
        let body = finally(pending::<()>(), move || async move {
            sleep(ns(50)).await;
            inner.store(1, SeqCst);
        });
        let _ = timeout(ns(100), body).await;
        panic!("it went on");
    }));
    assert!(poll::<pirn_core::Scoped<_>>(run.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(poll::<pirn_core::Scoped<_>>(run.as_mut(), &count).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert!(poll::<pirn_core::Scoped<_>>(run.as_mut(), &count).is_pending());
    f.advance_to(150);
    let Poll::Ready(Err::<(), _>(cause)) = poll(run, &count) else {
        panic!("not cancelled")
    };
    assert_eq!((cause.text(), cleaned.load(SeqCst)), ("stop", 1));
}

#[test]
fn a_cancel_around_that_comes_with_the_value_is_not_swallowed() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        timeout(ns(100), sleep(ns(10))).await.unwrap();
        panic!("it went on");
    }));
    assert!(poll::<pirn_core::Scoped<_>>(run.as_mut(), &count).is_pending());
    // In one turn: the value is there, and the cancel.
    f.advance_to(10);
    scope.cancel(Cause::requested("stop"));
    let ended: Poll<Result<(), _>> = poll(run, &count);
    assert!(matches!(ended, Poll::Ready(Err(cause)) if cause.text() == "stop"));
}

#[test]
fn a_limit_inside_a_shield_is_not_reached_by_the_cancel_around_and_fires() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inner = seen.clone();
    let mut run = pin!(scope.run(async move {
        shield(async {
            let failed = timeout(ns(100), pending::<()>()).await;
            inner.lock().unwrap().push((failed.is_err(), now()));
            let moved_on = move_on_after(ns(50), |_| pending::<()>()).await;
            inner.lock().unwrap().push((moved_on.is_none(), now()));
        })
        .await;
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut(), &count).is_pending());
    scope.cancel(Cause::requested("stop"));
    for time in [99, 100, 149] {
        f.advance_to(time);
        assert!(poll(run.as_mut(), &count).is_pending());
    }
    f.advance_to(150);
    assert!(matches!(poll(run, &count), Poll::Ready(Err(_))));
    assert_eq!(*seen.lock().unwrap(), [(true, at(100)), (true, at(150))]);
}
