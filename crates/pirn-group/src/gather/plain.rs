//! A join: a gather of futures that cannot fail.

use crate::error::GroupError;
use pin_project_lite::pin_project;
use pirn_core::TaskMeta;
use std::convert::Infallible;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A future that cannot fail, for who wants a result.
    #[derive(Debug)]
    pub struct Sure<F> {
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

pin_project! {
    /// A gather of futures that are [`Sure`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Joining<G> {
        #[pin]
        gathering: G,
        // For a panic.
        place: &'static Location<'static>,
    }
}

impl<G> Joining<G> {
    #[inline]
    pub(super) fn new(gather: impl FnOnce(TaskMeta) -> G, meta: TaskMeta) -> Self {
        let place = meta.spawned_at();
        Joining {
            gathering: gather(meta),
            place,
        }
    }
}

impl<G, V> Future for Joining<G>
where
    G: Future<Output = Result<V, GroupError<Infallible>>>,
{
    type Output = V;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<V> {
        let this = self.project();
        match ready!(this.gathering.poll(cx)) {
            Ok(values) => Poll::Ready(values),
            Err(error) => cancelled(&error, this.place),
        }
    }
}

#[cold]
fn cancelled(error: &GroupError<Infallible>, place: &Location<'_>) -> ! {
    panic!("a future of the join at {place} was cancelled alone and has no value: {error}")
}
