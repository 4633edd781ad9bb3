//! What lies under the queue's lock, and who is served when.

use super::order::Order;
use crate::error::{Closed, PutError};
use alloc::vec::Vec;
use core::marker::PhantomData;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::wait::{Door, Policy, WaitList};

/// The queues of the wait list.
pub(super) const GET: usize = 0;
pub(super) const PUT: usize = 1;
pub(super) const JOIN: usize = 2;

/// A whole queue.
pub(super) type List<T, O> = WaitList<Flow<T, O>, 3>;
type Open<'d, T, O> = Door<'d, Flow<T, O>, 3>;

/// Beside the lock: which way a newcomer would probably have to wait.
pub(super) struct Flow<T, O> {
    empty: AtomicBool,
    full: AtomicBool,
    _items: PhantomData<fn() -> (T, O)>,
}

/// What every put and get writes comes first.
#[repr(C)]
pub(super) struct State<O> {
    /// Items that were taken out and are not done, less those that were done before they were taken.
    taken: isize,
    pub(super) items: O,
    /// Items that are set aside for getters.
    claimed: usize,
    /// Places that are set aside for putters.
    reserved: usize,
    /// The capacity, or 0 once it is closed.
    limit: usize,
    pub(super) capacity: usize,
}

impl<O> State<O> {
    pub(super) const fn new(items: O, capacity: usize) -> Self {
        State {
            taken: 0,
            items,
            claimed: 0,
            reserved: 0,
            limit: capacity,
            capacity,
        }
    }
}

impl<T, O: Order<T>> Flow<T, O> {
    pirn_core::const_unless_loom! {
        pub(super) fn new() -> Self {
            Flow {
                empty: AtomicBool::new(true),
                full: AtomicBool::new(false),
                _items: PhantomData,
            }
        }
    }

    /// Puts the item in, unless it would have to wait.
    #[inline]
    pub(super) fn put_now(
        list: &List<T, O>,
        item: &mut Option<T>,
    ) -> Option<Result<(), PutError<T>>> {
        let mut held = list.hold();
        let state = held.state();
        if !state.has_room() {
            let refused = item.take_if(|_| state.is_closed());
            return refused.map(|item| Err(PutError(item)));
        }
        // There is room, so nobody waits for it.
        let item = item.take()?;
        if !state.has_ready() && held.has_waiting(GET) {
            held.state().reserved += 1;
            return Some(held.open(|door| Self::add(door, item)));
        }
        let state = held.state();
        let is_first = !state.has_ready();
        state.items.push(item);
        let is_last = !state.has_room();
        if is_first {
            held.policy().note_empty(false);
        }
        if is_last {
            held.policy().note_full(true);
        }
        Some(Ok(()))
    }

    /// Takes the next item, unless it would have to wait.
    #[inline]
    pub(super) fn get_now(list: &List<T, O>) -> Option<Result<T, Closed>> {
        let mut held = list.hold();
        let state = held.state();
        if !state.has_ready() {
            return state.is_ended().then_some(Err(Closed));
        }
        // There is one that was not set aside, so nobody waits for it.
        let is_first = !state.has_room();
        if is_first && (state.is_closed() || held.has_waiting(PUT)) {
            held.state().claimed += 1;
            return Some(held.open(|door| Self::take(door)));
        }
        let state = held.state();
        let item = state.pop()?;
        let is_last = !state.has_ready();
        if is_first {
            held.policy().note_full(false);
        }
        if is_last {
            held.policy().note_empty(true);
        }
        Some(Ok(item))
    }

    /// Takes items as long as `items` has room without growing, `limit` at most, and nobody waits
    /// for them.
    pub(super) fn get_many_now(list: &List<T, O>, items: &mut Vec<T>, limit: usize) {
        list.enter(|door| {
            let limit = limit.min(items.capacity() - items.len());
            for _ in 0..limit {
                let state = door.state();
                if !state.has_ready() {
                    return;
                }
                state.claimed += 1;
                items.extend(Self::take(door).ok());
            }
        });
    }

    /// Takes the item that was set aside for the caller.
    #[inline]
    pub(super) fn take(door: &mut Open<'_, T, O>) -> Result<T, Closed> {
        let state = door.state();
        // None was, if this is to hear of the end.
        let item = state.pop().ok_or(Closed)?;
        state.claimed -= 1;
        let ended = state.is_ended();
        Self::settle(door, PUT);
        if ended {
            Self::settle(door, GET);
        }
        Self::note(door);
        Ok(item)
    }

    /// Fills the place that was set aside for the caller.
    #[inline]
    pub(super) fn add(door: &mut Open<'_, T, O>, item: T) -> Result<(), PutError<T>> {
        let state = door.state();
        if state.is_closed() {
            return Err(PutError(item));
        }
        state.items.push(item);
        state.reserved -= 1;
        Self::settle(door, GET);
        Self::note(door);
        Ok(())
    }

    /// With a claim just granted: whether it is one, or word of the end.
    pub(super) fn confirm(door: &mut Open<'_, T, O>, queue: usize) -> Result<(), Closed> {
        let state = door.state();
        let ended = match queue {
            PUT => state.is_closed(),
            _ => state.is_ended(),
        };
        if ended { Err(Closed) } else { Ok(()) }
    }

    /// Counts an item as done. False if all are.
    pub(super) fn count_done(list: &List<T, O>) -> bool {
        list.enter(|door| {
            let state = door.state();
            let counted = state.unfinished() > 0;
            state.taken -= isize::from(counted);
            Self::settle(door, JOIN);
            counted
        })
    }

    /// Gives back what had been set aside in a queue, by a permit that is dropped.
    pub(super) fn give_back(list: &List<T, O>, queue: usize) {
        list.enter(|door| {
            Self::put_back(door, queue, ());
            Self::settle(door, queue);
            Self::note(door);
        });
    }

    pub(super) fn close(list: &List<T, O>) {
        list.enter(|door| {
            door.state().close();
            Self::settle(door, PUT);
            Self::settle(door, GET);
            Self::note(door);
        });
    }

    /// Closes it and takes all items, which count as done.
    pub(super) fn close_now(list: &List<T, O>) -> O {
        list.enter(|door| {
            let state = door.state();
            let items = core::mem::replace(&mut state.items, O::EMPTY);
            state.close();
            state.claimed = 0;
            state.taken = state.taken.max(0);
            Self::settle(door, PUT);
            Self::settle(door, GET);
            Self::settle(door, JOIN);
            Self::note(door);
            items
        })
    }

    /// Brings the hints up to date.
    #[inline]
    fn note(door: &mut Open<'_, T, O>) {
        let state = door.state();
        let (empty, full) = (!state.has_ready(), !state.has_room());
        door.policy().note_empty(empty);
        door.policy().note_full(full);
    }

    #[inline]
    fn note_empty(&self, empty: bool) {
        // Ordering: Relaxed, a hint: whoever acts on it looks again with the list locked.
        self.empty.store(empty, Ordering::Relaxed);
    }

    #[inline]
    fn note_full(&self, full: bool) {
        // Ordering: Relaxed, a hint, as above.
        self.full.store(full, Ordering::Relaxed);
    }
}

impl<O> State<O> {
    /// True if there is an item that is not set aside.
    #[inline]
    fn has_ready<T>(&self) -> bool
    where
        O: Order<T>,
    {
        self.items.len() > self.claimed
    }

    /// True if there is a place that is not set aside.
    #[inline]
    fn has_room<T>(&self) -> bool
    where
        O: Order<T>,
    {
        self.items.len() + self.reserved < self.limit
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.limit == 0
    }

    fn close(&mut self) {
        self.limit = 0;
        self.reserved = 0;
    }

    /// Items that were put and are not done.
    pub(super) fn unfinished<T>(&self) -> usize
    where
        O: Order<T>,
    {
        self.items.len().wrapping_add_signed(self.taken)
    }

    #[inline]
    fn pop<T>(&mut self) -> Option<T>
    where
        O: Order<T>,
    {
        let item = self.items.pop()?;
        self.taken += 1;
        Some(item)
    }

    /// True if there is no item and will be none.
    #[inline]
    fn is_ended<T>(&self) -> bool
    where
        O: Order<T>,
    {
        self.is_closed() && self.items.len() == 0
    }

    /// Sets an item aside for a getter, or lets it hear that there will be none.
    #[inline]
    fn grant_get<T>(&mut self) -> bool
    where
        O: Order<T>,
    {
        let granted = self.has_ready();
        self.claimed += usize::from(granted);
        granted || self.is_ended()
    }

    /// Sets a place aside for a putter, or lets it hear that there will be none.
    #[inline]
    fn grant_put<T>(&mut self) -> bool
    where
        O: Order<T>,
    {
        let granted = self.has_room();
        self.reserved += usize::from(granted);
        granted || self.is_closed()
    }
}

impl<T, O: Order<T>> Policy<3> for Flow<T, O> {
    type State = State<O>;
    type Want = ();

    // What is granted is a claim, made good with the lock held.
    const UNLOCKED: bool = false;

    #[inline]
    fn admit(door: &mut Open<'_, T, O>, queue: usize, (): ()) -> Option<()> {
        let first = !door.has_waiting(queue);
        let state = door.state();
        let granted = match queue {
            GET => first && state.grant_get(),
            PUT => first && state.grant_put(),
            _ => state.unfinished() == 0,
        };
        granted.then_some(())
    }

    fn put_back(door: &mut Open<'_, T, O>, queue: usize, (): ()) {
        let state = door.state();
        match queue {
            // None is, if this was to hear of the end, or once it was closed and emptied.
            GET => state.claimed = state.claimed.saturating_sub(1),
            PUT => state.reserved -= usize::from(!state.is_closed()),
            _ => {}
        }
    }

    #[inline]
    fn settle(door: &mut Open<'_, T, O>, queue: usize) {
        while door.has_waiting(queue) {
            let state = door.state();
            let granted = match queue {
                GET => state.grant_get(),
                PUT => state.grant_put(),
                _ => state.unfinished() == 0,
            };
            if !granted {
                return;
            }
            door.grant_head(queue, ());
        }
    }

    fn transfers(queue: usize, (): ()) -> bool {
        // Who was told that all is done was told for good.
        queue != JOIN
    }

    #[inline]
    fn expects_wait(&self, queue: usize) -> bool {
        // Ordering: Relaxed, a hint: a wrong one costs a clone of a waker, or one more look.
        match queue {
            GET => self.empty.load(Ordering::Relaxed),
            PUT => self.full.load(Ordering::Relaxed),
            _ => true,
        }
    }
}
