//! Tasks, and several futures at once.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/08_start_and_join.rs"]
mod start_and_join;

#[test]
fn a_task_runs_from_its_spawn_and_is_joined_later() {
    let said = trace(start_and_join::program());
    assert_eq!(
        said,
        [
            "0.00 main goes on",
            "0.00 1 starts",
            "0.00 2 starts",
            "1.00 2 is done",
            "2.00 1 is done",
            "3.00 main has time for them",
            "3.00 (10, 20)"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/09_eager.rs"]
mod eager;

#[test]
fn an_eager_task_runs_to_its_first_wait_before_the_spawn_returns() {
    let said = trace(eager::program());
    assert_eq!(
        said,
        [
            "0.00 linen done: false",
            "0.00 wool looked up",
            "0.00 wool done: true",
            "0.00 silk looked up",
            "0.00 silk done: false",
            "0.00 linen looked up",
            "1.00 21"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/10_fire_and_forget.rs"]
mod fire_and_forget;

#[test]
fn a_detached_task_is_cancelled_at_the_end_and_its_clean_up_awaited() {
    let said = trace(fire_and_forget::program());
    assert_eq!(
        said,
        [
            "0.00 the small one begins",
            "0.00 the large one begins",
            "1.00 the small one is complete",
            "1.50 the small one is closed",
            "2.00 main ends",
            "2.50 the large one is closed"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/11_gather.rs"]
mod gather;

#[test]
fn a_gather_gives_its_values_in_the_order_of_what_it_was_given() {
    let said = trace(gather::program());
    assert_eq!(
        said,
        [
            "4.00 silk is measured",
            "5.00 linen is measured",
            "6.00 cotton is measured",
            "6.00 cotton: 60 m",
            "6.00 silk: 40 m",
            "6.00 linen: 50 m",
            "6.00 []"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/12_gather_fails.rs"]
mod gather_fails;

#[test]
fn a_gather_that_fails_ends_after_the_clean_up_of_the_others() {
    let said = trace(gather_fails::program());
    assert_eq!(
        said,
        [
            "1.50 page 1 is closed",
            "2.50 page 2 is closed",
            "3.00 page 3 is closed",
            "3.00 page 4 is closed",
            "3.00 no pages: page 2 is torn"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/13_every_outcome.rs"]
mod every_outcome;

#[test]
fn every_outcome_is_at_its_place() {
    let said = trace(every_outcome::program());
    assert_eq!(
        said,
        [
            "1.00 (12, 3): 4 m each",
            "1.00 (2, 3): too short",
            "1.00 (5, 0): the task panicked: attempt to divide by zero"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/14_first_of_them.rs"]
mod first_of_them;

#[test]
fn a_wait_gives_the_first_and_cancels_nobody() {
    let said = trace(first_of_them::program());
    assert_eq!(
        said,
        [
            "1.00 1: Ok(\"east delivers\")",
            "2.00 3: Err(\"west is closed\")",
            "4.00 all in time: false, left: 1",
            "9.00 0: Ok(\"north delivers\")",
            "9.00 2: Ok(\"south delivers\")"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/15_as_completed.rs"]
mod as_completed;

#[test]
fn ends_come_as_they_are_with_their_places() {
    let said = trace(as_completed::program());
    assert_eq!(
        said,
        [
            "3.00 red took 3 h, 2 left",
            "4.00 blue took 4 h, 1 left",
            "6.00 yellow took 6 h, 0 left"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/16_race.rs"]
mod race;

#[test]
fn the_first_value_is_given_when_the_others_have_cleaned_up() {
    let said = trace(race::program());
    assert_eq!(
        said,
        [
            "2.20 tortoise is out of the way",
            "2.40 hare is out of the way",
            "2.40 the tortoise wins"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/17_many_at_once.rs"]
mod many_at_once;

#[test]
fn twenty_of_a_hundred_run_at_once_and_each_has_its_result() {
    let said = trace(many_at_once::program());
    assert_eq!(
        said,
        [
            "0.10 page 13 is missing",
            "0.30 page 53 is missing",
            "0.50 page 93 is missing",
            "0.50 97 pages, 20 at once"
        ]
    );
}
