//! Groups as values, on an executor that is driven by hand.

mod support;

use pirn_core::context::Handles;
use pirn_core::{Cause, Kind, Scope, TaskMeta, finally, panic_message, shield};
use pirn_group::{ChildError, GroupBuilder, GroupError, OwnedGroup};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use support::{Gate, Hand, Log, poll, reports, yield_now};

type Group = OwnedGroup<&'static str, Hand>;

async fn forever() -> Result<(), &'static str> {
    pending().await
}

fn open(hand: &Hand) -> Group {
    GroupBuilder::on(hand.clone()).named("workers").open()
}

#[test]
fn it_is_kept_in_a_struct_spawned_into_from_synchronous_code_and_joined() {
    struct Workers {
        group: Group,
        log: Log,
    }
    impl Workers {
        fn add(&self, what: &'static str) {
            let log = self.log.clone();
            self.group.spawn(async move {
                yield_now().await;
                log.say(what);
                Ok(())
            });
        }
    }
    let hand = Hand::default();
    let workers = Workers {
        group: open(&hand),
        log: Log::default(),
    };
    workers.add("one");
    hand.settle();
    workers.add("two");
    assert_eq!((workers.group.live(), workers.log.said().len()), (1, 1));
    let Workers { group, log } = workers;
    hand.finish(group.join()).unwrap();
    assert_eq!(
        (log.said(), hand.held()),
        (vec!["one".into(), "two".into()], 0)
    );
}

#[test]
fn joining_waits_for_children_that_children_spawn_and_closes_after_the_last() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let group = open(&hand);
    let (handle, passed, said) = (group.clone(), gate.clone(), log.clone());
    group.spawn(async move {
        passed.passed().await;
        handle.spawn(async move {
            said.say("grandchild");
            Ok(())
        });
        Ok(())
    });
    let handle = group.clone();
    let mut join = pin!(group.join());
    assert!(hand.run(join.as_mut()).is_pending());
    assert!(!handle.is_closed());
    gate.open();
    hand.finish(join).unwrap();
    assert_eq!(log.said(), ["grandchild"]);
    assert!(handle.is_closed());
    let refused = handle.try_spawn(TaskMeta::here(), async { Ok(3) });
    assert_eq!(hand.finish(refused.unwrap_err().into_future()), Ok(3));
}

#[test]
fn a_closed_group_refuses_with_the_future_and_keeps_those_that_live() {
    reports();
    let hand = Hand::default();
    let group = open(&hand);
    let child = group.spawn(async { Ok(1) });
    group.close();
    let refused = group.try_spawn(TaskMeta::here(), async { Ok(2) });
    assert_eq!(hand.finish(refused.unwrap_err().into_future()), Ok(2));
    let late = group.spawn_named("late", forever());
    assert!(matches!(hand.finish(late), Err(ChildError::Refused(_))));
    assert!(reports().is_empty());
    drop(group.spawn_named("unasked", forever()));
    assert!(reports()[0].contains("`unasked`"));
    assert_eq!(hand.finish(child).unwrap(), 1);
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_failure_cancels_siblings_before_anybody_joins_and_is_there_when_somebody_does() {
    let (hand, log) = (Hand::default(), Log::default());
    let group = open(&hand);
    let said = log.clone();
    group.spawn(finally(forever(), || async move { said.say("cleaned up") }));
    hand.settle();
    group.spawn_named("bad", async { Err::<(), _>("broken") });
    hand.settle();
    assert_eq!(log.said(), ["cleaned up"]);
    assert_eq!(hand.finish(group.scope().cancelled()).kind(), Kind::Sibling);
    let error = hand.finish(group.join()).unwrap_err();
    assert_eq!(error.first().unwrap().task().name(), Some("bad"));
    assert_eq!(error.into_errors(), ["broken"]);
}

#[test]
fn a_panic_goes_on_from_the_join() {
    let hand = Hand::default();
    let group = open(&hand);
    group.spawn::<_, ()>(async { panic!("a thread broke") });
    hand.settle();
    let join = AssertUnwindSafe(|| hand.finish(group.join()).is_ok());
    assert_eq!(
        panic_message(&*catch_unwind(join).unwrap_err()),
        "a thread broke"
    );
}

#[test]
fn a_cancel_on_request_is_an_end_and_others_are_errors() {
    let hand = Hand::default();
    let group = open(&hand);
    group.spawn(forever());
    group.cancel(Cause::requested("enough"));
    hand.finish(group.join()).unwrap();

    let group = open(&hand);
    group.spawn(forever());
    group.cancel(Cause::new(Kind::Shutdown, "no more room"));
    let error = hand.finish(group.join()).unwrap_err();
    assert_eq!(error.cause().unwrap().text(), "no more room");
}

#[test]
fn a_group_that_its_executor_fails_says_so() {
    let hand = Hand::default();
    let group = open(&hand);
    group.spawn(forever());
    hand.lose(0);
    let error = hand.finish(group.join()).unwrap_err();
    assert_eq!(error.cause().unwrap().kind(), Kind::Shutdown);
}

#[test]
fn a_cancel_of_the_scope_that_it_was_opened_in_reaches_it() {
    let (hand, outer) = (Hand::default(), Scope::detached());
    let group = hand.finish(outer.run(async { open(&hand) })).unwrap();
    group.spawn(forever());
    outer.cancel(Cause::requested("all of it"));
    hand.settle();
    assert_eq!(hand.held(), 0);
    // On request, and joined where nothing is cancelled.
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_cancel_of_the_scope_that_it_is_joined_in_reaches_it_and_ends_the_body_there() {
    let (hand, log, joined_in) = (Hand::default(), Log::default(), Scope::detached());
    let group = open(&hand);
    let said = log.clone();
    group.spawn(finally(forever(), || async move {
        yield_now().await;
        said.say("cleaned up");
    }));
    hand.settle();
    let scope = group.scope().clone();
    let mut run = pin!(joined_in.run(async {
        let _ = group.join().await;
        log.say("swallowed");
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    joined_in.cancel(Cause::requested("over"));
    assert_eq!(hand.finish(run).unwrap_err().text(), "over");
    assert_eq!(log.said(), ["cleaned up"]);
    assert_eq!(scope.cause().unwrap().text(), "over");
}

#[test]
fn errors_win_over_the_cancel_of_the_scope_that_it_is_joined_in() {
    let (hand, joined_in) = (Hand::default(), Scope::detached());
    let group = open(&hand);
    group.spawn(shield(async {
        yield_now().await;
        yield_now().await;
        Err::<(), _>("broken")
    }));
    hand.turn();
    let mut seen = None;
    let mut run = Box::pin(joined_in.run(async {
        seen = Some(group.join().await);
        pending::<()>().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    joined_in.cancel(Cause::requested("over"));
    assert_eq!(hand.finish(run).unwrap_err().text(), "over");
    assert_eq!(seen.unwrap().unwrap_err().into_errors(), ["broken"]);
}

#[test]
fn a_dropped_one_cancels_its_children_and_the_scope_around_waits_for_them() {
    let (hand, outer, log, gate) = (
        Hand::default(),
        Scope::detached(),
        Log::default(),
        Gate::default(),
    );
    let mut run = pin!(outer.run(async {
        let group = open(&hand);
        let (said, shut) = (log.clone(), gate.clone());
        group.spawn(finally(forever(), || async move {
            shut.passed().await;
            said.say("cleaned up");
        }));
        let handle = group.clone();
        yield_now().await;
        drop(group);
        assert!(handle.scope().cause().unwrap().kind() == Kind::Dropped);
        assert!(handle.try_spawn(TaskMeta::here(), forever()).is_err());
        log.say("the body goes on");
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    hand.finish(run).unwrap();
    assert_eq!(log.said(), ["the body goes on", "cleaned up"]);
}

#[test]
fn one_that_is_dropped_after_its_scope_has_ended_is_left_to_the_reaper() {
    reports();
    let (hand, reaper, gate) = (Hand::default(), Scope::detached(), Gate::default());
    let mut handles = Handles::default();
    handles.reaper = Some(reaper.clone());
    let entered = Rc::new(handles).enter();
    let shut = gate.clone();
    let mut keeping = pin!(reaper.run(async {
        let group = hand
            .finish(Scope::new().run(async { open(&hand) }))
            .unwrap();
        group.spawn(finally(forever(), || async move { shut.passed().await }));
        hand.settle();
        drop(group);
    }));
    assert!(poll(keeping.as_mut()).is_pending());
    hand.settle();
    assert!(
        poll(keeping.as_mut()).is_pending(),
        "the reaper does not wait"
    );
    gate.open();
    hand.settle();
    assert!(poll(keeping.as_mut()).is_ready());
    drop(entered);
    assert_eq!(reports().len(), 0);
}

#[test]
fn one_that_is_dropped_outside_every_scope_is_reported_and_so_is_what_failed() {
    reports();
    let hand = Hand::default();
    let group = open(&hand);
    group.spawn(forever());
    group.spawn_named(
        "late",
        shield(async {
            yield_now().await;
            Err::<(), _>("too late")
        }),
    );
    hand.turn();
    drop(group);
    assert!(reports()[0].contains("2 live children"));
    hand.settle();
    assert_eq!(hand.held(), 0);
    assert!(reports()[0].contains("too late"));
    // What had failed before is reported by the drop.
    let group = open(&hand);
    group.spawn(async { Err::<(), _>("unseen") });
    hand.settle();
    drop(group);
    let reported = reports();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("unseen"));
}

#[test]
fn a_join_that_is_dropped_leaves_the_children_to_the_scope_around() {
    let (hand, outer, log) = (Hand::default(), Scope::detached(), Log::default());
    let run = outer.run(async {
        let group = open(&hand);
        let said = log.clone();
        group.spawn(finally(forever(), || async move {
            yield_now().await;
            said.say("cleaned up");
        }));
        yield_now().await;
        let mut join = Box::pin(group.join());
        let pending = poll_fn(|cx| Poll::Ready(join.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        drop(join);
        log.say("the body goes on");
    });
    hand.finish(run).unwrap();
    assert_eq!(log.said(), ["the body goes on", "cleaned up"]);
}

#[test]
fn clean_ups_that_are_handed_over_before_it_is_joined_run_when_it_is() {
    let (hand, log) = (Hand::default(), Log::default());
    let group = open(&hand);
    let said = log.clone();
    group.scope().hand_over(Box::pin(async move {
        yield_now().await;
        said.say("closed");
    }));
    hand.finish(group.join()).unwrap();
    assert_eq!(log.said(), ["closed"]);
}

#[test]
fn a_limit_holds_in_it() {
    let hand = Hand::default();
    let group: Group = GroupBuilder::on(hand.clone()).limit(1).open();
    let (first, second) = (group.spawn(forever()), group.spawn(async { Ok(2) }));
    hand.settle();
    assert!(!second.is_finished());
    first.cancel(Cause::requested("go"));
    assert_eq!(hand.finish(second).unwrap(), 2);
    hand.finish(group.join()).unwrap();
}

#[test]
fn it_moves_between_threads_and_is_shared_by_them() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let hand = Hand::default();
    let group = is_send(open(&hand));
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| group.spawn(async { Ok(()) }));
        }
    });
    assert_eq!(group.live(), 2);
    let joined: Result<(), GroupError<_>> = hand.finish(is_send(group.join()));
    joined.unwrap();
}

#[test]
fn the_destructor_of_a_child_that_was_never_polled_runs_below_the_groups_scope() {
    struct Asks(Arc<Mutex<Option<bool>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let below = Scope::current().map(|scope| scope.parent().is_some());
            *self.0.lock().unwrap() = below;
        }
    }
    let (hand, seen) = (Hand::default(), Arc::new(Mutex::new(None)));
    let group = open(&hand);
    let asks = Asks(seen.clone());
    group.spawn(async move {
        let _asks = asks;
        forever().await
    });
    hand.lose(0);
    assert_eq!(*seen.lock().unwrap(), Some(true));
    drop(group);
    hand.settle();
    reports();
}
