//! Models of children that say when they are ready, and of those that do not.

use crate::hand::Hand;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, block_on, thread};
use pirn_core::{Cause, TaskMeta};
use pirn_group::{GroupBuilder, OwnedGroup, StartError, Started};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

fn open(hand: &Hand) -> OwnedGroup<u8, Hand> {
    GroupBuilder::on(hand.clone()).open()
}

#[test]
fn a_child_that_is_ready_wakes_the_starter_and_its_failure_after_that_is_the_groups() {
    shim::model(|| {
        let hand = Hand::default();
        let group = open(&hand);
        let other = hand.clone();
        let handle = group.clone();
        let mut start = Box::pin(handle.start(async |started: Started<u8>| {
            started.send(5).unwrap();
            Err::<(), _>(6)
        }));
        assert!(
            start
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let child = thread::spawn(move || other.run_one());
        let (value, _) = block_on(start).unwrap();
        assert_eq!(value, 5);
        assert_eq!(block_on(group.join()).unwrap_err().into_errors(), [6]);
        child.join().unwrap();
    });
}

#[test]
fn a_child_that_fails_before_it_is_ready_wakes_the_starter_and_leaves_the_group_alone() {
    shim::model(|| {
        let hand = Hand::default();
        let group = open(&hand);
        let other = hand.clone();
        let handle = group.clone();
        let mut start = Box::pin(handle.start(async |_: Started<()>| Err::<(), _>(6)));
        assert!(
            start
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let child = thread::spawn(move || other.run_one());
        match block_on(start) {
            Err(StartError::Failed(error)) => assert_eq!(error, 6),
            other => panic!("{:?}", other.map(drop)),
        }
        block_on(group.join()).unwrap();
        child.join().unwrap();
    });
}

#[test]
fn a_failure_that_comes_as_the_starter_is_dropped_is_the_groups() {
    shim::model(|| {
        let (hand, failed) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        let (other, fails) = (hand.clone(), failed.clone());
        let handle = group.clone();
        let mut start = Box::pin(handle.start(async move |started: Started<()>| {
            drop(started);
            // Ordering: Relaxed, read after this thread was joined.
            fails.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(6)
        }));
        assert!(
            start
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let child = thread::spawn(move || other.run_one());
        drop(start);
        let errors = block_on(group.join()).map_or_else(|error| error.len(), |()| 0);
        child.join().unwrap();
        // Ordering: as above. One that was cancelled before it began did not fail.
        assert_eq!(errors, failed.load(Ordering::Relaxed));
    });
}

#[test]
fn a_start_ends_when_the_group_is_cancelled_as_the_child_becomes_ready() {
    shim::model(|| {
        let hand = Hand::default();
        let group = open(&hand);
        let (other, canceller) = (hand.clone(), group.clone());
        let handle = group.clone();
        let mut start = Box::pin(handle.start(async |started: Started<u8>| {
            started.send(5).unwrap();
            std::future::pending::<Result<(), _>>().await
        }));
        assert!(
            start
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let child = thread::spawn(move || other.run_one());
        let cancel = thread::spawn(move || canceller.cancel(Cause::requested("over")));
        match block_on(start) {
            Ok((value, _)) => assert_eq!(value, 5),
            Err(StartError::Cancelled(cause)) => assert_eq!(cause.text(), "over"),
            other => panic!("{:?}", other.map(drop)),
        }
        block_on(group.join()).unwrap();
        child.join().unwrap();
        cancel.join().unwrap();
    });
}

#[test]
fn a_start_ends_when_the_executor_drops_the_child() {
    shim::model(|| {
        let hand = Hand::default();
        let group = open(&hand);
        let handle = group.clone();
        let mut start = Box::pin(handle.start(async |started: Started<u8>| {
            started.send(5).unwrap();
            Ok(())
        }));
        assert!(
            start
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let executor = thread::spawn(move || drop(hand.take()));
        assert!(matches!(block_on(start), Err(StartError::Cancelled(_))));
        assert!(block_on(group.join()).is_err());
        executor.join().unwrap();
        assert!(
            handle
                .try_spawn(TaskMeta::here(), async { Ok(()) })
                .is_err()
        );
    });
}
