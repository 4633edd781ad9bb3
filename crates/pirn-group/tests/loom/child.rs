//! Models of a child that is cancelled alone, while it begins elsewhere.

use crate::hand::Hand;
use pirn_core::Cause;
use pirn_core::shim::{self, block_on, thread};
use pirn_group::GroupBuilder;
use std::future::pending;

#[test]
fn a_cancel_finds_a_child_in_its_first_poll() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let child = group.spawn(pending::<Result<(), _>>());
        let executor = thread::spawn(move || hand.run_one());
        assert!(child.cancel(Cause::requested("enough")));
        assert!(!child.cancel(Cause::requested("again")));
        assert!(block_on(child).unwrap_err().is_cancelled());
        block_on(group.join()).unwrap();
        executor.join().unwrap();
    });
}
