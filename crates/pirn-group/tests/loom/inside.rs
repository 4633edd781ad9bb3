//! Models of how long a group is there, whose children end at once.

use crate::hand::Hand;
use pirn_core::shim::{self, block_on, thread};
use pirn_group::{GroupBuilder, OwnedGroup};
use std::sync::Arc;

/// A group of two children that has `name`, which is let go of with it.
fn two(name: &Arc<str>) -> (OwnedGroup<u8, Hand>, Hand) {
    let hand = Hand::default();
    let builder = GroupBuilder::on(hand.clone()).named(Arc::clone(name));
    let group = builder.open::<u8>();
    group.spawn(async { Ok(()) });
    group.spawn(async { Ok(()) });
    (group, hand)
}

#[test]
fn a_group_is_gone_that_is_dropped_as_its_children_end() {
    shim::model(|| {
        let name = Arc::<str>::from("weavers");
        let (group, hand) = two(&name);
        let tasks = [hand.take(), hand.take()];
        let children = tasks.map(|task| thread::spawn(move || block_on(task)));
        drop(group);
        children.into_iter().for_each(|child| child.join().unwrap());
        assert_eq!(Arc::strong_count(&name), 1);
    });
}

#[test]
fn a_group_is_gone_that_one_child_leaves_as_another_joins() {
    shim::model(|| {
        let name = Arc::<str>::from("weavers");
        let (group, hand) = two(&name);
        let tasks = [hand.take(), hand.take()];
        let ends = thread::spawn(move || tasks.into_iter().for_each(block_on));
        group.spawn(async { Ok(()) });
        hand.run_one();
        ends.join().unwrap();
        block_on(group.join()).unwrap();
        assert_eq!(Arc::strong_count(&name), 1);
    });
}
