//! Slots that others than their heap's owner free.

use crate::support::Flag;
use pirn_core::shim::{Arc, Mutex, model, thread};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark, Worker, spawn};
use std::future::{Future, poll_fn};
use std::task::{Context, Poll, Waker};

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

/// A future so large that a page has room for four such tasks, where the checker chooses the sizes.
fn large<T: Send>(output: T) -> impl Future<Output = T> + Send {
    let (mut first, filling) = (true, [1_u8; 1_600]);
    let mut output = Some(output);
    poll_fn(move |cx| {
        if !std::mem::take(&mut first) {
            assert_eq!(filling[0], 1);
            return Poll::Ready(output.take().unwrap());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// True if there is nothing to do: then the worker rests.
fn rests(worker: &mut Worker) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    worker.poll_tick(&mut cx).is_pending()
}

#[test]
fn a_slot_that_a_worker_just_began_is_a_slot_for_whoever_closes_the_executor() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let other = thread::spawn(move || {
            let spawns = async { spawn(async {}).detach() };
            worker.run(&mut ThreadPark::new(), spawns).unwrap();
            worker
        });
        drop(executor);
        drop(other.join().unwrap());
    });
}

#[test]
fn an_empty_page_is_given_back_or_seen_by_whoever_closes_the_executor() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        worker
            .run(&mut ThreadPark::new(), async {
                (0..4).for_each(|n| spawn(large(n)).detach());
            })
            .unwrap();
        drive(&mut worker);
        let other = thread::spawn(move || {
            // Unless it finds the gate shut.
            rests(&mut worker);
            worker
        });
        drop(executor);
        drop(other.join().unwrap());
    });
}

#[test]
fn a_page_stays_until_its_last_slot_came_back_from_elsewhere() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let task = worker
            .run(&mut ThreadPark::new(), async {
                (0..3).for_each(|n| spawn(large(n)).detach());
                Some(spawn(large(7)))
            })
            .unwrap();
        drive(&mut worker);
        let other = thread::spawn(move || drop(task));
        assert!(rests(&mut worker));
        other.join().unwrap();
        assert!(rests(&mut worker));
        drop((executor, worker));
    });
}

#[test]
fn a_page_stays_while_a_waker_of_a_task_that_has_ended_is_elsewhere() {
    model(|| {
        let executor = LocalExecutor::new();
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let keep = kept.clone();
        let task = |keep: Option<Arc<Mutex<Option<Waker>>>>| async move {
            large(()).await;
            poll_fn(|cx| {
                if let Some(keep) = &keep {
                    *keep.lock() = Some(cx.waker().clone());
                }
                Poll::Ready(())
            })
            .await;
        };
        executor.spawn(task(Some(keep))).detach();
        (0..3).for_each(|_| executor.spawn(task(None)).detach());
        while executor.try_tick() {}
        let waker = kept.lock().take().unwrap();
        let other = thread::spawn(move || waker.wake());
        let mut cx = Context::from_waker(Waker::noop());
        while executor.poll_tick(&mut cx).is_ready() {}
        other.join().unwrap();
        while executor.poll_tick(&mut cx).is_ready() {}
    });
}

#[test]
fn what_was_spawned_elsewhere_leaves_a_page_to_one_of_two_workers() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let handle = executor.handle();
        (0..4).for_each(|n| handle.spawn(large(n)).detach());
        drive(&mut one);
        let other = thread::spawn(move || {
            rests(&mut two);
            two
        });
        handle.spawn(async {}).detach();
        rests(&mut one);
        drop((other.join().unwrap(), one, executor));
    });
}
