//! The event: who goes through, who waits.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::budget;
use pirn_sync::{Event, EventWait};
use std::panic::panic_any;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

fn queue(event: &Event, n: usize) -> Vec<(Pin<Box<EventWait<'_>>>, Arc<Count>)> {
    (0..n)
        .map(|_| {
            let mut wait = Box::pin(event.wait());
            let count = Count::new();
            assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
            (wait, count)
        })
        .collect()
}

#[test]
fn who_waits_goes_through_when_it_is_set_and_so_does_whoever_comes_later() {
    let event = Event::new();
    let mut waits = queue(&event, 2);
    event.set();
    event.set();
    for (wait, count) in &mut waits {
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(wait.as_mut(), &count.waker()).is_ready());
    }
    assert!(poll_once(pin!(event.wait()), &Count::new().waker()).is_ready());
}

#[test]
fn who_waited_goes_through_even_if_it_is_cleared_at_once() {
    let event = Event::new();
    let mut waits = queue(&event, 40);
    event.set();
    event.clear();
    let late = queue(&event, 1);
    for (wait, count) in &mut waits {
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(wait.as_mut(), &count.waker()).is_ready());
    }
    assert_eq!(late[0].1.wakes(), 0);
    event.set();
    assert_eq!(late[0].1.wakes(), 1);
}

#[test]
fn who_comes_while_others_are_being_woken_waits_if_it_is_clear_again() {
    /// Clears the event as it is woken, and waits anew.
    struct Again(Arc<Event>, Arc<Count>);
    impl std::task::Wake for Again {
        fn wake(self: Arc<Self>) {
            self.0.clear();
            let mut wait = pin!(self.0.wait());
            assert!(poll_once(wait.as_mut(), &self.1.waker()).is_pending());
        }
    }
    let event = Arc::new(Event::new());
    let anew = Count::new();
    let waker = Arc::new(Again(Arc::clone(&event), Arc::clone(&anew))).into();
    let mut first = pin!(event.wait());
    assert!(poll_once(first.as_mut(), &waker).is_pending());
    let waits = queue(&event, 40);
    event.set();
    assert!(waits.iter().all(|(_, count)| count.wakes() == 1));
    assert_eq!(anew.wakes(), 0);
    assert!(!event.is_set());
}

#[test]
fn a_waiter_may_leave_before_and_after_it_is_set() {
    let event = Event::new();
    let mut waits = queue(&event, 3);
    drop(waits.remove(1));
    event.set();
    event.clear();
    drop(waits.remove(0));
    let (wait, count) = &mut waits[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_ready());
}

#[test]
fn a_task_that_was_let_through_in_one_future_is_not_let_through_in_another() {
    let event = Event::new();
    let task = Count::new();
    let mut first = Box::pin(event.wait());
    assert!(poll_once(first.as_mut(), &task.waker()).is_pending());
    event.set();
    event.clear();
    assert!(poll_once(pin!(event.wait()), &task.waker()).is_pending());
    assert!(poll_once(first.as_mut(), &task.waker()).is_ready());
}

#[test]
fn without_budget_nobody_goes_through() {
    let event = Event::new();
    event.set();
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(event.wait()), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 1);
    drop(refilled);
    assert!(poll_once(pin!(event.wait()), &count.waker()).is_ready());
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Event>() };
    const { crosses::<EventWait<'static>>() };
    static EVENT: Event = Event::new();
    assert_eq!(format!("{EVENT:?}"), "Event { is_set: false }");
    assert_eq!(size_of::<Event>(), 32);
    assert_eq!(size_of::<EventWait<'static>>(), 56);
}

#[test]
fn a_waker_whose_panic_panics_again_and_again_keeps_nobody_from_being_woken() {
    struct Bomb(u8);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Bomb(self.0 - 1));
            }
        }
    }
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic_any(Bomb(2));
        }
    }
    let event = Event::new();
    let count = Count::new();
    let (loud, quiet) = (Waker::from(Arc::new(Panics)), count.waker());
    let mut waits: Vec<_> = (0..40).map(|_| Box::pin(event.wait())).collect();
    for (i, wait) in waits.iter_mut().enumerate() {
        let waker = if i == 0 { &loud } else { &quiet };
        assert!(poll_once(wait.as_mut(), waker).is_pending());
    }
    event.set();
    assert_eq!(count.wakes(), 39);
    for wait in &mut waits {
        assert!(poll_once(wait.as_mut(), &quiet).is_ready());
    }
}
