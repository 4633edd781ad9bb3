//! The futures of a combinator: polled by its caller, each with a scope when it asks for one.

use crate::catch::drop_nameless;
use pirn_core::{Branch, BranchEnd, Cause, Kind, Members, Scope, budget};
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A set of branches: those who have ended are told of and gone. If it is dropped, so are they, each by
/// itself: panics of destructors are reported, and keep none of the others from it.
pub(crate) struct Branches<F: Future>(Members<Branch<F>>);

impl<F: Future> Branches<F> {
    pub(crate) const fn new() -> Self {
        Branches(Members::new())
    }

    /// The keys are the places in the order of the iterator.
    pub(crate) fn of(futures: impl Iterator<Item = F>) -> Self {
        match futures.size_hint() {
            (least, Some(most)) if least == most => Self::of_exactly(least, futures),
            _ => {
                let futures: Vec<F> = futures.collect();
                Self::of_exactly(futures.len(), futures.into_iter())
            }
        }
    }

    fn of_exactly(len: usize, futures: impl Iterator<Item = F>) -> Self {
        let mut members = Members::with_capacity(len);
        for future in futures {
            members.push(Branch::new(future));
        }
        Branches(members)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, future: F) -> usize {
        self.0.push(Branch::new(future))
    }

    /// One pass, to the first end for which `ended` breaks. `Ready(None)` when none is left.
    pub(crate) fn poll<B>(
        &mut self,
        cx: &mut Context<'_>,
        ended: impl FnMut(usize, BranchEnd<F::Output>) -> ControlFlow<B>,
    ) -> Poll<Option<B>> {
        let _budget = budget::refill_if_outermost();
        let polled = self.0.poll_until(cx, ended);
        if budget::is_frozen() {
            // They were woken for what they could not do now. Whoever polled this by reference may
            // have been cancelled alone.
            self.0.mark_all();
        }
        polled
    }

    /// Cancels all. Those who can end at once do; the others are to be polled.
    pub(crate) fn cancel(
        &mut self,
        cause: &Arc<Cause>,
        mut ended: impl FnMut(usize, BranchEnd<F::Output>),
    ) {
        let mut cancel = |key, branch: Pin<&mut Branch<F>>| match branch.cancel(cause) {
            Some(end) => {
                ended(key, end);
                false
            }
            None => true,
        };
        self.0.retain(&mut cancel);
        self.0.mark_all();
    }

    /// Drops them up to the first whose destructor panics, that one too.
    #[cold]
    fn drop_all(&mut self) {
        drop_nameless(|| self.0.retain(|_, _| false));
    }

    /// Cancels all and polls until none is left.
    pub(crate) fn poll_drained(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, BranchEnd<F::Output>),
    ) -> Poll<()> {
        let go_on = |key, end| {
            ended(key, end);
            ControlFlow::<()>::Continue(())
        };
        self.poll(cx, go_on).map(|_| ())
    }
}

impl<F: Future> Drop for Branches<F> {
    #[inline]
    fn drop(&mut self) {
        while !self.0.is_empty() {
            self.drop_all();
        }
    }
}

/// Stays as long as the body around is cancelled: for who has nothing to return but
/// [stalled](BranchEnd::Stalled) ends. It ends where somebody who polled by reference was cancelled
/// alone.
pub(crate) async fn stay() {
    poll_fn(|_| match Scope::must_stay() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

/// Why the others are cancelled when one has decided the whole.
pub(crate) fn decided(text: &'static str, at: &pirn_core::TaskMeta) -> Arc<Cause> {
    Arc::new(Cause::new(Kind::Sibling, text).with_location(at.spawned_at()))
}
