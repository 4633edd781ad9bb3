//! A queue of no capacity: an item goes from hand to hand.
//!
//! # States
//!
//! Everything lies under the lock of one wait list with two queues of waiters, getters and putters.
//! A putter's item lies in its own future, where a getter takes it with the lock held.
//!
//! | count | meaning | counted up | counted down |
//! | --- | --- | --- | --- |
//! | `offers` | putters in line, each with its item | a putter comes (`admit`) | `take`; a putter leaves (`left`); `close` |
//! | `to_get` | offers set aside for getters who were granted one | `admit`, `settle` | the getter's own poll in `take`; `put_back`; `left`, with `revoke`; `close` |
//! | `revoked` | getters whose grant was revoked and who did not poll since | the wait list | the wait list |
//!
//! Always `to_get <= offers`, and a getter waits only while the two are equal. Which offer a grant
//! stands for is decided as it is made good: the first in line. So what may happen to the two sides:
//!
//! | | a putter comes | the first or another putter leaves | a getter comes |
//! | --- | --- | --- | --- |
//! | nobody, or only putters wait | it waits | the others stay | it takes the first one's item |
//! | only getters wait | it waits, and the first getter is granted | | it waits |
//! | getters are granted, as many as putters wait | it waits, and the next getter, if any, is granted | the last grant is revoked: that getter is at the head again | it waits |
//! | getters are granted, fewer than putters wait | it waits | the others stay | it takes the first one's item |
//!
//! | | the granted getter polls | it leaves | closed |
//! | --- | --- | --- | --- |
//! | its grant stands | it takes the item; that putter is granted, for good | the next getter, if any, is granted | all putters have their items back, all getters hear of the end |
//! | its grant was revoked | it keeps its waker there, and waits at the head | nothing | the same |
//!
//! A getter whose grant was revoked has used up its waker; why no wake-up is lost there is told at
//! the wait list, as is what happens if its task polls another getter first.

use crate::error::{Closed, PutError, TryGetError};
use crate::queue::halves::{ReceiverOf, SenderOf, TwoSided, split};
use alloc::vec::Vec;
use cell::{Offered, Putter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use meet::{GET, List, Meet, PUT, State};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::wait::{Policy, WaitList, Waiter};

mod cell;
mod meet;
mod streams;

pub use streams::{RendezvousSink, RendezvousStream};

/// A queue of no capacity: a put is done only when a getter has taken its item.
///
/// So who puts knows that the item has arrived, and nothing lies about that nobody may come for.
/// Where producers should run ahead a little, use a [`Queue`](crate::Queue). For one item and no
/// second one, use [`oneshot`](crate::oneshot).
///
/// An item lies in its [`put`](Self::put) until a getter's own poll takes it: a put that is cancelled
/// has its item still, or a getter has it, and a getter that is cancelled has taken none.
///
/// # What a queue does and this does not
///
/// - `try_put`: a getter that waits may be cancelled before it comes for the item, and then nobody
///   would have it. Poll a [`put`](Self::put) and drop it, if it is to be tried for a moment.
/// - `reserve_put` and `reserve_get`: the other side can leave at any time, so that neither permit
///   would be worth anything.
/// - `join`, `task_done` and `get_item`: a put that is done says that the item was taken; that it is
///   dealt with is for the taker to say, with a [`oneshot`](crate::oneshot) in the item, for example.
/// - `close_now`: there is nothing in it to be taken out.
///
/// # Fairness
///
/// On both sides the first to come is the first to be served, and [`try_get`](Self::try_get) does
/// not overtake those who wait. As with [`Lock`](crate::Lock#fairness), what was granted to a task
/// is had by whichever of its futures it polls first. A getter whose putter leaves before it came for
/// the item is the first again, with its task woken already: a task that then neither polls that
/// getter, nor another of its own, nor drops it keeps the place, and the items that are offered later
/// are set aside for it.
///
/// # Examples
///
/// ```
/// use pirn_sync::Rendezvous;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let counter = Rendezvous::new();
/// let customer = async {
///     counter.put("order").await?;
///     // It was taken: the waiter below is on the way.
///     counter.put("another").await
/// };
/// let waiter = async {
///     let first = counter.get().await;
///     counter.close();
///     first
/// };
/// let (served, order) = tokio::join!(customer, waiter);
/// assert_eq!(order, Ok("order"));
/// assert_eq!(served.unwrap_err().0, "another");
/// # });
/// ```
pub struct Rendezvous<T> {
    list: List<T>,
}

/// A producer's share in a rendezvous. See [`Rendezvous::split`].
pub type RendezvousSender<T> = SenderOf<Rendezvous<T>>;

/// A consumer's share in a rendezvous. See [`Rendezvous::split`].
pub type RendezvousReceiver<T> = ReceiverOf<Rendezvous<T>>;

/// Who waits at a rendezvous at one moment.
///
/// # Examples
///
/// ```
/// let meeting = pirn_sync::Rendezvous::<u8>::new();
/// meeting.close();
/// let now = meeting.statistics();
/// assert_eq!((now.getters, now.putters, now.is_closed), (0, 0, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RendezvousStatistics {
    /// Those who wait for an item.
    pub getters: usize,
    /// Those who wait for their item to be taken.
    pub putters: usize,
    /// Whether it was closed.
    pub is_closed: bool,
}

pin_project_lite::pin_project! {
    /// The future of [`Rendezvous::put`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Put<'a, T> {
        #[pin]
        putter: Putter<'a, T>,
        done: bool,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Rendezvous::get`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Get<'a, T> {
        #[pin]
        waiter: Waiter<'a, Meet<T>, 2>,
    }
}

impl<T> Rendezvous<T> {
    const_unless_loom! {
        /// A place where nobody waits yet.
        pub fn new() -> Self {
            Rendezvous { list: WaitList::new(Meet::new(), State::new()) }
        }
    }

    /// Splits it into a sender and a receiver, both of which can be cloned and moved to other tasks.
    /// It is [closed](Self::close) as the last one of a side is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{PutError, Rendezvous};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, receiver) = Rendezvous::new().split();
    /// let consumer = tokio::spawn(async move { receiver.get().await });
    /// sender.put('a').await.unwrap();
    /// assert_eq!(consumer.await.unwrap(), Ok('a'));
    /// // Nobody will come for this one.
    /// assert_eq!(sender.put('b').await, Err(PutError('b')));
    /// # });
    /// ```
    pub fn split(self) -> (RendezvousSender<T>, RendezvousReceiver<T>) {
        split(self)
    }

    /// True once it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        self.list.enter(|door| door.state().closed)
    }

    /// All of these figures at one moment. It looks at each of those who wait, with the lock held: for
    /// diagnosis.
    ///
    /// # Examples
    ///
    /// ```
    /// let now = pirn_sync::Rendezvous::<u8>::new().statistics();
    /// assert_eq!((now.getters, now.putters, now.is_closed), (0, 0, false));
    /// ```
    pub fn statistics(&self) -> RendezvousStatistics {
        self.list.enter(|door| {
            let [getters, putters] = [GET, PUT].map(|queue| door.waiting(queue));
            RendezvousStatistics {
                getters,
                putters,
                is_closed: door.state().closed,
            }
        })
    }

    /// Takes an item from somebody who waits for it to be taken, if nobody else is to have it.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`], or [`TryGetError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Rendezvous, TryGetError};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// assert_eq!(place.try_get(), Err(TryGetError::Empty));
    /// let (put, got) = tokio::join!(place.put('a'), async { place.try_get() });
    /// assert_eq!((put, got), (Ok(()), Ok('a')));
    /// # });
    /// ```
    pub fn try_get(&self) -> Result<T, TryGetError> {
        match Meet::get_now(&self.list) {
            Some(got) => got.map_err(|Closed| TryGetError::Closed),
            None => Err(TryGetError::Empty),
        }
    }

    /// Offers an item, and waits until a getter has taken it.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if it is closed before that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. The item is dropped with it, unless a getter has taken it
    /// by then.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Rendezvous;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let (put, got) = tokio::join!(place.put('a'), place.get());
    /// assert_eq!((put, got), (Ok(()), Ok('a')));
    /// # });
    /// ```
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put {
            putter: Putter::new(&self.list, item),
            done: false,
        }
    }

    /// Takes an item from the first who offers one, and waits while nobody does.
    ///
    /// # Errors
    ///
    /// [`Closed`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Closed, Rendezvous};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let (got, put) = tokio::join!(place.get(), place.put('a'));
    /// assert_eq!((got, put), (Ok('a'), Ok(())));
    /// place.close();
    /// assert_eq!(place.get().await, Err(Closed));
    /// # });
    /// ```
    #[inline]
    pub fn get(&self) -> Get<'_, T> {
        Get {
            waiter: Waiter::new(&self.list, GET, Offered::NONE),
        }
    }

    /// Takes the items of all who offer one, `limit` at most, and waits while nobody does: they are
    /// added to `items`. Gives how many they are.
    ///
    /// Takes nothing that was set aside for others who wait; with a `limit` of 0 it is done at once.
    ///
    /// # Errors
    ///
    /// [`Closed`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Rendezvous;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let mut items = Vec::new();
    /// let (a, b, taken) =
    ///     tokio::join!(place.put('a'), place.put('b'), place.get_many(&mut items, 9));
    /// assert_eq!((a, b, taken), (Ok(()), Ok(()), Ok(2)));
    /// assert_eq!(items, ['a', 'b']);
    /// # });
    /// ```
    pub async fn get_many(&self, items: &mut Vec<T>, limit: usize) -> Result<usize, Closed> {
        if limit == 0 {
            return Ok(0);
        }
        let before = items.len();
        let first = self.get().await?;
        // With the lock held nothing is to be allocated.
        let offers = self.list.enter(|door| door.state().offers);
        items.reserve(limit.min(offers + 1));
        items.push(first);
        Meet::get_many_now(&self.list, items, limit - 1);
        Ok(items.len() - before)
    }

    /// Closes it: nobody meets here any more. Those who wait to put have their items back, and those
    /// who wait to get hear [`Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Closed, PutError, Rendezvous};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let place = Rendezvous::new();
    /// let (put, ()) = tokio::join!(place.put('a'), async { place.close() });
    /// assert_eq!(put, Err(PutError('a')));
    /// assert_eq!(place.get().await, Err(Closed));
    /// # });
    /// ```
    pub fn close(&self) {
        Meet::close(&self.list);
    }
}

impl<T> TwoSided for Rendezvous<T> {
    fn end_puts(&self) {
        self.close();
    }

    fn end_gets(&self) {
        self.close();
    }
}

impl<T> Default for Rendezvous<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<(), PutError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        assert!(!*this.done, "a `Put` was polled after it was done");
        let put = ready!(this.putter.poll(cx));
        *this.done = true;
        Poll::Ready(put.map_err(PutError))
    }
}

impl<T> Future for Get<'_, T> {
    type Output = Result<T, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let list = this.waiter.list();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            if !list.policy().expects_wait(GET) {
                if let Some(got) = Meet::get_now(list) {
                    return Poll::Ready(got);
                }
            }
        }
        this.waiter.poll_grant(cx, |door, _| Meet::take(door))
    }
}

impl<T> fmt::Debug for Rendezvous<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendezvous")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").finish_non_exhaustive()
    }
}
