//! How long a group is there: as long as its handles and its children, and no longer.

mod support;

use pirn_core::shield;
use pirn_group::{GroupBuilder, OwnedGroup};
use std::sync::Arc;
use support::{Gate, Hand};

/// A group that has `name`, which is let go of with it.
fn open(hand: &Hand, name: &Arc<str>) -> OwnedGroup<&'static str, Hand> {
    let builder = GroupBuilder::on(hand.clone()).named(Arc::clone(name));
    builder.open()
}

#[test]
fn a_group_that_was_dropped_is_there_until_its_last_child_has_ended() {
    let (hand, name) = (Hand::default(), Arc::<str>::from("weavers"));
    let gates = [Gate::default(), Gate::default()];
    let group = open(&hand, &name);
    for gate in &gates {
        let passed = gate.passed();
        group.spawn(shield(async move {
            passed.await;
            Ok(())
        }));
    }
    hand.settle();
    drop(group);
    for gate in gates {
        assert_eq!(Arc::strong_count(&name), 2);
        gate.open();
        hand.settle();
    }
    assert_eq!((hand.held(), Arc::strong_count(&name)), (0, 1));
}

#[test]
fn a_group_that_was_joined_is_gone() {
    let (hand, name) = (Hand::default(), Arc::<str>::from("weavers"));
    let group = open(&hand, &name);
    let first = group.spawn(async { Ok(1) });
    hand.settle();
    // Nobody lives, then somebody does again.
    assert!(first.is_finished());
    group.spawn(async { Ok(2) });
    hand.finish(group.join()).unwrap();
    assert_eq!(Arc::strong_count(&name), 1);
    drop(first);
}

#[test]
fn a_group_whose_executor_drops_its_children_is_gone() {
    let (hand, name) = (Hand::default(), Arc::<str>::from("weavers"));
    let group = open(&hand, &name);
    group.spawn(async { Ok(1) });
    group.spawn(async { Ok(2) });
    hand.lose(0);
    drop(group);
    hand.lose(0);
    assert_eq!((hand.held(), Arc::strong_count(&name)), (0, 1));
}

#[test]
fn a_child_that_is_refused_leaves_its_group_as_it_was() {
    let (hand, name) = (Hand::default(), Arc::<str>::from("weavers"));
    let group = open(&hand, &name);
    hand.refuse();
    let child = group.spawn(async { Ok(1) });
    assert_eq!((group.live(), child.is_finished()), (0, true));
    drop(group);
    assert_eq!(Arc::strong_count(&name), 1);
}
