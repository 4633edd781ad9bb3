//! Results of a group's children, without handles.

mod support;

use pirn_core::{Cause, shield};
use pirn_group::{ChildError, GroupBuilder, GroupError};
use std::future::pending;
use std::pin::pin;
use support::{Flag, Gate, Hand, poll, reports, yield_now};

type Ended<T> = Result<T, GroupError<&'static str>>;

async fn after(turns: usize, value: usize) -> Result<usize, &'static str> {
    for _ in 0..turns {
        yield_now().await;
    }
    Ok(value)
}

fn text(error: ChildError) -> &'static str {
    match error {
        ChildError::Cancelled(_) => "cancelled",
        ChildError::Refused(reason) => reason,
    }
}

#[test]
fn results_come_as_the_children_end_with_their_numbers() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let mut values = g.collect();
        for turns in [3, 1, 2] {
            values.spawn(after(turns, turns * 10));
        }
        assert_eq!(values.len(), 3);
        let mut seen = Vec::new();
        while let Some((number, value)) = values.next().await {
            seen.push((number, value.map_err(text)?));
        }
        assert!(values.is_empty());
        // It goes on after that.
        assert_eq!(values.spawn_named("more", after(0, 5)), 3);
        seen.push((3, values.next().await.unwrap().1.unwrap()));
        Ok(seen)
    }));
    assert_eq!(ended.unwrap(), [(1, 10), (2, 20), (0, 30), (3, 5)]);
}

#[test]
fn all_of_them_come_in_the_order_in_which_they_were_spawned() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let mut values = g.collect();
        for turns in [5, 1, 4, 2] {
            values.spawn(after(turns, turns));
        }
        let first = values.next().await.unwrap();
        assert_eq!((first.0, first.1.unwrap()), (1, 1));
        values.all().await.map_err(text)
    }));
    assert_eq!(ended.unwrap(), [5, 4, 2]);
}

#[test]
fn a_child_that_fails_gives_the_groups_cause_and_its_error_goes_to_the_end() {
    let hand = Hand::default();
    let mut seen = Vec::new();
    let ended: Ended<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let mut values = g.collect();
        values.spawn(pending());
        values.spawn_named("bad", async { Err::<usize, _>("broken") });
        shield(async {
            while let Some((number, ended)) = values.next().await {
                seen.push((number, text(ended.unwrap_err())));
            }
        })
        .await;
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["broken"]);
    assert_eq!(seen, [(1, "cancelled"), (0, "cancelled")]);
}

#[test]
fn a_child_that_is_refused_has_its_number_and_says_why() {
    let hand = Hand::default();
    let mut seen = None;
    let ended: Ended<()> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let mut values = g.collect();
        hand.refuse();
        assert_eq!(values.spawn(after(0, 1)), 0);
        shield(async {
            seen = values.next().await;
            assert!(values.next().await.is_none());
        })
        .await;
        Ok(())
    }));
    let (number, ended_so) = seen.unwrap();
    assert_eq!(
        (number, text(ended_so.unwrap_err())),
        (0, "the hand is full")
    );
    assert!(ended.unwrap_err().cause().is_some());
}

#[test]
fn all_gives_the_first_in_order_that_has_no_value() {
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).open::<&str>();
    let values = group.collect();
    values.spawn(after(1, 1));
    values.spawn(pending());
    hand.turn();
    group.cancel(Cause::requested("enough"));
    let ended = hand.finish(values.all());
    assert_eq!(text(ended.unwrap_err()), "cancelled");
    hand.finish(group.join()).unwrap();
}

#[test]
fn a_wait_that_is_given_up_loses_no_result_and_the_last_one_who_waits_is_woken() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let group = GroupBuilder::on(hand.clone()).open::<&str>();
    let mut values = group.collect();
    let passed = gate.clone();
    values.spawn(async move {
        passed.passed().await;
        Ok(7)
    });
    assert!(poll(pin!(values.next())).is_pending());
    let (woken, waker) = Flag::new();
    assert!(
        values
            .poll_next(&mut std::task::Context::from_waker(&waker))
            .is_pending()
    );
    gate.open();
    hand.settle();
    assert!(woken.take());
    assert_eq!(hand.finish(values.next()).unwrap().1.unwrap(), 7);
    assert!(hand.finish(values.next()).is_none());
    hand.finish(group.join()).unwrap();
}

#[test]
fn dropping_it_leaves_the_children_to_the_group() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
        let values = g.collect();
        values.spawn(after(2, 1));
        drop(values);
        Ok(g.live())
    }));
    assert_eq!((ended.unwrap(), hand.held()), (1, 0));
}

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[test]
fn results_that_nobody_takes_are_dropped_and_each_destructor_that_panics_is_reported() {
    reports();
    for children_end_first in [true, false] {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<&str>();
        let bombs = group.collect();
        for name in ["one bomb", "another bomb"] {
            bombs.spawn(async move { Ok(Bomb(name)) });
        }
        if children_end_first {
            hand.settle();
        }
        drop(bombs);
        hand.finish(group.join()).unwrap();
        let reported = reports().concat();
        assert!(reported.contains("one bomb") && reported.contains("another bomb"));
    }
}
