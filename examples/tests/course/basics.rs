//! Functions, tasks, and what runs at once.

use pirn_examples::{trace, words};

#[allow(dead_code, reason = "its main")]
#[path = "../../course/01_hello.rs"]
mod hello;

#[test]
fn a_future_does_nothing_until_it_is_awaited() {
    let said = trace(hello::program());
    assert_eq!(
        said,
        [
            "0.00 made, and not begun",
            "0.00 about to greet loom",
            "1.00 hello, loom",
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/02_one_after_another.rs"]
mod one_after_another;

#[test]
fn awaits_in_a_row_add_up_and_a_gather_takes_as_long_as_its_longest() {
    let said = trace(one_after_another::program());
    assert_eq!(
        said,
        [
            "0.00 warp begins",
            "2.00 warp ends",
            "2.00 weft begins",
            "5.00 weft ends",
            "5.00 one after another: WARP WEFT",
            "5.00 warp begins",
            "5.00 weft begins",
            "7.00 warp ends",
            "8.00 weft ends",
            "8.00 at once: WARP WEFT",
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/03_others_go_on.rs"]
mod others_go_on;

#[test]
fn an_await_suspends_the_function_it_stands_in_and_the_others_go_on() {
    let said = trace(others_go_on::program());
    assert_eq!(
        said,
        [
            "0.00 main has tea",
            "1.00 scarf, row 1",
            "2.00 scarf, row 2",
            "2.50 main is back",
            "3.00 scarf, row 3",
            "3.00 the scarf is done"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/04_awaitable.rs"]
mod awaitable;

#[test]
fn a_type_of_ones_own_is_awaited_by_what_it_becomes() {
    let said = trace(awaitable::program());
    assert_eq!(said, ["1.00 blue thread", "3.00 red thread"]);
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/05_run.rs"]
mod run;

#[test]
fn a_run_inside_a_run_is_refused_and_plain_code_has_a_way() {
    assert_eq!(pirn::run(run::fetch()), 42);
    let said = words(run::program());
    assert_eq!(said.len(), 3);
    assert_eq!(said[0], "awaited: 42");
    let refused = "a runtime is running on this thread already";
    assert!(said[1].starts_with(refused), "{}", said[1]);
    assert!(said[1].contains("use `.await`"), "{}", said[1]);
    assert_eq!(said[2], "from plain code: 42");
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/06_between_awaits.rs"]
mod between_awaits;

#[test]
fn what_stands_between_two_awaits_happens_as_one_step() {
    let said = trace(between_awaits::program());
    assert_eq!(
        said,
        [
            "1.00 an await in between: 1 of 5 arrived",
            "2.00 no await in between: 5 of 5 arrived"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/07_turns.rs"]
mod turns;

#[test]
fn who_yields_lets_the_shorter_one_end_first() {
    let said = trace(turns::program());
    assert_eq!(
        said,
        [
            "0.00 the ribbon: 5000 threads",
            "0.00 the carpet: 100000 threads"
        ]
    );
}
