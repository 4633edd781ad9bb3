//! The executor of one thread.

mod common;

use common::{Counter, hook, yield_now};
use pirn_core::{
    Cause, JoinError, Kind, Park, ParkError, Priority, Spawn, SpawnLocal, TaskMeta, Unpark, Until,
};
use pirn_executor::{
    LocalExecutor, Order, PARK_INTERVAL, Task, TaskInfo, ThreadPark, ThreadUnpark, spawn,
    spawn_local, tasks,
};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

fn block_on<F: Future>(executor: &LocalExecutor, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

#[test]
fn tasks_run_in_the_order_in_which_they_became_ready() {
    let executor = LocalExecutor::new();
    let order = Rc::new(RefCell::new(Vec::new()));
    for i in 0..3 {
        let order = order.clone();
        executor
            .spawn(async move {
                for round in 0..2 {
                    order.borrow_mut().push((round, i));
                    yield_now().await;
                }
            })
            .detach();
    }
    while executor.try_tick() {}
    assert_eq!(
        *order.borrow(),
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    );
}

#[test]
fn a_spawned_task_does_not_run_inside_spawn() {
    let executor = LocalExecutor::new();
    let ran = Rc::new(Cell::new(false));
    let flag = ran.clone();
    let task = executor.spawn(async move { flag.set(true) });
    assert!(!ran.get() && !task.is_finished());
    assert!(executor.try_tick());
    assert!(ran.get() && task.is_finished());
    assert!(!executor.try_tick());
}

#[test]
fn a_storm_of_wakes_makes_one_queue_entry() {
    let executor = LocalExecutor::new();
    let (waker, polls) = (Rc::new(RefCell::new(None::<Waker>)), Rc::new(Cell::new(0)));
    let (keep, count) = (waker.clone(), polls.clone());
    executor
        .spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            *keep.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }))
        .detach();
    assert!(executor.try_tick());
    let waker = waker.take().unwrap();
    for _ in 0..1000 {
        waker.wake_by_ref();
    }
    assert_eq!(executor.statistics().queued, 1);
    while executor.try_tick() {}
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_wake_during_the_poll_runs_the_task_once_more() {
    let executor = LocalExecutor::new();
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    executor
        .spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            if count.get() == 1 {
                cx.waker().wake_by_ref();
                let by_value = cx.waker().clone();
                by_value.wake();
            }
            Poll::<()>::Pending
        }))
        .detach();
    while executor.try_tick() {}
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_wake_after_completion_does_nothing() {
    let executor = LocalExecutor::new();
    let kept = Rc::new(RefCell::new(None::<Waker>));
    let keep = kept.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        *keep.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(1)
    }));
    while executor.try_tick() {}
    let waker = kept.take().unwrap();
    waker.wake_by_ref();
    assert!(!executor.try_tick());
    assert_eq!(block_on(&executor, task).unwrap(), 1);
    waker.wake();
    assert!(!executor.try_tick());
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    let executor = LocalExecutor::new();
    let (sender, receiver) = common::oneshot();
    let task = executor.spawn(receiver);
    let thread = std::thread::spawn(move || sender.send(7));
    assert_eq!(block_on(&executor, task).unwrap(), 7);
    thread.join().unwrap();
}

#[test]
fn a_spawn_from_another_thread_ends_the_sleep() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let (sender, receiver) = common::oneshot();
    let thread = std::thread::spawn(move || {
        handle.spawn(async move { sender.send(7) }).detach();
    });
    assert_eq!(block_on(&executor, receiver), 7);
    thread.join().unwrap();
}

#[test]
fn what_is_awaited_may_borrow_and_be_woken_from_another_thread() {
    let executor = LocalExecutor::new();
    let text = String::from("borrowed");
    let (sender, receiver) = common::oneshot();
    let thread = std::thread::spawn(move || sender.send(2));
    let got = block_on(&executor, async { text.len() + receiver.await });
    assert_eq!(got, 10);
    thread.join().unwrap();
}

#[test]
fn a_task_that_is_not_send_is_spawned_from_inside_a_task() {
    let executor = LocalExecutor::new();
    let got = block_on(&executor, async {
        let shared = Rc::new(5);
        let inner = shared.clone();
        spawn_local(async move { *inner }).await.unwrap() + *shared
    });
    assert_eq!(got, 10);
}

#[test]
fn local_spawn_on_a_foreign_thread_is_refused_with_the_future() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let reason = std::thread::spawn(move || {
        let refused = handle
            .try_spawn_local(TaskMeta::here(), async { 1 })
            .unwrap_err();
        let reason = refused.reason();
        drop(refused.into_future());
        reason
    })
    .join()
    .unwrap();
    assert!(reason.contains("not Send"));
}

#[test]
fn spawning_outside_an_executor_ends_as_refused() {
    let executor = LocalExecutor::new();
    let mut task = spawn(async { 1 });
    assert!(task.is_finished());
    let ended = block_on(&executor, &mut task);
    assert!(matches!(ended, Err(JoinError::Refused(_))));
}

#[test]
fn the_traits_spawn_and_refuse_when_the_executor_is_gone() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let ran = Arc::new(AtomicUsize::new(0));
    let (a, b) = (ran.clone(), ran.clone());
    Spawn::spawn(&handle, TaskMeta::here(), async move {
        a.fetch_add(1, SeqCst);
    })
    .unwrap();
    SpawnLocal::spawn_local(&handle, TaskMeta::here(), async move {
        b.fetch_add(1, SeqCst);
    })
    .unwrap();
    while executor.try_tick() {}
    assert_eq!(ran.load(SeqCst), 2);
    drop(executor);
    assert!(Spawn::spawn(&handle, TaskMeta::here(), async {}).is_err());
    let other = handle.clone();
    std::thread::spawn(move || assert!(Spawn::spawn(&other, TaskMeta::here(), async {}).is_err()))
        .join()
        .unwrap();
}

/// Sets a flag when dropped.
struct Flag(Rc<Cell<bool>>);
impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn dropping_the_executor_drops_idle_queued_and_unborn_tasks() {
    let executor = LocalExecutor::new();
    let flags: Vec<Rc<Cell<bool>>> = (0..3).map(|_| Rc::default()).collect();
    let (idle, queued) = (Flag(flags[0].clone()), Flag(flags[1].clone()));
    let idle = executor.spawn(async move {
        let _idle = idle;
        pending::<()>().await;
    });
    while executor.try_tick() {}
    let queued = executor.spawn(async move {
        let _queued = queued;
    });
    let counter = Counter::new();
    let remote = {
        let (handle, guard) = (executor.handle(), counter.clone());
        std::thread::spawn(move || {
            handle.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            })
        })
        .join()
        .unwrap()
    };
    drop(executor);
    assert!(flags[0].get() && flags[1].get());
    assert_eq!(
        Arc::strong_count(&counter),
        1,
        "the remote task's future is gone"
    );
    let other = LocalExecutor::new();
    for task in [idle, queued, remote] {
        match block_on(&other, task) {
            Err(JoinError::Cancelled(cause)) => assert_eq!(cause.kind(), Kind::Shutdown),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn wakers_outlive_the_executor_and_die_anywhere() {
    let executor = LocalExecutor::new();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = kept.clone();
    executor
        .spawn(poll_fn(move |cx| {
            keep.borrow_mut()
                .extend([cx.waker().clone(), cx.waker().clone()]);
            Poll::<()>::Pending
        }))
        .detach();
    while executor.try_tick() {}
    drop(executor);
    let wakers = kept.take();
    wakers[0].wake_by_ref();
    std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake))
        .join()
        .unwrap();
}

#[test]
fn a_destructor_may_spawn_and_wake_while_the_executor_is_dropped() {
    struct Busy {
        handle: pirn_executor::LocalHandle,
        waker: Rc<RefCell<Option<Waker>>>,
        refused: Rc<Cell<bool>>,
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
            let spawned = self.handle.try_spawn_local(TaskMeta::here(), async {});
            self.refused.set(spawned.is_err());
        }
    }
    let executor = LocalExecutor::new();
    let (waker, refused) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(false)));
    let keep = waker.clone();
    executor
        .spawn(poll_fn(move |cx| {
            *keep.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }))
        .detach();
    let busy = Busy {
        handle: executor.handle(),
        waker,
        refused: refused.clone(),
    };
    executor
        .spawn(async move {
            let _busy = busy;
            pending::<()>().await;
        })
        .detach();
    while executor.try_tick() {}
    drop(executor);
    assert!(refused.get());
}

#[test]
fn a_destructor_may_spawn_while_the_executor_runs() {
    struct Spawns(Rc<Cell<bool>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let ran = self.0.clone();
            spawn_local(async move { ran.set(true) }).detach();
        }
    }
    let executor = LocalExecutor::new();
    let ran = Rc::new(Cell::new(false));
    let spawns = Spawns(ran.clone());
    executor.spawn(async move { drop(spawns) }).detach();
    while executor.try_tick() {}
    assert!(ran.get());
}

#[test]
fn shutdown_cancels_waits_and_refuses() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let task = executor.spawn(pending::<()>());
    let cut_off = executor
        .shutdown(&mut ThreadPark::new(), pending::<()>())
        .unwrap();
    assert!(cut_off.is_empty());
    let refused = handle.try_spawn(TaskMeta::here(), async { 9 }).unwrap_err();
    assert_eq!(refused.reason(), "the executor is gone");
    match block_on(&LocalExecutor::new(), task) {
        Err(JoinError::Cancelled(cause)) => assert_eq!(cause.kind(), Kind::Shutdown),
        other => panic!("{other:?}"),
    }
}

#[test]
fn executors_nest_on_one_thread_and_keep_their_tasks_apart() {
    let (outer, inner) = (LocalExecutor::new(), LocalExecutor::new());
    let got = block_on(&outer, async {
        let waits = spawn(async { 1 });
        let inside = block_on(&inner, async {
            let task = spawn(async { 2 });
            task.await.unwrap()
        });
        assert!(
            !waits.is_finished(),
            "the outer executor's task stays there"
        );
        inside + waits.await.unwrap()
    });
    assert_eq!(got, 3);
    assert_eq!(inner.statistics().polls, 1);
}

#[test]
fn a_task_of_one_executor_wakes_one_of_another_on_the_same_thread() {
    let (first, second) = (LocalExecutor::new(), LocalExecutor::new());
    let (sender, receiver) = common::oneshot();
    let task = first.spawn(receiver);
    assert!(first.try_tick());
    second.spawn(async move { sender.send(4) }).detach();
    assert!(second.try_tick());
    assert_eq!(
        first.statistics().queued,
        1,
        "a wake on the own thread needs no detour"
    );
    assert_eq!(block_on(&first, task).unwrap(), 4);
}

#[test]
fn run_inside_a_task_of_the_same_executor_runs_the_others() {
    let executor = Rc::new(LocalExecutor::new());
    let other = executor.spawn(async { 3 });
    let inner = executor.clone();
    let outer = executor.spawn(async move { block_on(&inner, other).unwrap() });
    assert_eq!(block_on(&executor, outer).unwrap(), 3);
}

#[test]
fn what_is_run_for_and_the_tasks_take_turns() {
    let executor = LocalExecutor::new();
    let task = executor.spawn(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    block_on(&executor, async {
        while !task.is_finished() {
            yield_now().await;
        }
    });
}

/// A driver that counts.
struct Looks {
    park: ThreadPark,
    now: Rc<Cell<u32>>,
}
impl Park for Looks {
    type Unpark = pirn_executor::ThreadUnpark;
    fn unparker(&self) -> Self::Unpark {
        self.park.unparker()
    }
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        self.now
            .set(self.now.get() + u32::from(until == Until::Now));
        self.park.park(until)
    }
}

#[test]
fn a_busy_executor_looks_at_its_park_at_the_interval() {
    let executor = LocalExecutor::new();
    let now = Rc::new(Cell::new(0));
    let mut park = Looks {
        park: ThreadPark::new(),
        now: now.clone(),
    };
    let task = executor.spawn(async {
        for _ in 0..PARK_INTERVAL * 10 {
            yield_now().await;
        }
    });
    executor.run(&mut park, task).unwrap().unwrap();
    assert_eq!(now.get(), 10);
}

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
fn a_broken_park_ends_run_and_leaves_the_tasks() {
    let executor = LocalExecutor::new();
    let task = executor.spawn(async {});
    assert!(executor.run(&mut Broken, pending::<()>()).is_err());
    block_on(&executor, task).unwrap();
    let task = executor.spawn(pending::<()>());
    assert!(executor.shutdown(&mut Broken, pending::<()>()).is_ok());
    drop(task);
}

#[test]
fn a_foreign_loop_is_told_once_of_each_idle_spell() {
    let executor = LocalExecutor::new();
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(executor.poll_tick(&mut cx).is_pending());
    executor.spawn(async {}).detach();
    executor.spawn(async {}).detach();
    assert_eq!(counter.count(), 1);
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert!(executor.poll_tick(&mut cx).is_pending());
    let handle = executor.handle();
    std::thread::spawn(move || handle.spawn(async {}).detach())
        .join()
        .unwrap();
    assert_eq!(counter.count(), 2);
    // A `run` in between may have taken what the loop waits for: it is told to look again.
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert!(executor.poll_tick(&mut cx).is_pending());
    block_on(&executor, async {});
    assert_eq!(counter.count(), 3);
}

/// What one turn takes in, of what other threads sent.
const ARRIVALS: usize = 512;

#[test]
fn what_other_threads_spawned_is_taken_in_part_by_part_and_in_order() {
    const MANY: usize = 10 * ARRIVALS;
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let (say, said) = std::sync::mpsc::channel();
    let spawns = move || {
        for n in 0..MANY {
            let say = say.clone();
            handle.spawn(async move { say.send(n).unwrap() }).detach();
        }
    };
    std::thread::spawn(spawns).join().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut turns = 0;
    while executor.poll_tick(&mut cx).is_ready() {
        turns += 1;
        let statistics = executor.statistics();
        let taken_in = statistics.live + statistics.polls as usize;
        assert_eq!(taken_in, (turns * ARRIVALS).min(MANY));
    }
    assert!(said.iter().eq(0..MANY));
}

#[test]
fn what_other_threads_asked_of_tasks_is_done_part_by_part_also_if_it_makes_none_ready() {
    let executor = LocalExecutor::new();
    let idle: Vec<_> = (0..3 * ARRIVALS)
        .map(|_| executor.spawn(std::future::pending::<()>()))
        .collect();
    while executor.try_tick() {}
    let handle = executor.handle();
    let asks = move || {
        // To let go of those changes them, and polls none of them.
        idle.into_iter().for_each(Task::detach);
        handle.spawn(async {}).detach();
    };
    let polls = executor.statistics().polls;
    std::thread::spawn(asks).join().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    // A turn that did a part of it is no reason to wait for a wake.
    for _ in 0..3 {
        assert!(executor.poll_tick(&mut cx).is_ready());
        assert_eq!(executor.statistics().polls, polls);
    }
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert_eq!(executor.statistics().polls, polls + 1);
}

#[test]
fn an_executor_that_has_taken_in_a_part_goes_on_before_it_sleeps() {
    struct NoSleep(usize);
    impl Park for NoSleep {
        type Unpark = ThreadUnpark;
        fn unparker(&self) -> ThreadUnpark {
            ThreadPark::new().unparker()
        }
        fn park(&mut self, until: Until) -> Result<(), ParkError> {
            assert_eq!(until, Until::Now);
            self.0 += 1;
            Ok(())
        }
    }
    for ticks in [false, true] {
        let executor = LocalExecutor::new();
        let idle: Vec<_> = (0..3 * ARRIVALS)
            .map(|_| executor.spawn(std::future::pending::<()>()))
            .collect();
        while executor.try_tick() {}
        let handle = executor.handle();
        let (end, ended) = std::sync::mpsc::channel();
        let asks = move || {
            idle.into_iter().for_each(Task::detach);
            handle.spawn(async move { end.send(()).unwrap() })
        };
        let last = std::thread::spawn(asks).join().unwrap();
        if ticks {
            assert!(executor.try_tick());
            ended.try_recv().unwrap();
        } else {
            let mut park = NoSleep(0);
            executor.run(&mut park, last).unwrap().unwrap();
            assert_eq!(park.0, 3);
        }
    }
}

#[test]
fn a_seed_determines_the_order_and_every_task_runs() {
    let run = |seed| {
        let executor = LocalExecutor::with_order(Order::Seeded(seed));
        let order = Rc::new(RefCell::new(Vec::new()));
        for i in 0..8 {
            let order = order.clone();
            executor
                .spawn(async move {
                    yield_now().await;
                    order.borrow_mut().push(i);
                })
                .detach();
        }
        while executor.try_tick() {}
        order.take()
    };
    assert_eq!(run(42), run(42));
    let mut sorted = run(42);
    sorted.sort();
    assert_eq!(sorted, (0..8).collect::<Vec<_>>());
    assert_ne!(run(1), run(2));
}

#[test]
fn ranks_let_one_task_run_long_before_another_has_its_first_turn() {
    // How many turns the first task had before the second one had one.
    let lead = |order| {
        let executor = LocalExecutor::with_order(order);
        let (turns, lead) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
        let counts = turns.clone();
        executor
            .spawn(async move {
                for _ in 0..20 {
                    counts.set(counts.get() + 1);
                    yield_now().await;
                }
            })
            .detach();
        let leads = lead.clone();
        executor
            .spawn(async move { leads.set(Some(turns.get())) })
            .detach();
        while executor.try_tick() {}
        lead.get().unwrap()
    };
    let late = |order: fn(u64) -> Order| (0..200).filter(|seed| lead(order(*seed)) == 20).count();
    assert_eq!(late(Order::Seeded), 0);
    assert!(late(Order::Ranked) > 20, "{}", late(Order::Ranked));
    for seed in 0..20 {
        assert_eq!(lead(Order::Ranked(seed)), lead(Order::Ranked(seed)));
    }
}

#[test]
fn a_task_of_high_rank_that_never_rests_lets_the_others_run_in_the_end() {
    for seed in 0..50 {
        let executor = LocalExecutor::with_order(Order::Ranked(seed));
        let done = Rc::new(Cell::new(false));
        let looks = done.clone();
        let spins = executor.spawn(async move {
            while !looks.get() {
                yield_now().await;
            }
        });
        executor.spawn(async move { done.set(true) }).detach();
        while executor.try_tick() {}
        assert!(spins.is_finished());
    }
}

#[test]
fn simulated_workers_run_every_task_in_an_order_that_their_seed_determines() {
    let run = |seed, workers| {
        let executor = LocalExecutor::with_order(Order::Stealing { seed, workers });
        let order = Rc::new(RefCell::new(Vec::new()));
        for i in 0..8 {
            let order = order.clone();
            executor
                .spawn(async move {
                    for _ in 0..3 {
                        yield_now().await;
                    }
                    order.borrow_mut().push(i);
                })
                .detach();
        }
        while executor.try_tick() {}
        let statistics = executor.statistics();
        assert_eq!((statistics.live, statistics.queued), (0, 0));
        order.take()
    };
    for workers in [0, 1, 2, 5] {
        assert_eq!(run(42, workers), run(42, workers));
        let mut sorted = run(42, workers);
        sorted.sort();
        assert_eq!(sorted, (0..8).collect::<Vec<_>>());
        assert_ne!(run(1, workers), run(2, workers));
    }
    assert_ne!(run(1, 2), run(1, 3));
}

#[test]
fn simulated_workers_are_idle_only_if_all_their_queues_are_empty() {
    let order = Order::Stealing {
        seed: 3,
        workers: 4,
    };
    let executor = LocalExecutor::with_order(order);
    for _ in 0..5 {
        executor.spawn(yield_now()).detach();
    }
    assert!(executor.try_tick());
    assert_eq!(executor.statistics().queued, 5);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(executor.poll_tick(&mut cx).is_ready());
    assert!(executor.poll_tick(&mut cx).is_pending());
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn what_simulated_workers_hold_is_dropped_with_their_executor() {
    let order = Order::Stealing {
        seed: 3,
        workers: 2,
    };
    let executor = LocalExecutor::with_order(order);
    let alive = Rc::new(());
    for _ in 0..5 {
        let alive = alive.clone();
        executor
            .spawn(async move {
                yield_now().await;
                drop(alive);
            })
            .detach();
    }
    assert!(executor.try_tick());
    drop(executor);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn a_wake_of_all_polls_each_task_that_rests_once() {
    let executor = LocalExecutor::new();
    let polls = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let polls = polls.clone();
            executor.spawn(poll_fn(move |_| {
                polls.set(polls.get() + 1);
                Poll::<()>::Pending
            }))
        })
        .collect();
    while executor.try_tick() {}
    executor.wake_all();
    executor.wake_all();
    while executor.try_tick() {}
    assert_eq!(polls.get(), 6);
    drop(tasks);
    while executor.try_tick() {}
    executor.wake_all();
    assert!(!executor.try_tick());
}

#[test]
fn names_ids_and_places_are_kept() {
    let executor = LocalExecutor::new();
    let line = line!() + 1;
    let plain = executor.spawn(async {});
    assert_eq!(plain.spawned_at().line(), line);
    assert_eq!(plain.name(), None);
    let named = executor
        .try_spawn(TaskMeta::here().named("fetcher"), async {})
        .unwrap();
    assert_eq!(named.name().as_deref(), Some("fetcher"));
    assert!(named.id() > plain.id());
    assert!(format!("{named:?}").contains("fetcher"));
    while executor.try_tick() {}
    assert_eq!(
        named.name().as_deref(),
        Some("fetcher"),
        "also of a finished task"
    );
    drop(executor);
    assert_eq!(named.name().as_deref(), Some("fetcher"));
}

#[test]
fn a_panic_of_a_detached_task_is_reported_with_its_name() {
    let reports = hook();
    let executor = LocalExecutor::new();
    executor
        .try_spawn(TaskMeta::here().named("doomed"), async { panic!("boom") })
        .unwrap()
        .detach();
    while executor.try_tick() {}
    let reports = reports.matching("boom");
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("doomed") && reports[0].contains("local.rs"));
}

#[test]
fn a_cancel_before_the_first_poll_runs_nothing() {
    let executor = LocalExecutor::new();
    let ran = Rc::new(Cell::new(false));
    let flag = ran.clone();
    let task = executor.spawn(async move { flag.set(true) });
    let end = task.cancel(Cause::requested("too late"));
    match block_on(&executor, end) {
        Err(JoinError::Cancelled(cause)) => assert_eq!(cause.text(), "too late"),
        other => panic!("{other:?}"),
    }
    assert!(!ran.get());
}

/// An executor with a task that waits and one that has ended, each with its handle and a waker.
#[allow(clippy::type_complexity)]
fn waiting_and_ended() -> (
    LocalExecutor,
    Vec<(pirn_executor::Task<Arc<()>>, Waker)>,
    Arc<()>,
) {
    let (executor, output) = (LocalExecutor::new(), Arc::new(()));
    let parts = [false, true].map(|ends| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (held, mut result) = (output.clone(), Some(output.clone()));
        let task = executor.spawn(poll_fn(move |cx| {
            let _held = &held;
            sender.send(cx.waker().clone()).unwrap();
            match ends {
                true => Poll::Ready(result.take().unwrap()),
                false => Poll::Pending,
            }
        }));
        while executor.try_tick() {}
        (task, receiver.recv().unwrap())
    });
    (executor, parts.into(), output)
}

#[test]
fn the_executor_handles_and_wakers_go_in_any_order_here_or_elsewhere() {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Part {
        Executor,
        Handles,
        Wakers,
    }
    use Part::{Executor, Handles, Wakers};
    let orders = [
        [Executor, Handles, Wakers],
        [Executor, Wakers, Handles],
        [Handles, Executor, Wakers],
        [Handles, Wakers, Executor],
        [Wakers, Executor, Handles],
        [Wakers, Handles, Executor],
    ];
    // Bits: the handles go elsewhere; the wakers do; these wake as they go; the executor is driven
    // in between.
    for (order, how) in orders
        .iter()
        .flat_map(|order| (0..16).map(move |how| (order, how)))
    {
        let (executor, parts, output) = waiting_and_ended();
        let (handles, wakers): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let mut executor = Some(executor);
        let (mut handles, mut wakers) = (Some(handles), Some(wakers));
        for part in order {
            match part {
                Executor => drop(executor.take()),
                Handles => {
                    let handles = handles.take().unwrap();
                    match how & 1 != 0 {
                        true => std::thread::spawn(move || drop(handles)).join().unwrap(),
                        false => drop(handles),
                    }
                }
                Wakers => {
                    let wakers = wakers.take().unwrap();
                    let go = move || match how & 4 != 0 {
                        true => wakers.into_iter().for_each(Waker::wake),
                        false => drop((wakers.clone(), wakers)),
                    };
                    match how & 2 != 0 {
                        true => std::thread::spawn(go).join().unwrap(),
                        false => go(),
                    }
                }
            }
            if how & 8 != 0 {
                while executor.as_ref().is_some_and(LocalExecutor::try_tick) {}
            }
        }
        assert_eq!(Arc::strong_count(&output), 1);
    }
}

#[test]
fn the_tasks_that_live_are_listed_with_those_that_came_from_elsewhere() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let here = executor.spawn(pending::<()>());
    let meta = TaskMeta::here().named("far");
    let far = std::thread::spawn(move || handle.try_spawn(meta, pending::<()>()).unwrap());
    let far = far.join().unwrap();
    let ended = executor.spawn(async {});
    let ids = |tasks: &[TaskInfo]| tasks.iter().map(TaskInfo::id).collect::<Vec<_>>();
    let all = executor.tasks();
    assert_eq!(all.len(), 3);
    for id in [here.id(), far.id(), ended.id()] {
        assert!(ids(&all).contains(&id));
    }
    assert!(
        all.iter()
            .any(|task| task.id() == far.id() && task.name() == Some("far"))
    );
    // What a `run` waits for is none.
    let inside = block_on(&executor, async {
        ended.await.unwrap();
        tasks()
    });
    assert_eq!(inside.len(), 2);
    drop(far);
    while executor.try_tick() {}
    assert_eq!(ids(&executor.tasks()), [here.id()]);
}

#[test]
fn after_a_shutdown_it_still_runs_what_is_no_task() {
    let executor = LocalExecutor::new();
    let cut_off = executor.shutdown(&mut ThreadPark::new(), async {}).unwrap();
    assert!(cut_off.is_empty());
    let (sender, receiver) = common::oneshot();
    let thread = std::thread::spawn(move || sender.send(3));
    assert_eq!(block_on(&executor, receiver), 3);
    thread.join().unwrap();
    let refused = block_on(&executor, async { spawn(async {}).await });
    assert!(matches!(refused, Err(JoinError::Refused(_))));
    assert!(!executor.try_tick());
    let again = executor.shutdown(&mut ThreadPark::new(), async {}).unwrap();
    assert!(again.is_empty());
}

#[test]
fn tasks_of_two_executors_on_one_thread_join_each_other() {
    let (first, second) = (LocalExecutor::new(), LocalExecutor::new());
    let (sender, receiver) = common::oneshot();
    let inner = first.spawn(receiver);
    let middle = second.spawn(async move { inner.await.unwrap() + 1 });
    let outer = first.spawn(async move { middle.await.unwrap() + 1 });
    while first.try_tick() | second.try_tick() {}
    sender.send(1);
    while first.try_tick() | second.try_tick() {}
    assert!(outer.is_finished());
    assert_eq!(block_on(&second, outer).unwrap(), 3);

    // One that goes ends its tasks, which those of the other are told.
    let inner = first.spawn(pending::<()>());
    let outer = second.spawn(inner);
    while first.try_tick() | second.try_tick() {}
    drop(first);
    assert!(
        block_on(&second, outer)
            .unwrap()
            .unwrap_err()
            .is_cancelled()
    );
}

#[test]
fn wakers_and_handles_outlive_the_thread_of_their_executor() {
    /// Where a leak check finds it.
    static LEAKED: AtomicPtr<LocalExecutor> = AtomicPtr::new(std::ptr::null_mut());
    for leaks in [false, true] {
        let output = Arc::new(());
        let held = output.clone();
        let (parts, output) = std::thread::spawn(move || {
            let (executor, parts, output) = waiting_and_ended();
            match leaks {
                true => LEAKED.store(Box::into_raw(Box::new(executor)), SeqCst),
                false => drop(executor),
            }
            (parts, (output, held))
        })
        .join()
        .unwrap();
        for (task, waker) in parts {
            let another = waker.clone();
            waker.wake_by_ref();
            drop(waker);
            another.wake();
            assert_eq!(task.name(), None);
            drop(task);
        }
        // Futures that are leaked with their executor are not dropped elsewhere.
        let left = Arc::strong_count(&output.0);
        assert_eq!(left > 1, leaks, "{left} are left");
    }
}

#[test]
fn an_executor_may_go_with_its_thread_s_locals() {
    thread_local! {
        static EXECUTOR: LocalExecutor = LocalExecutor::new();
    }
    let output = Arc::new(());
    let held = output.clone();
    let (task, waker) = std::thread::spawn(move || {
        EXECUTOR.with(|executor| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let task = executor.spawn(poll_fn(move |cx| {
                let _held = &held;
                sender.send(cx.waker().clone()).unwrap();
                Poll::<()>::Pending
            }));
            assert!(executor.try_tick());
            (task, receiver.recv().unwrap())
        })
    })
    .join()
    .unwrap();
    assert_eq!(Arc::strong_count(&output), 1);
    assert!(task.is_finished());
    waker.wake();
    assert!(
        block_on(&LocalExecutor::new(), task)
            .unwrap_err()
            .is_cancelled()
    );
}

#[test]
fn tasks_of_any_priority_run_and_go_on() {
    let executor = LocalExecutor::new();
    for priority in [Priority::High, Priority::Normal, Priority::Low] {
        let task = executor.spawn_at(priority, async {
            yield_now().await;
            7
        });
        while executor.try_tick() {}
        assert!(task.is_finished());
        assert_eq!(block_on(&executor, task).unwrap(), 7);
    }
}

#[test]
fn a_task_that_never_had_a_handle_runs_or_is_dropped_with_its_executor() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let kept = Arc::new(());
    for task in [kept.clone(), kept.clone()] {
        Spawn::spawn(&handle, TaskMeta::here(), async move { drop(task) }).unwrap();
    }
    let (named, waits) = (TaskMeta::here().named("waits"), kept.clone());
    let waits = async move {
        pending::<()>().await;
        drop(waits);
    };
    SpawnLocal::spawn_local(&handle, named, waits).unwrap();
    while executor.try_tick() {}
    assert_eq!(Arc::strong_count(&kept), 2);
    assert_eq!(executor.statistics().live, 1);
    drop(executor);
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn a_panic_of_the_waker_that_a_foreign_loop_left_does_not_come_out_of_the_executor_s_end() {
    struct Loud;
    impl Wake for Loud {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("a loop's waker was dropped");
        }
    }
    let reports = hook();
    let executor = LocalExecutor::new();
    let waker = Waker::from(Arc::new(Loud));
    let pending = executor.poll_tick(&mut Context::from_waker(&waker));
    assert!(pending.is_pending());
    drop(waker);
    drop(executor);
    assert_eq!(reports.matching("a loop's waker was dropped").len(), 1);
}
