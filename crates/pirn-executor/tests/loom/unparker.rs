//! A waker out of what ends a sleep: by value and by reference.

use crate::support::Flag;
use pirn_core::shim::{model, thread};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark};

#[test]
fn a_wake_by_value_ends_the_sleep() {
    model(|| {
        let executor = LocalExecutor::new();
        let flag = Flag::new();
        let end = flag.wait();
        let thread = thread::spawn(move || flag.set());
        executor.run(&mut ThreadPark::new(), end).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_by_reference_ends_the_sleep() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let flag = Flag::new();
        let end = flag.wait();
        let thread = thread::spawn(move || handle.spawn(async move { flag.set() }).detach());
        workers[0].run(&mut ThreadPark::new(), end).unwrap();
        thread.join().unwrap();
    });
}
