//! Who a task is and where it was spawned, in one word of its slot.

use super::TaskId;
use super::sites::{BITS, SITES};
use std::panic::Location;

/// The number of a task in the upper 52 bits, that of its place in the lower 12 (see
/// [`sites`](super::sites)).
///
/// There are numbers enough for a hundred million tasks in each second of 520 days, and few programs
/// spawn in more than some hundred places. With 48 and 16 bits the numbers would be used up in 32 days,
/// and the table of places would take half a megabyte.
#[derive(Clone, Copy)]
pub(super) struct Label(u64);

/// What no task's number reaches.
pub(super) const END: u64 = 1 << (u64::BITS - BITS);

impl Label {
    #[inline]
    pub(super) fn new(id: TaskId, site: usize) -> Label {
        debug_assert!(id.get() < END && site < 1 << BITS);
        Label(id.get() << BITS | site as u64)
    }

    #[inline]
    pub(super) fn id(self) -> TaskId {
        TaskId::of(self.0 >> BITS)
    }

    /// `None` if it lies in the side table.
    pub(super) fn place(self) -> Option<&'static Location<'static>> {
        SITES.place((self.0 % (1 << BITS)) as usize)
    }
}
