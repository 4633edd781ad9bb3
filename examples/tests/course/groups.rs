//! Groups of tasks, and their errors.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/24_group.rs"]
mod group;

#[test]
fn a_group_is_left_when_all_its_tasks_are_done() {
    let said = trace(group::program());
    assert_eq!(
        said,
        [
            "1.00 warp is here",
            "2.00 weft is here",
            "2.00 the body is done",
            "3.00 the bill is here",
            "3.00 WARP and WEFT"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/25_group_fails.rs"]
mod group_fails;

#[test]
fn a_group_that_fails_ends_after_clean_up_with_every_error() {
    let said = trace(group_fails::program());
    assert_eq!(
        said,
        [
            "1.50 scarf is off the loom",
            "1.50 shawl is off the loom",
            "2.00 carpet is off the loom",
            "2.00 scarf: a thread broke",
            "2.00 shawl: a thread broke",
            "3.50 ribbon is off the loom",
            "3.50 the body fell ill"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/26_by_kind.rs"]
mod by_kind;

#[test]
fn each_kind_of_error_goes_to_its_handler_and_the_rest_goes_on() {
    let said = trace(by_kind::program());
    assert_eq!(
        said,
        [
            "1.00 no length: seven 4.5",
            "1.00 no length: x 1",
            "1.00 no price: 7 cheap",
            "1.00 left: not an order"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/27_cancel_one.rs"]
mod cancel_one;

#[test]
fn a_task_that_is_cancelled_alone_is_no_failure() {
    let said = trace(cancel_one::program());
    assert_eq!(
        said,
        [
            "1.00 carpet: false",
            "3.00 scarf is woven",
            "3.00 the group's value: \"scarf\""
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/28_group_over.rs"]
mod group_over;

#[test]
fn a_group_that_is_over_takes_no_more_tasks() {
    let said = trace(group_over::program());
    assert_eq!(
        said,
        [
            "1.00 scarf is woven",
            "1.00 over: true",
            "1.00 the task was not spawned: the group has ended, or is about to"
        ]
    );
}
