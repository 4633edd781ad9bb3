//! Models of what a child shares with its handle: who has the result, who wakes, and who drops.

use crate::group::{Dropped, count};
use crate::hand::Hand;
use crate::signal::Signal;
use pirn_core::Cause;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, block_on, thread};
use pirn_group::{Child, GroupBuilder, GroupError, InTask, OwnedGroup, TaskGroup, group_in_task};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `has`.
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Woken(AtomicUsize::new(0)))
    }

    fn has(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `wake`.
        self.0.load(Ordering::Acquire) > 0
    }
}

fn poll<T>(handle: &mut Child<T>, woken: &Arc<Woken>) -> bool {
    let waker = Waker::from(Arc::clone(woken));
    let polled = Pin::new(handle).poll(&mut Context::from_waker(&waker));
    matches!(polled, Poll::Ready(Ok(_)))
}

/// A group of one child, which gives `value`.
fn one<T: Send + 'static>(value: T) -> (OwnedGroup<u8, Hand>, Hand, Child<T>) {
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).open::<u8>();
    let handle = group.spawn(async move { Ok(value) });
    (group, hand, handle)
}

#[test]
fn a_result_is_taken_or_waited_for_and_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (group, hand, mut handle) = one(Dropped(dropped.clone()));
        let child = thread::spawn(move || hand.run_one());
        let woken = Woken::new();
        let taken = poll(&mut handle, &woken);
        assert_eq!(count(&dropped), usize::from(taken));
        child.join().unwrap();
        assert!(taken || woken.has());
        drop(handle);
        assert_eq!(count(&dropped), 1);
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_handle_that_is_dropped_as_the_child_ends_leaves_the_result_to_be_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (group, hand, handle) = one(Dropped(dropped.clone()));
        let child = thread::spawn(move || hand.run_one());
        drop(handle);
        child.join().unwrap();
        assert_eq!(count(&dropped), 1);
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_handle_that_waits_and_is_dropped_as_the_child_ends_lets_its_waker_go() {
    shim::model(|| {
        let (dropped, woken) = (Arc::new(AtomicUsize::new(0)), Woken::new());
        let (group, hand, mut handle) = one(Dropped(dropped.clone()));
        assert!(!poll(&mut handle, &woken));
        let child = thread::spawn(move || hand.run_one());
        drop(handle);
        child.join().unwrap();
        assert_eq!(count(&dropped), 1);
        assert_eq!(Arc::strong_count(&woken), 1);
        block_on(group.join()).unwrap();
    });
}

#[test]
fn of_two_tasks_that_poll_a_handle_the_later_is_woken() {
    shim::model(|| {
        let (early, late) = (Woken::new(), Woken::new());
        let (group, hand, mut handle) = one(5);
        assert!(!poll(&mut handle, &early));
        let child = thread::spawn(move || hand.run_one());
        let taken = poll(&mut handle, &late);
        child.join().unwrap();
        assert!(taken || late.has());
        drop(handle);
        assert_eq!(
            (Arc::strong_count(&early), Arc::strong_count(&late)),
            (1, 1)
        );
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_handle_that_is_polled_again_by_its_task_is_woken_as_the_child_ends() {
    shim::model(|| {
        let woken = Woken::new();
        let (group, hand, mut handle) = one(5);
        assert!(!poll(&mut handle, &woken));
        let child = thread::spawn(move || hand.run_one());
        let taken = poll(&mut handle, &woken);
        child.join().unwrap();
        assert!(taken || woken.has());
        drop(handle);
        assert_eq!(Arc::strong_count(&woken), 1);
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_child_that_its_executor_drops_wakes_who_waits() {
    shim::model(|| {
        let (group, hand, handle) = one(5);
        let task = hand.take();
        let executor = thread::spawn(move || drop(task));
        assert!(block_on(handle).unwrap_err().is_cancelled());
        executor.join().unwrap();
        assert!(block_on(group.join()).is_err());
    });
}

#[test]
fn a_handle_that_cancels_and_goes_as_the_child_ends_leaves_nothing_behind() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (group, hand, handle) = one(Dropped(dropped.clone()));
        let child = thread::spawn(move || hand.run_one());
        handle.cancel(Cause::requested("enough"));
        drop(handle);
        child.join().unwrap();
        assert_eq!(count(&dropped), 1);
        block_on(group.join()).unwrap();
    });
}

#[test]
fn a_handle_is_polled_as_its_group_is_cancelled_and_the_child_ends() {
    shim::model(|| {
        let woken = Woken::new();
        let (group, hand, mut handle) = one(5);
        let child = thread::spawn(move || hand.run_one());
        let scope = group.scope().clone();
        let cancel = thread::spawn(move || scope.cancel(Cause::requested("stop")));
        poll(&mut handle, &woken);
        child.join().unwrap();
        cancel.join().unwrap();
        assert!(handle.is_finished());
        drop(handle);
        assert_eq!(Arc::strong_count(&woken), 1);
        drop(group);
    });
}

type InOneTask = Pin<Box<dyn Future<Output = Result<(), GroupError<u8>>> + Send>>;

/// A group in one task that ends with its only child, which lies beside its slot and gives `value`.
fn beside<T: Send + 'static>(value: T) -> (InOneTask, Child<T>) {
    let (send, receive) = channel();
    let ended = Signal::default();
    let waits = ended.raised();
    let mut group: InOneTask = Box::pin(group_in_task(
        async move |g: TaskGroup<u8, InTask<'static>>| {
            send.send(g).unwrap();
            waits.await;
            Ok(())
        },
    ));
    let polled = group.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    let handle = receive.recv().unwrap().spawn(async move {
        ended.raise();
        Ok(value)
    });
    (group, handle)
}

#[test]
fn a_result_beside_its_child_is_taken_or_waited_for_and_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (group, mut handle) = beside(Dropped(dropped.clone()));
        let task = thread::spawn(move || block_on(group).unwrap());
        let woken = Woken::new();
        let taken = poll(&mut handle, &woken);
        assert_eq!(count(&dropped), usize::from(taken));
        task.join().unwrap();
        assert!(taken || woken.has());
        drop(handle);
        assert_eq!(count(&dropped), 1);
        assert_eq!(Arc::strong_count(&woken), 1);
    });
}

#[test]
fn a_handle_that_is_dropped_as_the_child_beside_ends_leaves_the_result_to_be_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (group, handle) = beside(Dropped(dropped.clone()));
        let task = thread::spawn(move || block_on(group).unwrap());
        drop(handle);
        task.join().unwrap();
        assert_eq!(count(&dropped), 1);
    });
}

#[test]
fn a_handle_that_waits_and_is_dropped_as_the_child_beside_ends_lets_its_waker_go() {
    shim::model(|| {
        let (dropped, woken) = (Arc::new(AtomicUsize::new(0)), Woken::new());
        let (group, mut handle) = beside(Dropped(dropped.clone()));
        assert!(!poll(&mut handle, &woken));
        let task = thread::spawn(move || block_on(group).unwrap());
        drop(handle);
        task.join().unwrap();
        assert_eq!((count(&dropped), Arc::strong_count(&woken)), (1, 1));
    });
}

#[test]
fn a_child_beside_that_is_dropped_with_its_group_wakes_who_waits() {
    shim::model(|| {
        let (group, handle) = beside(5);
        let owner = thread::spawn(move || drop(group));
        assert!(block_on(handle).unwrap_err().is_cancelled());
        owner.join().unwrap();
    });
}
