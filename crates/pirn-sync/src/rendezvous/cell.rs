//! The item that a putter offers, where a getter may reach for it: the unsafe code of
//! [`Rendezvous`](super::Rendezvous).
//!
//! # Who touches an item
//!
//! | the putter's waiter | who may touch the item |
//! | --- | --- |
//! | does not wait yet, or left the line | the putter |
//! | waits | whoever holds the lock, in `take_next` |
//! | was granted | the putter: it finds its item gone, or there if the queue was closed |
//!
//! An item can be reached only through the waiter in its own [`Putter`], which is pinned when it
//! first waits, and which drops the waiter, and so leaves the line, before the item.

use super::meet::{Meet, Open, PUT};
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::shim::UnsafeCell;
use pirn_core::wait::{WaitList, Waiter};

pin_project_lite::pin_project! {
    /// An item and its place in the line of the putters.
    pub(super) struct Putter<'a, T> {
        list: &'a WaitList<Meet<T>, 2>,
        // `None` until it is polled first. Before the item, so that it is dropped before.
        #[pin]
        waiter: Option<Waiter<'a, Meet<T>, 2>>,
        #[pin]
        offer: Offer<T>,
    }
}

struct Offer<T> {
    item: UnsafeCell<Option<T>>,
    _pin: PhantomPinned,
}

/// Where a putter's item lies; a getter's waiter has none. Made and followed only in this file.
pub(super) struct Offered<T>(Option<NonNull<Offer<T>>>);

impl<T> Offered<T> {
    pub(super) const NONE: Self = Offered(None);
}

/// Takes the item of the first putter in line, who is granted that.
#[inline]
pub(super) fn take_next<T>(door: &mut Open<'_, T>) -> Option<T> {
    let next = door.head(PUT)?;
    let item = next.0.and_then(|offer| {
        // SAFETY: whoever waits in this queue has a waiter that was made in `Putter::poll`, with the
        // address of the item beside it, which is pinned and stays there until the waiter has left
        // the queue, which takes the lock.
        let offer = unsafe { offer.as_ref() };
        // SAFETY: the putter waits, so nobody touches the item but with the lock held, as here.
        offer.item.with_mut(|item| unsafe { (*item).take() })
    });
    door.grant_head(PUT, next);
    item
}

impl<'a, T> Putter<'a, T> {
    pub(super) fn new(list: &'a WaitList<Meet<T>, 2>, item: T) -> Self {
        Putter {
            list,
            waiter: None,
            offer: Offer {
                item: UnsafeCell::new(Some(item)),
                _pin: PhantomPinned,
            },
        }
    }

    /// Offers the item until a getter took it, or the queue is closed: then it is given back.
    ///
    /// In a body that was cancelled it leaves the line; if its item was taken before that, it is done
    /// when it is polled next.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), T>> {
        let mut this = self.project();
        if this.waiter.is_none() {
            let offered = Offered(Some(NonNull::from(this.offer.as_ref().get_ref())));
            this.waiter.set(Some(Waiter::new(this.list, PUT, offered)));
        }
        let mut waiter = this.waiter.as_pin_mut().expect("it was just made");
        let offer = this.offer.as_ref().get_ref();
        if waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            // SAFETY: a newcomer is in no list, so nobody else knows where the item is.
            if offer.item.with(|item| unsafe { (*item).is_none() }) {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(waiter.poll_granted(cx));
        // SAFETY: it took its grant, and is in no list any more.
        let left = offer.item.with_mut(|item| unsafe { (*item).take() });
        Poll::Ready(left.map_or(Ok(()), Err))
    }
}

// Not derived: the item need not be `Copy`.
impl<T> Clone for Offered<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Offered<T> {}

// SAFETY: it is a way to an item, which whoever has the lock takes out: that moves the item between
// threads.
unsafe impl<T: Send> Send for Offered<T> {}

// SAFETY: shared, it gives nothing: the item is reached through the lock, or through a pinned `&mut`.
unsafe impl<T: Send> Sync for Offer<T> {}
