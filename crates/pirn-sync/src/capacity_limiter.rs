//! A number of tokens that can change, each lent to a borrower who has a name.
//!
//! # States
//!
//! Under the lock of the wait list lie how many tokens there are, `total`, and how many are out,
//! `borrowed`, with those that were granted and not taken. The first in the queue is served while
//! `borrowed < total`; after `set_total` there may be more out than there are.
//!
//! A task that claims a grant of its own while too many are out is not served with it: it then waits
//! at the head of the queue, which is as near as anybody can be.
//!
//! Beside it, under a lock of its own, are the borrowers who have a token or ask for one. A borrower
//! enters before it asks for a token, and leaves before its token goes back. That lock is not the
//! list's because a borrower's `Eq` and `Hash` run under it: they hold up others who come and go, but
//! no hand-over.

use pirn_core::budget;
use pirn_core::shim::Mutex;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::pin;

use crate::error::{AlreadyBorrowed, TryBorrowError};

/// A limit on how many do something at once, which can be changed while it is in use, and of which
/// each borrower has one part at most.
///
/// As trio's `CapacityLimiter`. Who borrows is said with a value of a type of the caller's: a number,
/// a name, an address. One that asks while it has a token, or already asks for one, gets an error:
/// with tokens that are taken one within the other, a program would hang as soon as the outer ones
/// are all out. Where nobody needs a name and the limit stays, a [`Semaphore`](crate::Semaphore) is
/// simpler and faster.
///
/// The borrower's `Eq` and `Hash` run under a lock of the limiter's, so they must not use it. Its
/// clones are made and dropped without.
///
/// # Fairness
///
/// First come, first served; a try or a newcomer overtakes nobody. A token that was granted belongs
/// to the task, as with [`Lock`](crate::Lock#fairness).
///
/// # Examples
///
/// ```
/// use pirn_sync::{AlreadyBorrowed, CapacityLimiter};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let threads = CapacityLimiter::new(2);
/// let token = threads.acquire_on_behalf_of("parser").await?;
/// assert_eq!((threads.borrowed(), threads.available()), (1, 1));
/// let again = threads.acquire_on_behalf_of("parser").await;
/// assert_eq!(again.unwrap_err(), AlreadyBorrowed("parser"));
/// drop(token);
/// assert_eq!(threads.available(), 2);
/// # Ok::<_, AlreadyBorrowed<&str>>(()) }).unwrap();
/// ```
pub struct CapacityLimiter<B> {
    list: WaitList<Tokens>,
    borrowers: Mutex<HashSet<B>>,
}

/// A token of a [`CapacityLimiter`], which gets it back as this is dropped.
#[must_use = "the token goes back as soon as this is dropped"]
pub struct LimiterToken<'a, B: Eq + Hash> {
    // Dropped first.
    entry: Entry<'a, B>,
    _loan: Loan<'a>,
}

/// What [`CapacityLimiter::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimiterStatistics {
    /// How many tokens there are.
    pub total: usize,
    /// How many are out; more than `total` if that was made less.
    pub borrowed: usize,
    /// How many borrowers wait for one.
    pub waiting: usize,
}

struct Tokens;

struct State {
    total: usize,
    borrowed: usize,
}

/// A borrower among those who have a token or ask for one.
struct Entry<'a, B: Eq + Hash> {
    limiter: &'a CapacityLimiter<B>,
    /// `None` once it has left.
    borrower: Option<B>,
}

/// One token that is out.
struct Loan<'a>(&'a WaitList<Tokens>);

impl<B> CapacityLimiter<B> {
    /// A limiter with so many tokens; with 0, everybody waits until there are more.
    pub fn new(total: usize) -> Self {
        CapacityLimiter {
            list: WaitList::new(Tokens, State { total, borrowed: 0 }),
            borrowers: Mutex::new(HashSet::new()),
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

    /// How many borrowers wait for a token. It may have changed by the time this returns.
    pub fn waiting(&self) -> usize {
        self.statistics().waiting
    }

    /// All its numbers.
    ///
    /// # Examples
    ///
    /// ```
    /// let limiter = pirn_sync::CapacityLimiter::new(3);
    /// let _token = limiter.try_acquire_on_behalf_of(7).unwrap();
    /// let now = limiter.statistics();
    /// assert_eq!((now.total, now.borrowed, now.waiting), (3, 1, 0));
    /// ```
    pub fn statistics(&self) -> LimiterStatistics {
        let entered = self.borrowers.lock().len();
        self.look(|state| LimiterStatistics {
            total: state.total,
            borrowed: state.borrowed,
            waiting: entered.saturating_sub(state.borrowed),
        })
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
    /// let limiter = pirn_sync::CapacityLimiter::new(1);
    /// let token = limiter.try_acquire_on_behalf_of('a').unwrap();
    /// limiter.set_total(0);
    /// assert_eq!((limiter.borrowed(), limiter.available()), (1, 0));
    /// drop(token);
    /// assert!(limiter.try_acquire_on_behalf_of('a').is_err());
    /// limiter.set_total(1);
    /// assert!(limiter.try_acquire_on_behalf_of('a').is_ok());
    /// ```
    pub fn set_total(&self, total: usize) {
        self.list.enter(|door| {
            door.state().total = total;
            Tokens::settle(door, 0);
        });
    }
}

impl<B: Clone + Eq + Hash> CapacityLimiter<B> {
    /// Takes a token for `borrower` if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryBorrowError::AlreadyBorrowed`] if the borrower has a token or asks for one;
    /// [`TryBorrowError::NoTokens`]; both with the borrower.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{CapacityLimiter, TryBorrowError};
    ///
    /// let limiter = CapacityLimiter::new(1);
    /// let token = limiter.try_acquire_on_behalf_of('a').unwrap();
    /// let other = limiter.try_acquire_on_behalf_of('b');
    /// assert_eq!(other.unwrap_err(), TryBorrowError::NoTokens('b'));
    /// assert_eq!(token.borrower(), &'a');
    /// ```
    pub fn try_acquire_on_behalf_of(
        &self,
        borrower: B,
    ) -> Result<LimiterToken<'_, B>, TryBorrowError<B>> {
        let entry = match self.enter(borrower) {
            Ok(entry) => entry,
            Err(AlreadyBorrowed(borrower)) => {
                return Err(TryBorrowError::AlreadyBorrowed(borrower));
            }
        };
        match self.list.enter(|door| Tokens::admit(door, 0, ())) {
            Some(()) => Ok(self.token(entry)),
            None => Err(TryBorrowError::NoTokens(entry.leave())),
        }
    }

    /// Waits for a token for `borrower`.
    ///
    /// # Errors
    ///
    /// [`AlreadyBorrowed`] with the borrower, if it has a token or asks for one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a token that it had been granted goes to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sync::{AlreadyBorrowed, CapacityLimiter};
    ///
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let limiter = CapacityLimiter::new(0);
    /// let borrows = async { Ok(*limiter.acquire_on_behalf_of(1).await?.borrower()) };
    /// let (borrower, ()) = tokio::join!(borrows, async { limiter.set_total(1) });
    /// assert_eq!(borrower, Ok::<_, AlreadyBorrowed<i32>>(1));
    /// # });
    /// ```
    pub async fn acquire_on_behalf_of(
        &self,
        borrower: B,
    ) -> Result<LimiterToken<'_, B>, AlreadyBorrowed<B>> {
        poll_fn(budget::poll_spend).await;
        // The entry is dropped before the waiter: who is woken by that may ask for this borrower.
        let mut waiter = pin!(Waiter::new(&self.list, 0, ()));
        let entry = self.enter(borrower)?;
        poll_fn(|cx| waiter.as_mut().poll_grant(cx, |_, ()| ())).await;
        Ok(self.token(entry))
    }

    fn enter(&self, borrower: B) -> Result<Entry<'_, B>, AlreadyBorrowed<B>> {
        let entered = borrower.clone();
        let refused = {
            let mut borrowers = self.borrowers.lock();
            match borrowers.contains(&entered) {
                true => Some(entered),
                false => {
                    borrowers.insert(entered);
                    None
                }
            }
        };
        match refused {
            Some(_) => Err(AlreadyBorrowed(borrower)),
            None => Ok(Entry {
                limiter: self,
                borrower: Some(borrower),
            }),
        }
    }

    /// To be made by whoever was granted one.
    fn token<'a>(&'a self, entry: Entry<'a, B>) -> LimiterToken<'a, B> {
        LimiterToken {
            entry,
            _loan: Loan(&self.list),
        }
    }
}

impl<'a, B: Eq + Hash> LimiterToken<'a, B> {
    /// Who borrowed it.
    pub fn borrower(&self) -> &B {
        let borrower = self.entry.borrower.as_ref();
        borrower.expect("an entry has a borrower until it leaves")
    }

    /// The limiter that it belongs to.
    pub fn limiter(&self) -> &'a CapacityLimiter<B> {
        self.entry.limiter
    }
}

impl State {
    fn lend(&mut self) -> bool {
        let lent = self.borrowed < self.total;
        self.borrowed += usize::from(lent);
        lent
    }
}

impl Policy<1> for Tokens {
    type State = State;
    type Want = ();

    /// Whoever waits does so because none is free, so who finds one free overtakes nobody.
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

impl<B: Eq + Hash> Entry<'_, B> {
    fn leave(mut self) -> B {
        let borrower = self.remove();
        borrower.expect("an entry has a borrower until it leaves")
    }

    fn remove(&mut self) -> Option<B> {
        let borrower = self.borrower.take()?;
        // Its destructor runs with the lock released.
        let entered = self.limiter.borrowers.lock().take(&borrower);
        drop(entered);
        Some(borrower)
    }
}

impl<B: Eq + Hash> Drop for Entry<'_, B> {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.enter(|door| {
            Tokens::put_back(door, 0, ());
            Tokens::settle(door, 0);
        });
    }
}

impl<B> fmt::Debug for CapacityLimiter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.statistics();
        f.debug_struct("CapacityLimiter")
            .field("total", &now.total)
            .field("borrowed", &now.borrowed)
            .field("waiting", &now.waiting)
            .finish()
    }
}

impl<B: Eq + Hash + fmt::Debug> fmt::Debug for LimiterToken<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterToken")
            .field("borrower", self.borrower())
            .finish()
    }
}
