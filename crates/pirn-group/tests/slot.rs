//! What a child leaves to its handle, on an executor that is driven by hand.

mod support;

use pirn_core::Cause;
use pirn_group::{Child, GroupBuilder, InTaskLocal, OwnedGroup, TaskGroup, group_in_task};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use support::{Flag, Gate, Hand, Log, OnDrop, reports};

type Group = OwnedGroup<&'static str, Hand>;

fn open(hand: &Hand) -> Group {
    GroupBuilder::on(hand.clone()).open()
}

fn poll<T>(child: &mut Child<T>, waker: &Waker) -> Option<T> {
    match Pin::new(child).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(ended) => ended.ok(),
        Poll::Pending => None,
    }
}

#[test]
fn a_handle_that_is_dropped_lets_its_waker_go_though_the_child_lives() {
    let (hand, (flag, waker)) = (Hand::default(), Flag::new());
    let group = open(&hand);
    let mut child = group.spawn(pending::<Result<(), _>>());
    hand.settle();
    assert!(poll(&mut child, &waker).is_none());
    drop(waker);
    assert_eq!(Arc::strong_count(&flag), 2);
    drop(child);
    assert_eq!((Arc::strong_count(&flag), group.live()), (1, 1));
}

#[test]
fn who_polled_last_is_woken_and_the_wakers_of_the_others_are_gone() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let (early, late) = (Flag::new(), Flag::new());
    let group = open(&hand);
    let passed = gate.passed();
    let mut child = group.spawn(async move {
        passed.await;
        Ok(5)
    });
    hand.settle();
    for (_, waker) in [&early, &late, &late] {
        assert!(poll(&mut child, waker).is_none());
    }
    assert_eq!(Arc::strong_count(&early.0), 2);
    gate.open();
    hand.settle();
    assert_eq!((early.0.take(), late.0.take()), (false, true));
    assert_eq!(Arc::strong_count(&late.0), 2);
    assert_eq!(poll(&mut child, &late.1), Some(5));
    assert!(child.is_finished());
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_value_that_nobody_takes_goes_with_the_last_of_child_and_handle() {
    let (hand, log) = (Hand::default(), Log::default());
    let group = open(&hand);
    let value = log.on_drop("of the first");
    let first = group.spawn(async move { Ok(value) });
    let value = log.on_drop("of the second");
    drop(group.spawn(async move { Ok(value) }));
    hand.settle();
    assert_eq!(log.said(), ["of the second"]);
    drop(first);
    assert_eq!(log.said(), ["of the second", "of the first"]);
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_destructor_of_a_value_that_nobody_takes_may_panic() {
    struct Bomb(OnDrop);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.is_there();
            panic!("boom");
        }
    }
    // From now on they are kept.
    reports();
    let (hand, log) = (Hand::default(), Log::default());
    let group = open(&hand);
    let bomb = Bomb(log.on_drop("bomb"));
    drop(group.spawn(async move { Ok(bomb) }));
    hand.settle();
    assert_eq!((log.said().len(), group.live()), (1, 0));
    assert!(reports().iter().any(|report| report.contains("boom")));
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_handle_of_a_child_that_has_ended_cancels_nothing() {
    let hand = Hand::default();
    let group = open(&hand);
    let mut child = group.spawn(async { Ok(5) });
    hand.settle();
    assert!(!child.cancel(Cause::requested("too late")));
    assert_eq!(poll(&mut child, Waker::noop()), Some(5));
    assert!(!child.cancel(Cause::requested("later still")));
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_handle_keeps_nothing_of_the_scope_of_a_child_that_has_ended() {
    let hand = Hand::default();
    let group = open(&hand);
    let child = group.spawn(pending::<Result<(), _>>());
    hand.settle();
    group.cancel(Cause::requested("stop"));
    hand.settle();
    assert!(child.is_finished());
    let cause = group.scope().cause().unwrap();
    // The group's scope has it, the child's result, and this.
    assert_eq!(Arc::strong_count(&cause), 3);
}

#[test]
fn children_in_one_task_and_their_values_lie_where_their_alignment_asks() {
    #[repr(align(128))]
    struct Wide(u8);
    let is_aligned = |wide: &Wide| std::ptr::from_ref(wide).addr() % 128 == 0;
    let sum = group_in_task(async |g: TaskGroup<&str, _>| {
        let children: Vec<_> = (0..5u8)
            .map(|i| {
                let (inside, gives) = (Wide(i), Wide(i));
                g.spawn_local(async move {
                    support::yield_now().await;
                    assert!(is_aligned(&inside));
                    Ok((inside.0, gives))
                })
            })
            .collect();
        let mut sum = 0;
        for child in children {
            let (one, other) = child.await.unwrap();
            sum += one + other.0;
        }
        Ok(sum)
    });
    assert_eq!(futures::executor::block_on(sum).unwrap(), 20);
}

#[test]
fn handles_outlive_their_children_in_one_task_and_these_their_handles() {
    let log = Log::default();
    let kept = RefCell::new(Vec::new());
    let group = group_in_task(async |g: TaskGroup<&str, InTaskLocal<'_>>| {
        for value in ["taken", "dropped"].map(|name| log.on_drop(name)) {
            kept.borrow_mut().push(g.spawn_local(async { Ok(value) }));
        }
        let value = log.on_drop("of nobody");
        drop(g.spawn_local(async {
            support::yield_now().await;
            Ok(value)
        }));
        Ok(())
    });
    futures::executor::block_on(group).unwrap();
    assert_eq!(log.said(), ["of nobody"]);
    let [mut first, second] = <[_; 2]>::try_from(kept.take()).ok().unwrap();
    drop(second);
    assert_eq!(log.said(), ["of nobody", "dropped"]);
    drop(poll(&mut first, Waker::noop()).unwrap());
    assert_eq!(log.said(), ["of nobody", "dropped", "taken"]);
}

#[test]
fn a_destructor_of_a_child_in_one_task_may_panic_and_its_handle_is_told() {
    struct Bomb<'a>(&'a Cell<bool>);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.set(true);
            panic!("as the group was dropped");
        }
    }
    // From now on they are kept.
    reports();
    let (went_off, kept) = (Cell::new(false), RefCell::new(None));
    let mut group = Box::pin(group_in_task(
        async |g: TaskGroup<&str, InTaskLocal<'_>>| {
            let bomb = Bomb(&went_off);
            let child = g.spawn_local(async {
                let _bomb = bomb;
                pending().await
            });
            kept.replace(Some(child));
            pending::<Result<(), _>>().await
        },
    ));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(group.as_mut().poll(&mut cx).is_pending());
    drop(group);
    let mut child: Child<()> = kept.take().unwrap();
    assert!(went_off.get() && child.is_finished());
    assert!(poll(&mut child, Waker::noop()).is_none());
    let told = |report: &String| report.contains("as the group was dropped");
    assert!(reports().iter().any(told));
}
