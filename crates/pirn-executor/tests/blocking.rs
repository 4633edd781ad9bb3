//! Blocking a worker's thread while the others have its tasks.

use pirn_core::ParkError;
use pirn_executor::{
    LocalExecutor, PoolExecutor, PoolHandle, SharedDriver, ThreadPark, Worker, block_in_place,
    spawn,
};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Runs a worker on a thread of its own, and waits until it is driven.
fn start(handle: &PoolHandle, mut worker: Worker) -> JoinHandle<Result<(), ParkError>> {
    let closed = handle.closed();
    let (inside, entered) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        worker.run(&mut ThreadPark::new(), async move {
            inside.send(()).unwrap();
            closed.await;
        })
    });
    entered.recv().unwrap();
    thread
}

#[test]
fn the_others_run_what_a_blocked_worker_has() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let thread = start(&handle, workers.pop().unwrap());
    let answers = workers[0].run(&mut ThreadPark::new(), async {
        let (sender, receiver) = mpsc::channel();
        // One in the slot, the others in the ring; and what is spawned meanwhile.
        for i in 0..3 {
            let sender = sender.clone();
            spawn(async move { sender.send(i).unwrap() }).detach();
        }
        block_in_place(|| {
            let mut answers: Vec<_> = receiver.iter().take(3).collect();
            spawn(async move { sender.send(3).unwrap() }).detach();
            answers.extend(receiver.recv());
            answers.sort();
            answers
        })
        .unwrap()
    });
    assert_eq!(answers.unwrap(), [0, 1, 2, 3]);
    drop(executor);
    thread.join().unwrap().unwrap();
}

#[test]
fn the_last_free_worker_is_refused() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let alone = workers[0].run(&mut ThreadPark::new(), async {
        let refused = block_in_place(|| 7).unwrap_err();
        (refused.reason(), refused.into_inner()())
    });
    let (reason, value) = alone.unwrap();
    assert!(reason.contains("last worker") && value == 7);

    let thread = start(&handle, workers.pop().unwrap());
    let task = handle.clone();
    let got = workers[0].run(&mut ThreadPark::new(), async move {
        block_in_place(|| {
            // Within, another call blocks nobody else.
            assert!(block_in_place(|| ()).is_ok());
            let (sender, receiver) = mpsc::channel();
            let other = async move { sender.send(block_in_place(|| ()).is_ok()).unwrap() };
            task.spawn(other).detach();
            receiver.recv().unwrap()
        })
        .unwrap()
    });
    assert!(!got.unwrap(), "both would have blocked");
    drop(executor);
    thread.join().unwrap().unwrap();
}

#[test]
fn a_worker_that_blocked_is_free_again_also_after_a_panic() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let thread = start(&handle, workers.pop().unwrap());
    let free = workers[0].run(&mut ThreadPark::new(), async {
        for _ in 0..3 {
            let panicked = std::panic::catch_unwind(|| block_in_place(|| panic!("it blocks")));
            assert!(panicked.is_err());
        }
        block_in_place(|| ()).is_ok()
    });
    assert!(free.unwrap());
    drop(executor);
    thread.join().unwrap().unwrap();
}

#[test]
fn outside_and_on_one_thread() {
    assert_eq!(block_in_place(|| 3).unwrap(), 3);
    let refused = LocalExecutor::new()
        .run(&mut ThreadPark::new(), async {
            block_in_place(|| 4).is_err()
        })
        .unwrap();
    assert!(refused);
}

#[test]
fn an_executor_may_run_while_a_worker_blocks() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let driver = SharedDriver::new(ThreadPark::new());
    let thread = start(&handle, workers.pop().unwrap());
    let got = workers[0].run(&mut driver.park(), async {
        let task = spawn(async { 5 });
        let wait = || {
            LocalExecutor::new()
                .run(&mut ThreadPark::new(), task)
                .unwrap()
        };
        block_in_place(wait).unwrap()
    });
    assert_eq!(got.unwrap().unwrap(), 5);
    drop(executor);
    thread.join().unwrap().unwrap();
}

#[test]
fn a_task_that_a_blocked_worker_begins_goes_on_elsewhere() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let thread = start(&handle, workers.pop().unwrap());
    let parks = |handle: &PoolHandle| handle.statistics().workers[1].parks;
    while parks(&handle) == 0 {
        std::thread::yield_now();
    }
    let inside = handle.clone();
    let got = workers[0].run(&mut ThreadPark::new(), async move {
        let before = parks(&inside);
        block_in_place(|| {
            // It was woken, and sleeps again, without a clock by which it would look at what this
            // one has.
            while parks(&inside) == before {
                std::thread::yield_now();
            }
            let (sender, receiver) = mpsc::channel();
            let begun = async move {
                pirn_core::yield_now().await;
                sender.send(()).unwrap();
            };
            inside.spawn_eager(begun).detach();
            receiver.recv_timeout(Duration::from_secs(20))
        })
        .unwrap()
    });
    assert!(got.unwrap().is_ok());
    drop(executor);
    thread.join().unwrap().unwrap();
}

#[test]
fn a_task_that_a_long_poll_begins_goes_on_elsewhere() {
    let (executor, mut workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    let thread = start(&handle, workers.pop().unwrap());
    while handle.statistics().workers[1].parks == 0 {
        std::thread::yield_now();
    }
    let inside = handle.clone();
    let got = workers[0].run(&mut ThreadPark::new(), async move {
        let (sender, receiver) = mpsc::channel();
        let begun = async move {
            pirn_core::yield_now().await;
            sender.send(()).unwrap();
        };
        inside.spawn_eager(begun).detach();
        receiver.recv_timeout(Duration::from_secs(20))
    });
    assert!(got.unwrap().is_ok());
    drop(executor);
    thread.join().unwrap().unwrap();
}
