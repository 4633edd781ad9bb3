//! Results without handles, in all groups: a part of `tests/collect.rs`, of `tests/in_task.rs`, of
//! `tests/local.rs` and of `tests/executors.rs`, where `on` says how a group is made.

use super::support::{Bomb, Flag, Gate, reports, yield_now};
use super::{Hand, on};
use pirn_core::{Cause, shield};
use pirn_group::{ChildError, GroupError};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

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
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
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
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
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
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
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
    let error = ended.unwrap_err();
    let task = error.first().unwrap().task();
    assert_eq!(task.name(), Some("bad"));
    assert!(task.spawned_at().file().ends_with("collect.rs"));
    assert_eq!(error.into_errors(), ["broken"]);
    assert_eq!(seen, [(1, "cancelled"), (0, "cancelled")]);
}

#[test]
fn a_child_that_is_refused_has_its_number_and_says_why() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        let mut values = g.collect();
        assert_eq!(values.spawn(after(1, 1)), 0);
        g.close();
        assert_eq!(values.spawn(after(0, 2)), 1);
        let mut seen = Vec::new();
        while let Some((number, ended)) = values.next().await {
            seen.push((number, ended.map_err(text)));
        }
        Ok(seen)
    }));
    let refused = Err("the group has ended, or is about to");
    assert_eq!(ended.unwrap(), [(1, refused), (0, Ok(1))]);
}

#[test]
fn all_gives_the_first_in_order_that_has_no_value() {
    let hand = Hand::default();
    let mut seen = None;
    let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
        let values = g.collect();
        values.spawn(after(1, 1));
        values.spawn(pending());
        shield(async {
            yield_now().await;
            g.cancel(Cause::requested("enough"));
            seen = Some(text(values.all().await.unwrap_err()));
        })
        .await;
        Ok(())
    }));
    ended.unwrap();
    assert_eq!(seen, Some("cancelled"));
}

#[test]
fn a_wait_that_is_given_up_loses_no_result_and_the_last_one_who_waits_is_woken() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        let mut values = g.collect();
        let passed = gate.clone();
        values.spawn(async move {
            passed.passed().await;
            Ok(7)
        });
        let first = poll_fn(|cx| Poll::Ready(pin!(values.next()).poll(cx).is_pending())).await;
        let (woken, waker) = Flag::new();
        let second = values.poll_next(&mut Context::from_waker(&waker));
        assert!(first && second.is_pending());
        yield_now().await;
        gate.open();
        yield_now().await;
        assert!(woken.take());
        let value = values.next().await.unwrap().1.unwrap();
        assert!(values.next().await.is_none());
        Ok(value)
    }));
    assert_eq!(ended.unwrap(), 7);
}

#[test]
fn dropping_it_leaves_the_children_to_the_group() {
    let hand = Hand::default();
    let ended: Ended<_> = hand.finish(on(&hand).run(async |g| {
        let values = g.collect();
        values.spawn(after(2, 1));
        drop(values);
        Ok(g.live())
    }));
    assert_eq!((ended.unwrap(), hand.held()), (1, 0));
}

#[test]
fn results_that_nobody_takes_are_dropped_and_each_destructor_that_panics_is_reported() {
    reports();
    for children_end_first in [true, false] {
        let hand = Hand::default();
        let ended: Ended<()> = hand.finish(on(&hand).run(async |g| {
            let bombs = g.collect();
            for name in ["one bomb", "another bomb"] {
                bombs.spawn(async move { Ok(Bomb(name)) });
            }
            if children_end_first {
                yield_now().await;
            }
            drop(bombs);
            Ok(())
        }));
        ended.unwrap();
        let reported = reports().concat();
        assert!(reported.contains("one bomb") && reported.contains("another bomb"));
    }
}
