//! The lanes of a pool: nobody sleeps while one of them has a task.

use crate::support::{Door, Drops, Flag, yield_now};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::internals::{Lane, Lanes};
use pirn_executor::{PoolExecutor, Priority, ThreadPark, Worker, spawn, spawn_at};
use std::future::Future;

/// A worker that runs on a thread of its own until `end`.
fn run(
    mut worker: Worker,
    end: impl Future<Output = ()> + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || worker.run(&mut ThreadPark::new(), end).unwrap())
}

#[test]
fn what_another_thread_spawns_into_a_lane_ends_the_worker_s_sleep() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (flag, set) = Flag::pair();
        let thread = run(workers.remove(0), flag.wait());
        let task = async move { set.set() };
        executor.handle().spawn_at(Priority::Low, task).detach();
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_from_another_thread_of_what_waits_in_a_lane_ends_the_worker_s_sleep() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let (done, set) = Flag::pair();
        let (flag, wait) = Flag::pair();
        let task = async move {
            wait.wait().await;
            set.set();
        };
        executor.handle().spawn_at(Priority::High, task).detach();
        let thread = run(workers.remove(0), done.wait());
        flag.set();
        thread.join().unwrap();
    });
}

#[test]
fn what_a_task_spawns_into_a_lane_in_a_long_poll_wakes_another_worker() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, two) = (workers.remove(0), workers.remove(0));
        let (done, door) = (Flag::new(), Door::new());
        let thread = run(two, done.wait());
        let inside = door.clone();
        one.run(&mut ThreadPark::new(), async {
            spawn_at(Priority::High, async move { inside.open() }).detach();
            door.pass();
        })
        .unwrap();
        done.set();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn a_task_that_gives_way_in_a_lane_wakes_another_worker_if_what_is_run_for_goes_first() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, two) = (workers.remove(0), workers.remove(0));
        let (done, door) = (Flag::new(), Door::new());
        let thread = run(two, done.wait());
        let inside = door.clone();
        one.run(&mut ThreadPark::new(), async {
            let task = async move {
                yield_now().await;
                inside.open();
            };
            spawn_at(Priority::High, task).detach();
            // It runs, and lies alone in its lane; or the other worker has it.
            yield_now().await;
            door.pass();
        })
        .unwrap();
        done.set();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn a_task_that_gives_way_in_a_lane_wakes_another_worker_if_a_task_goes_first() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, two) = (workers.remove(0), workers.remove(0));
        let (first, second, door) = (Flag::new(), Flag::new(), Door::new());
        let (end, inside) = (first.wait(), door.clone());
        let thread = run(two, second.wait());
        one.run(&mut ThreadPark::new(), async {
            let task = async move {
                // Alone in the slot of whichever worker runs this. It goes before this one, which
                // lies alone in its lane, and so for the other worker.
                spawn(async move {
                    door.pass();
                    first.set();
                    second.set();
                })
                .detach();
                yield_now().await;
                inside.open();
            };
            spawn_at(Priority::Low, task).detach();
            end.await;
        })
        .unwrap();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn of_two_tasks_in_a_lane_the_second_is_not_stuck_behind_the_first() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, two) = (workers.remove(0), workers.remove(0));
        let (door, done) = (Door::new(), Flag::new());
        let (inside, end) = (door.clone(), done.wait());
        let handle = executor.handle();
        let first = async move {
            inside.pass();
            done.set();
        };
        handle.spawn_at(Priority::Low, first).detach();
        let second = async move { door.open() };
        handle.spawn_at(Priority::Low, second).detach();
        let thread = run(two, end);
        one.try_tick();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn a_task_in_a_lane_that_two_workers_may_take_runs_once() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let drops = Drops::new();
        let mut guard = drops.guard();
        let task = executor.handle().spawn_at(Priority::High, async move {
            guard.touch();
            drop(guard);
        });
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let thread = thread::spawn(move || while two.try_tick() {});
        while one.try_tick() {}
        thread.join().unwrap();
        assert!(task.is_finished());
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn what_comes_to_a_lane_as_the_executor_goes_is_dropped_once() {
    model(|| {
        let (executor, workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let drops = Drops::new();
        let guard = drops.guard();
        let other = thread::spawn(move || {
            let task = async move {
                let _guard = guard;
            };
            handle.spawn_at(Priority::Low, task).detach();
        });
        drop(executor);
        other.join().unwrap();
        assert_eq!(drops.settled(), 1);
        drop(workers);
    });
}

#[test]
fn what_two_push_into_lanes_is_taken_once_or_given_to_whoever_closes() {
    model(|| {
        let lanes = Arc::new(Lanes::default());
        let (first, second) = (lanes.clone(), lanes.clone());
        let item = Arc::new(());
        let items = [item.clone(), item.clone()];
        let [one, two] = items;
        let pushing = thread::spawn(move || first.push(Lane::High, one));
        let other = thread::spawn(move || second.push(Lane::Low, two));
        let taken = lanes.take(Lane::High);
        let closed = lanes.close().count();
        pushing.join().unwrap();
        other.join().unwrap();
        assert!(usize::from(taken.is_some()) + closed <= 2);
        assert!(lanes.is_empty());
        drop(taken);
        assert_eq!(Arc::strong_count(&item), 1);
    });
}
