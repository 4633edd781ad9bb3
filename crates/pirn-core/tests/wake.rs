//! Waking: one, many, in order, and past a panic.

#[path = "loom/count.rs"]
mod count;

use count::Count;
use pirn_core::wake::{WakeBatch, discard, wake};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

/// Writes its number down when it is woken.
struct Named(u32, Arc<Mutex<Vec<u32>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

/// Panics when it is dropped.
struct PanicsLast;

impl Wake for PanicsLast {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsLast {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn one_is_woken_once() {
    let count = Count::new();
    wake(count.waker());
    assert_eq!(count.wakes(), 1);
}

#[test]
fn one_that_is_discarded_is_dropped_and_its_panic_does_not_come_out() {
    let count = Count::new();
    discard(count.waker());
    assert_eq!(count.wakes(), 0);
    let panics = Arc::new(PanicsLast);
    let there = Arc::downgrade(&panics);
    discard(Waker::from(panics));
    assert!(there.upgrade().is_none());
}

#[test]
fn a_batch_wakes_in_the_order_of_its_pushes_and_is_empty_then() {
    let order = Arc::default();
    let mut batch = WakeBatch::new();
    for number in 1..=3 {
        batch.push(Waker::from(Arc::new(Named(number, Arc::clone(&order)))));
    }
    assert!(order.lock().unwrap().is_empty());
    batch.wake_all();
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    batch.wake_all();
    drop(batch);
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn a_batch_that_is_dropped_wakes_what_it_holds() {
    let count = Count::new();
    let mut batch = WakeBatch::new();
    while !batch.is_full() {
        batch.push(count.waker());
    }
    drop(batch);
    assert_eq!(count.wakes(), WakeBatch::CAPACITY);
}

#[test]
fn a_panic_in_one_waker_keeps_none_of_the_others_asleep() {
    let count = Count::new();
    let mut batch = WakeBatch::new();
    batch.push(count.waker());
    batch.push(Waker::from(Arc::new(Panics)));
    batch.push(count.waker());
    batch.wake_all();
    assert_eq!(count.wakes(), 2);
}
