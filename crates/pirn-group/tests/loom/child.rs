//! Models of one child: cancelled alone, while it begins elsewhere; and asked for its value as it ends.

use crate::hand::Hand;
use pirn_core::Cause;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, block_on, thread};
use pirn_group::GroupBuilder;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[test]
fn a_cancel_finds_a_child_in_its_first_poll() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let child = group.spawn(pending::<Result<(), _>>());
        let executor = thread::spawn(move || hand.run_one());
        assert!(child.cancel(Cause::requested("enough")));
        assert!(!child.cancel(Cause::requested("again")));
        assert!(block_on(child).unwrap_err().is_cancelled());
        block_on(group.join()).unwrap();
        executor.join().unwrap();
    });
}

#[test]
fn who_has_a_handle_from_another_task_that_polled_it_is_woken_as_the_child_ends() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let mut handle = group.spawn(async { Ok(5) });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
        let child = thread::spawn(move || hand.run_one());
        assert_eq!(block_on(handle).unwrap(), 5);
        block_on(group.join()).unwrap();
        child.join().unwrap();
    });
}

#[test]
fn who_sees_that_a_child_has_ended_has_its_value_and_sees_what_it_did() {
    shim::model(|| {
        let (hand, did) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let does = Arc::clone(&did);
        let mut handle = group.spawn(async move {
            // Ordering: Relaxed on purpose: the child's end is to publish it.
            does.store(1, Ordering::Relaxed);
            Ok(5)
        });
        let child = thread::spawn(move || hand.run_one());
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(value) = Pin::new(&mut handle).poll(&mut cx) {
            assert_eq!(value.unwrap(), 5);
            // Ordering: as above.
            assert_eq!(did.load(Ordering::Relaxed), 1);
        }
        child.join().unwrap();
        block_on(group.join()).unwrap();
    });
}
