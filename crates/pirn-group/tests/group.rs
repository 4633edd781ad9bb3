//! Groups on an executor that is driven by hand.

#[path = "forms/cases.rs"]
mod cases;
#[path = "forms/send.rs"]
mod send;
mod support;
#[path = "forms/turns.rs"]
mod turns;

use pirn_core::{
    BoxTask, Cause, Kind, Refused, Scope, Spawn, TaskMeta, finally, finally_in_place,
    panic_message, shield,
};
use pirn_group::{ChildError, GroupBuilder, GroupError, Started, TaskGroup, group, group_in_task};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use support::{Bomb, Flag, Gate, Hand, Log, poll, poll_inside, reports, yield_now};

type Never<T> = Result<T, GroupError<&'static str>>;

fn stop() -> Cause {
    Cause::requested("stop")
}

async fn forever() -> Result<(), &'static str> {
    pending().await
}

fn on(hand: &Hand) -> GroupBuilder<Hand> {
    GroupBuilder::on(hand.clone())
}

// Values.

#[test]
fn a_group_returns_the_bodys_value_after_its_children_have_ended() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let mut run = pin!(GroupBuilder::on(hand.clone()).run(async |g| {
        let gate = gate.clone();
        g.spawn(async move {
            gate.passed().await;
            Ok::<_, &str>(())
        });
        Ok(7)
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(hand.finish(run).unwrap(), 7);
    assert_eq!(hand.held(), 0);
}

#[test]
fn a_group_without_children_ends_with_its_body() {
    let ended: Never<_> =
        Hand::default().finish(GroupBuilder::on(&Hand::default()).run(async |_| Ok(1)));
    assert_eq!(ended.unwrap(), 1);
}

// Panics.

#[test]
fn a_panic_of_the_body_goes_on_after_the_children_have_ended() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let mut run = pin!(GroupBuilder::on(hand.clone()).run(async |g| {
        let (log, gate) = (log.clone(), gate.clone());
        g.spawn(finally(forever(), || async move {
            gate.passed().await;
            log.say("cleaned up");
        }));
        yield_now().await;
        if hand.held() == 1 {
            panic!("the body broke");
        }
        Ok::<(), &str>(())
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    let payload = catch_unwind(AssertUnwindSafe(|| hand.run(run.as_mut()).is_ready())).unwrap_err();
    assert_eq!(panic_message(&*payload), "the body broke");
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn destructors_that_panic_stay_away_from_the_executor() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    reports();
    let hand = Hand::default();
    // A value that nobody takes.
    let ended: Never<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn(async { Ok(Bomb) });
        Ok(())
    }));
    assert!(ended.is_ok());
    assert!(reports()[0].contains("in drop"));
    // A future that is dropped by a cancel: that is a panic of the child.
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn(async {
            let _bomb = Bomb;
            forever().await
        });
        yield_now().await;
        g.cancel(stop());
        Ok::<(), &str>(())
    });
    let payload = catch_unwind(AssertUnwindSafe(|| hand.finish(run).is_ok())).unwrap_err();
    assert_eq!(panic_message(&*payload), "in drop");
    // One that is dropped unpolled, by the executor.
    let mut run = Box::pin(GroupBuilder::on(hand.clone()).run(async |g| {
        let bomb = Bomb;
        g.spawn(async {
            let _bomb = bomb;
            forever().await
        });
        Ok::<(), &str>(())
    }));
    assert!(poll(run.as_mut()).is_pending());
    hand.lose(0);
    assert!(reports()[0].contains("in drop"));
    assert_eq!(
        hand.finish(run).unwrap_err().cause().unwrap().kind(),
        Kind::Shutdown
    );
}

#[test]
fn a_waker_whose_destructor_panics_stays_away_from_who_polls_the_handle_after_it() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a waker");
        }
    }
    reports();
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).open::<&str>();
    let mut child = group.spawn(async { Ok(5) });
    let mut poll_by = |waker: Waker| Pin::new(&mut child).poll(&mut Context::from_waker(&waker));
    assert!(poll_by(Arc::new(Bomb).into()).is_pending());
    assert!(poll_by(Waker::noop().clone()).is_pending());
    assert!(reports()[0].contains("in a waker"));
    hand.settle();
    assert_eq!(hand.finish(child).unwrap(), 5);
    hand.finish(group.join()).unwrap();
}

// Drops.

#[test]
fn a_group_dropped_outside_every_scope_reports_its_children_and_later_errors() {
    reports();
    let (hand, log) = (Hand::default(), Log::default());
    let mut run = Box::pin(GroupBuilder::on(hand.clone()).run(async |g| {
        let log = log.clone();
        g.spawn(finally(forever(), || async move { log.say("cleaned up") }));
        g.spawn_named(
            "late",
            shield(async {
                yield_now().await;
                Err::<(), _>("too late")
            }),
        );
        forever().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    hand.turn();
    drop(run);
    assert!(reports()[0].contains("2 live children"));
    hand.settle();
    assert_eq!(
        (hand.held(), log.said()),
        (0, vec!["cleaned up".to_owned()])
    );
    let reported = reports();
    assert!(
        reported[0].contains("`late`") && reported[0].contains("too late"),
        "{reported:?}"
    );
}

#[test]
fn errors_whose_destructors_panic_as_they_are_reported_keep_nobody_from_the_end() {
    struct Bomb(&'static str);
    impl std::fmt::Display for Bomb {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    reports();
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).open::<Bomb>();
    // Two fail before the group is dropped, and one after that.
    let (early, late) = (Gate::default(), Gate::default());
    let children =
        [("one", &early), ("another", &early), ("a third", &late)].map(|(name, gate)| {
            let passed = gate.passed();
            group.spawn(shield(async move {
                passed.await;
                Err::<(), _>(Bomb(name))
            }))
        });
    hand.settle();
    early.open();
    hand.settle();
    drop(group);
    late.open();
    for child in children {
        assert!(hand.finish(child).unwrap_err().is_cancelled());
    }
    let reported = reports();
    for name in ["one", "another", "a third"] {
        assert!(reported.iter().any(|report| report.contains(name)));
    }
    let panics = reported.iter().filter(|report| report.contains("in drop"));
    assert_eq!(panics.count(), 3);
}

#[test]
fn what_is_said_of_a_dropped_group_names_the_place_where_the_group_was_made() {
    let at_line = |cause: &Cause, line: u32| {
        assert_eq!(
            (cause.kind(), cause.text()),
            (Kind::Dropped, "the group was dropped")
        );
        assert_eq!((cause.at().file(), cause.at().line()), (file!(), line));
    };
    let hand = Hand::default();
    let seen = Mutex::new(None);
    let made = line!() + 1;
    let mut run = Box::pin(GroupBuilder::on(hand.clone()).run(async |g| {
        *seen.lock().unwrap() = Some(g.scope().clone());
        g.spawn(forever());
        forever().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    drop(run);
    let scope = seen.into_inner().unwrap().unwrap();
    at_line(&scope.cause().unwrap(), made);
    // As a value, and in its join.
    for joined in [false, true] {
        let made = line!() + 1;
        let group = GroupBuilder::on(hand.clone()).open();
        let child = group.spawn(forever());
        match joined {
            true => assert!(poll(pin!(group.join())).is_pending()),
            false => drop(group),
        }
        match hand.finish(child) {
            Err(ChildError::Cancelled(cause)) => at_line(&cause, made),
            ended => panic!("{ended:?}"),
        }
    }
    // Its children in one task with it, whose clean-up is lost where it can run in place only.
    reports();
    let made = line!() + 1;
    let mut group = Box::pin(group_in_task(async |g| {
        g.spawn(finally_in_place(forever(), async || panic!("it ran")));
        forever().await
    }));
    assert!(poll(group.as_mut()).is_pending());
    drop(group);
    let place = format!("the group was dropped (at {}:{made}:", file!());
    assert!(reports()[0].contains(&place));
}

#[test]
fn a_group_that_has_ended_keeps_the_scope_that_it_was() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| Ok(g.scope().clone())));
    assert!(ended.unwrap().cause().is_none());
    let group = on(&hand).open::<&str>();
    let scope = group.scope().clone();
    hand.finish(group.join()).unwrap();
    assert!(scope.cause().is_none());
}

#[test]
fn a_group_that_was_never_polled_does_nothing_when_dropped() {
    reports();
    let hand = Hand::default();
    drop(GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn(forever());
        Ok::<(), &str>(())
    }));
    assert_eq!((hand.held(), reports().len()), (0, 0));
}

#[test]
fn a_childs_failure_during_the_bodys_poll_is_one_failure_however_the_body_awaits_it() {
    // As on several threads: the child runs while the body is in a poll.
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let child = g.spawn(async { Err::<(), _>("it is broken") });
        hand.turn();
        assert!(child.is_finished());
        child.await.map_err(|_| "the body's own")?;
        unreachable!("the body is cancelled, and is dropped there")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["it is broken"]);

    // In a shield no cancel reaches the body: there it is told.
    let ended: Never<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let child = g.spawn(async { Err::<(), _>("it is broken") });
        hand.turn();
        let told = shield(child).await;
        assert!(told.unwrap_err().is_cancelled());
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().len(), 1);
}

// Executors.

#[test]
fn a_child_that_the_executor_drops_cancels_the_group() {
    for polls in 0..2 {
        let hand = Hand::default();
        let mut run = pin!(GroupBuilder::on(hand.clone()).run(async |g| {
            g.spawn(forever());
            g.spawn(forever());
            Ok::<(), &str>(())
        }));
        assert!(poll(run.as_mut()).is_pending());
        for _ in 0..polls {
            hand.turn();
        }
        hand.lose(1);
        let error = hand.finish(run).unwrap_err();
        assert_eq!(error.cause().unwrap().kind(), Kind::Shutdown);
        assert!(
            error
                .to_string()
                .contains("dropped a child before it had ended")
        );
    }
}

#[test]
fn a_child_that_was_cancelled_and_then_dropped_by_the_executor_is_as_cancelled() {
    let hand = Hand::default();
    let mut run = pin!(GroupBuilder::on(hand.clone()).run(async |g| {
        let child = g.spawn(forever());
        yield_now().await;
        child.cancel(stop());
        Ok::<_, &str>(child.await.unwrap_err().to_string())
    }));
    assert!(poll(run.as_mut()).is_pending());
    hand.turn();
    assert!(poll(run.as_mut()).is_pending());
    hand.lose(0);
    assert!(hand.finish(run).unwrap().contains("stop"));
}

#[test]
fn an_executor_that_refuses_cancels_the_group_and_says_why() {
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        hand.refuse();
        let child = g.spawn(forever());
        assert!(matches!(
            child.await,
            Err(ChildError::Refused("the hand is full"))
        ));
        Ok(())
    }));
    assert!(ended.unwrap_err().to_string().contains("the hand is full"));
}

#[test]
fn a_refused_future_is_given_back_and_not_counted() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        hand.refuse();
        let refused = g.try_spawn(TaskMeta::here(), async { Ok(3) }).unwrap_err();
        assert_eq!(g.live(), 0);
        refused.into_future().await
    }));
    assert_eq!(ended.unwrap(), 3);
}

#[test]
fn spawning_into_a_group_that_has_ended_is_refused_and_reported() {
    reports();
    let hand = Hand::default();
    let ended: Never<TaskGroup<&str, Hand>> =
        hand.finish(GroupBuilder::on(hand.clone()).run(async |g| Ok(g)));
    let group = ended.unwrap();
    let child = group.spawn_named("asked", forever());
    assert!(child.is_finished());
    assert!(matches!(hand.finish(child), Err(ChildError::Refused(_))));
    assert!(reports().is_empty(), "it was received");
    drop(group.spawn_named("late", forever()));
    let reported = reports();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("task `late`") && reported[0].contains("the group has ended"));
    assert_eq!(hand.held(), 0);
}

#[test]
fn without_a_runtime_the_ambient_group_names_what_is_missing() {
    let ended: Never<()> = Hand::default().finish(group(async |_| panic!("it ran")));
    let error = ended.unwrap_err();
    assert_eq!(error.missing().unwrap().what(), "spawner");
    assert!(error.to_string().contains("pirn::run"));
}

#[test]
fn with_a_runtime_the_ambient_group_uses_it() {
    use pirn_core::context::Handles;
    let hand = Hand::default();
    let mut handles = Handles::default();
    handles.spawner = Some(Arc::new(hand.clone()));
    let _entered = std::rc::Rc::new(handles).enter();
    let ended = hand.finish(group(async |g| g.spawn(async { Ok(9) }).await));
    assert_eq!(ended.unwrap(), 9);
}

// Limits.

/// An executor that keeps what it is given, to be polled one by one.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Vec<BoxTask>>>);

impl Spawn for Held {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().unwrap().push(Box::pin(f));
        Ok(())
    }
}

#[test]
fn children_get_their_slots_in_the_order_of_their_first_polls_and_one_unpolled_keeps_none() {
    let (held, log) = (Held::default(), Log::default());
    let group = GroupBuilder::on(held.clone()).limit(1).open::<&str>();
    for name in ["never polled", "second", "third", "fourth"] {
        let log = log.clone();
        group.spawn(async move {
            log.say(name);
            yield_now().await;
            Ok(())
        });
    }
    let mut tasks = std::mem::take(&mut *held.0.lock().unwrap());
    for first in [2, 1, 3] {
        assert!(poll(tasks[first].as_mut()).is_pending());
    }
    assert_eq!(log.said(), ["third"]);
    assert!(poll(tasks[2].as_mut()).is_ready());
    for polled_again in [3, 1, 3] {
        let _ = poll(tasks[polled_again].as_mut());
    }
    assert_eq!(log.said(), ["third", "second"]);
    assert!(poll(tasks[1].as_mut()).is_ready());
    assert!(poll(tasks[3].as_mut()).is_pending());
    assert_eq!(log.said(), ["third", "second", "fourth"]);
}

#[test]
fn a_cancelled_child_keeps_its_slot_until_its_destructors_have_run() {
    struct Asks(Arc<Flag>, Arc<AtomicUsize>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.1.store(1 + usize::from(self.0.take()), SeqCst);
        }
    }
    let (held, (woken, waker)) = (Held::default(), Flag::new());
    let answer = Arc::new(AtomicUsize::new(0));
    let group = GroupBuilder::on(held.clone()).limit(1).open::<&str>();
    let asks = Asks(Arc::clone(&woken), Arc::clone(&answer));
    let first = group.spawn(async move {
        let _asks = asks;
        forever().await
    });
    group.spawn(async { Ok(()) });
    let mut tasks = std::mem::take(&mut *held.0.lock().unwrap());
    assert!(poll(tasks[0].as_mut()).is_pending());
    let mut cx = Context::from_waker(&waker);
    assert!(tasks[1].as_mut().poll(&mut cx).is_pending());
    first.cancel(stop());
    assert!(poll(tasks[0].as_mut()).is_ready());
    assert_eq!(answer.load(SeqCst), 1, "the next one could have begun");
    assert!(woken.take());
    assert!(tasks[1].as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_destructor_that_panics_as_its_future_is_refused_is_reported_and_the_group_knows() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    reports();
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        hand.refuse();
        let bomb = Bomb;
        let child = g.spawn(async {
            let _bomb = bomb;
            Ok(())
        });
        assert!(child.is_finished());
        let mut all = g.collect();
        let bomb = Bomb;
        all.spawn(async {
            let _bomb = bomb;
            Ok(())
        });
        let results = shield(async { (all.next().await, all.next().await) }).await;
        assert!(matches!(
            results,
            (Some((0, Err(ChildError::Refused(_)))), None)
        ));
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().cause().unwrap().kind(), Kind::Shutdown);
    assert_eq!(reports().len(), 2);
}
