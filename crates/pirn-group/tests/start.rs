//! Children that say when they are ready.

#[path = "forms/start.rs"]
mod cases;
mod support;

use pirn_group::{GroupBuilder, OwnedGroup, StartError, Started};
use std::future::{Future, pending};
use std::task::{Context, Waker};
use support::{Hand, poll, reports};

fn on(hand: &Hand) -> GroupBuilder<Hand> {
    GroupBuilder::on(hand.clone())
}

fn open(hand: &Hand) -> OwnedGroup<&'static str, Hand> {
    on(hand).open()
}

#[test]
fn one_that_its_executor_drops_before_it_is_ready_is_told_as_cancelled() {
    let hand = Hand::default();
    let group = open(&hand);
    let waits = async |_started: Started<()>| pending::<Result<(), _>>().await;
    let mut start = Box::pin(group.start(waits));
    assert!(poll(start.as_mut()).is_pending());
    hand.lose(0);
    assert!(matches!(hand.finish(start), Err(StartError::Cancelled(_))));
    assert!(hand.finish(group.join()).unwrap_err().cause().is_some());
}

#[test]
fn one_that_its_executor_refuses_says_why_and_the_group_goes_on() {
    let hand = Hand::default();
    let group = open(&hand);
    hand.refuse();
    let ready = async |started: Started<()>| {
        started.send(()).unwrap();
        Ok(())
    };
    let error = hand.finish(group.start(ready)).unwrap_err();
    assert!(matches!(error, StartError::Refused("the hand is full")));
    assert!(!group.scope().is_cancelled());
    hand.finish(group.join()).unwrap();
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
fn a_waker_that_panics_as_it_is_dropped_with_a_start_is_reported() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bad waker");
        }
    }
    reports();
    let group = open(&Hand::default());
    let waits = async |_started: Started<()>| pending::<Result<(), _>>().await;
    let mut start = Box::pin(group.start(waits));
    let waker = Waker::from(std::sync::Arc::new(Bomb));
    assert!(
        start
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    // The start has the last one.
    drop(waker);
    drop(start);
    let bad = "a panic that nobody received: a bad waker";
    assert_eq!(reports(), [bad]);
}
