//! Functions, tasks, and what runs at once.

use pirn_examples::trace;

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
