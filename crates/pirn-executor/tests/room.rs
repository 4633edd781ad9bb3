//! How much room a queue keeps that was long.

use pirn_executor::internals::{KEPT, PART, after_rest};

#[test]
fn what_is_little_stays() {
    for room in [0, 1, KEPT - 1, KEPT] {
        assert_eq!(after_rest(room), room);
    }
}

#[test]
fn what_is_much_goes_by_halves_and_never_more_than_a_part_at_once() {
    assert_eq!(after_rest(KEPT + 1), KEPT);
    assert_eq!(after_rest(3 * KEPT), 3 * KEPT / 2);
    assert_eq!(after_rest(2 * PART), PART);
    let mut room = 40 * PART;
    let mut rests = 0;
    while room > KEPT {
        let left = after_rest(room);
        assert!(left < room && room - left <= PART);
        (room, rests) = (left, rests + 1);
    }
    assert_eq!(room, KEPT);
    assert!(rests < 50, "{rests}");
}
