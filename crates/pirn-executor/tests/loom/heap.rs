//! Slots that others than their heap's owner free.

use crate::support::Flag;
use pirn_core::shim::{Arc, Mutex, model, thread};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark, Worker, spawn};
use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

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

/// Has it rest until it asks for no more: what is given back is found part by part.
fn rest(mut turn: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    let asks = std::sync::Arc::new(Asks(AtomicBool::new(true)));
    let waker = Waker::from(asks.clone());
    // Ordering: Relaxed, of this thread alone.
    while asks.0.swap(false, Relaxed) {
        while turn(&mut Context::from_waker(&waker)).is_ready() {}
    }
}

/// (`std`'s atomic: the model is not about it.)
struct Asks(AtomicBool);

impl Wake for Asks {
    fn wake(self: std::sync::Arc<Self>) {
        // Ordering: Relaxed, of this thread alone.
        self.0.store(true, Relaxed);
    }
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
            rest(|cx| worker.poll_tick(cx));
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
        rest(|cx| worker.poll_tick(cx));
        other.join().unwrap();
        rest(|cx| worker.poll_tick(cx));
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
        rest(|cx| executor.poll_tick(cx));
    });
}

#[test]
fn a_slot_comes_back_from_elsewhere_in_the_middle_of_a_sweep() {
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
        // One part: two slots are sorted.
        assert!(rests(&mut worker));
        let other = thread::spawn(move || drop(task));
        assert!(rests(&mut worker));
        let spawns = async { (0..3).for_each(|n| spawn(large(n)).detach()) };
        worker.run(&mut ThreadPark::new(), spawns).unwrap();
        drive(&mut worker);
        other.join().unwrap();
        rest(|cx| worker.poll_tick(cx));
        drop((executor, worker));
    });
}

#[test]
fn who_looks_through_the_pages_sees_a_task_whose_page_moves_up() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (mut worker, handle) = (workers.remove(0), executor.handle());
        worker
            .run(&mut ThreadPark::new(), async {
                (0..4).for_each(|n| spawn(large(n)).detach());
                spawn(async {
                    large(()).await;
                    pending::<()>().await;
                })
                .detach();
            })
            .unwrap();
        drive(&mut worker);
        // What is left is to take the first page out.
        assert!(rests(&mut worker) && rests(&mut worker));
        let other = thread::spawn(move || {
            rest(|cx| worker.poll_tick(cx));
            worker
        });
        assert_eq!(handle.tasks().len(), 1);
        drop((other.join().unwrap(), executor));
    });
}

#[test]
fn what_is_spawned_elsewhere_in_the_middle_of_a_sweep_has_a_slot() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let spawner = handle.clone();
        let other = thread::spawn(move || {
            (0..4).for_each(|n| spawner.spawn(large(n)).detach());
        });
        other.join().unwrap();
        while executor.try_tick() {}
        let mut cx = Context::from_waker(Waker::noop());
        assert!(executor.poll_tick(&mut cx).is_pending());
        let other = thread::spawn(move || handle.spawn(large(7)));
        rest(|cx| executor.poll_tick(cx));
        let task = other.join().unwrap();
        rest(|cx| executor.poll_tick(cx));
        assert!(task.is_finished());
        assert_eq!(executor.statistics().live, 0);
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
