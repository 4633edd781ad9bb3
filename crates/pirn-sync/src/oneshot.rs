//! One value, from one task to another, such as the answer to a request.
//!
//! Made by [`channel`]. For more than one value, use a [`Queue`](crate::Queue).

// There is one allocation, which the halves share, and one atomic word in it. Each half can wait
// for the other and for nothing else, so there is one waiter at most on each side, for whose waker
// the allocation has a place: a wait list, which serves many in order, is not needed here.
//
// # States
//
// The word has the same three bits for each half:
//
// | bit | meaning | set by | cleared by |
// | --- | --- | --- | --- |
// | `ENDED` | the sender has sent or will not, the receiver takes nothing that is not there yet | `Snapshot::send`, `Snapshot::end` | never |
// | `GONE` | the half touches the allocation no more; implies `ENDED` | `Snapshot::send`, `Snapshot::end` | never |
// | `WAITS` | the half waits for the other's end, with its waker in place | `Snapshot::arm` | `Snapshot::disarm` |
//
// ```text
//            arm
//       ┌───────────▶ waiting ──┐ the other ends:
//   fresh ◀──────────┘          │ its waker is the other's
//       │   disarm              ▼
//       └─────────────────▶   ENDED  ──────────▶ GONE
//              send, end               end
// ```
//
// A half that ends while the other waits owns the other's waker until it is gone itself: it takes
// the waker out, leaves, and wakes last of all. When nobody waits, ending and leaving are one
// step. Who finds the other gone frees the allocation, without a further change of the word.

use crate::error::Closed;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use pirn_core::budget;
use pirn_core::wake;

mod cell;
use cell::Half;

/// The half that sends. Dropping it without [`send`](Self::send) lets the receiver hear [`Closed`].
///
/// For more than one value, take a [`Queue`](crate::Queue); for more than one receiver, a
/// [`watch`](crate::watch) channel, which has the latest value, or a
/// [`broadcast`](crate::broadcast) channel, which has all.
///
/// # Examples
///
/// An answer goes back to who asked:
///
/// ```
/// use pirn_sync::oneshot;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (answer, answered) = oneshot::channel();
/// tokio::spawn(async move { answer.send(6 * 7) });
/// assert_eq!(answered.await, Ok(42));
/// # });
/// ```
pub struct Sender<T> {
    half: Half<T, SENDER>,
}

/// The half that receives: a future of the value, or of [`Closed`] if there will be none.
///
/// # Cancel safety
///
/// Dropping it closes the channel; a value that was sent and not received is dropped, on the
/// sender's thread if it was being sent. To stop
/// waiting and come back later, poll it by reference, `(&mut receiver).await`: dropping that loses
/// nothing.
///
/// Polled after it was ready it gives [`Closed`], as [`try_recv`](Self::try_recv) does then.
///
/// # Examples
///
/// ```
/// use pirn_sync::{Closed, oneshot};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (sender, receiver) = oneshot::channel::<u8>();
/// drop(sender);
/// assert_eq!(receiver.await, Err(Closed));
/// # });
/// ```
#[must_use = "dropping the receiver closes the channel"]
pub struct Receiver<T> {
    /// `None` once it has given all that it will.
    half: Option<Half<T, RECEIVER>>,
}

/// The future of [`Sender::closed`].
#[must_use = "futures do nothing unless awaited"]
pub struct Closing<'a, T> {
    half: &'a mut Half<T, SENDER>,
}

/// Why [`Receiver::try_recv`] gave no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// It was not sent yet.
    Empty,
    /// It will not be sent, or was received before.
    Closed,
}

/// The halves, which are indices as well.
const SENDER: usize = 0;
const RECEIVER: usize = 1;

const ENDED: u8 = 1;
const GONE: u8 = 1 << 1;
const WAITS: u8 = 1 << 2;
/// How many bits each half has.
const BITS: usize = 3;

/// The word as it was at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Snapshot(u8);

/// What a half does that has ended.
enum Action {
    Nothing,
    /// Take the other half's waker out of its place, leave if it is to leave, then wake.
    Wake,
    /// Free the allocation: the other half is gone.
    Free,
}

/// A channel for one value.
///
/// # Examples
///
/// ```
/// use pirn_sync::oneshot;
///
/// let (sender, mut receiver) = oneshot::channel();
/// assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Empty));
/// sender.send("value").unwrap();
/// assert_eq!(receiver.try_recv(), Ok("value"));
/// ```
#[inline]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = cell::pair();
    (
        Sender { half: sender },
        Receiver {
            half: Some(receiver),
        },
    )
}

impl<T> Sender<T> {
    /// Sends the value, and wakes the receiver if it waits.
    ///
    /// That a value was sent does not mean that it will be received: the receiver may be dropped
    /// with the value in it.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped or [closed](Receiver::close).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = pirn_sync::oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(1), Err(1));
    /// ```
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        self.half.send(value)
    }

    /// True once the receiver was dropped or [closed](Receiver::close): nobody wants the value.
    pub fn is_closed(&self) -> bool {
        self.half.look().has_ended(RECEIVER)
    }

    /// Waits until the receiver is dropped or [closed](Receiver::close): to give up work on a value
    /// that nobody wants any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (mut sender, receiver) = pirn_sync::oneshot::channel::<u8>();
    /// tokio::join!(sender.closed(), async { drop(receiver) });
    /// assert!(sender.is_closed());
    /// # });
    /// ```
    pub fn closed(&mut self) -> Closing<'_, T> {
        Closing {
            half: &mut self.half,
        }
    }
}

impl<T> Receiver<T> {
    /// The value, if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`]; [`TryRecvError::Closed`] if there will be none, or it was received.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::oneshot::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match &self.half {
            Some(half) if !half.look().has_ended_either() => Err(TryRecvError::Empty),
            _ => self.finish().map_err(|Closed| TryRecvError::Closed),
        }
    }

    /// Closes the channel: nothing can be sent any more. A value that was sent before can still be
    /// received.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Closed, oneshot};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, mut receiver) = oneshot::channel();
    /// sender.send(1).unwrap();
    /// receiver.close();
    /// assert_eq!(receiver.await, Ok(1));
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send(1), Err(1));
    /// assert_eq!(receiver.await, Err(Closed));
    /// # });
    /// ```
    pub fn close(&mut self) {
        if let Some(half) = &mut self.half {
            half.end();
        }
    }

    /// What there is, once either half has ended.
    #[inline]
    fn finish(&mut self) -> Result<T, Closed> {
        self.half.take().and_then(Half::receive).ok_or(Closed)
    }
}

impl Snapshot {
    const NEW: Snapshot = Snapshot(0);

    #[inline]
    fn has(self, half: usize, bits: u8) -> bool {
        self.0 & (bits << (BITS * half)) != 0
    }

    #[inline]
    fn with(self, half: usize, bits: u8) -> Snapshot {
        Snapshot(self.0 | bits << (BITS * half))
    }

    #[inline]
    fn is_waiting(self, half: usize) -> bool {
        self.has(half, WAITS) && !self.has_ended_either()
    }

    #[inline]
    fn has_ended(self, half: usize) -> bool {
        self.has(half, ENDED)
    }

    #[inline]
    fn has_ended_either(self) -> bool {
        self.has_ended(SENDER) || self.has_ended(RECEIVER)
    }

    /// The sender's end with a value; `None` if the receiver has ended.
    #[inline]
    fn send(self) -> (Snapshot, Option<Action>) {
        if self.has_ended(RECEIVER) {
            return (self, None);
        }
        let (next, action) = self.end(SENDER, true);
        (next, Some(action))
    }

    /// The end of a half, which `leaves` with it unless it has to wake.
    #[inline]
    fn end(self, me: usize, leaves: bool) -> (Snapshot, Action) {
        let other = 1 - me;
        let is_awaited = self.is_waiting(other);
        match (is_awaited, leaves) {
            (true, _) => (self.with(me, ENDED), Action::Wake),
            (false, true) if self.has(other, GONE) => (self, Action::Free),
            (false, true) => (self.with(me, ENDED | GONE), Action::Nothing),
            (false, false) => (self.with(me, ENDED), Action::Nothing),
        }
    }

    /// A half begins to wait; false if there is nothing to wait for.
    #[inline]
    fn arm(self, me: usize) -> (Snapshot, bool) {
        match self.has_ended_either() {
            true => (self, false),
            false => (self.with(me, WAITS), true),
        }
    }

    /// A half waits no longer, and has its waker to itself; false if there is nothing to wait for.
    #[inline]
    fn disarm(self, me: usize) -> (Snapshot, bool) {
        match self.has_ended_either() {
            true => (self, false),
            false => (Snapshot(self.0 & !(WAITS << (BITS * me))), true),
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Closed>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_spend(cx));
        if let Some(half) = &mut self.half {
            ready!(half.poll_ended(cx));
        }
        Poll::Ready(self.finish())
    }
}

impl<T> Future for Closing<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::poll_spend(cx));
        self.half.poll_ended(cx)
    }
}

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.half.stop_waiting();
    }
}

/// A panic of the waker's destructor goes to the hook: the value must not be lost to it.
#[inline]
fn drop_waker(waker: Option<Waker>) {
    if let Some(waker) = waker {
        wake::discard(waker);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the value was not sent yet",
            TryRecvError::Closed => "the channel is closed",
        })
    }
}

impl Error for TryRecvError {}
