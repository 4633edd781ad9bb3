//! What happened in a run.

use crate::clock::World;
use pirn_core::shim::Arc;
use std::fmt;

/// What happened in a run, a line for each event: [`Sim::trace`](crate::Sim::trace) gives it.
///
/// The same program under the same seed gives the same text, byte for byte, in each process: there
/// are no addresses in it and no real time. A line has the virtual time, who it is about, and what
/// happened:
///
/// ```text
///     0.000000000 #1 pinger  spawned by main, at src/main.rs:10:5
///     0.000000000 main       rest
///     1.500000000 clock      jumps from 0.000000000
///     1.500000000 #1 pinger  woken by the clock
/// ```
///
/// | word | of | meaning |
/// |---|---|---|
/// | spawned | a task | and by whom, and where |
/// | poll, rest | a task | its poll begins, and ends |
/// | woken | a task | and by whom: a task, the clock, or another thread (outside) |
/// | returned, cancelled, panicked | a task | its end |
/// | sent, runs, done | a closure | for a thread |
/// | jumps | the clock | |
///
/// Tasks are numbered in the order in which they were spawned. It is text for people; its form may
/// change.
///
/// # Examples
///
/// ```
/// let (_, trace) = pirn_sim::Sim::new().run_traced(async {});
/// let lines: Vec<_> = trace.to_string().lines().map(|line| line.trim().to_owned()).collect();
/// assert_eq!(lines[0], "0.000000000 main       poll");
/// ```
pub struct Trace(Arc<World>);

impl Trace {
    /// Of a world that is to keep all from now on.
    pub(crate) fn of(world: &Arc<World>) -> Trace {
        world.with_book(|book| book.all = true);
        Trace(Arc::clone(world))
    }

    /// The last lines alone.
    pub fn tail(&self, lines: usize) -> String {
        self.0.with_book(|book| book.render(lines))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tail(usize::MAX))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}
