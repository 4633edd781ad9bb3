//! A queue whose items come out when their time has come.

use crate::ambient::AnyClock;
use crate::sleep::Sleep;
use crate::wheel::{Key, Wheel};
use futures_core::Stream;
use pirn_core::{Instant, budget};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Items that come out when their time has come: in the order of their deadlines, equal deadlines
/// in the order in which they were set.
///
/// Use it for many items that one task waits for, such as the entries of a cache or the peers of a
/// server: they share one timer, and each costs its place in a [`Wheel`]. Where each has a task of
/// its own, [`sleep`](crate::sleep) there. It belongs to one owner, and goes by the clock that was
/// the ambient one where it was made.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
///
/// # Examples
///
/// ```
/// use pirn_timer::DelayQueue;
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let mut sessions: DelayQueue<&str> = DelayQueue::new();
/// sessions.insert("second", Duration::from_millis(2));
/// let active = sessions.insert("active", Duration::from_millis(1));
/// sessions.insert("first", Duration::from_millis(1));
///
/// sessions.reset(active, Duration::from_secs(60));
/// assert_eq!(sessions.next().await, Some("first"));
/// assert_eq!(sessions.next().await, Some("second"));
/// assert_eq!(sessions.remove(active), Some("active"));
/// assert_eq!(sessions.next().await, None);
/// # });
/// ```
pub struct DelayQueue<T> {
    items: Wheel<T, Instant>,
    /// Until the wheel's next turn, or [`Instant::NEVER`]. It has the waker of whoever waits.
    turn: Sleep,
}

impl<T> DelayQueue<T> {
    /// An empty queue, by the ambient clock.
    ///
    /// # Panics
    ///
    /// As [`sleep`](crate::sleep).
    pub fn new() -> Self {
        DelayQueue {
            items: Wheel::with_ticks(),
            turn: Sleep::until(AnyClock::ambient(), Instant::NEVER),
        }
    }

    /// How many items are in it.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if no item is in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// When the item comes out, unless it has or was removed.
    pub fn deadline(&self, key: Key) -> Option<Instant> {
        self.items.deadline(key)
    }

    /// The item, unless it has come out or was removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.items.get_mut(key)
    }

    /// Puts an item in, to come out `delay` from now. A task that waits is woken in time.
    pub fn insert(&mut self, item: T, delay: Duration) -> Key {
        self.insert_at(item, self.turn.now() + delay)
    }

    /// Puts an item in, to come out at `at`: after [`Duration::MAX`] and at [`Instant::NEVER`], never.
    pub fn insert_at(&mut self, item: T, at: Instant) -> Key {
        let key = self.items.insert(at, item);
        self.hurry(at);
        key
    }

    /// Takes an item out before its time, unless it has come out or was removed.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.items.remove(key)
    }

    /// Has an item come out `delay` from now instead. False if it has come out or was removed.
    pub fn reset(&mut self, key: Key, delay: Duration) -> bool {
        self.reset_at(key, self.turn.now() + delay)
    }

    /// As [`reset`](Self::reset), at `at`.
    pub fn reset_at(&mut self, key: Key, at: Instant) -> bool {
        let moved = self.items.reset(key, at);
        if moved {
            self.hurry(at);
        }
        moved
    }

    /// Takes all items out. Their keys find nothing any more.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Waits for the next item; `None` if the queue is empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes nothing out.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_timer::{DelayQueue, now};
    ///
    /// # pirn_core::shim::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// queue.insert_at('b', now());
    /// queue.insert_at('a', pirn_core::Instant::EPOCH);
    /// assert_eq!(queue.next().await, Some('a'));
    /// assert_eq!(queue.next().await, Some('b'));
    /// assert_eq!(queue.next().await, None);
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_expired(cx)).await
    }

    /// Polls for the next item. At `Pending` the task is woken when its time has come, also if
    /// that is by then an item that was put in or moved in the meantime.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        while let Some(turn) = self.items.next_turn() {
            let now = self.turn.now();
            if turn <= now {
                // The task's budget first: an item that was taken out could not be put back.
                ready!(budget::poll_spend(cx));
                if let Some(item) = self.items.pop_expired(now) {
                    return Poll::Ready(Some(item));
                }
                continue;
            }
            if self.turn.deadline() != turn {
                self.turn.reset(turn);
            }
            ready!(Pin::new(&mut self.turn).poll(cx));
        }
        // Nobody waits for an empty queue.
        self.turn.reset(Instant::NEVER);
        Poll::Ready(None)
    }

    /// Has the task that waits woken by `at`.
    fn hurry(&mut self, at: Instant) {
        if at < self.turn.deadline() {
            self.turn.reset(at);
        }
    }
}

impl<T> Unpin for DelayQueue<T> {}

/// Ends where the queue is empty, and goes on where it is not any more.
impl<T> Stream for DelayQueue<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_expired(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<T> Default for DelayQueue<T> {
    fn default() -> Self {
        DelayQueue::new()
    }
}

impl<T> fmt::Debug for DelayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayQueue")
            .field("len", &self.len())
            .field("next", &self.items.next_deadline())
            .finish()
    }
}
