//! Calls on an executor that refuses, and on one that drops.

use pirn_core::calls::CallQueue;
use pirn_core::{BoxSleep, BoxTask, Clock, DynSpawn, Instant, Refused, TaskMeta};
use std::any::Any;
use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

/// An executor that is driven by hand.
#[derive(Default)]
struct Hand {
    tasks: Mutex<Vec<BoxTask>>,
    refuses: AtomicBool,
}

impl DynSpawn for Hand {
    fn spawn_boxed(&self, _: TaskMeta, task: BoxTask) -> Result<(), Refused<BoxTask>> {
        if self.refuses.load(SeqCst) {
            return Err(Refused::new("it is full", task));
        }
        self.tasks.lock().unwrap().push(task);
        Ok(())
    }
}

impl Hand {
    fn poll(&self, which: usize) {
        let mut task = self.tasks.lock().unwrap().remove(which);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut task).poll(&mut cx).is_ready());
    }

    fn drop_task(&self, which: usize) {
        let task = self.tasks.lock().unwrap().remove(which);
        drop(task);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn says(&self, n: u32) -> impl FnOnce() + Send + 'static {
        let log = self.clone();
        move || log.0.lock().unwrap().push(n)
    }

    fn said(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }
}

fn queue() -> (CallQueue, Arc<Hand>, Log) {
    let hand = Arc::new(Hand::default());
    (CallQueue::new(hand.clone(), None), hand, Log::default())
}

#[test]
fn turns_that_run_in_any_order_run_the_calls_in_theirs() {
    let (queue, hand, log) = queue();
    for n in 0..3 {
        queue.call_soon(log.says(n)).unwrap();
    }
    hand.poll(2);
    hand.poll(0);
    hand.poll(0);
    assert_eq!(log.said(), [0, 1, 2]);
}

#[test]
fn a_call_that_is_refused_leaves_the_others_alone() {
    let (queue, hand, log) = queue();
    let first = queue.call_soon(log.says(1)).unwrap();
    hand.refuses.store(true, SeqCst);
    let refused = queue.call_soon(log.says(2)).unwrap_err();
    assert!(refused.to_string().contains("it is full"), "{refused}");
    hand.refuses.store(false, SeqCst);
    let third = queue.call_soon(log.says(3)).unwrap();
    assert!(!first.is_cancelled() && !third.is_cancelled());
    hand.poll(0);
    hand.poll(0);
    assert_eq!(log.said(), [1, 3]);
}

#[test]
fn a_turn_that_is_dropped_drops_its_call_and_no_other() {
    let (queue, hand, log) = queue();
    let handles: Vec<_> = (0..3)
        .map(|n| queue.call_soon(log.says(n)).unwrap())
        .collect();
    hand.drop_task(1);
    let cancelled: Vec<_> = handles.iter().map(|call| call.is_cancelled()).collect();
    assert_eq!(cancelled, [false, true, false]);
    hand.poll(1);
    hand.poll(0);
    assert_eq!(log.said(), [0, 2]);
}

#[test]
fn a_turn_that_is_dropped_after_another_ran_its_call_drops_the_one_without_a_turn() {
    let (queue, hand, log) = queue();
    let handles: Vec<_> = (0..2)
        .map(|n| queue.call_soon(log.says(n)).unwrap())
        .collect();
    hand.poll(1);
    hand.drop_task(0);
    assert_eq!(log.said(), [0]);
    assert!(!handles[0].is_cancelled() && handles[1].is_cancelled());
}

#[test]
fn without_a_clock_there_are_no_timed_calls() {
    let (queue, _, log) = queue();
    let missing = queue.call_at(Instant::EPOCH, log.says(1)).unwrap_err();
    assert_eq!(missing.what(), "clock");
}

#[test]
fn a_closure_may_drop_and_cancel_other_calls() {
    let (queue, hand, log) = queue();
    let (second_slot, says) = (Arc::new(Mutex::new(None)), log.says(1));
    let slot = Arc::clone(&second_slot);
    queue
        .call_soon(move || {
            says();
            let second: Option<pirn_core::calls::CallHandle> = slot.lock().unwrap().take();
            assert!(second.unwrap().cancel());
        })
        .unwrap();
    *second_slot.lock().unwrap() = Some(queue.call_soon(log.says(2)).unwrap());
    hand.poll(0);
    hand.poll(0);
    assert_eq!(log.said(), [1]);
}

/// Time that does not pass.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        Box::pin(pending())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn the_driver_is_woken_if_a_cancel_or_a_call_changes_what_it_sleeps_for_and_only_then() {
    let hand = Arc::new(Hand::default());
    let queue = CallQueue::new(hand.clone(), Some(Arc::new(Still)));
    let at = |nanos| queue.call_at(Instant::from_nanos(nanos), || ()).unwrap();
    let middle = at(20);
    let mut driver = hand.tasks.lock().unwrap().remove(0);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut poll = || Pin::new(&mut driver).poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    let late = at(30);
    assert_eq!(count.0.load(SeqCst), 0); // not the first
    let early = at(10);
    assert_eq!(count.0.load(SeqCst), 1);
    assert!(poll().is_pending());
    middle.cancel();
    assert_eq!(count.0.load(SeqCst), 1); // not the first
    early.cancel();
    assert_eq!(count.0.load(SeqCst), 2);
    assert!(poll().is_pending());
    late.cancel();
    assert_eq!(count.0.load(SeqCst), 3);
    assert!(poll().is_ready()); // nothing is left
    assert!(hand.tasks.lock().unwrap().is_empty());
}

/// Time that has passed.
struct Past;

impl Clock for Past {
    fn now(&self) -> Instant {
        Instant::from_nanos(100)
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        Box::pin(ready(()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct PanicsAtDrop;

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("a closure's destructor");
    }
}

#[test]
fn a_destructor_that_panics_as_the_turns_of_due_calls_are_refused_keeps_none_from_its_end() {
    let hand = Arc::new(Hand::default());
    let queue = CallQueue::new(hand.clone(), Some(Arc::new(Past)));
    let bad = PanicsAtDrop;
    let at = Instant::from_nanos;
    let first = queue.call_at(at(10), move || drop(bad)).unwrap();
    let second = queue.call_at(at(20), || ()).unwrap();
    hand.refuses.store(true, SeqCst);
    hand.poll(0);
    assert!(first.is_cancelled() && second.is_cancelled());
}
