//! The budget: what a task that has spent it is told.

#[path = "loom/count.rs"]
mod count;

use count::Count;
use pirn_core::budget::inspect::{self, Note};
use pirn_core::budget::{self, BUDGET};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use pirn_core::{Scope, shield};
use std::future::Future;
use std::pin::pin;
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

/// Gives nobody anything.
struct Never;

impl Policy<1> for Never {
    type State = ();
    type Want = ();
    fn admit(_: &mut Door<'_, Self, 1>, _: usize, (): ()) -> Option<()> {
        None
    }
    fn put_back(_: &mut Door<'_, Self, 1>, _: usize, (): ()) {}
    fn settle(_: &mut Door<'_, Self, 1>, _: usize) {}
}

#[test]
fn who_inspects_is_told_what_a_leaf_waits_for_and_the_leaf_stays_where_it_is() {
    let list = WaitList::new(Never, ());
    let mut waiter = pin!(Waiter::new(&list, 0, ()));
    let count = Count::new();
    let waker = count.waker();
    let mut cx = Context::from_waker(&waker);
    assert!(waiter.as_mut().poll_granted(&mut cx).is_pending());

    let inspecting = inspect::begin();
    assert!(waiter.as_mut().poll_granted(&mut cx).is_pending());
    let notes = inspect::take();
    assert!(matches!(notes[..], [Note::Policy(name, _)] if name.ends_with("::Never")));
    assert_eq!(budget::poll_spend(&mut cx), Poll::Pending);
    let line = line!() - 1;
    let notes = inspect::take();
    assert!(matches!(notes[..], [Note::Place(place)] if place.line() == line));
    inspect::say("something");
    assert_eq!(inspect::take(), [Note::Words("something")]);
    drop(inspecting);

    assert!(!inspect::is_on());
    inspect::say("to nobody");
    assert!(inspect::take().is_empty());
    assert_eq!(list.enter(|door| door.waiting(0)), 1);
    assert!(budget::poll_spend(&mut cx).is_ready());
    assert_eq!(count.wakes(), 0);
}

#[test]
fn who_inspects_sees_into_scopes_and_shields() {
    let list = WaitList::new(Never, ());
    let mut run = pin!(Scope::detached().run(shield(async {
        let mut waiter = pin!(Waiter::new(&list, 0, ()));
        std::future::poll_fn(|cx| waiter.as_mut().poll_granted(cx)).await;
    })));
    let count = Count::new();
    let waker = count.waker();
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    let _inspecting = inspect::begin();
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(inspect::take().len(), 1);
}

#[test]
fn nothing_is_noted_where_nobody_inspects() {
    assert!(!inspect::note(Note::Task(1)));
    let refilled = inspect::refill();
    let count = Count::new();
    assert!(budget::poll_spend(&mut Context::from_waker(&count.waker())).is_ready());
    drop(refilled);
    assert!(inspect::take().is_empty());
}
