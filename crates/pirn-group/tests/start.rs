//! Children that say when they are ready.

mod support;

use pirn_core::{Cause, finally, panic_message, shield};
use pirn_group::{GroupBuilder, GroupError, OwnedGroup, StartError, Started};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use support::{Gate, Hand, Log, poll, reports, yield_now};

type Ended<T> = Result<T, GroupError<&'static str>>;
type Refusal = StartError<&'static str>;

fn open(hand: &Hand) -> OwnedGroup<&'static str, Hand> {
    GroupBuilder::on(hand.clone()).open()
}

#[test]
fn start_waits_until_the_child_is_ready_and_gives_its_word_and_its_handle() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Ended<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let said = log.clone();
        let serve = async move |started: Started<u16>| {
            yield_now().await;
            said.say("ready");
            started.send(80).unwrap();
            yield_now().await;
            said.say("done");
            Ok("served")
        };
        let (port, child) = g.start_named("server", serve).await.unwrap();
        log.say("started");
        Ok((port, child.await.unwrap()))
    }));
    assert_eq!(ended.unwrap(), (80, "served"));
    assert_eq!(log.said(), ["ready", "started", "done"]);
}

#[test]
fn one_that_fails_before_it_is_ready_is_the_starters_business_alone() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn(async {
            yield_now().await;
            yield_now().await;
            Ok(())
        });
        let fails = async |started: Started<()>| {
            drop(started);
            yield_now().await;
            Err::<(), _>("no port")
        };
        let error: Refusal = g.start(fails).await.unwrap_err();
        assert!(!g.scope().is_cancelled());
        assert!(error.to_string().ends_with("before it was ready: no port"));
        let StartError::Failed(error) = error else {
            panic!("{error}")
        };
        Ok(error)
    }));
    assert_eq!(ended.unwrap(), "no port");
}

#[test]
fn one_that_fails_after_it_was_ready_is_the_groups() {
    let hand = Hand::default();
    let ended: Ended<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let fails = async |started: Started<()>| {
            started.send(()).unwrap();
            Err::<(), _>("in service")
        };
        let started = shield(g.start(fails)).await;
        assert!(started.is_ok());
        pending().await
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["in service"]);
}

#[test]
fn a_panic_before_it_is_ready_goes_on_at_the_starter() {
    let hand = Hand::default();
    let group = open(&hand);
    let breaks = async |_: Started<()>| -> Result<(), _> { panic!("no socket") };
    let start = AssertUnwindSafe(|| hand.finish(group.start(breaks)).is_ok());
    assert_eq!(
        panic_message(&*catch_unwind(start).unwrap_err()),
        "no socket"
    );
    assert!(!group.scope().is_cancelled());
    hand.finish(group.join()).unwrap();
}

#[test]
fn one_that_ends_without_a_word_is_an_error_for_the_starter() {
    let hand = Hand::default();
    let group = open(&hand);
    let silent = async |_: Started<()>| Ok(5);
    let error = hand.finish(group.start(silent)).unwrap_err();
    assert!(matches!(error, StartError::NotStarted), "{error}");
    hand.finish(group.join()).unwrap();
}

#[test]
fn one_that_is_cancelled_or_lost_before_it_is_ready_says_why() {
    let hand = Hand::default();
    let group = open(&hand);
    let waits = async |_started: Started<()>| pending::<Result<(), _>>().await;
    let mut start = Box::pin(group.start(waits));
    assert!(hand.run(start.as_mut()).is_pending());
    group.cancel(Cause::requested("enough"));
    match hand.finish(start) {
        Err(StartError::Cancelled(cause)) => assert_eq!(cause.text(), "enough"),
        other => panic!("{:?}", other.map(drop)),
    }
    // In a cancelled group it never starts.
    let never = async |_: Started<()>| -> Result<(), _> { panic!("it ran") };
    assert!(matches!(
        hand.finish(group.start(never)),
        Err(StartError::Cancelled(_))
    ));
    hand.finish(group.join()).unwrap();

    let group = open(&hand);
    let mut start = Box::pin(group.start(waits));
    assert!(poll(start.as_mut()).is_pending());
    hand.lose(0);
    assert!(matches!(hand.finish(start), Err(StartError::Cancelled(_))));
    assert!(hand.finish(group.join()).unwrap_err().cause().is_some());
}

#[test]
fn one_that_is_refused_says_why_and_the_group_goes_on() {
    let hand = Hand::default();
    let group = open(&hand);
    let ready = async |started: Started<()>| {
        started.send(()).unwrap();
        Ok(())
    };
    hand.finish(group.start(ready)).unwrap();
    group.close();
    let error = hand.finish(group.start(ready)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the task was not spawned: the group has ended, or is about to"
    );
    hand.finish(group.join()).unwrap();
    let group = open(&hand);
    hand.refuse();
    let error = hand.finish(group.start(ready)).unwrap_err();
    assert!(matches!(error, StartError::Refused("the hand is full")));
    assert!(!group.scope().is_cancelled());
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_start_that_is_dropped_cancels_the_child_and_the_group_waits_for_it() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let group = open(&hand);
    let (said, passed) = (log.clone(), gate.clone());
    let mut start = Box::pin(group.start(async move |started: Started<u8>| {
        finally(pending::<()>(), || async move {
            passed.passed().await;
            assert_eq!(started.send(1), Err(1));
            said.say("cleaned up");
        })
        .await;
        Ok(())
    }));
    assert!(hand.run(start.as_mut()).is_pending());
    drop(start);
    let mut join = pin!(group.join());
    assert!(hand.run(join.as_mut()).is_pending());
    gate.open();
    hand.finish(join).unwrap();
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn a_failure_that_the_starter_did_not_take_is_the_groups() {
    for turns in [1, 9] {
        let hand = Hand::default();
        let group = open(&hand);
        let mut start = Box::pin(group.start(async |started: Started<()>| {
            shield(async {
                for _ in 0..3 {
                    yield_now().await;
                }
            })
            .await;
            drop(started);
            Err::<(), _>("no port")
        }));
        assert!(poll(start.as_mut()).is_pending());
        for _ in 0..turns {
            hand.turn();
        }
        // Before the child has failed, and after.
        drop(start);
        assert_eq!(
            hand.finish(group.join()).unwrap_err().into_errors(),
            ["no port"]
        );
    }
}

#[test]
fn a_failure_that_the_starter_did_not_take_after_the_group_ended_is_reported() {
    reports();
    let hand = Hand::default();
    let group = open(&hand);
    let handle = group.clone();
    let mut start = Box::pin(handle.start(async |_: Started<()>| Err::<(), _>("no port")));
    assert!(poll(start.as_mut()).is_pending());
    hand.settle();
    hand.finish(group.join()).unwrap();
    drop(start);
    assert!(reports()[0].contains("no port"));
}

#[test]
fn a_start_that_is_never_polled_starts_nothing() {
    let hand = Hand::default();
    let group = open(&hand);
    drop(group.start(async |_: Started<()>| -> Result<(), _> { panic!("it ran") }));
    assert_eq!(hand.held(), 0);
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_ready_child_whose_start_is_dropped_goes_on() {
    let (hand, log) = (Hand::default(), Log::default());
    let group = open(&hand);
    let said = log.clone();
    let mut start = Box::pin(group.start(async move |started: Started<()>| {
        started.send(()).unwrap();
        yield_now().await;
        said.say("went on");
        Ok(())
    }));
    assert!(poll(start.as_mut()).is_pending());
    hand.turn();
    drop(start);
    hand.finish(group.join()).unwrap();
    assert_eq!(log.said(), ["went on"]);
}
