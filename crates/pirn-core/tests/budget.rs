//! The budget: what a task that has spent it is told.

#[path = "loom/count.rs"]
mod count;

use count::Count;
use pirn_core::budget::{self, BUDGET};
use std::task::{Context, Poll};

#[test]
fn a_task_that_has_spent_its_budget_is_woken_to_go_on_in_its_next_poll() {
    let count = Count::new();
    let waker = count.waker();
    let mut cx = Context::from_waker(&waker);
    let poll = budget::refill();
    for _ in 0..BUDGET {
        assert!(budget::poll_spend(&mut cx).is_ready());
    }
    assert_eq!(count.wakes(), 0);
    assert_eq!(budget::poll_spend(&mut cx), Poll::Pending);
    assert_eq!(count.wakes(), 1);
    drop(poll);
    let _next = budget::refill();
    assert!(budget::poll_spend(&mut cx).is_ready());
    assert_eq!(count.wakes(), 1);
}

#[test]
fn outside_every_poll_there_is_no_bound() {
    let count = Count::new();
    let waker = count.waker();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..=BUDGET {
        assert!(budget::poll_spend(&mut cx).is_ready());
    }
    assert_eq!(count.wakes(), 0);
}

#[test]
fn only_the_outermost_wrapper_refills() {
    let outer = budget::refill_if_outermost();
    assert!(outer.is_some());
    assert!(budget::refill_if_outermost().is_none());
    drop(outer);
    assert!(budget::refill_if_outermost().is_some());
}
