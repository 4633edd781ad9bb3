//! How much room a queue keeps that was long.
//!
//! It gives the room back while its owner rests, as a [heap](crate::task::Heap) its pages: so much at once
//! that no timer waits for it.

use std::collections::VecDeque;

/// Room for so many stays in any case.
pub const KEPT: usize = 4096;
/// Room for so many goes at once, at most: half a megabyte of tasks, as of pages.
pub const PART: usize = 64 << 10;

/// What stays, at one rest, of room for so many.
pub fn after_rest(room: usize) -> usize {
    let less = (room / 2).max(room.saturating_sub(PART));
    less.clamp(KEPT.min(room), room)
}

/// Gives a part of a queue's room back, if it is much and not in use. True if there is more.
pub(crate) fn rest<T>(queue: &mut VecDeque<T>) -> bool {
    let room = queue.capacity();
    if room <= KEPT || !queue.is_empty() {
        return false;
    }
    // It is empty, and soon grows again if need be.
    queue.shrink_to(after_rest(room));
    queue.capacity() > KEPT
}
