//! A bounded queue between tasks.
//!
//! # States
//!
//! Everything lies under the lock of one wait list with three queues of waiters: getters, putters,
//! and those who wait until all is done. Who is granted something gets a claim on it, not the thing:
//!
//! | count | meaning | counted up | counted down |
//! | --- | --- | --- | --- |
//! | `to_get` | items set aside for getters who were granted one | `admit`, `settle` | the getter's own poll in `State::take`; `put_back` |
//! | `to_put` | places set aside for putters who were granted one | `admit`, `settle` | the putter's own poll in `State::add`; `put_back`; `close` |
//! | `unfinished` | items put and not yet done | `State::add` | `task_done` |
//!
//! Always `to_get <= items.len()` and, unless closed, `items.len() + to_put <= capacity`; a getter
//! waits only while all items are set aside, a putter only while all places are. An item stays in
//! the queue until a getter's own poll takes it, so dropping a future loses no item.

use crate::error::{Closed, PutError, TryGetError, TryPutError};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A first-in first-out queue of at most so many items, for many producers and many consumers.
///
/// Share it by reference or in an `Arc`. To end it, [`close`](Self::close) it: what is in it can
/// still be taken out.
///
/// # Fairness
///
/// Items come out in the order in which they went in. Among those who wait, the first to come is
/// the first to be served, and neither [`try_put`](Self::try_put) and [`try_get`](Self::try_get)
/// nor newcomers overtake them. As with [`Lock`](crate::Lock#fairness), what was granted to a task
/// is had by whichever of its futures it polls first.
///
/// # Work that is done
///
/// As in asyncio, each item counts as unfinished from its `put` until somebody calls
/// [`task_done`](Self::task_done) for it, and [`join`](Self::join) waits until none is. Who does
/// not use `join` need not call `task_done`.
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
pub struct Queue<T> {
    list: WaitList<Flow<T>, 3>,
}

pin_project_lite::pin_project! {
    /// The future of [`Queue::put`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Put<'a, T> {
        #[pin]
        waiter: Waiter<'a, Flow<T>, 3>,
        // `None` once it is done.
        item: Option<T>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Queue::get`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Get<'a, T> {
        #[pin]
        waiter: Waiter<'a, Flow<T>, 3>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Queue::join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Join<'a, T> {
        #[pin]
        waiter: Waiter<'a, Flow<T>, 3>,
    }
}

/// The queues of the wait list.
const GET: usize = 0;
const PUT: usize = 1;
const JOIN: usize = 2;

/// Beside the lock: which way a newcomer would probably have to wait.
struct Flow<T> {
    empty: AtomicBool,
    full: AtomicBool,
    _items: PhantomData<fn() -> T>,
}

struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    to_get: usize,
    to_put: usize,
    unfinished: usize,
    closed: bool,
}

impl<T> Queue<T> {
    const_unless_loom! {
        /// An empty queue that holds at most `capacity` items. Memory is taken as items come.
        ///
        /// # Panics
        ///
        /// If `capacity` is 0.
        #[track_caller]
        pub fn bounded(capacity: usize) -> Self {
            assert!(capacity > 0, "the capacity of a queue is at least 1, and 0 was asked for");
            let state = State {
                items: VecDeque::new(),
                capacity,
                to_get: 0,
                to_put: 0,
                unfinished: 0,
                closed: false,
            };
            let flow = Flow {
                empty: AtomicBool::new(true),
                full: AtomicBool::new(false),
                _items: PhantomData,
            };
            Queue { list: WaitList::new(flow, state) }
        }
    }

    /// How many items it holds at most.
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
        self.look(|state| state.unfinished)
    }

    /// True once it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        self.look(|state| state.closed)
    }

    fn look<R>(&self, look: impl FnOnce(&State<T>) -> R) -> R {
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
        match (State::put_now(&self.list, &mut item), item) {
            (Some(put), _) => put.map_err(|PutError(item)| TryPutError::Closed(item)),
            (None, Some(item)) => Err(TryPutError::Full(item)),
            (None, None) => unreachable!("what was not put is still here"),
        }
    }

    /// Takes the first item out if there is one for which nobody waits.
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
        match State::get_now(&self.list) {
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
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put {
            waiter: Waiter::new(&self.list, PUT, ()),
            item: Some(item),
        }
    }

    /// Takes the first item out, and waits while there is none.
    ///
    /// # Errors
    ///
    /// [`Closed`], if it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and takes no item.
    #[inline]
    pub fn get(&self) -> Get<'_, T> {
        Get {
            waiter: Waiter::new(&self.list, GET, ()),
        }
    }

    /// Says that one of the items which were taken out is done.
    ///
    /// # Panics
    ///
    /// If all items that were ever put are done.
    #[track_caller]
    pub fn task_done(&self) {
        let counted = self.list.enter(|door| {
            let state = door.state();
            let counted = state.unfinished > 0;
            state.unfinished -= usize::from(counted);
            Flow::settle(door, JOIN);
            counted
        });
        assert!(
            counted,
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
    pub fn join(&self) -> Join<'_, T> {
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
        self.list.enter(|door| {
            let state = door.state();
            state.closed = true;
            state.to_put = 0;
            Flow::settle(door, PUT);
            Flow::settle(door, GET);
        });
    }
}

type List<T> = WaitList<Flow<T>, 3>;

impl<T> State<T> {
    /// Puts the item in, unless it would have to wait.
    #[inline]
    fn put_now(list: &List<T>, item: &mut Option<T>) -> Option<Result<(), PutError<T>>> {
        list.enter(|door| {
            Flow::admit(door, PUT, ())?;
            item.take().map(|item| State::add(door, item))
        })
    }

    /// Takes the first item, unless it would have to wait.
    #[inline]
    fn get_now(list: &List<T>) -> Option<Result<T, Closed>> {
        list.enter(|door| Flow::admit(door, GET, ()).map(|()| State::take(door)))
    }

    /// Sets an item aside for a getter, or lets it hear that there will be none.
    #[inline]
    fn grant_get(&mut self) -> bool {
        let ended = self.closed && self.items.is_empty();
        let granted = self.items.len() > self.to_get;
        self.to_get += usize::from(granted);
        granted || ended
    }

    /// Sets a place aside for a putter, or lets it hear that there will be none.
    #[inline]
    fn grant_put(&mut self) -> bool {
        let granted = !self.closed && self.items.len() + self.to_put < self.capacity;
        self.to_put += usize::from(granted);
        granted || self.closed
    }

    /// Takes the item that was set aside for the caller.
    #[inline]
    fn take(door: &mut Door<'_, Flow<T>, 3>) -> Result<T, Closed> {
        let state = door.state();
        let item = state.items.pop_front().ok_or(Closed)?;
        state.to_get -= 1;
        let ends = state.closed && state.items.is_empty();
        Flow::settle(door, PUT);
        if ends {
            Flow::settle(door, GET);
        }
        Flow::note(door);
        Ok(item)
    }

    /// Fills the place that was set aside for the caller.
    #[inline]
    fn add(door: &mut Door<'_, Flow<T>, 3>, item: T) -> Result<(), PutError<T>> {
        let state = door.state();
        if state.closed {
            return Err(PutError(item));
        }
        state.items.push_back(item);
        state.to_put -= 1;
        state.unfinished += 1;
        Flow::settle(door, GET);
        Flow::note(door);
        Ok(())
    }
}

impl<T> Flow<T> {
    /// Brings the hints up to date.
    #[inline]
    fn note(door: &mut Door<'_, Self, 3>) {
        let state = door.state();
        let empty = state.items.len() <= state.to_get;
        let full = state.items.len() + state.to_put >= state.capacity;
        // Ordering: Relaxed, hints: whoever acts on one looks again with the list locked.
        door.policy().empty.store(empty, Ordering::Relaxed);
        door.policy().full.store(full, Ordering::Relaxed);
    }
}

impl<T> Policy<3> for Flow<T> {
    type State = State<T>;
    type Want = ();

    // What is granted is a claim, made good with the lock held.
    const UNLOCKED: bool = false;

    #[inline]
    fn admit(door: &mut Door<'_, Self, 3>, queue: usize, (): ()) -> Option<()> {
        let first = !door.has_waiting(queue);
        let state = door.state();
        let granted = match queue {
            GET => first && state.grant_get(),
            PUT => first && state.grant_put(),
            _ => state.unfinished == 0,
        };
        granted.then_some(())
    }

    fn put_back(door: &mut Door<'_, Self, 3>, queue: usize, (): ()) {
        let state = door.state();
        match queue {
            // None was set aside for those who were to hear the end.
            GET => state.to_get = state.to_get.saturating_sub(1),
            PUT => state.to_put = state.to_put.saturating_sub(1),
            _ => {}
        }
    }

    #[inline]
    fn settle(door: &mut Door<'_, Self, 3>, queue: usize) {
        while door.has_waiting(queue) {
            let state = door.state();
            let granted = match queue {
                GET => state.grant_get(),
                PUT => state.grant_put(),
                _ => state.unfinished == 0,
            };
            if !granted {
                return;
            }
            door.grant_head(queue, ());
        }
    }

    fn transfers(queue: usize, (): ()) -> bool {
        // Who was told that all is done was told for good.
        queue != JOIN
    }

    #[inline]
    fn expects_wait(&self, queue: usize) -> bool {
        // Ordering: Relaxed, a hint: a wrong one costs a clone of a waker, or one more look.
        match queue {
            GET => self.empty.load(Ordering::Relaxed),
            PUT => self.full.load(Ordering::Relaxed),
            _ => true,
        }
    }
}

impl<T> Future for Put<'_, T> {
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
                if let Some(put) = State::put_now(list, item) {
                    return Poll::Ready(put);
                }
            }
        }
        this.waiter.poll_grant(cx, |door, ()| match item.take() {
            Some(item) => State::add(door, item),
            None => Ok(()),
        })
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
                if let Some(got) = State::get_now(list) {
                    return Poll::Ready(got);
                }
            }
        }
        this.waiter.poll_grant(cx, |door, ()| State::take(door))
    }
}

impl<T> Future for Join<'_, T> {
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

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, capacity, unfinished, closed) = self.look(|state| {
            (
                state.items.len(),
                state.capacity,
                state.unfinished,
                state.closed,
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

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
