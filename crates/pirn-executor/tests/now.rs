//! The current task: who it is, and where there is none.

mod common;

use common::yield_now;
use pirn_core::TaskMeta;
use pirn_executor::{
    LocalExecutor, PoolExecutor, Task, TaskId, ThreadPark, current, spawn, spawn_eager,
};
use std::cell::Cell;
use std::future::pending;
use std::panic::Location;
use std::rc::Rc;

fn run<F: Future>(executor: &LocalExecutor, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

fn id() -> Option<TaskId> {
    current().map(|task| task.id())
}

#[test]
fn a_task_finds_its_number_name_and_place_in_each_of_its_polls() {
    let executor = LocalExecutor::new();
    let (here, ask) = (Location::caller(), async {
        let before = id();
        yield_now().await;
        assert_eq!(before, id());
        current().unwrap()
    });
    let named = executor
        .try_spawn(TaskMeta::here().named("asker"), ask)
        .unwrap();
    let plain = executor.spawn(async { current().unwrap() });
    let (named_id, plain_id) = (named.id(), plain.id());
    let (named, plain) = run(&executor, async {
        (named.await.unwrap(), plain.await.unwrap())
    });
    assert_eq!((named.id(), named.name()), (named_id, Some("asker")));
    assert_eq!((plain.id(), plain.name()), (plain_id, None));
    assert_eq!(plain.spawned_at().file(), here.file());
    assert_eq!(plain.meta().spawned_at(), plain.spawned_at());
}

#[test]
fn outside_every_task_there_is_none() {
    assert!(current().is_none());
    let executor = LocalExecutor::new();
    run(&executor, async {
        assert!(current().is_none());
        spawn(async { assert!(current().is_some()) }).await.unwrap();
        assert!(current().is_none());
    });
    executor.spawn(async { panic!("as planned") }).detach();
    while executor.try_tick() {}
    assert!(current().is_none());
}

#[test]
fn a_poll_inside_a_poll_gives_the_outer_task_back() {
    let executor = LocalExecutor::new();
    let inner = LocalExecutor::new();
    let task: Task<()> = executor.spawn(async move {
        let own = id();
        assert!(own.is_some());
        let eager = spawn_eager(async { id() });
        assert!(eager.is_finished());
        assert_eq!(id(), own);
        run(&inner, async {
            assert!(current().is_none());
            let theirs = spawn(async { id() }).await.unwrap();
            assert!(theirs.is_some() && theirs != own);
        });
        assert_eq!(id(), own);
        let eager_id = eager.id();
        assert_eq!(eager.await.unwrap(), Some(eager_id));
    });
    run(&executor, task).unwrap();
}

#[test]
fn a_destructor_that_runs_after_the_last_poll_has_none() {
    struct Asks(Rc<Cell<Option<bool>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.set(Some(current().is_some()));
        }
    }
    let executor = LocalExecutor::new();
    let seen = Rc::new(Cell::new(None));
    let asks = Asks(seen.clone());
    let waits = executor.spawn(async move {
        let _asks = asks;
        pending::<()>().await;
    });
    assert!(executor.try_tick());
    drop((waits, executor));
    assert_eq!(seen.get(), Some(false));
}

#[test]
fn a_worker_has_a_current_task_of_its_own() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let task = executor.handle().spawn(async { id() });
    let expected = task.id();
    let other = workers[1].run(&mut ThreadPark::new(), task).unwrap();
    assert_eq!(other.unwrap(), Some(expected));
    assert!(current().is_none());
}
