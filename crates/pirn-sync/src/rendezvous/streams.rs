//! A rendezvous as a stream of the items that come, and as a sink.

use super::cell::Putter;
use super::meet::List;
use super::{Get, Rendezvous};
use crate::error::PutError;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use futures_sink::Sink;

pin_project_lite::pin_project! {
    /// The items that are offered, until it is closed. See [`Rendezvous::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct RendezvousStream<'a, T> {
        #[pin]
        get: Get<'a, T>,
    }
}

pin_project_lite::pin_project! {
    /// One who puts, as a sink. See [`Rendezvous::sink`].
    #[must_use = "sinks do nothing unless polled"]
    pub struct RendezvousSink<'a, T> {
        list: &'a List<T>,
        // The item that is on offer.
        #[pin]
        putter: Option<Putter<'a, T>>,
    }
}

impl<T> Rendezvous<T> {
    /// The items as a stream, which ends once it is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream, or a future of its next item, takes no item. Only dropping the stream
    /// leaves the line: a stream whose next item is waited for no more keeps its place, and what it
    /// was granted is set aside for it. So poll it to the end or drop it; where others get items too,
    /// use [`get`](Self::get) for a wait that may be given up.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_sync::Rendezvous;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let producer = async {
    ///     for item in 1..=3 {
    ///         place.put(item).await.unwrap();
    ///     }
    ///     place.close();
    /// };
    /// let ((), got) = tokio::join!(producer, place.stream().collect::<Vec<_>>());
    /// assert_eq!(got, [1, 2, 3]);
    /// # });
    /// ```
    pub fn stream(&self) -> RendezvousStream<'_, T> {
        RendezvousStream { get: self.get() }
    }

    /// The putters' side as a sink. It holds one item, which is on offer while the sink is polled for
    /// the next or flushed; flushing it waits until that item was taken. Closing the sink flushes it,
    /// and does not close the rendezvous, which may have other producers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the sink takes back what it has on offer. Dropping a future that flushes it leaves
    /// the item on offer.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::SinkExt;
    /// use pirn_sync::Rendezvous;
    /// use std::pin::pin;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let mut sink = pin!(place.sink());
    /// let (sent, got) = tokio::join!(sink.send('a'), place.get());
    /// assert_eq!((sent, got), (Ok(()), Ok('a')));
    /// # });
    /// ```
    pub fn sink(&self) -> RendezvousSink<'_, T> {
        RendezvousSink {
            list: &self.list,
            putter: None,
        }
    }
}

impl<T> Stream for RendezvousStream<'_, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.project().get.poll(cx).map(Result::ok)
    }
}

impl<T> Sink<T> for RendezvousSink<'_, T> {
    /// With the item that was on offer, if there was one: the rendezvous was closed.
    type Error = PutError<Option<T>>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_flush(cx)
    }

    /// # Panics
    ///
    /// If an item is on offer, which `poll_ready` would have waited for.
    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Self::Error> {
        let mut this = self.project();
        let is_ready = this.putter.is_none();
        assert!(
            is_ready,
            "`start_send` was called before `poll_ready` was ready"
        );
        this.putter.set(Some(Putter::new(this.list, item)));
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let mut this = self.project();
        let Some(putter) = this.putter.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(()));
        };
        let put = ready!(putter.poll(cx));
        this.putter.set(None);
        Poll::Ready(put.map_err(|item| PutError(Some(item))))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_flush(cx)
    }
}

impl<T> fmt::Debug for RendezvousStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RendezvousStream").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for RendezvousSink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RendezvousSink").finish_non_exhaustive()
    }
}
