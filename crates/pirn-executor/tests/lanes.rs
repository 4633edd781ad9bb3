//! The lanes of a pool: who is woken for what comes to them, and how they end.

mod common;

use common::{Counter, yield_now};
use pirn_core::{Park, ParkError, TaskMeta, Until};
use pirn_executor::internals::{Lane, Lanes, Waiting};
use pirn_executor::{
    PARK_INTERVAL, PoolExecutor, Priority, Task, ThreadPark, ThreadUnpark, Worker, spawn, spawn_at,
};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

const HIGH: Priority = Priority::High;
const LOW: Priority = Priority::Low;

#[test]
fn a_pool_that_is_dropped_ends_what_waits_in_its_lanes() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let queued = [HIGH, LOW, LOW].map(|priority| handle.spawn_at(priority, async {}));
    let statistics = executor.statistics();
    assert_eq!(
        (statistics.high, statistics.low, statistics.queued),
        (1, 2, 0)
    );
    drop(executor);
    assert!(queued.iter().all(Task::is_finished));
    let urgent = TaskMeta::here().with_priority(HIGH);
    let refused = handle.try_spawn(urgent, async {}).unwrap_err();
    assert_eq!(refused.reason(), "the executor is gone");
    drop(workers);
}

#[test]
fn what_comes_to_a_lane_wakes_a_worker_that_rests() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    for (told, priority) in [HIGH, LOW].into_iter().enumerate() {
        assert!(workers[0].poll_tick(&mut cx).is_pending());
        executor.handle().spawn_at(priority, async {}).detach();
        assert_eq!(counter.count(), told + 1);
        assert!(workers[0].poll_tick(&mut cx).is_ready());
    }
}

/// Two workers, of which the second rests.
fn beside_one_that_rests() -> (PoolExecutor, Vec<Worker>, Arc<Counter>) {
    let (executor, mut workers) = PoolExecutor::new(2);
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    assert!(
        workers[1]
            .poll_tick(&mut Context::from_waker(&waker))
            .is_pending()
    );
    (executor, workers, counter)
}

#[test]
fn what_a_task_spawns_into_a_lane_wakes_another_worker() {
    for priority in [HIGH, LOW] {
        let (_executor, mut workers, told) = beside_one_that_rests();
        let run = workers[0].run(&mut ThreadPark::new(), async {
            let task = spawn_at(priority, async {});
            assert_eq!(told.count(), 1);
            task.detach();
        });
        run.unwrap();
    }
}

/// A task's first poll has `other` rest beside it, whatever it was told before.
fn rest(other: &mut Worker, told: &Arc<Counter>) {
    let waker = Waker::from(told.clone());
    assert!(
        other
            .poll_tick(&mut Context::from_waker(&waker))
            .is_pending()
    );
}

#[test]
fn one_task_in_a_lane_that_gives_way_wakes_no_other_worker() {
    for priority in [HIGH, LOW] {
        let (executor, mut workers, told) = beside_one_that_rests();
        let mut other = workers.pop().unwrap();
        let task = executor.handle().spawn_at(priority, async move {
            rest(&mut other, &told);
            let before = told.count();
            for _ in 0..20 {
                yield_now().await;
            }
            told.count() - before
        });
        assert!(
            workers[0]
                .poll_tick(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        assert_eq!(
            workers[0]
                .run(&mut ThreadPark::new(), task)
                .unwrap()
                .unwrap(),
            0
        );
    }
}

#[test]
fn a_task_in_a_lane_that_gives_way_to_another_one_wakes_another_worker() {
    let (executor, mut workers, told) = beside_one_that_rests();
    let mut other = workers.pop().unwrap();
    let task = executor.handle().spawn_at(LOW, async move {
        rest(&mut other, &told);
        let (before, seen) = (told.count(), told.clone());
        let first = spawn(async move { seen.count() });
        // One task is for this worker itself.
        assert_eq!(told.count(), before);
        yield_now().await;
        first.await.unwrap() - before
    });
    assert!(
        workers[0]
            .poll_tick(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
    assert_eq!(
        workers[0]
            .run(&mut ThreadPark::new(), task)
            .unwrap()
            .unwrap(),
        1
    );
}

/// A driver that wakes somebody when it is first looked at.
struct Wakes(Arc<Mutex<Option<Waker>>>, ThreadPark);

impl Park for Wakes {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        self.1.unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        match self.0.lock().unwrap().take() {
            Some(waker) => waker.wake(),
            None => self.1.park(until)?,
        }
        Ok(())
    }
}

#[test]
fn an_urgent_task_that_a_driver_wakes_before_another_one_wakes_another_worker() {
    let (executor, mut workers, told) = beside_one_that_rests();
    let mut other = workers.pop().unwrap();
    let (slot, seen) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let (place, note, counter) = (slot.clone(), seen.clone(), told.clone());
    let urgent = poll_fn(move |cx| {
        let former = place.lock().unwrap().replace(cx.waker().clone());
        *note.lock().unwrap() = Some(counter.count());
        match former {
            None => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    });
    executor.handle().spawn_at(HIGH, urgent).detach();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(workers[0].poll_tick(&mut cx).is_ready());
    let waker = slot.lock().unwrap().clone();
    let mut park = Wakes(Arc::new(Mutex::new(waker)), ThreadPark::new());
    let before = workers[0].run(&mut park, async {
        let task = spawn(async move {
            for _ in 1..PARK_INTERVAL {
                yield_now().await;
            }
            // The ring gets this one, of which nobody is told; then comes the driver.
            rest(&mut other, &told);
            let before = told.count();
            yield_now().await;
            (other, before)
        });
        task.await.unwrap().1
    });
    assert_eq!(*seen.lock().unwrap(), Some(before.unwrap() + 1));
}

#[test]
fn lanes_are_queues_until_they_are_closed() {
    let lanes = Lanes::default();
    assert!(lanes.is_empty());
    for n in 0..3 {
        lanes.push(Lane::High, n);
        lanes.push(Lane::Low, n + 10);
    }
    assert_eq!(lanes.waiting(), Waiting { high: 3, low: 3 });
    assert_eq!(lanes.take(Lane::Low), Some(10));
    assert_eq!(lanes.take(Lane::High), Some(0));
    assert_eq!(lanes.waiting(), Waiting { high: 2, low: 2 });
    assert_eq!(lanes.close().collect::<Vec<_>>(), [1, 2, 11, 12]);
    lanes.push(Lane::High, 4);
    assert!(lanes.is_empty());
    assert_eq!(lanes.take(Lane::High), None);
}
