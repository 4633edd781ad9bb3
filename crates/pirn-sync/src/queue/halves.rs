//! The two sides of a queue, each of which closes it as the last of its kind is dropped.

use core::fmt;
use core::ops::Deref;
use pirn_core::shim::Arc;
use pirn_core::shim::atomic::{AtomicUsize, Ordering, fence};

/// A producer's share in a queue: as the last one is dropped, the queue is closed, so that getters
/// hear of the end once it is empty.
///
/// One type under the names [`QueueSender`](crate::QueueSender) and
/// [`RendezvousSender`](crate::RendezvousSender). It derefs to the queue: a share in a side, not a
/// restriction to it.
///
/// # Examples
///
/// ```
/// use pirn_sync::{Queue, QueueSender};
///
/// let (sender, receiver) = Queue::bounded(2).split();
/// let another: QueueSender<u8> = sender.clone();
/// another.try_put(1).unwrap();
/// drop((sender, another));
/// assert_eq!(receiver.try_get(), Ok(1));
/// assert!(receiver.is_closed());
/// ```
pub struct SenderOf<Q: TwoSided>(Arc<Shared<Q>>);

/// A consumer's share in a queue: as the last one is dropped, the queue is closed and emptied, so
/// that putters hear that nobody will come.
///
/// One type under the names [`QueueReceiver`](crate::QueueReceiver) and
/// [`RendezvousReceiver`](crate::RendezvousReceiver). It derefs to the queue: a share in a side, not a
/// restriction to it.
///
/// # Examples
///
/// ```
/// use pirn_sync::{Queue, QueueReceiver};
///
/// let (sender, receiver) = Queue::bounded(2).split();
/// let receiver: QueueReceiver<u8> = receiver;
/// drop(receiver);
/// assert!(sender.try_put(1).is_err());
/// ```
pub struct ReceiverOf<Q: TwoSided>(Arc<Shared<Q>>);

/// What is between producers and consumers: a queue of this crate.
pub trait TwoSided {
    /// The last producer is gone.
    fn end_puts(&self);

    /// The last consumer is gone.
    fn end_gets(&self);
}

struct Shared<Q> {
    queue: Q,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// Splits a queue into its two sides.
pub(crate) fn split<Q: TwoSided>(queue: Q) -> (SenderOf<Q>, ReceiverOf<Q>) {
    let shared = Arc::new(Shared {
        queue,
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (SenderOf(Arc::clone(&shared)), ReceiverOf(shared))
}

/// Counts one more. The count cannot overflow, since the `Arc`'s, which grows with it, cannot.
fn enter(count: &AtomicUsize) {
    // Ordering: Relaxed, a share is made from one that exists.
    count.fetch_add(1, Ordering::Relaxed);
}

/// Counts one less. True for the last one, which sees what the others did before they left.
fn leave(count: &AtomicUsize) -> bool {
    // Ordering: Release, pairs with the fence below on the thread of the last one.
    let last = count.fetch_sub(1, Ordering::Release) == 1;
    if last {
        // Ordering: Acquire, pairs with the Release above on the threads of the others.
        fence(Ordering::Acquire);
    }
    last
}

impl<Q: TwoSided> Clone for SenderOf<Q> {
    fn clone(&self) -> Self {
        enter(&self.0.senders);
        SenderOf(Arc::clone(&self.0))
    }
}

impl<Q: TwoSided> Clone for ReceiverOf<Q> {
    fn clone(&self) -> Self {
        enter(&self.0.receivers);
        ReceiverOf(Arc::clone(&self.0))
    }
}

impl<Q: TwoSided> Drop for SenderOf<Q> {
    fn drop(&mut self) {
        if leave(&self.0.senders) {
            self.end_puts();
        }
    }
}

impl<Q: TwoSided> Drop for ReceiverOf<Q> {
    fn drop(&mut self) {
        if leave(&self.0.receivers) {
            self.end_gets();
        }
    }
}

impl<Q: TwoSided> Deref for SenderOf<Q> {
    type Target = Q;

    fn deref(&self) -> &Q {
        &self.0.queue
    }
}

impl<Q: TwoSided> Deref for ReceiverOf<Q> {
    type Target = Q;

    fn deref(&self) -> &Q {
        &self.0.queue
    }
}

impl<Q: TwoSided + fmt::Debug> fmt::Debug for SenderOf<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&**self).finish()
    }
}

impl<Q: TwoSided + fmt::Debug> fmt::Debug for ReceiverOf<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&**self).finish()
    }
}
