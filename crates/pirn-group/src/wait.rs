//! A set of futures that is awaited more than once.

mod as_completed;

pub use as_completed::{AsCompleted, as_completed};

use crate::branches::Branches;
use crate::gather::list::result;
use crate::several::Several;
use crate::untaken::Untaken;
use pirn_core::budget::{self, inspect};
use pirn_core::{BranchEnd, Cause, JoinError, Scope, TaskMeta};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What [`wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The first end, however it is.
    FirstCompleted,
    /// The first that gives an error, panics or was cancelled; or all, if none does.
    FirstError,
    /// All of them.
    All,
}

/// A future that has ended: its number, and how.
pub type Done<T> = (usize, Result<T, JoinError>);

/// Futures that are awaited together, and again: what [`wait`] is about.
///
/// They are numbered in the order in which they come in. They run in the task that waits, as long as
/// it waits: between two waits they stand still. Where they are to go on meanwhile, make them tasks
/// of a [group](crate::TaskGroup), or see [`map_limit`](crate::map_limit).
///
/// They belong to the scope in which the set was made: a `timeout` around one wait cancels none of
/// them.
///
/// # Cancel safety
///
/// Dropping the set drops the futures in it; clean-up that is left goes to the scope in which it was
/// made. What has ended and was not given yet is dropped with it; a panic is reported.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::WaitSet;
/// use std::future::{pending, ready};
///
/// let mut set = WaitSet::new();
/// set.push(ready(7));
/// let done = set.all().await;
/// assert!(matches!(done[..], [(0, Ok(7))]));
/// assert!(set.is_empty());
/// # });
/// ```
pub struct WaitSet<F: Future> {
    scope: Scope,
    branches: Branches<F>,
    /// The number of the member with each key.
    numbers: Vec<usize>,
    pushed: usize,
    done: Untaken<Vec<Done<F::Output>>>,
    /// Those that were cancelled with the body in which the set was made.
    stalled: Vec<Done<F::Output>>,
}

impl<F: Future> Default for WaitSet<F> {
    #[track_caller]
    fn default() -> Self {
        WaitSet::new()
    }
}

impl<F: Future> WaitSet<F> {
    /// An empty set, in the scope around.
    #[track_caller]
    pub fn new() -> Self {
        WaitSet {
            scope: Scope::current().unwrap_or_default(),
            branches: Branches::new(),
            numbers: Vec::new(),
            pushed: 0,
            done: Untaken::new(Vec::new(), TaskMeta::here()),
            stalled: Vec::new(),
        }
    }

    /// A set of a tuple, an array, a vector or an iterator of futures.
    #[track_caller]
    pub fn of<S, Form>(several: S) -> Self
    where
        S: Several<Form, Future = F>,
    {
        let mut set = WaitSet::new();
        set.extend(several.futures());
        set
    }

    /// Adds a future, and gives its number. It is first polled by the next wait.
    pub fn push(&mut self, future: F) -> usize {
        let key = self.branches.push(future);
        if key >= self.numbers.len() {
            self.numbers.resize(key + 1, 0);
        }
        self.numbers[key] = self.pushed;
        self.pushed += 1;
        self.pushed - 1
    }

    /// How many have not ended.
    pub fn len(&self) -> usize {
        self.branches.len()
    }

    /// True if all have ended and were given.
    pub fn is_empty(&self) -> bool {
        self.branches.len() == 0 && self.done.all.is_empty() && self.stalled.is_empty()
    }

    /// Waits for the first end, and gives it with all that there are by then. Nothing if the set is
    /// empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait loses nothing: what has ended is given by the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::yield_now;
    /// use pirn_group::WaitSet;
    ///
    /// # futures::executor::block_on(async {
    /// let member = async |turns: u32| {
    ///     for _ in 0..turns {
    ///         yield_now().await;
    ///     }
    ///     turns
    /// };
    /// let mut set = WaitSet::of([5, 0, 5].map(member));
    /// let done = set.first_completed().await;
    /// assert_eq!((done.len(), set.len()), (1, 2));
    /// assert_eq!(set.all().await.len(), 2);
    /// # });
    /// ```
    pub async fn first_completed(&mut self) -> Vec<Done<F::Output>> {
        self.until(|_| true).await
    }

    /// Waits until all have ended, and gives how.
    ///
    /// # Cancel safety
    ///
    /// As [`first_completed`](Self::first_completed).
    pub async fn all(&mut self) -> Vec<Done<F::Output>> {
        self.until(|_| false).await
    }

    /// Waits for an end that is `enough`, or all, and gives what has ended by then.
    ///
    /// # Cancel safety
    ///
    /// As [`first_completed`](Self::first_completed).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use pirn_group::WaitSet;
    ///
    /// let mut set = WaitSet::of([1, 8, 2].map(|number| async move { number }));
    /// let done = set.until(|end| matches!(end, Ok(5..))).await;
    /// assert!(done.iter().any(|(number, _)| *number == 1));
    /// # });
    /// ```
    pub async fn until(
        &mut self,
        mut enough: impl FnMut(&Result<F::Output, JoinError>) -> bool,
    ) -> Vec<Done<F::Output>> {
        // How many of those that have ended were asked about, each once; and one of them is enough.
        let (mut asked, mut found) = (0, false);
        poll_fn(|cx| {
            let all = self.poll_pass(cx).is_ready();
            while let (false, Some((_, end))) = (found, self.done.all.get(asked)) {
                asked += 1;
                found = enough(end);
            }
            if !found && !(all && (self.stalled.is_empty() || !self.done.all.is_empty())) {
                return Poll::Pending;
            }
            // In a cancelled body nothing is given: the next wait may be elsewhere.
            ready!(budget::poll_spend(cx));
            Poll::Ready(self.done.take())
        })
        .await
    }

    /// Cancels those that have not ended, waits until they have, clean-up included, and gives how.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait loses nothing: they stay cancelled, and what has ended is given by the next.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use pirn_core::Cause;
    /// use pirn_group::WaitSet;
    ///
    /// let mut set = WaitSet::of([std::future::pending::<()>()]);
    /// let done = set.cancel(Cause::requested("enough")).await;
    /// assert!(done[0].1.as_ref().unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub async fn cancel(&mut self, cause: Cause) -> Vec<Done<F::Output>> {
        let cause = Arc::new(cause);
        let mut sink = Sink {
            numbers: &self.numbers,
            done: &mut self.done.all,
            stalled: &mut self.stalled,
        };
        let branches = &mut self.branches;
        let cancel = || branches.cancel(&cause, |key, end| sink.put(key, end));
        self.scope.inside(cancel);
        self.all().await
    }

    /// Polls those that were woken, once. Ready if none is left.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if budget::is_frozen() && !self.scope.is_cancelled() && !inspect::asks() {
            // The wait is cancelled, and they are not: what woke them is kept for the next.
            return Poll::Pending;
        }
        let mut sink = Sink {
            numbers: &self.numbers,
            done: &mut self.done.all,
            stalled: &mut self.stalled,
        };
        let ended = |key, end| {
            sink.put(key, end);
            ControlFlow::<()>::Continue(())
        };
        let branches = &mut self.branches;
        let polled = self.scope.inside(|| branches.poll(cx, ended)).map(|_| ());
        self.give_stalled();
        polled
    }

    /// Gives those that were cancelled with the body in which the set was made as such, if the body
    /// that waits goes on all the same: in a shield, say.
    fn give_stalled(&mut self) {
        if !self.stalled.is_empty() && !Scope::must_stay() {
            self.done.all.append(&mut self.stalled);
        }
    }
}

/// Where ends go.
struct Sink<'a, T> {
    numbers: &'a [usize],
    done: &'a mut Vec<Done<T>>,
    stalled: &'a mut Vec<Done<T>>,
}

impl<T> Sink<'_, T> {
    fn put(&mut self, key: usize, end: BranchEnd<T>) {
        let mut with_body = false;
        let done = (self.numbers[key], result(end, &mut with_body));
        match with_body {
            true => self.stalled.push(done),
            false => self.done.push(done),
        }
    }
}

impl<F: Future> Extend<F> for WaitSet<F> {
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.push(future);
        }
    }
}

impl<F: Future> FromIterator<F> for WaitSet<F> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = WaitSet::new();
        set.extend(futures);
        set
    }
}

impl<F: Future> fmt::Debug for WaitSet<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitSet")
            .field("len", &self.len())
            .field("done", &self.done.all.len())
            .finish_non_exhaustive()
    }
}

/// Waits for some of a set, and gives what has ended by then, with its number; the others stay in the
/// set, uncancelled. As asyncio's `wait`.
///
/// It takes no time limit: `timeout(limit, wait(&mut set, when))` gives up the wait, and cancels and
/// loses nothing.
///
/// # Cancel safety
///
/// Dropping the wait loses nothing: what has ended is given by the next.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::{WaitSet, When, wait};
///
/// let fetch = async |page: u32| match page {
///     1 => Err("not found"),
///     2 => std::future::pending().await,
///     _ => Ok(page),
/// };
/// let mut set: WaitSet<_> = (0..3).map(|page| fetch(page)).collect();
/// let done = wait(&mut set, When::FirstError).await;
/// assert!(matches!(done[..], [(0, Ok(Ok(0))), (1, Ok(Err("not found")))]));
/// assert_eq!(set.len(), 1);
/// # });
/// ```
pub async fn wait<F, T, E>(set: &mut WaitSet<F>, when: When) -> Vec<Done<Result<T, E>>>
where
    F: Future<Output = Result<T, E>>,
{
    set.until(|end| match when {
        When::FirstCompleted => true,
        When::FirstError => !matches!(end, Ok(Ok(_))),
        When::All => false,
    })
    .await
}
