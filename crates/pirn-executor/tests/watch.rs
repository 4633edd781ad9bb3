//! Who looks after those that work.

use pirn_executor::internals::{Idle, Watches};

#[test]
fn two_watch_at_a_time_and_not_for_the_same_time() {
    let watches = Watches::default();
    let (first, second) = (watches.take().unwrap(), watches.take().unwrap());
    assert!(watches.take().is_none());
    assert_ne!(first.1, second.1);
    let time = first.1;
    drop(first);
    assert_eq!(watches.take().unwrap().1, time);
}

#[test]
fn a_sleeper_is_named_only_if_nobody_watches() {
    let (idle, watches) = (Idle::new(3), Watches::default());
    assert_eq!(watches.missing(&idle), None, "nobody sleeps");
    idle.sleep(1, false);
    assert_eq!(watches.missing(&idle), Some(1));
    assert_eq!(watches.missing(&idle), Some(1), "it still sleeps");
    let watch = watches.take();
    assert_eq!(watches.missing(&idle), None);
    drop(watch);
    assert_eq!(watches.missing(&idle), Some(1));
}
