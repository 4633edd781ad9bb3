//! Models of the wait lists' lock. Two threads: with three that spin there is no end of orders.

use pirn_core::shim::{self, Arc, thread};
use pirn_core::spin::SpinLock;

#[test]
fn two_who_lock_exclude_each_other() {
    shim::model(|| {
        let lock = Arc::new(SpinLock::new(0));
        let thread = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *lock.lock() += 1)
        };
        *lock.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}
