//! A counter of tokens over the wait list: the primitive that the list's tests and models use.

use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

pub(crate) struct Tokens(WaitList<Counter>);

pub(crate) struct Counter;

/// What is wanted, a token, or what was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// One token, scarce.
    Token,
    /// A call to all, which costs nothing.
    Call,
}

impl Policy<1> for Counter {
    type State = usize;
    type Want = Granted;

    fn admit(door: &mut Door<'_, Self>, queue: usize, want: Granted) -> Option<Granted> {
        let free = *door.state() > 0 && !door.has_waiting(queue);
        *door.state() -= usize::from(free);
        free.then_some(want)
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, granted: Granted) {
        *door.state() += usize::from(granted == Granted::Token);
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        while *door.state() > 0 && door.grant_head(queue, Granted::Token) {
            *door.state() -= 1;
        }
    }

    fn transfers(_: usize, granted: Granted) -> bool {
        granted == Granted::Token
    }
}

impl Tokens {
    pub(crate) fn new(tokens: usize) -> Self {
        Tokens(WaitList::new(Counter, tokens))
    }

    /// Puts tokens in; they are never taken back by themselves.
    pub(crate) fn add(&self, tokens: usize) {
        let mut held = self.0.hold();
        *held.state() += tokens;
        if held.has_waiting(0) {
            held.open(|door| Counter::settle(door, 0));
        }
    }

    /// Lets everybody go who waits now.
    pub(crate) fn call_all(&self) {
        self.0
            .enter(|door| while door.grant_head(0, Granted::Call) {});
    }

    pub(crate) fn left(&self) -> usize {
        self.0.enter(|door| *door.state())
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.0.enter(|door| door.has_waiting(0))
    }

    pub(crate) fn take(&self) -> Take<'_> {
        Take(Waiter::new(&self.0, 0, Granted::Token))
    }
}

pub(crate) struct Take<'a>(Waiter<'a, Counter>);

impl Future for Take<'_> {
    type Output = Granted;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Granted> {
        // SAFETY: the waiter is pinned with the future around it, which moves nothing out of it.
        let waiter = unsafe { self.map_unchecked_mut(|take| &mut take.0) };
        waiter.poll_granted(cx)
    }
}

/// Polls once with the given waker.
pub(crate) fn poll_once<F: Future>(
    future: Pin<&mut F>,
    waker: &std::task::Waker,
) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls a new waiter once and drops it.
pub(crate) fn poll_and_drop(tokens: &Tokens, waker: &std::task::Waker) -> Poll<Granted> {
    poll_once(pin!(tokens.take()), waker)
}
