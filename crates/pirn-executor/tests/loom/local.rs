//! The executor of one thread: what comes from others.

use crate::support::Drops;
use pirn_core::TaskMeta;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::{LocalExecutor, ThreadPark};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

#[test]
fn a_spawn_from_another_thread_ends_the_sleep() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let flag = crate::support::Flag::new();
        let end = flag.wait();
        let thread = thread::spawn(move || {
            handle.spawn(async move { flag.set() }).detach();
        });
        executor.run(&mut ThreadPark::new(), end).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_of_what_is_run_for_ends_the_sleep() {
    model(|| {
        let executor = LocalExecutor::new();
        let flag = crate::support::Flag::new();
        let end = flag.wait();
        let thread = thread::spawn(move || flag.set());
        executor.run(&mut ThreadPark::new(), end).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn what_is_run_for_sees_what_its_waker_s_thread_wrote() {
    model(|| {
        let executor = LocalExecutor::new();
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
        executor.run(&mut ThreadPark::new(), end).unwrap();
        thread.unwrap().join().unwrap();
    });
}

#[test]
fn two_threads_that_send_at_once_are_both_heard() {
    model(|| {
        let executor = LocalExecutor::new();
        let (first, second) = (executor.handle(), executor.handle());
        let (a, b) = (crate::support::Flag::new(), crate::support::Flag::new());
        let (wait_a, wait_b) = (a.wait(), b.wait());
        let one = thread::spawn(move || first.spawn(async move { a.set() }).detach());
        let two = thread::spawn(move || second.spawn(async move { b.set() }).detach());
        executor
            .run(&mut ThreadPark::new(), async {
                wait_a.await;
                wait_b.await;
            })
            .unwrap();
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn a_spawn_that_meets_the_end_is_refused_or_dropped() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let drops = Drops::new();
        let guard = drops.guard();
        let thread = thread::spawn(move || {
            let spawned = handle.try_spawn(TaskMeta::here(), async move { drop(guard) });
            match spawned {
                Ok(task) => task.detach(),
                Err(refused) => drop(refused.into_future()),
            }
        });
        drop(executor);
        thread.join().unwrap();
        assert_eq!(drops.settled(), 1);
    });
}

#[test]
fn a_foreign_loop_that_was_told_to_wait_is_woken() {
    model(|| {
        let executor = LocalExecutor::new();
        let handle = executor.handle();
        let told = std::sync::Arc::new(Told(crate::support::Flag::new()));
        let waker = Waker::from(told.clone());
        let thread = thread::spawn(move || handle.spawn(async {}).detach());
        if executor
            .poll_tick(&mut Context::from_waker(&waker))
            .is_pending()
        {
            pirn_core::shim::block_on(told.0.wait());
            assert!(
                executor
                    .poll_tick(&mut Context::from_waker(&waker))
                    .is_ready()
            );
        }
        thread.join().unwrap();
        assert_eq!(executor.statistics().polls, 1);
    });
}

struct Told(crate::support::Flag);

impl std::task::Wake for Told {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.set();
    }
}
