//! How urgent a task is, and which of the lanes has its turn.
//!
//! Tasks of [`Priority::Normal`](crate::Priority::Normal) lie where an executor has them anyway, and
//! know nothing of lanes. The others lie in two lanes of their own: the code of such a task, chosen
//! when it is spawned, puts it there each time that it is woken. An executor without such tasks sees
//! at each poll that the lanes are empty, by one plain load, and that is all it pays.

use crate::PARK_INTERVAL;
use std::cell::Cell;

/// After so many polls of tasks that are [`High`](crate::Priority::High), in a row, one that is
/// [`Normal`](crate::Priority::Normal) is polled, if any is ready.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_executor::HIGH_RUNS, 8);
/// ```
pub const HIGH_RUNS: u32 = 8;

/// In so many polls one is of a task that is [`Low`](crate::Priority::Low), if any is ready.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_executor::LOW_INTERVAL, pirn_executor::PARK_INTERVAL);
/// ```
pub const LOW_INTERVAL: u32 = PARK_INTERVAL;

/// Where tasks wait that are not as urgent as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Of [`Priority::High`](crate::Priority::High).
    High,
    /// Of [`Priority::Low`](crate::Priority::Low).
    Low,
}

/// How many tasks wait in each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// In that of [`Priority::High`](crate::Priority::High).
    pub high: usize,
    /// In that of [`Priority::Low`](crate::Priority::Low).
    pub low: usize,
}

/// Whose turn it is, on one thread. It is asked once for each poll, while a lane has tasks.
///
/// The high lane has its turn, but for one after [`HIGH_RUNS`] of its own; the low one when it has
/// waited for [`LOW_INTERVAL`] less one, which does not count as the other tasks' turn.
#[derive(Default)]
pub struct Turns {
    /// Polls of the high lane since it was another one's turn.
    runs: Cell<u32>,
    /// Turns for which the low lane has waited.
    waits: Cell<u32>,
}

impl Turns {
    /// The lane that goes first. `None`: the other tasks do, if there are any.
    pub fn whose(&self, waiting: Waiting) -> Option<Lane> {
        let waits = match waiting.low {
            0 => 0,
            _ => self.waits.get() + 1,
        };
        self.waits.set(waits);
        if waits >= LOW_INTERVAL {
            return Some(Lane::Low);
        }
        if waiting.high > 0 && self.runs.get() < HIGH_RUNS {
            return Some(Lane::High);
        }
        self.runs.set(0);
        None
    }

    /// A task of the lane is polled.
    pub fn took(&self, lane: Lane) {
        match lane {
            Lane::High => self.runs.set(self.runs.get() + 1),
            Lane::Low => self.waits.set(0),
        }
    }
}
