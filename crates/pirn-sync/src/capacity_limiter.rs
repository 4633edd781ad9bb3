//! A number of tokens that can change, each lent to a borrower.
//!
//! # States
//!
//! All under the lock of the wait list: how many tokens there are, `total`; how many are out,
//! `borrowed`, with those that were granted and not taken; and who has *entered*, that is has a token
//! or asks for one. The first in the queue is served while `borrowed < total`; after `set_total`
//! there may be more out than there are.
//!
//! | a borrower | entered by | left by |
//! | --- | --- | --- |
//! | is not entered | | `State::enter` |
//! | asks for a token | `State::enter`, if none is free | `State::mark`, with the grant; `Entry::drop`, also at a poll in a cancelled body |
//! | has a token | `State::enter`; `State::mark` | `Entry::drop`, as the token comes back |
//!
//! One that asks leaves in a step of its own before its waiter leaves the queue, so that whoever is
//! served by that may ask for it.
//!
//! A task that claims a grant of its own while too many are out is not served with it: it then waits
//! at the head of the queue, which is as near as anybody can be.
//!
//! Those who entered stand in a sorted `Vec`: a borrower is found by halving, and as later ones have
//! higher numbers they go to its end, as a rule. Room for more is allocated with the lock released.
//! (A hash set cleans itself up now and then, with the lock held; and it has no `const` constructor.)

use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, ready};
use pirn_core::shim;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use pirn_core::{budget, const_unless_loom};

use crate::error::{AlreadyBorrowed, TryBorrowError};

/// A limit on how many do something at once, which can be changed while it is in use, and of which
/// each borrower has one part at most.
///
/// As trio's `CapacityLimiter`. A [`Borrower`] that asks while it has a token, or already asks for
/// one, gets an error: with tokens that are taken one within the other, a program would hang as soon
/// as the outer ones are all out. Where nobody needs that and the limit stays, a
/// [`Semaphore`](crate::Semaphore) is simpler and faster.
///
/// It keeps a list of those who have a token or ask for one, which gets as long as they ever were at
/// once.
///
/// # Fairness
///
/// First come, first served; a try or a newcomer overtakes nobody. A token that was granted belongs
/// to the task, as with [`Lock`](crate::Lock#fairness).
///
/// # Examples
///
/// ```
/// use pirn_sync::{AlreadyBorrowed, Borrower, CapacityLimiter};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let threads = CapacityLimiter::new(2);
/// let parser = Borrower::new();
/// let token = threads.acquire_on_behalf_of(parser).await?;
/// assert_eq!((threads.borrowed(), threads.available()), (1, 1));
/// let again = threads.acquire_on_behalf_of(parser).await;
/// assert_eq!(again.unwrap_err(), AlreadyBorrowed(parser));
/// drop(token);
/// assert_eq!(threads.available(), 2);
/// # Ok::<_, AlreadyBorrowed>(()) }).unwrap();
/// ```
pub struct CapacityLimiter {
    list: WaitList<Tokens>,
}

/// Who borrows from a [`CapacityLimiter`]: a number that no other borrower in this process has, or
/// ever had.
///
/// It is the name of whatever you like: a task, a connection, a job. One borrower may borrow from
/// many limiters.
///
/// # Examples
///
/// ```
/// use pirn_sync::Borrower;
///
/// let (one, other) = (Borrower::new(), Borrower::new());
/// let same = one;
/// assert!(one == same && one != other);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Borrower(usize);

/// A token of a [`CapacityLimiter`], which gets it back as this is dropped.
#[must_use = "the token goes back as soon as this is dropped"]
pub struct LimiterToken<'a>(Entry<'a>);

/// What [`CapacityLimiter::statistics`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimiterStatistics {
    /// How many tokens there are.
    pub total: usize,
    /// How many are out, with those that were granted to a task which has not taken them yet; more
    /// than `total` if that was made less.
    pub borrowed: usize,
    /// How many wait for one.
    pub waiting: usize,
    /// Who has taken one and not given it back, the oldest borrower first.
    pub borrowers: Vec<Borrower>,
}

struct Tokens;

struct State {
    total: usize,
    borrowed: usize,
    /// Sorted by borrower.
    entered: Vec<Entered>,
}

#[derive(Clone, Copy)]
struct Entered {
    borrower: Borrower,
    /// False while it asks for one.
    has_token: bool,
}

/// A borrower who has entered, and leaves as this is dropped, with its token if it has one.
struct Entry<'a> {
    limiter: &'a CapacityLimiter,
    borrower: Borrower,
    has_token: bool,
}

impl Borrower {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If there were `isize::MAX` of them before, as can happen where that has 32 bits.
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        // Ordering: Relaxed, only uniqueness is asked of it. `core`'s atomic on purpose: there is
        // nothing in it for a model to explore.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Half of what it can count is left to panics, so that it does not come round.
        assert!(
            number <= isize::MAX as usize,
            "no number is left for a borrower"
        );
        Borrower(number)
    }
}

impl CapacityLimiter {
    const_unless_loom! {
        /// A limiter with so many tokens; with 0, everybody waits until there are more.
        pub fn new(total: usize) -> Self {
            let state = State { total, borrowed: 0, entered: Vec::new() };
            CapacityLimiter { list: WaitList::new(Tokens, state) }
        }
    }

    /// How many tokens there are.
    pub fn total(&self) -> usize {
        self.look(|state| state.total)
    }

    /// How many are out, with those that were granted to a task which has not taken them yet.
    pub fn borrowed(&self) -> usize {
        self.look(|state| state.borrowed)
    }

    /// How many are free.
    pub fn available(&self) -> usize {
        self.look(|state| state.total.saturating_sub(state.borrowed))
    }

    /// How many wait for a token. It may have changed by the time this returns. It looks at each of
    /// them, with the limiter locked: for diagnosis.
    pub fn waiting(&self) -> usize {
        self.list.enter(|door| door.waiting(0))
    }

    /// All its numbers at one moment, and who has a token. It looks at each of those who have one or
    /// ask for one, with the limiter locked: for diagnosis.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Borrower, CapacityLimiter};
    ///
    /// let limiter = CapacityLimiter::new(3);
    /// let borrower = Borrower::new();
    /// let _token = limiter.try_acquire_on_behalf_of(borrower).unwrap();
    /// let now = limiter.statistics();
    /// assert_eq!((now.total, now.borrowed, now.waiting), (3, 1, 0));
    /// assert_eq!(now.borrowers, [borrower]);
    /// ```
    pub fn statistics(&self) -> LimiterStatistics {
        let mut borrowers = Vec::new();
        loop {
            let room = borrowers.capacity();
            let seen = self.list.enter(|door| {
                let entered = &door.state().entered;
                if entered.len() > room {
                    return Err(entered.len());
                }
                let have = entered.iter().filter(|entered| entered.has_token);
                borrowers.extend(have.map(|entered| entered.borrower));
                let state = door.state();
                Ok((state.total, state.borrowed, door.waiting(0)))
            });
            match seen {
                Ok((total, borrowed, waiting)) => {
                    return LimiterStatistics {
                        total,
                        borrowed,
                        waiting,
                        borrowers,
                    };
                }
                Err(needed) => borrowers.reserve(needed),
            }
        }
    }

    fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.list.enter(|door| look(door.state()))
    }

    /// Changes how many tokens there are. If they are more, the first who wait get them; if they are
    /// fewer than are out, nobody gets one until enough have come back.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Borrower, CapacityLimiter};
    ///
    /// let limiter = CapacityLimiter::new(1);
    /// let borrower = Borrower::new();
    /// let token = limiter.try_acquire_on_behalf_of(borrower).unwrap();
    /// limiter.set_total(0);
    /// assert_eq!((limiter.borrowed(), limiter.available()), (1, 0));
    /// drop(token);
    /// assert!(limiter.try_acquire_on_behalf_of(borrower).is_err());
    /// limiter.set_total(1);
    /// assert!(limiter.try_acquire_on_behalf_of(borrower).is_ok());
    /// ```
    pub fn set_total(&self, total: usize) {
        self.list.enter(|door| {
            door.state().total = total;
            Tokens::settle(door, 0);
        });
    }

    /// Takes a token for `borrower` if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryBorrowError::AlreadyBorrowed`] if the borrower has a token or asks for one;
    /// [`TryBorrowError::NoTokens`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{Borrower, CapacityLimiter, TryBorrowError};
    ///
    /// let limiter = CapacityLimiter::new(1);
    /// let borrower = Borrower::new();
    /// let token = limiter.try_acquire_on_behalf_of(borrower).unwrap();
    /// let other = limiter.try_acquire_on_behalf_of(Borrower::new());
    /// assert_eq!(other.unwrap_err(), TryBorrowError::NoTokens);
    /// assert_eq!(token.borrower(), borrower);
    /// ```
    pub fn try_acquire_on_behalf_of(
        &self,
        borrower: Borrower,
    ) -> Result<LimiterToken<'_>, TryBorrowError> {
        match self.enter(borrower, false) {
            Ok(Some(entry)) => Ok(LimiterToken(entry)),
            Ok(None) => Err(TryBorrowError::NoTokens),
            Err(AlreadyBorrowed(borrower)) => Err(TryBorrowError::AlreadyBorrowed(borrower)),
        }
    }

    /// Waits for a token for `borrower`.
    ///
    /// # Errors
    ///
    /// [`AlreadyBorrowed`], if the borrower has a token or asks for one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a token that it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{AlreadyBorrowed, Borrower, CapacityLimiter};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let limiter = CapacityLimiter::new(0);
    /// let borrows = async {
    ///     let token = limiter.acquire_on_behalf_of(Borrower::new()).await?;
    ///     Ok::<_, AlreadyBorrowed>(limiter.statistics().borrowers == [token.borrower()])
    /// };
    /// let (borrowed, ()) = tokio::join!(borrows, async { limiter.set_total(1) });
    /// assert_eq!(borrowed, Ok(true));
    /// # });
    /// ```
    pub async fn acquire_on_behalf_of(
        &self,
        borrower: Borrower,
    ) -> Result<LimiterToken<'_>, AlreadyBorrowed> {
        let mut waiter = pin!(Waiter::new(&self.list, 0, ()));
        // Dropped before the waiter.
        let mut entry = None;
        poll_fn(|cx| {
            if budget::is_frozen() {
                entry = None;
            } else if entry.is_none() {
                ready!(budget::poll_spend(cx));
                entry = self.enter(borrower, true)?;
            }
            if !entry.as_ref().is_some_and(|entry| entry.has_token) {
                let mark = |door: &mut Door<'_, Tokens>, ()| door.state().mark(borrower);
                ready!(waiter.as_mut().poll_grant(cx, mark));
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        match entry {
            Some(mut entry) => {
                entry.has_token = true;
                Ok(LimiterToken(entry))
            }
            None => unreachable!("whoever is served has entered"),
        }
    }

    /// Enters a borrower, with a token if one is free. If none is, only one that `waits` enters.
    fn enter(&self, borrower: Borrower, waits: bool) -> Result<Option<Entry<'_>>, AlreadyBorrowed> {
        // What is left in it, room that was too small, is freed with the lock released.
        let mut spare = Vec::new();
        loop {
            let step = self
                .list
                .enter(|door| door.state().enter(borrower, waits, &mut spare));
            match step {
                Step::Enter { has_token } => {
                    return Ok(Some(Entry {
                        limiter: self,
                        borrower,
                        has_token,
                    }));
                }
                Step::NoToken => return Ok(None),
                Step::Already => return Err(AlreadyBorrowed(borrower)),
                Step::NoRoom(room) => spare = Vec::with_capacity(room),
            }
        }
    }
}

impl<'a> LimiterToken<'a> {
    /// Who borrowed it.
    pub fn borrower(&self) -> Borrower {
        self.0.borrower
    }

    /// The limiter that it belongs to.
    pub fn limiter(&self) -> &'a CapacityLimiter {
        self.0.limiter
    }
}

/// How a borrower fared that was to enter.
enum Step {
    Enter {
        has_token: bool,
    },
    NoToken,
    Already,
    /// Come again with so much.
    NoRoom(usize),
}

impl State {
    fn lend(&mut self) -> bool {
        let lent = self.borrowed < self.total;
        self.borrowed += usize::from(lent);
        lent
    }

    /// Where a borrower stands, or where it would.
    fn find(&self, borrower: Borrower) -> Result<usize, usize> {
        self.entered
            .binary_search_by_key(&borrower.0, |entered| entered.borrower.0)
    }

    /// Enters a borrower. `spare` is taken if more room is needed and it has that.
    fn enter(&mut self, borrower: Borrower, waits: bool, spare: &mut Vec<Entered>) -> Step {
        let Err(at) = self.find(borrower) else {
            return Step::Already;
        };
        if !waits && self.borrowed >= self.total {
            return Step::NoToken;
        }
        let len = self.entered.len();
        if len == self.entered.capacity() {
            if spare.capacity() <= len {
                return Step::NoRoom((2 * len).max(shim::choose(8, 1)));
            }
            spare.append(&mut self.entered);
            core::mem::swap(spare, &mut self.entered);
        }
        // Whoever waits does so because none is free, so who finds one free overtakes nobody.
        let has_token = self.lend();
        self.entered.insert(
            at,
            Entered {
                borrower,
                has_token,
            },
        );
        Step::Enter { has_token }
    }

    /// A borrower who asked takes its token.
    fn mark(&mut self, borrower: Borrower) {
        if let Ok(at) = self.find(borrower) {
            self.entered[at].has_token = true;
        }
    }

    fn leave(&mut self, borrower: Borrower) {
        if let Ok(at) = self.find(borrower) {
            self.entered.remove(at);
        }
    }
}

impl Policy<1> for Tokens {
    type State = State;
    type Want = ();

    const UNLOCKED: bool = false;

    fn admit(door: &mut Door<'_, Self>, _: usize, (): ()) -> Option<()> {
        door.state().lend().then_some(())
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, (): ()) {
        door.state().borrowed -= 1;
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        while door.has_waiting(queue) && door.state().lend() {
            door.grant_head(queue, ());
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.limiter.list.enter(|door| {
            door.state().leave(self.borrower);
            if self.has_token {
                Tokens::put_back(door, 0, ());
                Tokens::settle(door, 0);
            }
        });
    }
}

impl Default for Borrower {
    fn default() -> Self {
        Borrower::new()
    }
}

impl fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let look = |door: &mut Door<'_, Tokens>| {
            let waiting = door.waiting(0);
            (door.state().total, door.state().borrowed, waiting)
        };
        let (total, borrowed, waiting) = self.list.enter(look);
        f.debug_struct("CapacityLimiter")
            .field("total", &total)
            .field("borrowed", &borrowed)
            .field("waiting", &waiting)
            .finish()
    }
}

impl fmt::Debug for LimiterToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterToken")
            .field("borrower", &self.0.borrower)
            .finish()
    }
}
