//! The task cell: the owner runs, others wake, cancel, await, drop.

use crate::support::{Drops, Flag};
use pirn_core::shim::{Mutex, block_on, model, thread};
use pirn_core::{Cause, JoinError};
use pirn_executor::{LocalExecutor, ThreadPark};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

fn drive(executor: &LocalExecutor) {
    while executor.try_tick() {}
}

/// Drives the executor until the flag is set.
fn run_until(executor: &LocalExecutor, flag: &Flag) {
    executor.run(&mut ThreadPark::new(), flag.wait()).unwrap();
}

/// A task that waits for the flag, with its waker where the flag is.
fn started(executor: &LocalExecutor, flag: &Flag, drops: &Drops) -> pirn_executor::Task<u32> {
    let (wait, mut guard) = (flag.wait(), drops.guard());
    let task = executor.spawn(async move {
        guard.touch();
        wait.await;
        guard.touch();
        7
    });
    drive(executor);
    task
}

#[test]
fn a_wake_that_meets_a_run_is_not_lost() {
    model(|| {
        let executor = LocalExecutor::new();
        let (flag, drops) = (Flag::new(), Drops::new());
        let (wait, mut guard) = (flag.wait(), drops.guard());
        let task = executor.spawn(async move {
            wait.await;
            guard.touch();
            7
        });
        let thread = thread::spawn(move || flag.set());
        let got = executor.run(&mut ThreadPark::new(), task).unwrap();
        assert_eq!(got.unwrap(), 7);
        assert_eq!(drops.settled(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn whoever_awaits_the_handle_elsewhere_is_woken_and_sees_the_task_s_writes() {
    model(|| {
        let executor = LocalExecutor::new();
        let drops = Drops::new();
        let mut guard = drops.guard();
        let task = executor.spawn(async move {
            guard.touch();
            7
        });
        let (done, end) = Flag::pair();
        let thread = thread::spawn(move || {
            assert_eq!(block_on(task).unwrap(), 7);
            assert_eq!(drops.settled(), 1);
            done.set();
        });
        run_until(&executor, &end);
        thread.join().unwrap();
    });
}

#[test]
fn a_joiner_that_changes_its_waker_is_woken_by_one_of_them() {
    model(|| {
        let executor = LocalExecutor::new();
        let mut task = executor.spawn(async { 7 });
        let (done, end) = Flag::pair();
        let thread = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            match Pin::new(&mut task).poll(&mut cx) {
                Poll::Ready(got) => assert_eq!(got.unwrap(), 7),
                Poll::Pending => assert_eq!(block_on(task).unwrap(), 7),
            }
            done.set();
        });
        run_until(&executor, &end);
        thread.join().unwrap();
    });
}

#[test]
fn a_task_that_awaits_another_is_woken_through_the_join_slot() {
    model(|| {
        // Two executors on two threads: the joiner's waker is a task's, kept as its pointer.
        let executor = LocalExecutor::new();
        let task = executor.spawn(async { 7 });
        let (done, end) = Flag::pair();
        let thread = thread::spawn(move || {
            let joiner = LocalExecutor::new();
            let outer = joiner.spawn(async move { task.await.unwrap() });
            let got = joiner.run(&mut ThreadPark::new(), outer).unwrap();
            assert_eq!(got.unwrap(), 7);
            done.set();
        });
        run_until(&executor, &end);
        thread.join().unwrap();
    });
}

#[test]
fn a_handle_dropped_elsewhere_while_the_task_runs_drops_everything_once() {
    model(|| {
        let executor = LocalExecutor::new();
        let (drops, output) = (Drops::new(), Drops::new());
        let (mut guard, result) = (drops.guard(), output.guard());
        let task = executor.spawn(async move {
            guard.touch();
            result
        });
        let thread = thread::spawn(move || drop(task));
        drive(&executor);
        thread.join().unwrap();
        drive(&executor);
        assert_eq!(drops.settled(), 1);
        assert_eq!(output.settled(), 1);
        assert_eq!(executor.statistics().live, 0);
    });
}

#[test]
fn a_handle_polled_and_dropped_elsewhere_leaves_no_waker_behind() {
    model(|| {
        let executor = LocalExecutor::new();
        let (flag, drops) = (Flag::new(), Drops::new());
        let mut task = started(&executor, &flag, &drops);
        let thread = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut task).poll(&mut cx);
            drop(task);
        });
        flag.set();
        drive(&executor);
        thread.join().unwrap();
        drive(&executor);
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn detach_while_the_task_runs_lets_it_end() {
    model(|| {
        let executor = LocalExecutor::new();
        let (drops, output) = (Drops::new(), Drops::new());
        let (mut guard, result) = (drops.guard(), output.guard());
        let task = executor.spawn(async move {
            guard.touch();
            result
        });
        let thread = thread::spawn(move || task.detach());
        drive(&executor);
        assert_eq!(executor.statistics().live, 0);
        thread.join().unwrap();
        drive(&executor);
        assert_eq!(drops.settled(), 1);
        assert_eq!(output.settled(), 1);
    });
}

#[test]
fn cancel_against_run_against_wake_ends_the_task_once() {
    model(|| {
        let executor = LocalExecutor::new();
        let (flag, drops) = (Flag::new(), Drops::new());
        let task = started(&executor, &flag, &drops);
        let canceller = thread::spawn(move || task.cancel(Cause::requested("the model")));
        let waker = thread::spawn(move || flag.set());
        drive(&executor);
        waker.join().unwrap();
        let mut task = canceller.join().unwrap();
        drive(&executor);
        assert!(task.is_finished());
        assert_eq!(drops.settled(), 1);
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut task).poll(&mut cx) {
            Poll::Ready(Ok(value)) => assert_eq!(value, 7),
            Poll::Ready(Err(JoinError::Cancelled(cause))) => assert_eq!(cause.text(), "the model"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_cancel_ends_the_owner_s_sleep() {
    struct SetOnDrop(Flag);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    model(|| {
        let executor = LocalExecutor::new();
        let gone = Flag::new();
        let (end, guard) = (gone.wait(), SetOnDrop(gone));
        let task = executor.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let thread = thread::spawn(move || task.cancel(Cause::requested("the model")).detach());
        executor.run(&mut ThreadPark::new(), end).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn the_last_waker_may_go_elsewhere_while_the_task_ends() {
    model(|| {
        let executor = LocalExecutor::new();
        let kept = pirn_core::shim::Arc::new(Mutex::new(None::<Waker>));
        let keep = kept.clone();
        let drops = Drops::new();
        let guard = drops.guard();
        let task = executor.spawn(async move {
            let _guard = guard;
            poll_fn(|cx| {
                *keep.lock() = Some(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
        });
        let thread = thread::spawn(move || {
            let waker = kept.lock().take();
            if let Some(waker) = waker {
                waker.wake_by_ref();
                drop(waker);
            }
        });
        drive(&executor);
        drop(task);
        thread.join().unwrap();
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn two_wakes_by_value_make_one_entry_and_free_nothing_early() {
    model(|| {
        let executor = LocalExecutor::new();
        let kept = pirn_core::shim::Arc::new(Mutex::new(Vec::<Waker>::new()));
        let keep = kept.clone();
        let task = executor.spawn(poll_fn(move |cx| {
            keep.lock().extend([cx.waker().clone(), cx.waker().clone()]);
            Poll::<()>::Pending
        }));
        drive(&executor);
        let (first, second) = {
            let mut kept = kept.lock();
            (kept.pop().unwrap(), kept.pop().unwrap())
        };
        let thread = thread::spawn(move || first.wake());
        second.wake();
        drop(task);
        drive(&executor);
        thread.join().unwrap();
        drive(&executor);
        assert_eq!(executor.statistics().live, 0);
    });
}

#[test]
fn the_executor_goes_while_another_thread_wakes_and_drops_the_handle() {
    model(|| {
        let executor = LocalExecutor::new();
        let (flag, drops) = (Flag::new(), Drops::new());
        let task = started(&executor, &flag, &drops);
        let thread = thread::spawn(move || {
            flag.set();
            drop(task);
        });
        drop(executor);
        assert_eq!(drops.settled(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn a_task_that_never_ends_goes_with_its_executor_under_a_joiner() {
    model(|| {
        let executor = LocalExecutor::new();
        let task = executor.spawn(pending::<()>());
        let thread = thread::spawn(move || {
            assert!(block_on(task).unwrap_err().is_cancelled());
        });
        drop(executor);
        thread.join().unwrap();
    });
}

#[test]
fn who_lists_tasks_while_another_thread_spawns_sees_a_whole_one_or_none() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let thread = thread::spawn(move || handle.spawn(async {}).detach());
        assert!(executor.tasks().len() <= 1);
        thread.join().unwrap();
    });
}
