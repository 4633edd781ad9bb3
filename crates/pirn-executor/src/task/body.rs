//! What a task polls: the user's future, which can be asked to end.

use pirn_core::{Cause, JoinError, budget, context};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// The user's future.
    pub(super) struct Body<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Body<F> {
    pub(super) fn new(future: F) -> Self {
        Body { future }
    }

    /// One poll of a task, with a fresh budget and isolated from what the thread polls outside;
    /// before it, the cancel request, if there is one to deliver.
    #[inline]
    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        cancel: Option<Cause>,
    ) -> Poll<Result<F::Output, JoinError>> {
        if let Some(cause) = cancel {
            return Poll::Ready(Err(JoinError::Cancelled(Arc::new(cause))));
        }
        let _refilled = budget::refill();
        context::isolate(|| self.project().future.poll(cx).map(Ok))
    }
}
