//! What hooks are told of an executor's tasks.

mod common;

use common::yield_now;
use pirn_core::report::{Report, set_hook};
use pirn_core::{Cause, JoinError, TaskMeta};
use pirn_executor::{
    Ended, Hooks, LocalExecutor, LocalHandle, Order, PoolExecutor, PoolHandle, Priority, TaskId,
    ThreadPark, Worker,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};

/// Notes everything, by the task's name.
#[derive(Default)]
struct Notes {
    names: Mutex<HashMap<TaskId, String>>,
    lines: Mutex<Vec<String>>,
}

impl Notes {
    fn note(&self, id: TaskId, what: &str) {
        let name = self.names.lock().unwrap()[&id].clone();
        self.lines.lock().unwrap().push(format!("{name} {what}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl Hooks for Notes {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        let name = meta.name().unwrap_or("unnamed").to_owned();
        self.names.lock().unwrap().insert(id, name);
        self.note(id, "spawned");
    }

    fn polling(&self, id: TaskId) {
        self.note(id, "polling");
    }

    fn polled(&self, id: TaskId) {
        self.note(id, "polled");
    }

    fn woken(&self, id: TaskId) {
        self.note(id, "woken");
    }

    fn ended(&self, id: TaskId, how: Ended) {
        self.note(id, &format!("ended {how:?}"));
    }
}

fn executor() -> (LocalExecutor, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    (LocalExecutor::with_hooks(Order::Fifo, notes.clone()), notes)
}

fn named(name: &str) -> TaskMeta {
    TaskMeta::here().named(name)
}

#[test]
fn a_task_is_told_of_from_its_birth_to_its_end() {
    let (executor, notes) = executor();
    let task = executor.try_spawn(named("a"), async {
        yield_now().await;
        7
    });
    assert_eq!(notes.take(), ["a spawned"]);
    let seven = executor.run(&mut ThreadPark::new(), task.unwrap());
    assert_eq!(seven.unwrap().unwrap(), 7);
    assert_eq!(
        notes.take(),
        [
            "a polling",
            "a polled",
            "a woken",
            "a polling",
            "a polled",
            "a ended Returned"
        ]
    );
}

#[test]
fn each_way_to_end_has_a_name() {
    let (executor, notes) = executor();
    let panics = executor.try_spawn(named("p"), async { panic!("as planned") });
    let panics = panics.map(|task: pirn_executor::Task<()>| task).unwrap();
    let waits = executor.try_spawn(named("w"), pending::<()>()).unwrap();
    let cut_off = executor.try_spawn(named("c"), pending::<()>()).unwrap();
    while executor.try_tick() {}
    let waits = waits.cancel(Cause::requested("enough"));
    while executor.try_tick() {}
    drop(executor);
    assert!(panics.is_finished() && waits.is_finished() && cut_off.is_finished());
    let ends: Vec<_> = notes
        .take()
        .into_iter()
        .filter(|n| n.contains("ended"))
        .collect();
    assert_eq!(
        ends,
        ["p ended Panicked", "w ended Cancelled", "c ended Cancelled"]
    );
}

#[test]
fn tasks_from_other_threads_and_eager_ones_are_told_of_before_they_run() {
    let (executor, notes) = executor();
    let handle: LocalHandle = executor.handle();
    let task = std::thread::spawn(move || handle.try_spawn(named("far"), async { 1 }).unwrap());
    let task = task.join().unwrap();
    assert_eq!(
        executor.run(&mut ThreadPark::new(), task).unwrap().unwrap(),
        1
    );
    let eager = executor
        .handle()
        .try_spawn_eager(named("eager"), async { 2 });
    assert!(eager.unwrap().is_finished());
    let expected = ["spawned", "polling", "polled", "ended Returned"];
    let expected: Vec<_> = ["far", "eager"]
        .iter()
        .flat_map(|name| expected.map(|what| format!("{name} {what}")))
        .collect();
    assert_eq!(notes.take(), expected);
}

#[test]
fn a_hook_may_spawn_and_may_drop_the_executor() {
    struct Spawns(Mutex<Option<LocalHandle>>);
    impl Hooks for Spawns {
        fn spawned(&self, _: TaskId, _: &TaskMeta) {
            let handle = self.0.lock().unwrap().take();
            if let Some(handle) = handle {
                handle.spawn(async {}).detach();
            }
        }
    }
    let spawns = Arc::new(Spawns(Mutex::new(None)));
    let executor = LocalExecutor::with_hooks(Order::Fifo, spawns.clone());
    *spawns.0.lock().unwrap() = Some(executor.handle());
    let task = executor.spawn(async {});
    assert_eq!(executor.statistics().live, 2);
    while executor.try_tick() {}
    assert!(task.is_finished());

    struct Drops(Mutex<Option<LocalExecutor>>);
    thread_local! { static OWN: Drops = const { Drops(Mutex::new(None)) }; }
    struct Closes;
    impl Hooks for Closes {
        fn spawned(&self, _: TaskId, _: &TaskMeta) {
            OWN.with(|own| drop(own.0.lock().unwrap().take()));
        }
    }
    let executor = LocalExecutor::with_hooks(Order::Fifo, Arc::new(Closes));
    let handle = executor.handle();
    OWN.with(|own| *own.0.lock().unwrap() = Some(executor));
    let task = handle.spawn_local(async {});
    assert!(task.is_finished());
    let ended = pirn_core::shim::block_on(task);
    assert!(matches!(ended, Err(JoinError::Refused(_))));
}

#[test]
fn a_panic_in_a_hook_is_reported_and_does_no_harm() {
    struct Panics;
    impl Hooks for Panics {
        fn polled(&self, _: TaskId) {
            panic!("a bad hook");
        }
    }
    let reports = Arc::new(Mutex::new(0));
    let count = reports.clone();
    set_hook(Some(Arc::new(move |report: &Report| {
        *count.lock().unwrap() += usize::from(report.to_string().contains("a bad hook"));
    })));
    let executor = LocalExecutor::with_hooks(Order::Fifo, Arc::new(Panics));
    let task = executor.spawn(async {
        yield_now().await;
        5
    });
    let ended = executor.run(&mut ThreadPark::new(), task).unwrap();
    set_hook(None);
    assert_eq!(ended.unwrap(), 5);
    assert_eq!(*reports.lock().unwrap(), 2);
}

#[test]
fn what_another_thread_asks_is_told_at_home_when_it_is_done_there() {
    #[derive(Default)]
    struct Threads(Mutex<Vec<ThreadId>>);
    impl Hooks for Threads {
        fn woken(&self, _: TaskId) {
            self.0.lock().unwrap().push(thread::current().id());
        }
        fn ended(&self, _: TaskId, _: Ended) {
            self.0.lock().unwrap().push(thread::current().id());
        }
    }
    let threads = Arc::new(Threads::default());
    let executor = LocalExecutor::with_hooks(Order::Fifo, threads.clone());
    let (sender, wakers) = mpsc::channel::<Waker>();
    let mut polls = 0;
    let task = executor.spawn(poll_fn(move |cx| {
        polls += 1;
        sender.send(cx.waker().clone()).unwrap();
        match polls {
            1 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }));
    while executor.try_tick() {}
    thread::spawn(move || wakers.recv().unwrap().wake())
        .join()
        .unwrap();
    assert!(threads.0.lock().unwrap().is_empty());
    while executor.try_tick() {}
    assert!(task.is_finished());
    assert_eq!(*threads.0.lock().unwrap(), [thread::current().id(); 2]);
}

#[test]
fn whichever_hook_of_an_eager_task_drops_the_executor_it_ends_and_nothing_is_left() {
    thread_local! { static OWN: RefCell<Option<LocalExecutor>> = const { RefCell::new(None) }; }
    struct Drops(&'static str);
    impl Drops {
        fn at(&self, hook: &str) {
            if hook == self.0 {
                drop(OWN.with(RefCell::take));
            }
        }
    }
    impl Hooks for Drops {
        fn spawned(&self, _: TaskId, _: &TaskMeta) {
            self.at("spawned");
        }
        fn polling(&self, _: TaskId) {
            self.at("polling");
        }
        fn polled(&self, _: TaskId) {
            self.at("polled");
        }
        fn woken(&self, _: TaskId) {
            self.at("woken");
        }
        fn ended(&self, _: TaskId, _: Ended) {
            self.at("ended");
        }
    }
    for hook in ["spawned", "polling", "polled", "woken", "ended"] {
        let hooks = Arc::new(Drops(hook));
        let executor = LocalExecutor::with_hooks(Order::Fifo, hooks.clone());
        let handle = executor.handle();
        OWN.set(Some(executor));
        let task = handle.spawn_eager(async move {
            if hook != "ended" {
                yield_now().await;
            }
        });
        assert!(OWN.take().is_none(), "{hook}");
        assert!(task.is_finished(), "{hook}");
        let ended = pirn_core::shim::block_on(task);
        match hook {
            "ended" => assert!(ended.is_ok()),
            "spawned" => assert!(matches!(ended, Err(JoinError::Refused(_)))),
            _ => assert!(ended.unwrap_err().is_cancelled(), "{hook}"),
        }
        drop(handle);
        assert_eq!(Arc::strong_count(&hooks), 1, "{hook}");
    }
}

#[test]
fn a_wake_in_whose_hook_the_executor_goes_leaves_nothing() {
    struct Drops(Mutex<bool>);
    thread_local! { static OWN: RefCell<Option<LocalExecutor>> = const { RefCell::new(None) }; }
    impl Hooks for Drops {
        fn woken(&self, _: TaskId) {
            drop(OWN.with(RefCell::take));
        }
        fn ended(&self, _: TaskId, _: Ended) {
            *self.0.lock().unwrap() = true;
        }
    }
    let hooks = Arc::new(Drops(Mutex::new(false)));
    let executor = LocalExecutor::with_hooks(Order::Fifo, hooks.clone());
    let kept = Rc::new(RefCell::new(None::<Waker>));
    let keeps = kept.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        *keeps.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    while executor.try_tick() {}
    OWN.set(Some(executor));
    let waker = kept.take().unwrap();
    waker.wake();
    assert!(*hooks.0.lock().unwrap());
    assert!(task.is_finished());
    drop(task);
    assert_eq!(Arc::strong_count(&hooks), 1);
}

fn pool() -> (PoolExecutor, Worker, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let (executor, mut workers) = PoolExecutor::with_hooks(1, notes.clone());
    (executor, workers.remove(0), notes)
}

#[test]
fn a_task_of_a_pool_is_told_of_from_its_birth_to_its_end() {
    for priority in [Priority::High, Priority::Normal, Priority::Low] {
        let (executor, mut worker, notes) = pool();
        let work = async {
            yield_now().await;
            7
        };
        let meta = named("a").with_priority(priority);
        let task = executor.handle().try_spawn(meta, work);
        assert_eq!(notes.take(), ["a spawned"]);
        let seven = worker.run(&mut ThreadPark::new(), task.unwrap());
        assert_eq!(seven.unwrap().unwrap(), 7);
        let all = [
            "polling",
            "polled",
            "woken",
            "polling",
            "polled",
            "ended Returned",
        ];
        assert_eq!(notes.take(), all.map(|what| format!("a {what}")));
        assert_eq!(executor.statistics().live, 0);
    }
}

#[test]
fn what_a_worker_spawns_is_told_of_whatever_the_way() {
    let (executor, mut worker, notes) = pool();
    let handle = executor.handle();
    let run = worker.run(&mut ThreadPark::new(), async {
        pirn_executor::try_spawn(named("f"), async {})
            .unwrap()
            .await
            .unwrap();
        handle
            .try_spawn(named("h"), async {})
            .unwrap()
            .await
            .unwrap();
        let eager = handle.try_spawn_eager(named("e"), async {}).unwrap();
        assert!(eager.is_finished());
    });
    run.unwrap();
    let all = ["spawned", "polling", "polled", "ended Returned"];
    let all = ["f", "h", "e"]
        .iter()
        .flat_map(|name| all.map(|what| format!("{name} {what}")));
    assert_eq!(notes.take(), all.collect::<Vec<_>>());
}

#[test]
fn what_a_pool_cuts_off_is_told_and_what_it_refuses_is_not() {
    let (executor, mut worker, notes) = pool();
    let handle = executor.handle();
    let task = handle.try_spawn(named("c"), pending::<()>()).unwrap();
    while worker.try_tick() {}
    drop(executor);
    assert!(task.is_finished());
    assert!(handle.try_spawn(named("r"), async {}).is_err());
    assert_eq!(
        notes.take(),
        ["c spawned", "c polling", "c polled", "c ended Cancelled"]
    );
}

/// Ends its pool when it is told of a birth.
struct EndsPool(Notes, Mutex<Option<PoolExecutor>>);

impl Hooks for EndsPool {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        self.0.spawned(id, meta);
        drop(self.1.lock().unwrap().take());
    }

    fn ended(&self, id: TaskId, how: Ended) {
        self.0.ended(id, how);
    }
}

#[test]
fn a_task_is_refused_if_the_pool_ends_as_it_is_told_of_it() {
    let spawn = |handle: &PoolHandle| handle.try_spawn(named("r"), async {}).unwrap_err().reason();
    for inside in [false, true] {
        let hooks = Arc::new(EndsPool(Notes::default(), Mutex::new(None)));
        let (executor, mut workers) = PoolExecutor::with_hooks(1, hooks.clone());
        let handle = executor.handle();
        *hooks.1.lock().unwrap() = Some(executor);
        let reason = match inside {
            false => spawn(&handle),
            true => workers[0]
                .run(&mut ThreadPark::new(), async { spawn(&handle) })
                .unwrap(),
        };
        assert_eq!(reason, "the executor is gone");
        assert_eq!(hooks.0.take(), ["r spawned", "r ended Cancelled"]);
    }
}
