//! Queues between tasks: first in first out, last in first out, or by priority.
//!
//! # States
//!
//! Everything lies under the lock of one wait list with three queues of waiters: getters, putters,
//! and those who wait until all is done. Who is granted something gets a claim on it, not the thing:
//!
//! | word | meaning | grows in | shrinks in |
//! | --- | --- | --- | --- |
//! | `claimed` | items that are set aside for getters | `admit`, `settle`; `get_now`, `get_many_now` | `take`, `put_back`; `close_now` |
//! | `reserved` | places that are set aside for putters | `admit`, `settle`; `put_now` | `add`, `put_back`; `close` |
//! | `taken` | items that were taken out and are not done | `pop` | `count_done`; `close_now` |
//! | `limit` | the capacity; 0 once it is closed | | `close` |
//!
//! Always `claimed <= items.len()` and, unless closed, `items.len() + reserved <= limit`. Whenever the
//! lock is free, a getter waits only while all items are claimed, a putter only while all places are
//! taken or reserved; so who finds more than that need not look who waits before it. An item stays in
//! the queue until a getter's own poll takes it, so dropping a future loses no item. Which item a claim
//! stands for is decided as it is made good: the one that is then next.
//!
//! What can be worked out is not counted: a count that changes with each item is one more store
//! before the next exchange of the lock, which waits for all stores.

use crate::error::{Closed, PutError, TryGetError, TryPutError};
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use flow::{Flow, GET, JOIN, List, PUT, State};
use halves::{TwoSided, split};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::wait::{Policy, WaitList, Waiter};

mod flow;
pub(crate) mod halves;
mod item;
mod order;
mod permit;
mod streams;

pub use halves::{ReceiverOf, SenderOf};
pub use item::QueueItem;
pub use order::{ByPriority, Fifo, Lifo, Order, Priority};
pub use permit::{GetPermit, PutPermit};
pub use streams::{QueueSink, QueueStream};

/// A queue for many producers and many consumers, of at most so many items or of any number.
///
/// One type under three names, which differ in the order in which items come out: [`Queue`],
/// [`LifoQueue`] and [`PriorityQueue`].
///
/// Share it by reference or in an `Arc`, or [`split`](Self::split) it into halves that close it as
/// the last one of a side is dropped. To end it, [`close`](Self::close) it: what is in it can still
/// be taken out.
///
/// # Fairness
///
/// Among those who wait, the first to come is the first to be served, and neither
/// [`try_put`](Self::try_put) and [`try_get`](Self::try_get) nor newcomers overtake them. As with
/// [`Lock`](crate::Lock#fairness), what was granted to a task is had by whichever of its futures it
/// polls first.
///
/// # Work that is done
///
/// As in asyncio, each item counts as unfinished from its `put` until somebody calls
/// [`task_done`](Self::task_done) for it, and [`join`](Self::join) waits until none is. Who does
/// not use `join` need not call `task_done`. A [`QueueItem`] counts as done as it is dropped.
///
/// # Examples
///
/// ```
/// use pirn_sync::Queue;
/// use std::sync::Arc;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let queue = Arc::new(Queue::bounded(2));
/// let consumer = tokio::spawn({
///     let queue = Arc::clone(&queue);
///     async move {
///         let mut sum = 0;
///         while let Ok(item) = queue.get().await {
///             sum += item;
///         }
///         sum
///     }
/// });
/// for item in 1..=4 {
///     queue.put(item).await?;
/// }
/// queue.close();
/// assert_eq!(consumer.await.unwrap(), 10);
/// # Ok::<_, pirn_sync::PutError<i32>>(()) }).unwrap();
/// ```
pub struct OrderedQueue<T, O: Order<T>> {
    list: List<T, O>,
}

/// A queue whose items come out in the order in which they went in. What it does is told at
/// [`OrderedQueue`].
///
/// # Examples
///
/// ```
/// use pirn_sync::Queue;
///
/// let queue = Queue::bounded(2);
/// queue.try_put(1).unwrap();
/// queue.try_put(2).unwrap();
/// assert_eq!(queue.try_get(), Ok(1));
/// ```
pub type Queue<T> = OrderedQueue<T, Fifo<T>>;

/// A queue that gives the item first which was put in last. What it does is told at
/// [`OrderedQueue`].
///
/// # Examples
///
/// ```
/// use pirn_sync::LifoQueue;
///
/// let stack = LifoQueue::bounded(2);
/// stack.try_put(1).unwrap();
/// stack.try_put(2).unwrap();
/// assert_eq!(stack.try_get(), Ok(2));
/// ```
pub type LifoQueue<T> = OrderedQueue<T, Lifo<T>>;

/// A queue of pairs of a [priority](Priority) and an item, that gives the pair of the least priority
/// first, as asyncio's does, and of equal ones the one that was put in first. What else it does is
/// told at [`OrderedQueue`].
///
/// # Examples
///
/// ```
/// use pirn_sync::PriorityQueue;
///
/// let jobs = PriorityQueue::unbounded();
/// for job in [(2, "late"), (1, "soon"), (2, "later")] {
///     jobs.try_put(job).unwrap();
/// }
/// assert_eq!(jobs.try_get(), Ok((1, "soon")));
/// assert_eq!(jobs.try_get(), Ok((2, "late")));
/// ```
pub type PriorityQueue<P, T> = OrderedQueue<(P, T), ByPriority<P, T>>;

/// A producer's share in a queue. See [`OrderedQueue::split`].
pub type QueueSender<T, O = Fifo<T>> = SenderOf<OrderedQueue<T, O>>;

/// A consumer's share in a queue. See [`OrderedQueue::split`].
pub type QueueReceiver<T, O = Fifo<T>> = ReceiverOf<OrderedQueue<T, O>>;

/// What is in a queue at one moment, and who waits at it: what [`OrderedQueue::statistics`] gives.
///
/// # Examples
///
/// ```
/// use pirn_sync::Queue;
///
/// let queue = Queue::bounded(2);
/// queue.try_put("job").unwrap();
/// let now = queue.statistics();
/// assert_eq!((now.len, now.capacity, now.unfinished), (1, 2, 1));
/// assert_eq!((now.getters, now.is_closed), (0, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// Items in it.
    pub len: usize,
    /// How many it holds at most; `usize::MAX` if there is no bound.
    pub capacity: usize,
    /// Items that were put and are not done.
    pub unfinished: usize,
    /// Those who wait for an item.
    pub getters: usize,
    /// Those who wait for a place.
    pub putters: usize,
    /// Those who wait until all is done.
    pub joiners: usize,
    /// Whether it was closed.
    pub is_closed: bool,
}

pin_project_lite::pin_project! {
    /// The future of [`OrderedQueue::put`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Put<'a, T, O: Order<T> = Fifo<T>> {
        #[pin]
        waiter: Waiter<'a, Flow<T, O>, 3>,
        // `None` once it is done.
        item: Option<T>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`OrderedQueue::get`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Get<'a, T, O: Order<T> = Fifo<T>> {
        #[pin]
        waiter: Waiter<'a, Flow<T, O>, 3>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`OrderedQueue::join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Join<'a, T, O: Order<T> = Fifo<T>> {
        #[pin]
        waiter: Waiter<'a, Flow<T, O>, 3>,
    }
}

impl<T, O: Order<T>> OrderedQueue<T, O> {
    const_unless_loom! {
        /// An empty queue that holds at most `capacity` items. Memory is taken as items come.
        ///
        /// # Panics
        ///
        /// If `capacity` is 0. A queue that holds nothing is a [`Rendezvous`](crate::Rendezvous).
        #[track_caller]
        pub fn bounded(capacity: usize) -> Self {
            assert!(capacity > 0, "the capacity of a queue is at least 1, and 0 was asked for");
            OrderedQueue { list: WaitList::new(Flow::new(), State::new(O::EMPTY, capacity)) }
        }
    }

    const_unless_loom! {
        /// An empty queue without a bound: a put never waits. Nothing keeps a producer that is
        /// faster than the consumers from filling the memory; prefer [`bounded`](Self::bounded).
        ///
        /// # Examples
        ///
        /// ```
        /// let queue = pirn_sync::Queue::unbounded();
        /// for item in 0..10_000 {
        ///     queue.try_put(item).unwrap();
        /// }
        /// assert_eq!((queue.len(), queue.capacity()), (10_000, usize::MAX));
        /// ```
        pub fn unbounded() -> Self {
            OrderedQueue { list: WaitList::new(Flow::new(), State::new(O::EMPTY, usize::MAX)) }
        }
    }

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
        split(self)
    }

    /// How many items it holds at most; `usize::MAX` if there is no bound.
    pub fn capacity(&self) -> usize {
        self.look(|state| state.capacity)
    }

    /// How many items are in it, with those that getters are about to take.
    pub fn len(&self) -> usize {
        self.look(|state| state.items.len())
    }

    /// True if no item is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if it holds as many items as it can.
    pub fn is_full(&self) -> bool {
        self.look(|state| state.items.len() >= state.capacity)
    }

    /// How many items were put and are not [done](Self::task_done).
    pub fn unfinished(&self) -> usize {
        self.look(|state| state.unfinished())
    }

    /// True once it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        self.look(|state| state.is_closed())
    }

    /// All of these figures at one moment. It looks at each of those who wait, with the queue locked:
    /// for diagnosis.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = pirn_sync::Queue::bounded(4);
    /// queue.try_put('a').unwrap();
    /// let now = queue.statistics();
    /// assert_eq!((now.len, now.capacity, now.unfinished, now.getters), (1, 4, 1, 0));
    /// ```
    pub fn statistics(&self) -> QueueStatistics {
        self.list.enter(|door| {
            let [getters, putters, joiners] = [GET, PUT, JOIN].map(|queue| door.waiting(queue));
            let state = door.state();
            QueueStatistics {
                len: state.items.len(),
                capacity: state.capacity,
                unfinished: state.unfinished(),
                getters,
                putters,
                joiners,
                is_closed: state.is_closed(),
            }
        })
    }

    fn look<R>(&self, look: impl FnOnce(&State<O>) -> R) -> R {
        self.list.enter(|door| look(door.state()))
    }

    /// Puts an item in if there is room and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TryPutError::Full`] or [`TryPutError::Closed`], with the item.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Queue, TryPutError};
    ///
    /// let queue = Queue::bounded(1);
    /// queue.try_put('a').unwrap();
    /// assert_eq!(queue.try_put('b'), Err(TryPutError::Full('b')));
    /// ```
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let mut item = Some(item);
        match (Flow::put_now(&self.list, &mut item), item) {
            (Some(put), _) => put.map_err(|PutError(item)| TryPutError::Closed(item)),
            (None, Some(item)) => Err(TryPutError::Full(item)),
            (None, None) => unreachable!("what was not put is still here"),
        }
    }

    /// Takes the next item out if there is one for which nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`]; [`TryGetError::Closed`] if it is closed and nothing is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Queue, TryGetError};
    ///
    /// let queue = Queue::bounded(1);
    /// queue.try_put('a').unwrap();
    /// assert_eq!(queue.try_get(), Ok('a'));
    /// assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    /// ```
    pub fn try_get(&self) -> Result<T, TryGetError> {
        match Flow::get_now(&self.list) {
            Some(got) => got.map_err(|Closed| TryGetError::Closed),
            None => Err(TryGetError::Empty),
        }
    }

    /// Puts an item in, and waits while there is no room.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if the queue is closed before the item is in it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; the item was not put, and is dropped with it.
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, O> {
        Put {
            waiter: Waiter::new(&self.list, PUT, ()),
            item: Some(item),
        }
    }

    /// Takes the next item out, and waits while there is none.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    #[inline]
    pub fn get(&self) -> Get<'_, T, O> {
        Get {
            waiter: Waiter::new(&self.list, GET, ()),
        }
    }

    /// Takes all items that are there, `limit` at most, and waits while there is none: they are added
    /// to `items`. Gives how many they are.
    ///
    /// One look at the queue serves for all. Takes nothing that was set aside for others who wait;
    /// with a `limit` of 0 it is done at once.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(8);
    /// for item in 1..=5 {
    ///     queue.put(item).await.unwrap();
    /// }
    /// let mut items = Vec::new();
    /// assert_eq!(queue.get_many(&mut items, 3).await, Ok(3));
    /// assert_eq!(items, [1, 2, 3]);
    /// # });
    /// ```
    pub async fn get_many(&self, items: &mut Vec<T>, limit: usize) -> Result<usize, Closed> {
        if limit == 0 {
            return Ok(0);
        }
        let before = items.len();
        let first = self.get().await?;
        // With the queue locked nothing is to be allocated.
        items.reserve(limit.min(self.len() + 1));
        items.push(first);
        Flow::get_many_now(&self.list, items, limit - 1);
        Ok(items.len() - before)
    }

    /// As [`get`](Self::get), for an item that counts as [done](Self::task_done) when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(8);
    /// queue.put("job").await.unwrap();
    /// let job = queue.get_item().await.unwrap();
    /// assert_eq!((*job, queue.unfinished()), ("job", 1));
    /// drop(job);
    /// assert_eq!(queue.unfinished(), 0);
    /// # });
    /// ```
    pub async fn get_item(&self) -> Result<QueueItem<'_, T, O>, Closed> {
        Ok(QueueItem::new(self, self.get().await?))
    }

    /// Waits for a place, for an item that is made once there is one. [`PutPermit::put`] fills it at
    /// once.
    ///
    /// So an item need not be made before there is room for it, and cannot be lost where the future
    /// is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the queue is closed before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; a place that it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(1);
    /// let place = queue.reserve_put().await.unwrap();
    /// assert!(queue.try_put("another").is_err());
    /// place.put("made now").unwrap();
    /// assert_eq!(queue.try_get(), Ok("made now"));
    /// # });
    /// ```
    pub async fn reserve_put(&self) -> Result<PutPermit<'_, T, O>, Closed> {
        self.granted(PUT).await?;
        Ok(PutPermit::new(self))
    }

    /// Waits for an item, and leaves it in the queue until [`GetPermit::get`] takes it. A permit that
    /// is dropped leaves it to the next.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; an item that had been set aside for it goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(1);
    /// queue.put("job").await.unwrap();
    /// let claim = queue.reserve_get().await.unwrap();
    /// assert!(queue.try_get().is_err());
    /// drop(claim);
    /// assert_eq!(queue.try_get(), Ok("job"));
    /// # });
    /// ```
    pub async fn reserve_get(&self) -> Result<GetPermit<'_, T, O>, Closed> {
        self.granted(GET).await?;
        Ok(GetPermit::new(self))
    }

    /// Waits until something is set aside in a queue of the wait list, and keeps it so.
    async fn granted(&self, queue: usize) -> Result<(), Closed> {
        let mut waiter = core::pin::pin!(Waiter::new(&self.list, queue, ()));
        core::future::poll_fn(|cx| poll_claim(waiter.as_mut(), queue, cx)).await
    }

    /// Says that one of the items which were taken out is done.
    ///
    /// # Panics
    ///
    /// If all items that were ever put are done.
    #[track_caller]
    pub fn task_done(&self) {
        assert!(
            Flow::count_done(&self.list),
            "task_done() was called more often than items were put: 0 are unfinished"
        );
    }

    /// Waits until all items that were put are [done](Self::task_done).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(8);
    /// queue.put("job").await?;
    /// let worker = async {
    ///     let job = queue.get().await.unwrap();
    ///     assert_eq!(job, "job");
    ///     queue.task_done();
    /// };
    /// tokio::join!(queue.join(), worker);
    /// assert_eq!(queue.unfinished(), 0);
    /// # Ok::<_, pirn_sync::PutError<&str>>(()) }).unwrap();
    /// ```
    #[inline]
    pub fn join(&self) -> Join<'_, T, O> {
        Join {
            waiter: Waiter::new(&self.list, JOIN, ()),
        }
    }

    /// Closes it: nothing more can be put in, also by those who wait to. What is in it can be taken
    /// out; then getters hear [`Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Closed, PutError, Queue};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let queue = Queue::bounded(8);
    /// queue.put(1).await.unwrap();
    /// queue.close();
    /// assert_eq!(queue.put(2).await, Err(PutError(2)));
    /// assert_eq!(queue.get().await, Ok(1));
    /// assert_eq!(queue.get().await, Err(Closed));
    /// # });
    /// ```
    pub fn close(&self) {
        Flow::close(&self.list);
    }

    /// Closes it and takes out what is in it: the items, in their order, for the caller to deal with.
    /// They count as done.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Queue;
    ///
    /// let queue = Queue::bounded(8);
    /// queue.try_put(1).unwrap();
    /// queue.try_put(2).unwrap();
    /// assert_eq!(queue.close_now(), [1, 2]);
    /// assert_eq!(queue.unfinished(), 0);
    /// assert!(queue.is_closed());
    /// ```
    pub fn close_now(&self) -> Vec<T> {
        let mut items = Flow::close_now(&self.list);
        core::iter::from_fn(|| items.pop()).collect()
    }
}

impl<T, O: Order<T>> TwoSided for OrderedQueue<T, O> {
    fn end_puts(&self) {
        self.close();
    }

    fn end_gets(&self) {
        drop(self.close_now());
    }
}

/// Polls for a claim in a queue of the wait list, which stays when this is ready.
fn poll_claim<T, O: Order<T>>(
    mut waiter: Pin<&mut Waiter<'_, Flow<T, O>, 3>>,
    queue: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Closed>> {
    if waiter.as_mut().newcomer().is_some() {
        ready!(budget::poll_spend(cx));
    }
    waiter.poll_grant(cx, |door, ()| Flow::confirm(door, queue))
}

impl<T, O: Order<T>> Future for Put<'_, T, O> {
    type Output = Result<(), PutError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let item = this.item;
        assert!(item.is_some(), "a `Put` was polled after it was done");
        let list = this.waiter.list();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            if !list.policy().expects_wait(PUT) {
                if let Some(put) = Flow::put_now(list, item) {
                    return Poll::Ready(put);
                }
            }
        }
        this.waiter.poll_grant(cx, |door, ()| match item.take() {
            Some(item) => Flow::add(door, item),
            None => Ok(()),
        })
    }
}

impl<T, O: Order<T>> Future for Get<'_, T, O> {
    type Output = Result<T, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let list = this.waiter.list();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            if !list.policy().expects_wait(GET) {
                if let Some(got) = Flow::get_now(list) {
                    return Poll::Ready(got);
                }
            }
        }
        this.waiter.poll_grant(cx, |door, ()| Flow::take(door))
    }
}

impl<T, O: Order<T>> Future for Join<'_, T, O> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
        }
        this.waiter.poll_granted(cx)
    }
}

impl<T, O: Order<T>> fmt::Debug for OrderedQueue<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, capacity, unfinished, closed) = self.look(|state| {
            (
                state.items.len(),
                state.capacity,
                state.unfinished(),
                state.is_closed(),
            )
        });
        f.debug_struct("Queue")
            .field("len", &len)
            .field("capacity", &capacity)
            .field("unfinished", &unfinished)
            .field("is_closed", &closed)
            .finish()
    }
}

impl<T, O: Order<T>> fmt::Debug for Put<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").finish_non_exhaustive()
    }
}

impl<T, O: Order<T>> fmt::Debug for Get<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").finish_non_exhaustive()
    }
}

impl<T, O: Order<T>> fmt::Debug for Join<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
