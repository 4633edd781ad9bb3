//! Where the children of a group in a task live: the set that the group's future polls, and the way
//! into it.
//!
//! A child is put into the room from anywhere, by a handle of the group; the group's future takes it
//! into its set after the body was polled, and before its pass through the set.
//!
//! | `Who` | meaning | set by |
//! |---|---|---|
//! | `Away` | the group's future is not being polled: who puts a child here takes its waker out and wakes it. Without a waker, that has happened, or it was never polled | `Room::new`; `leave` |
//! | `Here` | it is being polled, and looks for newcomers before it leaves | `enter` |
//! | `Gone` | it has ended or was dropped: a child that is put here is dropped | `Tenants`, its drop |
//!
//! While `Away` has a waker there are no newcomers: so none is ever left without a wake on its way.

use super::house::House;
use crate::group::shared::Shared;
use pirn_core::shim::ListLock;
use pirn_core::wake::{discard, wake};
use pirn_core::{Cause, Kind, Locals, Members, budget};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

pub(super) struct Room<C: ?Sized>(ListLock<State<C>>);

struct State<C: ?Sized> {
    newcomers: Vec<House<C>>,
    who: Who,
}

enum Who {
    Away(Option<Waker>),
    Here,
    Gone,
}

impl<C: ?Sized> Room<C> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Room(ListLock::new(State {
            newcomers: Vec::new(),
            who: Who::Away(None),
        })))
    }

    /// Puts a child here, to be polled in the pass to come. Where nobody will come it is dropped.
    pub(super) fn put(&self, child: House<C>) {
        let mut state = self.0.lock();
        let waker = match &mut state.who {
            Who::Away(waker) => waker.take(),
            Who::Here => None,
            Who::Gone => {
                // Not under the lock, and not as a part of who is here.
                drop(state);
                let _detached = Locals::detach();
                drop(child);
                return;
            }
        };
        state.newcomers.push(child);
        drop(state);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// The group's future is polled from now on. Gives its former waker.
    fn enter(&self) -> Option<Waker> {
        match std::mem::replace(&mut self.0.lock().who, Who::Here) {
            Who::Away(waker) => waker,
            Who::Here | Who::Gone => None,
        }
    }

    /// It is not polled any more, and to be woken by `waker`. False if it must look again.
    fn leave(&self, waker: Waker) -> bool {
        let mut state = self.0.lock();
        let rests = state.newcomers.is_empty();
        state.who = Who::Away(if rests { Some(waker) } else { None });
        rests
    }

    /// Gives who has come, for an empty list.
    fn take(&self, empty: Vec<House<C>>) -> Vec<House<C>> {
        std::mem::replace(&mut self.0.lock().newcomers, empty)
    }

    /// Gives what is here, to be dropped with nothing locked.
    fn close(&self) -> (Vec<House<C>>, Option<Waker>) {
        let mut state = self.0.lock();
        let waker = match std::mem::replace(&mut state.who, Who::Gone) {
            Who::Away(waker) => waker,
            Who::Here | Who::Gone => None,
        };
        (std::mem::take(&mut state.newcomers), waker)
    }
}

/// Those who live in a room, in the hands of the group's future.
pub(in crate::group) struct Tenants<C: ?Sized, E> {
    room: Arc<Room<C>>,
    members: Members<House<C>>,
    /// Empty, but for its memory.
    empty: Vec<House<C>>,
    waker: Option<Waker>,
    /// As the turn began there was nothing left of the task's budget.
    was_spent: bool,
    shared: Arc<Shared<E>>,
}

impl<C: ?Sized, E> Tenants<C, E> {
    pub(super) fn new(room: Arc<Room<C>>, shared: Arc<Shared<E>>) -> Self {
        Tenants {
            room,
            members: Members::new(),
            empty: Vec::new(),
            waker: None,
            was_spent: false,
            shared,
        }
    }

    fn cut_off(&mut self, newcomers: Vec<House<C>>) {
        self.shared.close();
        let text = "the future of the group was dropped";
        self.shared.scope.cancel(Cause::new(Kind::Dropped, text));
        let _detached = Locals::detach();
        self.members = Members::new();
        drop(newcomers);
    }
}

/// Who polls the children of a group.
pub(in crate::group) trait Children {
    /// A turn of the group begins.
    fn begin(&mut self) {}

    /// The body was polled: now the children are.
    fn poll(&mut self, _: &mut Context<'_>) {}
}

impl<C, E> Children for Tenants<C, E>
where
    C: Future<Output = ()> + ?Sized,
{
    fn begin(&mut self) {
        self.waker = self.room.enter();
        self.was_spent = budget::is_spent();
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        let mut newcomers = self.room.take(std::mem::take(&mut self.empty));
        for child in newcomers.drain(..) {
            self.members.push(child);
        }
        self.empty = newcomers;
        if !self.members.is_empty() {
            // What the body alone has spent, and would again in the next turn.
            let spent = !self.was_spent && budget::is_spent();
            let _budget = spent.then(budget::refill);
            // To them this is an executor, which has nothing around it.
            let _detached = Locals::detach();
            let _ended = self.members.poll_all(cx, |_, ()| ());
        }
        let waker = match self.waker.take() {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            former => {
                discard(former);
                cx.waker().clone()
            }
        };
        if !self.room.leave(waker) {
            cx.waker().wake_by_ref();
        }
    }
}

impl<C: ?Sized, E> Drop for Tenants<C, E> {
    /// After the group's end there is nobody left. Before it, who is left is cancelled, and dropped
    /// where it is: its clean-up goes to the scopes around.
    fn drop(&mut self) {
        let (newcomers, waker) = self.room.close();
        if !(newcomers.is_empty() && self.members.is_empty()) {
            self.cut_off(newcomers);
        }
        discard(waker);
        discard(self.waker.take());
    }
}
