//! What lies under the lock, and who meets whom.

use super::cell::{Offered, take_next};
use crate::error::Closed;
use alloc::vec::Vec;
use core::marker::PhantomData;
use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::wait::{Door, Policy, WaitList};

/// The queues of the wait list.
pub(super) const GET: usize = 0;
pub(super) const PUT: usize = 1;

/// A whole queue.
pub(super) type List<T> = WaitList<Meet<T>, 2>;
pub(super) type Open<'d, T> = Door<'d, Meet<T>, 2>;

/// Beside the lock: whether a getter would probably have to wait.
pub(super) struct Meet<T> {
    empty: AtomicBool,
    _items: PhantomData<fn() -> T>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) offers: usize,
    to_get: usize,
    revoked: u32,
    pub(super) closed: bool,
}

impl State {
    pub(super) const fn new() -> Self {
        State {
            offers: 0,
            to_get: 0,
            revoked: 0,
            closed: false,
        }
    }

    /// Sets an offer aside for a getter, or lets it hear that there will be none.
    #[inline]
    fn grant_get(&mut self) -> bool {
        let granted = self.to_get < self.offers;
        self.to_get += usize::from(granted);
        granted || self.closed
    }
}

impl<T> Meet<T> {
    pirn_core::const_unless_loom! {
        pub(super) fn new() -> Self {
            Meet {
                empty: AtomicBool::new(true),
                _items: PhantomData,
            }
        }
    }

    /// Takes an item, unless it would have to wait.
    #[inline]
    pub(super) fn get_now(list: &List<T>) -> Option<Result<T, Closed>> {
        list.enter(|door| {
            Self::admit(door, GET, Offered::NONE)?;
            Some(Self::take(door))
        })
    }

    /// Takes items as long as `items` has room without growing, `limit` at most, and nobody waits
    /// for them.
    pub(super) fn get_many_now(list: &List<T>, items: &mut Vec<T>, limit: usize) {
        list.enter(|door| {
            let limit = limit.min(items.capacity() - items.len());
            for _ in 0..limit {
                let admitted = Self::admit(door, GET, Offered::NONE);
                match admitted.map(|_| Self::take(door)) {
                    Some(Ok(item)) => items.push(item),
                    Some(Err(Closed)) | None => return,
                }
            }
        });
    }

    /// Takes the item that was set aside for the caller: that of the first putter in line.
    #[inline]
    pub(super) fn take(door: &mut Open<'_, T>) -> Result<T, Closed> {
        let item = take_next(door).ok_or(Closed)?;
        let state = door.state();
        state.to_get -= 1;
        state.offers -= 1;
        Self::note(door);
        Ok(item)
    }

    pub(super) fn close(list: &List<T>) {
        list.enter(|door| {
            let state = door.state();
            state.closed = true;
            state.offers = 0;
            state.to_get = 0;
            Self::settle(door, PUT);
            Self::settle(door, GET);
            Self::note(door);
        });
    }

    /// Brings the hint up to date.
    #[inline]
    fn note(door: &mut Open<'_, T>) {
        let state = door.state();
        let empty = state.to_get == state.offers;
        // Ordering: Relaxed, a hint: whoever acts on it looks again with the list locked.
        door.policy().empty.store(empty, Ordering::Relaxed);
    }
}

impl<T> Policy<2> for Meet<T> {
    type State = State;
    type Want = Offered<T>;

    // A getter takes its item with the lock held.
    const UNLOCKED: bool = false;

    #[inline]
    fn admit(door: &mut Open<'_, T>, queue: usize, want: Offered<T>) -> Option<Offered<T>> {
        let first = !door.has_waiting(queue);
        let state = door.state();
        let granted = match queue {
            GET => first && state.grant_get(),
            _ => state.closed,
        };
        if queue == PUT && !granted {
            // It is in line before the door closes, since `expects_wait`.
            state.offers += 1;
            Self::settle(door, GET);
        }
        granted.then_some(want)
    }

    fn put_back(door: &mut Open<'_, T>, queue: usize, _: Offered<T>) {
        if queue == GET {
            // None was set aside for those who were to hear the end.
            let state = door.state();
            state.to_get = state.to_get.saturating_sub(1);
        }
    }

    fn left(door: &mut Open<'_, T>, queue: usize) {
        if queue == PUT {
            door.state().offers -= 1;
            let state = door.state();
            if state.to_get > state.offers && door.revoke(GET) {
                door.state().to_get -= 1;
            }
            Self::note(door);
        }
    }

    #[inline]
    fn settle(door: &mut Open<'_, T>, queue: usize) {
        while door.has_waiting(queue) {
            let state = door.state();
            let granted = match queue {
                GET => state.grant_get(),
                _ => state.closed,
            };
            if !granted {
                break;
            }
            door.grant_head(queue, Offered::NONE);
        }
        Self::note(door);
    }

    fn revoked(door: &mut Open<'_, T>, by: i32) -> u32 {
        let count = &mut door.state().revoked;
        *count = count.wrapping_add_signed(by);
        *count
    }

    fn transfers(queue: usize, _: Offered<T>) -> bool {
        // That its item was taken is of no use to another putter.
        queue == GET
    }

    #[inline]
    fn expects_wait(&self, queue: usize) -> bool {
        // Ordering: Relaxed, a hint: a wrong one costs a clone of a waker, or one more look.
        queue == PUT || self.empty.load(Ordering::Relaxed)
    }
}
