//! The wait lists' lock: threads exclude each other, also where one is preempted as it holds it.

use pirn_core::spin::SpinLock;
use std::thread;

#[test]
fn threads_that_count_under_it_lose_no_count() {
    let count = SpinLock::new(0_u64);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    *count.lock() += 1;
                }
            });
        }
    });
    assert_eq!(*count.lock(), 40_000);
}

#[test]
fn who_waits_for_a_holder_that_gives_its_processor_away_goes_on_after_it() {
    let values = SpinLock::new(Vec::new());
    thread::scope(|scope| {
        let mut held = values.lock();
        let waiter = scope.spawn(|| values.lock().push(2));
        // Long enough for the waiter to spin, to yield and to sleep.
        for _ in 0..10_000 {
            thread::yield_now();
        }
        held.push(1);
        drop(held);
        waiter.join().unwrap();
    });
    assert_eq!(*values.lock(), [1, 2]);
}
