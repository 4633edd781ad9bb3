//! Semaphore, lock, event, condition, queues, barrier.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/30_semaphore.rs"]
mod semaphore;

#[test]
fn a_semaphore_of_two_has_two_inside_and_lets_the_others_in_as_they_came() {
    assert_eq!(
        trace(semaphore::program()),
        [
            "0.00 ada sits down",
            "0.00 ben sits down",
            "1.00 ada gets up",
            "1.00 ben gets up",
            "1.00 cleo sits down",
            "1.00 dan sits down",
            "2.00 cleo gets up",
            "2.00 dan gets up",
            "2.00 eve sits down",
            "3.00 eve gets up",
            "3.00 2 looms are free"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/31_lock.rs"]
mod lock;

#[test]
fn a_lock_that_is_held_across_an_await_keeps_both_deposits() {
    assert_eq!(
        trace(lock::program()),
        [
            "1.00 without a lock: 20",
            "2.00 0 was read, 10 is there",
            "3.00 10 was read, 30 is there",
            "3.00 with one: 30"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/32_event.rs"]
mod event;

#[test]
fn an_event_holds_everybody_up_until_it_is_set_and_nobody_after() {
    assert_eq!(
        trace(event::program()),
        [
            "0.00 ada is there",
            "1.00 ben is there",
            "2.00 go",
            "2.00 ada runs",
            "2.00 ben runs",
            "3.00 cleo is there",
            "3.00 cleo runs",
            "3.00 for the next race it is set: false"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/33_condition.rs"]
mod condition;

#[test]
fn a_condition_wakes_all_and_those_for_whom_it_is_not_right_wait_on() {
    assert_eq!(
        trace(condition::program()),
        [
            "0.00 ada sees 0",
            "0.00 ben sees 0",
            "0.00 cleo sees 0",
            "1.00 the baker brings 1",
            "1.00 ada takes one and leaves 0",
            "2.00 the baker brings 2",
            "2.00 ben takes one and leaves 1",
            "2.00 cleo takes one and leaves 0",
            "2.00 sold out"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/34_queue.rs"]
mod queue;

#[test]
fn a_full_queue_makes_its_producer_wait_and_join_waits_for_the_last_item_to_be_done() {
    assert_eq!(
        trace(queue::program()),
        [
            "0.00 put 1",
            "0.00 put 2",
            "0.00 got 1",
            "0.00 put 3",
            "1.00 done 1",
            "1.00 got 2",
            "1.00 put 4",
            "2.00 done 2",
            "2.00 got 3",
            "3.00 done 3",
            "3.00 got 4",
            "4.00 done 4",
            "4.00 0 unfinished",
            "4.00 closed"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/35_end_of_a_queue.rs"]
mod end_of_a_queue;

#[test]
fn a_sentinel_is_for_one_consumer_and_close_is_for_all() {
    assert_eq!(
        trace(end_of_a_queue::program()),
        [
            "0.00 ada does the warp",
            "0.00 ben does the weft",
            "1.00 ada does the hem",
            "1.00 ben goes home",
            "2.00 ada goes home",
            "2.00 by sentinel",
            "2.00 ada does the warp",
            "2.00 ben does the weft",
            "3.00 ada does the hem",
            "3.00 ben goes home",
            "4.00 ada goes home",
            "4.00 by close"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/36_priority.rs"]
mod priority;

#[test]
fn a_priority_queue_gives_the_most_urgent_first_and_equals_in_order() {
    assert_eq!(
        trace(priority::program()),
        [
            "0.00 a cut (2)",
            "2.00 a broken leg (1)",
            "4.00 a cough (3)",
            "6.00 a cold (3)",
            "8.00 closed"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/37_barrier.rs"]
mod barrier;

#[test]
fn a_barrier_lets_all_on_at_the_moment_the_last_one_comes() {
    assert_eq!(
        trace(barrier::program()),
        [
            "1.00 cleo is at the top",
            "2.00 ada is at the top",
            "3.00 ben is at the top",
            "3.00 ben takes the picture",
            "3.00 ben goes down",
            "3.00 cleo goes down",
            "3.00 ada goes down",
            "3.00 all are down"
        ]
    );
}
