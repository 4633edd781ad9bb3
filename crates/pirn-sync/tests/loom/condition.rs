//! Models of the condition.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::{Condition, Lock};

#[derive(Default)]
struct Shared {
    value: Lock<u32>,
    changed: Condition,
}

impl Shared {
    async fn take_one(&self) {
        let guard = self.value.lock().await;
        let mut guard = self.changed.wait_while(guard, |value| *value == 0).await;
        *guard -= 1;
    }

    async fn add(&self, count: u32) {
        *self.value.lock().await += count;
        self.changed.notify(count as usize);
    }
}

#[test]
fn a_change_is_not_missed_between_the_look_and_the_wait() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let taker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || block_on(shared.take_one()))
        };
        block_on(shared.add(1));
        taker.join().unwrap();
        assert_eq!(*shared.value.try_lock().unwrap(), 0);
    });
}

#[test]
fn two_notifications_reach_two() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let takers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || block_on(shared.take_one()))
        });
        block_on(shared.add(2));
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(*shared.value.try_lock().unwrap(), 0);
    });
}

#[test]
fn a_waiter_that_is_cancelled_as_it_is_notified_passes_the_notification_on() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let count = Count::new();
        let mut cancelled = Box::pin(shared.take_one());
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let second = Count::new();
        let mut other = Box::pin(shared.take_one());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let adder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || block_on(shared.add(1)))
        };
        drop(cancelled);
        adder.join().unwrap();
        assert_eq!(second.wakes(), 1);
        assert!(poll_once(other.as_mut(), &second.waker()).is_ready());
    });
}

#[test]
fn a_waiter_that_is_cancelled_at_any_poll_after_it_was_notified_passes_it_on() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let (first, second) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(shared.take_one());
        let mut other = Box::pin(shared.take_one());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let adder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || block_on(shared.add(1)))
        };
        // It may wait for its notification, or for the lock, or be done.
        let done = poll_once(cancelled.as_mut(), &first.waker()).is_ready();
        drop(cancelled);
        adder.join().unwrap();
        if !done {
            assert!(second.wakes() >= 1);
            assert!(poll_once(other.as_mut(), &second.waker()).is_ready());
        }
        drop(other);
        assert_eq!(*shared.value.try_lock().unwrap(), 0);
    });
}

#[test]
fn a_call_to_all_reaches_all_who_wait() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let waiters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                block_on(async {
                    let guard = shared.value.lock().await;
                    drop(shared.changed.wait_while(guard, |value| *value == 0).await);
                })
            })
        });
        *block_on(shared.value.lock()) = 1;
        shared.changed.notify_all();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let (old, new) = (Count::new(), Count::new());
        let mut waiter = Box::pin(shared.take_one());
        assert!(poll_once(waiter.as_mut(), &old.waker()).is_pending());
        let adder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || block_on(shared.add(1)))
        };
        let ready = poll_once(waiter.as_mut(), &new.waker()).is_ready();
        adder.join().unwrap();
        if !ready {
            assert!(new.wakes() >= 1);
            assert!(poll_once(waiter.as_mut(), &new.waker()).is_ready());
        }
    });
}
