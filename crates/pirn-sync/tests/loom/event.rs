//! Models of the event.

use crate::count::{Count, poll_once};
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_sync::Event;
use std::pin::pin;

/// A value that only the event orders.
#[derive(Default)]
struct Shared {
    event: Event,
    value: AtomicUsize,
}

impl Shared {
    fn write(&self, value: usize) {
        // Ordering: Relaxed; that the event publishes it is what the models check.
        self.value.store(value, Ordering::Relaxed);
    }

    fn read(&self) -> usize {
        // Ordering: as in `write`.
        self.value.load(Ordering::Relaxed)
    }
}

#[test]
fn who_goes_through_sees_what_came_before_it_was_set() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                block_on(shared.event.wait());
                assert_eq!(shared.read(), 1);
            })
        });
        shared.write(1);
        shared.event.set();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn who_sees_it_set_sees_what_came_before() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let setter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.write(1);
                shared.event.set();
            })
        };
        if shared.event.is_set() {
            assert_eq!(shared.read(), 1);
        }
        setter.join().unwrap();
    });
}

#[test]
fn who_waits_as_it_is_set_and_cleared_goes_through() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let (early, late) = (Count::new(), Count::new());
        let mut waits = [shared.event.wait(), shared.event.wait()].map(Box::pin);
        for wait in &mut waits {
            assert!(poll_once(wait.as_mut(), &early.waker()).is_pending());
        }
        let setter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.event.set();
                shared.event.clear();
            })
        };
        let mut newcomer = Box::pin(shared.event.wait());
        let through = poll_once(newcomer.as_mut(), &late.waker()).is_ready();
        setter.join().unwrap();
        assert_eq!(early.wakes(), 2);
        for wait in &mut waits {
            assert!(poll_once(wait.as_mut(), &early.waker()).is_ready());
        }
        // Whoever was not woken still waits, and is woken the next time.
        if !through && late.wakes() == 0 {
            shared.event.set();
            assert_eq!(late.wakes(), 1);
        }
    });
}

#[test]
fn one_of_two_that_is_cancelled_as_it_is_set_takes_nothing_from_the_other() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let (first, second) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(shared.event.wait());
        let mut other = pin!(shared.event.wait());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let setter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.event.set())
        };
        drop(cancelled);
        setter.join().unwrap();
        assert_eq!(second.wakes(), 1);
        assert!(poll_once(other.as_mut(), &second.waker()).is_ready());
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let (old, new) = (Count::new(), Count::new());
        let mut wait = pin!(shared.event.wait());
        assert!(poll_once(wait.as_mut(), &old.waker()).is_pending());
        let setter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.event.set())
        };
        let ready = poll_once(wait.as_mut(), &new.waker()).is_ready();
        setter.join().unwrap();
        assert!(ready || new.wakes() == 1);
    });
}
