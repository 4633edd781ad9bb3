//! What tasks cost in memory: nothing, once there have been as many before; and what an executor
//! gives back that has nothing to do.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::Counter;
use counting::{allocated, bytes};
use pirn_core::{Park, ParkError, Spawn, TaskMeta, Until};
use pirn_executor::{LocalExecutor, PoolExecutor, Task, ThreadPark, Worker, spawn};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How many allocations `f` makes.
fn allocations(f: impl FnOnce()) -> usize {
    let before = allocated();
    f();
    allocated() - before
}

#[test]
fn a_task_that_is_spawned_and_joined_allocates_nothing() {
    let executor = LocalExecutor::new();
    executor
        .run(&mut ThreadPark::new(), async {
            for round in 0..10 {
                let before = allocated();
                let outer = spawn(async {
                    let inner = spawn(async { [2_u8; 100] });
                    inner.await.unwrap()
                });
                assert_eq!(outer.await.unwrap(), [2; 100]);
                spawn(async {}).detach();
                spawn(async {}).await.unwrap();
                // The first one makes the pages, and room in the queue.
                assert!(round == 0 || allocated() == before);
            }
        })
        .unwrap();
}

#[test]
fn tasks_that_come_again_use_the_memory_of_those_that_ended() {
    const TASKS: usize = 100_000;
    let executor = LocalExecutor::new();
    let mut tasks: Vec<Task<usize>> = Vec::with_capacity(TASKS);
    let mut round = || {
        tasks.extend((0..TASKS).map(|n| executor.spawn(async move { n })));
        while executor.try_tick() {}
        assert!(tasks.iter().all(Task::is_finished));
        tasks.clear();
    };
    let first = allocations(&mut round);
    assert!(first > 0 && first < TASKS / 20, "{first}");
    assert_eq!(allocations(&mut round), 0);
    assert_eq!(allocations(&mut round), 0);
}

#[test]
fn tasks_that_are_let_go_elsewhere_give_their_memory_back_as_well() {
    const TASKS: usize = 1_000;
    let executor = LocalExecutor::new();
    let round = || {
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| executor.spawn(async move { n }))
            .collect();
        while executor.try_tick() {}
        std::thread::spawn(move || drop(tasks)).join().unwrap();
        while executor.try_tick() {}
    };
    round();
    round();
    // A thread, and the two vectors that grow: nothing for each task.
    let again = allocations(round);
    assert!(again < TASKS / 10, "{again}");
}

#[test]
fn a_pool_s_tasks_use_the_memory_of_those_that_ended() {
    const TASKS: usize = 1_000;
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let mut tasks: Vec<Task<usize>> = Vec::with_capacity(TASKS);
    let mut round = |worker: &mut Worker| {
        let (spawned, handle) = (&mut tasks, &handle);
        worker
            .run(&mut ThreadPark::new(), async {
                spawned.extend((0..TASKS / 2).map(|n| spawn(async move { n })));
            })
            .unwrap();
        tasks.extend((0..TASKS / 2).map(|n| handle.spawn(async move { n })));
        let mut cx = Context::from_waker(Waker::noop());
        while worker.poll_tick(&mut cx).is_ready() {}
        assert!(tasks.iter().all(Task::is_finished));
        tasks.clear();
    };
    // Whoever runs them: those of the other worker's heap go back there.
    for worker in [0, 1, 0, 1] {
        round(&mut workers[worker]);
    }
    let again = allocations(|| round(&mut workers[0]));
    assert!(again < TASKS / 10, "{again}");
}

#[test]
fn tasks_that_never_had_a_handle_give_their_memory_back_as_well() {
    const TASKS: usize = 1_000;
    fn spawn_on(handle: &impl Spawn) {
        (0..TASKS).for_each(|_| Spawn::spawn(handle, TaskMeta::here(), async {}).unwrap());
    }
    let executor = LocalExecutor::new();
    let round = || {
        spawn_on(&executor.handle());
        while executor.try_tick() {}
    };
    round();
    assert_eq!(allocations(round), 0);

    let (executor, mut workers) = PoolExecutor::new(1);
    let (handle, worker) = (executor.handle(), &mut workers[0]);
    let mut round = || {
        let spawns = async { spawn_on(&handle) };
        worker.run(&mut ThreadPark::new(), spawns).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        while worker.poll_tick(&mut cx).is_ready() {}
    };
    round();
    round();
    let again = allocations(round);
    assert!(again < TASKS / 10, "{again}");
}

/// More than an executor keeps in any case, and less than what many tasks take.
const MUCH: isize = 1 << 20;
const MANY: usize = 50_000;
/// How often an executor has nothing to do before it gives memory back.
const RESTS: usize = 16;

/// What one rest takes back, and how many it sorts.
const PART: usize = 512;
/// How many pages one rest gives back at most.
const PAGES: isize = 64;
const PAGE: isize = 8 << 10;

thread_local! {
    static COUNTER: Arc<Counter> = Counter::new();
}

/// Does what there is to do, and rests once. True if the executor asks for another turn.
fn rests_partly(turn: &mut impl FnMut(&mut Context<'_>) -> Poll<()>) -> bool {
    let counter = COUNTER.with(Clone::clone);
    let (before, waker) = (counter.count(), Waker::from(counter.clone()));
    while turn(&mut Context::from_waker(&waker)).is_ready() {}
    counter.count() > before
}

/// Has the executor rest so often, having nothing to do; in parts, as long as it asks for it.
fn rest(mut turn: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    (0..RESTS).for_each(|_| while rests_partly(&mut turn) {});
}

/// Wakes up at once, and at last wakes somebody.
struct Naps {
    left: usize,
    /// How often it was to look, and not to sleep.
    looks: usize,
    last: Arc<Mutex<Option<Waker>>>,
}

impl Park for Naps {
    type Unpark = pirn_executor::ThreadUnpark;

    fn unparker(&self) -> Self::Unpark {
        ThreadPark::new().unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        match until {
            Until::Now => self.looks += 1,
            _ => self.left -= 1,
        }
        if self.left == 0 {
            self.last
                .lock()
                .unwrap()
                .take()
                .into_iter()
                .for_each(Waker::wake);
        }
        Ok(())
    }
}

/// A driver for that many sleeps, and what ends after them.
fn naps(left: usize) -> (Naps, impl Future<Output = ()>) {
    let last = Arc::new(Mutex::new(None));
    let (waker, mut polled) = (last.clone(), false);
    let end = poll_fn(move |cx| {
        *waker.lock().unwrap() = Some(cx.waker().clone());
        match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    let looks = 0;
    (Naps { left, looks, last }, end)
}

#[test]
fn an_executor_with_nothing_to_do_gives_back_what_many_tasks_took() {
    let executor = LocalExecutor::new();
    let before = bytes();
    for round in 0..4 {
        (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
        assert!(bytes() - before > 3 * MUCH);
        if round % 2 == 0 {
            rest(|cx| executor.poll_tick(cx));
        } else {
            let (mut park, end) = naps(RESTS + 1);
            executor.run(&mut park, end).unwrap();
        }
        assert!(bytes() - before < MUCH, "{}", bytes() - before);
    }
}

#[test]
fn a_worker_with_nothing_to_do_gives_back_what_many_tasks_took() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let (handle, before) = (executor.handle(), bytes());
    for round in 0..4 {
        let spawns = async {
            (0..MANY).for_each(|n| spawn(async move { n }).detach());
        };
        workers[0].run(&mut ThreadPark::new(), spawns).unwrap();
        (0..MANY).for_each(|n| handle.spawn(async move { n }).detach());
        assert!(bytes() - before > 6 * MUCH);
        // Another one ends most of them.
        rest(|cx| workers[1].poll_tick(cx));
        if round % 2 == 0 {
            rest(|cx| workers[0].poll_tick(cx));
        } else {
            let (mut park, end) = naps(RESTS + 1);
            workers[0].run(&mut park, end).unwrap();
        }
        assert!(bytes() - before < 2 * MUCH, "{}", bytes() - before);
    }
}

#[test]
fn what_was_spawned_elsewhere_is_given_back_as_well() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let elsewhere = move || (0..MANY).for_each(|n| handle.spawn(async move { n }).detach());
    std::thread::spawn(elsewhere).join().unwrap();
    let before = bytes();
    rest(|cx| executor.poll_tick(cx));
    assert!(bytes() - before < -3 * MUCH, "{}", bytes() - before);
}

#[test]
fn the_room_for_what_comes_from_elsewhere_is_given_back_part_by_part_too() {
    const MORE: usize = 4 * MANY;
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let (before, elsewhere) = (bytes(), handle.clone());
    let spawns = move || (0..MORE).for_each(|n| elsewhere.spawn(async move { n }).detach());
    std::thread::spawn(spawns).join().unwrap();
    let turn = &mut |cx: &mut Context<'_>| executor.poll_tick(cx);
    // The queue of what is ready is as long, and shrinks each time.
    (1..RESTS).for_each(|_| while rests_partly(turn) {});
    let mut last = bytes();
    for _ in 0..MORE {
        let partly = rests_partly(turn);
        assert!(
            last - bytes() <= PAGES * PAGE + PART as isize,
            "{}",
            last - bytes()
        );
        last = bytes();
        if !partly {
            break;
        }
    }
    assert!(last - before < 2 * MUCH, "{}", last - before);
}

#[test]
fn tasks_that_go_on_are_where_they_were_when_memory_is_given_back() {
    let executor = LocalExecutor::new();
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let before = bytes();
    let task = |n: usize| {
        let (wakers, mut woken) = (wakers.clone(), n % 1_000 != 0);
        executor.spawn(poll_fn(move |cx| {
            match std::mem::replace(&mut woken, true) {
                true => Poll::Ready(n),
                false => {
                    wakers.borrow_mut().push(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    };
    let mut tasks: Vec<_> = (0..MANY).map(task).collect();
    while executor.try_tick() {}
    tasks.retain(|task| !task.is_finished());
    tasks.shrink_to_fit();
    assert_eq!(tasks.len(), MANY / 1_000);
    rest(|cx| executor.poll_tick(cx));
    assert!(bytes() - before < MUCH, "{}", bytes() - before);
    // Wakers outlive their tasks, and the rests.
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
    let others: Vec<_> = (0..MANY)
        .map(|n| executor.spawn(async move { n }))
        .collect();
    while executor.try_tick() {}
    let sum = |tasks: Vec<Task<usize>>| {
        let sum = async { join(tasks).await };
        executor.run(&mut ThreadPark::new(), sum).unwrap()
    };
    assert_eq!(sum(tasks), (0..MANY).step_by(1_000).sum());
    assert_eq!(sum(others), (0..MANY).sum());
    rest(|cx| executor.poll_tick(cx));
    wakers.take().into_iter().for_each(Waker::wake);
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn an_executor_that_gave_back_little_again_and_again_does_so_when_much_more_was_taken() {
    const SOME: usize = 20_000;
    let executor = LocalExecutor::new();
    let task = |n: usize| {
        executor.spawn(poll_fn(move |_| match n % 50 {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }))
    };
    // One is left in each page.
    let mut tasks: Vec<_> = (0..SOME).map(task).collect();
    while executor.try_tick() {}
    tasks.retain(|task| !task.is_finished());
    (0..1_000).for_each(|_| rest(|cx| executor.poll_tick(cx)));
    let before = bytes();
    (0..2 * MANY).for_each(|n| executor.spawn(async move { n }).detach());
    assert!(bytes() - before > 3 * MUCH);
    rest(|cx| executor.poll_tick(cx));
    assert!(bytes() - before < MUCH, "{}", bytes() - before);
}

/// An executor whose tasks have ended, and that has rested until it is in the middle of giving back
/// what they took, after so many parts of that.
fn in_the_middle(executor: &LocalExecutor, parts: usize) {
    (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
    let turn = &mut |cx: &mut Context<'_>| executor.poll_tick(cx);
    (1..RESTS).for_each(|_| assert!(!rests_partly(turn)));
    (0..parts).for_each(|_| assert!(rests_partly(turn)));
}

/// Before anything is given back, in the middle of that, and nearly at the end.
const MIDDLES: [usize; 5] = [1, 20, MANY / PART + 2, MANY / PART + 4, MANY / PART + 6];

#[test]
fn a_rest_sorts_512_slots_or_gives_64_pages_back() {
    let executor = LocalExecutor::new();
    in_the_middle(&executor, 0);
    let turn = &mut |cx: &mut Context<'_>| executor.poll_tick(cx);
    let (much, mut parts, mut before) = (bytes(), 1, bytes());
    let mut first = None;
    while rests_partly(turn) {
        let gave = before - bytes();
        assert!(gave <= PAGES * PAGE, "{gave}");
        if gave > 0 {
            first.get_or_insert(parts);
        }
        (parts, before) = (parts + 1, bytes());
    }
    assert!(much - bytes() > 2 * MUCH, "{}", much - bytes());
    assert!(first.unwrap() > MANY / PART, "{first:?}");
    let pages = (much - bytes()) / PAGE;
    let most = MANY / PART + pages as usize / PAGES as usize;
    assert!((most..most + 5).contains(&parts), "{parts}");
    // And then it is silent.
    (0..1_000).for_each(|_| assert!(!rests_partly(turn)));
}

#[test]
fn a_rest_takes_512_slots_back_that_others_freed() {
    let (_executor, mut workers) = PoolExecutor::new(1);
    let mut tasks: Vec<Task<usize>> = Vec::new();
    let spawns = async { tasks.extend((0..MANY).map(|n| spawn(async move { n }))) };
    workers[0].run(&mut ThreadPark::new(), spawns).unwrap();
    while workers[0].try_tick() {}
    std::thread::spawn(move || drop(tasks)).join().unwrap();
    let turn = &mut |cx: &mut Context<'_>| workers[0].poll_tick(cx);
    let mut parts = 0;
    while rests_partly(turn) {
        parts += 1;
    }
    assert_eq!(parts, MANY / PART);
}

#[test]
fn an_executor_sees_to_the_rest_of_it_by_itself_and_then_sleeps() {
    const MORE: usize = 100;
    let executor = LocalExecutor::new();
    let before = bytes();
    (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
    // The last of these sleeps comes after all parts.
    let (mut park, end) = naps(RESTS);
    executor.run(&mut park, end).unwrap();
    assert!(bytes() - before < MUCH, "{}", bytes() - before);
    assert!(park.looks > MANY / PART, "{}", park.looks);
    let (mut park, end) = naps(MORE);
    executor.run(&mut park, end).unwrap();
    assert_eq!(park.looks, 0);

    let (executor, mut workers) = PoolExecutor::new(2);
    // Else it looks once more before it sleeps.
    executor.set_spin(Duration::ZERO);
    let spawns = async { (0..MANY).for_each(|n| spawn(async move { n }).detach()) };
    let worker = &mut workers[0];
    let before = bytes();
    worker.run(&mut ThreadPark::new(), spawns).unwrap();
    let (mut park, end) = naps(RESTS);
    worker.run(&mut park, end).unwrap();
    assert!(bytes() - before < 2 * MUCH, "{}", bytes() - before);
    assert!(park.looks > MANY / PART, "{}", park.looks);
    let (mut park, end) = naps(MORE);
    worker.run(&mut park, end).unwrap();
    assert_eq!(park.looks, 0);
}

#[test]
fn who_spawns_while_memory_is_given_back_takes_no_more_than_before() {
    for parts in MIDDLES {
        let executor = LocalExecutor::new();
        (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
        let most = bytes();
        while executor.try_tick() {}
        in_the_middle(&executor, parts);
        let left = bytes();
        (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
        assert!(bytes() <= most + 8 * PAGE, "{parts}: {} {most}", bytes());
        if parts < MANY / PART {
            // Nothing was given back yet, and no page is begun, but the queue grows again.
            let pages = (most - left).max(MUCH / 2);
            assert!(bytes() - left <= pages, "{parts}: {left} {}", bytes());
        }
        assert_eq!(executor.statistics().live, MANY);
        // The one that was in the middle, and the next.
        rest(|cx| executor.poll_tick(cx));
        rest(|cx| executor.poll_tick(cx));
        assert!(most - bytes() > 2 * MUCH, "{}", most - bytes());
    }
}

#[test]
fn tasks_that_end_while_memory_is_given_back_leave_theirs_to_the_next_time() {
    for parts in MIDDLES {
        let executor = LocalExecutor::new();
        let before = bytes();
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let task = |_| {
            let (wakers, mut woken) = (wakers.clone(), false);
            executor.spawn(poll_fn(move |cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                match std::mem::replace(&mut woken, true) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }))
        };
        // In pages of their own, with room beside them for others.
        let tasks: Vec<_> = (0..100).map(task).collect();
        in_the_middle(&executor, parts);
        wakers.take().into_iter().for_each(Waker::wake);
        while executor.try_tick() {}
        assert!(tasks.iter().all(Task::is_finished));
        drop((tasks, wakers.take()));
        rest(|cx| executor.poll_tick(cx));
        rest(|cx| executor.poll_tick(cx));
        assert_eq!(executor.statistics().live, 0);
        assert!(bytes() - before < MUCH, "{}", bytes() - before);
    }
}

#[test]
fn an_executor_that_goes_while_memory_is_given_back_leaves_none() {
    COUNTER.with(|_| ());
    for parts in MIDDLES {
        let before = bytes();
        let executor = LocalExecutor::new();
        executor.spawn(pending::<()>()).detach();
        let task = executor.spawn(async { 7 });
        in_the_middle(&executor, parts);
        drop(executor);
        assert!(bytes() - before > 0, "a handle is left");
        drop(task);
        assert_eq!(bytes(), before, "{parts}");
    }
}

/// The sum of what they give.
async fn join(tasks: Vec<Task<usize>>) -> usize {
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    sum
}

#[test]
fn an_executor_keeps_what_few_tasks_took() {
    const FEW: usize = 4_000;
    let executor = LocalExecutor::new();
    let round = || {
        (0..FEW).for_each(|n| executor.spawn(async move { n }).detach());
        (0..10).for_each(|_| rest(|cx| executor.poll_tick(cx)));
    };
    round();
    assert_eq!(allocations(round), 0);
}

#[test]
fn an_executor_keeps_what_it_may_need_again_soon() {
    let executor = LocalExecutor::new();
    let round = || {
        (0..MANY).for_each(|n| executor.spawn(async move { n }).detach());
        let mut cx = Context::from_waker(Waker::noop());
        while executor.poll_tick(&mut cx).is_ready() {}
    };
    round();
    // The queue grows again.
    let again = allocations(|| (0..RESTS - 2).for_each(|_| round()));
    assert!(again <= 2 * RESTS, "{again}");
}

#[test]
fn an_idle_task_takes_40_bytes_more_than_its_future() {
    let executor = LocalExecutor::new();
    let before = bytes();
    for n in 0..MANY {
        let held = [n; 5];
        let future = async move {
            pending::<()>().await;
            held
        };
        assert_eq!(size_of_val(&future), 48);
        executor.spawn(future).detach();
    }
    rest(|cx| executor.poll_tick(cx));
    let each = (bytes() - before) as f64 / MANY as f64;
    // A hundredth for the pages, and a little for the room in the queue.
    assert!((88.0..92.0).contains(&each), "{each}");
}
