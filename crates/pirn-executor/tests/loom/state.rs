//! The state word where any thread may change it: tasks of a pool.

use crate::support::Drops;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, Mutex, block_on, model, thread};
use pirn_executor::{PoolExecutor, ThreadPark, Worker, spawn};
use std::future::{pending, poll_fn};
use std::task::{Poll, Waker};

fn drive(worker: &mut Worker) {
    while worker.try_tick() {}
}

#[test]
fn a_wake_that_finds_the_task_queued_publishes_what_came_before() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (value, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let (keep, look, saw) = (kept.clone(), value.clone(), seen.clone());
        let task = executor.handle().spawn(poll_fn(move |cx| {
            keep.lock().get_or_insert_with(|| cx.waker().clone());
            // Ordering: Relaxed; that the wake publishes it is what is checked.
            saw.store(look.load(Relaxed), Relaxed);
            Poll::<()>::Pending
        }));
        drive(&mut workers[0]);
        let waker = kept.lock().clone().unwrap();
        // It is queued before the other thread wakes it.
        waker.wake_by_ref();
        let other = thread::spawn(move || {
            value.store(1, Relaxed);
            waker.wake();
        });
        drive(&mut workers[0]);
        other.join().unwrap();
        drive(&mut workers[0]);
        // Ordering: Relaxed, only this thread polls.
        assert_eq!(seen.load(Relaxed), 1);
        drop((task, executor));
    });
}

#[test]
fn whoever_frees_the_cell_has_seen_the_other_let_go_of_it() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let output = Drops::new();
        let mut result = Some(output.guard());
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let keep = kept.clone();
        let task = executor.handle().spawn(poll_fn(move |cx| {
            let first = keep.lock().replace(cx.waker().clone()).is_none();
            match first {
                true => Poll::Pending,
                false => Poll::Ready(result.take()),
            }
        }));
        task.detach();
        drive(&mut workers[0]);
        let waker = kept.lock().clone().unwrap();
        waker.wake_by_ref();
        let other = thread::spawn(move || drop(waker));
        // The output is dropped after the task has ended.
        drive(&mut workers[0]);
        other.join().unwrap();
        assert_eq!(output.settled(), 1);
        drop((executor, kept));
    });
}

#[test]
fn a_task_that_a_worker_just_made_is_whole_for_whoever_closes_it() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let drops = Drops::new();
        let guard = drops.guard();
        let other = thread::spawn(move || {
            let spawned = async {
                spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .detach();
            };
            worker.run(&mut ThreadPark::new(), spawned).unwrap();
            worker
        });
        drop(executor);
        let worker = other.join().unwrap();
        assert_eq!(drops.settled(), 1);
        drop(worker);
    });
}

#[test]
fn whoever_awaits_the_handle_is_woken_and_sees_the_worker_s_writes() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let drops = Drops::new();
        let mut guard = drops.guard();
        let task = executor.handle().spawn(async move {
            guard.touch();
            7
        });
        let other = thread::spawn(move || {
            assert_eq!(block_on(task).unwrap(), 7);
            assert_eq!(drops.settled(), 1);
        });
        drive(&mut workers[0]);
        other.join().unwrap();
        drop(executor);
    });
}

#[test]
fn a_handle_that_goes_while_a_worker_ends_the_task_drops_everything_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (drops, output) = (Drops::new(), Drops::new());
        let (mut guard, result) = (drops.guard(), output.guard());
        let task = executor.handle().spawn(async move {
            guard.touch();
            result
        });
        let other = thread::spawn(move || task.detach());
        drive(&mut workers[0]);
        other.join().unwrap();
        assert_eq!(drops.settled(), 1);
        assert_eq!(output.settled(), 1);
        drop(executor);
    });
}
