//! Bound tasks, and the threads that are away: what these count and ask for, against what home does.

use crate::support::{Drops, Flag};
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, Mutex, block_on, model, thread};
use pirn_core::{Cause, TaskMeta};
use pirn_executor::internals::fill_sites;
use pirn_executor::{LocalExecutor, Task, ThreadPark};
use std::future::{pending, poll_fn};
use std::task::{Poll, Waker};

fn drive(executor: &LocalExecutor) {
    while executor.try_tick() {}
}

/// A task that has ended, or never ends, and wakers of it.
fn with_wakers<const N: usize>(executor: &LocalExecutor, ends: bool) -> (Task<()>, [Waker; N]) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        keep.lock().extend((0..N).map(|_| cx.waker().clone()));
        match ends {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    drive(executor);
    let wakers = std::mem::take(&mut *kept.lock());
    (task, wakers.try_into().unwrap())
}

#[test]
fn the_last_two_references_go_on_two_threads_away() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [one, two]) = with_wakers(&executor, true);
        drop(task);
        let first = thread::spawn(move || drop(one));
        let second = thread::spawn(move || drop(two));
        drive(&executor);
        first.join().unwrap();
        second.join().unwrap();
        // Home finds both gone, or it would never let its heap go, which loom would see.
        drive(&executor);
    });
}

#[test]
fn a_reference_that_was_made_away_outlives_all_of_home() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, true);
        let away = thread::spawn(move || {
            let another = waker.clone();
            drop(waker);
            another
        });
        drop(task);
        drive(&executor);
        let another = away.join().unwrap();
        drive(&executor);
        let away = thread::spawn(move || drop(another));
        drive(&executor);
        away.join().unwrap();
        drive(&executor);
    });
}

#[test]
fn a_reference_that_was_made_away_goes_while_home_gives_up_its_last() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, true);
        let another = {
            let away = thread::spawn(move || (waker.clone(), waker));
            let (another, waker) = away.join().unwrap();
            drop(waker);
            another
        };
        let away = thread::spawn(move || drop(another));
        drop(task);
        drive(&executor);
        away.join().unwrap();
        drive(&executor);
    });
}

#[test]
fn wakers_are_cloned_and_dropped_away_as_the_executor_goes() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [one, two]) = with_wakers(&executor, false);
        let first = thread::spawn(move || drop(one.clone()));
        let second = thread::spawn(move || two.wake());
        drop(executor);
        drop(task);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_wake_by_reference_meets_the_end_of_the_executor() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, false);
        let away = thread::spawn(move || {
            waker.wake_by_ref();
            waker.wake_by_ref();
        });
        drop(executor);
        away.join().unwrap();
        drop(task);
    });
}

#[test]
fn a_waker_comes_home_after_the_executor_is_gone() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, false);
        let away = thread::spawn(move || waker.clone());
        drop(executor);
        let waker = away.join().unwrap();
        waker.wake_by_ref();
        drop(task);
        drop(waker.clone());
        waker.wake();
    });
}

#[test]
fn of_two_wakes_from_two_threads_neither_is_lost() {
    model(|| {
        let executor = LocalExecutor::new();
        let (one, two) = (Flag::new(), Flag::new());
        let (first, second) = (one.wait(), two.wait());
        let task = executor.spawn(async move {
            first.await;
            second.await;
        });
        drive(&executor);
        let first = thread::spawn(move || one.set());
        let second = thread::spawn(move || two.set());
        executor.run(&mut ThreadPark::new(), task).unwrap().unwrap();
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_handle_is_dropped_away_as_the_executor_goes() {
    model(|| {
        let executor = LocalExecutor::new();
        let drops = Drops::new();
        let guard = drops.guard();
        let task = executor.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        drive(&executor);
        let away = thread::spawn(move || drop(task));
        drop(executor);
        assert_eq!(drops.settled(), 1);
        away.join().unwrap();
    });
}

#[test]
fn an_output_is_dropped_once_if_its_handle_goes_away_as_the_executor_does() {
    model(|| {
        let executor = LocalExecutor::new();
        let output = Drops::new();
        let result = output.guard();
        let task = executor.spawn(async move { result });
        let away = thread::spawn(move || drop(task));
        drive(&executor);
        drop(executor);
        away.join().unwrap();
        assert_eq!(output.settled(), 1);
    });
}

#[test]
fn a_cancel_from_away_meets_the_end_of_the_executor() {
    model(|| {
        let executor = LocalExecutor::new();
        let task = executor.spawn(pending::<()>());
        drive(&executor);
        let away = thread::spawn(move || {
            let task = task.cancel(Cause::requested("the model"));
            assert!(block_on(task).unwrap_err().is_cancelled());
        });
        drop(executor);
        away.join().unwrap();
    });
}

#[test]
fn a_name_outlives_a_cancel_from_away_that_comes_as_the_executor_goes() {
    model(|| {
        let executor = LocalExecutor::new();
        let meta = TaskMeta::here().named("named");
        let task = executor.try_spawn(meta, pending::<()>()).unwrap();
        let away = thread::spawn(move || task.cancel(Cause::requested("the model")));
        drop(executor);
        let task = away.join().unwrap();
        assert_eq!(task.name().as_deref(), Some("named"));
    });
}

#[test]
fn a_place_without_a_number_outlives_a_cancel_from_away_that_comes_as_the_executor_goes() {
    model(|| {
        // First of all, since the table outlives an execution.
        fill_sites();
        let executor = LocalExecutor::new();
        let (task, line) = (executor.spawn(pending::<()>()), line!());
        let other = thread::spawn(move || task.cancel(Cause::requested("elsewhere")));
        drop(executor);
        let task = other.join().unwrap();
        assert_eq!(task.spawned_at().line(), line);
    });
}

#[test]
fn a_task_that_was_spawned_away_ends_and_its_slot_is_used_again() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let (done, end) = Flag::pair();
        let away = thread::spawn(move || {
            assert_eq!(block_on(handle.spawn(async { 1 })).unwrap(), 1);
            let second = done.clone();
            handle.spawn(async move { second.set() }).detach();
        });
        executor.run(&mut ThreadPark::new(), end.wait()).unwrap();
        away.join().unwrap();
    });
}

#[test]
fn the_waker_of_a_run_outlives_it_away() {
    model(|| {
        let executor = LocalExecutor::new();
        let mut away = None;
        let end = poll_fn(|cx| {
            let waker = cx.waker().clone();
            away = Some(thread::spawn(move || waker.wake()));
            Poll::Ready(())
        });
        executor.run(&mut ThreadPark::new(), end).unwrap();
        drop(executor);
        away.unwrap().join().unwrap();
    });
}

#[test]
fn a_cell_whose_way_home_is_refused_is_freed_by_somebody() {
    model(|| {
        let executor = LocalExecutor::new();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keep = kept.clone();
        let task = executor.spawn(poll_fn(move |cx| {
            keep.lock().extend((0..2).map(|_| cx.waker().clone()));
            Poll::<()>::Pending
        }));
        while executor.try_tick() {}
        task.detach();
        let [one, two]: [Waker; 2] = std::mem::take(&mut *kept.lock()).try_into().unwrap();
        // It is in the queue when the executor goes.
        two.wake_by_ref();
        let first = thread::spawn(move || drop(one));
        let second = thread::spawn(move || (two.clone(), two));
        drop(second.join().unwrap());
        drop(executor);
        first.join().unwrap();
    });
}

#[test]
fn a_task_lives_on_though_its_wakers_were_made_away_and_go_at_home() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, false);
        let away = thread::spawn(move || {
            let clones = [waker.clone(), waker.clone(), waker.clone()];
            (waker, clones)
        });
        let (waker, clones) = away.join().unwrap();
        let away = thread::spawn(move || waker.wake());
        drop(clones);
        drive(&executor);
        away.join().unwrap();
        drive(&executor);
        assert!(!task.is_finished());
        drop(task);
        drive(&executor);
        assert_eq!(executor.statistics().live, 0);
    });
}

#[test]
fn a_wake_that_finds_the_cell_sent_publishes_what_came_before() {
    model(|| {
        let executor = LocalExecutor::new();
        let (value, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let (keep, look, saw) = (kept.clone(), value.clone(), seen.clone());
        let task = executor.spawn(poll_fn(move |cx| {
            keep.lock().get_or_insert_with(|| cx.waker().clone());
            // Ordering: Relaxed; that the wake publishes it is what is checked.
            saw.store(look.load(Relaxed), Relaxed);
            Poll::<()>::Pending
        }));
        drive(&executor);
        let waker = kept.lock().clone().unwrap();
        let first = thread::spawn(move || {
            waker.wake_by_ref();
            waker
        });
        let waker = first.join().unwrap();
        let second = thread::spawn(move || {
            value.store(1, Relaxed);
            waker.wake();
        });
        drive(&executor);
        second.join().unwrap();
        drive(&executor);
        // Ordering: Relaxed, only this thread polls.
        assert_eq!(seen.load(Relaxed), 1);
        drop(task);
        drive(&executor);
    });
}

/// Away: so many references more, that are counted there.
fn cloned_away<const N: usize>(waker: Waker) -> [Waker; N] {
    let away = thread::spawn(move || {
        let mut wakers: Vec<Waker> = (1..N).map(|_| waker.clone()).collect();
        wakers.push(waker);
        wakers
    });
    away.join().unwrap().try_into().unwrap()
}

#[test]
fn an_output_that_is_dropped_away_is_gone_before_home_frees_the_cell() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, true);
        let [one, two] = cloned_away(waker);
        // The handle's reference is given up elsewhere, for one that was counted there.
        let away = thread::spawn(move || drop(task));
        drop((one, two));
        drive(&executor);
        away.join().unwrap();
        drive(&executor);
    });
}

#[test]
fn an_output_that_is_dropped_away_is_gone_before_another_thread_frees_the_cell() {
    model(|| {
        let executor = LocalExecutor::new();
        let (task, [waker]) = with_wakers(&executor, true);
        let [one, two, last] = cloned_away(waker);
        // Home has no reference any more.
        drop((one, two));
        let first = thread::spawn(move || drop(task));
        let second = thread::spawn(move || drop(last));
        first.join().unwrap();
        second.join().unwrap();
        drive(&executor);
    });
}
