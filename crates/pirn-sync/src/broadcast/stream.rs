//! A receiver as a stream of items, and of word of those that it missed.

use super::{Receiver, RecvError, Ring, poll_taken};
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use pirn_core::wait::Waiter;

pin_project_lite::pin_project! {
    /// The items that a receiver sees, and how many it missed in between. See [`Receiver::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Items<'a, T> {
        // Waits for what comes at `next`, where the receiver is.
        #[pin]
        waiter: Waiter<'a, Ring<T>>,
        next: &'a mut u64,
    }
}

/// A [stream](Receiver::stream) of a receiver went over this many items, as [`RecvError::Lagged`], and
/// goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

impl<T: Clone> Receiver<T> {
    /// What [`recv`](Self::recv) gives, again and again, as a stream. It ends once there is no sender
    /// and nothing is left; that items were missed is not the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream, or a future of its next item, takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_sync::broadcast::{self, Lagged};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// for item in 1..=3 {
    ///     sender.send(item).unwrap();
    /// }
    /// drop(sender);
    /// let seen: Vec<_> = receiver.stream().collect().await;
    /// assert_eq!(seen, [Err(Lagged(1)), Ok(2), Ok(3)]);
    /// # });
    /// ```
    pub fn stream(&mut self) -> Items<'_, T> {
        Items {
            waiter: Waiter::new(&self.list, 0, self.next),
            next: &mut self.next,
        }
    }
}

impl<T: Clone> Stream for Items<'_, T> {
    type Item = Result<T, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let taken = ready!(poll_taken(this.waiter.as_mut(), this.next, cx));
        let list = this.waiter.list();
        // Before the item is cloned, which may panic.
        this.waiter.set(Waiter::new(list, 0, **this.next));
        Poll::Ready(match taken {
            Ok(taken) => Some(Ok(taken.into_item())),
            Err(RecvError::Lagged(missed)) => Some(Err(Lagged(missed))),
            Err(RecvError::Closed) => None,
        })
    }
}

impl<T> fmt::Debug for Items<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RecvError::Lagged(self.0).fmt(f)
    }
}

impl Error for Lagged {}
