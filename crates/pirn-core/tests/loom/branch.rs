//! Models of branches: cancels against their scopes, their ends and their clean-ups.

use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::{Branch, BranchEnd, Cause, Members, Scope, finally, yield_now};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn stop() -> Cause {
    Cause::requested("stop")
}

#[test]
fn a_cancel_around_reaches_a_branch_that_waits() {
    shim::model(|| {
        let outer = Scope::detached();
        let elsewhere = outer.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let ended = block_on(outer.run(async {
            let branch = pin!(Branch::new(async {
                Scope::current().unwrap().cancelled().await;
                pending::<()>().await;
            }));
            assert!(matches!(branch.await, BranchEnd::Stalled(_)));
            pending::<()>().await;
        }));
        assert!(ended.is_err());
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn a_cancel_during_the_first_poll_of_a_branch_is_seen() {
    shim::model(|| {
        let mut canceller = None;
        let end = {
            let branch = pin!(Branch::new(async {
                let scope = Scope::current().unwrap();
                canceller = Some(thread::spawn(move || scope.cancel(stop())));
                pending::<()>().await;
            }));
            block_on(branch)
        };
        assert!(matches!(end, BranchEnd::Cancelled(_)));
        assert!(canceller.unwrap().join().unwrap());
    });
}

#[test]
fn a_cancel_against_the_value_of_a_branch_leaves_one_of_the_two() {
    shim::model(|| {
        let mut canceller = None;
        let end = {
            let branch = pin!(Branch::new(async {
                let scope = Scope::current().unwrap();
                canceller = Some(thread::spawn(move || scope.cancel(stop())));
                yield_now().await;
                7
            }));
            block_on(branch)
        };
        assert!(matches!(end, BranchEnd::Cancelled(_) | BranchEnd::Value(7)));
        assert!(canceller.unwrap().join().unwrap());
    });
}

#[test]
fn a_cancel_around_lets_every_branch_of_a_set_clean_up() {
    shim::model(|| {
        let outer = Scope::detached();
        let closed = Arc::new(AtomicUsize::new(0));
        let mut members = Members::with_capacity(2);
        for _ in 0..2 {
            let closed = Arc::clone(&closed);
            let work = async move {
                let close = move || async move {
                    yield_now().await;
                    // Ordering: Relaxed, read after the run has ended.
                    closed.fetch_add(1, Relaxed);
                };
                finally(pending::<()>(), close).await;
            };
            members.push(Branch::new(work));
        }
        let elsewhere = outer.clone();
        let mut run = pin!(outer.run(async move {
            poll_fn(|cx| members.poll_all(cx, |_, _| ())).await;
            pending::<()>().await;
        }));
        // Before the cancel, so that there is something to clean up.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        assert!(block_on(run).is_err());
        assert!(canceller.join().unwrap());
        // Ordering: as above.
        assert_eq!(closed.load(Relaxed), 2);
    });
}

#[test]
fn a_child_that_is_left_by_a_first_poll_wakes_the_branch_whose_scope_it_asked_for() {
    shim::model(|| {
        let mut child = None;
        let end = {
            let branch = pin!(Branch::new(async {
                let guard = Scope::current().unwrap().enter();
                child = Some(thread::spawn(move || drop(guard)));
                7
            }));
            block_on(branch)
        };
        assert!(matches!(end, BranchEnd::Value(7)));
        child.unwrap().join().unwrap();
    });
}

#[test]
fn a_child_that_ends_during_the_first_poll_of_a_branch_has_it_polled_again() {
    shim::model(|| {
        let mut child = None;
        {
            let branch = pin!(Branch::new(poll_fn(|_| {
                let scope = Scope::current().unwrap();
                if child.is_none() {
                    let guard = scope.enter();
                    child = Some(thread::spawn(move || drop(guard)));
                }
                match scope.live() {
                    0 => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })));
            block_on(branch);
        }
        child.unwrap().join().unwrap();
    });
}

#[test]
fn a_cancel_in_between_leaves_a_branch_that_is_polled_inside_the_outer_scope_alone() {
    shim::model(|| {
        let outer = Scope::detached();
        let between = outer.child();
        let elsewhere = between.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let around = outer.clone();
        let value = block_on(outer.run(async {
            let mut branch = pin!(Branch::new(async {
                let own = Scope::current().unwrap();
                yield_now().await;
                assert!(!own.is_cancelled());
                7
            }));
            let inside = poll_fn(|cx| around.inside(|| branch.as_mut().poll(cx)));
            let end = match between.run(inside).await {
                Ok(end) => end,
                Err(_) => branch.await,
            };
            let BranchEnd::Value(value) = end else {
                panic!("it was cancelled: {end:?}");
            };
            value
        }));
        assert_eq!(value.unwrap(), 7);
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn a_cancel_around_lets_a_branch_that_is_polled_from_a_scope_in_between_clean_up() {
    shim::model(|| {
        let outer = Scope::detached();
        let closed = Arc::new(AtomicUsize::new(0));
        let (around, elsewhere, closes) = (outer.clone(), outer.clone(), Arc::clone(&closed));
        let mut run = pin!(outer.run(async move {
            let close = move || async move {
                yield_now().await;
                // Ordering: Relaxed, read after the run has ended.
                closes.fetch_add(1, Relaxed);
            };
            let mut branch = pin!(Branch::new(finally(pending::<()>(), close)));
            let inside = poll_fn(|cx| around.inside(|| branch.as_mut().poll(cx)));
            drop(around.child().run(inside).await);
            pending::<()>().await;
        }));
        // Before the cancel, so that there is something to clean up.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        assert!(block_on(run).is_err());
        assert!(canceller.join().unwrap());
        // Ordering: as above.
        assert_eq!(closed.load(Relaxed), 1);
    });
}
