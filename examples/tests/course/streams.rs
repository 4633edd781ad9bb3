//! Resources, and what comes item by item.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/46_resource.rs"]
mod resource;

#[test]
fn a_resource_is_closed_after_a_value_an_error_and_a_timeout() {
    assert_eq!(
        trace(resource::program()),
        [
            "0.50 one is open",
            "1.70 one is closed",
            "1.70 Ok(1)",
            "2.20 two is open",
            "2.40 two is closed",
            "2.40 Err(\"nothing was asked\")",
            "2.90 three is open",
            "3.60 three is closed",
            "3.60 in time: false"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/47_pool.rs"]
mod pool;

#[test]
fn a_pool_of_two_opens_two_connections_for_five_queries_and_closes_both() {
    assert_eq!(
        trace(pool::program()),
        [
            "0.50 a connection is open",
            "0.50 a connection is open",
            "0.60 query 1",
            "0.60 query 2",
            "0.70 query 3",
            "0.70 query 4",
            "0.80 query 5",
            "1.00 a connection is closed",
            "1.20 a connection is closed",
            "1.20 [1, 4, 9, 16, 25]"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/48_generator.rs"]
mod generator;

#[test]
fn a_generator_runs_when_it_is_asked_and_its_clean_up_is_awaited_by_close() {
    assert_eq!(
        trace(generator::program()),
        [
            "1.00 page 1",
            "3.00 page 2",
            "5.00 page 3",
            "6.50 signed off",
            "6.50 that is enough"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/49_comprehension.rs"]
mod comprehension;

#[test]
fn a_comprehension_waits_for_each_and_a_gather_for_all() {
    assert_eq!(
        trace(comprehension::program()),
        [
            "3.00 a loop: [1, 4, 9]",
            "6.00 a stream: [1, 9]",
            "7.00 at once: [1, 4, 9]"
        ]
    );
}
