//! Models of groups as values: joined, closed and dropped while children end elsewhere.

use crate::group::{Dropped, count, done, run};
use crate::hand::Hand;
use pirn_core::shim::atomic::AtomicUsize;
use pirn_core::shim::{self, block_on, thread};
use pirn_core::{Cause, Scope, TaskMeta};
use pirn_group::{GroupBuilder, OwnedGroup};
use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

fn open(hand: &Hand) -> OwnedGroup<u8, Hand> {
    GroupBuilder::on(hand.clone()).open()
}

#[test]
fn the_last_child_wakes_who_joins() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        group.spawn(done(Dropped(dropped.clone())));
        let child = thread::spawn(move || hand.run_one());
        block_on(group.join()).unwrap();
        assert_eq!(count(&dropped), 1);
        child.join().unwrap();
    });
}

#[test]
fn a_child_that_spawns_as_somebody_joins_keeps_the_group_open() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        let (handle, guard) = (group.clone(), Dropped(dropped.clone()));
        group.spawn(async move {
            handle.spawn(done(guard));
            Ok(())
        });
        let children = thread::spawn(move || {
            hand.run_one();
            hand.run_one();
        });
        block_on(group.join()).unwrap();
        assert_eq!(count(&dropped), 1);
        children.join().unwrap();
    });
}

#[test]
fn a_child_that_joins_another_as_the_group_is_closed_is_refused_or_awaited() {
    shim::model(|| {
        let (hand, ran) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        group.spawn(done(Dropped(ran.clone())));
        let (handle, late) = (group.clone(), run(ran.clone()));
        let spawns = thread::spawn(move || {
            let joined = handle.try_spawn(TaskMeta::here(), late).is_ok();
            hand.run_one();
            if joined {
                hand.run_one();
            }
            joined
        });
        group.close();
        block_on(group.join()).unwrap();
        let seen = count(&ran);
        assert_eq!(seen, 1 + usize::from(spawns.join().unwrap()));
    });
}

#[test]
fn a_child_that_joins_as_the_only_other_one_ends_is_awaited() {
    shim::model(|| {
        let (hand, ran) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        group.spawn(done(Dropped(ran.clone())));
        let only = hand.take();
        let ends = thread::spawn(move || block_on(only));
        let late = group.spawn(done(Dropped(ran.clone())));
        assert!(!late.is_finished());
        let joins = thread::spawn(move || hand.run_one());
        block_on(group.join()).unwrap();
        assert_eq!(count(&ran), 2);
        [ends, joins]
            .into_iter()
            .for_each(|child| child.join().unwrap());
    });
}

#[test]
fn a_child_spawned_as_the_group_is_closed_is_refused_or_awaited() {
    shim::model(|| {
        let (hand, ran) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        let (handle, late) = (group.clone(), run(ran.clone()));
        let spawns = thread::spawn(move || {
            let joined = handle.try_spawn(TaskMeta::here(), late).is_ok();
            if joined {
                hand.run_one();
            }
            joined
        });
        group.close();
        block_on(group.join()).unwrap();
        let seen = count(&ran);
        assert_eq!(seen == 1, spawns.join().unwrap());
    });
}

#[test]
fn a_group_that_is_closed_as_two_children_end_waits_for_both_and_no_longer() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = open(&hand);
        for _ in 0..2 {
            group.spawn(done(Dropped(dropped.clone())));
        }
        let children = thread::spawn(move || {
            hand.run_one();
            hand.run_one();
        });
        group.close();
        block_on(group.join()).unwrap();
        assert_eq!(count(&dropped), 2);
        children.join().unwrap();
    });
}

#[test]
fn two_children_end_as_their_group_is_dropped_and_the_scope_around_waits_for_both() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let guards = [0, 1].map(|_| Dropped(dropped.clone()));
        let children = block_on(Scope::detached().run(async move {
            let group = open(&hand);
            for guard in guards {
                group.spawn(done(guard));
            }
            let children = thread::spawn(move || {
                hand.run_one();
                hand.run_one();
            });
            drop(group);
            children
        }));
        assert_eq!(count(&dropped), 2);
        children.unwrap().join().unwrap();
    });
}

#[test]
fn a_failure_on_another_thread_is_given_to_who_joins() {
    shim::model(|| {
        let hand = Hand::default();
        let group = open(&hand);
        group.spawn(async { Err::<(), _>(7) });
        let child = thread::spawn(move || hand.run_one());
        assert_eq!(block_on(group.join()).unwrap_err().into_errors(), [7]);
        child.join().unwrap();
    });
}

#[test]
fn a_child_ends_as_its_group_is_dropped_and_the_scope_around_waits_for_it() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let guard = Dropped(dropped.clone());
        let child = block_on(Scope::detached().run(async move {
            let group = open(&hand);
            group.spawn(done(guard));
            let child = thread::spawn(move || hand.run_one());
            drop(group);
            child
        }));
        assert_eq!(count(&dropped), 1);
        child.unwrap().join().unwrap();
    });
}

#[test]
fn a_child_ends_as_a_join_is_dropped_and_the_scope_around_waits_for_it() {
    shim::model(|| {
        let (hand, dropped) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let guard = Dropped(dropped.clone());
        let child = block_on(Scope::detached().run(async move {
            let group = open(&hand);
            group.spawn(done(guard));
            let mut join = Box::pin(group.join());
            poll_fn(|cx| Poll::Ready(join.as_mut().poll(cx).is_pending())).await;
            let child = thread::spawn(move || hand.run_one());
            drop(join);
            child
        }));
        assert_eq!(count(&dropped), 1);
        child.unwrap().join().unwrap();
    });
}

#[test]
fn a_cancel_where_it_is_joined_ends_its_children() {
    shim::model(|| {
        let (hand, scope) = (Hand::default(), Scope::detached());
        let group = open(&hand);
        group.spawn(pending::<Result<(), _>>());
        let canceller = scope.clone();
        let other = thread::spawn(move || {
            canceller.cancel(Cause::requested("over"));
            hand.run_one();
        });
        let ended = block_on(scope.run(group.join()));
        assert_eq!(ended.unwrap_err().text(), "over");
        other.join().unwrap();
    });
}
