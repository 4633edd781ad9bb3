//! The ends of several futures, as they come.

use super::{Done, WaitSet};
use crate::several::Several;
use crate::untaken::Untaken;
use futures_core::Stream;
use pirn_core::{TaskMeta, budget};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A stream of the ends of several futures, each as it comes, with its place in the input: a tuple of
/// up to twelve, an array, a vector or an iterator, with one type of output.
///
/// They run in the task that polls the stream, and stand still between its items: a body that waits
/// for something that one of them is to do waits for ever. Where they are to go on meanwhile, see
/// [`map_limit`](crate::map_limit).
///
/// # Cancel safety
///
/// Dropping a wait for the next item loses nothing. Dropping the stream drops the futures; clean-up
/// that is left goes to the scope in which it was made. Of ends that were not given yet, panics are
/// reported.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_core::yield_now;
///
/// let slow = async {
///     yield_now().await;
///     "slow"
/// };
/// let mut ends = pirn_group::as_completed((slow, async { "fast" }));
/// let (place, word) = ends.next().await.unwrap();
/// assert_eq!((place, word.unwrap()), (1, "fast"));
/// assert_eq!(ends.next().await.unwrap().0, 0);
/// assert!(ends.next().await.is_none());
/// # });
/// ```
#[track_caller]
pub fn as_completed<S, Form>(several: S) -> AsCompleted<S::Future>
where
    S: Several<Form>,
{
    AsCompleted {
        set: WaitSet::of(several),
        ready: Untaken::new(VecDeque::new(), TaskMeta::here()),
    }
}

/// The stream of [`as_completed`].
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<F: Future> {
    set: WaitSet<F>,
    /// Ended in one pass, and not given yet.
    ready: Untaken<VecDeque<Done<F::Output>>>,
}

impl<F: Future> AsCompleted<F> {
    /// The next end; `None` when there were all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Option<Done<F::Output>> {
        poll_fn(|cx| self.poll_done(cx)).await
    }

    /// How many have not been given.
    pub fn left(&self) -> usize {
        self.set.len() + self.set.stalled.len() + self.ready.all.len()
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Option<Done<F::Output>>> {
        if self.ready.all.is_empty() {
            let all = self.set.poll_pass(cx).is_ready();
            self.ready.all.extend(self.set.done.all.drain(..));
            if self.ready.all.is_empty() && !(all && self.set.stalled.is_empty()) {
                return Poll::Pending;
            }
        }
        // In a cancelled body nothing is given: the next wait may be elsewhere.
        ready!(budget::poll_spend(cx));
        Poll::Ready(self.ready.all.pop_front())
    }
}

impl<F: Future> Unpin for AsCompleted<F> {}

impl<F: Future> Stream for AsCompleted<F> {
    type Item = Done<F::Output>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_done(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left()))
    }
}

impl<F: Future> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}
