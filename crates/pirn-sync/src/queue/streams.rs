//! A queue as a stream of its items, and as a sink.

use super::flow::{Flow, PUT};
use super::{Fifo, Get, Order, OrderedQueue, PutPermit, poll_claim};
use crate::error::{Closed, PutError};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use futures_sink::Sink;
use pirn_core::wait::Waiter;

pin_project_lite::pin_project! {
    /// The items of a queue, until it is closed and empty. See [`OrderedQueue::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct QueueStream<'a, T, O: Order<T> = Fifo<T>> {
        #[pin]
        get: Get<'a, T, O>,
    }
}

pin_project_lite::pin_project! {
    /// A queue to put items in, as a sink. See [`OrderedQueue::sink`].
    #[must_use = "sinks do nothing unless polled"]
    pub struct QueueSink<'a, T, O: Order<T> = Fifo<T>> {
        #[pin]
        waiter: Waiter<'a, Flow<T, O>, 3>,
        queue: &'a OrderedQueue<T, O>,
        // The place that `poll_ready` found.
        place: Option<PutPermit<'a, T, O>>,
    }
}

impl<T, O: Order<T>> OrderedQueue<T, O> {
    /// The items as a stream, which ends once the queue is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream, or a future of its next item, takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(4);
    /// for item in 1..=3 {
    ///     queue.put(item).await.unwrap();
    /// }
    /// queue.close();
    /// let doubled: Vec<_> = queue.stream().map(|item| item * 2).collect().await;
    /// assert_eq!(doubled, [2, 4, 6]);
    /// # });
    /// ```
    pub fn stream(&self) -> QueueStream<'_, T, O> {
        QueueStream { get: self.get() }
    }

    /// The queue as a sink. Flushing it waits for nothing, and closing the sink does not close the
    /// queue, which may have other producers.
    ///
    /// # Cancel safety
    ///
    /// A place that the sink had reserved is given up as it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::SinkExt;
    /// use pirn_sync::Queue;
    /// use std::pin::pin;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(4);
    /// let mut sink = pin!(queue.sink());
    /// sink.send('a').await.unwrap();
    /// assert_eq!(queue.get().await, Ok('a'));
    /// # });
    /// ```
    pub fn sink(&self) -> QueueSink<'_, T, O> {
        QueueSink {
            waiter: Waiter::new(&self.list, PUT, ()),
            queue: self,
            place: None,
        }
    }
}

impl<T, O: Order<T>> Stream for QueueStream<'_, T, O> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.project().get.poll(cx).map(Result::ok)
    }
}

impl<T, O: Order<T>> Sink<T> for QueueSink<'_, T, O> {
    /// With the item, if there was one: the queue was closed.
    type Error = PutError<Option<T>>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.project();
        if this.place.is_none() {
            match ready!(poll_claim(this.waiter, PUT, cx)) {
                Ok(()) => *this.place = Some(PutPermit::new(this.queue)),
                Err(Closed) => return Poll::Ready(Err(PutError(None))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// # Panics
    ///
    /// If `poll_ready` did not say before that there is room for an item.
    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Self::Error> {
        let place = self.project().place.take();
        let place = place.expect("`start_send` was called before `poll_ready` was ready");
        place
            .put(item)
            .map_err(|PutError(item)| PutError(Some(item)))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        *self.project().place = None;
        Poll::Ready(Ok(()))
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueStream<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueStream").finish_non_exhaustive()
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueSink<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSink").finish_non_exhaustive()
    }
}
