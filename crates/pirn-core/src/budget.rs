//! The cooperative budget: always-ready is no licence to starve.
//!
//! A future that is always ready would keep its task running for ever. So every leaf of ours spends
//! one unit of its task's budget each time it gives something, and at zero it gives the thread
//! back: it wakes itself and stays pending. Our executor refills the budget before each poll; on
//! a foreign executor the outermost of our wrappers (a scope, a timeout, a gather) does. Outside
//! both there is no bound.
//!
//! What is left of it lies in a thread-local. Without the feature `std` there is no such place: then
//! nothing has a bound, and refilling does nothing.

use core::task::{Context, Poll};

#[cfg(feature = "std")]
#[path = "budget/per_thread.rs"]
mod left;
#[cfg(not(feature = "std"))]
#[path = "budget/unbounded.rs"]
mod left;

#[cfg(feature = "std")]
#[doc(hidden)]
pub mod inspect;
#[cfg(feature = "std")]
pub(crate) use left::{freeze, lift};
pub(crate) use left::{note_lost, note_place, note_policy};

/// What one poll of a task may spend.
pub const BUDGET: u32 = 128;

const UNBOUNDED: u32 = u32::MAX;
/// In a cancelled body, outside its regions: nothing may be given any more.
const FROZEN: u32 = u32::MAX - 1;

/// Restores the budget that was there before [`refill`].
#[derive(Debug)]
#[must_use = "the budget ends with the guard"]
pub struct Refilled(u32);

/// Starts a fresh budget for the length of one poll of a task. For executors.
///
/// # Examples
///
/// ```
/// use pirn_core::budget::{self, BUDGET};
/// use std::task::{Context, Waker};
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let refilled = budget::refill();
/// let spent = (0..).take_while(|_| budget::poll_spend(&mut cx).is_ready()).count();
/// assert_eq!(spent, BUDGET as usize);
/// drop(refilled);
/// assert!(budget::poll_spend(&mut cx).is_ready()); // outside there is no bound
/// ```
#[inline]
pub fn refill() -> Refilled {
    Refilled(left::replace(BUDGET))
}

/// Starts a fresh budget if none is running: for wrappers that may be outermost on an executor that
/// knows nothing of budgets.
///
/// # Examples
///
/// ```
/// use pirn_core::budget;
///
/// let outermost = budget::refill_if_outermost();
/// assert!(outermost.is_some());
/// assert!(budget::refill_if_outermost().is_none()); // one is running
/// ```
#[inline]
pub fn refill_if_outermost() -> Option<Refilled> {
    (left::get() == UNBOUNDED).then(refill)
}

/// True while a cancelled body is polled for its clean-up's sake alone, outside of its regions.
///
/// Nothing that is polled then goes on. A leaf that waits in a queue leaves it, and hands on what
/// had been set aside for it, since others may need that before the body is dropped.
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Scope, budget, shield};
/// use std::future::{Future, pending, poll_fn};
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
///
/// let (scope, frozen) = (Scope::detached(), std::cell::Cell::new(false));
/// let mut run = pin!(scope.run(async {
///     let mut clean_up = pin!(shield(pending::<()>()));
///     poll_fn(|cx| {
///         frozen.set(budget::is_frozen());
///         clean_up.as_mut().poll(cx)
///     })
///     .await
/// }));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(run.as_mut().poll(&mut cx).is_pending());
/// assert!(!frozen.get());
/// scope.cancel(Cause::requested("enough"));
/// assert!(run.as_mut().poll(&mut cx).is_pending());
/// assert!(frozen.get());
/// ```
#[inline]
pub fn is_frozen() -> bool {
    left::get() == FROZEN
}

/// True while this thread [inspects](inspect): who polls a set of futures of one task, each when it was
/// woken, then polls all of them, so that each can say what it waits for.
#[inline]
pub(crate) fn is_asked() -> bool {
    is_frozen() && left::is_asked()
}

/// True if nothing is left: for who polls several futures of one task, so that it is not always the
/// same one that spends what there is.
///
/// # Examples
///
/// ```
/// use pirn_core::budget::{self, BUDGET};
/// use std::task::{Context, Waker};
///
/// let _refilled = budget::refill();
/// let mut cx = Context::from_waker(Waker::noop());
/// for _ in 0..BUDGET {
///     assert!(!budget::is_spent() && budget::poll_spend(&mut cx).is_ready());
/// }
/// assert!(budget::is_spent());
/// ```
#[inline]
#[must_use]
pub fn is_spent() -> bool {
    left::get() == 0
}

impl Drop for Refilled {
    #[inline]
    fn drop(&mut self) {
        left::set(self.0);
    }
}

/// Spends one unit; at zero wakes the task and is pending.
///
/// A leaf calls it when it is about to give something, before it takes it. In a body that was
/// cancelled and is polled for its clean-up's sake alone, it is pending and wakes nobody: that body
/// does not go on.
///
/// # Examples
///
/// ```
/// use pirn_core::budget;
/// use std::task::{Context, Poll, Waker};
///
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(budget::poll_spend(&mut cx).is_ready()); // nobody set a bound
/// let refilled = budget::refill();
/// for _ in 0..budget::BUDGET {
///     assert!(budget::poll_spend(&mut cx).is_ready());
/// }
/// assert_eq!(budget::poll_spend(&mut cx), Poll::Pending);
/// drop(refilled);
/// assert!(budget::poll_spend(&mut cx).is_ready());
/// ```
#[inline]
#[track_caller]
pub fn poll_spend(cx: &mut Context<'_>) -> Poll<()> {
    match left::get() {
        UNBOUNDED => Poll::Ready(()),
        FROZEN => {
            note_place();
            Poll::Pending
        }
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        units => {
            left::set(units - 1);
            Poll::Ready(())
        }
    }
}
