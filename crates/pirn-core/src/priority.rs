//! How urgent a task is.

/// How urgent a task is, beside the others of its executor: `spawn_at` takes one, and
/// [`TaskMeta::with_priority`](crate::TaskMeta::with_priority).
///
/// | | runs |
/// |---|---|
/// | `High` | before what is `Normal`, but for one poll of that after each 8 of its own |
/// | `Normal` | in its turn |
/// | `Low` | when nothing else is ready, and once in 61 polls in any case |
///
/// So do pirn's executors. One that knows no priorities takes all for `Normal`.
///
/// Within its lane each goes first in, first out (in a simulation with a seed, at random). A task
/// keeps its priority whoever wakes it, from whatever thread. What it spawns is as urgent as that is
/// said to be, and what it awaits is not hurried: a task that is `High` and waits for one that is
/// `Low` waits as long as that takes.
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
/// use pirn_core::{Priority, TaskMeta};
///
/// let meta = TaskMeta::here().named("report").with_priority(Priority::Low);
/// assert_eq!(meta.priority(), Priority::Low);
/// assert_eq!(TaskMeta::here().priority(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Before the others.
    High,
    /// As a task is that says nothing.
    #[default]
    Normal,
    /// After the others.
    Low,
}
