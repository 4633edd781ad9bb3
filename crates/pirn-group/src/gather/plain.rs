//! A join: a gather of futures that cannot fail.

use super::Gather;
use crate::error::GroupError;
use pin_project_lite::pin_project;
use pirn_core::TaskMeta;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A future that cannot fail, for who wants a result.
    pub(super) struct Sure<F> {
        #[pin]
        future: F,
    }
}

impl<F> Sure<F> {
    pub(super) fn new(future: F) -> Self {
        Sure { future }
    }
}

impl<F: Future> Future for Sure<F> {
    type Output = Result<F::Output, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}

/// Gathers futures that are [`Sure`].
pub(super) async fn join<S, Form>(several: S, meta: TaskMeta) -> S::Values
where
    S: Gather<Form, Error = Infallible>,
{
    let place = meta.spawned_at();
    match several.gather(meta).await {
        Ok(values) => values,
        Err(error) => cancelled(&error, place),
    }
}

#[cold]
fn cancelled(error: &GroupError<Infallible>, place: &std::panic::Location<'_>) -> ! {
    panic!("a future of the join at {place} was cancelled alone and has no value: {error}")
}
