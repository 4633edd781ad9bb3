//! Who works has somebody watch.

use super::Core;
use std::sync::atomic::Ordering::Relaxed;

impl Core {
    /// Has one of those who sleep watch, if none does. To be called by who rises to work; or is driven
    /// from now on, or has blocked, and has passed `Idle::rise`.
    pub(in crate::pool) fn be_watched(&self) {
        let shared = &*self.handle.shared;
        // Ordering: Relaxed, the lock of the sleepers orders it: set before one lies down, and cleared
        // before it gets up. Who gets up looks for itself, or lies down again and sees who works.
        let can_watch = |worker: usize| shared.seats[worker].can_watch.load(Relaxed);
        shared.unpark(shared.watches.missing(&shared.idle, can_watch));
    }
}
