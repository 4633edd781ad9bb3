//! Whether a worker that found nothing goes on looking for a moment before it sleeps.
//!
//! To sleep and be woken costs two system calls and the scheduler's latency, some microseconds on
//! each side. Where work comes again within that time it is cheaper to look on; where it does not,
//! it is waste. So the worker goes by what the last times brought:
//!
//! | `misses` | what it does | a hit | a miss |
//! |---|---|---|---|
//! | below [`PATIENCE`] | looks on each time | halves it | one more |
//! | from there on | looks on each 2nd, 4th, 8th … time only, at last each 1024th | halves it | one more |
//!
//! If every second look is a hit it stays on; if every fifth is, it is off for most of the time. An
//! idle worker sleeps and looks at nothing.

use std::cell::Cell;

/// How many misses more than hits, roughly, before it looks on less often.
pub const PATIENCE: u32 = 4;
/// The logarithm of how seldom it gets.
const SELDOM: u32 = 10;

/// What the last times brought.
#[derive(Default)]
pub struct Spin {
    misses: Cell<u32>,
    left_out: Cell<u32>,
}

impl Spin {
    /// Whether to look on this time.
    #[must_use]
    pub fn is_worth_it(&self) -> bool {
        let Some(over) = self.misses.get().checked_sub(PATIENCE) else {
            return true;
        };
        let left_out = self.left_out.get() + 1;
        let turn = left_out >= 2 << over;
        self.left_out.set(if turn { 0 } else { left_out });
        turn
    }

    /// Notes whether something came while the worker looked.
    pub fn looked(&self, hit: bool) {
        let misses = self.misses.get();
        self.misses.set(match hit {
            true => misses / 2,
            false => (misses + 1).min(PATIENCE + SELDOM - 1),
        });
    }
}
