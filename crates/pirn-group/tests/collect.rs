//! Results of a group's children, without handles.

#[path = "forms/collect.rs"]
mod cases;
mod support;

use pirn_core::shield;
use pirn_group::{ChildError, GroupBuilder, GroupError};
use support::Hand;

fn on(hand: &Hand) -> GroupBuilder<Hand> {
    GroupBuilder::on(hand.clone())
}

#[test]
fn a_child_that_its_executor_refuses_has_its_number_and_the_group_is_not_complete() {
    let hand = Hand::default();
    let mut seen = None;
    let run = on(&hand).run(async |g| {
        let mut values = g.collect();
        hand.refuse();
        assert_eq!(values.spawn(async { Ok(1) }), 0);
        shield(async {
            seen = values.next().await;
            assert!(values.next().await.is_none());
        })
        .await;
        Ok(())
    });
    let ended: Result<(), GroupError<&str>> = hand.finish(run);
    let Some((0, Err(ChildError::Refused(reason)))) = seen else {
        panic!("{seen:?}")
    };
    assert_eq!(reason, "the hand is full");
    assert!(ended.unwrap_err().cause().is_some());
}
