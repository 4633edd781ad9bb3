//! The condition: notifications, and whose they are.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, shield};
use pirn_sync::{Condition, Lock, LockGuard, OwnedLockGuard};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

type Waiting<'a> = Pin<Box<dyn Future<Output = LockGuard<'a, u32>> + Send + 'a>>;

/// So many who wait, each a task of its own.
fn queue<'a>(
    lock: &'a Lock<u32>,
    condition: &'a Condition,
    n: usize,
) -> Vec<(Waiting<'a>, Arc<Count>)> {
    (0..n)
        .map(|_| {
            let guard = lock.try_lock().expect("those who wait have unlocked");
            let mut wait: Waiting<'a> = Box::pin(condition.wait(guard));
            let count = Count::new();
            assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
            (wait, count)
        })
        .collect()
}

fn wakes(waiting: &[(Waiting<'_>, Arc<Count>)]) -> Vec<usize> {
    waiting.iter().map(|(_, count)| count.wakes()).collect()
}

#[test]
fn waiting_unlocks_and_returns_with_the_lock() {
    let (lock, condition) = (Lock::new(1), Condition::new());
    let mut waiting = queue(&lock, &condition, 1);
    let (wait, count) = &mut waiting[0];
    let mut guard = lock.try_lock().unwrap();
    *guard = 2;
    condition.notify(1);
    assert_eq!(count.wakes(), 1);
    // Notified, and waiting for the lock.
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    drop(guard);
    assert_eq!(count.wakes(), 2);
    let Poll::Ready(guard) = poll_once(wait.as_mut(), &count.waker()) else {
        panic!("notified, and the lock is free");
    };
    assert_eq!(*guard, 2);
    assert!(lock.try_lock().is_none());
}

#[test]
fn so_many_are_notified_in_order_as_were_asked_for() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let waiting = queue(&lock, &condition, 4);
    condition.notify(0);
    assert_eq!(wakes(&waiting), [0, 0, 0, 0]);
    condition.notify(2);
    assert_eq!(wakes(&waiting), [1, 1, 0, 0]);
    condition.notify(1);
    assert_eq!(wakes(&waiting), [1, 1, 1, 0]);
    condition.notify_all();
    assert_eq!(wakes(&waiting), [1, 1, 1, 1]);
}

#[test]
fn a_notification_when_nobody_waits_is_lost() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    condition.notify(3);
    condition.notify_all();
    let waiting = queue(&lock, &condition, 1);
    assert_eq!(wakes(&waiting), [0]);
    condition.notify(5);
    let late = queue(&lock, &condition, 1);
    assert_eq!((wakes(&waiting), wakes(&late)), (vec![1], vec![0]));
}

#[test]
fn a_notified_waiter_that_leaves_passes_its_notification_on() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut waiting = queue(&lock, &condition, 2);
    condition.notify(1);
    // Before its poll.
    drop(waiting.remove(0));
    assert_eq!(wakes(&waiting), [1]);
}

#[test]
fn a_notified_waiter_that_leaves_while_it_locks_passes_its_notification_on() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut waiting = queue(&lock, &condition, 2);
    let held = lock.try_lock().unwrap();
    condition.notify(1);
    let (wait, count) = &mut waiting[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    drop(waiting.remove(0));
    assert_eq!(wakes(&waiting), [1]);
    drop(held);
    // The lock was not taken by the one who left.
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_waiter_that_heard_the_call_to_all_passes_nothing_on() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut waiting = queue(&lock, &condition, 2);
    condition.notify_all();
    let late = queue(&lock, &condition, 1);
    let held = lock.try_lock().unwrap();
    let (wait, count) = &mut waiting[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    drop(waiting);
    drop(held);
    assert_eq!(wakes(&late), [0]);
}

#[test]
fn one_that_left_before_is_not_counted() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut waiting = queue(&lock, &condition, 3);
    drop(waiting.remove(1));
    condition.notify(2);
    assert_eq!(wakes(&waiting), [1, 1]);
}

#[test]
fn one_that_leaves_neither_takes_the_lock_again_nor_unlocks_it() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    for notified in [false, true] {
        let mut waiting = queue(&lock, &condition, 1);
        let held = lock.try_lock().unwrap();
        if notified {
            condition.notify(1);
            let (wait, count) = &mut waiting[0];
            assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
        }
        drop(waiting);
        assert!(lock.try_lock().is_none());
        drop(held);
        assert!(lock.try_lock().is_some());
    }
}

#[test]
fn two_conditions_may_share_a_lock() {
    let lock = Lock::new(0);
    let (grown, shrunk) = (Condition::new(), Condition::new());
    let mut growing = queue(&lock, &grown, 1);
    let mut shrinking = queue(&lock, &shrunk, 1);
    grown.notify_all();
    assert_eq!((wakes(&growing), wakes(&shrinking)), (vec![1], vec![0]));
    let (wait, count) = &mut growing[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_ready());
    shrunk.notify_all();
    assert_eq!(wakes(&shrinking), [1]);
    let (wait, count) = &mut shrinking[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_ready());
}

#[test]
fn a_task_may_have_its_notification_in_whichever_future_it_polls() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let task = Count::new();
    let mut waits: Vec<Waiting<'_>> = Vec::new();
    for _ in 0..2 {
        let mut wait: Waiting<'_> = Box::pin(condition.wait(lock.try_lock().unwrap()));
        assert!(poll_once(wait.as_mut(), &task.waker()).is_pending());
        waits.push(wait);
    }
    condition.notify(1);
    assert!(poll_once(waits[1].as_mut(), &task.waker()).is_ready());
    assert!(poll_once(waits[0].as_mut(), &task.waker()).is_pending());
    condition.notify(1);
    assert!(poll_once(waits[0].as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_waiter_in_a_cancelled_body_passes_its_notification_on_at_whichever_step_it_is() {
    for step in ["waiting", "notified", "locking"] {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let scope = Scope::detached();
        let mut body = pin!(scope.run(async {
            let waits = async { drop(condition.wait(lock.try_lock().unwrap()).await) };
            tokio::join!(waits, shield(std::future::pending::<()>()));
        }));
        let task = Count::new();
        assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
        let others = queue(&lock, &condition, 1);
        let held = lock.try_lock().unwrap();
        if step != "waiting" {
            condition.notify(1);
        }
        if step == "locking" {
            assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
        }
        scope.cancel(Cause::requested("enough"));
        assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
        if step == "waiting" {
            condition.notify(1);
        }
        assert_eq!(wakes(&others), [1], "{step}");
        drop(held);
        assert!(!lock.is_locked());
    }
}

#[test]
fn wait_while_looks_before_it_waits_and_after_each_notification() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let count = Count::new();
    let not_once = pin!(condition.wait_while(lock.try_lock().unwrap(), |n| *n > 0));
    assert!(poll_once(not_once, &count.waker()).is_ready());
    let mut wait = pin!(condition.wait_while(lock.try_lock().unwrap(), |n| *n < 2));
    for n in 0..2 {
        assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
        *lock.try_lock().unwrap() = n + 1;
        condition.notify_all();
    }
    let Poll::Ready(guard) = poll_once(wait.as_mut(), &count.waker()) else {
        panic!("it is true now");
    };
    assert_eq!(*guard, 2);
}

#[test]
fn an_owned_guard_waits_and_keeps_its_lock_alive() {
    let (lock, condition) = (Arc::new(Lock::new(1)), Condition::new());
    let count = Count::new();
    let alive = Arc::downgrade(&lock);
    let guard = lock.try_lock_owned().unwrap();
    let mut wait = Box::pin(condition.wait_while(guard, |n| *n < 2));
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    let mut other = Box::pin(condition.wait(lock.try_lock_owned().unwrap()));
    assert!(poll_once(other.as_mut(), &count.waker()).is_pending());
    *lock.try_lock().unwrap() = 2;
    condition.notify(1);
    drop(lock);
    let Poll::Ready(guard) = poll_once(wait.as_mut(), &count.waker()) else {
        panic!("it is true now");
    };
    assert_eq!(*guard, 2);
    let lock = Arc::clone(OwnedLockGuard::lock(&guard));
    // The other is notified, and leaves while it locks.
    condition.notify(1);
    assert!(poll_once(other.as_mut(), &count.waker()).is_pending());
    drop(other);
    drop((guard, wait));
    assert!(!lock.is_locked());
    drop(lock);
    assert!(alive.upgrade().is_none());
}

#[test]
fn threads_hand_a_turn_around() {
    let shared = Arc::new((Lock::new(0_u32), Condition::new()));
    let threads: Vec<_> = (0..3)
        .map(|me| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    for _ in 0..200 {
                        let guard = shared.0.lock().await;
                        let mut turn = shared.1.wait_while(guard, |turn| *turn % 3 != me).await;
                        *turn += 1;
                        shared.1.notify_all();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*shared.0.try_lock().unwrap(), 600);
}

#[test]
fn it_is_small_and_may_be_static() {
    static CONDITION: Condition = Condition::new();
    assert_eq!(format!("{CONDITION:?}"), "Condition { .. }");
    assert!(size_of::<Condition>() <= 40);
    let lock = Lock::new(());
    let wait = CONDITION.wait(lock.try_lock().unwrap());
    assert!(size_of_val(&wait) <= 184, "{}", size_of_val(&wait));
    drop(wait);
    assert!(!lock.is_locked());
}
