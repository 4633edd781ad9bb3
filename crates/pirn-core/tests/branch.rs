//! Branches: several futures in one body, each with a scope when it asks for one.

mod support;

use pirn_core::{
    Branch, BranchEnd, Cause, Instant, Kind, Limited, Rooted, Scope, TaskLocal, budget,
    current_cause, current_deadline, finally, finally_in_place, shield,
};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use support::{Gate, Log, Manual, poll, reports};

fn stop() -> Arc<Cause> {
    Arc::new(Cause::new(Kind::Sibling, "stop"))
}

fn cause<T>(end: Poll<BranchEnd<T>>) -> Arc<Cause> {
    match end {
        Poll::Ready(BranchEnd::Cancelled(cause)) => cause,
        Poll::Ready(_) => panic!("it ended otherwise"),
        Poll::Pending => panic!("it is pending"),
    }
}

#[test]
fn a_branch_gives_its_value() {
    let mut branch = pin!(Branch::new(async { 7 }));
    let Poll::Ready(BranchEnd::Value(7)) = poll(branch.as_mut()) else {
        panic!("it is ready")
    };
    assert!(catch_unwind(AssertUnwindSafe(|| poll(branch))).is_err());
}

#[test]
fn a_branch_has_a_scope_below_the_one_around() {
    let outer = Scope::detached();
    let run = outer.run(async {
        let branch = pin!(Branch::new(async { Scope::current().unwrap() }));
        match branch.await {
            BranchEnd::Value(scope) => scope,
            _ => panic!("it has a value"),
        }
    });
    let Poll::Ready(Ok(inner)) = poll(pin!(run)) else {
        panic!("it is ready")
    };
    assert!(outer.cancel(Cause::requested("outer")));
    assert_eq!(inner.cause().unwrap().text(), "outer");
}

#[test]
fn a_branch_of_a_bare_task_or_of_nothing_has_a_scope_too() {
    let mut branch = pin!(Branch::new(async { Scope::current().is_some() }));
    assert!(matches!(
        poll(branch.as_mut()),
        Poll::Ready(BranchEnd::Value(true))
    ));

    let task = Rooted::new(async {
        let branch = pin!(Branch::new(async { Scope::current().unwrap() }));
        let BranchEnd::Value(inner) = branch.await else {
            panic!("it has a value")
        };
        (inner, Scope::current().unwrap())
    });
    let Poll::Ready(Ok((inner, around))) = poll(pin!(task)) else {
        panic!("it is ready")
    };
    around.cancel(Cause::requested("task"));
    assert_eq!(inner.cause().unwrap().text(), "task");
}

#[test]
fn branches_in_branches_are_a_tree() {
    let depth = |scope: &Scope| std::iter::successors(Some(scope), |s| s.parent()).count();
    let outer = Scope::detached();
    let nested = async {
        let inner = pin!(Branch::new(async {
            let innermost = pin!(Branch::new(async { Scope::current().unwrap() }));
            match innermost.await {
                BranchEnd::Value(scope) => scope,
                _ => panic!("it has a value"),
            }
        }));
        match inner.await {
            BranchEnd::Value(scope) => scope,
            _ => panic!("it has a value"),
        }
    };
    let Poll::Ready(Ok(innermost)) = poll(pin!(outer.run(nested))) else {
        panic!("it is ready")
    };
    assert_eq!(depth(&innermost), depth(&outer) + 2);
    outer.cancel(Cause::requested("outer"));
    assert!(innermost.is_cancelled());
}

#[test]
fn after_a_branch_that_asked_for_nothing_the_body_is_in_its_own_scope() {
    let outer = Scope::detached();
    let run = outer.run(async {
        let mut ended = pin!(Branch::new(async {}));
        let mut pends = pin!(Branch::new(pending::<()>()));
        let mut breaks = pin!(Branch::new(async { panic!("broken") }));
        let around = || Scope::current().unwrap().parent().is_none();
        let mut all = Vec::new();
        poll_fn(|cx| {
            all.push(ended.as_mut().poll(cx).is_ready() && around());
            all.push(pends.as_mut().poll(cx).is_pending() && around());
            all.push(pends.as_mut().cancel(&stop()).is_some() && around());
            all.push(breaks.as_mut().poll(cx).is_ready() && around());
            Poll::Ready(())
        })
        .await;
        all
    });
    let Poll::Ready(Ok(all)) = poll(pin!(run)) else {
        panic!("it is ready")
    };
    assert_eq!(all, [true; 4]);
}

/// Ready or broken at once; tells what is left of the budget as it is dropped.
struct Last<'a>(bool, &'a Cell<Option<bool>>);

impl Future for Last<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        assert!(self.0, "broken");
        Poll::Ready(())
    }
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let spent = budget::poll_spend(&mut Context::from_waker(Waker::noop()));
        self.1.set(Some(spent.is_ready()));
    }
}

#[test]
fn a_branch_that_has_ended_is_dropped_at_once_whatever_was_spent_of_the_budget() {
    let _refilled = budget::refill();
    let mut cx = Context::from_waker(Waker::noop());
    while budget::poll_spend(&mut cx).is_ready() {}
    for good in [true, false] {
        let dropped = Cell::new(None);
        let mut branch = pin!(Branch::new(Last(good, &dropped)));
        assert!(branch.as_mut().poll(&mut cx).is_ready());
        assert_eq!(dropped.get(), Some(true), "{good}");
    }
}

#[test]
fn a_bare_branch_is_dropped_by_its_cancel() {
    let log = Log::default();
    let dropped = log.on_drop("dropped");
    let mut branch = pin!(Branch::new(async {
        let _dropped = dropped;
        pending::<()>().await;
    }));
    assert!(poll(branch.as_mut()).is_pending());
    let end = branch.as_mut().cancel(&stop());
    assert!(matches!(end, Some(BranchEnd::Cancelled(cause)) if cause.text() == "stop"));
    assert_eq!(log.said(), ["dropped"]);
}

#[test]
fn the_clean_up_of_a_cancelled_branch_is_awaited() {
    let (log, gate) = (Log::default(), Gate::default());
    let (closing, passed) = (log.clone(), gate.passed());
    let mut branch = pin!(Branch::new(async {
        finally(pending::<()>(), || async move {
            passed.await;
            closing.say("closed");
        })
        .await;
    }));
    assert!(poll(branch.as_mut()).is_pending());
    assert!(branch.as_mut().cancel(&stop()).is_none());
    assert!(poll(branch.as_mut()).is_pending());
    gate.open();
    assert_eq!(cause(poll(branch)).text(), "stop");
    assert_eq!(log.said(), ["closed"]);
}

#[test]
fn what_a_destructor_hands_over_is_awaited_too() {
    struct Late(Log);
    impl Drop for Late {
        fn drop(&mut self) {
            let log = self.0.clone();
            let scope = Scope::current().unwrap();
            scope.hand_over(Box::pin(async move { log.say("closed") }));
        }
    }
    let log = Log::default();
    let late = Late(log.clone());
    let mut branch = pin!(Branch::new(async {
        let _late = late;
        pending::<()>().await;
    }));
    assert!(poll(branch.as_mut()).is_pending());
    assert!(branch.as_mut().cancel(&stop()).is_none());
    assert_eq!(log.said(), [""; 0]);
    assert_eq!(cause(poll(branch)).text(), "stop");
    assert_eq!(log.said(), ["closed"]);
}

#[test]
fn a_branch_that_cancels_itself_ends_alone() {
    let outer = Scope::detached();
    let run = outer.run(async {
        let branch = pin!(Branch::new(async {
            Scope::current().unwrap().cancel(Cause::requested("self"));
            pending::<()>().await;
        }));
        branch.await
    });
    let Poll::Ready(Ok(BranchEnd::Cancelled(cause))) = poll(pin!(run)) else {
        panic!("it is cancelled")
    };
    assert_eq!(cause.text(), "self");
    assert!(!outer.is_cancelled());
}

#[test]
fn a_cancel_around_lets_the_clean_up_of_each_branch_run_and_the_body_not_go_on() {
    let (log, gate) = (Log::default(), Gate::default());
    let outer = Scope::detached();
    let body = async {
        let member = |name| {
            let (log, passed) = (log.clone(), gate.passed());
            Branch::new(finally(pending::<()>(), move || async move {
                passed.await;
                log.say(name);
            }))
        };
        let (mut one, mut two) = (pin!(member("one")), pin!(member("two")));
        let mut bare = pin!(Branch::new(pending::<()>()));
        let both = poll_fn(|cx| {
            let all = [
                one.as_mut().poll(cx),
                two.as_mut().poll(cx),
                bare.as_mut().poll(cx),
            ];
            match all.iter().all(Poll::is_ready) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        both.await;
        log.say("went on");
    };
    let mut run = pin!(outer.run(body));
    assert!(poll(run.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), [""; 0]);
    gate.open();
    let Poll::Ready(Err(cause)) = poll(run) else {
        panic!("it is cancelled")
    };
    assert_eq!(cause.text(), "outer");
    assert_eq!(log.said(), ["one", "two"]);
}

#[test]
fn a_branch_whose_body_around_is_cancelled_says_that_it_must_not_go_on() {
    let outer = Scope::detached();
    let inside = outer.clone();
    let log = Log::default();
    let body = async {
        let mut branch = pin!(Branch::new(async {
            let _scope = Scope::current();
            inside.cancel(Cause::requested("outer"));
            pending::<()>().await;
        }));
        let end = poll_fn(|cx| branch.as_mut().poll(cx)).await;
        assert!(matches!(end, BranchEnd::Stalled(_)));
        log.say("stalled");
        pending::<()>().await;
    };
    assert!(matches!(poll(pin!(outer.run(body))), Poll::Ready(Err(_))));
    assert_eq!(log.said(), ["stalled"]);
}

#[test]
fn a_shielded_value_wins_over_the_cancel() {
    let gate = Gate::default();
    let passed = gate.passed();
    let mut branch = pin!(Branch::new(shield(async {
        passed.await;
        7
    })));
    assert!(poll(branch.as_mut()).is_pending());
    assert!(branch.as_mut().cancel(&stop()).is_none());
    assert!(poll(branch.as_mut()).is_pending());
    gate.open();
    assert!(matches!(poll(branch), Poll::Ready(BranchEnd::Value(7))));
}

#[test]
fn panics_are_values_and_the_second_is_reported() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    reports();
    let branch = pin!(Branch::new(async { panic!("first") }));
    assert!(matches!(poll(branch), Poll::Ready(BranchEnd::Panicked(_))));

    let mut branch = pin!(Branch::new(async {
        let _scope = Scope::current();
        panic!("first")
    }));
    let Poll::Ready(BranchEnd::<()>::Panicked(payload)) = poll(branch.as_mut()) else {
        panic!("it panicked")
    };
    assert_eq!(pirn_core::panic_message(&*payload), "first");

    let loud = Loud;
    let mut branch = pin!(Branch::new(async {
        let _loud = loud;
        pending::<()>().await;
    }));
    assert!(poll(branch.as_mut()).is_pending());
    let end = branch.as_mut().cancel(&stop());
    assert!(matches!(end, Some(BranchEnd::Panicked(_))));

    let loud = Loud;
    let ready = pin!(Branch::new(poll_fn(move |_| {
        let _loud = &loud;
        Poll::Ready(())
    })));
    assert!(matches!(poll(ready), Poll::Ready(BranchEnd::Panicked(_))));
}

#[test]
fn a_dropped_branch_leaves_its_clean_up_to_the_body_around() {
    let log = Log::default();
    let outer = Scope::detached();
    let body = async {
        let closing = log.clone();
        let mut branch = Box::pin(Branch::new(finally(pending::<()>(), || async move {
            closing.say("closed");
        })));
        assert!(
            poll_fn(|cx| Poll::Ready(branch.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        drop(branch);
        log.say("went on");
    };
    assert!(matches!(poll(pin!(outer.run(body))), Poll::Ready(Ok(()))));
    assert_eq!(log.said(), ["went on", "closed"]);
}

#[test]
fn what_a_branch_runs_is_dropped_where_it_lies() {
    for scoped in [false, true] {
        let log = Log::default();
        let owned = log.on_drop("gone");
        let mut branch = pin!(Branch::new(async move {
            let _owned = owned;
            if scoped {
                assert!(Scope::current().is_some());
            }
            pending::<()>().await;
        }));
        assert!(poll(branch.as_mut()).is_pending());
        assert_eq!(log.said(), [""; 0]);
        branch.as_mut().vacate();
        branch.vacate();
        assert_eq!(log.said(), ["gone"]);
    }
}

#[test]
fn a_clean_up_in_place_may_borrow() {
    let mut log = Vec::new();
    let mut branch = Box::pin(Branch::new(finally_in_place(pending::<()>(), async || {
        log.push("closed");
    })));
    assert!(poll(branch.as_mut()).is_pending());
    assert!(branch.as_mut().cancel(&stop()).is_none());
    cause(poll(branch.as_mut()));
    drop(branch);
    assert_eq!(log, ["closed"]);
}

#[test]
fn what_a_branch_sets_in_a_task_local_stays_with_the_task() {
    static WORD: TaskLocal<&str> = TaskLocal::new();
    let task = Rooted::new(async {
        let branch = pin!(Branch::new(async { drop(WORD.set("weft")) }));
        assert!(matches!(branch.await, BranchEnd::Value(())));
        pirn_core::yield_now().await;
        WORD.get()
    });
    let mut task = pin!(task);
    assert!(poll(task.as_mut()).is_pending());
    assert!(!WORD.is_set());
    let Poll::Ready(Ok(word)) = poll(task.as_mut()) else {
        panic!("it is ready")
    };
    assert_eq!(word, Some("weft"));
}

#[test]
fn what_a_branch_sets_in_a_task_local_ends_with_it_where_there_is_no_task() {
    static WORD: TaskLocal<&str> = TaskLocal::new();
    let body = |polls: u32| async move {
        for _ in 0..polls {
            pirn_core::yield_now().await;
            drop(Scope::current());
        }
        drop(WORD.set("weft"));
        pirn_core::yield_now().await;
        assert_eq!(WORD.get(), Some("weft"));
    };
    for polls in 0..2 {
        let mut branch = pin!(Branch::new(body(polls)));
        for _ in 0..=polls {
            assert!(poll(branch.as_mut()).is_pending());
            assert!(!WORD.is_set());
        }
        assert!(matches!(poll(branch), Poll::Ready(BranchEnd::Value(()))));
        assert!(!WORD.is_set());
    }
    // Set by a destructor, as the branch is cancelled.
    struct Sets;
    impl Drop for Sets {
        fn drop(&mut self) {
            drop(Scope::current());
            drop(WORD.set("weft"));
        }
    }
    let sets = Sets;
    let mut branch = pin!(Branch::new(async move {
        pending::<()>().await;
        drop(sets);
    }));
    assert!(poll(branch.as_mut()).is_pending());
    assert!(branch.as_mut().cancel(&stop()).is_none());
    assert!(!WORD.is_set());
    Scope::detached().inside(|| drop(WORD.set("weft")));
    assert!(!WORD.is_set());
}

#[test]
fn a_branch_spends_the_budget_around() {
    let mut branch = pin!(Branch::new(poll_fn(budget::poll_spend)));
    let refilled = budget::refill();
    let mut cx = Context::from_waker(Waker::noop());
    while budget::poll_spend(&mut cx).is_ready() {}
    assert!(branch.as_mut().poll(&mut cx).is_pending());
    drop(refilled);
    assert!(branch.poll(&mut cx).is_ready());
}

#[test]
fn a_branch_sees_the_deadline_and_the_cause_around_it_without_a_scope_of_its_own() {
    let scope = Scope::detached();
    let cause = Cause::requested("why");
    let inside = scope.clone();
    let ended = poll(pin!(scope.run(async move {
        let branch = Branch::new(async {
            assert_eq!(current_deadline(), Instant::NEVER);
            assert!(current_cause().is_none());
            inside.cancel(cause);
            assert_eq!(current_cause().unwrap().text(), "why");
        });
        assert!(matches!(branch.await, BranchEnd::Value(())));
    })));
    assert!(ended.is_ready());
    // One that is to be made with a deadline.
    let at = Instant::from_nanos(7);
    let body = async {
        let branch = Branch::new(async { current_deadline() });
        match branch.await {
            BranchEnd::Value(deadline) => deadline,
            other => panic!("{other:?}"),
        }
    };
    let (_clock, _entered) = Manual::enter();
    let run = Limited::until(at, body)
        .map_err(|(missing, _)| missing)
        .unwrap();
    assert_eq!(poll(pin!(run)).map(Result::unwrap), Poll::Ready(at));
}
