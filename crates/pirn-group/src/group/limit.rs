//! How many children run at once: slots, given in the order in which they were asked for, which is
//! that of the children's first polls. Not that of their spawning: a slot kept for one whose executor
//! does not poll it would stop the others.

use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// The slots of a group, over the wait list: the future that waits for one may be dropped at any
/// moment.
pub(crate) struct Limit(WaitList<Slots>);

struct Slots;

impl Policy<1> for Slots {
    /// How many are free.
    type State = usize;
    type Want = ();

    fn admit(door: &mut Door<'_, Self>, queue: usize, (): ()) -> Option<()> {
        let free = *door.state() > 0 && !door.has_waiting(queue);
        *door.state() -= usize::from(free);
        free.then_some(())
    }

    fn put_back(door: &mut Door<'_, Self>, _: usize, (): ()) {
        *door.state() += 1;
    }

    fn settle(door: &mut Door<'_, Self>, queue: usize) {
        while *door.state() > 0 && door.grant_head(queue, ()) {
            *door.state() -= 1;
        }
    }
}

impl Limit {
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Limit(WaitList::new(Slots, slots)))
    }

    /// Waits for a slot, from the first poll on.
    pub(crate) async fn slot(self: Arc<Self>) -> Slot {
        {
            let mut waiter = pin!(Waiter::new(&self.0, 0, ()));
            poll_fn(|cx| waiter.as_mut().poll_granted(cx)).await;
        }
        Slot(self)
    }
}

/// A slot of a group, given back when it is dropped.
pub(crate) struct Slot(Arc<Limit>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.enter(|door| {
            *door.state() += 1;
            Slots::settle(door, 0);
        });
    }
}
