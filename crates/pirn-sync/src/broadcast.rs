//! Every item to every receiver, from a ring of bounded size: who is slow is told exactly how many it
//! missed.
//!
//! Made by [`channel`]. Where each item is for one receiver, use a [`Queue`](crate::Queue); where the
//! latest is enough, [`watch`](crate::watch).

// # States
//
// Everything lies under the lock of one wait list, in which receivers wait for items. Items have
// positions, counted from 0; the ring holds those from `end - items.len()` up to `end`.
//
// | what | meaning | changed by |
// | --- | --- | --- |
// | `items` | the latest items that somebody has still to see, at most `capacity` | `State::push`, `State::take`, `State::leave` |
// | `Slot::left` | how many receivers have still to see the item | the same three |
// | `end` | the position of the next item | `State::push` |
// | `senders`, `receivers` | how many there are | `clone`, `subscribe`, drop |
// | `Receiver::next` | the position of the item that the receiver sees next | `State::take`, in the receiver's own poll |
//
// Every receiver sees items in order, so `left` is the number of receivers whose `next` is not
// beyond the slot, and grows towards the end: an item that nobody has still to see is the first. A
// receiver whose `next` is before the ring has missed what lies between, and no more.
//
// Items lie behind an `Arc`: what happens under the lock is a move of pointers. Clones are made,
// and items dropped, after it is unlocked. The price is an allocation for each item.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::shim;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

mod stream;

pub use stream::{Items, Lagged};

/// The half that sends. Clone it for more senders.
///
/// Sending never waits: a receiver that is too slow misses the oldest items, and hears
/// [how many](RecvError::Lagged). Where senders should wait instead, give each receiver a
/// [`Queue`](crate::Queue); where only the latest value counts, take a [`watch`](crate::watch)
/// channel.
///
/// # Fairness
///
/// All senders' items have one order, in which all receivers see them. An item wakes all who wait,
/// in the order in which they came.
///
/// # Examples
///
/// ```
/// use pirn_sync::broadcast;
///
/// let (sender, mut first) = broadcast::channel(16);
/// let mut second = sender.subscribe();
/// assert_eq!(sender.send("news"), Ok(2));
/// assert_eq!(first.try_recv(), Ok("news"));
/// assert_eq!(second.try_recv(), Ok("news"));
/// ```
pub struct Sender<T> {
    list: shim::Arc<WaitList<Ring<T>>>,
}

/// The half that receives: every item that is sent while it is there, or word of how many it missed.
///
/// An item is cloned for each receiver but, as a rule, the last that sees it. Items are shared
/// between receivers until then, so to cross threads they have to be `Sync` as well as `Send`.
///
/// # Examples
///
/// ```
/// use pirn_sync::broadcast::{self, RecvError};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (sender, mut receiver) = broadcast::channel(2);
/// for item in 1..=5 {
///     sender.send(item).unwrap();
/// }
/// drop(sender);
/// assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
/// assert_eq!(receiver.recv().await, Ok(4));
/// assert_eq!(receiver.recv().await, Ok(5));
/// assert_eq!(receiver.recv().await, Err(RecvError::Closed));
/// # });
/// ```
pub struct Receiver<T> {
    list: shim::Arc<WaitList<Ring<T>>>,
    next: u64,
}

pin_project_lite::pin_project! {
    /// The future of [`Receiver::recv`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Recv<'a, T> {
        #[pin]
        waiter: Waiter<'a, Ring<T>>,
        // `None` once it is done.
        next: Option<&'a mut u64>,
    }
}

/// Why [`Receiver::recv`] gave no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// The receiver was so slow that the ring went over this many items which it had not seen. It
    /// goes on with the oldest that is there.
    Lagged(u64),
    /// There is no sender, and nothing is left.
    Closed,
}

/// Why [`Receiver::try_recv`] gave no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is none yet.
    Empty,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
    /// As [`RecvError::Closed`].
    Closed,
}

struct Ring<T>(PhantomData<fn() -> T>);

struct State<T> {
    items: VecDeque<Slot<T>>,
    capacity: usize,
    end: u64,
    senders: usize,
    receivers: usize,
}

struct Slot<T> {
    item: Arc<T>,
    left: usize,
}

/// An item that a receiver has taken, and looks at when the lock is free.
enum Taken<T> {
    /// Others had still to see it.
    Shared(Arc<T>),
    /// Nobody had still to see it, though some who have may not be done with it.
    Last(Arc<T>),
}

/// A channel that keeps at most `capacity` items for receivers who have not seen them: exactly so
/// many, it is not rounded. Memory is taken as items come.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = pirn_sync::broadcast::channel(3);
/// sender.send('a').unwrap();
/// assert_eq!((sender.capacity(), receiver.len()), (3, 1));
/// assert_eq!(receiver.try_recv(), Ok('a'));
/// ```
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "the capacity of a broadcast channel is at least 1, and 0 was asked for"
    );
    let state = State {
        items: VecDeque::new(),
        capacity,
        end: 0,
        senders: 1,
        receivers: 1,
    };
    let list = shim::Arc::new(WaitList::new(Ring(PhantomData), state));
    let receiver = Receiver {
        list: shim::Arc::clone(&list),
        next: 0,
    };
    (Sender { list }, receiver)
}

impl<T> Sender<T> {
    /// A receiver of all that is sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut early) = pirn_sync::broadcast::channel(8);
    /// sender.send(1).unwrap();
    /// let mut late = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!((early.try_recv(), late.try_recv()), (Ok(1), Ok(2)));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        let next = look(&self.list, |state| {
            state.receivers += 1;
            state.end
        });
        Receiver {
            list: shim::Arc::clone(&self.list),
            next,
        }
    }

    /// How many items it keeps at most.
    pub fn capacity(&self) -> usize {
        look(&self.list, |state| state.capacity)
    }

    /// How many items are there that some receiver has still to see.
    pub fn len(&self) -> usize {
        look(&self.list, |state| state.items.len())
    }

    /// True if every receiver has seen all there is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are.
    pub fn receivers(&self) -> usize {
        look(&self.list, |state| state.receivers)
    }

    /// Sends an item to all receivers, and returns how many they are. It never waits: if the ring is
    /// full, the oldest item goes.
    ///
    /// That there are receivers does not mean that they will look.
    ///
    /// # Errors
    ///
    /// The item, if there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::broadcast::channel(8);
    /// assert_eq!(sender.send(1), Ok(1));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(2));
    /// ```
    pub fn send(&self, item: T) -> Result<usize, T> {
        let item = Arc::new(item);
        let sent = self.list.enter(|door| {
            let state = door.state();
            let receivers = state.receivers;
            if receivers == 0 {
                return Err(item);
            }
            let oldest = state.push(item);
            Ring::settle(door, 0);
            Ok((receivers, oldest))
        });
        match sent {
            Ok((receivers, _oldest)) => Ok(receivers),
            Err(item) => Err(Arc::into_inner(item).expect("nobody else has seen it")),
        }
    }
}

impl<T> Receiver<T> {
    /// How many items are there for it; those that it missed do not count.
    pub fn len(&self) -> usize {
        look(&self.list, |state| {
            state.items.len() - state.index(self.next)
        })
    }

    /// True if there is no item for it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True once there is no sender. What is left can still be received.
    pub fn is_closed(&self) -> bool {
        look(&self.list, |state| state.senders == 0)
    }
}

impl<T: Clone> Receiver<T> {
    /// The next item, if there is one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`]; [`TryRecvError::Lagged`] if it missed some, once, and then it goes
    /// on; [`TryRecvError::Closed`] if there is no sender and nothing left.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(1)));
    /// assert_eq!(receiver.try_recv(), Ok(2));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let next = &mut self.next;
        let taken = look(&self.list, |state| match state.has_news(*next) {
            true => state.take(next).map_err(TryRecvError::from),
            false => Err(TryRecvError::Empty),
        });
        taken.map(Taken::into_item)
    }

    /// Waits for the next item.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if it missed some, once, and then it goes on; [`RecvError::Closed`] if
    /// there is no sender and nothing left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and takes no item.
    ///
    /// # Panics
    ///
    /// If cloning the item does: the receiver has then seen it. If the future is polled after it was
    /// ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::broadcast;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = broadcast::channel(8);
    /// let listener = tokio::spawn(async move {
    ///     let mut heard = Vec::new();
    ///     while let Ok(item) = receiver.recv().await {
    ///         heard.push(item);
    ///     }
    ///     heard
    /// });
    /// sender.send("one").unwrap();
    /// sender.send("two").unwrap();
    /// drop(sender);
    /// assert_eq!(listener.await.unwrap(), ["one", "two"]);
    /// # });
    /// ```
    #[inline]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv {
            waiter: Waiter::new(&self.list, 0, self.next),
            next: Some(&mut self.next),
        }
    }
}

impl<T: Clone> Taken<T> {
    #[inline]
    fn into_item(self) -> T {
        match self {
            // It will hardly ever be the only one: trying costs an atomic step.
            Taken::Shared(item) => T::clone(&item),
            Taken::Last(item) => Arc::unwrap_or_clone(item),
        }
    }
}

fn look<T, R>(list: &WaitList<Ring<T>>, look: impl FnOnce(&mut State<T>) -> R) -> R {
    list.enter(|door| look(door.state()))
}

impl<T> State<T> {
    /// The position of the oldest item.
    fn first(&self) -> u64 {
        self.end - self.items.len() as u64
    }

    /// Where the first item is that a receiver sees which is at `next`.
    fn index(&self, next: u64) -> usize {
        next.saturating_sub(self.first()) as usize
    }

    /// True if a receiver that is at `next` need not wait.
    fn has_news(&self, next: u64) -> bool {
        next != self.end || self.senders == 0
    }

    /// Adds an item for all receivers; returns the oldest one if there was no room.
    fn push(&mut self, item: Arc<T>) -> Option<Slot<T>> {
        let is_full = self.items.len() == self.capacity;
        let oldest = is_full.then(|| self.items.pop_front()).flatten();
        self.end += 1;
        let left = self.receivers;
        self.items.push_back(Slot { item, left });
        oldest
    }

    /// Gives a receiver what is `next` for it.
    fn take(&mut self, next: &mut u64) -> Result<Taken<T>, RecvError> {
        let first = self.first();
        if *next < first {
            let missed = first - *next;
            *next = first;
            return Err(RecvError::Lagged(missed));
        }
        let index = self.index(*next);
        let slot = self.items.get_mut(index).ok_or(RecvError::Closed)?;
        *next += 1;
        slot.left -= 1;
        if slot.left > 0 {
            return Ok(Taken::Shared(Arc::clone(&slot.item)));
        }
        // Nobody has still to see it, so it is the first.
        let slot = self.items.pop_front().ok_or(RecvError::Closed)?;
        Ok(Taken::Last(slot.item))
    }

    /// A receiver goes that is at `next`. Returns what nobody else has still to see.
    fn leave(&mut self, next: u64) -> Vec<Slot<T>> {
        self.receivers -= 1;
        let from = self.index(next);
        for slot in self.items.iter_mut().skip(from) {
            slot.left -= 1;
        }
        let seen = self.items.iter().take_while(|slot| slot.left == 0).count();
        self.items.drain(..seen).collect()
    }
}

impl<T> Policy<1> for Ring<T> {
    type State = State<T>;
    /// The position of the receiver that waits.
    type Want = u64;

    fn admit(door: &mut Door<'_, Self>, _: usize, next: u64) -> Option<u64> {
        door.state().has_news(next).then_some(next)
    }

    fn put_back(_: &mut Door<'_, Self>, _: usize, _: u64) {}

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        // Who waits is at the end, as all others who wait.
        while let Some(next) = door.head(queue) {
            match Self::admit(door, queue, next) {
                Some(next) => door.grant_head(queue, next),
                None => return,
            };
        }
    }

    fn transfers(_: usize, _: u64) -> bool {
        // The item is there for each of them.
        false
    }

    fn expects_wait(&self, _: usize) -> bool {
        // Who drains the ring clones no waker; who waits pays with one more look.
        false
    }
}

/// Waits for what comes at `next`, which is then moved on.
#[inline]
fn poll_taken<T>(
    mut waiter: Pin<&mut Waiter<'_, Ring<T>>>,
    next: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<Result<Taken<T>, RecvError>> {
    if waiter.as_mut().newcomer().is_some() {
        ready!(budget::poll_spend(cx));
        // Who need not wait needs no door.
        let list = waiter.list();
        let mut held = list.hold();
        if held.state().has_news(*next) {
            return Poll::Ready(held.state().take(next));
        }
    }
    waiter.poll_grant(cx, |door, _| door.state().take(next))
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let next = this.next.as_deref_mut();
        let next = next.expect("a `Recv` was polled after it was ready");
        let taken = ready!(poll_taken(this.waiter, next, cx));
        *this.next = None;
        Poll::Ready(taken.map(Taken::into_item))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        look(&self.list, |state| state.senders += 1);
        Sender {
            list: shim::Arc::clone(&self.list),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.list.enter(|door| {
            door.state().senders -= 1;
            Ring::settle(door, 0);
        });
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unseen = look(&self.list, |state| state.leave(self.next));
        drop(unseen);
    }
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Lagged(missed) => TryRecvError::Lagged(missed),
            RecvError::Closed => TryRecvError::Closed,
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, receivers) = look(&self.list, |state| (state.items.len(), state.receivers));
        f.debug_struct("Sender")
            .field("len", &len)
            .field("receivers", &receivers)
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TryRecvError::from(*self).fmt(f)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("no item is there yet"),
            TryRecvError::Lagged(missed) => write!(f, "{missed} items were missed"),
            TryRecvError::Closed => f.write_str("the channel is closed"),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
