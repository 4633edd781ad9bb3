//! Priorities: who goes before whom, and for how long. All is counted in polls.

mod common;

use common::{Counter, yield_now};
use pirn_core::{Cause, Spawn, SpawnLocal, TaskMeta};
use pirn_executor::internals::{Lane, Turns, Waiting};
use pirn_executor::{
    HIGH_RUNS, LOW_INTERVAL, LocalExecutor, Order, PARK_INTERVAL, PoolExecutor, Priority, Task,
    ThreadPark, spawn_at, spawn_local_at, try_spawn, try_spawn_local,
};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

const HIGH: Priority = Priority::High;
const NORMAL: Priority = Priority::Normal;
const LOW: Priority = Priority::Low;

/// Who was polled, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Priority>>>);

impl Log {
    /// Is always ready to go on, and notes each of its polls.
    fn busy(&self, priority: Priority) -> impl Future<Output = ()> + Send + 'static {
        let log = self.clone();
        poll_fn(move |cx| {
            log.0.lock().unwrap().push(priority);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
    }

    /// Notes its one poll.
    fn once(&self, priority: Priority) -> impl Future<Output = ()> + Send + 'static {
        let log = self.clone();
        async move { log.0.lock().unwrap().push(priority) }
    }

    fn take(&self) -> Vec<Priority> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// What the tests need of an executor: both kinds must keep the same promises.
trait Host {
    fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
    fn tick(&mut self) -> bool;
}

impl Host for LocalExecutor {
    fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        LocalExecutor::spawn_at(self, priority, future)
    }

    fn tick(&mut self) -> bool {
        self.try_tick()
    }
}

/// A pool with one worker.
struct Pool(PoolExecutor, Vec<pirn_executor::Worker>);

impl Pool {
    fn new() -> Pool {
        let (executor, workers) = PoolExecutor::new(1);
        Pool(executor, workers)
    }
}

impl Host for Pool {
    fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.handle().spawn_at(priority, future)
    }

    fn tick(&mut self) -> bool {
        self.1[0].try_tick()
    }
}

/// The longest stretch of polls without one of `priority`.
fn longest_wait(polls: &[Priority], priority: Priority) -> usize {
    let stretches = polls.split(|&polled| polled == priority);
    stretches.map(<[_]>::len).max().unwrap_or(0)
}

fn count(polls: &[Priority], priority: Priority) -> usize {
    polls.iter().filter(|&&polled| polled == priority).count()
}

/// Polls tasks of each of these that are always ready.
fn always_ready(mut host: impl Host, priorities: &[Priority], ticks: usize) -> Vec<Priority> {
    let log = Log::default();
    for &priority in priorities {
        host.spawn_at(priority, log.busy(priority)).detach();
    }
    for _ in 0..ticks {
        assert!(host.tick());
    }
    log.take()
}

fn urgent_first(mut host: impl Host) {
    let log = Log::default();
    for priority in [LOW, NORMAL, LOW, HIGH, NORMAL, HIGH] {
        host.spawn_at(priority, log.once(priority)).detach();
    }
    while host.tick() {}
    assert_eq!(log.take(), [HIGH, HIGH, NORMAL, NORMAL, LOW, LOW]);
}

#[test]
fn what_is_more_urgent_goes_first() {
    urgent_first(LocalExecutor::new());
    urgent_first(Pool::new());
}

fn nobody_starves(polls: &[Priority]) {
    let runs = HIGH_RUNS as usize;
    let interval = LOW_INTERVAL as usize;
    // One of the polls in between may be of a low one.
    assert!(longest_wait(polls, NORMAL) <= runs + 1, "{polls:?}");
    assert!(longest_wait(polls, LOW) < interval, "{polls:?}");
    // And they are what they are said to be: urgent, and not.
    let ninth = polls.len() / (runs + 1);
    assert!(count(polls, HIGH) >= ninth * (runs - 1));
    assert!(count(polls, LOW) <= polls.len() / interval + 1);
    let high_waits = longest_wait(polls, HIGH);
    assert!(
        high_waits <= 2,
        "a normal poll, and a low one: {high_waits}"
    );
}

#[test]
fn tasks_that_are_always_ready_starve_none_of_less_priority() {
    let all = [HIGH, HIGH, NORMAL, LOW];
    nobody_starves(&always_ready(LocalExecutor::new(), &all, 1000));
    nobody_starves(&always_ready(
        LocalExecutor::with_order(Order::Seeded(3)),
        &all,
        1000,
    ));
    nobody_starves(&always_ready(Pool::new(), &all, 1000));
}

fn low_has_its_share(polls: &[Priority]) {
    let interval = LOW_INTERVAL as usize;
    assert!(longest_wait(polls, LOW) < interval);
    assert!(count(polls, LOW) <= polls.len() / interval + 1);
}

#[test]
fn low_tasks_have_one_poll_in_an_interval_beside_normal_ones() {
    let both = [LOW, NORMAL, NORMAL];
    low_has_its_share(&always_ready(LocalExecutor::new(), &both, 1000));
    low_has_its_share(&always_ready(Pool::new(), &both, 1000));
    let both = [LOW, HIGH];
    low_has_its_share(&always_ready(LocalExecutor::new(), &both, 1000));
    low_has_its_share(&always_ready(Pool::new(), &both, 1000));
}

#[test]
fn within_a_lane_tasks_take_turns() {
    for priority in [HIGH, LOW] {
        let executor = LocalExecutor::new();
        let ran = Rc::new(RefCell::new(Vec::new()));
        for n in 0..3 {
            let ran = ran.clone();
            let task = executor.spawn_at(priority, async move {
                for _ in 0..3 {
                    ran.borrow_mut().push(n);
                    yield_now().await;
                }
            });
            task.detach();
        }
        while executor.try_tick() {}
        assert_eq!(ran.take(), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }
}

/// A task that waits, with its waker in the slot.
fn waiting(
    log: &Log,
    priority: Priority,
) -> (
    impl Future<Output = ()> + Send + use<>,
    Arc<Mutex<Option<Waker>>>,
) {
    let slot = Arc::new(Mutex::new(None));
    let (log, place) = (log.clone(), slot.clone());
    let future = poll_fn(move |cx| {
        log.0.lock().unwrap().push(priority);
        *place.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    });
    (future, slot)
}

/// `wake`: does so, from wherever.
fn goes_back(mut host: impl Host, wake: impl Fn(Waker)) {
    let log = Log::default();
    let mut slots = Vec::new();
    for priority in [LOW, NORMAL, HIGH] {
        let (future, slot) = waiting(&log, priority);
        host.spawn_at(priority, future).detach();
        slots.push(slot);
    }
    while host.tick() {}
    for _ in 0..2 {
        log.take();
        for slot in &slots {
            wake(slot.lock().unwrap().take().unwrap());
        }
        while host.tick() {}
        assert_eq!(log.take(), [HIGH, NORMAL, LOW]);
    }
}

#[test]
fn a_task_that_is_woken_goes_back_to_its_lane() {
    goes_back(LocalExecutor::new(), Waker::wake);
    goes_back(Pool::new(), Waker::wake);
}

#[test]
fn so_does_one_that_another_thread_wakes() {
    let elsewhere = |waker: Waker| std::thread::spawn(|| waker.wake()).join().unwrap();
    goes_back(LocalExecutor::new(), elsewhere);
    goes_back(Pool::new(), elsewhere);
}

#[test]
fn so_does_one_that_another_task_wakes() {
    let log = Log::default();
    let mut pool = Pool::new();
    let (future, slot) = waiting(&log, LOW);
    pool.spawn_at(LOW, future).detach();
    while pool.tick() {}
    log.take();
    let waking = async move { slot.lock().unwrap().take().unwrap().wake() };
    pool.spawn_at(NORMAL, waking).detach();
    pool.spawn_at(NORMAL, log.once(NORMAL)).detach();
    while pool.tick() {}
    assert_eq!(log.take(), [NORMAL, LOW]);
}

#[test]
fn what_another_thread_spawns_goes_to_its_lane() {
    let executor = LocalExecutor::new();
    let log = Log::default();
    let (handle, noted) = (executor.handle(), log.clone());
    let spawning = std::thread::spawn(move || {
        for priority in [LOW, NORMAL, HIGH] {
            handle.spawn_at(priority, noted.once(priority)).detach();
        }
    });
    spawning.join().unwrap();
    while executor.try_tick() {}
    assert_eq!(log.take(), [HIGH, NORMAL, LOW]);
}

#[test]
fn a_task_in_a_lane_gives_its_value_is_cancelled_and_is_dropped() {
    let executor = LocalExecutor::new();
    for priority in [HIGH, LOW] {
        let task = executor.spawn_at(priority, async { 7 });
        assert_eq!(
            executor.run(&mut ThreadPark::new(), task).unwrap().unwrap(),
            7
        );
        let task = executor
            .spawn_at(priority, pending::<()>())
            .cancel(Cause::requested("so"));
        assert!(executor.run(&mut ThreadPark::new(), task).unwrap().is_err());
    }
    let queued = [HIGH, LOW].map(|priority| executor.spawn_at(priority, async {}));
    assert_eq!(executor.statistics().queued, 2);
    drop(executor);
    assert!(queued.iter().all(Task::is_finished));
}

#[test]
fn the_free_functions_spawn_on_whatever_runs_the_caller() {
    let executor = LocalExecutor::new();
    let ended = executor.run(&mut ThreadPark::new(), async {
        let text = Rc::new("not Send");
        let local = spawn_local_at(HIGH, async move { text.len() })
            .await
            .unwrap();
        (local, spawn_at(LOW, async { 2 }).await.unwrap())
    });
    assert_eq!(ended.unwrap(), (8, 2));

    let (_executor, mut workers) = PoolExecutor::new(1);
    let ended = workers[0].run(&mut ThreadPark::new(), async {
        assert!(spawn_local_at(HIGH, async {}).await.is_err());
        spawn_at(HIGH, async { 3 }).await.unwrap()
    });
    assert_eq!(ended.unwrap(), 3);
    let urgent = TaskMeta::here().with_priority(HIGH);
    assert!(try_spawn(urgent, async {}).is_err());
}

#[test]
fn a_foreign_loop_is_told_of_what_comes_to_a_lane() {
    let executor = LocalExecutor::new();
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    for (told, priority) in [HIGH, LOW].into_iter().enumerate() {
        assert!(executor.poll_tick(&mut cx).is_pending());
        executor.spawn_at(priority, async {}).detach();
        assert_eq!(counter.count(), told + 1);
        assert!(executor.poll_tick(&mut cx).is_ready());
    }
}

#[test]
fn turns_are_as_said() {
    let turns = Turns::default();
    let both = Waiting { high: 9, low: 9 };
    let mut lanes = Vec::new();
    for _ in 0..LOW_INTERVAL {
        let lane = turns.whose(both);
        lanes.push(lane);
        lane.into_iter().for_each(|lane| turns.took(lane));
    }
    assert_eq!(lanes.pop(), Some(Some(Lane::Low)));
    let runs: Vec<_> = lanes.split(Option::is_none).map(<[_]>::len).collect();
    assert_eq!(runs, [8, 8, 8, 8, 8, 8, 6]);
    // What is low has waited for nothing now, and alone it waits for the others.
    let low = Waiting { high: 0, low: 1 };
    assert_eq!(turns.whose(low), None);
    // The others have had their turn.
    let high = Waiting { high: 1, low: 0 };
    assert_eq!(turns.whose(high), Some(Lane::High));
}

#[test]
fn tasks_that_are_spawned_eagerly_take_nobody_s_turn() {
    // As many polls of eager tasks in each as would hide any turn that went by the number of polls.
    let executor = LocalExecutor::new();
    let log = Log::default();
    let (handle, noted) = (executor.handle(), log.clone());
    let spawns = poll_fn(move |cx| {
        noted.0.lock().unwrap().push(HIGH);
        (1..PARK_INTERVAL).for_each(|_| handle.spawn_eager(async {}).detach());
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    executor.spawn_at(HIGH, spawns).detach();
    executor.spawn(log.busy(NORMAL)).detach();
    executor.spawn_at(LOW, log.busy(LOW)).detach();
    for _ in 0..1000 {
        executor.try_tick();
    }
    nobody_starves(&log.take());
}

/// How many polls it takes a busy worker to come to what another thread has spawned, at each of so
/// many moments.
fn waits_of_outsiders(busy: &[Priority]) -> Vec<usize> {
    let (executor, mut workers) = PoolExecutor::new(1);
    let handle = executor.handle();
    let log = Log::default();
    let (noted, inside, priorities) = (log.clone(), handle.clone(), busy.to_vec());
    // From inside, so that none is in the line from outside.
    let begin = async move {
        for priority in priorities {
            inside.spawn_at(priority, noted.busy(priority)).detach();
        }
    };
    handle.spawn(begin).detach();
    let mut waits = Vec::new();
    for _ in 0..2 * PARK_INTERVAL {
        let spawning = handle.clone();
        let spawning = std::thread::spawn(move || spawning.spawn(async {}));
        let task = spawning.join().unwrap();
        let polls = || handle.statistics().workers[0].polls;
        let before = polls();
        while !task.is_finished() && polls() - before < 2000 {
            assert!(workers[0].try_tick());
        }
        waits.push((polls() - before) as usize);
    }
    waits
}

#[test]
fn what_comes_from_outside_has_its_turn_whatever_lanes_are_busy() {
    let runs = HIGH_RUNS as usize;
    for busy in [
        &[NORMAL, NORMAL][..],
        &[NORMAL, LOW],
        &[NORMAL, HIGH],
        &[NORMAL, NORMAL, HIGH, LOW],
    ] {
        let waits = waits_of_outsiders(busy);
        let longest = waits.iter().max().unwrap();
        // A turn of what is normal, after the interval; one poll may be of a low one.
        assert!(
            *longest <= PARK_INTERVAL as usize + runs + 3,
            "{busy:?}: {longest}"
        );
    }
}

/// Metadata of a task that is so urgent.
fn meta(priority: Priority) -> TaskMeta {
    TaskMeta::here().with_priority(priority)
}

#[test]
fn a_task_is_as_urgent_as_its_metadata_says() {
    let local = LocalExecutor::new();
    let log = Log::default();
    for priority in [LOW, NORMAL, HIGH] {
        local
            .try_spawn(meta(priority), log.once(priority))
            .unwrap()
            .detach();
        Spawn::spawn(&local.handle(), meta(priority), log.once(priority)).unwrap();
        SpawnLocal::spawn_local(&local.handle(), meta(priority), log.once(priority)).unwrap();
    }
    local
        .run(&mut ThreadPark::new(), async {
            for priority in [LOW, NORMAL, HIGH] {
                try_spawn(meta(priority), log.once(priority))
                    .unwrap()
                    .detach();
                try_spawn_local(meta(priority), log.once(priority))
                    .unwrap()
                    .detach();
            }
        })
        .unwrap();
    let elsewhere = local.handle();
    let far = log.clone();
    let spawn = move || {
        for priority in [LOW, NORMAL, HIGH] {
            Spawn::spawn(&elsewhere, meta(priority), far.once(priority)).unwrap();
        }
    };
    std::thread::spawn(spawn).join().unwrap();
    while local.try_tick() {}
    let order = log.take();
    assert!(
        order.is_sorted_by_key(|priority| *priority as u8),
        "{order:?}"
    );
    assert_eq!(order.len(), 18);
}

#[test]
fn a_task_of_a_pool_is_as_urgent_as_its_metadata_says() {
    let (pool, mut workers) = PoolExecutor::new(1);
    let log = Log::default();
    workers[0]
        .run(&mut ThreadPark::new(), async {
            for priority in [LOW, NORMAL, HIGH] {
                try_spawn(meta(priority), log.once(priority))
                    .unwrap()
                    .detach();
                Spawn::spawn(&pool.handle(), meta(priority), log.once(priority)).unwrap();
            }
        })
        .unwrap();
    for priority in [LOW, NORMAL, HIGH] {
        Spawn::spawn(&pool.handle(), meta(priority), log.once(priority)).unwrap();
    }
    while workers[0].try_tick() {}
    let order = log.take();
    assert!(
        order.is_sorted_by_key(|priority| *priority as u8),
        "{order:?}"
    );
    assert_eq!(order.len(), 9);
}

#[test]
fn what_begins_eagerly_goes_on_as_its_metadata_says() {
    let executor = LocalExecutor::new();
    let log = Log::default();
    for priority in [LOW, NORMAL, HIGH] {
        let later = log.once(priority);
        let task = async move {
            yield_now().await;
            later.await;
        };
        let handle = executor.handle();
        handle
            .try_spawn_eager(meta(priority), task)
            .unwrap()
            .detach();
    }
    while executor.try_tick() {}
    assert_eq!(log.take(), [HIGH, NORMAL, LOW]);
}
