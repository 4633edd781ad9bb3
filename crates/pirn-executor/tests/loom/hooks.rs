//! Hooks: told of what two threads do to one task.

use crate::support::Flag;
use pirn_core::TaskMeta;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::{Ended, Hooks, LocalExecutor, Order, PoolExecutor, TaskId, ThreadPark};

/// Counts births, wakes and ends.
#[derive(Clone)]
struct Counts(Arc<[AtomicUsize; 3]>);

impl Counts {
    fn new() -> Counts {
        Counts(Arc::new([0, 0, 0].map(AtomicUsize::new)))
    }

    fn executor(&self) -> LocalExecutor {
        LocalExecutor::with_hooks(Order::Fifo, std::sync::Arc::new(self.clone()))
    }

    fn count(&self, which: usize) {
        // Ordering: Relaxed, read when all threads were joined.
        self.0[which].fetch_add(1, Relaxed);
    }

    fn get(&self, which: usize) -> usize {
        // Ordering: Relaxed, all threads were joined.
        self.0[which].load(Relaxed)
    }
}

impl Hooks for Counts {
    fn spawned(&self, _: TaskId, _: &TaskMeta) {
        self.count(0);
    }

    fn woken(&self, _: TaskId) {
        self.count(1);
    }

    fn ended(&self, _: TaskId, _: Ended) {
        self.count(2);
    }
}

#[test]
fn a_wake_from_elsewhere_is_told_and_not_lost() {
    model(|| {
        let counts = Counts::new();
        let executor = counts.executor();
        let flag = Flag::new();
        let task = executor.spawn(flag.wait());
        let thread = thread::spawn(move || flag.set());
        executor.run(&mut ThreadPark::new(), task).unwrap().unwrap();
        thread.join().unwrap();
        // Polled before the flag was set, and woken then; or not.
        assert!(counts.get(1) <= 1);
        assert_eq!((counts.get(0), counts.get(2)), (1, 1));
    });
}

#[test]
fn a_task_that_is_spawned_elsewhere_as_the_executor_goes_ends_if_it_was_told_of() {
    model(|| {
        let counts = Counts::new();
        let executor = counts.executor();
        let handle = executor.handle();
        let thread = thread::spawn(move || handle.spawn(async {}).is_finished());
        drop(executor);
        thread.join().unwrap();
        assert_eq!(counts.get(0), counts.get(2));
    });
}

#[test]
fn a_task_of_which_the_executor_is_told_as_it_goes_ends_too() {
    struct Tells(Counts, Flag);
    impl Hooks for Tells {
        fn spawned(&self, id: TaskId, meta: &TaskMeta) {
            self.0.spawned(id, meta);
            self.1.set();
        }
        fn ended(&self, id: TaskId, how: Ended) {
            self.0.ended(id, how);
        }
    }
    model(|| {
        let (counts, (told, tells)) = (Counts::new(), Flag::pair());
        let hooks = std::sync::Arc::new(Tells(counts.clone(), tells));
        let executor = LocalExecutor::with_hooks(Order::Fifo, hooks);
        let handle = executor.handle();
        let thread = thread::spawn(move || handle.spawn(async {}).detach());
        executor.run(&mut ThreadPark::new(), told.wait()).unwrap();
        drop(executor);
        thread.join().unwrap();
        assert_eq!((counts.get(0), counts.get(2)), (1, 1));
    });
}

#[test]
fn a_task_that_is_spawned_elsewhere_as_a_pool_goes_ends_if_it_was_told_of() {
    model(|| {
        let counts = Counts::new();
        let hooks = std::sync::Arc::new(counts.clone());
        let (executor, workers) = PoolExecutor::with_hooks(1, hooks);
        let handle = executor.handle();
        let thread = thread::spawn(move || handle.spawn(async {}).detach());
        drop(executor);
        thread.join().unwrap();
        assert_eq!(counts.get(0), counts.get(2));
        drop(workers);
    });
}

#[test]
fn a_wake_from_elsewhere_of_a_task_of_a_pool_is_told_and_not_lost() {
    model(|| {
        let counts = Counts::new();
        let hooks = std::sync::Arc::new(counts.clone());
        let (executor, mut workers) = PoolExecutor::with_hooks(1, hooks);
        let flag = Flag::new();
        let task = executor.handle().spawn(flag.wait());
        let thread = thread::spawn(move || flag.set());
        workers[0]
            .run(&mut ThreadPark::new(), task)
            .unwrap()
            .unwrap();
        thread.join().unwrap();
        assert!(counts.get(1) <= 1);
        assert_eq!((counts.get(0), counts.get(2)), (1, 1));
    });
}
