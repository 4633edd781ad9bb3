//! Scopes, one poll at a time.

mod support;

use pirn_core::context::Handles;
use pirn_core::{
    BoxSleep, Cause, Clock, Grace, Instant, Kind, Limited, Rooted, Scope, Scoped, budget,
    current_cause, current_deadline, defer, finally, finally_in_place, shield, with_resource,
};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use support::{Counter, Foreign, Gate, Log, Manual, poll, reports};

const SECOND: Duration = Duration::from_secs(1);

fn stop() -> Cause {
    Cause::requested("stop")
}

fn text<T>(polled: Poll<Result<T, Arc<Cause>>>) -> String {
    match polled {
        Poll::Ready(Err(cause)) => cause.text().to_owned(),
        Poll::Ready(Ok(_)) => panic!("it gave a value"),
        Poll::Pending => panic!("it is pending"),
    }
}

fn value<T>(polled: Poll<Result<T, Arc<Cause>>>) -> T {
    match polled {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(cause)) => panic!("it was {cause}"),
        Poll::Pending => panic!("it is pending"),
    }
}

/// Polls a future once inside a body; it must be pending.
async fn poll_inside<F: Future>(mut future: Pin<&mut F>) {
    let pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
}

/// A run in a scope that is made when it is needed.
fn planned<F: Future>(at: Instant, body: F) -> Limited<F> {
    match Limited::until(at, body) {
        Ok(run) => run,
        Err((missing, _)) => panic!("{missing}"),
    }
}

// Cancel and body.

#[test]
fn a_body_that_was_cancelled_before_its_first_poll_never_runs() {
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async { panic!("it ran") }));
    scope.cancel(stop());
    assert_eq!(text::<()>(poll(run.as_mut())), "stop");
}

#[test]
fn one_that_was_cancelled_before_its_first_poll_is_woken_by_its_last_child_whatever_came_between() {
    let scope = Scope::detached();
    let child = scope.enter();
    scope.cancel(stop());
    let mut run = pin!(scope.run(pending::<()>()));
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    scope.hand_over(Box::pin(ready(())));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    let woken = counter.wakes();
    drop(child);
    assert_eq!(counter.wakes(), woken + 1);
    assert_eq!(text(run.poll(&mut cx)), "stop");
}

#[test]
fn a_value_wins_over_a_cancel_in_the_same_poll() {
    let scope = Scope::detached();
    let inside = scope.clone();
    let mut run = pin!(scope.run(async move {
        inside.cancel(stop());
        7
    }));
    assert_eq!(value(poll(run.as_mut())), 7);
}

#[test]
fn a_cancelled_body_is_dropped_and_not_polled() {
    let (scope, log) = (Scope::detached(), Log::default());
    let count = Arc::default();
    let body = {
        let (drop, foreign) = (log.on_drop("dropped"), Foreign(Arc::clone(&count)));
        async move {
            let _drop = drop;
            foreign.await;
        }
    };
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(Foreign::polls(&count), 1);
    scope.cancel(stop());
    assert_eq!(log.said(), [""; 0], "a cancel is a request");
    assert_eq!(text(poll(run.as_mut())), "stop");
    assert_eq!(log.said(), ["dropped"]);
    assert_eq!(Foreign::polls(&count), 1);
}

#[test]
fn a_cancel_in_its_own_poll_ends_the_body_in_that_poll() {
    let scope = Scope::detached();
    let inside = scope.clone();
    let mut run = pin!(scope.run(async move {
        inside.cancel(stop());
        pending::<()>().await
    }));
    assert_eq!(text(poll(run.as_mut())), "stop");
}

#[test]
fn a_cancel_wakes_the_waker_of_the_last_poll() {
    let scope = Scope::detached();
    let mut run = pin!(scope.run(pending::<()>()));
    let (first, first_waker) = Counter::new();
    let (second, second_waker) = Counter::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&first_waker))
            .is_pending()
    );
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&second_waker))
            .is_pending()
    );
    scope.cancel(stop());
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

#[test]
fn the_first_cause_stays_and_the_outermost_wins() {
    let outer = Scope::detached();
    let inner = outer.child();
    assert!(inner.cancel(Cause::requested("inner")));
    assert!(!inner.cancel(Cause::requested("again")));
    assert_eq!(inner.cause().unwrap().text(), "inner");
    assert!(outer.cause().is_none());
    assert!(outer.cancel(Cause::requested("outer")));
    assert_eq!(inner.cause().unwrap().text(), "outer");
    assert_eq!(inner.child().cause().unwrap().text(), "outer");
}

#[test]
fn a_cancel_stops_at_a_shield_and_a_shield_can_be_cancelled_itself() {
    let outer = Scope::detached();
    let shielded = outer.shielded_child();
    let below = shielded.child();
    outer.cancel(stop());
    assert!(below.cause().is_none());
    assert!(outer.shielded_child().cause().is_none());
    shielded.cancel(Cause::requested("by name"));
    assert_eq!(below.cause().unwrap().text(), "by name");
}

#[test]
fn waiting_for_a_cancel_ends_at_once_afterwards_and_its_waker_may_change() {
    let outer = Scope::detached();
    let scope = outer.child();
    let mut wait = pin!(scope.cancelled());
    let mut given_up = Box::pin(scope.cancelled());
    assert!(poll(given_up.as_mut()).is_pending());
    let (counter, waker) = Counter::new();
    assert!(poll(wait.as_mut()).is_pending());
    assert!(
        wait.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(given_up);
    outer.cancel(stop());
    assert_eq!(counter.wakes(), 1);
    assert!(poll(wait).is_ready());
    assert!(poll(pin!(scope.cancelled())).is_ready());
}

#[test]
fn more_watchers_than_a_batch_holds_are_all_woken_once() {
    let scope = Scope::detached();
    let (counter, waker) = Counter::new();
    let mut waits: Vec<_> = (0..100).map(|_| Box::pin(scope.cancelled())).collect();
    for wait in &mut waits {
        assert!(
            wait.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    scope.cancel(stop());
    assert_eq!(counter.wakes(), 100);
}

#[test]
fn a_waker_that_panics_does_not_keep_a_cancel_from_the_others() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }
    reports();
    let scope = Scope::detached();
    let child = scope.child();
    let bomb = Waker::from(Arc::new(Bomb));
    let mut run = pin!(scope.run(pending::<()>()));
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&bomb))
            .is_pending()
    );
    let (counter, waker) = Counter::new();
    let mut wait = pin!(child.cancelled());
    assert!(
        wait.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    scope.cancel(stop());
    assert_eq!(counter.wakes(), 1);
    assert_eq!(reports(), ["a panic that nobody received: a bad waker"]);
}

#[test]
fn a_waker_that_panics_as_it_is_dropped_is_reported_wherever_a_scope_kept_it() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bad waker");
        }
    }
    fn poll_with_bomb(future: Pin<&mut impl Future>) {
        let bomb = std::mem::ManuallyDrop::new(Waker::from(Arc::new(Bomb)));
        assert!(future.poll(&mut Context::from_waker(&bomb)).is_pending());
        // The future has the last one.
        let count = bomb.data() as *const Bomb;
        // SAFETY: it came from an `Arc`, of which this is the count that was not given up.
        unsafe { Arc::decrement_strong_count(count) };
    }
    reports();
    let scope = Scope::detached();
    let bad = ["a panic that nobody received: a bad waker"];

    let mut wait = Box::pin(scope.cancelled());
    poll_with_bomb(wait.as_mut());
    assert!(poll(wait.as_mut()).is_pending());
    assert_eq!(reports(), bad, "the wait was polled with another waker");
    poll_with_bomb(wait.as_mut());
    drop(wait);
    assert_eq!(reports(), bad, "the wait was dropped");

    let mut run = Box::pin(scope.run(pending::<()>()));
    poll_with_bomb(run.as_mut());
    drop(run);
    assert_eq!(reports(), bad, "the run was dropped");

    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(shield(pending::<()>())));
    poll_with_bomb(run.as_mut());
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(reports(), bad, "a shield was polled with another waker");
}

#[test]
fn a_chain_of_two_hundred_thousand_scopes_is_cancelled_and_dropped_without_recursion() {
    let root = Scope::detached();
    let mut leaf = root.child();
    for _ in 0..200_000 {
        leaf = leaf.child();
    }
    root.cancel(stop());
    assert!(leaf.is_cancelled());
    drop(root);
    drop(leaf);
}

#[test]
fn the_scope_that_runs_here_is_the_parent_of_a_new_one() {
    assert!(Scope::current().is_none());
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async { Scope::new() }));
    let inner = value(poll(run.as_mut()));
    assert!(Scope::current().is_none());
    scope.cancel(stop());
    assert!(inner.is_cancelled());
}

#[test]
fn a_second_run_of_a_scope_runs_in_a_child_of_it() {
    let scope = Scope::detached();
    let mut first = pin!(scope.run(pending::<()>()));
    let mut second = Box::pin(scope.run(pending::<()>()));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    drop(second);
    assert!(
        !scope.is_cancelled(),
        "a dropped run cancels its own scope only"
    );
    let mut third = pin!(scope.run(pending::<()>()));
    assert!(poll(third.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(first.as_mut())), "stop");
    assert_eq!(text(poll(third.as_mut())), "stop");
}

#[test]
fn a_scope_whose_run_has_ended_runs_the_next_in_a_child_and_a_cancel_between_them_holds() {
    let scope = Scope::detached();
    value(poll(pin!(scope.run(ready(())))));
    value(poll(pin!(scope.run(ready(())))));
    assert!(scope.cancel(stop()));
    let late = scope.run(async { panic!("it ran") });
    let late: Poll<Result<(), _>> = poll(pin!(late));
    assert_eq!(text(late), "stop");
}

#[test]
fn a_cancel_reaches_the_runs_of_all_that_was_made_below() {
    let (scope, log) = (Scope::detached(), Log::default());
    let mut leaves = Vec::new();
    for (one, two) in [("a", "b"), ("c", "d")] {
        let worker = scope.child();
        for name in [one, two] {
            let said = log.clone();
            let body = finally(pending::<()>(), move || async move { said.say(name) });
            leaves.push(Box::pin(worker.child().run(body)));
        }
    }
    let waiting = leaves
        .iter_mut()
        .all(|leaf| poll(leaf.as_mut()).is_pending());
    assert!(waiting);
    assert!(scope.cancel(stop()));
    for leaf in leaves {
        assert_eq!(text(poll(pin!(leaf))), "stop");
    }
    assert_eq!(log.said(), ["a", "b", "c", "d"]);
}

// Panics.

#[test]
fn a_panic_of_the_body_cancels_the_scope_and_goes_on_when_the_children_have_ended() {
    let scope = Scope::detached();
    let child = scope.enter();
    let mut run = pin!(scope.run(async { panic!("oh") }));
    let first = catch_unwind(AssertUnwindSafe(|| {
        poll::<Scoped<_>>(run.as_mut()).is_pending()
    }));
    assert!(first.unwrap(), "a child lives");
    assert_eq!(scope.cause().unwrap().kind(), Kind::Sibling);
    drop(child);
    let payload =
        catch_unwind(AssertUnwindSafe(|| poll(run.as_mut()).map_ok(|()| ()))).unwrap_err();
    assert_eq!(pirn_core::panic_message(&*payload), "oh");
}

#[test]
fn a_panic_of_the_bodys_destructor_is_kept_until_the_children_have_ended() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let scope = Scope::detached();
    let child = scope.enter();
    let mut run = pin!(scope.run(async {
        let _bomb = Bomb;
        pending::<()>().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    drop(child);
    let payload = catch_unwind(AssertUnwindSafe(|| poll(run.as_mut()))).unwrap_err();
    assert_eq!(pirn_core::panic_message(&*payload), "in drop");
}

// Children.

#[test]
fn a_run_does_not_end_while_a_child_lives_and_is_woken_by_the_last() {
    let scope = Scope::detached();
    let (one, two) = (scope.enter(), scope.enter());
    assert_eq!(scope.live(), 2);
    let mut run = pin!(scope.run(ready(3)));
    let (counter, waker) = Counter::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(one);
    assert_eq!(counter.wakes(), 0);
    drop(two);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(value(poll(run)), 3);
}

#[test]
fn a_dropped_run_cancels_its_children_and_the_run_around_waits_for_them() {
    let outer = Scope::detached();
    let inner = outer.child();
    let child = inner.enter();
    let mut around = pin!(outer.run({
        let inner = inner.clone();
        async move {
            let mut run = Box::pin(inner.run(pending::<()>()));
            poll_inside(run.as_mut()).await;
            drop(run);
        }
    }));
    assert!(poll(around.as_mut()).is_pending());
    assert_eq!(inner.cause().unwrap().kind(), Kind::Dropped);
    assert!(!outer.is_cancelled());
    drop(child);
    value(poll(around));
}

#[test]
fn children_abandoned_through_several_levels_are_awaited_at_the_top() {
    let top = Scope::detached();
    let middle = top.child();
    let bottom = middle.child();
    let child = bottom.enter();
    let mut around = pin!(top.run(ready(())));
    let middle_run = middle.run(pending::<()>());
    drop(bottom.run(pending::<()>()));
    drop(middle_run);
    assert!(poll(around.as_mut()).is_pending());
    drop(child);
    value(poll(around));
}

#[test]
fn children_that_nobody_waits_for_are_reported() {
    reports();
    let scope = Scope::detached();
    let child = scope.enter();
    drop(scope.run(pending::<()>()));
    assert_eq!(reports().len(), 1);
    assert!(scope.is_cancelled());
    drop(child);
}

// Shields and clean-up.

#[test]
fn a_shield_is_polled_on_after_a_cancel_and_our_leaves_outside_it_are_not_passed() {
    let (scope, log, gate) = (Scope::detached(), Log::default(), Gate::default());
    let open = Gate::default();
    open.open();
    let body = {
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            shield(async {
                gate.passed().await;
                log.say("shielded work done");
            })
            .await;
            log.say("on to the next leaf");
            open.passed().await;
            log.say("never");
        }
    };
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["shielded work done", "on to the next leaf"]);
}

#[test]
fn a_cancelled_body_begins_no_new_shield() {
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    let body = {
        let (gate, log) = (gate.clone(), log.clone());
        async move {
            loop {
                log.say("shield");
                shield(gate.passed()).await;
            }
        }
    };
    let mut run = pin!(scope.run(body));
    assert!(poll::<Scoped<_>>(run.as_mut()).is_pending());
    scope.cancel(stop());
    gate.open();
    assert_eq!(text::<()>(poll(run)), "stop");
    assert_eq!(log.said(), ["shield", "shield"], "the second never began");
}

#[test]
fn a_clean_up_runs_in_place_after_the_inner_future_was_dropped() {
    let (scope, log, gate) = (Scope::detached(), Log::default(), Gate::default());
    let body = {
        let (inner, outer) = (log.on_drop("inner dropped"), log.on_drop("body dropped"));
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            let _outer = outer;
            let work = async move {
                let _inner = inner;
                pending::<()>().await;
            };
            finally(work, || async move {
                log.say("clean-up began");
                gate.passed().await;
                log.say("clean-up ended");
            })
            .await;
        }
    };
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["inner dropped", "clean-up began"]);
    gate.open();
    assert_eq!(text(poll(run)), "stop");
    let all = [
        "inner dropped",
        "clean-up began",
        "clean-up ended",
        "body dropped",
    ];
    assert_eq!(log.said(), all);
}

#[test]
fn nested_clean_ups_run_from_the_inside_out() {
    let (scope, log) = (Scope::detached(), Log::default());
    let (one, two) = (log.clone(), log.clone());
    let inner = finally(pending::<()>(), || async move { one.say("inner") });
    let mut run = pin!(scope.run(finally(inner, || async move { two.say("outer") })));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["inner", "outer"]);
}

#[test]
fn a_clean_up_that_is_dropped_is_run_by_the_scope() {
    let (scope, log, gate) = (Scope::detached(), Log::default(), Gate::default());
    let body = {
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            let said = log.clone();
            let mut work = Box::pin(finally(pending::<()>(), || async move {
                gate.passed().await;
                said.say("clean-up");
            }));
            poll_inside(work.as_mut()).await;
            drop(work);
            log.say("body done");
            5
        }
    };
    let mut run = pin!(scope.run(body));
    let (counter, waker) = Counter::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let before = counter.wakes();
    gate.open();
    assert!(counter.wakes() > before);
    assert_eq!(value(poll(run)), 5);
    assert_eq!(log.said(), ["body done", "clean-up"]);
}

#[test]
fn a_clean_up_that_is_dropped_half_way_is_finished_by_the_scope() {
    let (scope, log, gate) = (Scope::detached(), Log::default(), Gate::default());
    let body = {
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            let mut work = Box::pin(finally(ready(()), || async move {
                log.say("began");
                gate.passed().await;
                log.say("ended");
            }));
            poll_inside(work.as_mut()).await;
        }
    };
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    value(poll(run));
    assert_eq!(log.said(), ["began", "ended"]);
}

#[test]
fn a_clean_up_outside_every_scope_is_reported_when_it_is_dropped() {
    reports();
    let mut work = Box::pin(finally(pending::<()>(), || ready(())));
    assert!(poll(work.as_mut()).is_pending());
    drop(work);
    assert!(reports()[0].contains("outside every scope"));
}

#[test]
fn a_shield_or_a_clean_up_outside_every_scope_makes_none_that_nobody_runs() {
    reports();
    let inside = || finally(pending::<()>(), || ready(()));
    let mut shielded = Box::pin(shield(inside()));
    let mut nested = Box::pin(finally(inside(), || ready(())));
    assert!(poll(shielded.as_mut()).is_pending());
    assert!(poll(nested.as_mut()).is_pending());
    drop(shielded);
    assert!(reports()[0].contains("outside every scope"));
    drop(nested);
    assert_eq!(reports().len(), 2);
}

#[test]
fn a_panic_in_the_work_hands_the_clean_up_over() {
    let (scope, log) = (Scope::detached(), Log::default());
    let said = log.clone();
    let work = async { panic!("work failed") };
    let mut run = pin!(scope.run(finally(work, || async move { said.say("clean-up") })));
    let payload = catch_unwind(AssertUnwindSafe(|| poll::<Scoped<_>>(run.as_mut()))).unwrap_err();
    assert_eq!(pirn_core::panic_message(&*payload), "work failed");
    assert_eq!(log.said(), ["clean-up"]);
}

#[test]
fn a_panic_in_a_clean_up_that_was_handed_over_is_reported_and_the_others_run() {
    reports();
    let (scope, log) = (Scope::detached(), Log::default());
    let said = log.clone();
    let mut run = pin!(scope.run(ready(1)));
    scope.hand_over(Box::pin(async { panic!("bad clean-up") }));
    scope.hand_over(Box::pin(async move { said.say("good clean-up") }));
    assert_eq!(value(poll(run.as_mut())), 1);
    assert_eq!(log.said(), ["good clean-up"]);
    assert_eq!(reports(), ["a panic that nobody received: bad clean-up"]);
}

#[test]
fn a_clean_up_may_hand_over_another() {
    let (scope, log) = (Scope::detached(), Log::default());
    let (said, inside) = (log.clone(), scope.clone());
    let mut run = pin!(scope.run(ready(())));
    scope.hand_over(Box::pin(async move {
        inside.hand_over(Box::pin(async move { said.say("second") }));
    }));
    value(poll(run.as_mut()));
    assert_eq!(log.said(), ["second"]);
}

#[test]
fn a_scope_inside_a_clean_up_is_not_cancelled_with_the_body() {
    let scope = Scope::detached();
    let gate = Gate::default();
    let opened = gate.clone();
    let cleanup = || async move {
        let nested = Scope::new();
        assert!(nested.run(async move { gate.passed().await }).await.is_ok());
    };
    let mut run = pin!(scope.run(finally(pending::<()>(), cleanup)));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    opened.open();
    assert_eq!(text(poll(run)), "stop");
}

#[test]
fn a_clean_up_in_place_may_borrow() {
    let scope = Scope::detached();
    let mut closed = false;
    {
        let work = pending::<()>();
        let mut run = pin!(scope.run(finally_in_place(work, async || closed = true)));
        assert!(poll(run.as_mut()).is_pending());
        scope.cancel(stop());
        assert_eq!(text(poll(run)), "stop");
    }
    assert!(closed);
}

#[test]
fn a_clean_up_in_place_that_is_dropped_is_reported() {
    reports();
    let mut work = Box::pin(finally_in_place(pending::<()>(), async || ()));
    assert!(poll(work.as_mut()).is_pending());
    drop(work);
    assert!(reports()[0].contains("in place only"));
}

#[test]
fn a_resource_is_closed_after_a_value_a_cancel_a_panic_and_a_drop() {
    enum End {
        Value,
        Cancel,
        Panic,
        Drop,
    }
    for end in [End::Value, End::Cancel, End::Panic, End::Drop] {
        let (scope, log) = (Scope::detached(), Log::default());
        let (said, inside) = (log.clone(), scope.clone());
        let used = with_resource(
            vec!["open"],
            async |resource| {
                resource.push("used");
                match end {
                    End::Value => {}
                    End::Cancel => {
                        inside.cancel(stop());
                        pending::<()>().await;
                    }
                    End::Panic => panic!("oh"),
                    End::Drop => pending().await,
                }
            },
            |resource| async move {
                assert_eq!(resource, ["open", "used"]);
                said.say("closed");
            },
        );
        let dropped = matches!(end, End::Drop);
        let mut run = pin!(scope.run(async move {
            let mut used = Box::pin(used);
            match dropped {
                true => drop(poll_fn(|cx| Poll::Ready(used.as_mut().poll(cx))).await),
                false => used.await,
            }
        }));
        let _ = catch_unwind(AssertUnwindSafe(|| assert!(poll(run.as_mut()).is_ready())));
        assert_eq!(log.said(), ["closed"]);
    }
}

#[test]
fn a_region_that_nobody_polls_any_more_does_not_keep_a_cancelled_body() {
    let (scope, log) = (Scope::detached(), Log::default());
    let said = log.clone();
    let body = async move {
        let mut left = Box::pin(finally(
            pending::<()>(),
            || async move { said.say("clean-up") },
        ));
        poll_inside(left.as_mut()).await;
        pending::<()>().await;
    };
    let mut run = pin!(scope.run(body));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(
        log.said(),
        ["clean-up"],
        "it was handed over when the body was dropped"
    );
}

#[test]
fn a_region_inside_an_executor_inside_the_body_is_woken_by_the_cancel() {
    use futures::stream::{FuturesUnordered, StreamExt};
    let (scope, log) = (Scope::detached(), Log::default());
    let mut set = FuturesUnordered::new();
    for _ in 0..3 {
        let log = log.clone();
        set.push(finally(pending::<()>(), || async move {
            log.say("clean-up in place")
        }));
    }
    let dropped = log.on_drop("body dropped");
    let mut run = pin!(scope.run(async move {
        let _dropped = dropped;
        set.next().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    let in_place = "clean-up in place";
    assert_eq!(log.said(), [in_place, in_place, in_place, "body dropped"]);
}

// Scopes in scopes.

#[test]
fn a_shield_that_was_first_polled_in_an_inner_run_keeps_the_body_in_which_it_is_now() {
    let (gate, outer, log) = (Gate::default(), Scope::detached(), Log::default());
    let mut all = pin!(outer.run(async {
        let mut held = pin!(shield(async {
            gate.passed().await;
            log.say("committed");
        }));
        let first = poll_fn(|cx| {
            assert!(held.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        });
        Scope::new().run(first).await.unwrap();
        held.await;
    }));
    assert!(poll(all.as_mut()).is_pending());
    outer.cancel(stop());
    assert!(poll(all.as_mut()).is_pending());
    gate.open();
    value(poll(all));
    assert_eq!(log.said(), ["committed"]);
}

#[test]
fn a_run_that_was_cancelled_with_who_polls_it_by_reference_tells_the_next() {
    let (outer, limit) = (Scope::detached(), Scope::detached());
    let mut all = pin!(outer.run(async {
        let mut run = pin!(Scope::new().run(pending::<()>()));
        let ended = limit.run(run.as_mut());
        assert_eq!(ended.await.unwrap_err().text(), "stop");
        run.await
    }));
    assert!(poll(all.as_mut()).is_pending());
    limit.cancel(stop());
    assert_eq!(value(poll(all)).unwrap_err().text(), "stop");
}

#[test]
fn an_inner_run_does_not_swallow_the_outer_cancel() {
    let outer = Scope::detached();
    let log = Log::default();
    let said = log.clone();
    let mut run = pin!(outer.run(async move {
        let inner = Scope::new();
        let ended = inner.run(pending::<()>()).await;
        said.say("swallowed");
        drop(ended);
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), [""; 0]);
}

#[test]
fn an_inner_cancel_is_returned_to_the_body_which_goes_on() {
    let outer = Scope::detached();
    let mut run = pin!(outer.run(async move {
        let inner = Scope::new();
        inner.cancel(stop());
        inner
            .run(pending::<()>())
            .await
            .unwrap_err()
            .text()
            .to_owned()
    }));
    assert_eq!(value(poll(run.as_mut())), "stop");
}

#[test]
fn an_outer_cancel_waits_for_the_clean_up_of_an_inner_run() {
    let (outer, log, gate) = (Scope::detached(), Log::default(), Gate::default());
    let body = {
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            let inner = Scope::new();
            let said = log.clone();
            let work = finally(pending::<()>(), || async move {
                gate.passed().await;
                said.say("inner clean-up");
            });
            let _ = inner.run(work).await;
            log.say("swallowed");
        }
    };
    let mut run = pin!(outer.run(body));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["inner clean-up"]);
}

#[test]
fn a_run_of_an_unrelated_scope_ends_with_the_body_around_it() {
    let (outer, token, log) = (Scope::detached(), Scope::detached(), Log::default());
    let (said, inside) = (log.clone(), token.clone());
    let mut run = pin!(outer.run(async move {
        let work = finally(pending::<()>(), || async move { said.say("clean-up") });
        let _ = inside.run(work).await;
        unreachable!("the outer cancel was swallowed");
    }));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(stop());
    assert_eq!(text::<()>(poll(run)), "stop");
    assert_eq!(log.said(), ["clean-up"]);
    assert_eq!(
        token.cause().unwrap().text(),
        "stop",
        "as if it were inside"
    );
    assert!(token.own_cause().is_none());
}

#[test]
fn a_cancel_goes_through_runs_of_scopes_that_were_made_elsewhere() {
    let log = Log::default();
    let said = log.clone();
    let child = Scope::detached();
    let (guard, inner) = (child.enter(), child.clone());
    // All made outside the task, as is what a task is spawned of.
    let innermost = planned(Instant::NEVER, async move {
        finally(pending::<()>(), || async move { said.say("clean-up") }).await
    });
    let middle = child.run(innermost);
    let mut task = pin!(Rooted::new(planned(Instant::NEVER, middle)));
    assert!(poll(task.as_mut()).is_pending());
    task.as_mut().request_cancel(stop());
    assert!(poll(task.as_mut()).is_pending(), "a child lives");
    assert_eq!(log.said(), ["clean-up"]);
    assert_eq!(inner.cause().unwrap().text(), "stop", "it is told");
    drop(guard);
    assert_eq!(text(poll(task)), "stop");
}

#[test]
fn children_of_an_unrelated_scope_are_told_of_a_cancel_around_after_its_body_has_ended() {
    let (outer, inner) = (Scope::detached(), Scope::detached());
    let guard = inner.enter();
    let mut run = pin!(outer.run(inner.run(ready(7))));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(stop());
    assert!(poll(run.as_mut()).is_pending(), "a child lives");
    assert_eq!(inner.cause().unwrap().text(), "stop");
    drop(guard);
    assert_eq!(value(poll(run)).unwrap(), 7);
}

#[test]
fn an_inner_run_inside_a_shield_returns_its_cause() {
    let outer = Scope::detached();
    let cancel = outer.clone();
    let mut run = pin!(outer.run(async move {
        shield(async {
            cancel.cancel(stop());
            let inner = Scope::new();
            inner.cancel(Cause::requested("inner"));
            inner
                .run(pending::<()>())
                .await
                .unwrap_err()
                .text()
                .to_owned()
        })
        .await
    }));
    assert_eq!(value(poll(run.as_mut())), "inner");
}

// Time.

#[test]
fn without_a_clock_a_deadline_is_refused_with_a_remedy() {
    let refused = Scope::detached().set_deadline(Instant::EPOCH).unwrap_err();
    assert_eq!(refused.what(), "clock");
    assert!(Scope::detached().set_deadline(Instant::NEVER).is_ok());
}

#[test]
fn a_deadline_cancels_the_scope_and_names_the_place_where_it_was_set() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    let line = line!() - 1;
    let mut run = pin!(scope.run(pending::<()>()));
    let (counter, waker) = Counter::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    clock.advance(SECOND);
    assert_eq!(counter.wakes(), 1);
    let Poll::Ready(Err(cause)) = poll(run) else {
        panic!("not cancelled")
    };
    assert_eq!((cause.kind(), cause.at().line()), (Kind::Deadline, line));
}

#[test]
fn a_past_deadline_allows_one_poll() {
    let (clock, _entered) = Manual::enter();
    clock.advance(SECOND);
    let scope = Scope::detached();
    scope.set_deadline(Instant::EPOCH).unwrap();
    assert_eq!(value(poll(pin!(scope.run(ready("in time"))))), "in time");
    let scope = Scope::detached();
    scope.set_deadline(Instant::EPOCH).unwrap();
    assert!(
        poll(pin!(scope.run(pending::<()>()))).map(|ended| ended.is_err()) == Poll::Ready(true)
    );
}

#[test]
fn a_deadline_that_is_moved_while_the_run_waits_counts_from_then_on() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(pending::<()>()));
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    scope.set_deadline(clock.now() + SECOND).unwrap();
    assert_eq!(counter.wakes(), 1);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    scope.set_deadline(clock.now() + 2 * SECOND).unwrap();
    assert!(run.as_mut().poll(&mut cx).is_pending());
    clock.advance(SECOND);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    clock.advance(SECOND);
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn of_two_deadlines_that_have_passed_the_outer_one_is_the_cause() {
    let (clock, _entered) = Manual::enter();
    let outer = Scope::detached();
    outer.set_deadline(clock.now() + SECOND).unwrap();
    let line = line!() - 1;
    let inner = outer.child();
    inner.set_deadline(clock.now() + SECOND).unwrap();
    assert_eq!(inner.deadline(), clock.now() + SECOND);
    let mut run = pin!(inner.run(pending::<()>()));
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND);
    let Poll::Ready(Err(cause)) = poll(run) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.at().line(), line);
    assert!(outer.is_cancelled());
}

#[test]
fn a_body_whose_time_is_over_does_not_go_on_after_an_inner_cancel() {
    for clean_up_first in [false, true] {
        let (clock, _entered) = Manual::enter();
        let gate = Gate::default();
        let (inner, cleaned) = (Scope::detached(), gate.clone());
        let cancelled = inner.clone();
        let mut run = pin!(planned(clock.now() + SECOND, async move {
            let body = finally(pending::<()>(), move || cleaned.passed());
            assert!(inner.run(body).await.is_err());
            panic!("it went on");
        }));
        assert!(poll(run.as_mut()).is_pending());
        cancelled.cancel(stop());
        if clean_up_first {
            assert!(poll(run.as_mut()).is_pending());
        }
        // In one turn: the inner run can end, and the time is over.
        gate.open();
        clock.advance(SECOND);
        let Poll::Ready(Err::<(), _>(cause)) = poll(run) else {
            panic!("not cancelled")
        };
        assert_eq!(cause.kind(), Kind::Deadline);
    }
}

#[test]
fn the_deadline_in_force_is_the_least_up_to_the_nearest_shield() {
    let (_clock, _entered) = Manual::enter();
    let outer = Scope::detached();
    outer.set_deadline(Instant::EPOCH + SECOND).unwrap();
    let shielded = outer.shielded_child();
    shielded.set_deadline(Instant::EPOCH + 3 * SECOND).unwrap();
    let inner = shielded.child();
    inner.set_deadline(Instant::EPOCH + 5 * SECOND).unwrap();
    assert_eq!(inner.deadline(), Instant::EPOCH + 3 * SECOND);
    assert_eq!(outer.child().deadline(), Instant::EPOCH + SECOND);
    assert_eq!(Scope::detached().deadline(), Instant::NEVER);
}

#[test]
fn a_deadline_that_passes_after_the_run_has_ended_cancels_nothing() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    value(poll(pin!(scope.run(ready(())))));
    clock.advance(2 * SECOND);
    assert!(!scope.is_over());
    assert!(!scope.is_cancelled());
    assert_eq!(scope.own_deadline(), Instant::EPOCH + SECOND);
    assert_eq!(scope.deadline(), Instant::NEVER, "it is in force no more");
    // Nor does it reach what is made in it, or run in it, after that.
    let child = scope.child();
    child.set_deadline(Instant::EPOCH + SECOND).unwrap();
    assert!(child.is_over());
    assert!(!scope.is_cancelled());
    let late = async { Scope::current().unwrap().is_over() };
    assert!(!value(poll(pin!(scope.run(late)))));
}

#[test]
fn a_run_that_has_left_its_clock_behind_is_cancelled_by_its_own_deadline_and_no_other() {
    let (clock, entered) = Manual::enter();
    let outer = Scope::detached();
    let around = outer.child();
    around.set_deadline(clock.now() + 3 * SECOND).unwrap();
    let scope = around.child();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    let mut run = pin!(scope.run(pending::<()>()));
    assert!(poll(run.as_mut()).is_pending());
    drop(entered);
    clock.advance(2 * SECOND);
    let Poll::Ready(Err(cause)) = poll(run) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.kind(), Kind::Deadline);
    assert!(!outer.is_cancelled() && !around.is_cancelled());
}

#[test]
fn a_deadline_is_moved_as_long_as_that_is_in_time() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    let inside = scope.clone();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    assert_eq!(scope.move_deadline(Instant::NEVER), Ok(true));
    let mut run = pin!(scope.run(async move {
        assert_eq!(inside.move_deadline(Instant::EPOCH + 2 * SECOND), Ok(true));
    }));
    assert!(poll(run.as_mut()).is_ready());
    assert_eq!(scope.move_deadline(Instant::NEVER), Ok(false));
    assert_eq!(scope.own_deadline(), Instant::EPOCH + 2 * SECOND);

    let scope = Scope::detached();
    let child = scope.child();
    scope.cancel(stop());
    assert_eq!(scope.move_deadline(Instant::EPOCH), Ok(false));
    assert_eq!(child.move_deadline(Instant::EPOCH), Ok(false));
    assert_eq!(child.own_deadline(), Instant::NEVER);
}

#[test]
fn a_deadline_that_passes_before_there_is_a_run_is_seen_by_who_asks_and_is_not_taken_back() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    assert!(!scope.is_over());
    clock.advance(SECOND);
    assert!(!scope.is_cancelled(), "nobody has looked");
    assert!(scope.is_over());
    assert!(scope.is_cancelled());
    scope.set_deadline(clock.now() + SECOND).unwrap();
    assert!(scope.is_over());
    assert_eq!(scope.own_deadline(), clock.now() + SECOND);
    let late = scope.run(async { panic!("it ran") });
    let Poll::Ready(Err::<(), _>(cause)) = poll(pin!(late)) else {
        panic!("not cancelled")
    };
    assert_eq!(cause.kind(), Kind::Deadline);
}

#[test]
fn a_cancel_leaves_the_deadline_in_force_and_the_cause_tells_of_it() {
    let (_clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_deadline(Instant::EPOCH + SECOND).unwrap();
    let (cancelled, log) = (scope.clone(), Log::default());
    let said = log.clone();
    let body = finally(pending::<()>(), move || async move {
        assert_eq!(current_deadline(), Instant::NEVER, "a clean-up is shielded");
        assert_eq!(current_cause().unwrap().text(), "stop");
        said.say("cleaned up");
    });
    let mut run = pin!(scope.run(async {
        poll_fn(|_| {
            cancelled.cancel(stop());
            assert_eq!(current_deadline(), Instant::EPOCH + SECOND);
            assert_eq!(current_cause().unwrap().text(), "stop");
            Poll::Ready(())
        })
        .await;
        body.await;
    }));
    let _ = poll(run.as_mut());
    assert_eq!(scope.own_deadline(), Instant::EPOCH + SECOND);
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn a_scope_shows_its_cause_and_its_deadline() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    assert!(format!("{scope:?}").contains("cause: None, deadline: Instant::NEVER"));
    scope.set_deadline(clock.now() + SECOND).unwrap();
    scope.cancel(stop());
    let shown = format!("{scope:?}");
    assert!(
        shown.contains("stop") && shown.contains("deadline: 1s"),
        "{shown}"
    );
}

#[test]
fn a_deadline_is_noticed_however_much_the_body_spends() {
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_deadline(clock.now() + SECOND).unwrap();
    let mut run = pin!(scope.run(async {
        loop {
            poll_fn(budget::poll_spend).await;
        }
    }));
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND);
    assert!(poll::<Scoped<_>>(run.as_mut()).is_ready());
}

#[test]
fn a_clean_up_that_outlasts_its_grace_is_dropped_and_reported() {
    reports();
    let (clock, _entered) = Manual::enter();
    let (scope, log) = (Scope::detached(), Log::default());
    scope.set_grace(Grace::After(SECOND));
    let dropped = log.on_drop("clean-up dropped");
    let mut run = pin!(scope.run(pending::<()>()));
    scope.hand_over(Box::pin(async move {
        let _dropped = dropped;
        pending::<()>().await;
    }));
    scope.cancel(stop());
    let (counter, waker) = Counter::new();
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    clock.advance(SECOND);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["clean-up dropped"]);
    assert!(reports()[0].contains("grace period was over"));
}

#[test]
fn a_grace_that_was_set_and_cannot_be_measured_is_reported_and_cuts_nothing_off() {
    for (grace, told) in [(Grace::Inherit, false), (Grace::After(SECOND), true)] {
        reports();
        let scope = Scope::detached();
        scope.set_grace(grace);
        let inner = scope.child();
        let (go, gone) = (Arc::new(AtomicBool::new(false)), Log::default());
        let (may, end) = (go.clone(), gone.clone());
        let mut run = pin!(inner.run(finally(pending::<()>(), async move || {
            poll_fn(|_| {
                if may.load(SeqCst) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            end.say("cleaned up");
        })));
        assert!(poll(run.as_mut()).is_pending());
        scope.cancel(stop());
        assert!(poll(run.as_mut()).is_pending());
        assert!(poll(run.as_mut()).is_pending());
        go.store(true, SeqCst);
        assert_eq!(text(poll(run)), "stop");
        assert_eq!(gone.said(), ["cleaned up"]);
        let reports = reports();
        assert_eq!(reports.len(), usize::from(told), "{reports:?}");
        let named = |report: &String| report.contains("1s") && report.contains("no clock here");
        assert!(reports.iter().all(named), "{reports:?}");
    }
}

#[test]
fn a_value_that_panics_as_its_run_is_dropped_half_way_keeps_nothing_from_being_said() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a value went off");
        }
    }
    reports();
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(async { Bomb }));
    scope.hand_over(Box::pin(pending()));
    assert!(poll(run.as_mut()).is_pending());
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(run)));
    assert_eq!(
        pirn_core::panic_message(&*dropped.unwrap_err()),
        "a value went off"
    );
    assert!(scope.is_cancelled());
    let reports = reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("a clean-up was cut off"), "{reports:?}");
}

#[test]
fn a_region_that_outlasts_the_grace_is_dropped_with_its_body_and_reported() {
    reports();
    let (clock, _entered) = Manual::enter();
    let (scope, log) = (Scope::detached(), Log::default());
    scope.set_grace(Grace::After(SECOND));
    let dropped = log.on_drop("shield dropped");
    let mut run = pin!(scope.run(shield(async move {
        let _dropped = dropped;
        pending::<()>().await;
    })));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND / 2);
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND / 2);
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["shield dropped"]);
    let reports = reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("the grace period of a shield was over"));
    assert!(reports[0].contains("stop"));
}

#[test]
fn a_shield_inside_a_work_that_is_cleaned_up_after_is_reported_once_and_the_clean_up_too() {
    reports();
    let (clock, _entered) = Manual::enter();
    let scope = Scope::detached();
    scope.set_grace(Grace::After(SECOND));
    let mut run = pin!(scope.run(async {
        // In a run of its own, which would wait, and with a shield in the shield.
        let inner = Scope::new();
        inner.set_grace(Grace::Unlimited);
        let work = inner.run(shield(shield(pending::<()>())));
        finally(work, pending::<()>).await.unwrap();
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(text(poll(run)), "stop");
    let reports = reports();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].contains("the grace period of a shield was over"));
    assert!(reports[1].contains("grace period was over"));
}

#[test]
fn a_shield_that_is_dropped_by_a_cancelled_body_within_its_grace_is_not_reported() {
    reports();
    let (scope, gate) = (Scope::detached(), Gate::default());
    let mut run = pin!(scope.run(async {
        let (mut kept, mut other) = (
            Box::pin(shield(gate.passed())),
            Some(Box::pin(shield(pending::<()>()))),
        );
        poll_fn(|cx| {
            if let Some(other) = &mut other {
                assert!(other.as_mut().poll(cx).is_pending());
            }
            let polled = kept.as_mut().poll(cx);
            if polled.is_ready() {
                other = None;
            }
            polled
        })
        .await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert!(poll(run).is_ready());
    assert_eq!(reports(), [""; 0]);
}

#[test]
fn a_shield_that_ends_or_panics_or_is_dropped_where_nothing_is_cancelled_is_not_reported() {
    reports();
    for panics in [false, true] {
        let (scope, gate) = (Scope::detached(), Gate::default());
        let mut run = pin!(scope.run(async {
            let mut dropped = Box::pin(shield(pending::<()>()));
            assert!(poll(dropped.as_mut()).is_pending());
            drop(dropped);
            shield(async {
                gate.passed().await;
                assert!(!panics, "oh");
            })
            .await;
        }));
        assert!(poll(run.as_mut()).is_pending());
        scope.cancel(stop());
        assert!(poll(run.as_mut()).is_pending());
        gate.open();
        let ended = catch_unwind(AssertUnwindSafe(|| poll(run)));
        assert_eq!(ended.is_err(), panics);
    }
    assert_eq!(reports(), [""; 0]);
}

#[test]
fn grace_is_inherited_and_ten_seconds_where_nobody_said_anything() {
    let outer = Scope::detached();
    assert_eq!(outer.child().grace(), Some(10 * SECOND));
    outer.set_grace(Grace::Unlimited);
    assert_eq!(outer.child().grace(), None);
    let inner = outer.child();
    inner.set_grace(Grace::After(SECOND));
    assert_eq!(inner.child().grace(), Some(SECOND));
}

// Whole tasks.

#[test]
fn a_task_that_never_asks_for_its_scope_has_none() {
    let mut task = pin!(Rooted::new(async { 1 }));
    assert_eq!(value(poll(task.as_mut())), 1);
}

#[test]
fn a_task_that_is_cancelled_cleans_up() {
    let log = Log::default();
    let said = log.clone();
    let mut task = pin!(Rooted::new(finally(pending::<()>(), || async move {
        said.say("clean")
    })));
    assert!(poll(task.as_mut()).is_pending());
    task.as_mut().request_cancel(stop());
    assert_eq!(text(poll(task)), "stop");
    assert_eq!(log.said(), ["clean"]);
}

#[test]
fn a_task_cancelled_from_within_its_first_poll_cleans_up() {
    let log = Log::default();
    let said = log.clone();
    let work = async {
        Scope::current().unwrap().cancel(stop());
        pending::<()>().await
    };
    let mut task = pin!(Rooted::new(finally(
        work,
        || async move { said.say("clean") }
    )));
    assert_eq!(text(poll(task.as_mut())), "stop");
    assert_eq!(log.said(), ["clean"]);
}

#[test]
fn a_task_without_a_scope_of_its_own_that_was_polled_is_dropped_by_a_cancel() {
    let count = Arc::default();
    let mut task = pin!(Rooted::new(Foreign(Arc::clone(&count))));
    assert!(poll(task.as_mut()).is_pending());
    task.as_mut().request_cancel(stop());
    assert_eq!(text(poll(task)), "stop");
    assert_eq!(Foreign::polls(&count), 1);
}

#[test]
fn a_task_inside_another_body_does_not_inherit_its_scope() {
    let outer = Scope::detached();
    let cancel = outer.clone();
    let mut run = pin!(outer.run(async move {
        cancel.cancel(stop());
        let mut task = pin!(Rooted::new(async {
            Scope::current().unwrap().is_cancelled()
        }));
        poll_fn(|cx| task.as_mut().poll(cx)).await.unwrap()
    }));
    assert!(!value(poll(run.as_mut())));
}

#[test]
fn a_dropped_task_cancels_what_runs_in_its_scope() {
    reports();
    let mut inner = None;
    let mut task = Box::pin(Rooted::new(async {
        inner = Scope::current();
        pending::<()>().await
    }));
    assert!(poll(task.as_mut()).is_pending());
    drop(task);
    assert!(inner.unwrap().is_cancelled());
}

#[test]
fn runs_and_tasks_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let scope = Scope::detached();
    is_send(&scope.run(ready(())));
    is_send(&Rooted::new(ready(())));
    is_send(&finally(ready(()), || ready(())));
    is_send(&shield(ready(())));
    let boxed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(shield(ready(())));
    drop(boxed);
}

#[test]
fn a_task_that_ends_in_its_first_poll_is_woken_by_the_last_child_it_left() {
    let child = Mutex::new(None);
    let mut task = pin!(Rooted::new(async {
        *child.lock().unwrap() = Some(Scope::current().unwrap().enter());
    }));
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(task.as_mut().poll(&mut cx).is_pending());
    drop(child.lock().unwrap().take());
    assert_eq!(counter.wakes(), 1);
    assert!(task.poll(&mut cx).is_ready());
}

#[test]
fn a_run_that_is_kept_to_the_end_of_its_thread_is_dropped_there() {
    thread_local! {
        static KEPT: RefCell<Option<Pin<Box<Scoped<Foreign>>>>> = const { RefCell::new(None) };
    }
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(Foreign::default()));
    std::thread::spawn(move || {
        // Initialised before the thread's frame, and so dropped after it.
        KEPT.with(|kept| kept.borrow_mut().is_none());
        assert!(poll(run.as_mut()).is_pending());
        KEPT.set(Some(run));
    })
    .join()
    .unwrap();
    assert_eq!(scope.cause().unwrap().kind(), Kind::Dropped);
}

// Regions, when the cancel comes at an awkward moment.

/// A body that waits, in an executor of its own, for `log` to say "committed" under a shield.
fn commits(gate: &Gate, log: &Log) -> impl Future<Output = ()> + Send + use<> {
    use futures::stream::{FuturesUnordered, StreamExt};
    let (passed, log) = (gate.passed(), log.clone());
    let mut set = FuturesUnordered::new();
    set.push(shield(async move {
        passed.await;
        log.say("committed");
    }));
    async move {
        set.next().await;
    }
}

#[test]
fn a_region_that_begins_after_the_cancel_is_polled_on() {
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    let (inside, committed) = (scope.clone(), commits(&gate, &log));
    let mut run = pin!(scope.run(async move {
        inside.cancel(stop());
        committed.await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert!(poll(run).is_ready());
    assert_eq!(log.said(), ["committed"]);
}

#[test]
fn a_region_is_polled_on_if_the_body_around_an_unrelated_scope_is_cancelled() {
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    let mut run = pin!(scope.run(Scope::detached().run(commits(&gate, &log))));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert!(poll(run).is_ready());
    assert_eq!(log.said(), ["committed"]);
}

/// A task that is polled by whoever wakes it, there and then.
#[derive(Default)]
struct Inline(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        if let Ok(mut task) = self.0.try_lock() {
            let polled = task
                .as_mut()
                .map(|task| task.as_mut().poll(&mut Context::from_waker(&waker)));
            if polled.is_some_and(|polled| polled.is_ready()) {
                *task = None;
            }
        };
    }
}

#[test]
fn a_run_that_is_polled_while_its_regions_are_being_woken_keeps_them() {
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    let task = Arc::new(Inline::default());
    let waker = Waker::from(Arc::clone(&task));
    // The first to be woken polls the task, before the region was.
    let mut watcher = pin!(scope.cancelled());
    let mut cx = Context::from_waker(&waker);
    assert!(watcher.as_mut().poll(&mut cx).is_pending());
    let run = scope.run(commits(&gate, &log));
    *task.0.lock().unwrap() = Some(Box::pin(async move { drop(run.await) }));
    waker.wake_by_ref();
    scope.cancel(stop());
    gate.open();
    assert_eq!(log.said(), ["committed"]);
    assert!(task.0.lock().unwrap().is_none());
}

#[test]
fn an_inner_run_that_waits_for_its_children_is_a_region_of_the_body_around() {
    let outer = Scope::detached();
    let inner = outer.child();
    let child = inner.enter();
    let mut run = pin!(outer.run(inner.run(async { panic!("in the body") })));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    drop(child);
    let resumed = catch_unwind(AssertUnwindSafe(|| drop(poll(run))));
    assert!(resumed.is_err());
}

#[test]
fn waiting_for_a_cancel_is_a_leaf_that_a_cancelled_body_does_not_pass() {
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    let (inside, said) = (scope.clone(), log.clone());
    let waits = async move {
        inside.cancelled().await;
        said.say("went on");
    };
    let mut run = pin!(scope.run(futures::future::join(shield(gate.passed()), waits)));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(text(poll(run)), "stop");
    assert!(log.said().is_empty());
}

#[test]
fn a_destructor_in_a_cancelled_body_may_pass_our_leaves() {
    struct Passes(Gate, Log);
    impl Drop for Passes {
        fn drop(&mut self) {
            if poll(pin!(self.0.passed())).is_ready() {
                self.1.say("passed");
            }
        }
    }
    let (scope, gate, log) = (Scope::detached(), Gate::default(), Log::default());
    gate.open();
    let inner = Passes(gate.clone(), log.clone());
    let outer = Passes(gate, log.clone());
    let mut run = pin!(scope.run(async move {
        let _outer = outer;
        let work = async move {
            let _inner = inner;
            pending::<()>().await;
        };
        finally(work, || ready(())).await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["passed", "passed"]);
}

#[test]
fn a_scope_with_nothing_around_hands_over_to_the_reaper() {
    reports();
    let reaper = Scope::detached();
    let mut reaping = pin!(reaper.run(pending::<()>()));
    let mut handles = Handles::default();
    handles.reaper = Some(reaper.clone());
    let _entered = Rc::new(handles).enter();
    let (scope, log) = (Scope::detached(), Log::default());
    let child = scope.enter();
    drop(scope.run(pending::<()>()));
    assert_eq!(reaper.live(), 1);
    drop(child);
    assert_eq!(reaper.live(), 0);
    let said = log.clone();
    scope.hand_over(Box::pin(async move { said.say("clean") }));
    reaper.cancel(stop());
    assert_eq!(text(poll(reaping.as_mut())), "stop");
    assert_eq!(log.said(), ["clean"]);
    assert!(reports().is_empty());
}

/// A clock whose sleeps must not be polled again after their end.
struct Strict(Arc<Manual>);

impl Clock for Strict {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let clock = Arc::clone(&self.0);
        Box::pin(async move {
            let over = |_: &mut Context<'_>| match clock.now() >= at {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
            poll_fn(over).await;
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn no_sleep_is_polled_after_its_end() {
    let clock = Arc::new(Manual::default());
    let mut handles = Handles::default();
    handles.clock = Some(Arc::new(Strict(Arc::clone(&clock))));
    let _entered = Rc::new(handles).enter();
    let scope = Scope::detached();
    scope.set_grace(Grace::After(SECOND));
    let mut run = pin!(scope.run(shield(pending::<()>())));
    assert!(poll(run.as_mut()).is_pending());
    scope.hand_over(Box::pin(pending()));
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(text(poll(run)), "stop");
}

// Scopes that are made when they are needed.

#[test]
fn a_body_that_is_ready_at_once_and_asks_for_nothing_has_no_scope() {
    let mut run = pin!(planned(Instant::NEVER, ready(7)));
    assert_eq!(value(poll(run.as_mut())), 7);
    assert!(run.scope_if_made().is_none());
}

#[test]
fn a_scope_that_is_asked_for_in_the_first_poll_has_its_parent_and_its_deadline() {
    let _entered = Manual::enter();
    let at = Instant::EPOCH + SECOND;
    let around = Scope::detached();
    let expected = around.clone();
    let mut outer = pin!(around.run(async move {
        let run = planned(at, async {
            let scope = Scope::current().unwrap();
            assert_eq!(scope.deadline(), at);
            let inner = planned(Instant::NEVER, async { Scope::current().unwrap() }).await;
            let inner = inner.unwrap();
            assert_eq!(inner.deadline(), at);
            (scope, inner)
        });
        let (scope, inner) = run.await.unwrap();
        assert_eq!(scope.own_deadline(), at);
        expected.cancel(stop());
        assert!(scope.is_cancelled() && inner.is_cancelled());
        let parent = inner.parent().unwrap().parent().unwrap().parent();
        assert!(parent.is_none(), "two scopes below the one around");
    }));
    value(poll(outer.as_mut()));
}

#[test]
fn a_scope_that_was_not_asked_for_is_made_when_the_body_has_to_wait() {
    let gate = Gate::default();
    let mut run = pin!(planned(Instant::NEVER, gate.passed()));
    assert!(poll(run.as_mut()).is_pending());
    let scope = run.scope_if_made().unwrap().clone();
    scope.cancel(stop());
    assert_eq!(text(poll(run.as_mut())), "stop");
}

#[test]
fn a_body_whose_surroundings_were_cancelled_before_its_first_poll_never_runs() {
    let around = Scope::detached();
    let mut made = None;
    let making = async { made = Some(planned(Instant::NEVER, async { panic!("it ran") })) };
    value(poll(pin!(around.run(making))));
    around.cancel(stop());
    assert_eq!(text::<()>(poll(pin!(made.unwrap()))), "stop");
}

#[test]
fn a_body_that_cancels_what_is_around_it_in_its_first_poll_does_not_let_that_go_on() {
    let around = Scope::detached();
    let inside = around.clone();
    let mut run = pin!(around.run(async {
        let _ = planned(Instant::NEVER, async move {
            inside.cancel(stop());
            pending::<()>().await
        })
        .await;
        panic!("the outer cancel was swallowed");
    }));
    assert_eq!(text::<()>(poll(run.as_mut())), "stop");
}

#[test]
fn a_body_that_cancels_its_scope_and_then_begins_an_inner_run_does_not_go_on() {
    for planned_too in [true, false] {
        let around = Scope::detached();
        let inside = around.clone();
        let mut run = pin!(around.run(async move {
            let inner = inside.child();
            inside.cancel(stop());
            let _: Result<(), _> = match planned_too {
                true => planned(Instant::NEVER, async { panic!("it ran") }).await,
                false => inner.run(async { panic!("it ran") }).await,
            };
            panic!("the outer cancel was swallowed");
        }));
        assert_eq!(text::<()>(poll(run.as_mut())), "stop");
    }
}

#[test]
fn a_run_that_first_sees_the_light_in_a_cancelled_body_never_runs() {
    let scope = Scope::detached();
    let gate = Gate::default();
    let region = gate.passed();
    let outside = planned(Instant::NEVER, async { panic!("it ran") });
    let mut run = pin!(scope.run(async move {
        let mut region = pin!(shield(region));
        poll_inside(region.as_mut()).await;
        let mut outside = pin!(outside);
        let mut late = pin!(planned(Instant::NEVER, async { panic!("it ran") }));
        let mut unrelated = pin!(Scope::detached().run(async { panic!("it ran") }));
        poll_fn(|cx| {
            let region = region.as_mut().poll(cx);
            if Scope::current().unwrap().is_cancelled() {
                assert!(late.as_mut().poll(cx).is_pending());
                assert!(outside.as_mut().poll(cx).is_pending());
                assert!(poll::<Scoped<_>>(unrelated.as_mut()).is_pending());
            }
            region
        })
        .await;
        pending::<()>().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(text::<()>(poll(run.as_mut())), "stop");
}

#[test]
fn a_destructor_of_a_ready_body_may_ask_for_its_scope_whose_clean_up_is_awaited() {
    struct Asks(Gate);
    impl Drop for Asks {
        fn drop(&mut self) {
            let gate = self.0.clone();
            Scope::current().unwrap().hand_over(Box::pin(gate.passed()));
        }
    }
    let gate = Gate::default();
    let asks = Asks(gate.clone());
    let mut run = pin!(planned(
        Instant::NEVER,
        poll_fn(move |_| {
            let _ = &asks;
            Poll::Ready(7)
        })
    ));
    assert!(poll(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(value(poll(run.as_mut())), 7);
}

#[test]
fn a_destructor_of_a_body_that_never_ran_finds_a_scope_that_is_then_cancelled() {
    let found = Arc::new(Mutex::new(None));
    let asks = Arc::clone(&found);
    struct Asks(Arc<Mutex<Option<Scope>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Scope::current();
        }
    }
    let asks = Asks(asks);
    drop(planned(Instant::NEVER, async move { drop(asks) }));
    let scope = found.lock().unwrap().take().unwrap();
    assert_eq!(scope.cause().unwrap().kind(), Kind::Dropped);
}

#[test]
fn a_panic_in_a_first_poll_goes_on() {
    let mut run = pin!(planned(Instant::NEVER, async { panic!("boom") }));
    let caught = catch_unwind(AssertUnwindSafe(|| poll::<Limited<_>>(run.as_mut())));
    let payload = match caught {
        Ok(_polled) => panic!("it did not"),
        Err(payload) => payload,
    };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
}

#[test]
fn a_panic_of_a_destructor_in_a_first_poll_goes_on_when_the_children_have_ended() {
    struct Bomb(Option<Scope>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    for asks in [false, true] {
        let child = RefCell::new(None);
        let (kept, mut bomb) = (&child, Bomb(None));
        let mut run = pin!(planned(
            Instant::NEVER,
            poll_fn(move |_| {
                if asks {
                    let scope = Scope::current().unwrap();
                    *kept.borrow_mut() = Some(scope.enter());
                    bomb.0 = Some(scope);
                }
                let _ = &bomb;
                Poll::Ready(7)
            })
        ));
        let mut poll = || catch_unwind(AssertUnwindSafe(|| poll::<Limited<_>>(run.as_mut())));
        if asks {
            assert!(poll().unwrap().is_pending(), "a child lives");
            drop(child.borrow_mut().take());
        }
        let payload = poll().map(drop).unwrap_err();
        assert_eq!(pirn_core::panic_message(&*payload), "in drop");
    }
}

#[test]
fn a_planned_run_that_is_polled_after_its_end_panics_and_leaves_no_frame() {
    let mut run = Box::new(planned(Instant::NEVER, ready(7)));
    assert!(poll(Pin::new(&mut *run)).is_ready());
    let again = catch_unwind(AssertUnwindSafe(|| poll::<Limited<_>>(Pin::new(&mut *run))));
    assert!(again.is_err());
    assert!(Scope::current().is_none());
}

#[test]
fn a_scope_that_is_asked_for_after_the_end_takes_no_clean_up() {
    drop(reports()); // from now on they are kept
    let mut run = Box::new(planned(Instant::NEVER, ready(7)));
    assert_eq!(value(poll(Pin::new(&mut *run))), 7);
    run.scope().hand_over(Box::pin(ready(())));
    assert_eq!(reports().len(), 1);
}

#[test]
fn planned_runs_that_are_ready_leave_no_handle_of_the_scope_around() {
    let (counter, waker) = Counter::new();
    let scope = Scope::detached();
    // Its waker goes with the scope, since it is not dropped before.
    let mut watching = ManuallyDrop::new(scope.cancelled());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut *watching).poll(&mut cx).is_pending());
    let watched = Arc::strong_count(&counter);
    scope.inside(|| {
        for number in 0..3 {
            let run = pin!(planned(Instant::NEVER, ready(number)));
            assert_eq!(value(poll(run)), number);
        }
    });
    drop(scope);
    assert_eq!(Arc::strong_count(&counter), watched - 1);
}

#[test]
fn a_planned_run_that_ends_in_another_scope_keeps_none_of_its_own() {
    let there = Scope::detached();
    for nested in [false, true] {
        let (counter, waker) = Counter::new();
        let here = Scope::detached();
        let mut watching = ManuallyDrop::new(here.cancelled());
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut *watching).poll(&mut cx).is_pending());
        let watched = Arc::strong_count(&counter);
        let mut alone = Box::pin(here.inside(|| planned(Instant::NEVER, ready(()))));
        let body = here.inside(|| planned(Instant::NEVER, ready(())));
        let mut around = Box::pin(here.inside(|| planned(Instant::NEVER, body)));
        drop(here);
        there.inside(|| {
            match nested {
                false => value(poll(alone.as_mut())),
                true => value(poll(around.as_mut())).unwrap(),
            }
            assert_eq!(Arc::strong_count(&counter), watched);
            drop((alone, around));
            assert_eq!(Arc::strong_count(&counter), watched - 1);
        });
    }
}

#[test]
fn a_planned_run_is_in_the_scope_it_was_made_in_wherever_it_is_polled() {
    let parent = || Scope::current().unwrap().parent().cloned().unwrap();
    let (here, there) = (Scope::detached(), Scope::detached());
    let mut carried = Box::pin(here.inside(|| planned(Instant::NEVER, async { parent() })));
    let (of_here, of_there, of_nested) = there.inside(|| {
        // One that is ready leaves a handle of the scope around it for the next.
        let ready = || value(poll(pin!(planned(Instant::NEVER, ready(())))));
        ready();
        let of_here = value(poll(carried.as_mut()));
        ready();
        let nested = here.inside(|| planned(Instant::NEVER, async { parent() }));
        let own = planned(Instant::NEVER, async { parent() });
        (of_here, value(poll(pin!(own))), value(poll(pin!(nested))))
    });
    here.cancel(stop());
    assert!(of_here.is_cancelled() && of_nested.is_cancelled());
    assert!(!of_there.is_cancelled());
    there.cancel(stop());
    assert!(of_there.is_cancelled());
}

#[test]
fn in_the_first_poll_of_a_planned_run_there_are_places_outside_it() {
    let outer = Scope::detached();
    let mut run = pin!(outer.run(async {
        let inner = planned(Instant::NEVER, async {
            let isolated = pirn_core::context::isolate(|| {
                let alone = Scope::current().is_none();
                let own = planned(Instant::NEVER, async { Scope::current().unwrap() });
                let own = value(poll(pin!(own)));
                alone && own.parent().is_none()
            });
            (isolated, Scope::current().unwrap())
        });
        let (isolated, scope) = inner.await.unwrap();
        (isolated, scope, Scope::current().unwrap())
    }));
    let (isolated, inner, current) = value(poll(run.as_mut()));
    assert!(isolated);
    assert!(!inner.is_cancelled());
    outer.cancel(stop());
    assert!(current.is_cancelled() && inner.is_cancelled());
}

#[test]
fn planned_runs_in_the_first_poll_of_one_are_in_it() {
    let outer = Scope::detached();
    let mut run = pin!(outer.run(async {
        let second = planned(Instant::NEVER, async { 2 });
        let outermost = planned(Instant::NEVER, async move {
            // Made outside of it, polled in it, and ready; then one that is made in it.
            assert_eq!(second.await.unwrap(), 2);
            let inner = planned(Instant::NEVER, async { Scope::current().unwrap() });
            let inner = inner.await.unwrap();
            let own = Scope::current().unwrap();
            own.cancel(stop());
            inner
        });
        outermost.await.unwrap()
    }));
    let inner = value(poll(run.as_mut()));
    assert_eq!(inner.cause().unwrap().text(), "stop");
    assert!(!outer.is_cancelled());
}

#[test]
fn without_a_clock_the_body_comes_back() {
    let refused = Limited::until(Instant::EPOCH, ready(7)).map(drop);
    let (missing, body) = refused.unwrap_err();
    assert_eq!(missing.what(), "clock");
    assert_eq!(poll(pin!(body)), Poll::Ready(7));
}

#[test]
fn a_child_that_ends_during_the_first_poll_wakes_a_body_that_had_looked_before() {
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    let scope = Scope::detached();
    let (child, mut polls) = (scope.clone(), 0);
    let mut run = pin!(scope.run(poll_fn(move |_| {
        polls += 1;
        match polls {
            // As if on another thread: the body has looked, and relies on its run to be woken.
            1 => {
                drop(child.enter());
                Poll::Pending
            }
            _ => Poll::Ready(polls),
        }
    })));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(counter.wakes(), 1);
    assert!(matches!(run.as_mut().poll(&mut cx), Poll::Ready(Ok(2))));
}

#[test]
fn a_child_that_ends_during_the_first_poll_of_a_task_wakes_the_task() {
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    let mut polls = 0;
    let mut task = pin!(Rooted::new(poll_fn(move |_| {
        polls += 1;
        match polls {
            1 => {
                drop(Scope::current().unwrap().enter());
                Poll::Pending
            }
            _ => Poll::Ready(polls),
        }
    })));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(counter.wakes(), 1);
    assert!(matches!(task.as_mut().poll(&mut cx), Poll::Ready(Ok(2))));
}

// What holds for the code that asks.

#[test]
fn to_ask_for_the_deadline_or_the_cause_makes_no_scope() {
    let (clock, _entered) = Manual::enter();
    let at = clock.now() + SECOND;
    let mut run = pin!(planned(at, async {
        (current_deadline(), current_cause().is_none())
    }));
    assert_eq!(value(poll(run.as_mut())), (at, true));
    assert!(run.scope_if_made().is_none());
    assert_eq!(current_deadline(), Instant::NEVER);
    assert!(current_cause().is_none());
}

#[test]
fn a_task_without_a_scope_lives_by_the_reapers_deadline() {
    let (clock, _entered) = Manual::enter();
    let reaper = Scope::detached();
    let mut handles = Handles::default();
    handles.clock = pirn_core::context::handles().unwrap().clock.clone();
    handles.reaper = Some(reaper.clone());
    let _inside = Rc::new(handles).enter();
    let at = clock.now() + SECOND;
    reaper.set_deadline(at).unwrap();
    let task = pin!(Rooted::new(async { current_deadline() }));
    assert_eq!(value(poll(task)), at);
    assert_eq!(current_deadline(), Instant::NEVER, "outside every task");
}

#[test]
fn a_clean_up_and_a_destructor_learn_why_whoever_runs_them() {
    struct Asks(Arc<Mutex<Vec<String>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let text = current_cause().map_or_else(String::new, |cause| cause.text().to_owned());
            self.0.lock().unwrap().push(text);
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (held, in_place, handed) = (Asks(seen.clone()), Asks(seen.clone()), Asks(seen.clone()));
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async move {
        let _held = held;
        let mut lost = Box::pin(finally(pending::<()>(), || async move { drop(handed) }));
        poll_inside(lost.as_mut()).await;
        finally(pending::<()>(), || async move { drop(in_place) }).await;
        drop(lost);
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(*seen.lock().unwrap(), ["stop"; 3]);
}

// Guards.

#[test]
fn a_guard_hands_its_clean_up_to_the_scope_it_was_made_in() {
    let (log, gate) = (Log::default(), Gate::default());
    let (outer, inner) = (Scope::detached(), Scope::detached());
    let (said, passed) = (log.clone(), gate.clone());
    let mut run = pin!(outer.run(async move {
        let last = said.clone();
        let guard = defer(move || async move {
            passed.passed().await;
            last.say("clean");
        });
        inner.run(async move { drop(guard) }).await.unwrap();
        said.say("body ends");
    }));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["body ends"]);
    gate.open();
    value(poll(run));
    assert_eq!(log.said(), ["body ends", "clean"]);
}

#[test]
fn a_guard_in_a_cancelled_body_is_awaited_and_one_that_is_disarmed_does_nothing() {
    let (scope, log) = (Scope::detached(), Log::default());
    let said = log.clone();
    let mut run = pin!(scope.run(async move {
        let _guard = defer(move || async move { said.say("clean") });
        defer(|| async { panic!("it ran") }).disarm();
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(text(poll(run)), "stop");
    assert_eq!(log.said(), ["clean"]);
    assert_eq!(reports(), [""; 0]);
}

#[test]
fn a_guard_that_is_run_is_awaited_there_and_handed_over_if_that_is_dropped() {
    let (log, gate) = (Log::default(), Gate::default());
    let (said, passed) = (log.clone(), gate.clone());
    let mut run = pin!(Scope::detached().run(async move {
        let cleans = |gate: Gate, said: Log| {
            defer(move || async move {
                gate.passed().await;
                said.say("clean");
            })
        };
        let open = Gate::default();
        open.open();
        cleans(open, said.clone()).run().await;
        said.say("on");
        let mut running = Box::pin(cleans(passed, said.clone()).run());
        poll_inside(running.as_mut()).await;
        drop(running);
        said.say("body ends");
    }));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["clean", "on", "body ends"]);
    gate.open();
    value(poll(run));
    assert_eq!(log.said(), ["clean", "on", "body ends", "clean"]);
}

#[test]
fn a_guard_outside_every_scope_says_what_was_lost() {
    drop(defer(|| async { panic!("it ran") }));
    assert_eq!(reports().len(), 1);
}
