//! The races of scopes: cancel, children, clean-ups and runs on several threads.

use crate::count::Count;
use crate::tokens::poll_once;
use pirn_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::{Cause, Instant, Limited, Scope, shield};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

fn stop() -> Cause {
    Cause::requested("stop")
}

#[test]
fn a_cancel_wakes_a_run_that_waits() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        assert!(block_on(scope.run(pending::<()>())).is_err());
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn who_sees_it_cancelled_sees_what_came_before() {
    shim::model(|| {
        let scope = Scope::detached();
        let value = Arc::new(AtomicUsize::new(0));
        let (elsewhere, written) = (scope.clone(), Arc::clone(&value));
        let looker = thread::spawn(move || {
            if elsewhere.is_cancelled() {
                assert_eq!(written.load(Relaxed), 1);
            }
        });
        // Ordering: Relaxed; that the cancel publishes it is what is checked.
        value.store(1, Relaxed);
        scope.cancel(stop());
        looker.join().unwrap();
    });
}

#[test]
fn a_child_that_is_made_during_a_cancel_is_cancelled() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let child = scope.child();
        let grandchild = child.child();
        canceller.join().unwrap();
        assert!(child.is_cancelled());
        assert!(grandchild.is_cancelled());
        assert!(grandchild.cause().is_some());
    });
}

#[test]
fn a_handle_that_is_dropped_during_a_cancel_does_no_harm() {
    shim::model(|| {
        let scope = Scope::detached();
        let (one, two) = (scope.child(), scope.child());
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        drop(one);
        assert!(canceller.join().unwrap());
        assert!(two.is_cancelled());
    });
}

#[test]
fn of_two_cancels_one_is_first_and_both_see_its_cause() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let other = thread::spawn(move || {
            let first = elsewhere.cancel(Cause::requested("other"));
            (first, elsewhere.cause().unwrap())
        });
        let first = scope.cancel(Cause::requested("this"));
        let seen = scope.cause().unwrap();
        let (other_first, other_seen) = other.join().unwrap();
        assert!(first ^ other_first);
        assert_eq!(seen.text(), if first { "this" } else { "other" });
        assert_eq!(seen.text(), other_seen.text());
    });
}

#[test]
fn of_an_inner_and_an_outer_cancel_the_outer_is_the_cause_for_all_below() {
    shim::model(|| {
        let outer = Scope::detached();
        let inner = outer.child();
        let innermost = inner.child();
        let elsewhere = inner.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(Cause::requested("inner")));
        outer.cancel(Cause::requested("outer"));
        canceller.join().unwrap();
        for scope in [inner, innermost] {
            assert_eq!(scope.cause().unwrap().text(), "outer");
        }
    });
}

#[test]
fn a_watcher_is_woken_by_a_cancel_above_it() {
    shim::model(|| {
        let scope = Scope::detached();
        let child = scope.child();
        let canceller = thread::spawn(move || scope.cancel(stop()));
        assert_eq!(block_on(child.cancelled()).text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn a_watcher_that_is_dropped_during_a_cancel_does_not_keep_the_other_asleep() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let mut given_up = Box::pin(scope.cancelled());
        block_on(poll_fn(|cx| {
            let _ = given_up.as_mut().poll(cx);
            Poll::Ready(())
        }));
        let waiting = scope.cancelled();
        drop(given_up);
        block_on(waiting);
        canceller.join().unwrap();
    });
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let mut run = pin!(scope.run(pending::<()>()));
        let noop = &mut Context::from_waker(std::task::Waker::noop());
        assert!(run.as_mut().poll(noop).is_pending());
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        // Ends, though the cancel may have found the first waker.
        assert!(block_on(run).is_err());
        canceller.join().unwrap();
    });
}

/// A run in a scope that is made when it is needed.
fn unlimited<F: Future>(body: F) -> Limited<F> {
    match Limited::until(Instant::NEVER, body) {
        Ok(run) => run,
        Err(_) => unreachable!("no deadline, no clock"),
    }
}

#[test]
fn a_cancel_during_the_first_poll_reaches_a_scope_that_is_made_after_it() {
    shim::model(|| {
        let scope = Scope::detached();
        let mut run = None;
        let making = scope.run(async { run = Some(unlimited(pending::<()>())) });
        block_on(making).unwrap();
        let canceller = thread::spawn(move || scope.cancel(stop()));
        // Polled outside the scope around, so that nothing but its own scope can wake it.
        assert_eq!(block_on(run.unwrap()).unwrap_err().text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn a_cancel_during_the_first_poll_of_an_inner_run_is_not_swallowed() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let ended = block_on(scope.run(async {
            let _ = unlimited(pending::<()>()).await;
            unreachable!("the body goes on");
        }));
        assert!(ended.is_err());
        canceller.join().unwrap();
    });
}

#[test]
fn a_child_that_is_left_by_a_first_poll_wakes_the_run_whose_scope_it_asked_for() {
    shim::model(|| {
        let mut child = None;
        let ended = block_on(unlimited(async {
            let guard = Scope::current().unwrap().enter();
            child = Some(thread::spawn(move || drop(guard)));
            7
        }));
        assert_eq!(ended.unwrap(), 7);
        child.unwrap().join().unwrap();
    });
}

#[test]
fn the_last_of_two_children_wakes_the_run() {
    shim::model(|| {
        let scope = Scope::detached();
        let ended = Arc::new(AtomicUsize::new(0));
        let child = || {
            let (guard, ended) = (scope.enter(), Arc::clone(&ended));
            thread::spawn(move || {
                // Ordering: the guard's lock publishes it.
                ended.fetch_add(1, Relaxed);
                drop(guard);
            })
        };
        let children = [child(), child()];
        block_on(scope.run(ready(()))).unwrap();
        assert_eq!(ended.load(Relaxed), 2);
        for child in children {
            child.join().unwrap();
        }
    });
}

#[test]
fn a_body_that_relies_on_its_run_hears_of_a_child_that_ends_at_any_moment() {
    shim::model(|| {
        let scope = Scope::detached();
        let ended = Arc::new(AtomicBool::new(false));
        let (guard, told) = (scope.enter(), Arc::clone(&ended));
        let child = thread::spawn(move || {
            // Ordering: the guard's lock publishes it.
            told.store(true, Relaxed);
            drop(guard);
        });
        // It registers no waker of its own.
        let body = poll_fn(|_| match ended.load(Relaxed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        block_on(scope.run(body)).unwrap();
        child.join().unwrap();
    });
}

#[test]
fn a_clean_up_that_comes_while_its_run_ends_is_run_here_or_above() {
    shim::model(|| {
        let outer = Scope::detached();
        let inner = outer.child();
        let cleaned = Arc::new(AtomicBool::new(false));
        let run = inner.run(ready(()));
        let around = outer.run(async move { run.await.unwrap() });
        let (guard, elsewhere, flag) = (outer.enter(), inner.clone(), Arc::clone(&cleaned));
        let handing_over = thread::spawn(move || {
            // Ordering: the scope's lock publishes it.
            elsewhere.hand_over(Box::pin(async move { flag.store(true, Relaxed) }));
            drop(guard);
        });
        block_on(around).unwrap();
        assert!(cleaned.load(Relaxed));
        handing_over.join().unwrap();
    });
}

#[test]
fn a_clean_up_that_comes_while_a_run_waits_for_a_child_wakes_it() {
    shim::model(|| {
        let scope = Scope::detached();
        let guard = scope.enter();
        let elsewhere = scope.clone();
        let handing_over = thread::spawn(move || {
            // The child ends with its clean-up, and not before.
            elsewhere.hand_over(Box::pin(async move { drop(guard) }));
        });
        block_on(scope.run(ready(()))).unwrap();
        handing_over.join().unwrap();
    });
}

#[test]
fn children_of_an_abandoned_run_keep_the_run_around_waiting() {
    shim::model(|| {
        let outer = Scope::detached();
        let inner = outer.child();
        let ended = Arc::new(AtomicBool::new(false));
        let (guard, flag) = (inner.enter(), Arc::clone(&ended));
        let child = thread::spawn(move || {
            // Ordering: the guard's lock publishes it.
            flag.store(true, Relaxed);
            drop(guard);
        });
        let body = async move { drop(inner.run(pending::<()>())) };
        block_on(outer.run(body)).unwrap();
        assert!(ended.load(Relaxed));
        child.join().unwrap();
    });
}

#[test]
fn a_cancelled_run_ends_as_its_last_region_is_dropped_elsewhere() {
    shim::model(|| {
        let scope = Scope::detached();
        let region = Arc::new(shim::Mutex::new(Some(Box::pin(shield(pending::<()>())))));
        let elsewhere = Arc::clone(&region);
        let mut run = pin!(scope.run(poll_fn(|cx| {
            if let Some(region) = region.lock().as_mut() {
                assert!(region.as_mut().poll(cx).is_pending());
            }
            Poll::<()>::Pending
        })));
        let count = Count::new();
        assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
        scope.cancel(stop());
        assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
        let dropper = thread::spawn(move || {
            let region = elsewhere.lock().take();
            drop(region);
        });
        assert!(block_on(run).is_err());
        dropper.join().unwrap();
    });
}

#[test]
fn a_run_that_is_polled_while_a_cancel_wakes_is_told_when_that_is_done() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        // Under way, and never polled again: the run waits for it only until all are woken.
        let mut run = pin!(scope.run(async {
            let mut region = pin!(shield(pending::<()>()));
            poll_fn(|cx| {
                assert!(region.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            pending::<()>().await;
        }));
        let canceller = thread::spawn(move || {
            // Takes the run's waker out, so that the cancel may find none.
            elsewhere.set_deadline(Instant::NEVER).unwrap();
            elsewhere.cancel(stop());
        });
        assert!(block_on(run.as_mut()).is_err());
        canceller.join().unwrap();
    });
}

/// An executor of one future, which is polled only after a wake of its own waker.
struct Nested<F> {
    future: F,
    flag: std::sync::Arc<Flag>,
}

struct Flag {
    woken: std::sync::atomic::AtomicBool,
    around: shim::Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.woken.store(true, Relaxed);
        let around = self.around.lock().clone();
        around.unwrap().wake();
    }
}

impl<F: Future<Output = ()> + Unpin> Future for Nested<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.flag.around.lock() = Some(cx.waker().clone());
        if !self.flag.woken.swap(false, Relaxed) {
            return Poll::Pending;
        }
        let waker = Waker::from(std::sync::Arc::clone(&self.flag));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

#[test]
fn a_cancel_at_any_moment_leaves_a_region_in_an_executor_in_the_body_to_its_end() {
    shim::model(|| {
        let scope = Scope::detached();
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(stop()));
        let mut polls = 0;
        let future = Box::pin(shield(poll_fn(|_| {
            polls += 1;
            match polls {
                1 => Poll::Pending, // until the cancel wakes it
                _ => Poll::Ready(()),
            }
        })));
        let flag = std::sync::Arc::new(Flag {
            woken: true.into(),
            around: shim::Mutex::new(None),
        });
        let _ = block_on(scope.run(Nested { future, flag }));
        canceller.join().unwrap();
        assert_ne!(polls, 1);
    });
}
