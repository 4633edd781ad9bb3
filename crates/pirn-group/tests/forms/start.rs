//! Children that say when they are ready, in all groups: a part of `tests/start.rs`, of
//! `tests/in_task.rs`, of `tests/local.rs` and of `tests/executors.rs`, where `on` says how a group is
//! made.

use super::support::{Gate, Log, poll_inside, yield_now};
use super::{Hand, on};
use futures::FutureExt;
use pirn_core::{Cause, finally, panic_message, shield};
use pirn_group::{GroupError, StartError, Started};
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

type Ended<T> = Result<T, GroupError<&'static str>>;
type Refusal = StartError<&'static str>;

#[test]
fn start_waits_until_the_child_is_ready_and_gives_its_word_and_its_handle() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        let (said, passed) = (log.clone(), gate.passed());
        let serve = async move |started: Started<u16>| {
            yield_now().await;
            said.say("ready");
            started.send(80).unwrap();
            passed.await;
            said.say("done");
            Ok("served")
        };
        let (port, child) = g.start_named("server", serve).await.unwrap();
        log.say("started");
        gate.open();
        Ok((port, child.await.unwrap()))
    }));
    assert_eq!(ended.unwrap(), (80, "served"));
    assert_eq!(log.said(), ["ready", "started", "done"]);
}

#[test]
fn one_that_fails_before_it_is_ready_is_the_starters_business_alone() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
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
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let fails = async |started: Started<()>| {
            started.send(()).unwrap();
            Err::<(), _>("in service")
        };
        let started = shield(g.start_named("server", fails)).await;
        assert!(started.is_ok());
        pending().await
    }));
    let error = ended.unwrap_err();
    assert_eq!(error.first().unwrap().task().name(), Some("server"));
    assert_eq!(error.into_errors(), ["in service"]);
}

#[test]
fn a_panic_before_it_is_ready_goes_on_at_the_starter() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        let breaks = async |_: Started<()>| -> Result<(), _> { panic!("no socket") };
        let start = AssertUnwindSafe(g.start(breaks)).catch_unwind();
        let payload = start.await.map(drop).unwrap_err();
        assert!(!g.scope().is_cancelled());
        Ok(panic_message(&*payload).to_owned())
    }));
    assert_eq!(ended.unwrap(), "no socket");
}

#[test]
fn one_that_ends_without_a_word_is_an_error_for_the_starter() {
    let hand = Hand::default();
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let silent = async |_: Started<()>| Ok(5);
        let error: Refusal = g.start(silent).await.unwrap_err();
        assert!(matches!(error, StartError::NotStarted), "{error}");
        Ok(())
    }));
    ended.unwrap();
}

#[test]
fn one_that_is_cancelled_before_it_is_ready_or_before_it_begins_says_why() {
    let hand = Hand::default();
    let mut seen = Vec::new();
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let waits = async |_started: Started<()>| pending::<Result<(), _>>().await;
        let mut start = Box::pin(g.start(waits));
        let never = async |_: Started<()>| -> Result<(), _> { panic!("it ran") };
        shield(async {
            poll_inside(start.as_mut()).await;
            yield_now().await;
            g.cancel(Cause::requested("enough"));
            seen.push(start.await.unwrap_err().to_string());
            seen.push(g.start(never).await.unwrap_err().to_string());
        })
        .await;
        Ok(())
    }));
    ended.unwrap();
    assert_eq!(seen.len(), 2);
    for said in seen {
        assert!(said.contains("cancelled on request: enough"), "{said}");
    }
}

#[test]
fn one_that_is_refused_says_why_and_the_group_goes_on() {
    let hand = Hand::default();
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let ready = async |started: Started<()>| {
            started.send(()).unwrap();
            Ok(())
        };
        g.start(ready).await.unwrap();
        g.close();
        let error: Refusal = g.start(ready).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the task was not spawned: the group has ended, or is about to"
        );
        Ok(())
    }));
    ended.unwrap();
}

#[test]
fn a_start_that_is_dropped_cancels_the_child_and_the_group_waits_for_it() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let mut run = pin!(on(&hand).run(async |g| {
        let (said, passed) = (log.clone(), gate.clone());
        let mut start = Box::pin(g.start(async move |started: Started<u8>| {
            finally(pending::<()>(), || async move {
                passed.passed().await;
                assert_eq!(started.send(1), Err(1));
                said.say("cleaned up");
            })
            .await;
            Ok(())
        }));
        poll_inside(start.as_mut()).await;
        yield_now().await;
        drop(start);
        assert!(!g.scope().is_cancelled());
        Ok::<_, &str>(())
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    hand.finish(run).unwrap();
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn a_failure_that_the_starter_did_not_take_is_the_groups() {
    for turns in [1, 9] {
        let hand = Hand::default();
        let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
            let mut start = Box::pin(g.start(async |started: Started<()>| {
                shield(async {
                    for _ in 0..3 {
                        yield_now().await;
                    }
                })
                .await;
                drop(started);
                Err::<(), _>("no port")
            }));
            poll_inside(start.as_mut()).await;
            for _ in 0..turns {
                yield_now().await;
            }
            // Before the child has failed, and after.
            drop(start);
            Ok(())
        }));
        assert_eq!(ended.unwrap_err().into_errors(), ["no port"]);
    }
}

#[test]
fn a_start_that_is_never_polled_starts_nothing() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        drop(g.start(async |_: Started<()>| -> Result<(), _> { panic!("it ran") }));
        Ok(g.live())
    }));
    assert_eq!(ended.unwrap(), 0);
}

#[test]
fn a_ready_child_whose_start_is_dropped_goes_on() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let said = log.clone();
        let mut start = Box::pin(g.start(async move |started: Started<()>| {
            started.send(()).unwrap();
            yield_now().await;
            said.say("went on");
            Ok(())
        }));
        poll_inside(start.as_mut()).await;
        yield_now().await;
        drop(start);
        Ok(())
    }));
    ended.unwrap();
    assert_eq!(log.said(), ["went on"]);
}
