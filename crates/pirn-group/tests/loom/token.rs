//! Trees of cancel tokens: cancel against everything else that can happen to one.

use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, block_on, thread};
use pirn_core::{Cause, Kind, Scope, shield};
use pirn_group::CancelToken;
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};

/// Counts its wakes.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `wakes`.
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Count {
    fn new() -> Arc<Count> {
        Arc::new(Count(AtomicUsize::new(0)))
    }

    fn wakes(&self) -> usize {
        // Ordering: Acquire, pairs with the Release in `wake`.
        self.0.load(Ordering::Acquire)
    }
}

fn cancelling(token: &CancelToken, reason: &'static str) -> thread::JoinHandle<bool> {
    let token = token.clone();
    thread::spawn(move || token.cancel(reason))
}

#[test]
fn a_child_that_is_made_during_a_cancel_is_cancelled_and_so_is_its_child() {
    shim::model(|| {
        let token = CancelToken::new();
        let canceller = cancelling(&token, "stop");
        let child = token.child();
        let grandchild = child.child();
        assert!(canceller.join().unwrap());
        for token in [child, grandchild] {
            assert!(token.is_cancelled());
            assert_eq!(token.cause().unwrap().text(), "stop");
        }
    });
}

#[test]
fn a_guard_that_is_dropped_during_a_cancel_is_first_or_changes_nothing() {
    shim::model(|| {
        let token = CancelToken::new();
        let guard = token.guard();
        let canceller = cancelling(&token, "stop");
        drop(guard);
        let first = canceller.join().unwrap();
        let kind = token.cause().unwrap().kind();
        assert_eq!(first, kind == Kind::Requested);
        assert_eq!(!first, kind == Kind::Dropped);
    });
}

#[test]
fn the_guard_of_a_child_against_a_cancel_above_it_leaves_the_outer_cause() {
    shim::model(|| {
        let token = CancelToken::new();
        let child = token.child();
        let guard = child.guard();
        let grandchild = child.child();
        let canceller = cancelling(&token, "stop");
        drop(guard);
        canceller.join().unwrap();
        for token in [child, grandchild] {
            assert_eq!(token.cause().unwrap().text(), "stop");
        }
    });
}

#[test]
fn a_waiter_on_a_child_is_woken_by_a_cancel_above() {
    shim::model(|| {
        let token = CancelToken::new();
        let child = token.child();
        let canceller = cancelling(&token, "stop");
        assert_eq!(block_on(child.cancelled()).text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn of_two_waiters_the_one_that_stays_is_woken_when_the_other_gives_up() {
    shim::model(|| {
        let token = CancelToken::new();
        let count = Count::new();
        let waker = Arc::clone(&count).into();
        let mut gives_up = Box::pin(token.cancelled());
        let mut stays = pin!(token.cancelled());
        let mut cx = Context::from_waker(&waker);
        assert!(
            gives_up
                .as_mut()
                .poll(&mut Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        assert!(stays.as_mut().poll(&mut cx).is_pending());
        let canceller = cancelling(&token, "stop");
        drop(gives_up);
        canceller.join().unwrap();
        assert_eq!(count.wakes(), 1);
        assert!(stays.poll(&mut cx).is_ready());
    });
}

#[test]
fn what_runs_under_a_token_ends_whenever_the_cancel_comes() {
    shim::model(|| {
        let token = CancelToken::new();
        let canceller = cancelling(&token, "stop");
        let ended = block_on(token.run_until_cancelled(pending::<()>()));
        assert_eq!(ended.unwrap_err().text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn what_runs_under_a_child_ends_when_the_parent_is_cancelled_as_it_is_made() {
    shim::model(|| {
        let token = CancelToken::new();
        let canceller = cancelling(&token, "stop");
        let child = token.child();
        let ended = block_on(child.run_until_cancelled(pending::<()>()));
        assert_eq!(ended.unwrap_err().text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn a_value_against_a_cancel_is_returned_or_the_cause_is() {
    shim::model(|| {
        let (token, value) = (CancelToken::new(), CancelToken::new());
        let canceller = cancelling(&token, "stop");
        let giver = cancelling(&value, "here");
        match block_on(token.run_until_cancelled(value.cancelled())) {
            Ok(value) => assert_eq!(value.text(), "here"),
            Err(cause) => assert_eq!(cause.text(), "stop"),
        }
        canceller.join().unwrap();
        giver.join().unwrap();
    });
}

#[test]
fn a_shield_under_a_token_is_polled_to_its_end_whenever_the_cancel_comes() {
    shim::model(|| {
        let (token, gate) = (CancelToken::new(), CancelToken::new());
        let canceller = cancelling(&token, "stop");
        let opener = cancelling(&gate, "open");
        let (begun, done) = (Cell::new(false), Cell::new(false));
        let ended = block_on(token.run_until_cancelled(async {
            begun.set(true);
            shield(gate.cancelled()).await;
            done.set(true);
            pending::<()>().await;
        }));
        assert_eq!(ended.unwrap_err().text(), "stop");
        assert_eq!(begun.get(), done.get());
        canceller.join().unwrap();
        opener.join().unwrap();
    });
}

#[test]
fn a_cancel_of_the_token_does_not_swallow_one_from_around() {
    shim::model(|| {
        let (token, scope) = (CancelToken::new(), Scope::detached());
        let canceller = cancelling(&token, "inner");
        let around = {
            let scope = scope.clone();
            thread::spawn(move || scope.cancel(Cause::requested("outer")))
        };
        let ended = block_on(scope.run(async {
            let cause = token
                .run_until_cancelled(pending::<()>())
                .await
                .unwrap_err();
            assert_eq!(cause.text(), "inner");
            pending::<()>().await;
        }));
        assert_eq!(ended.unwrap_err().text(), "outer");
        canceller.join().unwrap();
        around.join().unwrap();
    });
}

#[test]
fn a_run_that_is_dropped_during_a_cancel_leaves_the_others_of_its_token_to_end() {
    shim::model(|| {
        let token = CancelToken::new();
        let mut dropped = Box::pin(token.run_until_cancelled(pending::<()>()));
        block_on(poll_fn(|cx| {
            assert!(dropped.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let canceller = cancelling(&token, "stop");
        drop(dropped);
        let ended = block_on(token.run_until_cancelled(pending::<()>()));
        assert_eq!(ended.unwrap_err().text(), "stop");
        canceller.join().unwrap();
    });
}
