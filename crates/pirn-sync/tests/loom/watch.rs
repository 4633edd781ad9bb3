//! Models of the watch channel.

use crate::count::{Count, poll_once};
use futures_core::Stream;
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{Closed, watch};
use std::future::poll_fn;
use std::pin::pin;

#[test]
fn values_may_be_skipped_but_not_the_last_one() {
    shim::model(|| {
        let (sender, mut receiver) = watch::channel(0);
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let mut seen = 0;
        while let Ok(value) = block_on(receiver.changed()) {
            assert!(*value > seen);
            seen = *value;
        }
        assert_eq!(seen, 2);
        sending.join().unwrap();
    });
}

#[test]
fn two_receivers_both_see_the_last_value() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let watching = [receiver.clone(), receiver].map(|mut receiver| {
            thread::spawn(move || *block_on(receiver.wait_for(|value| *value == 2)).unwrap())
        });
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        for watching in watching {
            assert_eq!(watching.join().unwrap(), 2);
        }
    });
}

#[test]
fn two_receivers_are_both_told_of_a_value() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let watching = [receiver.clone(), receiver].map(|mut receiver| {
            thread::spawn(move || block_on(receiver.changed()).map(|value| *value))
        });
        sender.send(1).unwrap();
        for watching in watching {
            assert_eq!(watching.join().unwrap(), Ok(1));
        }
    });
}

#[test]
fn a_wait_that_is_cancelled_as_a_value_comes_leaves_it_unseen() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let (first, second) = (Count::new(), Count::new());
        let (mut leaves, mut stays) = (receiver.clone(), receiver);
        let mut cancelled = Box::pin(leaves.changed());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        let mut other = Box::pin(stays.changed());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let sending = thread::spawn(move || sender.send(1).unwrap());
        drop(cancelled);
        sending.join().unwrap();
        assert_eq!(second.wakes(), 1);
        drop(other);
        for receiver in [&mut leaves, &mut stays] {
            assert_eq!(block_on(receiver.changed()).map(|value| *value), Ok(1));
            assert_eq!(block_on(receiver.changed()), Err(Closed));
        }
    });
}

#[test]
fn a_wait_that_is_polled_as_a_value_comes_sees_it_once() {
    shim::model(|| {
        let (sender, mut receiver) = watch::channel(0);
        let (old, new) = (Count::new(), Count::new());
        let mut changed = Box::pin(receiver.changed());
        assert!(poll_once(changed.as_mut(), &old.waker()).is_pending());
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender
        });
        let ready = poll_once(changed.as_mut(), &new.waker()).is_ready();
        let sender = sending.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(changed.as_mut(), &new.waker()).is_ready());
        drop(changed);
        assert!(!receiver.has_changed());
        assert!(poll_once(pin!(receiver.changed()), &new.waker()).is_pending());
        drop(sender);
    });
}

#[test]
fn the_last_of_two_senders_to_go_ends_the_wait() {
    shim::model(|| {
        let (sender, mut receiver) = watch::channel(0);
        let senders = [sender.clone(), sender];
        let going = senders.map(|sender| thread::spawn(move || drop(sender)));
        assert_eq!(block_on(receiver.changed()), Err(Closed));
        for going in going {
            going.join().unwrap();
        }
    });
}

#[test]
fn the_last_value_is_seen_before_the_end() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let watching = [receiver.clone(), receiver].map(|mut receiver| {
            thread::spawn(move || {
                assert_eq!(block_on(receiver.changed()).map(|value| *value), Ok(1));
                assert_eq!(block_on(receiver.changed()), Err(Closed));
            })
        });
        sender.send(1).unwrap();
        drop(sender);
        for watching in watching {
            watching.join().unwrap();
        }
    });
}

#[test]
fn the_last_of_two_receivers_to_go_ends_the_wait_of_both_senders() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let count = Count::new();
        let other = sender.clone();
        let mut closed = pin!(other.closed());
        assert!(poll_once(closed.as_mut(), &count.waker()).is_pending());
        let receivers = [receiver.clone(), receiver];
        let going = receivers.map(|receiver| thread::spawn(move || drop(receiver)));
        block_on(sender.closed());
        assert_eq!(sender.send(1), Err(1));
        for going in going {
            going.join().unwrap();
        }
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(closed.as_mut(), &count.waker()).is_ready());
    });
}

#[test]
fn a_value_that_is_sent_as_the_last_receiver_goes_is_published_or_given_back() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let going = thread::spawn(move || drop(receiver));
        let sent = sender.send(1);
        assert_eq!(*sender.latest(), i32::from(sent.is_ok()));
        going.join().unwrap();
    });
}

#[test]
fn two_changes_at_once_are_both_made() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let sender = Arc::new(sender);
        let changing = {
            let sender = Arc::clone(&sender);
            thread::spawn(move || sender.send_modify(|value| *value += 1))
        };
        sender.send_modify(|value| *value += 10);
        changing.join().unwrap();
        assert_eq!(*receiver.latest(), 11);
    });
}

#[test]
fn a_value_that_is_sent_as_it_is_subscribed_to_is_there_or_is_news() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let sending = {
            let sender = sender.clone();
            thread::spawn(move || sender.send(1).unwrap())
        };
        let mut late = sender.subscribe();
        let there = *late.latest() == 1;
        let news = late.has_changed();
        sending.join().unwrap();
        assert!(there || late.has_changed());
        drop(sender);
        // Whether it is news was decided as the receiver came.
        let changed = block_on(late.changed()).is_ok();
        assert!(there || changed);
        assert!(changed || !news);
        drop(receiver);
    });
}

#[test]
fn a_sender_that_waits_no_longer_as_the_last_receiver_goes_takes_nothing_from_the_other() {
    shim::model(|| {
        let (sender, receiver) = watch::channel(0);
        let (first, second) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(sender.closed());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        let mut other = pin!(sender.closed());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let going = thread::spawn(move || drop(receiver));
        drop(cancelled);
        going.join().unwrap();
        assert_eq!(second.wakes(), 1);
        assert!(poll_once(other.as_mut(), &second.waker()).is_ready());
    });
}

#[test]
fn a_stream_gives_the_last_value_and_ends() {
    shim::model(|| {
        let (sender, mut receiver) = watch::channel(0);
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let mut seen = 0;
        let mut stream = pin!(receiver.stream());
        while let Some(value) = block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))) {
            assert!(*value > seen);
            seen = *value;
        }
        assert_eq!(seen, 2);
        sending.join().unwrap();
    });
}
