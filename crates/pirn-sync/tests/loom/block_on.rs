//! Models of blocking. loom drives the futures by itself here; the shipped driver has its models in
//! pirn-core.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, thread};
use pirn_sync::{Semaphore, block_on};
use std::pin::pin;
use std::task::Poll;

#[test]
fn a_thread_that_blocks_and_a_task_get_a_permit_each_in_turn() {
    shim::model(|| {
        let permits = Arc::new(Semaphore::new(0));
        let count = Count::new();
        let mut task = pin!(permits.acquire());
        assert!(poll_once(task.as_mut(), &count.waker()).is_pending());
        let thread = {
            let permits = Arc::clone(&permits);
            thread::spawn(move || drop(block_on(permits.acquire()).unwrap()))
        };
        permits.add_permits(1);
        assert_eq!(count.wakes(), 1);
        let Poll::Ready(Ok(permit)) = poll_once(task, &count.waker()) else {
            panic!("the first in the queue");
        };
        drop(permit);
        thread.join().unwrap();
        assert_eq!(permits.available(), 1);
    });
}
