//! The barrier: generations, turns, who leaves, abort and reset.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{Barrier, BarrierTurn, BarrierWait, BrokenBarrier};
use std::future::{Future, pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Arrived<'a> = (Pin<Box<BarrierWait<'a>>>, Arc<Count>);

/// So many who have come and wait, each a task of its own.
fn arrive(barrier: &Barrier, n: usize) -> Vec<Arrived<'_>> {
    (0..n)
        .map(|_| {
            let mut wait = Box::pin(barrier.wait());
            let count = Count::new();
            assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
            (wait, count)
        })
        .collect()
}

/// One who comes and does not wait.
fn come(barrier: &Barrier) -> Result<BarrierTurn, BrokenBarrier> {
    match poll_once(pin!(barrier.wait()), &Count::new().waker()) {
        Poll::Ready(end) => end,
        Poll::Pending => panic!("not the last"),
    }
}

fn wakes(waiting: &[Arrived<'_>]) -> Vec<usize> {
    waiting.iter().map(|(_, count)| count.wakes()).collect()
}

fn end((wait, count): &mut Arrived<'_>) -> Result<BarrierTurn, BrokenBarrier> {
    match poll_once(wait.as_mut(), &count.waker()) {
        Poll::Ready(end) => end,
        Poll::Pending => panic!("it still waits"),
    }
}

#[test]
fn all_go_on_as_the_last_comes_which_does_not_wait_and_leads() {
    let barrier = Barrier::new(40);
    let mut waiting = arrive(&barrier, 39);
    assert_eq!(
        (barrier.parties(), barrier.waiting(), barrier.is_broken()),
        (40, 39, false)
    );
    let last = come(&barrier).unwrap();
    assert_eq!((last.index(), last.is_leader()), (39, true));
    assert_eq!(barrier.waiting(), 0);
    assert_eq!(wakes(&waiting), [1; 39]);
    // In whatever order they are polled.
    for (at, arrived) in waiting.iter_mut().enumerate().rev() {
        let turn = end(arrived).unwrap();
        assert_eq!((turn.index(), turn.is_leader()), (at, false));
    }
}

#[test]
fn a_barrier_for_one_lets_each_go_on_and_lead() {
    let barrier = Barrier::new(1);
    for _ in 0..2 {
        assert!(come(&barrier).unwrap().is_leader());
    }
}

#[test]
fn who_comes_again_belongs_to_the_next_generation() {
    let barrier = Barrier::new(2);
    let mut slow = arrive(&barrier, 1);
    come(&barrier).unwrap();
    // The slow one was let through and has not run.
    let mut fast = arrive(&barrier, 1);
    assert_eq!((wakes(&slow), wakes(&fast)), (vec![1], vec![0]));
    assert_eq!(end(&mut slow[0]).unwrap().index(), 0);
    // Its future may be used again, and is then a new arrival.
    let turn = end(&mut slow[0]).unwrap();
    assert!(turn.is_leader());
    assert_eq!(end(&mut fast[0]).unwrap().index(), 0);
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn those_beyond_the_parties_make_up_the_next_generation() {
    let barrier = Barrier::new(3);
    let mut early = arrive(&barrier, 2);
    come(&barrier).unwrap();
    let mut late = arrive(&barrier, 2);
    assert_eq!(barrier.waiting(), 2);
    for arrived in &mut early {
        end(arrived).unwrap();
    }
    come(&barrier).unwrap();
    assert_eq!(end(&mut late[1]).unwrap().index(), 1);
}

#[test]
fn who_leaves_frees_its_place_and_the_indices_stay_different() {
    for position in 0..3 {
        let barrier = Barrier::new(4);
        let mut waiting = arrive(&barrier, 3);
        drop(waiting.remove(position));
        assert_eq!(barrier.waiting(), 2);
        waiting.extend(arrive(&barrier, 1));
        assert_eq!(wakes(&waiting), [0; 3]);
        assert_eq!(come(&barrier).unwrap().index(), 3);
        let indices: Vec<_> = waiting
            .iter_mut()
            .map(|a| end(a).unwrap().index())
            .collect();
        assert_eq!(indices, [0, 1, 2]);
    }
}

#[test]
fn who_leaves_after_it_was_let_through_changes_nothing() {
    let barrier = Barrier::new(3);
    let mut waiting = arrive(&barrier, 2);
    come(&barrier).unwrap();
    drop(waiting.remove(0));
    assert_eq!(barrier.waiting(), 0);
    assert_eq!(end(&mut waiting[0]).unwrap().index(), 1);
    // Nor does it for the next generation.
    let mut next = arrive(&barrier, 2);
    assert_eq!(barrier.waiting(), 2);
    assert!(come(&barrier).unwrap().is_leader());
    assert!(end(&mut next[0]).is_ok());
    drop(next);
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn an_abort_sends_away_who_waits_and_who_comes_until_the_reset() {
    let barrier = Barrier::new(3);
    let mut waiting = arrive(&barrier, 2);
    barrier.abort();
    barrier.abort();
    assert_eq!((barrier.is_broken(), barrier.waiting()), (true, 0));
    assert_eq!(wakes(&waiting), [1, 1]);
    assert_eq!(come(&barrier), Err(BrokenBarrier));
    barrier.reset();
    assert!(!barrier.is_broken());
    // Those who were sent away stay so, and do not count.
    let mut next = arrive(&barrier, 2);
    assert_eq!(end(&mut waiting[0]), Err(BrokenBarrier));
    drop(waiting);
    assert_eq!(barrier.waiting(), 2);
    come(&barrier).unwrap();
    assert!(end(&mut next[0]).is_ok());
}

#[test]
fn a_reset_sends_away_who_waits_and_lets_others_come() {
    let barrier = Barrier::new(2);
    barrier.reset();
    let mut waiting = arrive(&barrier, 1);
    barrier.reset();
    assert_eq!((wakes(&waiting), barrier.waiting()), (vec![1], 0));
    let mut next = arrive(&barrier, 1);
    come(&barrier).unwrap();
    assert_eq!(end(&mut waiting[0]), Err(BrokenBarrier));
    assert_eq!(end(&mut next[0]).unwrap().index(), 0);
}

#[test]
fn who_was_let_through_before_an_abort_or_a_reset_goes_through() {
    for stop in [Barrier::abort, Barrier::reset] {
        let barrier = Barrier::new(2);
        let mut waiting = arrive(&barrier, 1);
        come(&barrier).unwrap();
        stop(&barrier);
        assert_eq!(wakes(&waiting), [1]);
        assert!(end(&mut waiting[0]).is_ok());
    }
}

#[test]
fn a_task_may_come_for_several_and_each_future_counts() {
    let barrier = Barrier::new(3);
    let task = Count::new();
    let mut waits = [(); 3].map(|()| Box::pin(barrier.wait()));
    let [first, second, third] = &mut waits;
    assert!(poll_once(first.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(second.as_mut(), &task.waker()).is_pending());
    // A second look is not a second arrival.
    assert!(poll_once(second.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(third.as_mut(), &task.waker()).is_ready());
    assert!(poll_once(second.as_mut(), &task.waker()).is_ready());
    // A turn is not taken by another future of the task.
    assert!(poll_once(third.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(first.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_waker_that_comes_again_as_it_is_woken_waits_for_the_next_generation() {
    struct Again(Arc<Barrier>, Arc<Count>);
    impl std::task::Wake for Again {
        fn wake(self: Arc<Self>) {
            let mut wait = pin!(self.0.wait());
            assert!(poll_once(wait.as_mut(), &self.1.waker()).is_pending());
        }
    }
    let barrier = Arc::new(Barrier::new(20));
    let waker = Arc::new(Again(Arc::clone(&barrier), Count::new())).into();
    let mut first = pin!(barrier.wait());
    assert!(poll_once(first.as_mut(), &waker).is_pending());
    let others = arrive(&barrier, 18);
    come(&barrier).unwrap();
    assert_eq!((wakes(&others), barrier.waiting()), (vec![1; 18], 0));
}

#[test]
fn who_waits_in_a_body_that_is_cancelled_frees_its_place() {
    let barrier = Barrier::new(2);
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut wait = pin!(barrier.wait());
        poll_fn(|cx| {
            assert!(clean_up.as_mut().poll(cx).is_pending());
            wait.as_mut().poll(cx)
        })
        .await
    }));
    let count = Count::new();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    assert_eq!(barrier.waiting(), 1);
    scope.cancel(Cause::requested("enough"));
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    assert_eq!(barrier.waiting(), 0);
    drop(arrive(&barrier, 1));
}

#[test]
fn without_budget_nobody_comes_and_a_turn_is_kept() {
    let barrier = Barrier::new(2);
    let mut waiting = arrive(&barrier, 1);
    let count = Count::new();
    let mut last = pin!(barrier.wait());
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(last.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), barrier.waiting()), (1, 1));
    drop(refilled);
    assert!(poll_once(last.as_mut(), &count.waker()).is_ready());
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    let (wait, count) = &mut waiting[0];
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 2);
    drop(refilled);
    assert!(end(&mut waiting[0]).is_ok());
}

#[test]
fn a_barrier_for_nobody_is_refused() {
    let payload = catch_unwind(|| Barrier::new(0).parties()).unwrap_err();
    assert_eq!(
        pirn_core::panic_message(&*payload),
        "a barrier is for at least 1 party, and was to be made for 0"
    );
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Barrier>() };
    const { crosses::<BarrierWait<'static>>() };
    static BARRIER: Barrier = Barrier::new(2);
    assert_eq!(
        format!("{BARRIER:?} {BrokenBarrier}"),
        "Barrier { parties: 2, waiting: 0, is_broken: false } the barrier was aborted or reset"
    );
    assert_eq!(size_of::<Barrier>(), 48);
    assert_eq!(size_of::<BarrierWait<'static>>(), 72);
}
