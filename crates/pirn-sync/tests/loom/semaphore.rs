//! Models of the semaphore.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, UnsafeCell, block_on, thread};
use pirn_sync::Semaphore;
use std::pin::pin;
use std::task::Poll;

/// A value that only the holder of the one permit touches.
struct Shared {
    semaphore: Semaphore,
    value: UnsafeCell<u32>,
}

// SAFETY: the models touch the value only with a permit; that this excludes others is what they
// check.
unsafe impl Sync for Shared {}

impl Shared {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Shared {
            semaphore: Semaphore::new(permits),
            value: UnsafeCell::new(0),
        })
    }

    fn add_one(&self) {
        let permit = block_on(self.semaphore.acquire()).unwrap();
        // SAFETY: see above.
        self.value.with_mut(|value| unsafe { *value += 1 });
        drop(permit);
    }

    fn value(&self) -> u32 {
        let _permit = self.semaphore.try_acquire().unwrap();
        // SAFETY: see above.
        self.value.with(|value| unsafe { *value })
    }
}

#[test]
fn one_permit_excludes() {
    shim::model(|| {
        let shared = Shared::new(1);
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.add_one())
        };
        shared.add_one();
        thread.join().unwrap();
        assert_eq!(shared.value(), 2);
    });
}

#[test]
fn one_permit_excludes_three() {
    shim::model(|| {
        let shared = Shared::new(1);
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.add_one())
        });
        shared.add_one();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.value(), 3);
    });
}

#[test]
fn two_permits_returned_one_after_the_other_wake_two() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let (first, second) = (
            semaphore.try_acquire().unwrap(),
            semaphore.try_acquire().unwrap(),
        );
        let threads = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(semaphore.acquire()).unwrap().forget())
        });
        drop(first);
        drop(second);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_large_request_is_served_though_small_ones_come() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(block_on(semaphore.acquire()).unwrap()))
        };
        let large = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(block_on(semaphore.acquire_many(2)).unwrap()))
        };
        semaphore.add_permits(1);
        small.join().unwrap();
        large.join().unwrap();
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn a_waiter_cancelled_while_it_is_granted_passes_its_permit_on() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let count = Count::new();
        let mut cancelled = Box::pin(semaphore.acquire());
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let second = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(semaphore.acquire()).unwrap().forget())
        };
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        drop(cancelled);
        adder.join().unwrap();
        second.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_large_request_that_leaves_lets_the_next_one_go() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let mut large = Box::pin(semaphore.acquire_many(2));
        assert!(poll_once(large.as_mut(), &Count::new().waker()).is_pending());
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(block_on(semaphore.acquire()).unwrap()))
        };
        drop(large);
        small.join().unwrap();
        assert_eq!(semaphore.available(), 1);
        assert!(semaphore.try_acquire().is_ok());
    });
}

#[test]
fn closing_reaches_whoever_waits_or_is_about_to() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let threads = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(semaphore.acquire()).is_err())
        });
        semaphore.close();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn a_permit_that_comes_as_it_closes_is_given_or_kept() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(semaphore.acquire()).map(|permit| permit.forget()))
        };
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        semaphore.close();
        adder.join().unwrap();
        let given = waiter.join().unwrap().is_ok();
        assert_eq!(semaphore.available(), usize::from(!given));
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (old, new) = (Count::new(), Count::new());
        let mut waiter = pin!(semaphore.acquire());
        assert!(poll_once(waiter.as_mut(), &old.waker()).is_pending());
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let ready = poll_once(waiter.as_mut(), &new.waker()).is_ready();
        adder.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(waiter.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn a_task_gets_its_permit_by_the_future_that_it_polls() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = Box::pin(semaphore.acquire());
        assert!(poll_once(unpolled.as_mut(), &waker).is_pending());
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(2))
        };
        let mut awaited = Box::pin(semaphore.acquire_many(2));
        let mut permit = poll_once(awaited.as_mut(), &waker);
        adder.join().unwrap();
        if permit.is_pending() {
            assert!(task.wakes() >= 1);
            permit = poll_once(awaited.as_mut(), &waker);
        }
        let Poll::Ready(Ok(permit)) = permit else {
            panic!("two were added");
        };
        drop(permit);
        assert!(poll_once(unpolled.as_mut(), &waker).is_ready());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn a_task_claims_two_of_its_grants_while_a_permit_comes() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let task = Count::new();
        let mut unpolled = [(); 2].map(|()| Box::pin(semaphore.acquire()));
        for acquire in &mut unpolled {
            assert!(poll_once(acquire.as_mut(), &task.waker()).is_pending());
        }
        semaphore.add_permits(2);
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let mut awaited = Box::pin(semaphore.acquire_many(2));
        let Poll::Ready(Ok(permits)) = poll_once(awaited.as_mut(), &task.waker()) else {
            panic!("two had been granted to the task");
        };
        adder.join().unwrap();
        drop(permits);
        // The third went to one of the two, and one of what came back to the other.
        assert!(task.wakes() >= 3);
        for acquire in &mut unpolled {
            match poll_once(acquire.as_mut(), &task.waker()) {
                Poll::Ready(Ok(permit)) => permit.forget(),
                _ => panic!("three permits are enough for both"),
            }
        }
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn who_finds_a_permit_after_the_only_waiter_left_sees_what_its_holder_wrote() {
    shim::model(|| {
        let shared = Shared::new(1);
        let held = shared.semaphore.try_acquire().unwrap();
        // SAFETY: the thread drops the waiter before its share of the semaphore.
        let borrowed: &'static Shared = unsafe { &*Arc::as_ptr(&shared) };
        let mut waiter = Box::pin(borrowed.semaphore.acquire());
        assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
        let leaver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                drop(waiter);
                let permit = shared.semaphore.try_acquire();
                if permit.is_ok() {
                    // SAFETY: see `Shared`.
                    shared.value.with_mut(|value| unsafe { *value += 1 });
                }
                permit.is_ok()
            })
        };
        // SAFETY: see `Shared`.
        shared.value.with_mut(|value| unsafe { *value += 1 });
        drop(held);
        let expected = 1 + u32::from(leaver.join().unwrap());
        assert_eq!(shared.value(), expected);
    });
}

/// One gives a permit as the only waiter, who wants so many, leaves; and another finds it.
fn a_permit_comes_as_the_only_waiter_leaves(wants: usize) {
    shim::model(move || {
        let shared = Shared::new(0);
        let mut waiter = Box::pin(shared.semaphore.acquire_many(wants));
        assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
        let giver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // SAFETY: the permit that lets others at the value is not there yet.
                shared.value.with_mut(|value| unsafe { *value += 1 });
                shared.semaphore.add_permits(1);
            })
        };
        // A third thread, which never locks the list: only the permit orders it after the giver.
        let finder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                if let Ok(permit) = shared.semaphore.try_acquire() {
                    // SAFETY: see `Shared`.
                    shared.value.with_mut(|value| unsafe { *value += 1 });
                    permit.forget();
                }
            })
        };
        drop(waiter);
        giver.join().unwrap();
        finder.join().unwrap();
    });
}

#[test]
fn who_finds_a_permit_that_came_as_the_only_waiter_left_sees_what_its_giver_wrote() {
    a_permit_comes_as_the_only_waiter_leaves(1);
}

#[test]
fn who_finds_a_permit_that_was_too_little_for_the_waiter_who_left_sees_what_its_giver_wrote() {
    a_permit_comes_as_the_only_waiter_leaves(2);
}

#[test]
fn who_sees_it_closed_sees_what_came_before() {
    shim::model(|| {
        let shared = Shared::new(0);
        let closer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // SAFETY: the other thread looks only after it saw the semaphore closed.
                shared.value.with_mut(|value| unsafe { *value = 1 });
                shared.semaphore.close();
            })
        };
        if shared.semaphore.is_closed() {
            // SAFETY: as above.
            assert_eq!(shared.value.with(|value| unsafe { *value }), 1);
        }
        closer.join().unwrap();
    });
}

#[test]
fn of_two_that_release_what_one_forgot_one_gives_it_back() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        semaphore.try_acquire().unwrap().forget();
        let threads = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.release(1).is_ok())
        });
        let [first, second] = threads.map(|thread| thread.join().unwrap());
        assert!(first != second);
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn what_is_released_reaches_those_who_wait_or_are_about_to() {
    shim::model(|| {
        let shared = Shared::new(1);
        shared.semaphore.try_acquire().unwrap().forget();
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.add_one())
        });
        shared.semaphore.release(1).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.value(), 2);
    });
}

#[test]
fn what_came_before_a_permit_was_forgotten_comes_before_its_next_holder() {
    shim::model(|| {
        let shared = Shared::new(1);
        let forgetter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let permit = block_on(shared.semaphore.acquire()).unwrap();
                // SAFETY: see above.
                shared.value.with_mut(|value| unsafe { *value += 1 });
                permit.forget();
            })
        };
        let released = shared.semaphore.release(1).is_ok();
        if released {
            shared.add_one();
        }
        forgetter.join().unwrap();
        assert_eq!(shared.semaphore.release(1).is_ok(), !released);
        assert_eq!(shared.value(), 1 + u32::from(released));
    });
}

#[test]
fn who_was_granted_the_only_permit_sees_none_free() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let count = Count::new();
        semaphore.try_acquire().unwrap().forget();
        let giver = Arc::clone(&semaphore);
        let mut waiter = Box::pin(semaphore.acquire());
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        let thread = thread::spawn(move || giver.add_permits(1));
        if let Poll::Ready(permit) = poll_once(waiter.as_mut(), &count.waker()) {
            let _permit = permit.unwrap();
            assert_eq!(semaphore.available(), 0, "I hold the only permit");
        }
        thread.join().unwrap();
    });
}

#[test]
fn who_was_granted_one_of_two_finds_the_other() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let count = Count::new();
        let mut waiter = Box::pin(semaphore.acquire());
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        let thread = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(2))
        };
        if let Poll::Ready(permit) = poll_once(waiter.as_mut(), &count.waker()) {
            let _permit = permit.unwrap();
            assert!(
                semaphore.try_acquire().is_ok(),
                "two were added at once, nobody waits"
            );
        }
        thread.join().unwrap();
    });
}

#[test]
fn two_granted_in_one_settle_and_returned_at_once_leave_all_permits() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let count = Count::new();
        let mut a = Box::pin(semaphore.acquire());
        assert!(poll_once(a.as_mut(), &count.waker()).is_pending());
        let other = Count::new();
        let mut b = Box::pin(semaphore.acquire());
        assert!(poll_once(b.as_mut(), &other.waker()).is_pending());
        let third = Count::new();
        let mut c = Box::pin(semaphore.acquire_many(2));
        assert!(poll_once(c.as_mut(), &third.waker()).is_pending());
        let thread = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(2))
        };
        let first = poll_once(a.as_mut(), &count.waker());
        let taken = first.is_ready();
        drop(first);
        thread.join().unwrap();
        if !taken {
            assert!(poll_once(a.as_mut(), &count.waker()).is_ready());
        }
        assert!(poll_once(b.as_mut(), &other.waker()).is_ready());
        assert_eq!(third.wakes(), 1);
        assert!(poll_once(c.as_mut(), &third.waker()).is_ready());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn a_large_request_that_leaves_the_middle_as_permits_come_lets_the_one_behind_it_go() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let counts = [Count::new(), Count::new(), Count::new()];
        let [mut head, mut large, mut tail] =
            [1, 5, 1].map(|count| Box::pin(semaphore.acquire_many(count)));
        for (waiter, count) in [&mut head, &mut large, &mut tail].into_iter().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(2))
        };
        drop(large);
        adder.join().unwrap();
        assert_eq!(counts.each_ref().map(|count| count.wakes()), [1, 0, 1]);
        for (mut waiter, count) in [(head, &counts[0]), (tail, &counts[2])] {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn the_latest_that_leaves_as_a_permit_comes_leaves_it_to_the_first() {
    shim::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (first, second) = (Count::new(), Count::new());
        let mut head = Box::pin(semaphore.acquire());
        assert!(poll_once(head.as_mut(), &first.waker()).is_pending());
        let mut tail = Box::pin(semaphore.acquire());
        assert!(poll_once(tail.as_mut(), &second.waker()).is_pending());
        let adder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        drop(tail);
        adder.join().unwrap();
        assert_eq!((first.wakes(), second.wakes()), (1, 0));
        let permit = poll_once(head.as_mut(), &first.waker());
        assert!(matches!(permit, Poll::Ready(Ok(_))));
        drop(permit);
        // Nobody waits any more, and the word says so; no permit came of the one that left.
        assert!(semaphore.try_acquire().is_ok());
        assert_eq!(semaphore.available(), 1);
    });
}
