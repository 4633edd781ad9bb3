//! An item that counts as done when it is dropped.

use super::flow::Flow;
use super::{Fifo, Order, OrderedQueue};
use core::fmt;
use core::ops::{Deref, DerefMut};

/// An item out of a queue, which counts as [done](OrderedQueue::task_done) when this is dropped:
/// after the item itself, whether it was used up or a panic or a cancel came between.
///
/// See [`OrderedQueue::get_item`].
pub struct QueueItem<'a, T, O: Order<T> = Fifo<T>> {
    _done: Done<'a, T, O>,
    /// `None` only once it was taken out.
    item: Option<T>,
}

/// Counts an item as done.
struct Done<'a, T, O: Order<T>>(&'a OrderedQueue<T, O>);

impl<'a, T, O: Order<T>> QueueItem<'a, T, O> {
    pub(super) fn new(queue: &'a OrderedQueue<T, O>, item: T) -> Self {
        QueueItem {
            _done: Done(queue),
            item: Some(item),
        }
    }

    /// The item, which counts as done from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(1);
    /// queue.put(String::from("job")).await.unwrap();
    /// let job = queue.get_item().await.unwrap().into_inner();
    /// assert_eq!((job.as_str(), queue.unfinished()), ("job", 0));
    /// # });
    /// ```
    pub fn into_inner(mut self) -> T {
        self.item.take().expect("it is there until it is taken")
    }
}

impl<T, O: Order<T>> Deref for QueueItem<'_, T, O> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item.as_ref().expect("it is there until it is taken")
    }
}

impl<T, O: Order<T>> DerefMut for QueueItem<'_, T, O> {
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect("it is there until it is taken")
    }
}

impl<T, O: Order<T>> Drop for QueueItem<'_, T, O> {
    fn drop(&mut self) {
        // Before `_done`, which follows also if this panics.
        drop(self.item.take());
    }
}

impl<T, O: Order<T>> Drop for Done<'_, T, O> {
    fn drop(&mut self) {
        // If somebody called `task_done` for it, or the queue was emptied, all may be done already.
        Flow::count_done(&self.0.list);
    }
}

impl<T: fmt::Debug, O: Order<T>> fmt::Debug for QueueItem<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueItem").field(&**self).finish()
    }
}
