//! The executor whose tasks borrow.

mod common;

use common::yield_now;
use pirn_core::{JoinError, Priority, TaskMeta};
use pirn_executor::{ScopedExecutor, Task, ThreadPark, spawn_local};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::task::{Poll, Waker};
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
