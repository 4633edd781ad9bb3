//! Models of the barrier.

use crate::count::{Count, poll_once};
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{Barrier, BarrierTurn, BarrierWait, BrokenBarrier};
use std::pin::{Pin, pin};
use std::task::Poll;

/// One that has come and waits.
struct Arrived<'a>(Pin<Box<BarrierWait<'a>>>, std::sync::Arc<Count>);

impl<'a> Arrived<'a> {
    fn at(barrier: &'a Barrier) -> Self {
        let mut arrived = Arrived(Box::pin(barrier.wait()), Count::new());
        assert!(arrived.poll().is_pending());
        arrived
    }

    fn poll(&mut self) -> Poll<Result<BarrierTurn, BrokenBarrier>> {
        poll_once(self.0.as_mut(), &self.1.waker())
    }

    /// How its wait ended, of which it was told once.
    fn end(mut self) -> Result<BarrierTurn, BrokenBarrier> {
        assert_eq!(self.1.wakes(), 1);
        match self.poll() {
            Poll::Ready(end) => end,
            Poll::Pending => panic!("woken, and yet it waits"),
        }
    }
}

#[test]
fn all_go_on_once_and_one_of_them_leads() {
    shim::model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let threads = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || block_on(barrier.wait()).unwrap())
        });
        let mut turns = vec![block_on(barrier.wait()).unwrap()];
        turns.extend(threads.map(|thread| thread.join().unwrap()));
        turns.sort_by_key(BarrierTurn::index);
        let indices: Vec<_> = turns.iter().map(BarrierTurn::index).collect();
        let leads: Vec<_> = turns.iter().map(BarrierTurn::is_leader).collect();
        assert_eq!((indices, leads), (vec![0, 1, 2], vec![false, false, true]));
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn who_goes_on_sees_what_the_others_did_before() {
    shim::model(|| {
        let shared = Arc::new((Barrier::new(2), [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let meet = |shared: &(Barrier, [AtomicUsize; 2]), me: usize| {
            // Ordering: Relaxed; that the barrier publishes it is what this checks.
            shared.1[me].store(1, Ordering::Relaxed);
            block_on(shared.0.wait()).unwrap();
            assert_eq!(shared.1[1 - me].load(Ordering::Relaxed), 1);
        };
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || meet(&shared, 0))
        };
        meet(&shared, 1);
        thread.join().unwrap();
    });
}

#[test]
fn who_comes_again_waits_for_all_to_come_again() {
    shim::model(|| {
        let shared = Arc::new((Barrier::new(2), [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let rounds = |shared: &(Barrier, [AtomicUsize; 2]), me: usize| {
            let mut led = 0;
            for round in 1..=2 {
                // Ordering: Relaxed, as above.
                shared.1[me].store(round, Ordering::Relaxed);
                led += usize::from(block_on(shared.0.wait()).unwrap().is_leader());
                assert!(shared.1[1 - me].load(Ordering::Relaxed) >= round);
            }
            led
        };
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || rounds(&shared, 0))
        };
        let led = rounds(&shared, 1) + thread.join().unwrap();
        assert_eq!(led, 2);
    });
}

/// Of three who wait for a fourth, one is cancelled as a fourth and a fifth come.
fn a_place_is_freed(position: usize) {
    shim::model(move || {
        let barrier = Arc::new(Barrier::new(4));
        let mut waiting: Vec<_> = (0..3).map(|_| Arrived::at(&barrier)).collect();
        let fourth = {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || block_on(barrier.wait()).unwrap())
        };
        drop(waiting.remove(position));
        let count = Count::new();
        let mut fifth = pin!(barrier.wait());
        let polled = poll_once(fifth.as_mut(), &count.waker());
        // It goes on in any case: with the fifth if the cancelled one was faster.
        let mut turns = vec![fourth.join().unwrap()];
        turns.extend(waiting.into_iter().map(|arrived| arrived.end().unwrap()));
        match polled {
            Poll::Ready(turn) => turns.push(turn.unwrap()),
            Poll::Pending if count.wakes() == 1 => {
                let Poll::Ready(turn) = poll_once(fifth.as_mut(), &count.waker()) else {
                    panic!("woken, and yet it waits");
                };
                turns.push(turn.unwrap());
            }
            Poll::Pending => {}
        }
        // Who was cancelled had a turn, or freed its place for the fifth.
        let went_on = turns.len();
        assert_eq!(barrier.waiting(), 4 - went_on);
        assert!(turns.iter().filter(|turn| turn.is_leader()).count() == 1);
        turns.sort_by_key(BarrierTurn::index);
        turns.dedup_by_key(|turn| turn.index());
        assert_eq!(turns.len(), went_on);
    });
}

#[test]
fn the_first_who_is_cancelled_as_the_last_comes_frees_its_place_or_had_its_turn() {
    a_place_is_freed(0);
}

#[test]
fn one_in_the_middle_who_is_cancelled_as_the_last_comes_frees_its_place_or_had_its_turn() {
    a_place_is_freed(1);
}

#[test]
fn the_latest_who_is_cancelled_as_the_last_comes_frees_its_place_or_had_its_turn() {
    a_place_is_freed(2);
}

#[test]
fn an_abort_as_the_last_comes_reaches_all_or_none() {
    shim::model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let waiting = [(); 2].map(|()| Arrived::at(&barrier));
        let last = {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || block_on(barrier.wait()).is_ok())
        };
        barrier.abort();
        let went_on = last.join().unwrap();
        for arrived in waiting {
            assert_eq!(arrived.end().is_ok(), went_on);
        }
        assert!(barrier.is_broken());
        let mut late = pin!(barrier.wait());
        assert_eq!(
            poll_once(late.as_mut(), &Count::new().waker()),
            Poll::Ready(Err(BrokenBarrier))
        );
    });
}

#[test]
fn an_abort_as_one_is_cancelled_reaches_the_others() {
    shim::model(|| {
        let barrier = Arc::new(Barrier::new(4));
        let mut waiting: Vec<_> = (0..2).map(|_| Arrived::at(&barrier)).collect();
        let aborter = {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.abort())
        };
        drop(waiting.remove(0));
        aborter.join().unwrap();
        for arrived in waiting {
            assert_eq!(arrived.end(), Err(BrokenBarrier));
        }
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn a_reset_as_the_last_comes_sends_all_away_who_waited_or_none() {
    shim::model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let mut waiting = [(); 2].map(|()| Arrived::at(&barrier));
        let last = {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || block_on(barrier.wait()).unwrap().is_leader())
        };
        barrier.reset();
        let mut ends = waiting.iter_mut().map(|arrived| match arrived.poll() {
            Poll::Ready(end) => end.is_ok(),
            Poll::Pending => panic!("neither let through nor sent away"),
        });
        let first = ends.next().unwrap();
        assert_eq!(ends.next(), Some(first));
        // Who came after the reset waits for two more.
        let count = Count::new();
        let mut more = [(); 2].map(|()| Box::pin(barrier.wait()));
        if !first {
            for wait in &mut more {
                let _ = poll_once(wait.as_mut(), &count.waker());
            }
        }
        let led = last.join().unwrap();
        assert!(!first || led);
        assert!(waiting.iter().all(|arrived| arrived.1.wakes() == 1));
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let (old, new) = (Count::new(), Count::new());
        let mut wait = pin!(barrier.wait());
        assert!(poll_once(wait.as_mut(), &old.waker()).is_pending());
        let last = {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || block_on(barrier.wait()).unwrap())
        };
        let ready = poll_once(wait.as_mut(), &new.waker()).is_ready();
        last.join().unwrap();
        assert!(ready || new.wakes() == 1);
    });
}
