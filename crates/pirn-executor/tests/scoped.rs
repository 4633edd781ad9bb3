//! The executor whose tasks borrow.

mod common;

use common::{Counter, hook, yield_now};
use pirn_core::{
    JoinError, Kind, Park, ParkError, Priority, TaskMeta, Unpark, Until, finally_in_place,
};
use pirn_executor::{ScopedExecutor, Task, ThreadPark, spawn_local, tasks};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

fn run<F: Future>(executor: &ScopedExecutor<'_>, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

/// The addresses of what is forgotten.
static FORGOTTEN: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());

#[test]
fn tasks_borrow_and_change_what_is_around_the_executor_and_give_back_borrows() {
    let text = String::from("long lived");
    let mut counts = [0; 4];
    let seen = RefCell::new(Vec::new());
    {
        let executor = ScopedExecutor::new();
        for count in &mut counts {
            let seen = &seen;
            let task = async move {
                *count += 1;
                yield_now().await;
                *count += 1;
                seen.borrow_mut().push(*count);
            };
            executor.spawn(task).detach();
        }
        let words = executor.spawn(async { text.split(' ').collect::<Vec<&str>>() });
        assert_eq!(run(&executor, words).unwrap(), ["long", "lived"]);
        while executor.try_tick() {}
        assert_eq!(executor.statistics().live, 0);
    }
    assert_eq!(counts, [2; 4]);
    assert_eq!(seen.into_inner(), [2; 4]);
}

#[test]
fn its_end_drops_the_futures_while_what_they_borrow_is_there() {
    struct Says<'a>(&'a RefCell<Vec<String>>, &'a str);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1.to_owned());
        }
    }
    let (log, text) = (RefCell::new(Vec::new()), String::from("dropped"));
    let waiting = {
        let executor = ScopedExecutor::new();
        let hold = |says| async move {
            let _says: Says<'_> = says;
            pending::<()>().await;
        };
        let waiting = executor.spawn(hold(Says(&log, &text)));
        executor.spawn(hold(Says(&log, "never polled"))).detach();
        assert!(executor.try_tick());
        waiting
    };
    let mut log = log.into_inner();
    log.sort_unstable();
    assert_eq!(log, ["dropped", "never polled"]);
    assert!(waiting.is_finished());
    let ended = pirn_core::shim::block_on(waiting);
    assert!(matches!(ended, Err(JoinError::Cancelled(_))));
}

#[test]
fn after_it_was_forgotten_nothing_touches_the_futures_whatever_handles_and_wakers_do() {
    let touched = Rc::new(Cell::new(0));
    let (task, waker, handle);
    {
        struct Touches<'a>(&'a Cell<u32>);
        impl Drop for Touches<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 100);
            }
        }
        // On the heap, so that the borrowed is gone as this block ends and its place reused.
        let local = Box::new(touched.clone());
        let kept = RefCell::new(None::<Waker>);
        let executor = ScopedExecutor::new();
        let (borrowed, kept_by) = (&*local, &kept);
        task = executor.spawn(async move {
            let touches = Touches(borrowed);
            poll_fn(|cx| {
                touches.0.set(touches.0.get() + 1);
                *kept_by.borrow_mut() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        });
        assert!(executor.try_tick());
        handle = executor.handle();
        waker = kept.borrow_mut().take().unwrap();
        // Where a leak checker finds it: that it stays is what is tried.
        let stays = Box::into_raw(Box::new(executor.handle()));
        FORGOTTEN.lock().unwrap().push(stays.expose_provenance());
        std::mem::forget(executor);
    }
    assert_eq!(touched.get(), 1);
    waker.wake_by_ref();
    let other = handle.spawn_local(async { unreachable!("nobody runs it") });
    assert!(!task.is_finished());
    let far = waker.clone();
    std::thread::spawn(move || far.wake()).join().unwrap();
    drop((task, waker, other, handle));
    assert_eq!(touched.get(), 1);
}

#[test]
fn wakers_of_other_threads_and_tasks_that_borrow_nothing_work_as_everywhere() {
    let text = String::from("borrowed");
    let executor = ScopedExecutor::new();
    let (sender, wakers) = mpsc::channel::<Waker>();
    std::thread::scope(|threads| {
        threads.spawn(move || wakers.into_iter().for_each(Waker::wake));
        let mut polls = 0;
        let (text, far) = (&text, sender);
        let task = executor.spawn(async move {
            poll_fn(|cx| {
                polls += 1;
                if polls == 5 {
                    return Poll::Ready(());
                }
                far.send(cx.waker().clone()).unwrap();
                Poll::Pending
            })
            .await;
            let inner = spawn_local(async { 1 }).await.unwrap();
            (inner, text.len())
        });
        assert_eq!(run(&executor, task).unwrap(), (1, 8));
    });
}

#[test]
fn a_panic_stays_with_its_handle() {
    let text = String::from("borrowed");
    let executor = ScopedExecutor::new();
    let task = executor.spawn(async { panic!("{text}") });
    let ended: Result<(), _> = run(&executor, task);
    assert!(matches!(ended, Err(JoinError::Panicked(_))));
}

#[test]
fn an_output_that_was_let_go_of_elsewhere_is_dropped_while_what_it_borrows_is_there() {
    struct Counts<'a>(&'a AtomicUsize);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            // Ordering: Relaxed, threads are joined.
            self.0.fetch_add(1, Relaxed);
        }
    }
    fn elsewhere(call: impl FnOnce() + Send) {
        thread::scope(|threads| threads.spawn(call).join().unwrap());
    }
    let drops = AtomicUsize::new(0);
    let count = &drops;
    let own = RefCell::new(None::<Task<Counts<'_>>>);
    {
        let executor = ScopedExecutor::new();
        let before = executor.spawn(async move { Counts(count) });
        elsewhere(|| before.detach());
        while executor.try_tick() {}
        assert_eq!(count.load(Relaxed), 1);

        let after = executor.spawn(async move { Counts(count) });
        while executor.try_tick() {}
        elsewhere(|| drop(after));
        assert_eq!(count.load(Relaxed), 2);

        // Noted in its last poll, and not settled before the executor goes.
        let own = &own;
        let task = executor.spawn(async move {
            let task = own.take();
            elsewhere(|| task.unwrap().detach());
            Counts(count)
        });
        *own.borrow_mut() = Some(task);
        assert!(executor.try_tick());
        assert_eq!(count.load(Relaxed), 2);
    }
    assert_eq!(drops.load(Relaxed), 3);
}

#[test]
fn a_task_that_borrows_is_as_urgent_as_its_metadata_says() {
    let order = RefCell::new(Vec::new());
    let executor = ScopedExecutor::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        let order = &order;
        let task = async move { order.borrow_mut().push(priority) };
        let meta = TaskMeta::here().with_priority(priority);
        executor.try_spawn(meta, task).unwrap().detach();
    }
    while executor.try_tick() {}
    let expected = [Priority::High, Priority::Normal, Priority::Low];
    assert_eq!(order.take(), expected);
}

#[test]
fn a_task_that_is_spawned_with_a_priority_goes_before_or_after_the_others() {
    let order = RefCell::new(Vec::new());
    let executor = ScopedExecutor::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        let order = &order;
        let task = async move { order.borrow_mut().push(priority) };
        executor.spawn_at(priority, task).detach();
    }
    while executor.try_tick() {}
    let expected = [Priority::High, Priority::Normal, Priority::Low];
    assert_eq!(order.take(), expected);
}

#[test]
fn an_eager_task_runs_up_to_its_first_wait_and_then_in_its_turn() {
    let (log, text) = (RefCell::new(Vec::new()), String::from("borrowed"));
    let say = |what| log.borrow_mut().push(what);
    let executor = ScopedExecutor::new();
    executor.spawn(async { say("before") }).detach();
    let task = executor.spawn_eager(async {
        say("at once");
        // Of the executor that it runs on, which is this one.
        let inner = spawn_local(async { 3 });
        yield_now().await;
        say("in its turn");
        (&text[..], inner.await.unwrap())
    });
    assert_eq!(log.take(), ["at once"]);
    assert_eq!(executor.statistics().live, 3);
    assert_eq!(run(&executor, task).unwrap(), ("borrowed", 3));
    assert_eq!(log.take(), ["before", "in its turn"]);
}

#[test]
fn a_panic_of_an_eager_task_stays_with_its_handle() {
    let count = Cell::new(0);
    let executor = ScopedExecutor::new();
    let task = executor.spawn_eager(async {
        count.set(count.get() + 1);
        panic!("as planned");
    });
    assert!(task.is_finished() && count.get() == 1);
    let ended: Result<(), _> = run(&executor, task);
    assert!(matches!(ended, Err(JoinError::Panicked(_))));
}

#[test]
fn an_eager_task_is_as_it_says_and_refused_unpolled_after_a_shutdown() {
    let polled = Cell::new(false);
    let executor = ScopedExecutor::new();
    let meta = TaskMeta::here().named("weaver");
    let _named = executor.try_spawn_eager(meta, pending::<()>()).unwrap();
    assert_eq!(executor.tasks()[0].name(), Some("weaver"));
    shutdown(&executor, pending::<()>());
    let eager = async { polled.set(true) };
    let refused = executor
        .try_spawn_eager(TaskMeta::here(), eager)
        .unwrap_err();
    pirn_core::shim::block_on(refused.into_future());
    assert!(polled.take());
    let ended = run(&executor, executor.spawn_eager(async { polled.set(true) }));
    assert!(matches!(ended, Err(JoinError::Refused(_))) && !polled.get());
}

#[test]
fn a_wake_of_all_polls_each_task_that_waits_also_one_that_was_spawned_elsewhere() {
    let polls = Cell::new(0);
    let executor = ScopedExecutor::new();
    let waits = || {
        poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        })
    };
    let _tasks = [executor.spawn(waits()), executor.spawn_eager(waits())];
    let handle = executor.handle();
    let far = thread::spawn(move || handle.spawn(async {}))
        .join()
        .unwrap();
    while executor.try_tick() {}
    assert!(polls.take() == 2 && far.is_finished());
    executor.wake_all();
    while executor.try_tick() {}
    assert_eq!(polls.get(), 2);
}

/// Shuts it down; gives the names of the tasks that were cut off.
fn shutdown(executor: &ScopedExecutor<'_>, deadline: impl Future) -> Vec<String> {
    let cut_off = executor.shutdown(&mut ThreadPark::new(), deadline).unwrap();
    let name = |task: &pirn_executor::TaskInfo| task.name().unwrap_or_default().to_owned();
    cut_off.iter().map(name).collect()
}

#[test]
fn shutdown_awaits_clean_up_that_borrows_and_refuses_what_comes() {
    let (text, log) = (String::from("borrowed"), RefCell::new(Vec::new()));
    let executor = ScopedExecutor::new();
    let (handle, log_of, text_of) = (executor.handle(), &log, &text[..]);
    let tasks = [1, 2].map(|n| {
        let clean = async move || {
            for step in 0..2 {
                yield_now().await;
                log_of.borrow_mut().push((text_of, n, step));
            }
        };
        executor.spawn(finally_in_place(pending::<&str>(), clean))
    });
    executor
        .spawn(async { unreachable!("cancelled before it began") })
        .detach();
    while executor.statistics().polls < 2 {
        assert!(executor.try_tick());
    }
    let asks = executor.handle();
    let inside = executor.spawn(finally_in_place(pending::<()>(), async move || {
        let refused = asks
            .try_spawn_local(TaskMeta::here(), async {})
            .unwrap_err();
        assert_eq!(refused.reason(), "the executor is shutting down");
    }));
    assert!(executor.try_tick() && executor.try_tick());
    assert_eq!(shutdown(&executor, pending::<()>()), [""; 0]);
    let steps = [(1, 0), (2, 0), (1, 1), (2, 1)];
    assert_eq!(log.take(), steps.map(|(n, step)| (text_of, n, step)));
    for task in tasks {
        match run(&executor, task) {
            Err(JoinError::Cancelled(cause)) => assert_eq!(cause.kind(), Kind::Shutdown),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        run(&executor, inside),
        Err(JoinError::Cancelled(_))
    ));
    let refused = executor.try_spawn(TaskMeta::here(), async { text.len() });
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), "the executor is gone");
    assert_eq!(pirn_core::shim::block_on(refused.into_future()), 8);
    let ended = run(&executor, executor.spawn(async { text.len() }));
    assert!(matches!(ended, Err(JoinError::Refused(_))));
    let ended = run(&executor, handle.spawn(async { 1 }));
    assert!(matches!(ended, Err(JoinError::Refused(_))));
    assert_eq!(shutdown(&executor, pending::<()>()), [""; 0]);
}

#[test]
fn what_has_not_ended_at_the_deadline_is_named_and_dropped_while_what_it_borrows_is_there() {
    struct Counts<'a>(&'a Cell<u32>);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let _reports = hook();
    let dropped = Cell::new(0);
    let executor = ScopedExecutor::new();
    let meta = TaskMeta::here().named("hangs");
    let counts = Counts(&dropped);
    let clean = async move || {
        let _counts = counts;
        pending::<()>().await;
    };
    let hangs = executor
        .try_spawn(meta, finally_in_place(pending::<()>(), clean))
        .unwrap();
    let counts = Counts(&dropped);
    let ends = executor.spawn(async move {
        let _counts = counts;
        pending::<()>().await;
    });
    while executor.try_tick() {}
    let cut_off = executor
        .shutdown(&mut ThreadPark::new(), yield_now())
        .unwrap();
    assert_eq!(cut_off.len(), 1);
    assert_eq!(
        (cut_off[0].id(), cut_off[0].name()),
        (hangs.id(), Some("hangs"))
    );
    assert!(
        cut_off[0].to_string().contains("scoped.rs"),
        "{}",
        cut_off[0]
    );
    assert!(hangs.is_finished() && ends.is_finished());
    assert_eq!(dropped.get(), 2);
}

#[test]
fn without_any_time_a_shutdown_polls_nobody_and_names_all() {
    let _reports = hook();
    let cleaned = RefCell::new(Vec::new());
    let executor = ScopedExecutor::new();
    for (name, turns) in [("quick", 0), ("slow", 1)] {
        let cleaned = &cleaned;
        let clean = async move || {
            for _ in 0..turns {
                yield_now().await;
            }
            cleaned.borrow_mut().push(name);
        };
        let meta = TaskMeta::here().named(name);
        let task = executor.try_spawn(meta, finally_in_place(pending::<()>(), clean));
        task.unwrap().detach();
    }
    while executor.try_tick() {}
    assert_eq!(shutdown(&executor, ready(())), ["quick", "slow"]);
    assert_eq!(cleaned.take(), [""; 0], "there was no time at all");
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn a_panic_in_a_clean_up_stays_with_its_handle_and_the_others_clean_up() {
    let cleaned = Cell::new(0);
    let executor = ScopedExecutor::new();
    let panics = executor.spawn(finally_in_place(pending::<()>(), async || {
        cleaned.set(cleaned.get() + 1);
        panic!("while it cleaned up")
    }));
    let other = executor.spawn(finally_in_place(pending::<()>(), async || {
        yield_now().await;
        cleaned.set(cleaned.get() + 10);
    }));
    while executor.try_tick() {}
    assert_eq!(shutdown(&executor, pending::<()>()), [""; 0]);
    assert_eq!(cleaned.get(), 11);
    assert!(matches!(
        run(&executor, panics),
        Err(JoinError::Panicked(_))
    ));
    assert!(matches!(
        run(&executor, other),
        Err(JoinError::Cancelled(_))
    ));
}

#[test]
fn a_shutdown_within_a_task_names_that_one_and_it_is_dropped_after_its_poll() {
    let (text, log) = (String::from("borrowed"), RefCell::new(Vec::new()));
    struct Says<'a>(&'a RefCell<Vec<String>>, &'a str);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(format!("{} dropped", self.1));
        }
    }
    let executor = Rc::new(ScopedExecutor::new());
    let (ends, says) = (executor.clone(), Says(&log, &text));
    let log_of = &log;
    let asks = async move {
        let (ends, says) = (ends, says);
        let cut_off = shutdown(&ends, yield_now());
        says.0.borrow_mut().push(format!("{cut_off:?}"));
        drop(ends);
        pending::<()>().await;
    };
    let other = executor.spawn(finally_in_place(pending::<()>(), async move || {
        log_of.borrow_mut().push(String::from("other cleaned up"));
    }));
    let meta = TaskMeta::here().named("asks");
    let asks = executor.try_spawn(meta, asks).unwrap();
    while executor.try_tick() {}
    assert!(asks.is_finished() && other.is_finished());
    drop(executor);
    assert_eq!(
        log.take(),
        ["other cleaned up", "[\"asks\"]", "borrowed dropped"]
    );
}

/// A sleep that is refused.
struct Broken;
#[derive(Clone)]
struct Nobody;
impl Unpark for Nobody {
    fn unpark(&self) {}
}
impl Park for Broken {
    type Unpark = Nobody;
    fn unparker(&self) -> Nobody {
        Nobody
    }
    fn park(&mut self, _: Until) -> Result<(), ParkError> {
        Err(ParkError::new("reactor", "gone"))
    }
}

#[test]
fn a_shutdown_whose_sleep_fails_has_dropped_the_futures() {
    let _reports = hook();
    let held = Rc::new(());
    let executor = ScopedExecutor::new();
    let borrows = &held;
    let clean = async move || {
        let _clone = Rc::clone(borrows);
        pending::<()>().await;
    };
    let task = executor.spawn(finally_in_place(pending::<()>(), clean));
    while executor.try_tick() {}
    assert!(executor.shutdown(&mut Broken, pending::<()>()).is_err());
    assert!(task.is_finished());
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_deadline_that_panics_leaves_the_tasks_which_were_asked_to_end() {
    let dropped = Counter::new();
    let counter = Waker::from(dropped.clone());
    let executor = ScopedExecutor::new();
    let counter = &counter;
    executor
        .spawn(finally_in_place(pending::<()>(), async move || {
            counter.wake_by_ref();
            pending::<()>().await;
        }))
        .detach();
    while executor.try_tick() {}
    let ends = std::panic::AssertUnwindSafe(|| shutdown(&executor, async { panic!("late") }));
    assert!(std::panic::catch_unwind(ends).is_err());
    assert_eq!((executor.statistics().live, dropped.count()), (1, 0));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert_eq!(dropped.count(), 1);
}

#[test]
fn who_lists_tasks_through_the_handle_of_a_forgotten_executor_drops_no_output() {
    struct Counts<'env>(&'env AtomicUsize);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let drops = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel::<Task<Counts<'_>>>();
    let executor = ScopedExecutor::new();
    let task = executor.spawn(async {
        // Elsewhere, and before it ends: the executor is asked to let go of the output.
        let task = receive.recv().unwrap();
        thread::scope(|scope| scope.spawn(|| drop(task)).join().unwrap());
        Counts(&drops)
    });
    send.send(task).unwrap();
    assert!(executor.try_tick());
    let handle = executor.handle();
    // Where a leak checker finds it.
    let stays = Box::into_raw(Box::new(handle.clone()));
    FORGOTTEN.lock().unwrap().push(stays.expose_provenance());
    std::mem::forget(executor);
    // From here on, what is borrowed might be gone.
    let task = handle.spawn_eager(async { tasks().len() });
    assert!(task.is_finished());
    assert_eq!(drops.load(Relaxed), 0);
}
