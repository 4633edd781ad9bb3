//! Bound tasks, and what is done with their wakers and handles on other threads.

use pirn_core::{Cause, finally_in_place};
use pirn_executor::{LocalExecutor, Task, ThreadPark};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

fn drive(executor: &LocalExecutor) {
    while executor.try_tick() {}
}

/// A task that is pending until `go`, and a waker of it.
fn waiting(executor: &LocalExecutor, go: &Arc<AtomicBool>) -> (Task<String>, Waker) {
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (keep, gone) = (kept.clone(), go.clone());
    let task = executor.spawn(poll_fn(move |cx| {
        *keep.lock().unwrap() = Some(cx.waker().clone());
        match gone.load(SeqCst) {
            true => Poll::Ready(String::from("the output")),
            false => Poll::Pending,
        }
    }));
    drive(executor);
    let waker = kept.lock().unwrap().take().unwrap();
    (task, waker)
}

/// Clones that were made on another thread.
fn clones(waker: &Waker, number: usize) -> Vec<Waker> {
    std::thread::scope(|scope| {
        let cloned = scope.spawn(|| (0..number).map(|_| waker.clone()).collect());
        cloned.join().unwrap()
    })
}

#[test]
fn wakers_that_were_cloned_away_and_dropped_at_home_do_not_merge_a_live_task() {
    let executor = LocalExecutor::new();
    let go = Arc::new(AtomicBool::new(false));
    let (task, waker) = waiting(&executor, &go);
    drop(clones(&waker, 4));
    go.store(true, SeqCst);
    waker.wake();
    drive(&executor);
    assert!(task.is_finished(), "the wake was lost");
    let output = executor.run(&mut ThreadPark::new(), task).unwrap();
    assert_eq!(output.unwrap(), "the output");
}

#[test]
fn what_a_run_waits_for_survives_that_its_wakers_are_cloned_away_and_dropped_at_home() {
    let executor = LocalExecutor::new();
    let mut turns = 0;
    let end = poll_fn(|cx| {
        turns += 1;
        if turns == 1 {
            drop(clones(cx.waker(), 5));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    });
    executor.run(&mut ThreadPark::new(), end).unwrap();
}

#[test]
fn a_live_task_whose_home_count_fell_gives_no_output() {
    let executor = LocalExecutor::new();
    let go = Arc::new(AtomicBool::new(false));
    let (mut task, waker) = waiting(&executor, &go);
    drop(clones(&waker, 3));
    let mut cx = Context::from_waker(Waker::noop());
    let polled = Pin::new(&mut task).poll(&mut cx);
    let pending = polled.is_pending();
    // It is what lies where the output would.
    std::mem::forget(polled);
    assert!(
        pending,
        "an output was taken from a task that has not ended"
    );
}

#[test]
fn a_stale_entry_of_the_queue_meets_merged_words() {
    let executor = LocalExecutor::new();
    let go = Arc::new(AtomicBool::new(false));
    let (task, waker) = waiting(&executor, &go);
    waker.wake_by_ref();
    // It is in the queue. Closed there:
    let cut = executor.shutdown(&mut ThreadPark::new(), std::future::ready(()));
    assert_eq!(cut.unwrap()[0].id(), task.id());
    let cloned = clones(&waker, 3);
    drop(cloned);
    drive(&executor);
    drop((task, waker));
}

#[test]
fn the_cause_of_a_cancel_from_away_survives_that_the_handle_is_let_go() {
    let executor = LocalExecutor::new();
    let seen = Arc::new(Mutex::new(None));
    let see = seen.clone();
    let task = executor.spawn(async move {
        let look = pirn_core::Scope::current().unwrap();
        finally_in_place(pending::<()>(), || async move {
            *see.lock().unwrap() = look.cause().map(|cause| cause.text().to_string());
        })
        .await;
    });
    drive(&executor);
    std::thread::spawn(move || task.cancel(Cause::requested("no longer needed")).detach())
        .join()
        .unwrap();
    drive(&executor);
    assert_eq!(seen.lock().unwrap().as_deref(), Some("no longer needed"));
}

#[test]
fn a_waker_that_panics_does_not_cost_other_tasks_their_wakes() {
    struct Loud;
    impl Wake for Loud {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("a waker's destructor");
        }
    }
    let executor = LocalExecutor::new();
    let go = Arc::new(AtomicBool::new(false));
    let (never, _kept) = waiting(&executor, &Arc::default());
    let (other, waker) = waiting(&executor, &go);
    let join = |task: &mut Task<String>, waker: &Waker| {
        let mut cx = Context::from_waker(waker);
        assert!(Pin::new(task).poll(&mut cx).is_pending());
    };
    let loud = Waker::from(Arc::new(Loud));
    let never = std::thread::scope(|scope| {
        let away = scope.spawn(|| {
            let mut never = never;
            join(&mut never, &loud);
            never
        });
        away.join().unwrap()
    });
    // Home registers it; the join slot has the last one.
    drive(&executor);
    let raw = loud.data() as *const Loud;
    std::mem::forget(loud);
    // SAFETY: the count of the waker that was forgotten: the slot's is the last one.
    unsafe { Arc::decrement_strong_count(raw) };
    let never = std::thread::spawn(move || {
        let mut never = never;
        // The joiner moves: home drops the former one, which panics.
        join(&mut never, Waker::noop());
        go.store(true, SeqCst);
        waker.wake();
        never
    })
    .join()
    .unwrap();
    drive(&executor);
    assert!(other.is_finished(), "the wake of another task was lost");
    drop(never);
}
