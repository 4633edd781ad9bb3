//! Waiting for a change of what a lock protects.

use crate::lock::Relock;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::pin;
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

/// Lets tasks wait until another task has changed what a [`Lock`](crate::Lock) protects.
///
/// A task that holds the lock calls [`wait`](Self::wait), which unlocks while it waits and locks
/// again before it returns. A task that changes the value calls [`notify`](Self::notify) or
/// [`notify_all`](Self::notify_all), best with the lock held. A notification when nobody waits is
/// lost; so wait for the value, with [`wait_while`](Self::wait_while), not for the notification.
///
/// For a mere flag, an [`Event`](crate::Event) is simpler; for handing over items, a
/// [`Queue`](crate::Queue).
///
/// # Fairness
///
/// Notifications go to those who wait, in the order in which they came, and those queue for the
/// lock in that order as they are polled. A notification belongs to the task, as a grant of the
/// [`Lock`](crate::Lock#fairness) does.
///
/// # Examples
///
/// ```
/// use pirn_sync::{Condition, Lock};
/// use std::sync::Arc;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let stock = Arc::new((Lock::new(0), Condition::new()));
/// let buyer = tokio::spawn({
///     let stock = Arc::clone(&stock);
///     async move {
///         let guard = stock.0.lock().await;
///         let mut guard = stock.1.wait_while(guard, |count| *count < 3).await;
///         *guard -= 3;
///     }
/// });
/// for _ in 0..4 {
///     *stock.0.lock().await += 1;
///     stock.1.notify(1);
///     tokio::task::yield_now().await;
/// }
/// buyer.await.unwrap();
/// assert_eq!(*stock.0.lock().await, 1);
/// # });
/// ```
pub struct Condition {
    list: WaitList<Notices>,
}

struct Notices;

/// What a waiter was notified by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notice {
    /// One of the notifications of `notify`: if it is not used, the next waiter gets it.
    One,
    /// `notify_all`, which everybody heard who was there.
    All,
}

/// A notification that was taken, until its waiter has the lock again.
struct Taken<'a> {
    condition: &'a Condition,
    notice: Notice,
}

impl Condition {
    const_unless_loom! {
        /// A condition on which nobody waits.
        pub fn new() -> Self {
            Condition { list: WaitList::new(Notices, 0) }
        }
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// The guard is a [`LockGuard`](crate::LockGuard) or an
    /// [`OwnedLockGuard`](crate::OwnedLockGuard), and so is what is returned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the notification leaves the queue; dropping it later passes a
    /// notification of [`notify`](Self::notify) on to the next who waits. In both cases the lock is
    /// not taken again: the guard was given up when the future was first polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Condition, Lock};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (lock, changed) = (Lock::new(1), Condition::new());
    /// let waits = async { *changed.wait(lock.lock().await).await };
    /// let changes = async {
    ///     *lock.lock().await = 2;
    ///     changed.notify_all();
    /// };
    /// assert_eq!(tokio::join!(waits, changes).0, 2);
    /// # });
    /// ```
    pub async fn wait<G: Relock>(&self, guard: G) -> G {
        let place = guard.place();
        let mut taken = Some(self.notified(guard).await);
        {
            let mut locking = pin!(G::lock(&place).lock());
            let locked = poll_fn(|cx| {
                let poll = locking.as_mut().poll(cx);
                if poll.is_pending() && budget::is_frozen() {
                    // A cancelled body does not go on: the notification is for another.
                    taken = None;
                }
                poll
            });
            mem::forget(locked.await);
        }
        mem::forget(taken);
        G::locked(place)
    }

    /// Waits, as [`wait`](Self::wait) does, again and again while `condition` is true; not at all if
    /// it is false at once.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Condition, Lock};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (lock, changed) = (Lock::new(vec![1]), Condition::new());
    /// let guard = changed.wait_while(lock.lock().await, |items| items.is_empty()).await;
    /// assert_eq!(*guard, [1]);
    /// # });
    /// ```
    pub async fn wait_while<G: Relock>(
        &self,
        mut guard: G,
        mut condition: impl FnMut(&mut G::Target) -> bool,
    ) -> G {
        while condition(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Notifies the first `count` of those who wait, or all if they are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Condition, Lock};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (lock, turn) = (Lock::new(()), Condition::new());
    /// turn.notify(5); // nobody waits: lost
    /// let waits = async { drop(turn.wait(lock.lock().await).await) };
    /// tokio::join!(waits, async { turn.notify(1) });
    /// assert!(!lock.is_locked());
    /// # });
    /// ```
    pub fn notify(&self, count: usize) {
        self.list.enter(|door| {
            *door.state() = count;
            Notices::settle(door, 0);
        });
    }

    /// Notifies all who wait.
    pub fn notify_all(&self) {
        self.list
            .enter(|door| while door.grant_head(0, Notice::All) {});
    }

    /// Queues up, unlocks, and waits.
    async fn notified<G>(&self, guard: G) -> Taken<'_> {
        let mut guard = Some(guard);
        let mut waiter = pin!(Waiter::new(&self.list, 0, Notice::One));
        let notice = poll_fn(|cx| {
            let poll = waiter.as_mut().poll_granted(cx);
            // Whoever locks from now on finds this waiter in the queue.
            guard = None;
            poll
        })
        .await;
        Taken {
            condition: self,
            notice,
        }
    }
}

impl Policy<1> for Notices {
    /// Notifications to be given, while the list is locked.
    type State = usize;
    type Want = Notice;

    fn admit(_: &mut Door<'_, Self>, _: usize, _: Notice) -> Option<Notice> {
        None
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, notice: Notice) {
        *door.state() += usize::from(notice == Notice::One);
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        while *door.state() > 0 && door.grant_head(queue, Notice::One) {
            *door.state() -= 1;
        }
        // Nobody is left to have them.
        *door.state() = 0;
    }

    fn transfers(_: usize, notice: Notice) -> bool {
        notice == Notice::One
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.notice == Notice::One {
            self.condition.notify(1);
        }
    }
}

impl Default for Condition {
    fn default() -> Self {
        Condition::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").finish_non_exhaustive()
    }
}
