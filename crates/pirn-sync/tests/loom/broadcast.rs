//! Models of the broadcast channel.

use crate::count::{Count, poll_once};
use futures_core::Stream;
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::broadcast::{self, Receiver, RecvError, TryRecvError};
use std::future::poll_fn;
use std::pin::pin;

/// All that is left for a receiver, with what it missed.
fn drain(receiver: &mut Receiver<u64>) -> Vec<Result<u64, TryRecvError>> {
    let mut all = Vec::new();
    loop {
        match receiver.try_recv() {
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
            told => all.push(told),
        }
    }
}

#[test]
fn two_receivers_each_see_all_in_order() {
    shim::model(|| {
        let (sender, receiver) = broadcast::channel(2);
        let receivers = [sender.subscribe(), receiver].map(|mut receiver| {
            thread::spawn(move || {
                assert_eq!(block_on(receiver.recv()), Ok(1));
                assert_eq!(block_on(receiver.recv()), Ok(2));
            })
        });
        assert_eq!(sender.send(1), Ok(2));
        assert!(sender.send(2).is_ok());
        for receiver in receivers {
            receiver.join().unwrap();
        }
    });
}

#[test]
fn what_the_sender_overtakes_is_counted_exactly() {
    shim::model(|| {
        let (sender, mut receiver) = broadcast::channel(1);
        let sending = thread::spawn(move || {
            for item in 1..=3_u64 {
                sender.send(item).unwrap();
            }
        });
        let mut accounted = 0;
        loop {
            match block_on(receiver.recv()) {
                Ok(item) => {
                    assert_eq!(item, accounted + 1);
                    accounted = item;
                }
                Err(RecvError::Lagged(missed)) => accounted += missed,
                Err(RecvError::Closed) => break,
            }
        }
        assert_eq!(accounted, 3);
        sending.join().unwrap();
    });
}

#[test]
fn one_that_lags_takes_nothing_from_the_other() {
    shim::model(|| {
        let (sender, mut slow) = broadcast::channel(1);
        let mut quick = sender.subscribe();
        let receiving = thread::spawn(move || {
            let first = block_on(quick.recv());
            (first, drain(&mut quick))
        });
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        match receiving.join().unwrap() {
            (Ok(1), rest) => assert!(rest.is_empty() || rest == [Ok(2)]),
            (first, rest) => assert_eq!((first, rest), (Err(RecvError::Lagged(1)), vec![Ok(2)])),
        }
        assert_eq!(drain(&mut slow), [Err(TryRecvError::Lagged(1)), Ok(2)]);
    });
}

#[test]
fn the_last_of_two_senders_to_go_ends_the_wait_of_all() {
    shim::model(|| {
        let (sender, mut receiver) = broadcast::channel::<u64>(1);
        let count = Count::new();
        let mut early = sender.subscribe();
        let mut waits = pin!(early.recv());
        assert!(poll_once(waits.as_mut(), &count.waker()).is_pending());
        let senders = [sender.clone(), sender];
        let going = senders.map(|sender| thread::spawn(move || drop(sender)));
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        for going in going {
            going.join().unwrap();
        }
        assert_eq!(count.wakes(), 1);
    });
}

#[test]
fn what_is_left_is_received_before_the_end() {
    shim::model(|| {
        let (sender, receiver) = broadcast::channel(2);
        let receivers = [sender.subscribe(), receiver].map(|mut receiver| {
            thread::spawn(move || {
                assert_eq!(block_on(receiver.recv()), Ok(1));
                assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
            })
        });
        sender.send(1).unwrap();
        drop(sender);
        for receiver in receivers {
            receiver.join().unwrap();
        }
    });
}

#[test]
fn a_wait_that_is_cancelled_as_an_item_comes_leaves_it_there() {
    shim::model(|| {
        let (sender, mut leaves) = broadcast::channel(2);
        let mut stays = sender.subscribe();
        let (first, second) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(leaves.recv());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        let mut other = Box::pin(stays.recv());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let sending = thread::spawn(move || sender.send(1).unwrap());
        drop(cancelled);
        assert_eq!(sending.join().unwrap(), 2);
        assert_eq!(second.wakes(), 1);
        drop(other);
        assert_eq!(leaves.try_recv(), Ok(1));
        assert_eq!(stays.try_recv(), Ok(1));
    });
}

#[test]
fn a_wait_that_is_polled_as_an_item_comes_sees_it_once() {
    shim::model(|| {
        let (sender, mut receiver) = broadcast::channel(2);
        let (old, new) = (Count::new(), Count::new());
        let mut recv = Box::pin(receiver.recv());
        assert!(poll_once(recv.as_mut(), &old.waker()).is_pending());
        let sending = {
            let sender = sender.clone();
            thread::spawn(move || sender.send(1).unwrap())
        };
        let ready = poll_once(recv.as_mut(), &new.waker()).is_ready();
        sending.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(recv.as_mut(), &new.waker()).is_ready());
        drop(recv);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        drop(sender);
    });
}

#[test]
fn an_item_that_two_receivers_take_at_once_is_dropped_once_for_each() {
    shim::model(|| {
        let (sender, receiver) = broadcast::channel(1);
        let item = Arc::new(());
        let receivers = [sender.subscribe(), receiver]
            .map(|mut receiver| thread::spawn(move || drop(receiver.try_recv())));
        drop(sender.send(Arc::clone(&item)));
        for receiver in receivers {
            receiver.join().unwrap();
        }
        assert_eq!((sender.len(), Arc::strong_count(&item)), (0, 1));
    });
}

#[test]
fn an_item_that_is_sent_as_a_receiver_goes_is_seen_by_the_other_and_then_gone() {
    shim::model(|| {
        let (sender, mut stays) = broadcast::channel(2);
        let goes = sender.subscribe();
        let item = Arc::new(());
        let going = thread::spawn(move || drop(goes));
        let sent = sender.send(Arc::clone(&item)).is_ok();
        assert!(sent && stays.try_recv().is_ok());
        going.join().unwrap();
        assert_eq!((sender.len(), Arc::strong_count(&item)), (0, 1));
    });
}

#[test]
fn an_item_that_is_sent_as_the_last_receiver_goes_is_given_back_or_gone() {
    shim::model(|| {
        let (sender, receiver) = broadcast::channel(2);
        let item = Arc::new(());
        let going = thread::spawn(move || drop(receiver));
        let back = sender.send(Arc::clone(&item)).err();
        going.join().unwrap();
        assert_eq!(Arc::strong_count(&item), 1 + usize::from(back.is_some()));
        assert_eq!((sender.len(), sender.receivers()), (0, 0));
    });
}

#[test]
fn two_receivers_see_the_items_of_two_senders_in_one_order() {
    shim::model(|| {
        let (sender, mut first) = broadcast::channel(2);
        let mut second = sender.subscribe();
        let senders = [sender.clone(), sender];
        let mut item = 0;
        let sending = senders.map(|sender| {
            item += 1;
            thread::spawn(move || sender.send(item).unwrap())
        });
        let order = [block_on(first.recv()), block_on(first.recv())];
        for sending in sending {
            sending.join().unwrap();
        }
        assert!(order == [Ok(1), Ok(2)] || order == [Ok(2), Ok(1)]);
        assert_eq!([block_on(second.recv()), block_on(second.recv())], order);
    });
}

#[test]
fn who_subscribes_as_items_come_misses_none_after_the_first_it_sees() {
    shim::model(|| {
        let (sender, receiver) = broadcast::channel(4);
        let sending = {
            let sender = sender.clone();
            thread::spawn(move || {
                sender.send(1).unwrap();
                sender.send(2).unwrap();
            })
        };
        let mut late = sender.subscribe();
        sending.join().unwrap();
        sender.send(3).unwrap();
        let seen = drain(&mut late);
        let all = [Ok(1), Ok(2), Ok(3)];
        assert!(!seen.is_empty() && all.ends_with(&seen));
        drop(receiver);
    });
}

#[test]
fn a_stream_gives_all_items_and_ends() {
    shim::model(|| {
        let (sender, mut receiver) = broadcast::channel(2);
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let mut stream = pin!(receiver.stream());
        for item in 1..=2 {
            assert_eq!(
                block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))),
                Some(Ok(item))
            );
        }
        assert_eq!(block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))), None);
        sending.join().unwrap();
    });
}
