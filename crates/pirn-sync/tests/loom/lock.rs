//! Models of the lock.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, Arc, UnsafeCell, block_on, thread};
use pirn_sync::{Lock, LockGuard};
use std::pin::pin;

#[test]
fn the_shim_is_plugged_in() {
    struct Race(UnsafeCell<i32>);
    // SAFETY: there is none, on purpose: two threads write, and loom must say so.
    unsafe impl Sync for Race {}
    shim::model_must_fail(|| {
        // The value lies beside the lock, and one of the two writes without it.
        let race = Arc::new((Lock::new(()), Race(UnsafeCell::new(0))));
        let thread = {
            let race = Arc::clone(&race);
            thread::spawn(move || {
                let _guard = block_on(race.0.lock());
                // SAFETY: as above.
                race.1.0.with_mut(|value| unsafe { *value += 1 });
            })
        };
        // SAFETY: as above.
        race.1.0.with_mut(|value| unsafe { *value += 1 });
        thread.join().unwrap();
    });
}

#[test]
fn two_who_lock_exclude_each_other() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let thread = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        *block_on(lock.lock()) += 1;
        thread.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 2);
    });
}

#[test]
fn three_who_lock_exclude_each_other() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let threads = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        });
        *block_on(lock.lock()) += 1;
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.try_lock().unwrap(), 3);
    });
}

#[test]
fn a_try_excludes_those_who_wait() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let thread = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let mut expected = 1;
        if let Some(mut value) = lock.try_lock() {
            *value += 1;
            expected += 1;
        }
        thread.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), expected);
    });
}

#[test]
fn a_waiter_that_is_cancelled_while_it_is_handed_the_lock_passes_it_on() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let count = Count::new();
        let held = lock.try_lock().unwrap();
        let mut cancelled = Box::pin(lock.lock());
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let second = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let third = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        drop(held);
        drop(cancelled);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 2);
    });
}

#[test]
fn a_waiter_that_polls_once_and_leaves_while_the_lock_is_released_leaves_it_free() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let held = lock.try_lock().unwrap();
        let passer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let _ = poll_once(pin!(lock.lock()), &Count::new().waker());
            })
        };
        let waiter = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        drop(held);
        passer.join().unwrap();
        waiter.join().unwrap();
        assert!(!lock.is_locked());
        assert_eq!(*lock.try_lock().unwrap(), 1);
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let (old, new) = (Count::new(), Count::new());
        let holder = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let mut waiter = pin!(lock.lock());
        let first = poll_once(waiter.as_mut(), &old.waker()).is_ready();
        let ready = first || poll_once(waiter.as_mut(), &new.waker()).is_ready();
        holder.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(waiter.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn a_task_with_two_futures_gets_the_lock_by_the_one_it_polls() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = Box::pin(lock.lock());
        let holder = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let first = poll_once(unpolled.as_mut(), &waker);
        if let std::task::Poll::Ready(guard) = first {
            drop(guard);
            holder.join().unwrap();
            return;
        }
        let mut awaited = Box::pin(lock.lock());
        let mut ready = poll_once(awaited.as_mut(), &waker).is_ready();
        holder.join().unwrap();
        if !ready {
            assert!(task.wakes() >= 1);
            ready = poll_once(awaited.as_mut(), &waker).is_ready();
        }
        assert!(ready);
        // The guard is gone, and the other was granted in its turn.
        assert!(poll_once(unpolled.as_mut(), &waker).is_ready());
        assert!(!lock.is_locked());
    });
}

#[test]
fn who_finds_it_free_after_the_only_waiter_left_sees_what_the_holder_wrote() {
    shim::model(|| {
        let lock = Arc::new(Lock::new(0));
        let mut held = lock.try_lock().unwrap();
        // SAFETY: the thread drops the waiter before its share of the lock.
        let borrowed: &'static Lock<u32> = unsafe { &*Arc::as_ptr(&lock) };
        let mut waiter = Box::pin(borrowed.lock());
        assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
        let leaver = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                drop(waiter);
                lock.try_lock().map(|mut value| *value += 1).is_some()
            })
        };
        *held += 1;
        drop(held);
        let expected = 1 + u32::from(leaver.join().unwrap());
        assert_eq!(*lock.try_lock().unwrap(), expected);
    });
}

#[test]
fn an_owned_guard_and_a_mapped_one_exclude_each_other() {
    shim::model(|| {
        // std's on purpose: an owned guard has one, and what it orders is not what is modelled.
        let lock = std::sync::Arc::new(Lock::new((0, 0)));
        let owner = {
            let lock = std::sync::Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock_owned()).1 += 1)
        };
        let mut mapped = LockGuard::map(block_on(lock.lock()), |pair| &mut pair.1);
        *mapped += 1;
        drop(mapped);
        owner.join().unwrap();
        assert_eq!(lock.try_lock().unwrap().1, 2);
    });
}

/// A lock that somebody holds, and may be barged into once.
fn held_barging() -> (Arc<Lock<u32>>, LockGuard<'static, u32>) {
    let lock = Arc::new(Lock::new_barging(0, 1));
    // SAFETY: the models drop the guard before the last of the shares of the lock.
    let guard = unsafe { &*Arc::as_ptr(&lock) }.try_lock().unwrap();
    (lock, guard)
}

#[test]
fn one_who_barges_in_and_one_who_waits_exclude_each_other() {
    shim::model(|| {
        let (lock, guard) = held_barging();
        let thread = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        drop(guard);
        for _ in 0..2 {
            *block_on(lock.lock()) += 1;
        }
        thread.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 3);
    });
}

#[test]
fn one_who_waits_one_who_barges_in_and_one_who_unlocks_exclude_each_other() {
    shim::model(|| {
        let (lock, guard) = held_barging();
        let waiter = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let barger = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.try_lock().map(|mut guard| *guard += 1).is_some())
        };
        drop(guard);
        waiter.join().unwrap();
        let barged = barger.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1 + u32::from(barged));
    });
}

#[test]
fn one_who_comes_for_the_lock_as_it_is_overtaken_has_it_or_is_woken_again() {
    shim::model(|| {
        let (lock, guard) = held_barging();
        let count = Count::new();
        let mut waiter = pin!(lock.lock());
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        drop(guard);
        let barger = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.try_lock().map(|mut guard| *guard += 1).is_some())
        };
        let mut guard = poll_once(waiter.as_mut(), &count.waker());
        let early = guard.is_ready();
        if let std::task::Poll::Ready(guard) = &mut guard {
            **guard += 1;
        }
        drop(guard);
        let barged = barger.join().unwrap();
        if !early {
            // It looked while the other had it.
            assert_eq!((barged, count.wakes()), (true, 2));
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
        assert_eq!(
            *lock.try_lock().unwrap(),
            u32::from(early) + u32::from(barged)
        );
    });
}

#[test]
fn one_who_leaves_as_it_is_overtaken_leaves_the_lock_to_the_next() {
    shim::model(|| {
        let (lock, guard) = held_barging();
        let counts = [Count::new(), Count::new()];
        let mut waiters = [lock.lock(), lock.lock()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        drop(guard);
        let barger = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.try_lock().map(|mut guard| *guard += 1).is_some())
        };
        let [first, mut second] = waiters;
        drop(first);
        let barged = barger.join().unwrap();
        assert!(counts[1].wakes() >= 1);
        let guard = poll_once(second.as_mut(), &counts[1].waker());
        assert!(guard.is_ready());
        drop(guard);
        assert_eq!(*lock.try_lock().unwrap(), u32::from(barged));
    });
}
