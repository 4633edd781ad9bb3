//! Who looks after those that work.
//!
//! A poll that takes long keeps two things waiting of which nobody is told: the task in the worker's
//! slot, and what its [`Park`](pirn_core::Park) would bring, if that is the driver that all share and
//! the others sleep beside it. So while one works and another sleeps, one of the sleepers *watches*: it
//! sleeps for a limited time, then looks at the slots, and into the driver where that is free. One whose
//! thread has no clock cannot, nor can a worker whose sleep is a foreign loop's.
//!
//! - Who lies down while another works, or after having worked itself, watches, unless two do.
//! - Who rises to work, and finds that nobody watches but somebody sleeps, wakes that one, which then
//!   lies down again, and watches.
//! - A watch that ends while nobody works is not begun again. So an idle executor sleeps.
//!
//! Two, not one: else each event from the driver, in which the one that watches would sleep, would
//! leave nobody. Their times differ, so that two who rise at the same moment do not do so again: each
//! would take the other for one who works.
//!
//! # Nobody works unwatched
//!
//! ```text
//! lies down                              rises to work
//! L1 counts as asleep                    R1 gives its watch up, counts as awake
//! L2 looks who works; takes a watch,     R2 looks for watches, and for sleepers if there is none;
//!    if one is free                         wakes one
//! ```
//!
//! Both count under the lock of [`Idle`]'s sleepers. If L1 comes first, R2 sees the sleeper. Where it
//! sees a watch, somebody watches, or gives that watch up at this moment to rise too: then of these two
//! R1 one is later under the lock, and its R2 sees that both were given up. If R1 comes first, L2
//! sees that somebody works, and one watch less.
//!
//! Who is driven from now on, or comes back from where it blocked, counts itself as one who works
//! without that lock, and passes it before R2: [`Idle::rise`]. So L2 sees that count, or R2 the watch that
//! was given up before L1.

use super::claimed::Claimed;
use super::idle::Idle;
use pirn_core::shim::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long those who watch sleep.
const TIMES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(7)];

/// The watches of an executor.
#[derive(Default)]
pub struct Watches([AtomicBool; TIMES.len()]);

impl Watches {
    /// Begins a watch, unless enough others watch; and says how long it is. For who counts as asleep.
    pub fn take(&self) -> Option<(Claimed<'_>, Duration)> {
        let all = self.0.iter().zip(TIMES);
        let mut free = all.filter_map(|(flag, time)| Some((Claimed::take(flag)?, time)));
        free.next()
    }

    /// The sleeper that is to be woken, for want of one who watches: one that can, as `can_watch` says.
    /// For who rises to work, and counts as awake.
    pub fn missing(&self, idle: &Idle, can_watch: impl Fn(usize) -> bool) -> Option<usize> {
        // Ordering: Relaxed, the lock of the sleepers orders it: see above.
        match self.0.iter().any(|flag| flag.load(Relaxed)) {
            true => None,
            false => idle.any_sleeper(can_watch),
        }
    }
}
