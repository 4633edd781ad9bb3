//! Slots that others than their heap's owner free.

use crate::support::Flag;
use pirn_core::shim::{Arc, Mutex, model, thread};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark, Worker, spawn};
use std::future::poll_fn;
use std::task::{Poll, Waker};

fn drive(worker: &mut Worker) {
    while worker.try_tick() {}
}

#[test]
fn a_slot_that_another_worker_freed_is_used_again_by_its_owner() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        // Tasks of the first worker's heap, in whose slot and ring they are.
        one.run(&mut ThreadPark::new(), async {
            spawn(async {}).detach();
            spawn(async {}).detach();
        })
        .unwrap();
        let other = thread::spawn(move || drive(&mut two));
        one.run(&mut ThreadPark::new(), async {
            spawn(async {}).detach();
        })
        .unwrap();
        other.join().unwrap();
        drive(&mut one);
        assert_eq!(executor.statistics().live, 0);
    });
}

#[test]
fn a_slot_that_was_freed_elsewhere_is_used_again_at_home() {
    model(|| {
        let executor = LocalExecutor::new();
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let keep = kept.clone();
        let task = executor.spawn(poll_fn(move |cx| {
            *keep.lock() = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        while executor.try_tick() {}
        let waker = kept.lock().take().unwrap();
        let other = thread::spawn(move || (waker.clone(), waker));
        let (last, waker) = other.join().unwrap();
        // Home has no reference any more.
        drop((task, waker));
        let other = thread::spawn(move || drop(last));
        executor.spawn(async {}).detach();
        while executor.try_tick() {}
        other.join().unwrap();
    });
}

#[test]
fn a_slot_is_freed_elsewhere_as_its_worker_goes() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let task = worker
            .run(&mut ThreadPark::new(), async { Some(spawn(async { 7 })) })
            .unwrap();
        drive(&mut worker);
        let other = thread::spawn(move || drop(task));
        drop(worker);
        drop(executor);
        other.join().unwrap();
    });
}

#[test]
fn who_frees_the_last_slot_after_the_executor_frees_all_of_it() {
    model(|| {
        let executor = LocalExecutor::new();
        let (one, two) = (executor.spawn(async { 1 }), executor.spawn(async { 2 }));
        drop(executor);
        let other = thread::spawn(move || drop(one));
        drop(two);
        other.join().unwrap();
    });
}

#[test]
fn a_slot_is_freed_elsewhere_as_the_executor_frees_all_of_it() {
    model(|| {
        let executor = LocalExecutor::new();
        let task = executor.spawn(async {});
        while executor.try_tick() {}
        let other = thread::spawn(move || drop(task));
        drop(executor);
        other.join().unwrap();
    });
}

#[test]
fn a_waker_of_a_pool_outlives_it_elsewhere() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let kept = Arc::new(Mutex::new(None));
        let (keep, flag) = (kept.clone(), Flag::new());
        let task = executor.handle().spawn(poll_fn(move |cx| {
            *keep.lock() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        drive(&mut workers[0]);
        let waker = kept.lock().take().unwrap();
        let other = thread::spawn(move || {
            waker.wake_by_ref();
            drop(waker);
            flag.set();
        });
        drop((task, executor, workers));
        other.join().unwrap();
    });
}
