//! Slots that others than their heap's owner free; and heaps that are looked through as their
//! executor ends, while workers spawn.

use crate::support::{Drops, Flag};
use pirn_core::finally_in_place;
use pirn_core::shim::atomic::{AtomicBool, Ordering::Relaxed};
use pirn_core::shim::{Arc, Mutex, model, thread};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark, Worker, spawn};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

/// Notes that it was woken.
struct Tell(Arc<AtomicBool>);

impl Wake for Tell {
    fn wake(self: std::sync::Arc<Self>) {
        // Ordering: Relaxed, whoever looks has joined this thread.
        self.0.store(true, Relaxed);
    }
}

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
fn a_task_that_a_worker_spawns_as_the_executor_goes_is_dropped_once() {
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
        // Whoever came second has closed it: it has not waited for the worker's end.
        assert_eq!(drops.settled(), 1);
        drop(worker);
    });
}

#[test]
fn a_task_that_a_worker_spawns_as_the_executor_shuts_down_is_cancelled() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let closed = executor.handle().closed();
        let other = thread::spawn(move || {
            let spawned = async {
                spawn(pending::<()>()).detach();
            };
            worker.run(&mut ThreadPark::new(), spawned).unwrap();
            worker.run(&mut ThreadPark::new(), closed).unwrap();
        });
        let left = pirn_core::shim::block_on(executor.shutdown(pending::<()>()));
        assert_eq!(left, 0);
        other.join().unwrap();
    });
}

#[test]
fn the_end_of_the_last_tasks_on_two_workers_ends_the_shutdown() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        for worker in [&mut one, &mut two] {
            let spawned = async {
                spawn(async {}).detach();
            };
            worker.run(&mut ThreadPark::new(), spawned).unwrap();
        }
        let told = Arc::new(AtomicBool::new(false));
        let waker = Waker::from(std::sync::Arc::new(Tell(told.clone())));
        let mut cx = Context::from_waker(&waker);
        let mut end = pin!(executor.shutdown(pending::<()>()));
        assert!(end.as_mut().poll(&mut cx).is_pending());
        let other = thread::spawn(move || {
            two.try_tick();
            two
        });
        one.try_tick();
        let mut two = other.join().unwrap();
        // A worker looks before each poll, also at what it has just done.
        drive(&mut one);
        drive(&mut two);
        // Ordering: Relaxed, the other thread was joined.
        assert!(told.load(Relaxed));
        assert_eq!(end.as_mut().poll(&mut cx), Poll::Ready(0));
    });
}

#[test]
fn a_spawn_from_outside_that_meets_the_end_is_refused_or_dropped() {
    model(|| {
        let (executor, workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let drops = Drops::new();
        let guard = drops.guard();
        let other = thread::spawn(move || {
            handle
                .spawn(async move {
                    let _guard = guard;
                })
                .detach();
        });
        drop(executor);
        other.join().unwrap();
        assert_eq!(drops.settled(), 1);
        drop(workers);
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

#[test]
fn a_shutdown_that_gives_zero_has_cut_nothing_off() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let started = Arc::new(AtomicBool::new(false));
        let cleaned = Arc::new(AtomicBool::new(false));
        let (start, clean) = (started.clone(), cleaned.clone());
        executor
            .handle()
            .spawn(async move {
                spawn(async move {
                    // Ordering: Relaxed, looked at after the join.
                    start.store(true, Relaxed);
                    finally_in_place(pending::<()>(), || async move {
                        clean.store(true, Relaxed);
                    })
                    .await;
                })
                .detach();
            })
            .detach();
        let other = thread::spawn(move || {
            // Both tasks in one step.
            let _ = worker.poll_tick(&mut Context::from_waker(Waker::noop()));
            worker
        });
        let ended = {
            let mut cx = Context::from_waker(Waker::noop());
            let mut end = pin!(executor.shutdown(pending::<()>()));
            end.as_mut().poll(&mut cx)
        };
        let worker = other.join().unwrap();
        if ended == Poll::Ready(0) && started.load(Relaxed) {
            assert!(
                cleaned.load(Relaxed),
                "a clean-up was cut off, and not counted"
            );
        }
        drop(worker);
    });
}
