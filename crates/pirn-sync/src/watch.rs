//! The latest value, for many who watch it: who is slow skips the values in between, and never the
//! last one.
//!
//! Made by [`channel`]. To see every value, use [`broadcast`](crate::broadcast).

// # States
//
// Everything lies under the lock of one wait list with two queues: receivers who wait for news, and
// senders who wait until nobody watches.
//
// | what | meaning | changed by |
// | --- | --- | --- |
// | `value` | the latest value, which receivers share with the channel | `Sender::publish` |
// | `version` | how many values were published over the first | `Sender::publish` |
// | `senders`, `receivers` | how many there are | `clone`, `subscribe`, drop |
// | `Receiver::seen` | the version that the receiver has seen | the receiver's own polls, once they are ready |
//
// A receiver waits only while `seen == version` and there is a sender: both are looked at under the
// lock under which it queues up, so no wake-up falls between. Whoever was told of news was told for
// good, and takes what is the latest when it is polled; so values are skipped, the last one never.
//
// Values lie behind an `Arc`: what happens under the lock is a change of pointers and counts. A
// guard around the value itself would save an allocation for each, and let one slow reader stop all
// senders.

use crate::error::Closed;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::shim;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

mod stream;

pub use stream::Changes;

/// The half that changes the value. Clone it for more senders.
///
/// # Fairness
///
/// A new value wakes all who wait for one, in the order in which they came.
///
/// # Examples
///
/// ```
/// use pirn_sync::watch;
///
/// let (sender, receiver) = watch::channel("starting");
/// sender.send("ready").unwrap();
/// assert_eq!(*receiver.latest(), "ready");
/// ```
pub struct Sender<T> {
    list: shim::Arc<WaitList<Latest<T>, 2>>,
}

/// The half that watches the value. Each clone remembers by itself what it has seen.
///
/// Values that are replaced before a receiver looks are skipped; the last one is not. Where each
/// value counts, take a [`broadcast`](crate::broadcast) channel, or a [`Queue`](crate::Queue), whose
/// items go to one receiver each. Values are shared between receivers, so to cross threads they have
/// to be `Sync` as well as `Send`.
///
/// # Examples
///
/// ```
/// use pirn_sync::watch;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (sender, mut receiver) = watch::channel(0);
/// tokio::spawn(async move {
///     for progress in [25, 50, 75, 100] {
///         sender.send(progress).unwrap();
///         tokio::task::yield_now().await;
///     }
/// });
/// let mut last = receiver.latest();
/// while let Ok(progress) = receiver.changed().await {
///     last = progress;
/// }
/// assert_eq!(*last, 100);
/// # });
/// ```
pub struct Receiver<T> {
    list: shim::Arc<WaitList<Latest<T>, 2>>,
    seen: u64,
}

pin_project_lite::pin_project! {
    /// The future of [`Receiver::changed`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Changed<'a, T> {
        #[pin]
        waiter: Waiter<'a, Latest<T>, 2>,
        // `None` once it is done.
        seen: Option<&'a mut u64>,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Sender::closed`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Closing<'a, T> {
        #[pin]
        waiter: Waiter<'a, Latest<T>, 2>,
    }
}

/// The queues of the wait list.
const NEWS: usize = 0;
const CLOSED: usize = 1;

struct Latest<T>(PhantomData<fn() -> T>);

struct State<T> {
    value: Arc<T>,
    version: u64,
    senders: usize,
    receivers: usize,
}

/// A channel whose first value is `value`, which counts as seen.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = pirn_sync::watch::channel(1);
/// assert_eq!((*receiver.latest(), receiver.has_changed()), (1, false));
/// sender.send(2).unwrap();
/// assert_eq!((*receiver.latest(), receiver.has_changed()), (2, true));
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State {
        value: Arc::new(value),
        version: 0,
        senders: 1,
        receivers: 1,
    };
    let list = shim::Arc::new(WaitList::new(Latest(PhantomData), state));
    let receiver = Receiver {
        list: shim::Arc::clone(&list),
        seen: 0,
    };
    (Sender { list }, receiver)
}

impl<T> Sender<T> {
    /// A receiver that has seen the value as it is now.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(1);
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(2));
    /// let receiver = sender.subscribe();
    /// sender.send(3).unwrap();
    /// assert!(receiver.has_changed());
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = look(&self.list, |state| {
            state.receivers += 1;
            state.version
        });
        Receiver {
            list: shim::Arc::clone(&self.list),
            seen,
        }
    }

    /// The value as it is now.
    pub fn latest(&self) -> Arc<T> {
        look(&self.list, |state| Arc::clone(&state.value))
    }

    /// How many receivers there are.
    pub fn receivers(&self) -> usize {
        look(&self.list, |state| state.receivers)
    }

    /// True while there is no receiver. It ends with [`subscribe`](Self::subscribe).
    pub fn is_closed(&self) -> bool {
        self.receivers() == 0
    }

    /// Replaces the value, if there is somebody to see it.
    ///
    /// # Errors
    ///
    /// The new value, if there is no receiver; the former one then stays.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(1);
    /// assert_eq!(sender.send(2), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(3));
    /// assert_eq!(*sender.latest(), 2);
    /// ```
    pub fn send(&self, value: T) -> Result<(), T> {
        match self.publish(Arc::new(value), |state| state.receivers > 0) {
            Ok(_former) => Ok(()),
            Err(value) => Err(Arc::into_inner(value).expect("nobody else has seen it")),
        }
    }

    /// Replaces the value, also if there is no receiver, and returns the former one.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(1);
    /// drop(receiver);
    /// assert_eq!(*sender.send_replace(2), 1);
    /// assert_eq!(*sender.subscribe().latest(), 2);
    /// ```
    pub fn send_replace(&self, value: T) -> Arc<T> {
        match self.publish(Arc::new(value), |_| true) {
            Ok(former) => former,
            Err(_) => unreachable!("nothing was asked of the state"),
        }
    }

    /// Changes the value: [`send_if_modified`](Self::send_if_modified) with a closure that always
    /// does.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(vec![1]);
    /// sender.send_modify(|items| items.push(2));
    /// assert_eq!(*receiver.latest(), [1, 2]);
    /// ```
    pub fn send_modify(&self, mut modify: impl FnMut(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes a copy of the value, and replaces the value with that if `modify` returns true;
    /// returns what `modify` did. Also if there is no receiver.
    ///
    /// The value is cloned and `modify` runs without any lock held, so both may take their time and
    /// use this channel. If another value is published meanwhile, `modify` is called again, with a
    /// copy of that one: so it must not rely on running once. No change is lost or overwritten.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(7);
    /// let set = |to| sender.send_if_modified(|value| std::mem::replace(value, to) != to);
    /// assert!(!set(7));
    /// assert!(!receiver.has_changed());
    /// assert!(set(8));
    /// assert!(receiver.has_changed());
    /// ```
    pub fn send_if_modified(&self, mut modify: impl FnMut(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        loop {
            let (latest, version) = look(&self.list, State::latest);
            let mut value = T::clone(&latest);
            drop(latest);
            if !modify(&mut value) {
                return false;
            }
            let published = self.publish(Arc::new(value), |state| state.version == version);
            if published.is_ok() {
                return true;
            }
        }
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and has no other effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, receiver) = pirn_sync::watch::channel(0);
    /// tokio::join!(sender.closed(), async { drop(receiver) });
    /// assert!(sender.is_closed());
    /// # });
    /// ```
    pub fn closed(&self) -> Closing<'_, T> {
        Closing {
            waiter: Waiter::new(&self.list, CLOSED, 0),
        }
    }

    /// Makes `value` the latest and tells of it, if the state allows that. Returns the former value,
    /// or `value`: to be dropped without the lock.
    fn publish(
        &self,
        value: Arc<T>,
        allows: impl FnOnce(&State<T>) -> bool,
    ) -> Result<Arc<T>, Arc<T>> {
        self.list.enter(|door| {
            let state = door.state();
            if !allows(state) {
                return Err(value);
            }
            state.version += 1;
            let former = mem::replace(&mut state.value, value);
            Latest::settle(door, NEWS);
            Ok(former)
        })
    }
}

impl<T> Receiver<T> {
    /// The value as it is now, seen before or not. It still counts as unseen if it did.
    ///
    /// What is returned is shared with the channel and keeps nobody waiting, however long it is
    /// kept.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::watch::channel(1);
    /// let first = receiver.latest();
    /// sender.send(2).unwrap();
    /// assert_eq!((*first, *receiver.latest()), (1, 2));
    /// ```
    pub fn latest(&self) -> Arc<T> {
        look(&self.list, |state| Arc::clone(&state.value))
    }

    /// True if there is a value which it has not seen.
    pub fn has_changed(&self) -> bool {
        look(&self.list, |state| state.version) != self.seen
    }

    /// True once there is no sender: the value stays as it is.
    pub fn is_closed(&self) -> bool {
        look(&self.list, |state| state.senders) == 0
    }

    /// Waits for a value which it has not seen. That one, the latest, then counts as seen.
    ///
    /// # Errors
    ///
    /// [`Closed`], if there is no sender and the last value was seen.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a value that it was told of stays unseen.
    ///
    /// # Panics
    ///
    /// If the future is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Closed, watch};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// sender.send(3).unwrap();
    /// drop(sender);
    /// assert_eq!(*receiver.changed().await.unwrap(), 3);
    /// assert_eq!(receiver.changed().await, Err(Closed));
    /// # });
    /// ```
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(&self.list, &mut self.seen)
    }

    /// Waits until the value, which may be one that it has seen, is as `predicate` wants it; at once
    /// if it is. Then it counts as seen.
    ///
    /// `predicate` runs without any lock held. It does not see values that are replaced before they
    /// are looked at.
    ///
    /// # Errors
    ///
    /// [`Closed`], if there is no sender and the last value is not as wanted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; what was unseen stays so.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = pirn_sync::watch::channel(0);
    /// tokio::spawn(async move {
    ///     for n in 1.. {
    ///         if sender.send(n).is_err() {
    ///             break;
    ///         }
    ///         tokio::task::yield_now().await;
    ///     }
    /// });
    /// assert!(*receiver.wait_for(|n| *n >= 3).await.unwrap() >= 3);
    /// # });
    /// ```
    pub async fn wait_for(
        &mut self,
        mut predicate: impl FnMut(&T) -> bool,
    ) -> Result<Arc<T>, Closed> {
        poll_fn(budget::poll_spend).await;
        let (mut value, mut seen) = look(&self.list, State::latest);
        while !predicate(&value) {
            // A value is not kept alive only because somebody waits for the next.
            drop(value);
            value = Changed::new(&self.list, &mut seen).await?;
        }
        self.seen = seen;
        Ok(value)
    }
}

fn look<T, R>(list: &WaitList<Latest<T>, 2>, look: impl FnOnce(&mut State<T>) -> R) -> R {
    list.enter(|door| look(door.state()))
}

impl<T> State<T> {
    fn latest(&mut self) -> (Arc<T>, u64) {
        (Arc::clone(&self.value), self.version)
    }

    /// True if who has seen that version need not wait.
    fn has_news(&self, seen: u64) -> bool {
        self.version != seen || self.senders == 0
    }

    /// What who has seen that version is told; it has seen this one then.
    fn tell(&mut self, seen: &mut u64) -> Result<Arc<T>, Closed> {
        let ended = *seen == self.version && self.senders == 0;
        *seen = self.version;
        match ended {
            true => Err(Closed),
            false => Ok(Arc::clone(&self.value)),
        }
    }
}

impl<T> Policy<2> for Latest<T> {
    type State = State<T>;
    /// The version that was seen, of those who wait for news.
    type Want = u64;

    fn admit(door: &mut Door<'_, Self, 2>, queue: usize, seen: u64) -> Option<u64> {
        let state = door.state();
        let admitted = match queue {
            NEWS => state.has_news(seen),
            _ => state.receivers == 0,
        };
        admitted.then_some(seen)
    }

    fn put_back(_: &mut Door<'_, Self, 2>, _: usize, _: u64) {}

    fn settle(door: &mut Door<'_, Self, 2>, queue: usize) {
        // Who waits has seen the same as the others.
        while let Some(seen) = door.head(queue) {
            match Self::admit(door, queue, seen) {
                Some(seen) => door.grant_head(queue, seen),
                None => return,
            };
        }
    }

    fn transfers(_: usize, _: u64) -> bool {
        // Everybody was told who was there, and for good.
        false
    }
}

impl<'a, T> Changed<'a, T> {
    fn new(list: &'a WaitList<Latest<T>, 2>, seen: &'a mut u64) -> Self {
        Changed {
            waiter: Waiter::new(list, NEWS, *seen),
            seen: Some(seen),
        }
    }
}

/// Waits for news over what was seen, which is then brought up to date.
#[inline]
fn poll_told<T>(
    mut waiter: Pin<&mut Waiter<'_, Latest<T>, 2>>,
    seen: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<Result<Arc<T>, Closed>> {
    if waiter.as_mut().newcomer().is_some() {
        ready!(budget::poll_spend(cx));
    }
    waiter.poll_grant(cx, |door, _| door.state().tell(seen))
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<Arc<T>, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let seen = this.seen.as_deref_mut();
        let seen = seen.expect("a `Changed` was polled after it was ready");
        let told = ready!(poll_told(this.waiter, seen, cx));
        *this.seen = None;
        Poll::Ready(told)
    }
}

impl<T> Future for Closing<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
        }
        this.waiter.poll_granted(cx).map(|_| ())
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

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        look(&self.list, |state| state.receivers += 1);
        Receiver {
            list: shim::Arc::clone(&self.list),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.list.enter(|door| {
            door.state().senders -= 1;
            Latest::settle(door, NEWS);
        });
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.list.enter(|door| {
            door.state().receivers -= 1;
            Latest::settle(door, CLOSED);
        });
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("latest", &self.latest())
            .field("receivers", &self.receivers())
            .finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("latest", &self.latest())
            .field("has_changed", &self.has_changed())
            .finish()
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}
