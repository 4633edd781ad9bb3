//! Tasks that are polled once as they are spawned.

mod common;

use common::yield_now;
use pirn_core::{Cause, JoinError, Scope, TaskLocal, TaskMeta, budget};
use pirn_executor::{
    LocalExecutor, PoolExecutor, ThreadPark, current, spawn_eager, spawn_local, tasks,
};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

fn run<F: Future>(executor: &LocalExecutor, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

#[test]
fn it_runs_up_to_its_first_wait_and_then_in_its_turn() {
    let executor = LocalExecutor::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    run(&executor, async {
        let say = |what| {
            let log = log.clone();
            move || log.borrow_mut().push(what)
        };
        let (queued, begins, ends) = (say("queued"), say("begins"), say("ends"));
        let queued = spawn_local(async move { queued() });
        let eager = spawn_eager(async move {
            begins();
            yield_now().await;
            ends();
        });
        say("spawned")();
        queued.await.unwrap();
        eager.await.unwrap();
    });
    assert_eq!(*log.borrow(), ["begins", "spawned", "queued", "ends"]);
}

#[test]
fn what_is_ready_at_once_never_sees_the_queue() {
    let executor = LocalExecutor::new();
    let task = executor.handle().spawn_eager(async { 7 });
    assert!(task.is_finished());
    let statistics = executor.statistics();
    assert_eq!((statistics.live, statistics.queued), (0, 0));
    assert_eq!(run(&executor, task).unwrap(), 7);
}

#[test]
fn its_poll_has_a_scope_a_budget_and_task_locals_of_its_own() {
    static INHERITED: TaskLocal<u32> = TaskLocal::new();
    static OWN: TaskLocal<u32> = TaskLocal::uninherited();
    let executor = LocalExecutor::new();
    run(&executor, async {
        let outer = spawn_local(async {
            let scope = Scope::current().unwrap();
            let _keep = (INHERITED.set(1).unwrap(), OWN.set(2).unwrap());
            let mut spent = 0;
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            while budget::poll_spend(&mut cx).is_ready() {
                spent += 1;
            }
            assert_eq!(spent, budget::BUDGET);
            let outer = scope.clone();
            let eager = spawn_eager(async move {
                assert_eq!((INHERITED.get(), OWN.get()), (Some(1), None));
                let _keep = (INHERITED.set(3).unwrap(), OWN.set(4).unwrap());
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(budget::poll_spend(&mut cx).is_ready());
                outer.cancel(Cause::requested("the outer one"));
                Scope::current().unwrap().is_cancelled()
            });
            assert!(eager.is_finished());
            assert_eq!((INHERITED.get(), OWN.get()), (Some(1), Some(2)));
            // Still spent.
            assert!(budget::poll_spend(&mut cx).is_pending());
            assert!(scope.is_cancelled());
            Some(eager)
        });
        let eager = outer.await.unwrap().unwrap();
        assert!(!eager.await.unwrap());
    });
}

#[test]
fn its_panic_stays_with_the_handle() {
    let executor = LocalExecutor::new();
    let task = executor
        .handle()
        .spawn_eager(async { panic!("as planned") });
    assert!(task.is_finished());
    let ended: Result<(), _> = run(&executor, task);
    assert!(matches!(ended, Err(JoinError::Panicked(_))));
}

#[test]
fn a_wake_during_its_first_poll_is_not_lost_and_wakes_a_foreign_loop() {
    let executor = LocalExecutor::new();
    let counter = common::Counter::new();
    let waker = counter.clone().into();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(executor.poll_tick(&mut cx).is_pending());
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    let task = executor.handle().spawn_eager(async move {
        count.set(count.get() + 1);
        yield_now().await;
        count.set(count.get() + 1);
    });
    assert_eq!((polls.get(), counter.count()), (1, 1));
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert_eq!(polls.get(), 2);
    assert!(task.is_finished());
}

#[test]
fn eager_tasks_may_be_spawned_in_eager_tasks_and_outside_every_task() {
    let executor = LocalExecutor::new();
    let task = executor.handle().spawn_eager(async {
        let inner = spawn_eager(async { Some(spawn_local(async { 2 })) });
        let innermost = inner.await.unwrap().unwrap();
        1 + innermost.await.unwrap()
    });
    assert!(!task.is_finished());
    assert_eq!(run(&executor, task).unwrap(), 3);
}

#[test]
fn a_handle_that_is_dropped_cancels_it_and_a_cancel_reaches_it() {
    let executor = LocalExecutor::new();
    let dropped = Rc::new(());
    let held = dropped.clone();
    let hold = async move {
        let _held = held;
        pending::<()>().await;
    };
    drop(executor.handle().spawn_eager(hold));
    while executor.try_tick() {}
    assert_eq!(Rc::strong_count(&dropped), 1);
    let task = executor.handle().spawn_eager(pending::<()>());
    let ended = run(&executor, task.cancel(Cause::requested("enough")));
    assert!(ended.unwrap_err().is_cancelled());
}

#[test]
fn where_there_is_no_current_thread_executor_it_is_refused_unpolled() {
    assert!(spawn_eager(async { unreachable!() }).is_finished());
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    std::thread::spawn(move || {
        let refused = handle.try_spawn_eager(TaskMeta::here(), async { unreachable!() });
        assert!(refused.is_err());
    })
    .join()
    .unwrap();
    let (_pool, mut workers) = PoolExecutor::new(1);
    let ended = workers[0].run(&mut ThreadPark::new(), async {
        spawn_eager(async { unreachable!() }).await
    });
    assert!(matches!(
        ended.unwrap(),
        Err::<(), _>(JoinError::Refused(_))
    ));
}

#[test]
fn it_may_drop_its_executor_in_its_first_poll() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let task = handle.spawn_eager(async move {
        let other = spawn_local(async { 1 });
        drop(executor);
        assert!(other.is_finished());
        pending::<()>().await;
    });
    assert!(task.is_finished());
    assert!(pirn_core::shim::block_on(task).unwrap_err().is_cancelled());
    assert!(handle.try_spawn_local(TaskMeta::here(), async {}).is_err());
}

#[test]
fn in_a_pool_it_runs_on_its_worker_up_to_its_first_wait_and_then_in_its_turn() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let spawns = async move {
        let here = std::thread::current().id();
        let ready = handle.spawn_eager(async { std::thread::current().id() });
        assert!(ready.is_finished());
        assert_eq!(ready.await.unwrap(), here);
        let outer = pirn_executor::current().unwrap().id();
        let task = handle.spawn_eager(async {
            yield_now().await;
            pirn_executor::current().unwrap().id()
        });
        // The task that runs is this one again.
        assert_eq!(pirn_executor::current().unwrap().id(), outer);
        assert!(!task.is_finished());
        let id = task.id();
        assert_eq!(task.await.unwrap(), id);
        let panicked = handle.spawn_eager(async { panic!("as planned") });
        assert!(panicked.await.unwrap_err().is_panic());
        7
    };
    let task = executor.handle().spawn(spawns);
    let seven = workers[0].run(&mut ThreadPark::new(), task).unwrap();
    assert_eq!(seven.unwrap(), 7);
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn in_a_pool_that_ends_within_its_poll_it_is_dropped_after_it() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let mut executor = Some(executor);
    let run = workers[0].run(&mut ThreadPark::new(), async {
        let executor = executor.take();
        let task = handle.spawn_eager(async move {
            drop(executor);
            pending::<()>().await;
        });
        assert!(task.is_finished());
        assert!(handle.try_spawn_eager(TaskMeta::here(), async {}).is_err());
        task.await
    });
    assert!(matches!(run.unwrap(), Err(JoinError::Cancelled(_))));
}

#[test]
fn outside_a_pool_s_workers_it_waits_for_one() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let (_other, mut others) = PoolExecutor::new(1);
    let handle = executor.handle();
    let mut task = None;
    let spawns = async { task = Some(handle.spawn_eager(async { 7 })) };
    others[0].run(&mut ThreadPark::new(), spawns).unwrap();
    let task = task.unwrap();
    assert!(!task.is_finished());
    assert!(workers[0].try_tick());
    assert!(task.is_finished());
}

#[test]
fn many_eager_tasks_in_one_poll_keep_nothing_from_outside_waiting() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let busy = executor.handle();
    let spawns = std::future::poll_fn(move |cx| {
        (1..pirn_executor::PARK_INTERVAL).for_each(|_| busy.spawn_eager(async {}).detach());
        cx.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    });
    handle.spawn(spawns).detach();
    workers[0].try_tick();
    let outside = handle.spawn(async {});
    for _ in 0..2 * pirn_executor::PARK_INTERVAL {
        workers[0].try_tick();
    }
    assert!(outside.is_finished());
}

#[test]
fn in_a_pool_what_runs_within_a_poll_leaves_that_as_it_was() {
    static INHERITED: TaskLocal<u32> = TaskLocal::new();
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let inside = handle.clone();
    let outer = handle.spawn(async move {
        let spend = || {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            budget::poll_spend(&mut cx).is_ready()
        };
        let id = || current().map(|task| task.id());
        let _keep = INHERITED.set(1).unwrap();
        let (own, scope) = (id(), Scope::current().unwrap());
        while spend() {}
        let innermost = inside.clone();
        let middle = inside.spawn_eager(async move {
            let (own, scope) = (id(), Scope::current().unwrap());
            let _keep = INHERITED.set(2).unwrap();
            let panics = innermost.spawn_eager(async move {
                assert_eq!(INHERITED.get(), Some(2));
                let _keep = INHERITED.set(3).unwrap();
                Scope::current()
                    .unwrap()
                    .cancel(Cause::requested("its own"));
                panic!("as planned");
            });
            assert!(panics.is_finished());
            assert_eq!((id(), INHERITED.get()), (own, Some(2)));
            assert!(!scope.is_cancelled());
            assert!(spend());
            (own, panics)
        });
        assert!(middle.is_finished());
        assert_eq!((id(), INHERITED.get()), (own, Some(1)));
        assert!(!scope.is_cancelled());
        assert!(!spend());
        let middle_id = middle.id();
        let (seen, panics) = middle.await.unwrap();
        assert_eq!(seen, Some(middle_id));
        let ended: Result<(), _> = panics.await;
        assert!(matches!(ended, Err(JoinError::Panicked(_))));
    });
    let ended = workers[0].run(&mut ThreadPark::new(), outer).unwrap();
    ended.unwrap();
}

#[test]
fn a_task_that_lists_tasks_after_it_has_dropped_its_executor_is_none_of_them() {
    let executor = Rc::new(RefCell::new(Some(LocalExecutor::new())));
    let handle = executor.borrow().as_ref().unwrap().handle();
    let task = handle.spawn_eager(async move {
        drop(executor.take());
        tasks().len()
    });
    // Its slot is in use as long as this is.
    assert!(task.is_finished());
    assert_eq!(pirn_core::shim::block_on(task).unwrap(), 0);
}
