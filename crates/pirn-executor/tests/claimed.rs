//! What one worker at a time does.

use pirn_core::shim::atomic::AtomicBool;
use pirn_executor::internals::Claimed;

#[test]
fn it_is_free_again_when_whoever_had_it_is_done() {
    let flag = AtomicBool::new(false);
    let claimed = Claimed::take(&flag);
    assert!(claimed.is_some());
    drop(claimed);
    assert!(Claimed::take(&flag).is_some());
}

#[test]
fn who_finds_it_taken_does_not_give_it_up() {
    let flag = AtomicBool::new(false);
    let _claimed = Claimed::take(&flag).unwrap();
    assert!(Claimed::take(&flag).is_none());
    assert!(Claimed::take(&flag).is_none());
}
