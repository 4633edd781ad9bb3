//! Whether a piece of code gives way.

use pirn_core::budget::{self, BUDGET};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Runs `future`, which is to come upon a checkpoint.
///
/// A *checkpoint* is a place at which others may come to their turn, and at which a cancel takes
/// effect. With pirn a future passes one when
///
/// - one of its polls is pending: its task gives way, and may be dropped or cancelled there; or
/// - a leaf of pirn's spends a unit of the task's [budget](pirn_core::budget): it gives way there once
///   the budget of a poll (128 units) is spent, so a loop around it starves nobody.
///
/// The second is weaker than trio's, whose checkpoints always let a cancel in: what is ready at once
/// here goes on, up to 128 times, although its task was cancelled meanwhile.
///
/// # Panics
///
/// When `future` ends without one.
///
/// # Cancel safety
///
/// As that of `future`.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, assert_checkpoints};
///
/// Sim::new().run(async {
///     let lock = pirn_sync::Lock::new(1);
///     let locked = assert_checkpoints(lock.lock()).await; // free, and yet it spends the budget
///     assert_eq!(*locked, 1);
///     assert_checkpoints(pirn_core::yield_now()).await;
/// });
/// ```
#[track_caller]
pub fn assert_checkpoints<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let mut future = pin!(future);
        let mut passed = false;
        let output = poll_fn(|cx| {
            let (polled, spent) = poll_measured(future.as_mut(), cx);
            passed |= polled.is_pending() || spent > 0;
            polled
        })
        .await;
        assert!(
            passed,
            "no checkpoint in the future at {place}: it never gave way, and spent no budget"
        );
        output
    }
}

/// Runs `future`, which is to come upon no checkpoint: nothing else may happen between its begin and
/// its end.
///
/// See [`assert_checkpoints`] for what one is.
///
/// # Panics
///
/// When a poll of `future` is pending, or has spent some of the budget.
///
/// # Cancel safety
///
/// It is ready at its first poll.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, assert_no_checkpoints};
///
/// Sim::new().run(async {
///     let lock = pirn_sync::Lock::new(1);
///     assert_no_checkpoints(async { assert!(lock.try_lock().is_some()) }).await;
/// });
/// ```
#[track_caller]
pub fn assert_no_checkpoints<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let (polled, spent) = poll_measured(future.as_mut(), cx);
            assert!(
                polled.is_ready(),
                "a checkpoint in the future at {place}: it gives way"
            );
            assert!(
                spent == 0,
                "a checkpoint in the future at {place}: it spends the budget ({spent} units)"
            );
            polled
        })
        .await
    }
}

/// Polls with a budget of its own, and says how much was spent of it; the budget around is charged
/// with that.
fn poll_measured<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> (Poll<F::Output>, u32) {
    if budget::is_frozen() {
        return (future.poll(cx), 0);
    }
    let own = budget::refill();
    let polled = future.poll(cx);
    let spent = BUDGET - spend(BUDGET);
    drop(own);
    spend(spent);
    (polled, spent)
}

/// Spends up to so many units of this thread's budget. How many there were.
fn spend(units: u32) -> u32 {
    let mut cx = Context::from_waker(Waker::noop());
    let spent = (0..units).take_while(|_| budget::poll_spend(&mut cx).is_ready());
    spent.count() as u32
}
