//! Blocking: each waiting operation on a plain thread, and what a thread is to the queues.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_sync::{
    Barrier, Condition, Event, Lock, LockAcquire, OnceCell, Queue, RwLock, Semaphore, block_on,
    broadcast, oneshot, watch,
};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

/// Runs `then` on this thread once `waits`, which blocks another one, has found that it must wait.
fn blocks<F: Future<Output: Send>>(
    waits: impl FnOnce() -> F + Send,
    then: impl FnOnce(),
) -> F::Output {
    let (queued, is_queued) = mpsc::channel();
    thread::scope(|scope| {
        let blocked = scope.spawn(move || {
            let mut future = pin!(waits());
            block_on(poll_fn(|cx| {
                let polled = future.as_mut().poll(cx);
                if polled.is_pending() {
                    let _ = queued.send(());
                }
                polled
            }))
        });
        is_queued.recv().expect("it has to wait");
        then();
        blocked.join().unwrap()
    })
}

#[test]
fn a_thread_waits_for_a_lock_in_each_way() {
    let lock = Lock::new(0);
    let held = lock.try_lock().unwrap();
    blocks(|| async { *lock.lock().await += 1 }, || drop(held));
    let lock = RwLock::new(lock.into_inner());
    let held = lock.try_write().unwrap();
    let seen = blocks(|| async { *lock.read().await }, || drop(held));
    let held = lock.try_read().unwrap();
    blocks(|| async { *lock.write().await += seen }, || drop(held));
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn a_thread_waits_for_a_permit_an_event_and_the_others_at_a_barrier() {
    let semaphore = Semaphore::new(0);
    let count = blocks(
        || async { semaphore.acquire_many(2).await.unwrap().count() },
        || semaphore.add_permits(2),
    );
    assert_eq!(count, 2);
    let event = Event::new();
    blocks(|| event.wait(), || event.set());
    let barrier = Barrier::new(2);
    let turn = blocks(
        || barrier.wait(),
        || assert!(block_on(barrier.wait()).unwrap().is_leader()),
    );
    assert!(!turn.unwrap().is_leader());
}

#[test]
fn a_thread_waits_for_a_change_under_a_lock_and_for_a_value_made_once() {
    let (lock, changed) = (Lock::new(0), Condition::new());
    let seen = blocks(
        || async { *changed.wait_while(lock.lock().await, |n| *n == 0).await },
        || {
            *block_on(lock.lock()) = 7;
            changed.notify(1);
        },
    );
    assert_eq!(seen, 7);
    let cell = OnceCell::new();
    blocks(
        || async { assert_eq!(*cell.wait().await, 8) },
        || assert_eq!(*block_on(cell.get_or_init(|| async { 8 })), 8),
    );
}

#[test]
fn a_thread_waits_at_both_ends_of_a_queue_and_for_all_to_be_done() {
    let queue = Queue::bounded(1);
    let got = blocks(|| queue.get(), || block_on(queue.put(1)).unwrap());
    assert_eq!(got, Ok(1));
    block_on(queue.put(2)).unwrap();
    blocks(|| queue.put(3), || assert_eq!(block_on(queue.get()), Ok(2))).unwrap();
    assert_eq!(block_on(queue.get()), Ok(3));
    blocks(
        || queue.join(),
        || {
            for _ in 0..3 {
                queue.task_done();
            }
        },
    );
}

#[test]
fn a_thread_waits_at_both_ends_of_a_channel() {
    let (send, receive) = oneshot::channel();
    assert_eq!(blocks(|| receive, || send.send(1).unwrap()), Ok(1));
    let (mut send, receive) = oneshot::channel::<i32>();
    blocks(|| async move { send.closed().await }, || drop(receive));

    let (send, mut receive) = watch::channel(0);
    let seen = blocks(
        || async { receive.changed().await.map(|value| *value) },
        || send.send(2).unwrap(),
    );
    assert_eq!(seen, Ok(2));
    blocks(|| async { send.closed().await }, || drop(receive));

    let (send, mut receive) = broadcast::channel(1);
    let got = blocks(
        || async { receive.recv().await },
        || assert_eq!(send.send(3), Ok(1)),
    );
    assert_eq!(got, Ok(3));
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let lock = Lock::new(Vec::new());
    let held = lock.try_lock().unwrap();
    let count = Count::new();
    let (mut before, mut after) = (pin!(lock.lock()), pin!(lock.lock()));
    let turn = |waiter: Pin<&mut LockAcquire<'_, Vec<&str>>>, name| match poll_once(
        waiter,
        &count.waker(),
    ) {
        Poll::Ready(mut guard) => guard.push(name),
        Poll::Pending => panic!("it is the turn of the {name}"),
    };
    assert!(poll_once(before.as_mut(), &count.waker()).is_pending());
    let (queued, is_queued) = mpsc::channel();
    thread::scope(|scope| {
        let lock = &lock;
        scope.spawn(move || {
            let mut future = pin!(lock.lock());
            let mut guard = block_on(poll_fn(|cx| {
                let polled = future.as_mut().poll(cx);
                let _ = queued.send(());
                polled
            }));
            guard.push("thread");
        });
        is_queued.recv().unwrap();
        assert!(poll_once(after.as_mut(), &Count::new().waker()).is_pending());
        drop(held);
        assert_eq!(count.wakes(), 1);
        turn(before.as_mut(), "first task");
    });
    turn(after.as_mut(), "second task");
    assert_eq!(
        *lock.try_lock().unwrap(),
        ["first task", "thread", "second task"]
    );
}

#[test]
fn a_thread_gets_its_grant_by_the_future_that_it_blocks_on() {
    let lock = Lock::new(());
    // And so it does where it blocks inside of what it blocks on.
    for nested in [false, true] {
        let held = lock.try_lock().unwrap();
        let mut first = pin!(lock.lock());
        let waits = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending()));
        assert!(block_on(waits));
        drop(held);
        assert!(lock.try_lock().is_none(), "handed to the first");
        match nested {
            false => drop(block_on(lock.lock())),
            true => block_on(async { drop(block_on(lock.lock())) }),
        }
        drop(block_on(first));
    }
}
