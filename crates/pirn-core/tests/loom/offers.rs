//! Offers that may be withdrawn, over the wait list: what a primitive does that revokes grants.

#![allow(dead_code, reason = "each test binary uses its part")]

use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) struct Offers(WaitList<Board>);

pub(crate) struct Board;

#[derive(Default)]
pub(crate) struct Count {
    offers: usize,
    granted: usize,
    revoked: u32,
}

impl Policy<1> for Board {
    type State = Count;
    type Want = ();

    const UNLOCKED: bool = false;

    fn admit(door: &mut Door<'_, Self>, queue: usize, (): ()) -> Option<()> {
        let may = !door.has_waiting(queue);
        let count = door.state();
        let admitted = may && count.granted < count.offers;
        count.granted += usize::from(admitted);
        admitted.then_some(())
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, (): ()) {
        door.state().granted -= 1;
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        while door.state().granted < door.state().offers && door.grant_head(queue, ()) {
            door.state().granted += 1;
        }
    }

    fn revoked(door: &mut Door<'_, Self>, by: i32) -> u32 {
        let count = &mut door.state().revoked;
        *count = count.wrapping_add_signed(by);
        *count
    }
}

impl Offers {
    pub(crate) fn new() -> Self {
        Offers(WaitList::new(Board, Count::default()))
    }

    pub(crate) fn offer(&self) {
        self.0.enter(|door| {
            door.state().offers += 1;
            Board::settle(door, 0);
        });
    }

    /// Takes an offer back. False if all were taken.
    pub(crate) fn withdraw(&self) -> bool {
        self.0.enter(|door| {
            let count = door.state();
            if count.offers == 0 {
                return false;
            }
            count.offers -= 1;
            if count.granted > count.offers {
                assert!(door.revoke(0));
                door.state().granted -= 1;
            }
            true
        })
    }

    /// How many were revoked and did not poll since.
    pub(crate) fn revoked(&self) -> u32 {
        self.0.enter(|door| door.state().revoked)
    }

    pub(crate) fn revoke_none(&self) -> bool {
        self.0.enter(|door| !door.revoke(0))
    }

    pub(crate) fn take(&self) -> Accept<'_> {
        Accept(Waiter::new(&self.0, 0, ()))
    }
}

pub(crate) struct Accept<'a>(Waiter<'a, Board>);

impl Future for Accept<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the waiter is pinned with the future around it, which moves nothing out of it.
        let waiter = unsafe { self.map_unchecked_mut(|take| &mut take.0) };
        waiter.poll_grant(cx, |door, ()| {
            let count = door.state();
            count.offers -= 1;
            count.granted -= 1;
        })
    }
}
