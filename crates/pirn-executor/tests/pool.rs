//! The executor of many threads.

mod common;

use common::{Counter, hook, oneshot, yield_now};
use pirn_core::{
    Cause, JoinError, Kind, Park, ParkError, Priority, Spawn, TaskMeta, Unpark, Until,
    finally_in_place,
};
use pirn_executor::internals::Injector;
use pirn_executor::{
    LocalExecutor, PoolExecutor, PoolHandle, SharedDriver, TaskInfo, ThreadPark, Worker, spawn,
    spawn_local, tasks, try_spawn_local,
};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;

/// Runs each worker on a thread of its own.
fn start(handle: &PoolHandle, workers: Vec<Worker>) -> Vec<JoinHandle<Result<(), ParkError>>> {
    workers
        .into_iter()
        .map(|mut worker| {
            let closed = handle.closed();
            std::thread::spawn(move || worker.run(&mut ThreadPark::new(), closed))
        })
        .collect()
}

fn stop(executor: PoolExecutor, threads: Vec<JoinHandle<Result<(), ParkError>>>) {
    drop(executor);
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

/// Runs `future` as a task, and waits for it on this thread.
fn run<F>(handle: &PoolHandle, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let task = handle.spawn(future);
    let local = LocalExecutor::new();
    local.run(&mut ThreadPark::new(), task).unwrap().unwrap()
}

#[test]
fn every_task_runs_once_whoever_spawns_it() {
    let (executor, workers) = PoolExecutor::new(3);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    let sum = run(&handle, async {
        let tasks: Vec<_> = (0..2000)
            .map(|i| {
                spawn(async move {
                    if i % 3 == 0 {
                        yield_now().await;
                    }
                    i
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 1999 * 1000);
    assert_eq!(executor.statistics().live, 0);
    stop(executor, threads);
}

#[test]
fn both_workers_work() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    // Two tasks that can only end if they run at the same time.
    let barrier = Arc::new(Barrier::new(2));
    let other = barrier.clone();
    run(&handle, async move {
        let task = spawn(async move {
            other.wait();
        });
        let also = spawn(async {});
        barrier.wait();
        task.await.unwrap();
        also.await.unwrap();
    });
    stop(executor, threads);
}

#[test]
fn wakes_from_outside_end_the_sleep() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    for i in 0..100 {
        let (sender, receiver) = oneshot();
        let task = handle.spawn(receiver);
        sender.send(i);
        let local = LocalExecutor::new();
        assert_eq!(local.run(&mut ThreadPark::new(), task).unwrap().unwrap(), i);
    }
    stop(executor, threads);
}

#[test]
fn a_worker_is_driven_step_by_step() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let worker = &mut workers[0];
    assert!(!worker.try_tick());
    let task = handle.spawn(async {
        yield_now().await;
        spawn(async { 4 }).await.unwrap()
    });
    let mut steps = 0;
    while worker.try_tick() {
        steps += 1;
    }
    assert!(steps >= 3 && task.is_finished());
    assert_eq!(
        worker.run(&mut ThreadPark::new(), task).unwrap().unwrap(),
        4
    );
}

#[test]
fn a_foreign_loop_is_told_once_of_each_idle_spell() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(workers[0].poll_tick(&mut cx).is_pending());
    handle.spawn(async {}).detach();
    handle.spawn(async {}).detach();
    assert_eq!(counter.count(), 1);
    assert!(workers[0].poll_tick(&mut cx).is_ready());
    assert!(workers[0].poll_tick(&mut cx).is_pending());
    handle.spawn(async {}).detach();
    assert_eq!(counter.count(), 2);
}

#[test]
fn what_a_worker_leaves_behind_is_run_by_another() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let (mut first, mut second) = (workers.remove(0), workers.remove(0));
    // The slot holds one, the ring the others.
    let tasks = first
        .run(&mut ThreadPark::new(), async {
            (0..5).map(|i| spawn(async move { i })).collect::<Vec<_>>()
        })
        .unwrap();
    drop(first);
    let mut sum = 0;
    for task in tasks {
        sum += second.run(&mut ThreadPark::new(), task).unwrap().unwrap();
    }
    assert_eq!(sum, 10);
    assert_eq!(handle.statistics().workers[0].polls, 0);
}

#[test]
fn an_overflow_of_the_ring_loses_nothing() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let count = Arc::new(AtomicUsize::new(0));
    let inner = count.clone();
    handle
        .spawn(async move {
            for _ in 0..5000 {
                let count = inner.clone();
                spawn(async move {
                    count.fetch_add(1, SeqCst);
                })
                .detach();
            }
        })
        .detach();
    while workers[0].try_tick() {}
    assert_eq!(count.load(SeqCst), 5000);
}

#[test]
fn two_tasks_that_wake_each_other_do_not_starve_the_ring() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let worker = &mut workers[0];
    let done = Arc::new(AtomicBool::new(false));
    let wakers = Arc::new(std::sync::Mutex::new([None::<Waker>, None]));
    for own in 0..2 {
        let (done, wakers) = (done.clone(), wakers.clone());
        handle
            .spawn(poll_fn(move |cx| {
                let mut wakers = wakers.lock().unwrap();
                wakers[own] = Some(cx.waker().clone());
                if let Some(other) = wakers[1 - own].take() {
                    other.wake();
                }
                match done.load(SeqCst) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }))
            .detach();
    }
    for _ in 0..10 {
        assert!(worker.try_tick());
    }
    let flag = done.clone();
    handle
        .spawn(async move { flag.store(true, SeqCst) })
        .detach();
    for _ in 0..100 {
        worker.try_tick();
    }
    assert!(done.load(SeqCst));
}

#[test]
fn dropping_the_executor_drops_idle_and_queued_tasks() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let guard = Counter::new();
    let spawn_one = || {
        let guard = guard.clone();
        handle.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })
    };
    let idle = spawn_one();
    while workers[0].try_tick() {}
    let queued = spawn_one();
    drop(executor);
    assert_eq!(Arc::strong_count(&guard), 1);
    for task in [idle, queued] {
        let local = LocalExecutor::new();
        match local.run(&mut ThreadPark::new(), task).unwrap() {
            Err(JoinError::Cancelled(cause)) => assert_eq!(cause.kind(), Kind::Shutdown),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        !workers[0].try_tick(),
        "what is left in the queues is stale"
    );
}

#[test]
fn a_task_that_is_polled_while_the_executor_goes_is_dropped_after_the_poll() {
    let (executor, workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    let guard = Counter::new();
    let held = guard.clone();
    let (inside, entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut first = Some((inside, released));
    let task = handle.spawn(async move {
        let _held = held;
        poll_fn(move |_| {
            if let Some((inside, released)) = first.take() {
                inside.send(()).unwrap();
                released.recv().unwrap();
            }
            Poll::<()>::Pending
        })
        .await;
    });
    entered.recv().unwrap();
    drop(executor);
    assert!(!task.is_finished());
    release.send(()).unwrap();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    assert!(task.is_finished());
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[test]
fn shutdown_waits_for_clean_up() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    let cleaned = Arc::new(AtomicUsize::new(0));
    let (ready, all_ready) = mpsc::channel();
    for _ in 0..10 {
        let (count, ready) = (cleaned.clone(), ready.clone());
        handle
            .spawn(pirn_core::finally_in_place(
                async move {
                    ready.send(()).unwrap();
                    pending::<()>().await;
                },
                async move || {
                    yield_now().await;
                    count.fetch_add(1, SeqCst);
                },
            ))
            .detach();
    }
    all_ready.iter().take(10).for_each(drop);
    let local = LocalExecutor::new();
    let left = local
        .run(&mut ThreadPark::new(), executor.shutdown(pending::<()>()))
        .unwrap();
    assert_eq!((left.len(), cleaned.load(SeqCst)), (0, 10));
    let refused = handle.try_spawn(TaskMeta::here(), async { 9 }).unwrap_err();
    assert_eq!(refused.reason(), "the executor is gone");
    stop(executor, threads);
}

#[test]
fn shutdown_cuts_off_at_the_deadline_and_says_what() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let _reports = hook();
    let hangs = pirn_core::finally_in_place(pending::<()>(), async || pending::<()>().await);
    let meta = TaskMeta::here().named("hangs");
    let task = handle.try_spawn(meta, hangs).unwrap();
    let ends = handle.spawn(pending::<()>());
    while workers[0].try_tick() {}
    let left = workers[0]
        .run(&mut ThreadPark::new(), executor.shutdown(yield_now()))
        .unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id(), left[0].name()), (task.id(), Some("hangs")));
    assert!(task.is_finished() && ends.is_finished());
}

#[test]
fn the_tasks_that_live_are_listed_from_outside_and_from_a_worker() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    assert!(handle.tasks().is_empty());
    let ended = handle.spawn(async {});
    let waits = handle.spawn(pending::<()>());
    while workers[0].try_tick() {}
    assert!(ended.is_finished());
    let ids = |tasks: Vec<TaskInfo>| tasks.iter().map(TaskInfo::id).collect::<Vec<_>>();
    assert_eq!(ids(handle.tasks()), [waits.id()]);
    let asks = handle.spawn(async { tasks() });
    let asked = asks.id();
    let seen = workers[1].run(&mut ThreadPark::new(), asks);
    let seen = ids(seen.unwrap().unwrap());
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&waits.id()) && seen.contains(&asked));
    assert!(tasks().is_empty(), "there is no executor here");
    drop(executor);
    assert!(handle.tasks().is_empty());
}

#[test]
fn spawning_during_shutdown_is_refused_with_the_future() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let task = handle.spawn(pending::<()>());
    let mut end = Box::pin(executor.shutdown(pending::<()>()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(end.as_mut().poll(&mut cx).is_pending());
    let refused = handle.try_spawn(TaskMeta::here(), async { 9 }).unwrap_err();
    assert_eq!(refused.reason(), "the executor is shutting down");
    while workers[0].try_tick() {}
    assert!(matches!(end.as_mut().poll(&mut cx), Poll::Ready(left) if left.is_empty()));
    drop((task, end));
    assert!(Spawn::spawn(&handle, TaskMeta::here(), async {}).is_err());
    let late = handle.spawn(async {});
    match workers[0].run(&mut ThreadPark::new(), late).unwrap() {
        Err(JoinError::Refused(reason)) => assert_eq!(reason, "the executor is gone"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wakers_and_handles_outlive_the_executor() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let kept = Arc::new(std::sync::Mutex::new(None::<Waker>));
    let keep = kept.clone();
    let handle = executor.handle();
    let task = handle.spawn(poll_fn(move |cx| {
        *keep.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    while workers[0].try_tick() {}
    drop(executor);
    drop(workers);
    let waker = kept.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    drop(task);
    drop(handle);
    waker.wake();
}

#[test]
fn cancel_reaches_a_task_on_any_worker() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    for _ in 0..100 {
        let task = handle.spawn(async {
            loop {
                yield_now().await;
            }
        });
        let end = task.cancel(Cause::requested("enough"));
        let local = LocalExecutor::new();
        let ended: Result<(), _> = local.run(&mut ThreadPark::new(), end).unwrap();
        assert!(ended.unwrap_err().is_cancelled());
    }
    assert_eq!(executor.statistics().live, 0);
    stop(executor, threads);
}

#[test]
fn a_panic_stays_with_its_handle_and_the_worker_lives() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let task = handle.spawn(async { panic!("only this task") });
    let ended: Result<(), _> = workers[0].run(&mut ThreadPark::new(), task).unwrap();
    assert!(ended.unwrap_err().is_panic());
    let task = handle.spawn(async { 1 });
    assert_eq!(
        workers[0]
            .run(&mut ThreadPark::new(), task)
            .unwrap()
            .unwrap(),
        1
    );
}

#[test]
fn a_panic_of_what_a_worker_runs_for_leaves_the_worker_usable() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let worker = &mut workers[0];
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        worker.run(&mut ThreadPark::new(), async { panic!("the root") })
    }));
    assert!(panicked.is_err());
    let task = handle.spawn(async { 1 });
    assert_eq!(
        worker.run(&mut ThreadPark::new(), task).unwrap().unwrap(),
        1
    );
}

#[test]
fn a_local_executor_runs_inside_a_worker_and_reaches_out() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let outer = handle.clone();
    let task = handle.spawn(async move {
        let inside = LocalExecutor::new()
            .run(&mut ThreadPark::new(), async {
                let outside = outer.spawn(async { 5 });
                drop(outside);
                spawn_local(async { 2 }).await.unwrap()
            })
            .unwrap();
        inside + spawn(async { 3 }).await.unwrap()
    });
    assert_eq!(
        workers[0]
            .run(&mut ThreadPark::new(), task)
            .unwrap()
            .unwrap(),
        5
    );
}

#[test]
fn a_worker_takes_no_local_futures() {
    let (_executor, mut workers) = PoolExecutor::new(1);
    let refused = workers[0]
        .run(&mut ThreadPark::new(), async {
            try_spawn_local(TaskMeta::here(), async {})
                .unwrap_err()
                .reason()
        })
        .unwrap();
    assert!(refused.contains("Send"));
}

#[test]
fn what_a_worker_runs_for_and_the_tasks_take_turns() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let task = executor.handle().spawn(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    let turns = async {
        while !task.is_finished() {
            yield_now().await;
        }
    };
    workers[0].run(&mut ThreadPark::new(), turns).unwrap();
}

/// The system's clock, for a driver that sleeps until an instant.
struct SystemClock(std::time::Instant);

impl pirn_core::Clock for SystemClock {
    fn now(&self) -> pirn_core::Instant {
        pirn_core::Instant::EPOCH + self.0.elapsed()
    }
    fn sleep_until(&self, _: pirn_core::Instant) -> pirn_core::BoxSleep {
        Box::pin(pending())
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn a_woken_task_is_not_stuck_behind_a_long_poll() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let clock: Arc<dyn pirn_core::Clock> = Arc::new(SystemClock(std::time::Instant::now()));
    let threads: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            let (closed, clock) = (handle.closed(), clock.clone());
            std::thread::spawn(move || {
                let mut handles = pirn_core::context::Handles::default();
                handles.clock = Some(clock);
                let _entered = std::rc::Rc::new(handles).enter();
                worker.run(&mut ThreadPark::new(), closed)
            })
        })
        .collect();
    let (wake, woken) = oneshot();
    let (ran, has_run) = mpsc::channel();
    run(&handle, async move {
        let stuck = spawn(async move {
            woken.await;
            ran.send(()).unwrap();
        });
        yield_now().await;
        // The slot takes the task that this wakes, and this poll goes on until that has run.
        wake.send(());
        has_run.recv().unwrap();
        stuck.await.unwrap();
    });
    stop(executor, threads);
}

/// A driver that counts the looks of the busy.
struct Counting {
    park: ThreadPark,
    looks: Arc<AtomicUsize>,
}

impl Park for Counting {
    type Unpark = pirn_executor::ThreadUnpark;
    fn unparker(&self) -> Self::Unpark {
        self.park.unparker()
    }
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        self.looks
            .fetch_add(usize::from(until == Until::Now), SeqCst);
        self.park.park(until)
    }
}

#[test]
fn a_busy_worker_looks_at_the_shared_driver() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let looks = Arc::new(AtomicUsize::new(0));
    let driver = SharedDriver::new(Counting {
        park: ThreadPark::new(),
        looks: looks.clone(),
    });
    let task = handle.spawn(async {
        for _ in 0..1000 {
            yield_now().await;
        }
    });
    workers[0].run(&mut driver.park(), task).unwrap().unwrap();
    assert!(looks.load(SeqCst) >= 1000 / pirn_executor::PARK_INTERVAL as usize - 1);
}

#[test]
fn one_sleeper_holds_the_driver_and_all_can_be_woken() {
    let driver = SharedDriver::new(ThreadPark::new());
    let mut parks: Vec<_> = (0..3).map(|_| driver.park()).collect();
    let unparkers: Vec<_> = parks.iter().map(Park::unparker).collect();
    for _ in 0..200 {
        std::thread::scope(|scope| {
            for park in &mut parks {
                scope.spawn(move || park.park(Until::Woken).unwrap());
            }
            for unparker in &unparkers {
                unparker.unpark();
            }
        });
    }
}

#[test]
fn a_pool_sleeps_on_a_shared_driver_and_ends() {
    let (executor, workers) = PoolExecutor::new(3);
    let handle = executor.handle();
    let driver = SharedDriver::new(ThreadPark::new());
    let threads: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            let (closed, driver) = (handle.closed(), driver.clone());
            std::thread::spawn(move || worker.run(&mut driver.park(), closed))
        })
        .collect();
    for i in 0..200 {
        let got = run(&handle, async move {
            let tasks: Vec<_> = (0..4).map(|j| spawn(async move { i * j })).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(got, i * 6);
    }
    stop(executor, threads);
}

/// A driver that does something once, while its worker counts as asleep.
struct Meanwhile<F> {
    act: Option<F>,
    park: ThreadPark,
}

impl<F: FnOnce()> Park for Meanwhile<F> {
    type Unpark = pirn_executor::ThreadUnpark;
    fn unparker(&self) -> Self::Unpark {
        self.park.unparker()
    }
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        match self.act.take() {
            Some(act) if until != Until::Now => act(),
            act => self.act = act,
        }
        self.park.park(until)
    }
}

/// Two workers; the second one, which a foreign loop drives, sleeps, and the counter counts its
/// wake-ups.
fn with_a_sleeper() -> (PoolExecutor, Worker, Worker, Arc<Counter>) {
    let (executor, mut workers) = PoolExecutor::new(2);
    let (mut sleeper, worker) = (workers.pop().unwrap(), workers.pop().unwrap());
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let slept = sleeper.poll_tick(&mut Context::from_waker(&waker));
    assert!(slept.is_pending());
    (executor, worker, sleeper, counter)
}

#[test]
fn one_task_wakes_no_other_worker_and_a_second_one_does() {
    let (_executor, mut worker, _sleeper, counter) = with_a_sleeper();
    let root = async {
        spawn(async {}).detach();
        assert_eq!(counter.count(), 0);
        spawn(async {}).detach();
        assert_eq!(counter.count(), 1);
    };
    worker.run(&mut ThreadPark::new(), root).unwrap();
}

#[test]
fn a_task_that_gives_way_to_one_that_it_woke_wakes_another_worker() {
    let (_executor, mut worker, _sleeper, counter) = with_a_sleeper();
    let (send, root) = oneshot();
    let seen = counter.clone();
    let end = async {
        spawn(async move {
            // To the slot; and what is run for goes before both.
            spawn(async {}).detach();
            send.send(());
            assert_eq!(seen.count(), 0);
            yield_now().await;
        })
        .detach();
        root.await;
        assert_eq!(counter.count(), 1);
    };
    worker.run(&mut ThreadPark::new(), end).unwrap();
}

#[test]
fn the_task_that_would_be_next_wakes_another_worker_if_what_is_run_for_goes_first() {
    let (_executor, mut worker, _sleeper, counter) = with_a_sleeper();
    let (send, root) = oneshot();
    let end = async {
        spawn(async move {
            send.send(());
            yield_now().await;
        })
        .detach();
        root.await;
        assert_eq!(counter.count(), 1);
    };
    worker.run(&mut ThreadPark::new(), end).unwrap();
}

#[test]
fn each_task_that_a_blocked_worker_spawns_wakes_another_worker() {
    let (_executor, mut worker, mut sleeper, counter) = with_a_sleeper();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    let root = async {
        let all_run = pirn_executor::block_in_place(|| {
            // It may be needed at the driver.
            assert_eq!(counter.count(), 1);
            assert!(sleeper.poll_tick(&mut cx).is_pending());
            (2..5).all(|count| {
                let task = spawn(async {});
                assert_eq!(counter.count(), count);
                assert!(sleeper.poll_tick(&mut cx).is_ready());
                assert!(sleeper.poll_tick(&mut cx).is_pending());
                task.is_finished()
            })
        });
        assert!(all_run.unwrap());
    };
    worker.run(&mut ThreadPark::new(), root).unwrap();
}

#[test]
fn tasks_woken_by_a_driver_wake_another_worker() {
    let (executor, mut worker, _sleeper, counter) = with_a_sleeper();
    let handle = executor.handle();
    let (send, root) = oneshot();
    let act = || {
        handle.spawn(async {}).detach();
        handle.spawn(async {}).detach();
        // All at once, at the end of the sleep.
        assert_eq!(counter.count(), 0);
        send.send(());
    };
    let mut park = Meanwhile {
        act: Some(act),
        park: ThreadPark::new(),
    };
    let end = async {
        root.await;
        assert_eq!(counter.count(), 1);
    };
    worker.run(&mut park, end).unwrap();
}

#[test]
fn a_worker_woken_for_work_lets_another_have_it_while_it_polls_what_it_runs_for() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let (send, root) = oneshot();
    assert!(
        workers[0]
            .poll_tick(&mut Context::from_waker(&waker))
            .is_pending()
    );
    // Both are asleep; the second lay down last, and is woken first. It is woken for two reasons:
    // the task, and what it runs for.
    let outside = handle.clone();
    let act = move || {
        let wake = || {
            outside.spawn(async {}).detach();
            send.send(());
        };
        std::thread::scope(|scope| scope.spawn(wake).join().unwrap());
    };
    let mut park = Meanwhile {
        act: Some(act),
        park: ThreadPark::new(),
    };
    let end = async {
        root.await;
        // This poll may go on for long.
        assert_eq!(counter.count(), 1);
    };
    workers[1].run(&mut park, end).unwrap();
}

#[test]
fn a_driver_that_panics_takes_no_wake_up_along() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let (mut one, mut two) = (workers.remove(0), workers.remove(0));
    let mut park = Meanwhile {
        act: Some(|| panic!("the driver")),
        park: ThreadPark::new(),
    };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        one.run(&mut park, pending::<()>())
    }));
    assert!(panicked.is_err());
    assert_eq!(executor.statistics().sleeping, 0);
    // The other one is told, not the one that is gone.
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(two.poll_tick(&mut cx).is_pending());
    handle.spawn(async {}).detach();
    assert_eq!(counter.count(), 1);
    assert!(two.poll_tick(&mut cx).is_ready());
    // And that one works again.
    let task = handle.spawn(async { 1 });
    assert_eq!(one.run(&mut park, task).unwrap().unwrap(), 1);
}

#[test]
fn a_share_in_which_the_driver_panicked_is_woken_as_a_thread_again() {
    /// A driver that panics once, and counts who means to wake it.
    struct Panicking(Arc<AtomicUsize>);
    #[derive(Clone)]
    struct Waking(Arc<AtomicUsize>);
    impl Park for Panicking {
        type Unpark = Waking;
        fn unparker(&self) -> Waking {
            Waking(self.0.clone())
        }
        fn park(&mut self, _: Until) -> Result<(), ParkError> {
            panic!("the driver")
        }
    }
    impl Unpark for Waking {
        fn unpark(&self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let woken = Arc::new(AtomicUsize::new(0));
    let mut park = SharedDriver::new(Panicking(woken.clone())).park();
    let mut sleep = || park.park(Until::Woken);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut sleep)).is_err());
    park.unparker().unpark();
    assert_eq!(woken.load(SeqCst), 0, "it is not in the driver");
}

#[test]
fn what_a_thread_that_panics_had_is_run_by_another() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let (mut one, two) = (workers.remove(0), workers.remove(0));
    let threads = start(&handle, vec![two]);
    let (sender, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let root = async {
            for i in 0..300 {
                let sender = sender.clone();
                spawn(async move { sender.send(i).unwrap() }).detach();
            }
            std::panic::resume_unwind(Box::new("the root"))
        };
        one.run(&mut ThreadPark::new(), root).unwrap()
    });
    assert!(thread.join().is_err());
    let mut all: Vec<_> = ended.iter().take(300).collect();
    all.sort();
    assert!(all.into_iter().eq(0..300));
    stop(executor, threads);
}

#[test]
fn an_executor_runs_inside_a_task_of_another() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let threads = start(&handle, workers);
    let outer = handle.clone();
    let sum = run(&handle, async move {
        let beside = spawn(async { 1 });
        let (inner, mut workers) = PoolExecutor::new(1);
        let nested = inner.handle().spawn(async move {
            // Here and, by the handle, outside.
            let (here, there) = (spawn(async { 2 }), outer.spawn(async { 3 }));
            here.await.unwrap() + there.await.unwrap()
        });
        let nested = workers[0].run(&mut ThreadPark::new(), nested).unwrap();
        // And behind it everything is as before.
        nested.unwrap() + beside.await.unwrap() + spawn(async { 4 }).await.unwrap()
    });
    assert_eq!(sum, 10);
    stop(executor, threads);
}

#[test]
fn the_statistics_tell_what_waits_where() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    for _ in 0..4 {
        handle.spawn(async {}).detach();
    }
    assert_eq!(executor.statistics().queued, 4);
    workers[0]
        .run(&mut ThreadPark::new(), async {
            for _ in 0..3 {
                spawn(async {}).detach();
            }
        })
        .unwrap();
    let statistics = executor.statistics();
    assert_eq!((statistics.queued, statistics.workers[0].queued), (4, 3));
    assert!(workers[1].try_tick());
    let statistics = executor.statistics();
    assert_eq!(statistics.workers[1].polls, 1);
    assert_eq!(statistics.live, 6);
}

#[test]
fn a_worker_looks_on_before_it_sleeps_and_finds_what_comes() {
    let (executor, mut workers) = PoolExecutor::new(1);
    executor.set_spin(std::time::Duration::from_secs(3600));
    let handle = executor.handle();
    let (send, root) = oneshot();
    let thread = std::thread::spawn(move || handle.spawn(async move { send.send(()) }).detach());
    workers[0].run(&mut ThreadPark::new(), root).unwrap();
    thread.join().unwrap();
    assert_eq!(executor.statistics().workers[0].parks, 0);
}

/// Yields for ever.
async fn spin() {
    loop {
        yield_now().await;
    }
}

#[test]
fn what_comes_from_outside_runs_however_many_others_are_always_ready() {
    for busy in [1, 100, 255, 256, 257, 1000] {
        let (executor, mut workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        for _ in 0..busy {
            handle.spawn(spin()).detach();
        }
        // All are on their way.
        for _ in 0..5 * busy {
            assert!(workers[0].try_tick());
        }
        let task = handle.spawn(async {});
        let mut polls = 0;
        while !task.is_finished() {
            assert!(workers[0].try_tick());
            polls += 1;
        }
        // What is ready before it is polled first, and others at most as often again.
        assert!(polls <= 2 * busy + 61, "{polls} polls beside {busy}");
    }
}

#[test]
fn a_woken_task_runs_within_a_few_polls_for_each_that_was_ready_before() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    // Pairs that wake each other, and so would keep the slot for ever.
    let ball = Arc::new(std::sync::Mutex::new([None::<Waker>, None]));
    for player in 0..2 {
        let ball = ball.clone();
        handle
            .spawn(poll_fn(move |cx| {
                let mut ball = ball.lock().unwrap();
                ball[player] = Some(cx.waker().clone());
                let other = ball[1 - player].take();
                drop(ball);
                other.into_iter().for_each(Waker::wake);
                Poll::<()>::Pending
            }))
            .detach();
    }
    for _ in 0..50 {
        handle.spawn(spin()).detach();
    }
    for _ in 0..500 {
        assert!(workers[0].try_tick());
    }
    let (send, woken) = oneshot();
    let task = handle.spawn(woken);
    for _ in 0..500 {
        assert!(workers[0].try_tick());
    }
    let waker = handle.spawn(async move { send.send(()) });
    while !waker.is_finished() {
        assert!(workers[0].try_tick());
    }
    let mut polls = 0;
    while !task.is_finished() {
        assert!(workers[0].try_tick());
        polls += 1;
    }
    assert!(polls <= 4 * 53, "{polls} polls");
}

#[test]
fn a_task_that_awaits_many_is_polled_for_several_of_them_at_once() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let polls = Counter::new();
    let count = polls.clone();
    let task = executor.handle().spawn(async move {
        let tasks: Vec<_> = (0..1000).map(|_| spawn(async {})).collect();
        let mut all = Box::pin(async move {
            for task in tasks {
                task.await.unwrap();
            }
        });
        poll_fn(|cx| {
            std::task::Wake::wake(count.clone());
            all.as_mut().poll(cx)
        })
        .await;
    });
    workers[0]
        .run(&mut ThreadPark::new(), task)
        .unwrap()
        .unwrap();
    assert!(polls.count() < 1000 / 8, "{} polls", polls.count());
}

#[test]
fn two_shutdowns_at_once_both_end() {
    let (executor, mut workers) = PoolExecutor::new(1);
    executor.handle().spawn(pending::<()>()).detach();
    let (one, two) = (Counter::new(), Counter::new());
    let mut first = pin!(executor.shutdown(pending::<()>()));
    let mut second = pin!(executor.shutdown(pending::<()>()));
    let (w1, w2) = (Waker::from(one.clone()), Waker::from(two.clone()));
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&w1))
            .is_pending()
    );
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&w2))
            .is_pending()
    );
    while workers[0].try_tick() {}
    assert!(two.count() > 0);
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&w2))
            .is_ready()
    );
    assert!(one.count() > 0, "the first shutdown is never woken");
}

#[test]
fn a_task_that_is_cancelled_again_as_its_worker_leaves_is_not_stuck() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let (mut a, mut b) = (workers.remove(0), workers.remove(0));
    let (sender, receiver) = oneshot::<()>();
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut end = pin!(executor.shutdown(pending::<()>()));
    let until = async {
        spawn(async move {
            finally_in_place(pending::<()>(), || async move {
                receiver.await;
            })
            .await
        })
        .detach();
        yield_now().await;
        // Asks the task to end, on another thread: so it is in the queue that all look at.
        std::thread::scope(|scope| {
            let (mut end, waker) = (end.as_mut(), &waker);
            scope.spawn(move || {
                let mut cx = Context::from_waker(waker);
                assert!(end.as_mut().poll(&mut cx).is_pending());
            });
        });
        assert!(b.try_tick(), "the clean-up begins");
    };
    // It finds the gate changed as it leaves, and asks the task of its heap once more.
    a.run(&mut ThreadPark::new(), until).unwrap();
    assert!(
        b.try_tick(),
        "the task is in the slot of a worker that nobody drives"
    );
    sender.send(());
    assert!(b.try_tick());
    assert!(!b.try_tick());
    assert!(counter.count() > 0, "the shutdown hangs");
}

/// Spawns a task on the executor around the caller when it is woken.
struct Spawns;

impl Wake for Spawns {
    fn wake(self: Arc<Self>) {
        spawn(async {}).detach();
    }
}

#[test]
fn what_a_waker_spawns_as_a_worker_leaves_is_the_others() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let mut two = workers.pop().unwrap();
    let waker = Waker::from(Arc::new(Spawns));
    assert!(two.poll_tick(&mut Context::from_waker(&waker)).is_pending());
    // It wakes the other one on its way out, which spawns here.
    workers[0].run(&mut ThreadPark::new(), async {}).unwrap();
    assert_eq!(executor.statistics().live, 1);
    assert!(two.try_tick());
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn tasks_of_any_priority_run_go_on_and_are_woken_elsewhere() {
    let (executor, mut workers) = PoolExecutor::new(1);
    for priority in [Priority::High, Priority::Normal, Priority::Low] {
        let (sender, receiver) = mpsc::channel();
        let mut first = true;
        let task = executor.handle().spawn_at(priority, async move {
            yield_now().await;
            poll_fn(|cx| match std::mem::replace(&mut first, false) {
                true => {
                    sender.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                }
                false => Poll::Ready(()),
            })
            .await;
        });
        while workers[0].try_tick() {}
        let waker = receiver.try_recv().unwrap();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        while workers[0].try_tick() {}
        assert!(task.is_finished());
    }
}

#[test]
fn what_is_to_begin_eagerly_elsewhere_is_queued() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let task = executor.handle().spawn_eager(async {});
    assert!(!task.is_finished());
    while workers[0].try_tick() {}
    assert!(task.is_finished());
}

#[test]
fn a_task_that_never_had_a_handle_runs_or_is_dropped_with_its_executor() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let kept = Arc::new(());
    let (ends, waits) = (kept.clone(), kept.clone());
    let spawns = async {
        Spawn::spawn(&handle, TaskMeta::here(), async move { drop(ends) }).unwrap();
        let waits = async move {
            pending::<()>().await;
            drop(waits);
        };
        Spawn::spawn(&handle, TaskMeta::here().named("waits"), waits).unwrap();
    };
    workers[0].run(&mut ThreadPark::new(), spawns).unwrap();
    while workers[0].try_tick() {}
    assert_eq!(Arc::strong_count(&kept), 2);
    assert_eq!(executor.statistics().live, 1);
    drop((executor, workers));
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn too_many_workers_are_refused_before_one_is_made() {
    let payload = std::panic::catch_unwind(|| PoolExecutor::new(usize::MAX)).unwrap_err();
    let text = pirn_core::panic_message(&*payload);
    assert!(text.contains("less than 2^15 workers, not"), "{text}");
}

#[test]
fn a_queue_from_outside_that_was_long_gives_its_room_back() {
    let injector = Injector::default();
    injector.push((0..100_000).collect::<Vec<_>>());
    injector.rest();
    let mut taken = Vec::new();
    injector.take(1, usize::MAX, &mut taken);
    assert_eq!(taken.len(), 100_000, "what is in it stays");
    let before = injector.room();
    injector.rest();
    assert!(injector.room() <= before / 2, "{before}");
    (0..10).for_each(|_| injector.rest());
    assert!(injector.room() <= 4096);
    injector.push([1]);
    injector.rest();
    assert_eq!(injector.len(), 1);
}

#[test]
fn a_step_that_gave_back_a_part_of_what_many_tasks_took_asks_for_another() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let spawns = async { (0..50_000).for_each(|n| spawn(async move { n }).detach()) };
    workers[0].run(&mut ThreadPark::new(), spawns).unwrap();
    let woken = Counter::new();
    let waker = Waker::from(woken.clone());
    let mut tick = || workers[0].poll_tick(&mut Context::from_waker(&waker));
    // It has nothing to do, time and again, before it looks what to give back.
    let asks = (0..20).any(|_| {
        while tick().is_ready() {}
        woken.count() > 0
    });
    assert!(asks);
    drop(executor);
}
