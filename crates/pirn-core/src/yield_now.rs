//! A turn for the others.

use crate::budget::poll_spend;
use core::future::poll_fn;
use core::task::Poll;

/// Gives the other tasks that are ready a turn, once.
///
/// As asyncio's `sleep(0)`.
///
/// # Cancel safety
///
/// Dropping it does nothing.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use std::task::{Context, Waker};
///
/// let mut turn = pin!(pirn_core::yield_now());
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(turn.as_mut().poll(&mut cx).is_pending());
/// assert!(turn.as_mut().poll(&mut cx).is_ready());
/// ```
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return poll_spend(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
