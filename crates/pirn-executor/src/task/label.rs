//! Who a task is and where it was spawned, in one word of its slot.

use super::TaskId;
use super::sites::{BITS, NONE, SITES};
use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number of a task in the upper 52 bits, that of its place in the lower 12 (see
/// [`sites`](super::sites)).
///
/// There are numbers enough for a hundred million tasks in each second of 520 days, and few programs
/// spawn in more than some hundred places. With 48 and 16 bits the numbers would be used up in 32 days,
/// and the table of places would take half a megabyte.
#[derive(Clone, Copy)]
pub(super) struct Label(u64);

/// From one number to the next.
const STEP: u64 = 1 << BITS;
/// What no task's number reaches.
const END: u64 = 1 << (u64::BITS - BITS);

impl Label {
    /// With a number that nobody else gets, and no place.
    ///
    /// If there is none left, the process ends: a panic would leave an executor with a task that it
    /// counts and does not have.
    #[inline]
    pub(super) fn next() -> Label {
        MINE.with(|mine| {
            if mine.next.get() == mine.end.get() {
                mine.begin_block();
            }
            let next = mine.next.get();
            mine.next.set(next.wrapping_add(STEP));
            Label(next)
        })
    }

    /// With this number, and no place.
    pub(super) fn of(id: TaskId) -> Label {
        Label(id.get() << BITS)
    }

    /// With the place of this number; it had none.
    #[inline]
    pub(super) fn at(self, site: usize) -> Label {
        debug_assert!(self.0 % STEP == NONE as u64 && (site as u64) < STEP);
        Label(self.0 | site as u64)
    }

    pub(super) fn id(self) -> TaskId {
        TaskId::of(self.0 >> BITS)
    }

    /// `None` if it lies in the side table.
    pub(super) fn place(self) -> Option<&'static Location<'static>> {
        SITES.place((self.0 % STEP) as usize)
    }
}

/// A thread takes this many numbers at once, so that workers do not meet at the counter.
const BLOCK: u64 = 1024;

static BLOCKS: AtomicU64 = AtomicU64::new(1);

std::thread_local! {
    static MINE: Mine = const { Mine { next: Cell::new(0), end: Cell::new(0) } };
}

/// The labels of a thread.
struct Mine {
    next: Cell<u64>,
    /// The end of its block, which is 0 for the last of all blocks.
    end: Cell<u64>,
}

impl Mine {
    /// Takes a block that nobody else gets.
    #[cold]
    fn begin_block(&self) {
        // Ordering: Relaxed, only uniqueness is asked of it. `std`'s atomic on purpose: there is
        // nothing in it for a model to explore.
        let first = BLOCKS.fetch_add(BLOCK, Relaxed);
        if first > END - BLOCK {
            eprintln!("pirn: this process has had {first} tasks, all that there can be; it ends");
            std::process::abort();
        }
        self.next.set(first << BITS);
        self.end.set((first + BLOCK) << BITS);
    }
}

/// Leaves one block, and what threads have of theirs: for tests of what happens then.
pub fn spend() {
    // Ordering: Relaxed, as in `begin_block`.
    BLOCKS.store(END - BLOCK, Relaxed);
}
