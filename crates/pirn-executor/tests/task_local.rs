//! Task-locals on the executors: what a spawn passes on.

mod common;

use common::yield_now;
use pirn_core::{Locals, Spawn, SpawnLocal, TaskLocal, TaskMeta};
use pirn_executor::{LocalExecutor, PoolExecutor, Task, ThreadPark, spawn, spawn_local};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

static REQUEST: TaskLocal<u32> = TaskLocal::new();

fn run<F: Future>(executor: &LocalExecutor, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

async fn ask() -> Option<u32> {
    yield_now().await;
    REQUEST.get()
}

#[test]
fn every_spawn_takes_a_copy_of_what_stands_around_it() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let seen = run(&executor, async {
        let spawned = REQUEST.scope(1, async { [spawn(ask()), spawn_local(ask())] });
        let [one, two] = spawned.await;
        let three = REQUEST.scope_sync(2, || handle.spawn(ask()));
        let four = REQUEST.scope_sync(3, || executor.spawn(ask()));
        let none = spawn(ask());
        let mut seen = Vec::new();
        for task in [one, two, three, four, none] {
            seen.push(task.await.unwrap());
        }
        seen
    });
    assert_eq!(seen, [Some(1), Some(1), Some(2), Some(3), None]);
    assert!(Locals::current().is_empty());
}

#[test]
fn a_spawn_through_the_shared_traits_takes_a_copy() {
    let executor = LocalExecutor::new();
    let (sender, seen) = mpsc::channel();
    let handle = executor.handle();
    REQUEST.scope_sync(1, || {
        let send = sender.clone();
        let task = async move { send.send(ask().await).unwrap() };
        Spawn::spawn(&handle, TaskMeta::here(), task).unwrap();
        let task = async move { sender.send(ask().await).unwrap() };
        SpawnLocal::spawn_local(&handle, TaskMeta::here(), task).unwrap();
    });
    while executor.try_tick() {}
    assert_eq!(seen.iter().collect::<Vec<_>>(), [Some(1), Some(1)]);
}

#[test]
fn what_a_task_sets_its_later_children_inherit_and_its_siblings_do_not() {
    let executor = LocalExecutor::new();
    let setter = executor.spawn(async {
        let before = spawn(ask());
        let _keep = REQUEST.set(1).unwrap();
        let after = spawn(ask());
        let _keep = REQUEST.set(2).unwrap();
        (before.await.unwrap(), after.await.unwrap(), REQUEST.get())
    });
    let sibling = executor.spawn(ask());
    let seen = run(&executor, async {
        (setter.await.unwrap(), sibling.await.unwrap())
    });
    assert_eq!(seen, ((None, Some(1), Some(2)), None));
}

#[test]
fn what_run_waits_for_sees_what_stands_around_the_call_and_sets_its_own() {
    let executor = LocalExecutor::new();
    REQUEST.scope_sync(1, || {
        run(&executor, async {
            assert_eq!(ask().await, Some(1));
            let _keep = REQUEST.set(2).unwrap();
            assert_eq!(ask().await, Some(2));
            assert_eq!(spawn(ask()).await.unwrap(), Some(2));
        });
        assert_eq!(REQUEST.get(), Some(1));
    });
}

#[test]
fn tasks_that_run_inside_another_ones_poll_do_not_see_its_values() {
    let executor = LocalExecutor::new();
    let stranger: Task<Option<u32>> = executor.spawn(ask());
    let setter = executor.spawn(async {
        yield_now().await;
        let _keep = REQUEST.set(9).unwrap();
        yield_now().await;
    });
    let inner = LocalExecutor::new();
    let theirs = inner.spawn(ask());
    run(&executor, async {
        let _keep = REQUEST.set(1).unwrap();
        // A run inside a task, of the same executor and of another one.
        assert_eq!(run(&executor, stranger).unwrap(), None);
        assert_eq!(run(&inner, theirs).unwrap(), None);
        while inner.try_tick() {}
        assert_eq!(REQUEST.get(), Some(1));
        setter.await.unwrap();
        assert_eq!(REQUEST.get(), Some(1));
    });
}

#[test]
fn a_copy_goes_along_to_other_threads() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let task = REQUEST.scope_sync(1, || {
        executor.handle().spawn(async {
            let child = spawn(ask());
            let _keep = REQUEST.set(2).unwrap();
            (child.await.unwrap(), ask().await)
        })
    });
    let mut worker = workers.remove(0);
    let thread = std::thread::spawn(move || {
        let seen = worker.run(&mut ThreadPark::new(), task).unwrap();
        assert!(Locals::current().is_empty());
        seen
    });
    assert_eq!(thread.join().unwrap().unwrap(), (Some(1), Some(2)));
}

#[test]
fn a_task_that_is_cut_off_by_the_end_of_its_executor_is_dropped_with_its_own_values() {
    struct Asks(mpsc::Sender<Option<u32>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.send(REQUEST.get()).unwrap();
        }
    }
    let (sender, seen) = mpsc::channel();
    let executor = LocalExecutor::new();
    let hold = |asks: Asks| async move {
        let _asks = asks;
        std::future::pending::<()>().await;
    };
    executor.spawn(hold(Asks(sender.clone()))).detach();
    REQUEST.scope_sync(1, || executor.spawn(hold(Asks(sender))).detach());
    while executor.try_tick() {}
    REQUEST.scope_sync(9, || drop(executor));
    let mut seen: Vec<_> = seen.iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, [None, Some(1)]);
}

#[test]
fn the_first_value_that_a_task_sets_in_a_run_inside_another_task_is_kept() {
    let executor = Rc::new(LocalExecutor::new());
    let inner = Rc::new(LocalExecutor::new());
    let outer = executor.spawn(async move {
        let setter = inner.spawn(async {
            let _keep = REQUEST.set(1).unwrap();
            yield_now().await;
            REQUEST.get()
        });
        let other = inner.spawn(async { REQUEST.get() });
        run(&inner, async move {
            (setter.await.unwrap(), other.await.unwrap(), REQUEST.get())
        })
    });
    assert_eq!(run(&executor, outer).unwrap(), (Some(1), None, None));
}

#[test]
fn the_first_value_that_an_eager_task_sets_inside_another_task_is_kept() {
    let executor = Rc::new(LocalExecutor::new());
    let handle = executor.handle();
    let outer = executor.spawn(async move {
        let setter = handle.spawn_eager(async {
            let _keep = REQUEST.set(1).unwrap();
            yield_now().await;
            REQUEST.get()
        });
        (setter.await.unwrap(), REQUEST.get())
    });
    assert_eq!(run(&executor, outer).unwrap(), (Some(1), None));
}

/// Sets and tells what it found before, as it is dropped.
struct SetsAtDrop(Rc<RefCell<Vec<Option<u32>>>>);

impl Drop for SetsAtDrop {
    fn drop(&mut self) {
        self.0.borrow_mut().push(REQUEST.get());
        let _ = REQUEST.set(9).map(drop);
    }
}

#[test]
fn what_a_destructor_sets_in_an_executor_that_goes_inside_a_task_is_not_seen_by_the_next() {
    let executor = Rc::new(LocalExecutor::new());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let inside = seen.clone();
    let outer = executor.spawn(async move {
        let inner = LocalExecutor::new();
        for _ in 0..2 {
            let held = SetsAtDrop(inside.clone());
            inner
                .spawn(async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                })
                .detach();
        }
        drop(inner);
        REQUEST.get()
    });
    assert_eq!(run(&executor, outer).unwrap(), None);
    assert_eq!(*seen.borrow(), [None, None]);
}

static LAST: TaskLocal<Spawner> = TaskLocal::new();

/// Spawns and sets as it is dropped.
struct Spawner(Arc<Mutex<Vec<&'static str>>>);

impl Drop for Spawner {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped");
        let log = self.0.clone();
        let set = REQUEST.set(5).is_ok();
        self.0
            .lock()
            .unwrap()
            .push(if set { "set" } else { "no task" });
        spawn(async move { log.lock().unwrap().push("ran") }).detach();
    }
}

#[test]
fn a_value_whose_destructor_sets_and_spawns_at_the_tasks_end() {
    let executor = LocalExecutor::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let inside = log.clone();
    run(&executor, async {
        spawn(async move {
            let _keep = LAST.set(Spawner(inside)).map(drop);
        })
        .await
        .unwrap();
        yield_now().await;
        yield_now().await;
    });
    let said = log.lock().unwrap().clone();
    assert_eq!(
        (said[0], said.last()),
        ("dropped", Some(&"ran")),
        "{said:?}"
    );
}

struct PanicsAtDrop;
impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("a value's destructor");
    }
}
static BAD: TaskLocal<PanicsAtDrop> = TaskLocal::new();

#[test]
fn a_value_whose_destructor_panics_ends_its_task_and_no_other() {
    let executor = LocalExecutor::new();
    let ended = run(&executor, async {
        let bad = spawn(async {
            let _keep = BAD.set(PanicsAtDrop).map(drop);
            yield_now().await;
        });
        let _ = bad.await;
        let bad = spawn(async {
            let _keep = BAD.set(PanicsAtDrop).map(drop);
        });
        let _ = bad.await;
        let bad = BAD.scope_sync(PanicsAtDrop, || spawn(async { yield_now().await }));
        drop(bad);
        spawn(async { 3 }).await.unwrap()
    });
    assert_eq!(ended, 3);
}

#[test]
fn a_panic_in_a_task_with_a_value_whose_destructor_panics_is_its_own() {
    let executor = LocalExecutor::new();
    let ended = run(&executor, async {
        let bad = BAD.scope_sync(PanicsAtDrop, || {
            spawn(async {
                yield_now().await;
                panic!("its own")
            })
        });
        let _: Result<(), _> = bad.await;
        3
    });
    assert_eq!(ended, 3);
}

#[test]
fn a_local_value_outlives_the_body_that_panicked_in_its_last_poll() {
    struct Looks(Rc<RefCell<Vec<Option<u32>>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.borrow_mut().push(REQUEST.get());
        }
    }
    struct Bad(#[allow(dead_code)] Looks);
    impl Future for Bad {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("polled")
        }
    }
    let executor = LocalExecutor::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let task = REQUEST.scope_sync(4, || executor.spawn(Bad(Looks(seen.clone()))));
    let _ = run(&executor, task);
    assert_eq!(*seen.borrow(), [Some(4)]);
}
