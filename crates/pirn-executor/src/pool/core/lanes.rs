//! What a worker does where some tasks are more or less urgent than others.

use super::{At, Core};
use crate::priority::Lane;
use crate::task::Runnable;

impl Core {
    /// Queues a task in a lane, for all workers. `next`: this worker is about to take its next one.
    /// Gives the worker to be unparked for it.
    #[must_use]
    pub(in crate::pool) fn queue_in(
        &self,
        lane: Lane,
        task: Runnable,
        next: bool,
    ) -> Option<usize> {
        let shared = &self.handle.shared;
        shared.lanes.push(lane, task);
        match next || self.at.get() == At::Park {
            true => {
                self.lane_untold.set(true);
                None
            }
            false => shared.idle.notify(),
        }
    }

    /// As [`next`](Self::next), where some tasks are more or less urgent than others.
    #[cold]
    pub(super) fn next_beside_lanes(&self) -> Option<Runnable> {
        let lanes = &self.handle.shared.lanes;
        let next = self
            .turns
            .whose(lanes.waiting())
            .and_then(|lane| self.take_from(lane))
            .or_else(|| self.next_plain())
            .or_else(|| self.take_from(Lane::High))
            .or_else(|| self.steal())
            .or_else(|| self.take_from(Lane::Low));
        // Something goes before what is left.
        if self.owes_news() || self.lane_untold.replace(false) && !lanes.is_empty() {
            self.share();
        }
        next
    }

    fn take_from(&self, lane: Lane) -> Option<Runnable> {
        let task = self.handle.shared.lanes.take(lane)?;
        self.turns.took(lane);
        Some(task)
    }
}
