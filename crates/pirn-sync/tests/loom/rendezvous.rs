//! Models of the rendezvous.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{Closed, PutError, Rendezvous, TryGetError};
use std::pin::pin;
use std::task::Poll;

fn shared() -> Arc<Rendezvous<u32>> {
    Arc::new(Rendezvous::new())
}

/// A thread that puts, to the end.
fn put(place: &Arc<Rendezvous<u32>>, item: u32) -> thread::JoinHandle<Result<(), PutError<u32>>> {
    let place = Arc::clone(place);
    thread::spawn(move || block_on(place.put(item)))
}

/// A thread that gets, to the end.
fn get(place: &Arc<Rendezvous<u32>>) -> thread::JoinHandle<Result<u32, Closed>> {
    let place = Arc::clone(place);
    thread::spawn(move || block_on(place.get()))
}

#[test]
fn of_two_who_put_the_one_whose_item_is_taken_is_done() {
    shim::model(|| {
        let place = shared();
        let putters = [1, 2].map(|item| put(&place, item));
        let got = block_on(place.get()).unwrap();
        place.close();
        for (putter, item) in putters.into_iter().zip([1, 2]) {
            let put = if item == got {
                Ok(())
            } else {
                Err(PutError(item))
            };
            assert_eq!(putter.join().unwrap(), put);
        }
    });
}

#[test]
fn items_go_from_hand_to_hand_in_their_order() {
    shim::model(|| {
        let place = shared();
        let putter = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                block_on(place.put(1)).unwrap();
                block_on(place.put(2)).unwrap();
            })
        };
        assert_eq!(block_on(place.get()), Ok(1));
        assert_eq!(block_on(place.get()), Ok(2));
        putter.join().unwrap();
    });
}

#[test]
fn two_who_get_meet_whom_they_wait_for() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut puts = [place.put(1), place.put(2)].map(Box::pin);
        let getters = [(); 2].map(|()| get(&place));
        for (put, count) in puts.iter_mut().zip(&counts) {
            assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
        }
        let mut got = getters.map(|getter| getter.join().unwrap().unwrap());
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for (put, count) in puts.iter_mut().zip(&counts) {
            assert_eq!(count.wakes(), 1);
            assert!(poll_once(put.as_mut(), &count.waker()).is_ready());
        }
    });
}

#[test]
fn a_put_is_not_done_before_its_item_was_taken() {
    shim::model(|| {
        let place = shared();
        let count = Count::new();
        let mut put = pin!(place.put(1));
        assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
        let taker = {
            let place = Arc::clone(&place);
            thread::spawn(move || place.try_get())
        };
        let done = poll_once(put.as_mut(), &count.waker()).is_ready();
        let was_there = place.try_get() == Ok(1);
        assert!(!(done && was_there));
        let taken = taker.join().unwrap();
        assert_eq!(taken.is_ok(), !was_there);
        assert_eq!(count.wakes(), 1);
        assert!(done || poll_once(put.as_mut(), &count.waker()).is_ready());
    });
}

/// Of three who put, one leaves while a thread takes one item or two.
fn of_three_one_leaves(leaver: usize, takes: usize) {
    shim::model(move || {
        let place = shared();
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut puts = [1, 2, 3].map(|item| Some(Box::pin(place.put(item))));
        for (put, count) in puts.iter_mut().flatten().zip(&counts) {
            assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
        }
        let taker = {
            let place = Arc::clone(&place);
            thread::spawn(move || (0..takes).map(|_| block_on(place.get()).unwrap()).collect())
        };
        puts[leaver] = None;
        let got: Vec<u32> = taker.join().unwrap();
        let left = 1 + leaver as u32;
        let all: Vec<u32> = (1..=3)
            .filter(|&item| item != left || got.contains(&left))
            .collect();
        assert_eq!(got, all[..takes]);
        for (i, put) in puts.iter_mut().enumerate() {
            if let Some(put) = put {
                let taken = got.contains(&(1 + i as u32));
                assert_eq!(counts[i].wakes(), usize::from(taken));
                let done = poll_once(put.as_mut(), &counts[i].waker());
                assert_eq!(
                    done,
                    if taken {
                        Poll::Ready(Ok(()))
                    } else {
                        Poll::Pending
                    }
                );
            }
        }
        assert_eq!(place.try_get().ok(), all.get(takes).copied());
    });
}

#[test]
fn a_putter_that_leaves_the_head_as_items_are_taken_has_its_item_or_has_handed_it_over() {
    of_three_one_leaves(0, 1);
}

#[test]
fn a_putter_that_leaves_the_middle_as_items_are_taken_has_its_item_or_has_handed_it_over() {
    of_three_one_leaves(1, 2);
}

#[test]
fn a_putter_that_leaves_the_tail_as_items_are_taken_has_its_item_or_has_handed_it_over() {
    of_three_one_leaves(2, 2);
}

#[test]
fn a_putter_that_leaves_as_the_getter_it_woke_comes_leaves_that_to_the_next_putter() {
    shim::model(|| {
        let place = shared();
        let getter = get(&place);
        let count = Count::new();
        let mut first = Box::pin(place.put(1));
        assert!(poll_once(first.as_mut(), &count.waker()).is_pending());
        drop(first);
        let second = put(&place, 2);
        let got = getter.join().unwrap().unwrap();
        place.close();
        let refused = match got {
            1 => Err(PutError(2)),
            _ => Ok(()),
        };
        assert_eq!(second.join().unwrap(), refused);
    });
}

#[test]
fn two_getters_of_which_one_is_woken_for_nothing_are_served_by_later_putters() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut gets = [place.get(), place.get()].map(Box::pin);
        for (get, count) in gets.iter_mut().zip(&counts) {
            assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
        }
        let putter = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let mut leaves = Box::pin(place.put(1));
                assert!(poll_once(leaves.as_mut(), &Count::new().waker()).is_pending());
                drop(leaves);
                block_on(place.put(2)).unwrap();
                block_on(place.put(3))
            })
        };
        let got = gets.map(|mut get| block_on(get.as_mut()).unwrap());
        place.close();
        // Nobody is left for the last one, if the first one was taken.
        let refused = if got == [1, 2] {
            Err(PutError(3))
        } else {
            Ok(())
        };
        assert_eq!(putter.join().unwrap(), refused);
        assert!(refused.is_err() || got == [2, 3]);
    });
}

#[test]
fn a_getter_cancelled_as_it_is_granted_leaves_the_item_to_the_next() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut gets = [place.get(), place.get()].map(Box::pin);
        for (get, count) in gets.iter_mut().zip(&counts) {
            assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
        }
        let putter = put(&place, 1);
        let [first, mut second] = gets;
        drop(first);
        // It waits for the item by its wake-ups alone.
        let got = block_on(second.as_mut());
        assert_eq!(got, Ok(1));
        putter.join().unwrap().unwrap();
    });
}

#[test]
fn a_getter_that_leaves_the_tail_as_an_item_comes_leaves_it_to_the_first() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut gets = [place.get(), place.get()].map(Box::pin);
        for (get, count) in gets.iter_mut().zip(&counts) {
            assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
        }
        let putter = put(&place, 1);
        let [mut first, second] = gets;
        drop(second);
        assert_eq!(block_on(first.as_mut()), Ok(1));
        putter.join().unwrap().unwrap();
        assert_eq!(place.try_get(), Err(TryGetError::Empty));
    });
}

#[test]
fn a_getter_that_leaves_as_its_putter_leaves_takes_nothing_from_the_next() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut gets = [place.get(), place.get()].map(Box::pin);
        for (get, count) in gets.iter_mut().zip(&counts) {
            assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
        }
        let putter = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let mut leaves = Box::pin(place.put(1));
                assert!(poll_once(leaves.as_mut(), &Count::new().waker()).is_pending());
                drop(leaves);
                block_on(place.put(2))
            })
        };
        let [first, mut second] = gets;
        drop(first);
        // The first item, if it came before that left.
        let got = block_on(second.as_mut()).unwrap();
        place.close();
        let refused = if got == 1 { Err(PutError(2)) } else { Ok(()) };
        assert_eq!(putter.join().unwrap(), refused);
    });
}

#[test]
fn a_task_gets_the_item_by_the_getter_that_it_polls_though_a_putter_leaves() {
    shim::model(|| {
        let place = shared();
        let task = Count::new();
        let mut unpolled = Box::pin(place.get());
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
        let putter = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let mut leaves = Box::pin(place.put(1));
                let taken = poll_once(leaves.as_mut(), &Count::new().waker()).is_ready();
                assert!(!taken);
                let taken = poll_once(leaves.as_mut(), &Count::new().waker()).is_ready();
                drop(leaves);
                // Whether or not that one was taken.
                (taken, block_on(place.put(2)))
            })
        };
        let mut awaited = Box::pin(place.get());
        let mut wakes = 0;
        let got = loop {
            match poll_once(awaited.as_mut(), &task.waker()) {
                Poll::Ready(got) => break got.unwrap(),
                Poll::Pending => {
                    while task.wakes() == wakes {
                        thread::yield_now();
                    }
                    wakes = task.wakes();
                }
            }
        };
        if got == 1 {
            assert_eq!(block_on(unpolled.as_mut()), Ok(2));
        }
        drop(unpolled);
        let (taken, second) = putter.join().unwrap();
        assert!(!taken || got == 1);
        assert_eq!(second, Ok(()));
    });
}

#[test]
fn closing_as_two_meet_leaves_the_item_with_one_of_them() {
    shim::model(|| {
        let place = shared();
        let (putter, getter) = (put(&place, 1), get(&place));
        place.close();
        match putter.join().unwrap() {
            Ok(()) => assert_eq!(getter.join().unwrap(), Ok(1)),
            Err(PutError(item)) => {
                assert_eq!((item, getter.join().unwrap()), (1, Err(Closed)));
            }
        }
    });
}

#[test]
fn closing_reaches_all_who_wait_or_are_about_to() {
    shim::model(|| {
        let place = shared();
        let putters = [1, 2].map(|item| put(&place, item));
        place.close();
        for (putter, item) in putters.into_iter().zip([1, 2]) {
            assert_eq!(putter.join().unwrap(), Err(PutError(item)));
        }
    });
}

#[test]
fn a_putter_that_leaves_as_it_is_closed_leaves_nothing_behind() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new()];
        let mut get = pin!(place.get());
        assert!(poll_once(get.as_mut(), &counts[0].waker()).is_pending());
        let mut put = Box::pin(place.put(1));
        assert!(poll_once(put.as_mut(), &counts[1].waker()).is_pending());
        let closer = {
            let place = Arc::clone(&place);
            thread::spawn(move || place.close())
        };
        drop(put);
        closer.join().unwrap();
        assert_eq!(
            poll_once(get.as_mut(), &counts[0].waker()),
            Poll::Ready(Err(Closed))
        );
    });
}

#[test]
fn after_a_putters_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let place = shared();
        let (old, new) = (Count::new(), Count::new());
        let mut put = pin!(place.put(1));
        assert!(poll_once(put.as_mut(), &old.waker()).is_pending());
        let taker = {
            let place = Arc::clone(&place);
            thread::spawn(move || place.try_get().unwrap())
        };
        let ready = poll_once(put.as_mut(), &new.waker()).is_ready();
        taker.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(put.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn after_a_getters_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let place = shared();
        let (old, new) = (Count::new(), Count::new());
        let mut get = pin!(place.get());
        assert!(poll_once(get.as_mut(), &old.waker()).is_pending());
        let putter = put(&place, 1);
        let mut got = poll_once(get.as_mut(), &new.waker());
        while got.is_pending() {
            while new.wakes() == 0 {
                thread::yield_now();
            }
            got = poll_once(get.as_mut(), &new.waker());
        }
        assert_eq!(got, Poll::Ready(Ok(1)));
        putter.join().unwrap().unwrap();
    });
}

#[test]
fn all_that_is_offered_is_taken_at_once_or_by_the_other_who_gets() {
    shim::model(|| {
        let place = shared();
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut puts = [1, 2, 3].map(|item| Box::pin(place.put(item)));
        for (put, count) in puts.iter_mut().zip(&counts) {
            assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
        }
        let getter = get(&place);
        let mut items = Vec::new();
        assert_eq!(block_on(place.get_many(&mut items, 2)), Ok(2));
        let other = getter.join().unwrap().unwrap();
        assert_eq!(items.iter().sum::<u32>() + other, 6);
        for (put, count) in puts.iter_mut().zip(&counts) {
            assert_eq!(count.wakes(), 1);
            assert!(poll_once(put.as_mut(), &count.waker()).is_ready());
        }
    });
}
