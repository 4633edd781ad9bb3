//! Models of the limiter.

use crate::count::{Count, poll_once};
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{AlreadyBorrowed, Borrower, CapacityLimiter, TryBorrowError};
use std::pin::pin;
use std::task::Poll;

#[test]
fn no_more_are_out_than_there_are() {
    shim::model(|| {
        let shared = Arc::new((CapacityLimiter::new(1), AtomicUsize::new(0)));
        let borrow = |shared: &(CapacityLimiter, AtomicUsize)| {
            let token = block_on(shared.0.acquire_on_behalf_of(Borrower::new())).unwrap();
            // Ordering: Relaxed; that tokens order their holders is what this checks.
            assert_eq!(shared.1.fetch_add(1, Ordering::Relaxed), 0);
            shared.1.store(0, Ordering::Relaxed);
            drop(token);
        };
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || borrow(&shared))
        };
        borrow(&shared);
        thread.join().unwrap();
        assert_eq!(shared.0.borrowed(), 0);
    });
}

#[test]
fn of_two_that_ask_for_the_same_borrower_one_has_a_token() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(2));
        let same = Borrower::new();
        let thread = {
            let limiter = Arc::clone(&limiter);
            // It keeps what it gets.
            thread::spawn(move || {
                block_on(limiter.acquire_on_behalf_of(same)).map(std::mem::forget)
            })
        };
        let here = limiter.try_acquire_on_behalf_of(same);
        let there = thread.join().unwrap();
        match here {
            Ok(_) => assert_eq!(there, Err(AlreadyBorrowed(same))),
            Err(_) => assert_eq!(there, Ok(())),
        }
        assert_eq!(limiter.borrowed(), 1);
    });
}

#[test]
fn none_of_those_who_enter_at_once_is_forgotten_as_room_runs_out() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(3));
        let [first, second, third] = [(); 3].map(|()| Borrower::new());
        let thread = {
            let limiter = Arc::clone(&limiter);
            // It keeps what it gets.
            thread::spawn(move || {
                std::mem::forget(limiter.try_acquire_on_behalf_of(second).unwrap());
            })
        };
        let _first = limiter.try_acquire_on_behalf_of(first).unwrap();
        let _third = limiter.try_acquire_on_behalf_of(third).unwrap();
        let seen = limiter.statistics().borrowers;
        thread.join().unwrap();
        assert!(seen == [first, third] || seen == [first, second, third]);
        for borrower in [first, second, third] {
            let again = limiter.try_acquire_on_behalf_of(borrower);
            assert_eq!(
                again.unwrap_err(),
                TryBorrowError::AlreadyBorrowed(borrower)
            );
        }
    });
}

#[test]
fn a_borrower_who_gave_its_token_back_may_ask_again() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(1));
        let threads = [(); 2].map(|()| {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || {
                let me = Borrower::new();
                drop(block_on(limiter.acquire_on_behalf_of(me)).unwrap());
                drop(block_on(limiter.acquire_on_behalf_of(me)).unwrap());
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let now = limiter.statistics();
        assert_eq!((now.borrowed, now.waiting), (0, 0));
    });
}

#[test]
fn two_more_tokens_wake_two_of_three() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(0));
        let counts = [(); 3].map(|()| Count::new());
        let mut asks: Vec<_> = (0..3)
            .map(|_| Box::pin(limiter.acquire_on_behalf_of(Borrower::new())))
            .collect();
        for (ask, count) in asks.iter_mut().zip(&counts).take(2) {
            assert!(poll_once(ask.as_mut(), &count.waker()).is_pending());
        }
        let raiser = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_total(2))
        };
        // It comes last, and finds none left.
        assert!(poll_once(asks[2].as_mut(), &counts[2].waker()).is_pending());
        raiser.join().unwrap();
        assert_eq!(counts.each_ref().map(|count| count.wakes()), [1, 1, 0]);
        assert_eq!((limiter.borrowed(), limiter.waiting()), (2, 1));
    });
}

#[test]
fn a_token_that_comes_back_as_the_total_is_lowered_serves_nobody_too_many() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(2));
        let count = Count::new();
        let [first, second, third] = [(); 3].map(|()| Borrower::new());
        let kept = limiter.try_acquire_on_behalf_of(first).unwrap();
        let returned = limiter.try_acquire_on_behalf_of(second).unwrap();
        let mut ask = pin!(limiter.acquire_on_behalf_of(third));
        assert!(poll_once(ask.as_mut(), &count.waker()).is_pending());
        let lowerer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_total(1))
        };
        drop(returned);
        lowerer.join().unwrap();
        // Served before the total was lowered, or not yet.
        assert_eq!(limiter.borrowed(), 1 + count.wakes());
        drop(kept);
        assert_eq!(count.wakes(), 1);
        let Poll::Ready(token) = poll_once(ask.as_mut(), &count.waker()) else {
            panic!("woken, and yet it waits");
        };
        assert_eq!(token.unwrap().borrower(), third);
    });
}

#[test]
fn one_who_is_cancelled_as_it_is_granted_passes_its_token_on_and_may_ask_again() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(0));
        let (count, last) = (Count::new(), Count::new());
        let [first, second] = [(); 2].map(|()| Borrower::new());
        let mut cancelled = Box::pin(limiter.acquire_on_behalf_of(first));
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let mut next = pin!(limiter.acquire_on_behalf_of(second));
        assert!(poll_once(next.as_mut(), &last.waker()).is_pending());
        let raiser = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_total(1))
        };
        drop(cancelled);
        let mut again = pin!(limiter.acquire_on_behalf_of(first));
        assert!(poll_once(again.as_mut(), &count.waker()).is_pending());
        raiser.join().unwrap();
        assert_eq!(last.wakes(), 1);
        assert!(poll_once(next.as_mut(), &last.waker()).is_ready());
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let limiter = Arc::new(CapacityLimiter::new(0));
        let (old, new) = (Count::new(), Count::new());
        let mut ask = pin!(limiter.acquire_on_behalf_of(Borrower::new()));
        assert!(poll_once(ask.as_mut(), &old.waker()).is_pending());
        let raiser = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_total(1))
        };
        let ready = poll_once(ask.as_mut(), &new.waker()).is_ready();
        raiser.join().unwrap();
        assert!(ready || new.wakes() == 1);
    });
}
