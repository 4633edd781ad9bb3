//! A receiver as a stream of the values that it has not seen.

use super::{Latest, NEWS, Receiver, poll_told};
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use pirn_core::wait::Waiter;

pin_project_lite::pin_project! {
    /// The values that a receiver has not seen, each the latest as it is looked at. See
    /// [`Receiver::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Changes<'a, T> {
        // Waits for news over `seen`, which is what the receiver has seen.
        #[pin]
        waiter: Waiter<'a, Latest<T>, 2>,
        seen: &'a mut u64,
    }
}

impl<T> Receiver<T> {
    /// What [`changed`](Self::changed) gives, again and again, as a stream. It ends once there is no
    /// sender and the last value was seen. It does not begin with a value that was seen before: that
    /// is [`latest`](Self::latest).
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream, or a future of its next value, leaves unseen what it did not give.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_sync::watch;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = watch::channel(0);
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// drop(sender);
    /// let seen: Vec<_> = receiver.stream().map(|value| *value).collect().await;
    /// assert_eq!(seen, [2]);
    /// # });
    /// ```
    pub fn stream(&mut self) -> Changes<'_, T> {
        Changes {
            waiter: Waiter::new(&self.list, NEWS, self.seen),
            seen: &mut self.seen,
        }
    }
}

impl<T> Stream for Changes<'_, T> {
    type Item = Arc<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<T>>> {
        let mut this = self.project();
        let told = ready!(poll_told(this.waiter.as_mut(), this.seen, cx));
        let list = this.waiter.list();
        this.waiter.set(Waiter::new(list, NEWS, **this.seen));
        Poll::Ready(told.ok())
    }
}

impl<T> fmt::Debug for Changes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
