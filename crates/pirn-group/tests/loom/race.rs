//! Models of races: winners, losers and cancels from other threads.

use crate::signal::Signal;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::{Cause, Grace, Scope, finally, yield_now};
use pirn_group::{first_ok, race};
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};

fn scope() -> Scope {
    let scope = Scope::detached();
    scope.set_grace(Grace::Unlimited);
    scope
}

/// Never ends; counts its clean-up, which takes two polls.
async fn cleaning(closed: Arc<AtomicUsize>) -> u32 {
    let close = move || async move {
        yield_now().await;
        // Ordering: Relaxed, read when all has ended.
        closed.fetch_add(1, Relaxed);
    };
    finally(pending(), close).await
}

#[test]
fn the_loser_has_cleaned_up_when_a_winner_from_another_thread_is_returned() {
    shim::model(|| {
        let (signal, closed) = (Signal::default(), Arc::new(AtomicUsize::new(0)));
        let raises = signal.clone();
        let thread = thread::spawn(move || raises.raise());
        let winner = async {
            signal.raised().await;
            7
        };
        let won = block_on(race((cleaning(Arc::clone(&closed)), winner)));
        assert_eq!(won.unwrap(), 7);
        // Ordering: all has ended.
        assert_eq!(closed.load(Relaxed), 1);
        thread.join().unwrap();
    });
}

#[test]
fn of_two_winners_at_once_one_is_returned_and_the_other_is_gone() {
    shim::model(|| {
        let signals = [Signal::default(), Signal::default()];
        let threads = signals
            .clone()
            .map(|signal| thread::spawn(move || signal.raise()));
        let gone = Arc::new(AtomicUsize::new(0));
        struct Gone(Arc<AtomicUsize>);
        impl Drop for Gone {
            fn drop(&mut self) {
                // Ordering: Relaxed, on this thread alone.
                self.0.fetch_add(1, Relaxed);
            }
        }
        let runners = [0, 1].map(|number| {
            let (gone, raised) = (Gone(Arc::clone(&gone)), signals[number].raised());
            async move {
                let _gone = gone;
                raised.await;
                number
            }
        });
        assert!(block_on(race(runners)).unwrap() < 2);
        // Ordering: as above.
        assert_eq!(gone.load(Relaxed), 2);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_winner_against_a_cancel_around_leaves_one_of_them_and_the_clean_up_in_any_case() {
    shim::model(|| {
        let (outer, closed) = (scope(), Arc::new(AtomicUsize::new(0)));
        let signal = Signal::default();
        let mut run = pin!(outer.run(async {
            let winner = async {
                signal.raised().await;
                7
            };
            race((cleaning(Arc::clone(&closed)), winner)).await.unwrap()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        let elsewhere = outer.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(Cause::requested("stop")));
        signal.raise();
        match block_on(run) {
            Ok(won) => assert_eq!(won, 7),
            Err(cause) => assert_eq!(cause.text(), "stop"),
        }
        canceller.join().unwrap();
        // Ordering: all has ended.
        assert_eq!(closed.load(Relaxed), 1);
    });
}

#[test]
fn a_failure_and_a_success_from_two_threads_are_a_success() {
    shim::model(|| {
        let signals = [Signal::default(), Signal::default()];
        let threads = signals
            .clone()
            .map(|signal| thread::spawn(move || signal.raise()));
        let fails = async {
            signals[0].raised().await;
            Err("no")
        };
        let succeeds = async {
            signals[1].raised().await;
            Ok(7)
        };
        assert_eq!(block_on(first_ok((fails, succeeds))).unwrap(), 7);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_loser_that_another_thread_wakes_as_it_is_cancelled_does_no_harm() {
    shim::model(|| {
        let (signal, closed) = (Signal::default(), Arc::new(AtomicUsize::new(0)));
        let raises = signal.clone();
        let loser = async {
            signal.raised().await;
            cleaning(Arc::clone(&closed)).await
        };
        let winner = async {
            yield_now().await;
            7
        };
        let mut race = pin!(race((loser, winner)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(race.as_mut().poll(&mut cx).is_pending());
        let thread = thread::spawn(move || raises.raise());
        assert_eq!(block_on(race).unwrap(), 7);
        thread.join().unwrap();
        // Ordering: all has ended. It had begun, and so was cleaned up, or not.
        assert!(closed.load(Relaxed) <= 1);
    });
}
