//! A waker that counts its wakes where the model checker can see it.

use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Count(AtomicUsize::new(0)))
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }

    pub(crate) fn wakes(&self) -> usize {
        // Ordering: Acquire, pairs with the Release in `wake`.
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `wakes`: a wake publishes its reason.
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Polls once with the given waker.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
