//! A flag that tasks wait for.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

/// A flag that tasks wait for: once it is set, it lets everybody through until it is cleared.
///
/// To wait for a condition of a value, use a [`Condition`](crate::Condition).
///
/// # Fairness
///
/// [`set`](Self::set) wakes all who wait, in the order in which they came. Whoever waited then goes
/// through, even if the event is cleared at once.
///
/// # Examples
///
/// ```
/// use pirn_sync::Event;
/// use std::sync::Arc;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let ready = Arc::new(Event::new());
/// let task = tokio::spawn({
///     let ready = Arc::clone(&ready);
///     async move { ready.wait().await }
/// });
/// ready.set();
/// task.await.unwrap();
/// assert!(ready.is_set());
/// # });
/// ```
pub struct Event {
    list: WaitList<Flag>,
}

pin_project_lite::pin_project! {
    /// The future of [`Event::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<'a> {
        #[pin]
        waiter: Waiter<'a, Flag>,
    }
}

/// Set only with the list locked; cleared at any time.
struct Flag(AtomicBool);

impl Event {
    const_unless_loom! {
        /// An event that is not set.
        pub fn new() -> Self {
            Event { list: WaitList::new(Flag(AtomicBool::new(false)), ()) }
        }
    }

    /// True while it is set.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.list.policy().is_set()
    }

    /// Sets it, and lets everybody go who waits.
    pub fn set(&self) {
        self.list.enter(|door| {
            // Ordering: Release, pairs with the Acquire in `is_set`; a read-modify-write, so that
            // whoever sees the flag sees what came before each `set` since it was clear.
            if !door.policy().0.swap(true, Ordering::Release) {
                while door.grant_head(0, ()) {}
            }
        });
    }

    /// Clears it, so that whoever comes from now on waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = pirn_sync::Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        // Ordering: Relaxed, a clear flag publishes nothing.
        self.list.policy().0.store(false, Ordering::Relaxed);
    }

    /// Waits until it is set; at once if it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and has no other effect.
    #[inline]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            waiter: Waiter::new(&self.list, 0, ()),
        }
    }
}

impl Flag {
    #[inline]
    fn is_set(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `set`; what came before it is seen.
        self.0.load(Ordering::Acquire)
    }
}

impl Policy<1> for Flag {
    type State = ();
    type Want = ();

    fn admit(door: &mut Door<'_, Self>, _: usize, (): ()) -> Option<()> {
        door.policy().is_set().then_some(())
    }

    fn put_back(_: &mut Door<'_, Self>, _: usize, (): ()) {}

    fn settle(_: &mut Door<'_, Self>, _: usize) {}

    fn transfers(_: usize, (): ()) -> bool {
        false
    }
}

impl Future for Wait<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
            if this.waiter.list().policy().is_set() {
                return Poll::Ready(());
            }
        }
        this.waiter.poll_granted(cx)
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish()
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
