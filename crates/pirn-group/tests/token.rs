//! Cancel tokens, one poll at a time.
#![cfg(not(loom))]

mod support;

use pirn_core::{Cause, Kind, Rooted, Scope, current_cause, finally, shield};
use pirn_group::{CancelGuard, CancelToken};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use support::{Flag, poll};

const fn moves_anywhere<T: Send + Sync + 'static>() {}
const _: () = moves_anywhere::<CancelToken>();
const _: () = moves_anywhere::<CancelGuard>();

/// Counts what the thread allocates.
struct Counting;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = BYTES.try_with(|count| count.set(count.get() + layout.size()));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn text<T>(polled: Poll<Result<T, Arc<Cause>>>) -> String {
    match polled {
        Poll::Ready(Err(cause)) => cause.text().to_owned(),
        Poll::Ready(Ok(_)) => panic!("it gave a value"),
        Poll::Pending => panic!("it is pending"),
    }
}

#[test]
fn a_token_takes_no_more_than_it_says() {
    let before = BYTES.get();
    let token = CancelToken::new();
    let taken = BYTES.get() - before;
    assert!(taken <= CancelToken::BYTES, "{taken} bytes");
    assert_eq!(size_of_val(&token), size_of::<usize>());
}

#[test]
fn the_first_reason_stays_and_the_outermost_wins() {
    let outer = CancelToken::new();
    let (inner, other) = (outer.child(), outer.child());
    let innermost = inner.child();
    assert!(inner.cancel("inner"));
    assert!(!inner.cancel("again"));
    assert_eq!(innermost.cause().unwrap().text(), "inner");
    assert!(!other.is_cancelled() && !outer.is_cancelled());
    let line = line!() + 1;
    assert!(outer.cancel("outer"));
    for token in [&outer, &inner, &innermost, &other, &other.child()] {
        let cause = token.cause().unwrap();
        assert_eq!((cause.kind(), cause.text()), (Kind::Requested, "outer"));
        assert_eq!(cause.at().line(), line);
    }
}

#[test]
fn a_child_of_a_scope_is_cancelled_with_it() {
    let scope = Scope::detached();
    let token = CancelToken::from(scope.clone()).child();
    scope.cancel(Cause::new(Kind::Shutdown, "the end"));
    assert_eq!(token.cause().unwrap().kind(), Kind::Shutdown);
    assert!(token.scope().is_cancelled());
}

#[test]
fn a_guard_cancels_on_drop_from_where_it_was_made_unless_disarmed() {
    let token = CancelToken::new();
    token.guard().disarm();
    assert!(!token.is_cancelled());
    drop(token.child().guard());
    assert!(!token.is_cancelled(), "the child alone");
    let made = line!() + 1;
    drop(token.guard());
    let cause = token.cause().unwrap();
    assert_eq!((cause.kind(), cause.at().line()), (Kind::Dropped, made));
}

#[test]
fn every_waiter_is_woken_and_is_told_why() {
    let token = CancelToken::new();
    let child = token.child();
    let (flag, waker) = Flag::new();
    let (mut one, mut two) = (pin!(token.cancelled()), pin!(child.cancelled()));
    assert!(
        one.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(poll(two.as_mut()).is_pending());
    assert!(!flag.take());
    token.cancel("stop");
    assert!(flag.take());
    for waiting in [one, two] {
        assert!(matches!(poll(waiting), Poll::Ready(cause) if cause.text() == "stop"));
    }
}

#[test]
fn a_chain_of_two_hundred_thousand_tokens_is_cancelled_and_dropped_without_recursion() {
    let root = CancelToken::new();
    let mut chain = vec![root.child()];
    for depth in 0..200_000 {
        chain.push(chain[depth].child());
    }
    let last = chain.last().unwrap().clone();
    drop(chain);
    assert!(!last.is_cancelled());
    root.cancel("stop");
    assert_eq!(last.cause().unwrap().text(), "stop");
    drop(root);
    drop(last);
}

// Running under a token.

#[test]
fn a_value_is_returned_and_the_token_is_as_before() {
    let token = CancelToken::new();
    for _ in 0..2 {
        assert!(matches!(
            poll(pin!(token.run_until_cancelled(ready(7)))),
            Poll::Ready(Ok(7))
        ));
    }
    assert!(!token.is_cancelled());
}

#[test]
fn what_was_cancelled_before_its_first_poll_never_runs() {
    let token = CancelToken::new();
    let mut run = pin!(token.run_until_cancelled(async { panic!("it ran") }));
    token.cancel("stop");
    assert_eq!(text::<()>(poll(run.as_mut())), "stop");
}

#[test]
fn a_value_in_the_poll_that_cancels_wins() {
    let token = CancelToken::new();
    let run = token.run_until_cancelled(async {
        token.cancel("stop");
        7
    });
    assert!(matches!(poll(pin!(run)), Poll::Ready(Ok(7))));
}

#[test]
fn a_cancel_in_its_own_poll_ends_it_in_that_poll() {
    let token = CancelToken::new();
    for first in [true, false] {
        let token = token.child();
        let mut polls = 0;
        let mut run = pin!(token.run_until_cancelled(poll_fn(|_| {
            polls += 1;
            if first || polls == 2 {
                token.cancel("stop");
            }
            Poll::<()>::Pending
        })));
        assert!(first || poll(run.as_mut()).is_pending());
        assert_eq!(text(poll(run.as_mut())), "stop");
    }
}

#[test]
fn a_cancel_wakes_what_runs_and_its_clean_up_is_awaited_and_knows_why() {
    let token = CancelToken::new();
    let (gate, open) = (CancelToken::new(), CancelToken::new());
    let seen = Arc::new(Mutex::new(None));
    let inner = seen.clone();
    let passed = gate.clone();
    let mut run = pin!(
        token.run_until_cancelled(finally(pending::<()>(), move || async move {
            *inner.lock().unwrap() = current_cause();
            passed.cancelled().await;
        }))
    );
    let (flag, waker) = Flag::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    open.cancel("another token");
    assert!(!flag.take());
    token.cancel("stop");
    assert!(flag.take());
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert_eq!(seen.lock().unwrap().as_ref().unwrap().text(), "stop");
    gate.cancel("open");
    assert!(flag.take());
    assert_eq!(text(poll(run)), "stop");
}

#[test]
fn dropping_what_runs_leaves_the_token_alone_and_hands_the_clean_up_over() {
    let (token, cleaned) = (CancelToken::new(), CancelToken::new());
    let done = cleaned.clone();
    let mut around = pin!(Rooted::new(async {
        let mut run = Box::pin(
            token.run_until_cancelled(finally(pending::<()>(), move || async move {
                _ = done.cancel("done")
            })),
        );
        poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending())).await;
        drop(run);
    }));
    assert!(poll(around.as_mut()).is_ready());
    assert!(!token.is_cancelled());
    assert!(cleaned.is_cancelled());
}

#[test]
fn a_panic_leaves_the_token_alone() {
    let token = CancelToken::new();
    let run = token.run_until_cancelled(async { panic!("oh") });
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll::<_>(pin!(run))));
    assert!(polled.is_err_and(|payload| payload.is::<&str>()));
    assert!(!token.is_cancelled());
}

#[test]
fn a_cancel_from_around_wins_and_nothing_goes_on() {
    let (token, scope) = (CancelToken::new(), Scope::detached());
    let mut run = pin!(scope.run(async {
        let _ = token.run_until_cancelled(pending::<()>()).await;
        panic!("it went on");
    }));
    assert!(poll(run.as_mut()).is_pending());
    token.cancel("inner");
    scope.cancel(Cause::requested("outer"));
    assert_eq!(text::<()>(poll(run)), "outer");
}

#[test]
fn a_cancel_of_the_token_lets_the_code_around_go_on() {
    let (token, scope) = (CancelToken::new(), Scope::detached());
    let mut run = pin!(scope.run(async {
        let cause = token
            .run_until_cancelled(pending::<()>())
            .await
            .unwrap_err();
        cause.text().to_owned()
    }));
    assert!(poll(run.as_mut()).is_pending());
    token.cancel("inner");
    assert!(matches!(poll(run), Poll::Ready(Ok(text)) if text == "inner"));
}

#[test]
fn a_shield_inside_is_not_cut_short_by_the_token() {
    let (token, gate) = (CancelToken::new(), CancelToken::new());
    let mut run = pin!(token.run_until_cancelled(async {
        shield(gate.cancelled()).await;
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    token.cancel("stop");
    assert!(poll(run.as_mut()).is_pending());
    gate.cancel("open");
    assert_eq!(text(poll(run)), "stop");
}
