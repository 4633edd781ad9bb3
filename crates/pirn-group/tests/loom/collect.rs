//! Models of a group's results, taken as children end elsewhere.

use crate::hand::Hand;
use pirn_core::shim::{self, block_on, thread};
use pirn_group::GroupBuilder;

#[test]
fn who_waits_for_results_has_each_of_two_once() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let mut values = group.collect();
        for value in [10, 11] {
            values.spawn(async move { Ok(value) });
        }
        let children = [hand.take(), hand.take()].map(|task| thread::spawn(|| block_on(task)));
        let mut seen = [false; 2];
        while let Some((number, value)) = block_on(values.next()) {
            assert_eq!(value.unwrap(), 10 + number);
            assert!(!std::mem::replace(&mut seen[number], true));
        }
        assert_eq!(seen, [true; 2]);
        children.into_iter().for_each(|child| child.join().unwrap());
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_child_that_is_lost_is_a_result_as_well() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let mut values = group.collect();
        values.spawn(async { Ok(1) });
        let executor = thread::spawn(move || drop(hand.take()));
        let (number, ended) = block_on(values.next()).unwrap();
        assert_eq!((number, ended.unwrap_err().is_cancelled()), (0, true));
        assert!(block_on(values.next()).is_none());
        executor.join().unwrap();
        assert!(block_on(group.join()).unwrap_err().cause().is_some());
    });
}
