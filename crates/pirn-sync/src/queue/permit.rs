//! Putting and getting in two steps: claim first, then make it good without waiting.

use super::flow::{Flow, GET, PUT};
use super::{Fifo, Order, OrderedQueue};
use crate::error::{Closed, PutError};
use core::fmt;
use core::mem::ManuallyDrop;

/// A place in a queue, kept free until it is filled, or given up as this is dropped: what
/// [`OrderedQueue::reserve_put`] gives.
#[must_use = "the place is given up as soon as this is dropped"]
pub struct PutPermit<'a, T, O: Order<T> = Fifo<T>>(&'a OrderedQueue<T, O>);

/// An item in a queue, set aside until it is taken, or left to the next as this is dropped: what
/// [`OrderedQueue::reserve_get`] gives.
#[must_use = "the item is left to the next as soon as this is dropped"]
pub struct GetPermit<'a, T, O: Order<T> = Fifo<T>>(&'a OrderedQueue<T, O>);

impl<'a, T, O: Order<T>> PutPermit<'a, T, O> {
    /// To be made by whoever was granted a place.
    pub(super) fn new(queue: &'a OrderedQueue<T, O>) -> Self {
        PutPermit(queue)
    }

    /// Puts the item in.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if the queue was closed meanwhile.
    pub fn put(self, item: T) -> Result<(), PutError<T>> {
        let queue = ManuallyDrop::new(self).0;
        queue.list.enter(|door| Flow::add(door, item))
    }
}

impl<'a, T, O: Order<T>> GetPermit<'a, T, O> {
    /// To be made by whoever was granted an item.
    pub(super) fn new(queue: &'a OrderedQueue<T, O>) -> Self {
        GetPermit(queue)
    }

    /// Takes the item that is now the next.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the queue was [closed and emptied](OrderedQueue::close_now) meanwhile.
    pub fn get(self) -> Result<T, Closed> {
        let queue = ManuallyDrop::new(self).0;
        queue.list.enter(|door| Flow::take(door))
    }
}

impl<T, O: Order<T>> Drop for PutPermit<'_, T, O> {
    fn drop(&mut self) {
        Flow::give_back(&self.0.list, PUT);
    }
}

impl<T, O: Order<T>> Drop for GetPermit<'_, T, O> {
    fn drop(&mut self) {
        Flow::give_back(&self.0.list, GET);
    }
}

impl<T, O: Order<T>> fmt::Debug for PutPermit<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutPermit").finish_non_exhaustive()
    }
}

impl<T, O: Order<T>> fmt::Debug for GetPermit<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetPermit").finish_non_exhaustive()
    }
}
