//! The gathers of a group builder, on an executor that is driven by hand.

mod support;

use pirn_core::{Cause, JoinError, Scope};
use pirn_group::{GroupBuilder, GroupError};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use support::{Bomb, Gate, Hand, Log, reports, yield_now};

fn on(hand: &Hand) -> GroupBuilder<Hand> {
    GroupBuilder::on(hand.clone())
}

#[test]
fn values_come_in_the_order_in_which_the_futures_were_given() {
    let hand = Hand::default();
    let futures = (0..5).map(|i| async move {
        for _ in 0..5 - i {
            yield_now().await;
        }
        Ok::<_, &str>(i)
    });
    let values = hand.finish(on(&hand).gather(futures));
    assert_eq!(values.unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn nothing_gathers_to_nothing() {
    let hand = Hand::default();
    let none: [std::future::Ready<Result<(), String>>; 0] = [];
    assert_eq!(hand.finish(on(&hand).gather(none)).unwrap(), []);
}

#[test]
fn the_first_failure_cancels_the_others() {
    let (hand, log) = (Hand::default(), Log::default());
    let futures = (0..3).map(|i| {
        let log = log.clone();
        async move {
            let _dropped = log.on_drop("dropped");
            yield_now().await;
            match i {
                1 => Err("one"),
                _ => pending().await,
            }
        }
    });
    let error: GroupError<_> = hand
        .finish(on(&hand).gather::<_, _, (), _>(futures))
        .unwrap_err();
    assert_eq!(error.into_errors(), ["one"]);
    assert_eq!(log.said().len(), 3);
}

#[test]
fn a_future_that_cancels_itself_leaves_no_value_for_the_whole() {
    let hand = Hand::default();
    let futures = (0..2).map(|i| async move {
        if i == 0 {
            Scope::current().unwrap().cancel(Cause::requested("stop"));
            pending::<()>().await;
        }
        Ok::<_, &str>(i)
    });
    let error = hand.finish(on(&hand).gather(futures)).unwrap_err();
    assert_eq!(error.cause().unwrap().text(), "stop");
}

#[test]
fn values_that_panic_as_they_are_dropped_do_not_take_the_place_of_what_went_wrong() {
    reports();
    let hand = Hand::default();
    let gather = |how: &'static str| {
        let member = move |i: usize| async move {
            match (i, how) {
                (0 | 2, _) => return Ok(Bomb("a value")),
                (_, "an error") => {
                    yield_now().await;
                    return Err("no");
                }
                (_, "a cancel") => {
                    Scope::current().unwrap().cancel(Cause::requested("stop"));
                }
                _ => {
                    yield_now().await;
                    panic!("first")
                }
            }
            pending().await
        };
        catch_unwind(AssertUnwindSafe(|| {
            hand.finish(on(&hand).gather((0..3).map(member))).err()
        }))
    };
    let error = gather("an error").unwrap().unwrap();
    assert_eq!(error.into_errors(), ["no"]);
    assert_eq!(reports().len(), 2);
    let error = gather("a cancel").unwrap().unwrap();
    assert_eq!(error.cause().unwrap().text(), "stop");
    assert_eq!(reports().len(), 2);
    let payload = gather("a panic").err().unwrap();
    assert_eq!(pirn_core::panic_message(&*payload), "first");
    assert_eq!(reports().len(), 2);
}

#[test]
fn every_outcome_is_kept_and_none_ends_the_others() {
    let hand = Hand::default();
    let results = hand.finish(on(&hand).gather_results((0..4).map(|i| async move {
        match i {
            0 => panic!("zero"),
            1 => {
                Scope::current().unwrap().cancel(Cause::requested("one"));
                pending::<()>().await;
            }
            _ => yield_now().await,
        }
        i
    })));
    assert!(matches!(&results[0], Err(JoinError::Panicked(p)) if p.message() == "zero"));
    assert!(matches!(&results[1], Err(JoinError::Cancelled(cause)) if cause.text() == "one"));
    assert_eq!(results[2].as_ref().unwrap(), &2);
    assert_eq!(results[3].as_ref().unwrap(), &3);
}

#[test]
fn a_limit_holds_for_a_gather() {
    let (hand, gates) = (Hand::default(), [(); 4].map(|()| Gate::default()));
    let log = Log::default();
    let futures = gates.clone().into_iter().map(|gate| {
        let log = log.clone();
        async move {
            log.say("started");
            gate.passed().await;
            Ok::<_, &str>(())
        }
    });
    let mut all = pin!(on(&hand).limit(2).gather(futures));
    assert!(hand.run(all.as_mut()).is_pending());
    assert_eq!(log.said().len(), 2);
    gates[0].open();
    assert!(hand.run(all.as_mut()).is_pending());
    assert_eq!(log.said().len(), 3);
    gates.iter().for_each(Gate::open);
    assert_eq!(hand.finish(all).unwrap().len(), 4);
}

#[test]
fn a_child_that_the_executor_drops_is_not_passed_over() {
    let hand = Hand::default();
    let mut all = pin!(on(&hand).gather((0..3).map(|i| async move { Ok::<_, &str>(i) })));
    assert!(support::poll(all.as_mut()).is_pending());
    hand.lose(1);
    let error = hand.finish(all).unwrap_err();
    assert!(error.to_string().contains("dropped a child"));

    let mut all = pin!(on(&hand).gather_results((0..3).map(|i| async move { i })));
    assert!(support::poll(all.as_mut()).is_pending());
    hand.lose(1);
    let results = hand.finish(all);
    assert_eq!(results.len(), 3);
    assert!(results[1].as_ref().unwrap_err().is_cancelled());
}

#[test]
fn gathers_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let hand = Hand::default();
    let futures = || [async { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(1) }];
    let inner = hand.clone();
    let nested = is_send(on(&hand).run(async move |g| {
        let child = g.spawn(async move { Ok(on(&inner).gather(futures()).await?) });
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(child.await?)
    }));
    assert_eq!(hand.finish(nested).unwrap(), [1]);
    fn future<F: Future>(_: F) {}
    future(is_send(on(&hand).gather_results([async {}])));
}
