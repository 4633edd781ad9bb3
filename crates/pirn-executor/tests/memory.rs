//! What tasks cost in memory: nothing, once there have been as many before.

use pirn_executor::{LocalExecutor, PoolExecutor, Task, ThreadPark, Worker, spawn};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::task::{Context, Waker};

/// Counts what the thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `f` makes.
fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

#[test]
fn a_task_that_is_spawned_and_joined_allocates_nothing() {
    let executor = LocalExecutor::new();
    executor
        .run(&mut ThreadPark::new(), async {
            for round in 0..10 {
                let before = ALLOCATIONS.get();
                let outer = spawn(async {
                    let inner = spawn(async { [2_u8; 100] });
                    inner.await.unwrap()
                });
                assert_eq!(outer.await.unwrap(), [2; 100]);
                spawn(async {}).detach();
                spawn(async {}).await.unwrap();
                // The first one makes the pages, and room in the queue.
                assert!(round == 0 || ALLOCATIONS.get() == before);
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
