//! The two sides of a queue, each of which closes it as the last of its kind is dropped.

use super::{Fifo, Order, OrderedQueue};
use core::fmt;
use core::ops::Deref;
use pirn_core::shim::Arc;
use pirn_core::shim::atomic::{AtomicUsize, Ordering, fence};

/// A producer's share in a queue: as the last one is dropped, the queue is
/// [closed](OrderedQueue::close), so that getters hear of the end once it is empty.
///
/// See [`OrderedQueue::split`]. It derefs to the queue: a share in a side, not a restriction to it.
pub struct QueueSender<T, O: Order<T> = Fifo<T>>(Arc<Shared<T, O>>);

/// A consumer's share in a queue: as the last one is dropped, the queue is
/// [closed and emptied](OrderedQueue::close_now), so that putters hear that nobody will come.
///
/// See [`OrderedQueue::split`]. It derefs to the queue: a share in a side, not a restriction to it.
pub struct QueueReceiver<T, O: Order<T> = Fifo<T>>(Arc<Shared<T, O>>);

struct Shared<T, O: Order<T>> {
    queue: OrderedQueue<T, O>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

impl<T, O: Order<T>> OrderedQueue<T, O> {
    /// Splits it into a sender and a receiver, both of which can be cloned and moved to other tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, receiver) = Queue::bounded(2).split();
    /// let producers = [1, 2].map(|item| {
    ///     let sender = sender.clone();
    ///     tokio::spawn(async move { sender.put(item).await.unwrap() })
    /// });
    /// drop(sender);
    /// let mut sum = 0;
    /// while let Ok(item) = receiver.get().await {
    ///     sum += item;
    /// }
    /// assert_eq!(sum, 3);
    /// # });
    /// ```
    pub fn split(self) -> (QueueSender<T, O>, QueueReceiver<T, O>) {
        let shared = Arc::new(Shared {
            queue: self,
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        });
        (QueueSender(Arc::clone(&shared)), QueueReceiver(shared))
    }
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

impl<T, O: Order<T>> Clone for QueueSender<T, O> {
    fn clone(&self) -> Self {
        enter(&self.0.senders);
        QueueSender(Arc::clone(&self.0))
    }
}

impl<T, O: Order<T>> Clone for QueueReceiver<T, O> {
    fn clone(&self) -> Self {
        enter(&self.0.receivers);
        QueueReceiver(Arc::clone(&self.0))
    }
}

impl<T, O: Order<T>> Drop for QueueSender<T, O> {
    fn drop(&mut self) {
        if leave(&self.0.senders) {
            self.close();
        }
    }
}

impl<T, O: Order<T>> Drop for QueueReceiver<T, O> {
    fn drop(&mut self) {
        if leave(&self.0.receivers) {
            drop(self.close_now());
        }
    }
}

impl<T, O: Order<T>> Deref for QueueSender<T, O> {
    type Target = OrderedQueue<T, O>;

    fn deref(&self) -> &OrderedQueue<T, O> {
        &self.0.queue
    }
}

impl<T, O: Order<T>> Deref for QueueReceiver<T, O> {
    type Target = OrderedQueue<T, O>;

    fn deref(&self) -> &OrderedQueue<T, O> {
        &self.0.queue
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueSender<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueSender").field(&**self).finish()
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueReceiver<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueReceiver").field(&**self).finish()
    }
}
