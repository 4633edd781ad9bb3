//! Models of the oneshot channel.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::Closed;
use pirn_sync::oneshot::{self, TryRecvError};
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::task::Poll;

/// A value whose loss the model checker notices: it reports what is left of an `Arc` at the end.
type Value = Arc<u8>;

fn value() -> Value {
    Arc::new(7)
}

#[test]
fn a_value_that_is_sent_as_it_is_awaited_arrives() {
    shim::model(|| {
        let (sender, receiver) = oneshot::channel::<Value>();
        let sending = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        assert_eq!(block_on(receiver).map(|value| *value), Ok(7));
        sending.join().unwrap();
    });
}

#[test]
fn a_value_that_is_sent_as_it_is_looked_for_is_found_then_or_later() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let sending = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        let mut look = || receiver.try_recv().map(|value| *value);
        let found = look();
        sending.join().unwrap();
        if found == Err(TryRecvError::Empty) {
            assert_eq!(look(), Ok(7));
        }
        assert_eq!(look(), Err(TryRecvError::Closed));
    });
}

#[test]
fn a_sender_that_is_dropped_as_it_is_awaited_ends_the_wait() {
    shim::model(|| {
        let (sender, receiver) = oneshot::channel::<Value>();
        let dropping = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver).err(), Some(Closed));
        dropping.join().unwrap();
    });
}

#[test]
fn a_value_that_is_sent_as_the_receiver_goes_is_dropped_once() {
    shim::model(|| {
        let (sender, receiver) = oneshot::channel::<Value>();
        let kept = value();
        let sent = Arc::clone(&kept);
        let sending = thread::spawn(move || sender.send(sent).is_ok());
        drop(receiver);
        sending.join().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

#[test]
fn a_receiver_that_waited_and_goes_as_it_is_sent_to_leaves_nothing_behind() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let (kept, count) = (value(), Count::new());
        assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
        let sent = Arc::clone(&kept);
        let sending = thread::spawn(move || sender.send(sent).is_ok());
        drop(receiver);
        let sent = sending.join().unwrap();
        // A receiver that is on its way out waits no longer.
        assert!(count.wakes() <= usize::from(sent));
        assert_eq!(Arc::strong_count(&kept), 1);
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_receiver_that_waited_and_takes_the_value_as_it_is_woken_leaves_nothing_behind() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let count = Count::new();
        assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
        let sending = thread::spawn(move || sender.send(value()).is_ok());
        let found = receiver.try_recv();
        drop(receiver);
        let sent = sending.join().unwrap();
        assert!(sent || found.is_err());
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_receiver_that_waits_again_with_another_waker_is_woken_by_that() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let (old, new) = (Count::new(), Count::new());
        assert!(poll_once(pin!(&mut receiver), &old.waker()).is_pending());
        let sending = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        let ready = poll_once(pin!(&mut receiver), &new.waker());
        sending.join().unwrap();
        match ready {
            Poll::Ready(found) => assert_eq!(found.map(|value| *value), Ok(7)),
            Poll::Pending => {
                assert_eq!(new.wakes(), 1);
                let found = poll_once(pin!(&mut receiver), &new.waker());
                assert_eq!(found.map_ok(|value| *value), Poll::Ready(Ok(7)));
            }
        }
        assert!(old.wakes() <= 1);
        assert_eq!(std::sync::Arc::strong_count(&old), 1);
        assert_eq!(std::sync::Arc::strong_count(&new), 1);
    });
}

#[test]
fn a_receiver_that_waits_again_with_the_same_waker_is_woken() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let count = Count::new();
        let waker = count.waker();
        assert!(poll_once(pin!(&mut receiver), &waker).is_pending());
        let dropping = thread::spawn(move || drop(sender));
        let ready = poll_once(pin!(&mut receiver), &waker);
        dropping.join().unwrap();
        assert!(matches!(ready, Poll::Ready(Err(Closed))) || count.wakes() == 1);
    });
}

#[test]
fn a_receiver_that_goes_ends_the_wait_of_the_sender() {
    shim::model(|| {
        let (mut sender, receiver) = oneshot::channel::<Value>();
        let dropping = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        assert!(sender.is_closed());
        assert!(sender.send(value()).is_err());
        dropping.join().unwrap();
    });
}

#[test]
fn a_receiver_that_closes_and_goes_ends_the_wait_of_the_sender() {
    shim::model(|| {
        let (mut sender, mut receiver) = oneshot::channel::<Value>();
        let count = Count::new();
        let mut closed = Box::pin(sender.closed());
        assert!(poll_once(closed.as_mut(), &count.waker()).is_pending());
        let closing = thread::spawn(move || {
            receiver.close();
            drop(receiver);
        });
        let ready = poll_once(closed.as_mut(), &count.waker()).is_ready();
        closing.join().unwrap();
        assert!(ready || count.wakes() == 1);
        drop(closed);
        assert!(sender.send(value()).is_err());
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_sender_that_waits_no_longer_as_the_receiver_goes_leaves_nothing_behind() {
    shim::model(|| {
        let (mut sender, receiver) = oneshot::channel::<Value>();
        let count = Count::new();
        let mut closed = Box::pin(sender.closed());
        assert!(poll_once(closed.as_mut(), &count.waker()).is_pending());
        let dropping = thread::spawn(move || drop(receiver));
        drop(closed);
        drop(sender);
        dropping.join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_sender_that_waits_again_with_another_waker_is_woken_by_that() {
    shim::model(|| {
        let (mut sender, receiver) = oneshot::channel::<Value>();
        let (old, new) = (Count::new(), Count::new());
        let mut closed = pin!(sender.closed());
        assert!(poll_once(closed.as_mut(), &old.waker()).is_pending());
        let dropping = thread::spawn(move || drop(receiver));
        let ready = poll_once(closed.as_mut(), &new.waker()).is_ready();
        dropping.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(poll_once(closed.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn a_value_that_is_sent_as_the_receiver_closes_is_received_or_given_back() {
    shim::model(|| {
        let (sender, mut receiver) = oneshot::channel::<Value>();
        let count = Count::new();
        assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
        let sending = thread::spawn(move || sender.send(value()).is_ok());
        receiver.close();
        let received = poll_once(pin!(&mut receiver), &count.waker());
        assert!(received.is_ready());
        drop(receiver);
        let sent = sending.join().unwrap();
        assert_eq!(matches!(received, Poll::Ready(Ok(_))), sent);
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

#[test]
fn both_halves_that_wait_for_each_other_and_go_leave_nothing_behind() {
    shim::model(|| {
        let (mut sender, mut receiver) = oneshot::channel::<Value>();
        let (first, second) = (Count::new(), Count::new());
        assert!(poll_once(pin!(&mut receiver), &first.waker()).is_pending());
        // Forgotten, so that its waker stays in place.
        let mut closed = ManuallyDrop::new(sender.closed());
        assert!(poll_once(Pin::new(&mut *closed), &second.waker()).is_pending());
        let dropping = thread::spawn(move || drop(receiver));
        drop(sender);
        dropping.join().unwrap();
        // One at most: a receiver that is on its way out waits no longer.
        assert!(first.wakes() + second.wakes() <= 1);
        assert_eq!(std::sync::Arc::strong_count(&first), 1);
        assert_eq!(std::sync::Arc::strong_count(&second), 1);
    });
}
