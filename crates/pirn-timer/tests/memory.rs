//! What timers cost in memory: nothing, once there have been as many before.

#[path = "../../pirn-executor/tests/common/counting.rs"]
mod counting;

use counting::allocated;
use pirn_timer::wheel::{Key, Wheel};

const MANY: u64 = 100_000;

/// How many allocations `f` makes.
fn allocations(f: impl FnOnce()) -> usize {
    let before = allocated();
    f();
    allocated() - before
}

/// Sets many timers, takes half of them back, and lets the others fire.
fn round(wheel: &mut Wheel<u64>, number: u64, keys: &mut Vec<Key>) {
    let begin = number * (1 << 30);
    keys.extend((0..MANY).map(|n| wheel.insert(begin + (n * 7_919) % (1 << 30), n)));
    for key in keys.drain(..).step_by(2) {
        assert!(wheel.remove(key).is_some());
    }
    let mut count = 0;
    while wheel.pop_expired(begin + (1 << 30)).is_some() {
        count += 1;
    }
    assert_eq!((count, wheel.len()), (MANY / 2, 0));
}

#[test]
fn a_wheel_that_has_grown_allocates_nothing() {
    let mut keys = Vec::with_capacity(MANY as usize);
    let mut wheel = Wheel::new();
    let grown = allocations(|| round(&mut wheel, 0, &mut keys));
    assert!(grown > 0, "nothing is counted");
    let again = allocations(|| (1..4).for_each(|number| round(&mut wheel, number, &mut keys)));
    assert_eq!(again, 0);
}
