//! `move_on_after`, `move_on_at`, and the deadline in force.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns};
use pirn_core::{Cause, Instant, Scope, current_cause, finally, shield};
use pirn_timer::{
    MoveOn, current_deadline, move_on_after, move_on_at, now, sleep, timeout, timeout_at,
};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

const fn moves_anywhere<T: Send + 'static>() {}
const _: () = moves_anywhere::<MoveOn<std::future::Ready<()>>>();

fn poll<F: Future>(future: Pin<&mut F>, count: &Arc<Count>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&count.clone().into()))
}

#[test]
fn a_value_in_time_is_returned() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = pin!(move_on_after(ns(100), async |limit| {
        sleep(ns(10)).await;
        limit.when()
    }));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(10);
    assert_eq!(poll(limited, &count), Poll::Ready(Some(at(100))));
}

#[test]
fn when_the_time_is_over_the_clean_up_is_awaited_and_the_task_goes_on() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (inner, outer) = (log.clone(), log.clone());
    let mut task = pin!(async move {
        let cut = move_on_after(ns(100), |_| {
            finally(pending::<()>(), move || async move {
                inner.lock().unwrap().push("begun");
                sleep(ns(50)).await;
                inner.lock().unwrap().push("ended");
            })
        });
        assert_eq!(cut.await, None);
        outer.lock().unwrap().push("on");
        sleep(ns(50)).await;
    });
    assert!(poll(task.as_mut(), &count).is_pending());
    f.advance_to(100);
    assert!(poll(task.as_mut(), &count).is_pending());
    assert_eq!(*log.lock().unwrap(), ["begun"]);
    f.advance_to(150);
    assert!(poll(task.as_mut(), &count).is_pending());
    assert_eq!(*log.lock().unwrap(), ["begun", "ended", "on"]);
    f.advance_to(200);
    assert!(poll(task, &count).is_ready());
}

#[test]
fn a_limit_of_zero_or_in_the_past_allows_one_poll() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    f.advance_to(50);
    let count = Count::new();
    for limit in [at(0), at(49), at(50)] {
        let quick = pin!(move_on_at(limit, |_| ready(5)));
        assert_eq!(poll(quick, &count), Poll::Ready(Some(5)));
        let polls = std::cell::Cell::new(0);
        let slow = pin!(move_on_at(limit, |_| poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        })));
        assert_eq!(poll(slow, &count), Poll::Ready(None));
        assert_eq!(polls.get(), 1);
    }
    let slow = pin!(move_on_after(Duration::ZERO, |_| pending::<()>()));
    assert_eq!(poll(slow, &count), Poll::Ready(None));
    let endless = pin!(move_on_after(Duration::MAX, |limit| ready(limit.when())));
    assert_eq!(poll(endless, &count), Poll::Ready(Some(Instant::NEVER)));
}

#[test]
fn the_body_moves_its_own_deadline_and_so_does_who_is_outside() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = move_on_after(ns(100), async |limit| {
        sleep(ns(90)).await;
        limit.reschedule(now() + ns(100));
        pending::<()>().await;
    });
    let handle = limited.handle();
    let mut limited = pin!(limited);
    for (time, when) in [(0, 100), (90, 190), (189, 190)] {
        f.advance_to(time);
        assert!(poll(limited.as_mut(), &count).is_pending());
        assert_eq!(handle.when(), at(when));
    }
    handle.reschedule(at(300));
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(299);
    assert!(poll(limited.as_mut(), &count).is_pending());
    f.advance_to(300);
    assert_eq!(poll(limited, &count), Poll::Ready(None));
    assert!(handle.expired());
}

#[test]
fn a_cancel_of_the_bodys_own_scope_is_a_cut_that_has_not_expired() {
    let f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut limited = move_on_after(ns(100), async |_| {
        Scope::current()
            .unwrap()
            .cancel(Cause::requested("done with it"));
        pending::<()>().await;
    });
    let handle = limited.handle();
    assert_eq!(poll(pin!(limited), &count), Poll::Ready(None));
    assert!(!handle.expired());
}

#[test]
fn under_an_outer_cancel_nobody_moves_on() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        move_on_after(ns(100), async |_| pending::<()>().await).await;
        panic!("it moved on");
    }));
    assert!(poll(run.as_mut(), &count).is_pending());
    f.advance_to(100);
    scope.cancel(Cause::requested("stop"));
    let Poll::Ready(Err::<(), _>(cause)) = poll(run, &count) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.text(), "stop");
}

#[test]
fn the_deadline_in_force_is_the_least_around_up_to_a_shield() {
    let f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    assert_eq!(current_deadline(), Instant::NEVER);
    let nested = pin!(timeout(ns(100), async {
        assert_eq!(current_deadline(), at(100));
        let inner = move_on_after(ns(50), async |limit| {
            assert_eq!(current_deadline(), at(50));
            limit.reschedule(at(500));
            assert_eq!(current_deadline(), at(100), "the one around");
            shield(async {
                assert_eq!(current_deadline(), Instant::NEVER);
                let ended = timeout_at(at(70), async { current_deadline() }).await;
                assert_eq!(ended.unwrap(), at(70));
            })
            .await;
        });
        assert_eq!(inner.await, Some(()));
        // A scope that nobody has asked for is not made.
        let planned = timeout(ns(10), async { current_deadline() }).await;
        assert_eq!(planned.unwrap(), at(10));
        let longer = timeout(ns(900), async { current_deadline() }).await;
        assert_eq!(longer.unwrap(), at(100));
    }));
    assert!(matches!(poll(nested, &count), Poll::Ready(Ok(()))));
}

#[test]
fn a_clean_up_learns_the_kind_the_words_and_the_place() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let seen = Arc::new(Mutex::new(None));
    let inner = seen.clone();
    let body = finally(pending::<()>(), move || async move {
        *inner.lock().unwrap() = current_cause();
    });
    let line = line!() + 1;
    let mut limited = pin!(timeout(ns(10), body));
    assert!(poll(limited.as_mut(), &count).is_pending());
    assert!(current_cause().is_none());
    f.advance_to(10);
    assert!(poll(limited, &count).is_ready());
    let cause = seen.lock().unwrap().take().unwrap();
    assert_eq!(cause.kind(), pirn_core::Kind::Deadline);
    assert_eq!(cause.at().line(), line);
    assert!(cause.at().file().ends_with("tests/move_on.rs"));
}
