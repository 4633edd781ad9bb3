//! A meeting point for a number of tasks.
//!
//! # States
//!
//! All under the lock of the wait list:
//!
//! | state | meaning | entered by | left by |
//! | --- | --- | --- | --- |
//! | whole, `waiting` of `parties` | so many wait, fewer than all | `new`; an arrival; the last arrival, with 0; `reset`, with 0 | `abort` |
//! | broken | nobody waits, and nobody can | `abort` | `reset` |
//!
//! The last arrival takes all who wait out of the queue at once, so a *generation* is what is in the
//! queue: there is nothing to drain, and who comes again finds an empty queue.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pirn_core::budget;
use pirn_core::const_unless_loom;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};

use crate::error::BrokenBarrier;

/// A meeting point: each of so many tasks waits until all have come, then all go on.
///
/// It can be used again and again. Each time that all have come ends a *generation*; whoever comes
/// after that belongs to the next, however fast it is and even if others of its generation have
/// not run yet.
///
/// To wait until something has happened, use an [`Event`](crate::Event).
///
/// # Fairness
///
/// First come, first through: with more tasks than parties, those who came first make up the
/// generation. All of a generation go on together, and are woken in the order in which they came.
///
/// # From asyncio
///
/// As `asyncio.Barrier`, a waiter that is cancelled does not break the barrier but frees its place.
/// There, two of a generation can then have the same index; here the indices are given when all
/// have come, and are always different. There, `abort` and `reset` also reach tasks that were let
/// through and have not run yet; here who was let through goes through.
///
/// # Examples
///
/// ```
/// use pirn_sync::Barrier;
/// use std::sync::Arc;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let barrier = Arc::new(Barrier::new(3));
/// let tasks = [(); 3].map(|()| {
///     let barrier = Arc::clone(&barrier);
///     tokio::spawn(async move { barrier.wait().await })
/// });
/// let mut leaders = 0;
/// for task in tasks {
///     leaders += usize::from(task.await.unwrap()?.is_leader());
/// }
/// assert_eq!(leaders, 1);
/// # Ok::<_, pirn_sync::BrokenBarrier>(()) }).unwrap();
/// ```
pub struct Barrier {
    list: WaitList<Parties>,
}

/// That all have come, and which of them this one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierTurn {
    index: usize,
    is_leader: bool,
}

pin_project_lite::pin_project! {
    /// The future of [`Barrier::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<'a> {
        #[pin]
        waiter: Waiter<'a, Parties>,
    }
}

/// How many have to come. Never changes.
struct Parties(usize);

struct State {
    /// How many are in the queue.
    waiting: usize,
    broken: bool,
}

/// How a wait ends.
#[derive(Clone, Copy)]
enum End {
    /// All have come; the index.
    Turn(usize),
    Broken,
}

impl Barrier {
    const_unless_loom! {
        /// A barrier for so many tasks.
        ///
        /// # Panics
        ///
        /// If `parties` is 0.
        #[track_caller]
        pub fn new(parties: usize) -> Self {
            assert!(parties > 0, "a barrier is for at least 1 party, and was to be made for 0");
            Barrier { list: WaitList::new(Parties(parties), State { waiting: 0, broken: false }) }
        }
    }

    /// How many have to come.
    pub fn parties(&self) -> usize {
        self.list.policy().0
    }

    /// How many have come and wait for the others. It may have changed by the time this returns.
    pub fn waiting(&self) -> usize {
        self.list.enter(|door| door.state().waiting)
    }

    /// True from an [`abort`](Self::abort) to the next [`reset`](Self::reset).
    pub fn is_broken(&self) -> bool {
        self.list.enter(|door| door.state().broken)
    }

    /// Waits until all have come; the last one goes on at once.
    ///
    /// The turn says in which place this one came, from 0 to `parties - 1`. The last is the leader:
    /// exactly one of each generation is.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`], if the barrier was aborted or is while this waits, or if it is reset while
    /// this waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before all have come frees its place, and the others wait for one more;
    /// dropping it later loses its turn, and the others go on. A leader is never lost: it does not
    /// wait.
    #[inline]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            waiter: Waiter::new(&self.list, 0, End::Broken),
        }
    }

    /// Breaks it: those who wait, and those who come before the next [`reset`](Self::reset), get
    /// [`BrokenBarrier`]. For a task that will not come, so that the others do not wait for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Barrier, BrokenBarrier};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let barrier = Barrier::new(2);
    /// let (waited, ()) = tokio::join!(barrier.wait(), async { barrier.abort() });
    /// assert_eq!(waited, Err(BrokenBarrier));
    /// assert_eq!(barrier.wait().await, Err(BrokenBarrier));
    /// # });
    /// ```
    pub fn abort(&self) {
        self.send_away(true);
    }

    /// Makes it whole again: those who wait get [`BrokenBarrier`], and those who come from now on
    /// wait for each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::Barrier;
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let barrier = Barrier::new(2);
    /// barrier.abort();
    /// barrier.reset();
    /// let (first, second) = tokio::join!(barrier.wait(), barrier.wait());
    /// assert_eq!((first?.index(), second?.index()), (0, 1));
    /// # Ok::<_, pirn_sync::BrokenBarrier>(()) }).unwrap();
    /// ```
    pub fn reset(&self) {
        self.send_away(false);
    }

    fn send_away(&self, broken: bool) {
        self.list.enter(|door| {
            *door.state() = State { waiting: 0, broken };
            while door.grant_head(0, End::Broken) {}
        });
    }
}

impl BarrierTurn {
    /// In which place it came, from 0; each of a generation has another.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// assert_eq!(pirn_sync::Barrier::new(1).wait().await?.index(), 0);
    /// # Ok::<_, pirn_sync::BrokenBarrier>(()) }).unwrap();
    /// ```
    pub fn index(&self) -> usize {
        self.index
    }

    /// True for the one that came last, for what one of them has to do.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl Policy<1> for Parties {
    type State = State;
    type Want = End;

    /// Counts the newcomer: who is not admitted is queued in the same breath, since its waker is at
    /// hand (`expects_wait` is true).
    fn admit(door: &mut Door<'_, Self>, queue: usize, _: End) -> Option<End> {
        let last = door.policy().0 - 1;
        let state = door.state();
        if state.broken {
            return Some(End::Broken);
        }
        if state.waiting < last {
            state.waiting += 1;
            return None;
        }
        state.waiting = 0;
        let mut index = 0;
        while door.grant_head(queue, End::Turn(index)) {
            index += 1;
        }
        Some(End::Turn(last))
    }

    /// Who was let through or sent away has been counted out already, and `settle`, which follows,
    /// counts out whoever leaves.
    fn put_back(door: &mut Door<'_, Self>, _: usize, _: End) {
        door.state().waiting += 1;
    }

    /// Follows nothing but a departure, since no grant transfers.
    fn settle(door: &mut Door<'_, Self>, _: usize) {
        door.state().waiting -= 1;
    }

    fn transfers(_: usize, _: End) -> bool {
        false
    }
}

impl Future for Wait<'_> {
    type Output = Result<BarrierTurn, BrokenBarrier>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.waiter.as_mut().newcomer().is_some() {
            ready!(budget::poll_spend(cx));
        }
        let parties = this.waiter.list().policy().0;
        match ready!(this.waiter.poll_granted(cx)) {
            End::Turn(index) => Poll::Ready(Ok(BarrierTurn {
                index,
                is_leader: index + 1 == parties,
            })),
            End::Broken => Poll::Ready(Err(BrokenBarrier)),
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (waiting, broken) = self.list.enter(|door| {
            let state = door.state();
            (state.waiting, state.broken)
        });
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &waiting)
            .field("is_broken", &broken)
            .finish()
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
