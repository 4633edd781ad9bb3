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

/// What every put and get touches comes first.
#[repr(C)]
pub(super) struct State<O> {
    pub(super) items: O,
    /// Items that are not set aside.
    ready: usize,
    /// Places that are not set aside; none once it is closed.
    room: usize,
    pub(super) unfinished: usize,
    pub(super) capacity: usize,
    pub(super) closed: bool,
}

impl<O> State<O> {
    pub(super) const fn new(items: O, capacity: usize) -> Self {
        State {
            items,
            ready: 0,
            room: capacity,
            unfinished: 0,
            capacity,
            closed: false,
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
        if state.room == 0 {
            let refused = item.take_if(|_| state.closed);
            return refused.map(|item| Err(PutError(item)));
        }
        // There is room, so nobody waits for it.
        let item = item.take()?;
        state.room -= 1;
        if state.ready == 0 && held.has_waiting(GET) {
            return Some(held.open(|door| Self::add(door, item)));
        }
        let state = held.state();
        state.push(item);
        state.ready += 1;
        let (is_first, is_last) = (state.ready == 1, state.room == 0);
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
        if state.ready == 0 {
            return state.is_ended().then_some(Err(Closed));
        }
        // There is one that was not set aside, so nobody waits for it.
        state.ready -= 1;
        if state.room == 0 && (state.closed || held.has_waiting(PUT)) {
            return Some(held.open(|door| Self::take(door)));
        }
        let state = held.state();
        let item = state.items.pop()?;
        state.room += 1;
        let (is_first, is_last) = (state.room == 1, state.ready == 0);
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
                if state.ready == 0 {
                    return;
                }
                state.ready -= 1;
                items.extend(Self::take(door).ok());
            }
        });
    }

    /// Takes the item that was set aside for the caller.
    #[inline]
    pub(super) fn take(door: &mut Open<'_, T, O>) -> Result<T, Closed> {
        let state = door.state();
        // None was, if this is to hear of the end.
        let item = state.items.pop().ok_or(Closed)?;
        state.room += usize::from(!state.closed);
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
        if state.closed {
            return Err(PutError(item));
        }
        state.push(item);
        state.ready += 1;
        Self::settle(door, GET);
        Self::note(door);
        Ok(())
    }

    /// With a claim just granted: whether it is one, or word of the end.
    pub(super) fn confirm(door: &mut Open<'_, T, O>, queue: usize) -> Result<(), Closed> {
        let state = door.state();
        let ended = match queue {
            PUT => state.closed,
            _ => state.is_ended(),
        };
        if ended { Err(Closed) } else { Ok(()) }
    }

    /// Counts an item as done. False if all are.
    pub(super) fn count_done(list: &List<T, O>) -> bool {
        list.enter(|door| {
            let state = door.state();
            let counted = state.unfinished > 0;
            state.unfinished -= usize::from(counted);
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
            let state = door.state();
            state.closed = true;
            state.room = 0;
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
            state.closed = true;
            state.room = 0;
            state.ready = 0;
            state.unfinished = state.unfinished.saturating_sub(items.len());
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
        let (empty, full) = (state.ready == 0, state.room == 0);
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
    /// Puts an item in, whose place is counted already.
    #[inline]
    fn push<T>(&mut self, item: T)
    where
        O: Order<T>,
    {
        self.items.push(item);
        self.unfinished += 1;
    }

    /// True if there is no item and will be none.
    #[inline]
    fn is_ended<T>(&self) -> bool
    where
        O: Order<T>,
    {
        self.closed && self.items.len() == 0
    }

    /// Sets an item aside for a getter, or lets it hear that there will be none.
    #[inline]
    fn grant_get<T>(&mut self) -> bool
    where
        O: Order<T>,
    {
        let granted = self.ready > 0;
        self.ready -= usize::from(granted);
        granted || self.is_ended()
    }

    /// Sets a place aside for a putter, or lets it hear that there will be none.
    #[inline]
    fn grant_put(&mut self) -> bool {
        let granted = self.room > 0;
        self.room -= usize::from(granted);
        granted || self.closed
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
            _ => state.unfinished == 0,
        };
        granted.then_some(())
    }

    fn put_back(door: &mut Open<'_, T, O>, queue: usize, (): ()) {
        let state = door.state();
        match queue {
            // None was set aside for those who were to hear the end; nor is any once it was closed
            // and emptied.
            GET => state.ready = state.items.len().min(state.ready + 1),
            PUT => state.room += usize::from(!state.closed),
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
                _ => state.unfinished == 0,
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
