//! Cancels, limits in time, shields.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/18_cancel_a_task.rs"]
mod cancel_a_task;

#[test]
fn a_cancel_runs_the_clean_up_and_gives_its_reason() {
    let said = trace(cancel_a_task::program());
    assert_eq!(
        said,
        [
            "0.00 weaving",
            "1.00 cut off the loom: the wool is out",
            "1.50 the loom is free",
            "1.50 cancelled: the wool is out"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/19_cancel_early.rs"]
mod cancel_early;

#[test]
fn a_task_that_is_cancelled_before_its_first_step_never_runs() {
    let said = trace(cancel_early::program());
    assert_eq!(said, ["0.00 woven: false"]);
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/20_timeout.rs"]
mod timeout;

#[test]
fn a_timeout_gives_the_value_or_its_error_after_the_clean_up() {
    let said = trace(timeout::program());
    assert_eq!(
        said,
        [
            "1.25 connection closed",
            "1.25 Some(\"data\")",
            "3.50 connection closed",
            "3.50 None",
            "3.50 Ok(\"ready\")",
            "3.50 Err(Elapsed)"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/21_late_value.rs"]
mod late_value;

#[test]
fn the_value_of_what_cannot_be_interrupted_wins_over_the_timeout() {
    let said = trace(late_value::program());
    assert_eq!(
        said,
        [
            "3.00 the money has changed hands",
            "3.00 Ok(\"paid\")",
            "6.00 the money has changed hands",
            "6.00 Err(Elapsed)"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/22_deadline.rs"]
mod deadline;

#[test]
fn a_block_moves_its_own_deadline() {
    let said = trace(deadline::program());
    assert_eq!(said, ["5.50 timed out with 3 rows", "5.50 expired: true"]);
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/23_move_on.rs"]
mod move_on;

#[test]
fn who_is_late_is_left_behind_without_an_error() {
    let said = trace(move_on::program());
    assert_eq!(said, ["2.50 all of it: false", "2.50 [\"warp\", \"weft\"]"]);
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/29_shield.rs"]
mod shield;

#[test]
fn what_is_shielded_ends_and_nothing_after_it_begins() {
    let said = trace(shield::program());
    assert_eq!(
        said,
        [
            "0.00 taken from one",
            "2.00 given to the other",
            "3.00 taken from one",
            "4.00 closing time",
            "5.00 given to the other",
            "5.00 cancelled: true"
        ]
    );
}
