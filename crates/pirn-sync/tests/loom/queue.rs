//! Models of the queue.

use crate::count::{Count, poll_once};
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{Closed, PutError, Queue, TryPutError};
use std::pin::pin;
use std::task::Poll;

#[test]
fn two_items_cross_a_queue_of_one() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                block_on(queue.put(1)).unwrap();
                block_on(queue.put(2)).unwrap();
            })
        };
        assert_eq!(block_on(queue.get()), Ok(1));
        assert_eq!(block_on(queue.get()), Ok(2));
        producer.join().unwrap();
    });
}

#[test]
fn two_producers_fill_one_place_after_the_other() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let producers = [1, 2].map(|item| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(item)).unwrap())
        });
        let sum = block_on(queue.get()).unwrap() + block_on(queue.get()).unwrap();
        assert_eq!(sum, 3);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn two_consumers_get_an_item_each() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(2));
        let consumers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).unwrap())
        });
        queue.try_put(1).unwrap();
        block_on(queue.put(2)).unwrap();
        let sum: i32 = consumers.map(|c| c.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_getter_cancelled_as_it_is_granted_leaves_the_item_to_the_next() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let mut cancelled = Box::pin(queue.get());
        assert!(poll_once(cancelled.as_mut(), &Count::new().waker()).is_pending());
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()))
        };
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(1)).unwrap())
        };
        drop(cancelled);
        assert_eq!(other.join().unwrap(), Ok(1));
        producer.join().unwrap();
    });
}

#[test]
fn a_getter_that_polls_once_more_and_leaves_has_the_item_or_leaves_it() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let count = Count::new();
        let mut getter = Box::pin(queue.get());
        assert!(poll_once(getter.as_mut(), &count.waker()).is_pending());
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(1)).unwrap())
        };
        let got = poll_once(getter.as_mut(), &count.waker());
        drop(getter);
        producer.join().unwrap();
        match got {
            Poll::Ready(item) => assert_eq!((item, queue.len()), (Ok(1), 0)),
            Poll::Pending => assert_eq!(queue.try_get(), Ok(1)),
        }
    });
}

#[test]
fn a_putter_cancelled_as_it_is_granted_leaves_the_place_to_the_next() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let mut cancelled = Box::pin(queue.put(2));
        assert!(poll_once(cancelled.as_mut(), &Count::new().waker()).is_pending());
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(3)).unwrap())
        };
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()))
        };
        drop(cancelled);
        assert_eq!(consumer.join().unwrap(), Ok(1));
        other.join().unwrap();
        assert_eq!(queue.try_get(), Ok(3));
    });
}

#[test]
fn closing_reaches_getters_who_wait_or_are_about_to() {
    shim::model(|| {
        let queue = Arc::new(Queue::<u8>::bounded(1));
        let getters = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).is_err())
        });
        queue.close();
        for getter in getters {
            assert!(getter.join().unwrap());
        }
    });
}

#[test]
fn an_item_that_is_put_as_the_queue_closes_is_got_or_given_back() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let putter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(1)).is_ok())
        };
        let getter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).is_ok())
        };
        queue.close();
        assert_eq!(putter.join().unwrap(), getter.join().unwrap());
    });
}

#[test]
fn a_putter_who_waits_for_room_hears_of_the_close_or_has_put() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let putter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(2)).is_ok())
        };
        let closer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.close())
        };
        assert_eq!(queue.try_get(), Ok(1));
        closer.join().unwrap();
        let put = putter.join().unwrap();
        assert_eq!(queue.try_get().is_ok(), put);
        assert!(matches!(queue.try_put(3), Err(TryPutError::Closed(3))));
    });
}

#[test]
fn putters_who_wait_for_room_or_are_about_to_hear_of_the_close() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let putters = [2, 3].map(|item| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(item)).is_err())
        });
        queue.close();
        for putter in putters {
            assert!(putter.join().unwrap());
        }
        assert_eq!(queue.try_get(), Ok(1));
    });
}

#[test]
fn who_takes_the_last_item_of_a_closed_queue_ends_the_wait_of_the_others() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let count = Count::new();
        let mut last = pin!(queue.get());
        assert!(poll_once(last.as_mut(), &count.waker()).is_pending());
        queue.try_put(1).unwrap();
        queue.close();
        // The item is set aside, so these wait for it in vain, or come after it was taken.
        let others = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).is_err())
        });
        assert_eq!(poll_once(last.as_mut(), &count.waker()), Poll::Ready(Ok(1)));
        for other in others {
            assert!(other.join().unwrap());
        }
    });
}

#[test]
fn join_waits_for_the_last_one_to_be_done() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(2));
        queue.try_put(1).unwrap();
        queue.try_put(2).unwrap();
        let workers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                block_on(queue.get()).unwrap();
                queue.task_done();
            })
        });
        block_on(queue.join());
        assert_eq!((queue.unfinished(), queue.len()), (0, 0));
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let (old, new) = (Count::new(), Count::new());
        let mut getter = pin!(queue.get());
        assert!(poll_once(getter.as_mut(), &old.waker()).is_pending());
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.try_put(1).unwrap())
        };
        let ready = poll_once(getter.as_mut(), &new.waker()).is_ready();
        producer.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(getter.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn a_place_that_is_given_up_goes_to_the_next_of_two_who_wait() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let place = block_on(queue.reserve_put()).unwrap();
        let putters = [1, 2].map(|item| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(item)).unwrap())
        });
        drop(place);
        let sum = block_on(queue.get()).unwrap() + block_on(queue.get()).unwrap();
        assert_eq!(sum, 3);
        for putter in putters {
            putter.join().unwrap();
        }
    });
}

#[test]
fn an_item_that_is_left_goes_to_the_next() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(2));
        queue.try_put(1).unwrap();
        let claim = block_on(queue.reserve_get()).unwrap();
        let getters = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).unwrap())
        });
        drop(claim);
        block_on(queue.put(2)).unwrap();
        let sum: i32 = getters.map(|getter| getter.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_permit_that_is_used_as_the_queue_is_emptied_gets_its_item_or_leaves_it_there() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(2));
        queue.try_put(1).unwrap();
        queue.try_put(2).unwrap();
        let emptier = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.close_now())
        };
        let mut items = match block_on(queue.reserve_get()) {
            Ok(claim) => Vec::from_iter(claim.get()),
            Err(Closed) => Vec::new(),
        };
        items.extend(emptier.join().unwrap());
        assert_eq!(items, [1, 2]);
    });
}

#[test]
fn an_item_that_is_put_as_the_queue_is_emptied_is_in_one_place() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let putter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.put(2)))
        };
        let got = queue.try_get();
        let mut items = queue.close_now();
        items.extend(got);
        items.extend(putter.join().unwrap().err().map(|PutError(item)| item));
        items.sort_unstable();
        assert_eq!(items, [1, 2]);
    });
}

#[test]
fn who_hears_that_the_last_sender_left_sees_what_each_of_them_did() {
    shim::model(|| {
        let (sender, receiver) = Queue::<u8>::bounded(1).split();
        let done = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let senders = [0, 1].map(|i| {
            let (sender, done) = (sender.clone(), Arc::clone(&done));
            thread::spawn(move || {
                // Ordering: Relaxed, that leaving publishes it is what the model checks.
                done[i].store(1, Ordering::Relaxed);
                drop(sender);
            })
        });
        drop(sender);
        assert_eq!(block_on(receiver.get()), Err(Closed));
        // Ordering: Relaxed, as above.
        let all = done.iter().map(|done| done.load(Ordering::Relaxed));
        assert_eq!(all.sum::<usize>(), 2);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn who_takes_many_and_who_takes_one_share_what_comes() {
    shim::model(|| {
        let queue = Arc::new(Queue::bounded(3));
        let getter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.get()).unwrap())
        };
        for item in 1..=3 {
            queue.try_put(item).unwrap();
        }
        let mut items = Vec::new();
        let taken = block_on(queue.get_many(&mut items, 3)).unwrap();
        // In case they were all taken here.
        queue.try_put(4).unwrap();
        let one = getter.join().unwrap();
        assert_eq!(taken, items.len());
        let left = queue.close_now();
        assert_eq!(items.iter().chain(&left).sum::<i32>() + one, 10);
    });
}
