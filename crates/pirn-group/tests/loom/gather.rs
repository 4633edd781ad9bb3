//! Models of gathers: ends, failures and cancels from other threads.

use crate::signal::Signal;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::{Cause, Grace, Scope, finally, yield_now};
use pirn_group::{WaitSet, gather, map_limit};
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};

fn stop() -> Cause {
    Cause::requested("stop")
}

/// A scope whose clean-up may take as long as it does: there is no clock here.
fn scope() -> Scope {
    let scope = Scope::detached();
    scope.set_grace(Grace::Unlimited);
    scope
}

/// Never ends; counts its clean-up, which takes two polls.
async fn cleaning(closed: &Arc<AtomicUsize>) -> Result<(), &'static str> {
    cleaning_in(2, closed).await
}

/// Never ends; counts its clean-up, which takes so many polls.
async fn cleaning_in(polls: usize, closed: &Arc<AtomicUsize>) -> Result<(), &'static str> {
    let closed = Arc::clone(closed);
    let close = move || async move {
        for _ in 1..polls {
            yield_now().await;
        }
        // Ordering: Relaxed, read when all has ended.
        closed.fetch_add(1, Relaxed);
    };
    finally(pending::<()>(), close).await;
    Ok(())
}

#[test]
fn a_list_whose_members_are_woken_by_two_threads_ends() {
    shim::model(|| {
        let signals = [Signal::default(), Signal::default()];
        let members = signals.iter().map(async |signal| {
            signal.raised().await;
            Ok::<_, &str>(1)
        });
        let mut both = pin!(gather(members));
        // Before there are threads: they meet members that wait.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(both.as_mut().poll(&mut cx).is_pending());
        let threads = signals
            .clone()
            .map(|signal| thread::spawn(move || signal.raise()));
        assert_eq!(block_on(both).unwrap(), [1, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_tuple_whose_members_are_woken_by_two_threads_ends() {
    shim::model(|| {
        let signals = [Signal::default(), Signal::default()];
        let threads = signals
            .clone()
            .map(|signal| thread::spawn(move || signal.raise()));
        let member = async |signal: &Signal| {
            signal.raised().await;
            Ok::<_, &str>(1)
        };
        let both = gather((member(&signals[0]), member(&signals[1])));
        assert_eq!(block_on(both).unwrap(), (1, 1));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A list of members whose clean-ups take so many polls, in a scope that another thread cancels.
fn a_cancel_around_waits_for(polls: &'static [usize]) {
    shim::model(move || {
        let (outer, closed) = (scope(), Arc::new(AtomicUsize::new(0)));
        let mut run = pin!(outer.run(async {
            let _ = gather(polls.iter().map(|&polls| cleaning_in(polls, &closed))).await;
            unreachable!("the body around is cancelled");
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        let elsewhere = outer.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        assert!(block_on(run).is_err());
        canceller.join().unwrap();
        // Ordering: all has ended.
        assert_eq!(closed.load(Relaxed), polls.len());
    });
}

// Of two members with two polls each there is a model in pirn-core, without the gather.

#[test]
fn a_cancel_around_a_list_waits_for_every_clean_up() {
    a_cancel_around_waits_for(&[1, 1]);
}

#[test]
fn a_cancel_around_a_list_waits_for_a_clean_up_of_two_polls() {
    a_cancel_around_waits_for(&[2]);
}

#[test]
fn a_failure_against_a_cancel_around_gives_one_of_them_and_the_clean_up_in_any_case() {
    shim::model(|| {
        let (outer, closed) = (scope(), Arc::new(AtomicUsize::new(0)));
        let signal = Signal::default();
        let mut run = pin!(outer.run(async {
            let fails = async {
                signal.raised().await;
                Err::<(), _>("no")
            };
            gather((fails, cleaning(&closed)))
                .await
                .unwrap_err()
                .into_errors()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        let (elsewhere, raises) = (outer.clone(), signal.clone());
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        raises.raise();
        match block_on(run) {
            Ok(errors) => assert_eq!(errors, ["no"]),
            Err(cause) => assert_eq!(cause.text(), "stop"),
        }
        canceller.join().unwrap();
        // Ordering: all has ended.
        assert_eq!(closed.load(Relaxed), 1);
    });
}

#[test]
fn a_member_that_another_thread_cancels_ends_the_gather() {
    shim::model(|| {
        let closed = Arc::new(AtomicUsize::new(0));
        let mut canceller = None;
        let error = {
            let cancelled = async {
                let own = Scope::current().unwrap();
                canceller = Some(thread::spawn(move || own.cancel(stop())));
                pending::<Result<(), &str>>().await
            };
            block_on(gather((cleaning(&closed), cancelled))).unwrap_err()
        };
        assert_eq!(error.cause().unwrap().text(), "stop");
        canceller.unwrap().join().unwrap();
        // Ordering: all has ended.
        assert_eq!(closed.load(Relaxed), 1);
    });
}

#[test]
fn an_end_during_a_wait_that_is_given_up_is_given_by_the_next() {
    shim::model(|| {
        let signals = [Signal::default(), Signal::default()];
        let raises = signals[0].clone();
        let mut set = WaitSet::of(signals.iter().map(Signal::raised));
        {
            let mut first = pin!(set.all());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut cx).is_pending());
            let thread = thread::spawn(move || raises.raise());
            assert!(first.as_mut().poll(&mut cx).is_pending());
            drop(thread);
        }
        let done = block_on(set.first_completed());
        assert!(matches!(done[..], [(0, Ok(()))]));
        signals[1].raise();
        let done = block_on(set.all());
        assert!(matches!(done[..], [(1, Ok(()))]) && set.is_empty());
    });
}

#[test]
fn work_that_another_thread_wakes_reaches_a_body_that_waits() {
    shim::model(|| {
        let signal = Signal::default();
        let raises = signal.clone();
        let thread = thread::spawn(move || raises.raise());
        let work = async |number: u32| {
            signal.raised().await;
            number
        };
        let sum = block_on(map_limit(1, [3], work, async |mut results| {
            let mut sum = 0;
            while let Some((_, end)) = results.next().await {
                sum += end.unwrap();
            }
            sum
        }));
        assert_eq!(sum, 3);
        thread.join().unwrap();
    });
}
