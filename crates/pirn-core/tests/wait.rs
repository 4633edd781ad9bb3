//! The wait list: queues, grants, cancellation, wakers of every temper, and claims.

#[path = "loom/count.rs"]
mod count;
#[path = "loom/tokens.rs"]
mod tokens;

use count::Count;
use pirn_core::budget;
use pirn_core::wake::WakeBatch;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use tokens::{Granted, Take, Tokens, poll_and_drop, poll_once};

/// Waiters, each with a task of its own, queued in order.
fn queue(tokens: &Tokens, n: usize) -> Vec<(Pin<Box<Take<'_>>>, Arc<Count>)> {
    (0..n)
        .map(|_| {
            let mut waiter = Box::pin(tokens.take());
            let count = Count::new();
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
            (waiter, count)
        })
        .collect()
}

fn wakes(waiters: &[(Pin<Box<Take<'_>>>, Arc<Count>)]) -> Vec<usize> {
    waiters.iter().map(|(_, count)| count.wakes()).collect()
}

#[test]
fn tokens_go_to_waiters_in_order_of_arrival() {
    let tokens = Tokens::new(0);
    let mut waiters = queue(&tokens, 4);
    tokens.add(2);
    assert_eq!(wakes(&waiters), [1, 1, 0, 0]);
    assert!(poll_and_drop(&tokens, &Count::new().waker()).is_pending());
    for (i, (waiter, count)) in waiters.iter_mut().enumerate() {
        assert_eq!(poll_once(waiter.as_mut(), &count.waker()).is_ready(), i < 2);
    }
    assert!(tokens.has_waiting());
}

#[test]
fn a_waiter_may_be_dropped_in_every_state() {
    let tokens = Tokens::new(0);
    // Idle.
    drop(tokens.take());
    // Waiting: the only one, the first, one in the middle, the last.
    drop(queue(&tokens, 1));
    for leaver in 0..3 {
        let mut waiters = queue(&tokens, 3);
        waiters.remove(leaver);
        tokens.add(2);
        assert_eq!(wakes(&waiters), [1, 1]);
        for (waiter, count) in &mut waiters {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
        // Idle again, after it took.
        drop(waiters);
        assert_eq!(tokens.left(), 0);
    }
    // Granted: the token goes to the next, and when nobody waits back into the counter.
    let mut waiters = queue(&tokens, 2);
    tokens.add(1);
    assert_eq!(wakes(&waiters), [1, 0]);
    waiters.remove(0);
    assert_eq!(wakes(&waiters), [1]);
    waiters.remove(0);
    assert_eq!(tokens.left(), 1);
    assert!(!tokens.has_waiting());
}

#[test]
fn the_newest_waker_is_woken_and_the_old_one_is_let_go() {
    let tokens = Tokens::new(0);
    let mut waiter = pin!(tokens.take());
    let (old, new) = (Count::new(), Count::new());
    assert!(poll_once(waiter.as_mut(), &old.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 2);
    assert!(poll_once(waiter.as_mut(), &new.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1);
    tokens.add(1);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert_eq!(Arc::strong_count(&new), 1);
    assert_eq!(
        poll_once(waiter.as_mut(), &new.waker()),
        Poll::Ready(Granted::Token)
    );
}

#[test]
fn a_waker_that_does_not_know_its_own_clone_is_woken_all_the_same() {
    // Each clone has a vtable of its own, so `will_wake` is always false.
    fn raw(count: *const ()) -> RawWaker {
        // Kept, and so not leaked.
        static VTABLES: Mutex<Vec<&'static RawWakerVTable>> = Mutex::new(Vec::new());
        let vtable: &_ = Box::leak(Box::new(RawWakerVTable::new(raw_clone, wake, wake, free)));
        VTABLES.lock().unwrap().push(vtable);
        RawWaker::new(count, vtable)
    }
    unsafe fn raw_clone(count: *const ()) -> RawWaker {
        raw(count)
    }
    unsafe fn wake(count: *const ()) {
        // SAFETY: the test's counter outlives its wakers.
        unsafe { &*count.cast::<std::cell::Cell<usize>>() }.update(|n| n + 1);
    }
    unsafe fn free(_: *const ()) {}
    let count = std::cell::Cell::new(0_usize);
    // SAFETY: the vtable's functions do what their contract says; nothing leaves this thread.
    let waker = unsafe { Waker::from_raw(raw(std::ptr::from_ref(&count).cast())) };
    let tokens = Tokens::new(0);
    let mut waiter = pin!(tokens.take());
    for _ in 0..3 {
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
    }
    tokens.add(1);
    assert_eq!(count.get(), 1);
    assert!(poll_once(waiter.as_mut(), &waker).is_ready());
}

#[test]
fn a_call_to_more_than_a_batch_wakes_all_in_order_and_no_newcomer() {
    /// Notes its name, and comes back to wait again as it is woken.
    struct Note(usize, Arc<Tokens>, Arc<Mutex<Vec<usize>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.2.lock().unwrap().push(self.0);
            assert!(poll_and_drop(&self.1, &Count::new().waker()).is_pending());
        }
    }
    const N: usize = 3 * WakeBatch::CAPACITY + 1;
    let tokens = Arc::new(Tokens::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiters: Vec<_> = (0..N)
        .map(|i| {
            let waker = Arc::new(Note(i, Arc::clone(&tokens), Arc::clone(&order))).into();
            let mut waiter = Box::pin(tokens.take());
            assert!(poll_once(waiter.as_mut(), &waker).is_pending());
            waiter
        })
        .collect();
    tokens.call_all();
    assert_eq!(*order.lock().unwrap(), (0..N).collect::<Vec<_>>());
    for waiter in &mut waiters {
        assert_eq!(
            poll_once(waiter.as_mut(), Waker::noop()),
            Poll::Ready(Granted::Call)
        );
    }
}

#[test]
fn a_waker_may_drop_waiters_that_are_being_woken() {
    type Slot = Arc<Mutex<Vec<Pin<Box<Take<'static>>>>>>;
    struct Clear(Slot);
    impl Wake for Clear {
        fn wake(self: Arc<Self>) {
            let waiters = std::mem::take(&mut *self.0.lock().unwrap());
            drop(waiters);
        }
    }
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::new(0));
    let tokens: &'static Tokens = &TOKENS;
    let slot = Slot::default();
    let waker = Arc::new(Clear(Arc::clone(&slot))).into();
    for _ in 0..2 * WakeBatch::CAPACITY + 3 {
        let mut waiter = Box::pin(tokens.take());
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
        slot.lock().unwrap().push(waiter);
    }
    let late = Count::new();
    let mut last = Box::pin(tokens.take());
    assert!(poll_once(last.as_mut(), &late.waker()).is_pending());
    tokens.add(1);
    // The first was granted, and its waker dropped all but the last, to whom the token went.
    assert_eq!(late.wakes(), 1);
    assert!(poll_once(last.as_mut(), &late.waker()).is_ready());
    assert!(!tokens.has_waiting());

    for _ in 0..2 * WakeBatch::CAPACITY + 3 {
        let mut waiter = Box::pin(tokens.take());
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
        slot.lock().unwrap().push(waiter);
    }
    tokens.call_all();
    assert!(slot.lock().unwrap().is_empty());
    assert!(!tokens.has_waiting());
}

#[test]
fn a_panicking_waker_does_not_keep_the_others_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a waker's panic"));
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                std::panic::resume_unwind(Box::new("a waker's destructor's panic"));
            }
        }
    }
    pirn_core::report::set_hook(Some(Arc::new(|_| {})));
    let tokens = Tokens::new(0);
    let mut bad = Box::pin(tokens.take());
    assert!(poll_once(bad.as_mut(), &Arc::new(Panics).into()).is_pending());
    let good = queue(&tokens, 2);
    tokens.call_all();
    assert_eq!(wakes(&good), [1, 1]);
    drop((bad, good));

    let mut bad = Box::pin(tokens.take());
    let waker: Waker = Arc::new(Panics).into();
    assert!(poll_once(bad.as_mut(), &waker).is_pending());
    drop(waker);
    // Replaced, or dropped with its waiter: the panic goes to the hook.
    assert!(poll_once(bad.as_mut(), &Count::new().waker()).is_pending());
    drop(bad);
    assert!(!tokens.has_waiting());
}

#[test]
fn a_grant_goes_to_whichever_future_its_task_polls_first() {
    let tokens = Tokens::new(0);
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = Box::pin(tokens.take());
    let mut strange = Box::pin(tokens.take());
    let mut awaited = Box::pin(tokens.take());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
    tokens.add(1);
    assert_eq!((task.wakes(), other.wakes()), (1, 0));
    // A stranger cannot claim it; another future of the task can, whether it waited or is new.
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_ready());
    tokens.add(1);
    assert_eq!((task.wakes(), other.wakes()), (2, 0));
    assert!(poll_and_drop(&tokens, &task.waker()).is_ready());
    // The first is at the head of the queue still.
    tokens.add(1);
    assert_eq!((task.wakes(), other.wakes()), (3, 0));
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
    tokens.add(1);
    assert!(poll_once(strange.as_mut(), &other.waker()).is_ready());
    assert_eq!(tokens.left(), 0);
}

#[test]
fn a_grant_that_was_claimed_by_mistake_reaches_its_owner_at_its_next_poll() {
    // A future that was granted moves to a new task; then a stranger polls with the waker of the
    // old one, as if the old task's address had been given to it.
    let tokens = Tokens::new(0);
    let (address, new_task) = (Count::new(), Count::new());
    let mut moved = Box::pin(tokens.take());
    assert!(poll_once(moved.as_mut(), &address.waker()).is_pending());
    tokens.add(1);
    assert!(poll_and_drop(&tokens, &address.waker()).is_ready());
    // What the claim left behind registers its own waker, and is first in the queue.
    assert!(poll_once(moved.as_mut(), &new_task.waker()).is_pending());
    let behind = queue(&tokens, 1);
    tokens.add(1);
    assert_eq!((new_task.wakes(), behind[0].1.wakes()), (1, 0));
    assert!(poll_once(moved.as_mut(), &new_task.waker()).is_ready());
}

#[test]
fn a_call_is_not_claimed() {
    let tokens = Tokens::new(0);
    let task = Count::new();
    let mut called = Box::pin(tokens.take());
    assert!(poll_once(called.as_mut(), &task.waker()).is_pending());
    tokens.call_all();
    assert!(poll_and_drop(&tokens, &task.waker()).is_pending());
    assert!(poll_once(called.as_mut(), &task.waker()).is_ready());
}

#[test]
fn without_budget_a_grant_stays_and_the_task_is_woken_again() {
    let tokens = Tokens::new(0);
    let mut waiters = queue(&tokens, 1);
    tokens.add(1);
    let (waiter, count) = &mut waiters[0];
    {
        let _refilled = budget::refill();
        let mut cx = Context::from_waker(Waker::noop());
        while budget::poll_spend(&mut cx).is_ready() {}
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        assert_eq!(count.wakes(), 2);
    }
    assert_eq!(tokens.left(), 0);
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
}

#[test]
fn a_waiter_that_took_is_a_newcomer_again() {
    let tokens = Tokens::new(1);
    let mut waiter = pin!(tokens.take());
    let count = Count::new();
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    tokens.add(1);
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Tokens>() };
    const { crosses::<Take<'static>>() };
    // A lock, two list heads and the state.
    assert_eq!(size_of::<Tokens>(), 8 + 2 * 8 + 8);
    // A reference, two links, the queue's number, a waker with its state, what is wanted.
    assert_eq!(size_of::<Take<'static>>(), 8 + 16 + 8 + 32);
}
