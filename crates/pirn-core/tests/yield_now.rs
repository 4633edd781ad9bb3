//! A turn for the others.

#[path = "loom/count.rs"]
mod count;

use count::Count;
use pirn_core::yield_now;
use std::future::Future;
use std::pin::pin;
use std::task::Context;

#[test]
fn it_is_pending_once_and_asks_for_its_next_turn() {
    let count = Count::new();
    let waker = count.waker();
    let mut cx = Context::from_waker(&waker);
    let mut turn = pin!(yield_now());
    assert!(turn.as_mut().poll(&mut cx).is_pending());
    assert_eq!(count.wakes(), 1);
    assert!(turn.as_mut().poll(&mut cx).is_ready());
    assert_eq!(count.wakes(), 1);
}
