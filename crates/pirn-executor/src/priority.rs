//! How urgent a task is, and which of the lanes has its turn.
//!
//! Tasks of [`Priority::Normal`] lie where an executor has them anyway, and know nothing of lanes.
//! The others lie in two lanes of their own: the code of such a task, chosen when it is spawned, puts
//! it there each time that it is woken. An executor without such tasks sees at each poll that the
//! lanes are empty, by one plain load, and that is all it pays.

use crate::PARK_INTERVAL;
use std::cell::Cell;

/// How urgent a task is: `spawn_at` of the executors and their handles takes one.
///
/// | | runs |
/// |---|---|
/// | `High` | before what is `Normal`, but for one poll of that after each [`HIGH_RUNS`](Self::HIGH_RUNS) of its own |
/// | `Normal` | in its turn |
/// | `Low` | when nothing else is ready, and once in [`LOW_INTERVAL`](Self::LOW_INTERVAL) polls in any case |
///
/// Within its lane each goes first in, first out (with [`Order::Seeded`](crate::Order::Seeded), at
/// random). A task keeps its priority whoever wakes it, from whatever thread. What it spawns is as
/// urgent as that is said to be, and what it awaits is not hurried: a task that is `High` and waits
/// for one that is `Low` waits as long as that takes.
///
/// Most programs need none. A task that must answer soon is `High` if its polls are short; what
/// would fill the processor for long, and may wait, is `Low`. Neither interrupts a poll: what
/// computes for long without an `.await` belongs on a thread for blocking work.
///
/// # Fairness
///
/// The bounds are in polls, for each worker of a pool, and hold however many tasks of the other
/// kinds are ready. Of `n` polls in a row some `n / 61` are `Low` if any is ready, and of the others
/// a ninth `Normal` if any is ready.
/// A worker that always has urgent tasks takes none from the others: what waits there behind a long
/// poll waits for that.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, Priority};
/// use std::{cell::RefCell, rc::Rc};
///
/// let executor = LocalExecutor::new();
/// let ran = Rc::new(RefCell::new(Vec::new()));
/// for priority in [Priority::Low, Priority::Normal, Priority::High] {
///     let ran = ran.clone();
///     executor.spawn_at(priority, async move { ran.borrow_mut().push(priority) }).detach();
/// }
/// while executor.try_tick() {}
/// assert_eq!(ran.take(), [Priority::High, Priority::Normal, Priority::Low]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Before the others.
    High,
    /// As [`spawn`](crate::spawn()) has it.
    #[default]
    Normal,
    /// After the others.
    Low,
}

impl Priority {
    /// After so many polls of tasks that are [`High`](Self::High), in a row, one that is
    /// [`Normal`](Self::Normal) is polled, if any is ready.
    pub const HIGH_RUNS: u32 = 8;

    /// In so many polls one is of a task that is [`Low`](Self::Low), if any is ready.
    pub const LOW_INTERVAL: u32 = PARK_INTERVAL;

    /// Where its tasks wait, unless that is where tasks wait anyway.
    pub(crate) const fn lane(self) -> Option<Lane> {
        match self {
            Priority::High => Some(Lane::High),
            Priority::Normal => None,
            Priority::Low => Some(Lane::Low),
        }
    }
}

/// Where tasks wait that are not as urgent as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Of [`Priority::High`].
    High,
    /// Of [`Priority::Low`].
    Low,
}

/// How many tasks wait in each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// In that of [`Priority::High`].
    pub high: usize,
    /// In that of [`Priority::Low`].
    pub low: usize,
}

/// Whose turn it is, on one thread. It is asked once for each poll, while a lane has tasks.
///
/// The high lane has its turn, but for one after [`HIGH_RUNS`](Priority::HIGH_RUNS) of its own; the
/// low one when it has waited for [`LOW_INTERVAL`](Priority::LOW_INTERVAL) less one, which does not
/// count as the other tasks' turn.
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
        if waits >= Priority::LOW_INTERVAL {
            return Some(Lane::Low);
        }
        if waiting.high > 0 && self.runs.get() < Priority::HIGH_RUNS {
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
