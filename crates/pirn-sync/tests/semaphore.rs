//! The semaphore: order, hand-over, cancellation, closing, limits, and whose a grant is.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::budget;
use pirn_sync::{
    Closed, OwnedPermit, Permit, Semaphore, SemaphoreAcquire, TooManyReleased, TryAcquireError,
};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

type Queued<'a> = Vec<(Pin<Box<SemaphoreAcquire<'a>>>, Arc<Count>)>;

/// Requests for so many permits, each of a task of its own, in order.
fn queue<'a>(semaphore: &'a Semaphore, counts: &[usize]) -> Queued<'a> {
    counts
        .iter()
        .map(|&n| {
            let mut acquire = Box::pin(semaphore.acquire_many(n));
            let count = Count::new();
            assert!(poll_once(acquire.as_mut(), &count.waker()).is_pending());
            (acquire, count)
        })
        .collect()
}

fn wakes(queued: &Queued<'_>) -> Vec<usize> {
    queued.iter().map(|(_, count)| count.wakes()).collect()
}

fn take<'a>((acquire, count): &mut (Pin<Box<SemaphoreAcquire<'a>>>, Arc<Count>)) -> Permit<'a> {
    match poll_once(acquire.as_mut(), &count.waker()) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("not granted: {other:?}"),
    }
}

#[test]
fn no_more_than_its_permits_are_out_at_once() {
    let semaphore = Arc::new(Semaphore::new(2));
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (semaphore, inside, most) = (semaphore.clone(), inside.clone(), most.clone());
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    for _ in 0..1000 {
                        let _permit = semaphore.acquire().await.unwrap();
                        most.fetch_max(inside.fetch_add(1, Relaxed) + 1, Relaxed);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Relaxed);
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(most.load(Relaxed) <= 2);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_go_to_waiters_in_order_of_arrival() {
    let semaphore = Semaphore::new(0);
    let mut queued = queue(&semaphore, &[1, 1, 1]);
    semaphore.add_permits(2);
    assert_eq!(wakes(&queued), [1, 1, 0]);
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    let first = take(&mut queued[0]);
    drop(first);
    assert_eq!(wakes(&queued), [1, 1, 1]);
}

#[test]
fn those_who_left_are_passed_over_and_no_more_are_served_than_permits_came() {
    let semaphore = Semaphore::new(0);
    let mut queued = queue(&semaphore, &[1, 1, 1, 1]);
    queued.drain(..2);
    semaphore.add_permits(1);
    assert_eq!(wakes(&queued), [1, 0]);
    semaphore.add_permits(1);
    assert_eq!((wakes(&queued), semaphore.available()), (vec![1, 1], 0));
}

#[test]
fn who_returns_its_permit_and_asks_again_comes_after_those_who_wait() {
    let semaphore = Semaphore::new(1);
    let first = semaphore.try_acquire().unwrap();
    let mut queued = queue(&semaphore, &[1, 1]);
    drop(first);
    queued.extend(queue(&semaphore, &[1]));
    for turn in 0..3 {
        let served: Vec<_> = (0..3).map(|i| usize::from(i <= turn)).collect();
        assert_eq!(wakes(&queued), served);
        let (acquire, count) = &mut queued[turn];
        let permit = poll_once(acquire.as_mut(), &count.waker());
        assert!(matches!(permit, Poll::Ready(Ok(_))));
    }
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_large_request_is_not_overtaken_by_small_ones() {
    let semaphore = Semaphore::new(2);
    let mut queued = queue(&semaphore, &[3]);
    // Two are free, and yet nobody gets one.
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.try_acquire().is_err());
    queued.extend(queue(&semaphore, &[1]));
    semaphore.add_permits(1);
    assert_eq!(wakes(&queued), [1, 0]);
    assert_eq!(semaphore.available(), 0);
    drop(take(&mut queued[0]));
    assert_eq!(wakes(&queued), [1, 1]);
    drop(take(&mut queued[1]));
    assert_eq!(semaphore.available(), 3);
    assert_eq!(semaphore.try_acquire_many(3).unwrap().count(), 3);
}

#[test]
fn when_a_large_request_leaves_the_small_ones_behind_it_are_served() {
    let semaphore = Semaphore::new(2);
    let mut queued = queue(&semaphore, &[3, 1, 1, 1]);
    drop(queued.remove(0));
    assert_eq!(wakes(&queued), [1, 1, 0]);
    drop(queued);
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.try_acquire_many(2).is_ok());
}

#[test]
fn permits_of_a_waiter_dropped_after_the_grant_go_to_the_next() {
    let semaphore = Semaphore::new(0);
    let mut queued = queue(&semaphore, &[2, 1, 1]);
    semaphore.add_permits(2);
    assert_eq!(wakes(&queued), [1, 0, 0]);
    drop(queued.remove(0));
    assert_eq!(wakes(&queued), [1, 1]);
    drop(queued);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_request_for_none_waits_in_line_and_takes_none() {
    let semaphore = Semaphore::new(0);
    assert_eq!(semaphore.try_acquire_many(0).unwrap().count(), 0);
    let mut queued = queue(&semaphore, &[1, 0]);
    assert!(semaphore.try_acquire_many(0).is_err());
    semaphore.add_permits(1);
    drop(take(&mut queued[1]));
    drop(take(&mut queued[0]));
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn closing_ends_the_wait_and_leaves_what_was_granted() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let mut queued = queue(&semaphore, &[1, 1, 1]);
    drop(held);
    semaphore.close();
    semaphore.close();
    assert!(semaphore.is_closed());
    assert_eq!(wakes(&queued), [1, 1, 1]);
    drop(take(&mut queued[0]));
    for (acquire, count) in &mut queued[1..] {
        let result = poll_once(acquire.as_mut(), &count.waker());
        assert!(matches!(result, Poll::Ready(Err(Closed))));
    }
    // The free permit is not given any more.
    assert_eq!(semaphore.available(), 1);
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::Closed
    );
    let mut late = pin!(semaphore.acquire());
    let result = poll_once(late.as_mut(), &Count::new().waker());
    assert!(matches!(result, Poll::Ready(Err(Closed))));
}

#[test]
fn permits_come_back_after_closing_too() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.try_acquire_many(2).unwrap();
    let queued = queue(&semaphore, &[1]);
    semaphore.close();
    drop(queued);
    drop(held);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_forgotten_permit_does_not_come_back() {
    let semaphore = Arc::new(Semaphore::new(3));
    semaphore.try_acquire_many(2).unwrap().forget();
    assert_eq!(semaphore.available(), 1);
    semaphore.try_acquire_owned().unwrap().forget();
    assert_eq!(semaphore.available(), 0);
}

#[test]
fn what_was_forgotten_may_be_released_and_no_more() {
    let semaphore = Arc::new(Semaphore::new(3));
    let too_many = |released, forgotten| {
        Err(TooManyReleased {
            released,
            forgotten,
        })
    };
    assert_eq!(semaphore.release(0), Ok(()));
    assert_eq!(semaphore.release(1), too_many(1, 0));
    // What is in hands comes back by itself, so it cannot be released.
    let held = semaphore.try_acquire_owned().unwrap();
    assert_eq!(semaphore.release(1), too_many(1, 0));
    semaphore.try_acquire_many(2).unwrap().forget();
    assert_eq!(semaphore.release(3), too_many(3, 2));
    assert_eq!(semaphore.available(), 0);
    let queued = queue(&semaphore, &[1, 1]);
    assert_eq!(semaphore.release(1), Ok(()));
    assert_eq!(wakes(&queued), [1, 0]);
    held.forget();
    assert_eq!(semaphore.release(2), Ok(()));
    assert_eq!(wakes(&queued), [1, 1]);
    drop(queued);
    assert_eq!(
        (semaphore.available(), semaphore.release(1)),
        (3, too_many(1, 0))
    );
    assert_eq!(
        semaphore.release(1).unwrap_err().to_string(),
        "1 permits were to be released, and 0 were forgotten"
    );
}

#[test]
fn an_owned_permit_keeps_its_semaphore() {
    let semaphore = Arc::new(Semaphore::new(3));
    let permit = semaphore.try_acquire_owned().unwrap();
    assert!(Arc::ptr_eq(permit.semaphore(), &semaphore));
    let many = pirn_core::shim::block_on(semaphore.acquire_many_owned(2)).unwrap();
    assert_eq!(
        (permit.count(), many.count(), semaphore.available()),
        (1, 2, 0)
    );
    drop((permit, many));
    assert_eq!(semaphore.available(), 3);
}

/// As for the lock, with requests of the same size and of different ones.
#[test]
fn a_task_that_awaits_one_of_its_two_futures_does_not_hang() {
    for (unpolled, awaited) in [(1, 1), (2, 1), (1, 2), (2, 3), (3, 3)] {
        let semaphore = Semaphore::new(3);
        pirn_core::shim::block_on(async {
            let held = semaphore.acquire_many(3).await.unwrap();
            let mut first = pin!(semaphore.acquire_many(unpolled));
            let mut second = pin!(semaphore.acquire_many(awaited));
            std::future::poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                assert!(second.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            // What the first is granted is not enough for the second.
            drop(held);
            let permit = second.await.unwrap();
            assert_eq!(permit.count(), awaited);
            drop(permit);
            drop(semaphore.acquire_many(3).await.unwrap());
            assert_eq!(first.await.unwrap().count(), unpolled);
        });
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn a_task_may_claim_several_of_its_own_grants_and_what_is_left_over_goes_on() {
    let semaphore = Semaphore::new(0);
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = [2, 2].map(|n| Box::pin(semaphore.acquire_many(n)));
    for acquire in &mut unpolled {
        assert!(poll_once(acquire.as_mut(), &task.waker()).is_pending());
    }
    let mut strange = Box::pin(semaphore.acquire());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    semaphore.add_permits(4);
    assert_eq!(other.wakes(), 0);
    let mut awaited = Box::pin(semaphore.acquire_many(3));
    let Poll::Ready(Ok(permit)) = poll_once(awaited.as_mut(), &task.waker()) else {
        panic!("four had been granted to the task");
    };
    // One is left, too few for the head of the queue, and the stranger is behind.
    assert_eq!(
        (permit.count(), semaphore.available(), other.wakes()),
        (3, 1, 0)
    );
    // The grants that were claimed are waited for again, the later one behind the stranger.
    drop(permit);
    assert_eq!((task.wakes(), other.wakes()), (3, 1));
    let [first, second] = &mut unpolled;
    for (acquire, count) in [(first, &task), (&mut strange, &other)] {
        let Poll::Ready(Ok(permit)) = poll_once(acquire.as_mut(), &count.waker()) else {
            panic!("granted in turn");
        };
        permit.forget();
    }
    assert!(poll_once(second.as_mut(), &task.waker()).is_pending());
    semaphore.add_permits(1);
    assert_eq!(task.wakes(), 4);
    assert!(poll_once(second.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_small_grant_is_not_lost_to_a_large_request_that_it_does_not_serve() {
    let semaphore = Semaphore::new(2);
    let [held, returned] = [(); 2].map(|()| semaphore.try_acquire().unwrap());
    let task = Count::new();
    let mut small = pin!(semaphore.acquire());
    let mut large = pin!(semaphore.acquire_many(2));
    assert!(poll_once(small.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(large.as_mut(), &task.waker()).is_pending());
    drop(returned);
    // One task that waits for both polls them in whichever order.
    assert!(poll_once(large.as_mut(), &task.waker()).is_pending());
    let Poll::Ready(Ok(permit)) = poll_once(small.as_mut(), &task.waker()) else {
        panic!("it came first, and one permit is enough for it");
    };
    drop((permit, held));
    assert!(poll_once(large.as_mut(), &task.waker()).is_ready());
}

#[test]
fn those_whose_grants_were_claimed_are_woken_by_the_newest_waker() {
    let semaphore = Semaphore::new(0);
    let (old, new) = (Count::new(), Count::new());
    let mut unpolled = [1, 1].map(|n| Box::pin(semaphore.acquire_many(n)));
    for acquire in &mut unpolled {
        assert!(poll_once(acquire.as_mut(), &new.waker()).is_pending());
    }
    let mut moved = pin!(semaphore.acquire_many(2));
    assert!(poll_once(moved.as_mut(), &old.waker()).is_pending());
    semaphore.add_permits(2);
    let Poll::Ready(Ok(permit)) = poll_once(moved.as_mut(), &new.waker()) else {
        panic!("two had been granted to the task");
    };
    drop(permit);
    assert_eq!((old.wakes(), new.wakes()), (0, 4));
}

#[test]
fn a_grant_of_another_task_is_not_claimed() {
    let semaphore = Semaphore::new(0);
    let mut queued = queue(&semaphore, &[1, 1]);
    semaphore.add_permits(1);
    let (acquire, count) = &mut queued[1];
    assert!(poll_once(acquire.as_mut(), &count.waker()).is_pending());
    drop(take(&mut queued[0]));
}

#[test]
fn too_many_permits_panic_where_they_are_asked_for_and_say_how_many() {
    fn message(f: impl FnOnce()) -> String {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        pirn_core::panic_message(&*payload).to_string()
    }
    const MAX: usize = Semaphore::MAX_PERMITS;
    let semaphore = Arc::new(Semaphore::new(MAX));
    assert_eq!(
        message(|| semaphore.add_permits(1)),
        format!("a semaphore holds at most {MAX} permits: 1 cannot be added to {MAX} free ones")
    );
    let asked = format!(
        "a semaphore holds at most {MAX} permits, and {} are asked for",
        MAX + 1
    );
    assert_eq!(message(|| drop(semaphore.acquire_many(MAX + 1))), asked);
    assert_eq!(
        message(|| drop(semaphore.acquire_many_owned(MAX + 1))),
        asked
    );
    let made = message(|| {
        let _semaphore = Semaphore::new(MAX + 1);
    });
    assert!(made.contains("at most usize::MAX >> 3 permits"));
    // A try of too many is an answer like any other.
    assert!(semaphore.try_acquire_many(MAX + 1).is_err());
}

#[test]
fn permits_that_no_word_can_count_are_let_go() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    let mut hands = Vec::new();
    for _ in 0..4 {
        hands.push(semaphore.try_acquire_many(Semaphore::MAX_PERMITS).unwrap());
        semaphore.add_permits(Semaphore::MAX_PERMITS);
    }
    drop(hands);
    assert_eq!(semaphore.available(), usize::MAX / 4);
    assert!(!semaphore.is_closed());
    assert!(semaphore.try_acquire().is_ok());
}

#[test]
fn without_budget_nothing_is_taken() {
    let semaphore = Semaphore::new(1);
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(semaphore.acquire()), &count.waker()).is_pending());
    assert_eq!((count.wakes(), semaphore.available()), (1, 1));
    drop(refilled);
    assert!(poll_once(pin!(semaphore.acquire()), &count.waker()).is_ready());
}

#[test]
fn it_may_be_static() {
    static LIMIT: Semaphore = Semaphore::new(1);
    let permit: Permit<'static> = LIMIT.try_acquire().unwrap();
    assert_eq!(
        format!("{LIMIT:?} {permit:?}"),
        "Semaphore { available: 0, is_closed: false } Permit { count: 1 }"
    );
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Semaphore>() };
    const { crosses::<Permit<'static>>() };
    const { crosses::<OwnedPermit>() };
    const { crosses::<SemaphoreAcquire<'static>>() };
    assert_eq!(size_of::<Semaphore>(), 40);
    assert_eq!(size_of::<SemaphoreAcquire<'static>>(), 64);
    assert_eq!(size_of::<Permit<'static>>(), 16);
}
