//! Workers together: nothing is lost, all end.

use crate::support::{Door, Drops, Flag, Guard, yield_now};
use pirn_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_core::{Cause, JoinError, Spawn, TaskMeta, finally_in_place};
use pirn_executor::{PoolExecutor, PoolHandle, Task, ThreadPark, Worker, spawn, try_spawn};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn drive(worker: &mut Worker) {
    while worker.try_tick() {}
}

/// Notes that it was woken.
struct Tell(Arc<AtomicBool>);

impl Wake for Tell {
    fn wake(self: std::sync::Arc<Self>) {
        // Ordering: Relaxed, whoever looks has joined this thread.
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_spawn_from_outside_ends_the_worker_s_sleep() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let flag = Flag::new();
        let end = flag.wait();
        let mut worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run(&mut ThreadPark::new(), end).unwrap());
        handle.spawn(async move { flag.set() }).detach();
        thread.join().unwrap();
    });
}

#[test]
fn a_spawn_from_outside_reaches_a_worker_that_looks_on_before_it_sleeps() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        // One look, and the time is over.
        executor.set_spin(Duration::from_nanos(1));
        let handle = executor.handle();
        let flag = Flag::new();
        let end = flag.wait();
        let mut worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run(&mut ThreadPark::new(), end).unwrap());
        handle.spawn(async move { flag.set() }).detach();
        thread.join().unwrap();
    });
}

#[test]
fn a_task_that_never_had_a_handle_is_run_once_as_its_executor_goes() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let handle = executor.handle();
        let drops = Drops::new();
        let guard = drops.guard();
        let spawns = async move { Spawn::spawn(&handle, TaskMeta::here(), async { drop(guard) }) };
        workers[0]
            .run(&mut ThreadPark::new(), spawns)
            .unwrap()
            .unwrap();
        let mut thief = workers.pop().unwrap();
        let thread = thread::spawn(move || drive(&mut thief));
        drive(&mut workers[0]);
        drop(executor);
        thread.join().unwrap();
        drop(workers);
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn a_wake_of_what_a_worker_runs_for_ends_its_sleep() {
    model(|| {
        let (_executor, mut workers) = PoolExecutor::new(1);
        let flag = Flag::new();
        let end = flag.wait();
        let mut worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run(&mut ThreadPark::new(), end).unwrap());
        flag.set();
        thread.join().unwrap();
    });
}

#[test]
fn what_a_worker_runs_for_sees_what_its_waker_s_thread_wrote() {
    model(|| {
        let (_executor, mut workers) = PoolExecutor::new(1);
        let value = Arc::new(AtomicUsize::new(0));
        let mut thread = None;
        let end = poll_fn(|cx| {
            if thread.is_some() {
                // Ordering: Relaxed; that the wake publishes it is what is checked.
                assert_eq!(value.load(Relaxed), 1);
                return Poll::Ready(());
            }
            let (waker, value) = (cx.waker().clone(), Arc::clone(&value));
            thread = Some(thread::spawn(move || {
                value.store(1, Relaxed);
                waker.wake();
            }));
            Poll::Pending
        });
        workers[0].run(&mut ThreadPark::new(), end).unwrap();
        thread.unwrap().join().unwrap();
    });
}

#[test]
fn the_end_of_the_executor_ends_a_sleeping_worker() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let closed = executor.handle().closed();
        let mut worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        drop(executor);
        thread.join().unwrap();
    });
}

#[test]
fn a_task_is_dropped_once_if_the_executor_goes_while_it_runs() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (flag, drops) = (Flag::new(), Drops::new());
        let (wait, mut guard) = (flag.wait(), drops.guard());
        executor
            .handle()
            .spawn(async move {
                guard.touch();
                wait.await;
                guard.touch();
            })
            .detach();
        let mut worker = workers.remove(0);
        let thread = thread::spawn(move || while worker.try_tick() {});
        drop(executor);
        thread.join().unwrap();
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn a_task_that_two_workers_may_take_runs_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let drops = Drops::new();
        let mut guard = drops.guard();
        let task = executor.handle().spawn(async move {
            guard.touch();
            drop(guard);
            7
        });
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let thread = thread::spawn(move || while two.try_tick() {});
        while one.try_tick() {}
        thread.join().unwrap();
        while one.try_tick() {}
        assert!(task.is_finished());
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn a_task_woken_on_one_worker_while_another_runs_it_is_not_lost() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let handle = executor.handle();
        let flag = Flag::new();
        let wait = flag.wait();
        let task = handle.spawn(wait);
        handle.spawn(async move { flag.set() }).detach();
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let thread = thread::spawn(move || {
            two.try_tick();
            two
        });
        one.try_tick();
        let mut two = thread.join().unwrap();
        while one.try_tick() || two.try_tick() {}
        assert!(task.is_finished());
    });
}

/// Two workers, of which the second runs on a thread of its own until `end`.
fn two(
    end: impl Future<Output = ()> + Send + 'static,
) -> (PoolExecutor, Worker, thread::JoinHandle<()>) {
    let (executor, mut workers) = PoolExecutor::new(2);
    let (one, mut two) = (workers.remove(0), workers.remove(0));
    let thread = thread::spawn(move || two.run(&mut ThreadPark::new(), end).unwrap());
    (executor, one, thread)
}

#[test]
fn a_task_displaced_during_a_long_poll_wakes_another_worker() {
    model(|| {
        let (done, door) = (Flag::new(), Door::new());
        let (executor, mut one, thread) = two(done.wait());
        let inside = door.clone();
        one.run(&mut ThreadPark::new(), async {
            spawn(async move { inside.open() }).detach();
            // Displaces the first from the slot to the ring.
            spawn(async {}).detach();
            door.pass();
        })
        .unwrap();
        done.set();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn the_only_task_of_a_ring_wakes_another_worker_when_one_is_woken_before_it() {
    model(|| {
        let (done, door) = (Flag::new(), Door::new());
        let (executor, mut one, thread) = two(done.wait());
        let inside = door.clone();
        one.run(&mut ThreadPark::new(), async {
            spawn(async move {
                yield_now().await;
                inside.open();
            })
            .detach();
            // It runs, and lies alone in the ring.
            yield_now().await;
            // In the slot, and so before it.
            spawn(async {}).detach();
            door.pass();
        })
        .unwrap();
        done.set();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn what_a_worker_leaves_behind_wakes_another_worker() {
    model(|| {
        let done = Flag::new();
        let (executor, mut one, thread) = two(done.wait());
        one.run(&mut ThreadPark::new(), async {
            spawn(async move { done.set() }).detach();
        })
        .unwrap();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn what_a_dropped_worker_had_wakes_another_worker() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let done = Flag::new();
        let end = done.wait();
        one.run(&mut ThreadPark::new(), async {
            spawn(async move { done.set() }).detach();
        })
        .unwrap();
        let thread = thread::spawn(move || two.run(&mut ThreadPark::new(), end).unwrap());
        drop(one);
        thread.join().unwrap();
        drop(executor);
    });
}

#[test]
fn a_worker_that_panics_leaves_its_tasks_to_another() {
    model(|| {
        let done = Flag::new();
        let (executor, mut one, thread) = two(done.wait());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            one.run(&mut ThreadPark::new(), async {
                spawn(async move { done.set() }).detach();
                std::panic::resume_unwind(Box::new("the root"));
            })
        }));
        assert!(panicked.is_err());
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn a_sleeping_worker_is_woken_for_what_another_cannot_run_at_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let done = Flag::new();
        let end = done.wait();
        let thread = thread::spawn(move || two.run(&mut ThreadPark::new(), end).unwrap());
        // Two tasks: the second displaces the first from the slot to the ring, for the other worker
        // if it sleeps. This one is not driven afterwards.
        one.run(&mut ThreadPark::new(), async {
            let task = async move { done.set() };
            spawn(task).detach();
            spawn(async {}).detach();
        })
        .unwrap();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn a_shutdown_that_meets_the_end_of_the_last_task_ends() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let flag = Flag::new();
        executor.handle().spawn(flag.wait()).detach();
        let thread = thread::spawn(move || {
            flag.set();
            while two.try_tick() {}
            two
        });
        let left = one.run(&mut ThreadPark::new(), executor.shutdown(pending::<()>()));
        assert!(left.unwrap().is_empty());
        drop(thread.join().unwrap());
    });
}

/// A pool's task that waits for the flag, polled once.
fn started(executor: &PoolExecutor, worker: &mut Worker, flag: &Flag, drops: &Drops) -> Task<u32> {
    let (wait, mut guard) = (flag.wait(), drops.guard());
    let task = executor.handle().spawn(async move {
        guard.touch();
        wait.await;
        guard.touch();
        7
    });
    drive(worker);
    task
}

/// How a task ended that may have been cancelled.
fn check_end(task: &mut Task<u32>) {
    assert!(task.is_finished());
    match Pin::new(task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(value)) => assert_eq!(value, 7),
        Poll::Ready(Err(JoinError::Cancelled(cause))) => assert_eq!(cause.text(), "the model"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cancel_by_the_handle_against_a_run_against_a_wake_ends_the_task_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let (flag, drops) = (Flag::new(), Drops::new());
        let task = started(&executor, &mut worker, &flag, &drops);
        let waker = thread::spawn(move || flag.set());
        let runner = thread::spawn(move || {
            drive(&mut worker);
            worker
        });
        let mut task = task.cancel(Cause::requested("the model"));
        waker.join().unwrap();
        let mut worker = runner.join().unwrap();
        drive(&mut worker);
        check_end(&mut task);
        assert_eq!(drops.settled(), 1);
        drop((worker, executor));
    });
}

#[test]
fn a_handle_that_cancels_and_goes_as_the_task_ends_leaves_nothing() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let (flag, drops) = (Flag::new(), Drops::new());
        let task = started(&executor, &mut worker, &flag, &drops);
        flag.set();
        let runner = thread::spawn(move || {
            drive(&mut worker);
            worker
        });
        drop(task.cancel(Cause::requested("the model")));
        let mut worker = runner.join().unwrap();
        drive(&mut worker);
        assert_eq!(drops.settled(), 1);
        drop((worker, executor));
    });
}

#[test]
fn who_awaits_a_pool_s_task_is_woken_as_it_is_cancelled() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let (flag, drops) = (Flag::new(), Drops::new());
        let task = started(&executor, &mut worker, &flag, &drops);
        let (end, ended) = Flag::pair();
        let runner = thread::spawn(move || {
            worker.run(&mut ThreadPark::new(), ended.wait()).unwrap();
            worker
        });
        let task = task.cancel(Cause::requested("the model"));
        let joined = pirn_core::shim::block_on(task);
        assert!(matches!(joined, Err(JoinError::Cancelled(_))));
        end.set();
        let worker = runner.join().unwrap();
        assert_eq!(drops.settled(), 1);
        drop((worker, executor, flag));
    });
}

#[test]
fn who_lists_tasks_while_one_ends_and_another_takes_its_slot_sees_either() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let mut worker = workers.remove(0);
        let first = TaskMeta::here().named("first");
        let second = TaskMeta::here().named("second");
        let (before, after) = (first.spawned_at(), second.spawned_at());
        let both = async {
            try_spawn(first, async {}).unwrap().await.unwrap();
            try_spawn(second, async {}).unwrap().detach();
        };
        let lister = thread::spawn(move || handle.tasks());
        worker.run(&mut ThreadPark::new(), both).unwrap();
        let listed = lister.join().unwrap();
        assert!(listed.len() <= 1);
        for task in listed {
            // A name goes with the task, its place does not.
            let place = match task.name() {
                Some("first") => before,
                Some("second") => after,
                None => task.spawned_at(),
                Some(other) => panic!("nobody is called {other}"),
            };
            assert_eq!(task.spawned_at(), place);
            assert!([before, after].contains(&task.spawned_at()));
        }
        drop((worker, executor));
    });
}

#[test]
fn a_task_in_the_slot_of_a_long_poll_is_taken_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let drops = Drops::new();
        let mut guard = drops.guard();
        let thread = thread::spawn(move || {
            // The second time the other one's poll is still the same, if it is.
            let _ = (two.try_tick(), two.try_tick());
            two
        });
        one.run(&mut ThreadPark::new(), async {
            let task = spawn(async move {
                guard.touch();
                drop(guard);
            });
            task.detach();
        })
        .unwrap();
        while one.try_tick() {}
        let mut two = thread.join().unwrap();
        while one.try_tick() || two.try_tick() {}
        assert_eq!(drops.settled(), 1);
        drop(executor);
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
        assert!(left.is_empty());
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
        let left = end.as_mut().poll(&mut cx);
        assert!(matches!(left, Poll::Ready(left) if left.is_empty()));
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
        let all = matches!(&ended, Poll::Ready(left) if left.is_empty());
        if all && started.load(Relaxed) {
            assert!(
                cleaned.load(Relaxed),
                "a clean-up was cut off, and not counted"
            );
        }
        drop(worker);
    });
}

#[test]
fn whoever_sees_no_task_alive_sees_what_the_last_one_did() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let mut worker = workers.remove(0);
        let did = Arc::new(AtomicBool::new(false));
        let does = did.clone();
        // Ordering: Relaxed; that the count of those alive publishes it is what is checked.
        let task = async move { does.store(true, Relaxed) };
        executor.handle().spawn(task).detach();
        let thread = thread::spawn(move || worker.try_tick());
        if executor.statistics().live == 0 {
            assert!(did.load(Relaxed));
        }
        thread.join().unwrap();
    });
}

/// Notes that it was dropped.
struct Tells(Arc<AtomicBool>);

impl Drop for Tells {
    fn drop(&mut self) {
        // Ordering: Relaxed; that the count of those alive publishes it is what is checked.
        self.0.store(true, Relaxed);
    }
}

#[test]
fn whoever_sees_no_task_alive_sees_what_was_dropped_with_the_executor() {
    model(|| {
        let (executor, workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let dropped = Arc::new(AtomicBool::new(false));
        let tells = Tells(dropped.clone());
        let task = async move {
            let _tells = tells;
            pending::<()>().await;
        };
        handle.spawn(task).detach();
        let thread = thread::spawn(move || drop(executor));
        if handle.statistics().live == 0 {
            assert!(dropped.load(Relaxed));
        }
        thread.join().unwrap();
        drop(workers);
    });
}

/// Spawns a task eagerly when it is woken; on whatever worker that is.
struct SpawnsEagerly(PoolHandle, std::sync::Mutex<Option<Guard>>);

impl Wake for SpawnsEagerly {
    fn wake(self: std::sync::Arc<Self>) {
        if let Some(guard) = self.1.lock().unwrap().take() {
            let task = async move {
                let _guard = guard;
                pending::<()>().await;
            };
            self.0.spawn_eager(task).detach();
        }
    }
}

#[test]
fn a_task_that_a_waker_spawns_as_a_worker_leaves_and_the_executor_goes_is_dropped_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let drops = Drops::new();
        let guard = std::sync::Mutex::new(Some(drops.guard()));
        let waker = SpawnsEagerly(executor.handle(), guard);
        let waker = Waker::from(std::sync::Arc::new(waker));
        let mut cx = Context::from_waker(&waker);
        assert!(two.poll_tick(&mut cx).is_pending());
        let other = thread::spawn(move || {
            // On its way out it wakes the other worker, and so spawns.
            one.run(&mut ThreadPark::new(), async {}).unwrap();
            one
        });
        drop(executor);
        let one = other.join().unwrap();
        assert_eq!(drops.settled(), 1);
        drop((one, two));
    });
}
