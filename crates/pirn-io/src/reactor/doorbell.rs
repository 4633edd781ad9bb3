//! When an unpark must make a system call: only if the driver sleeps.
//!
//! # States
//!
//! | state | meaning | arrows |
//! | --- | --- | --- |
//! | `AWAKE` | nobody sleeps, nobody rang | `lie_down` → `ASLEEP`; `ring` → `RUNG` |
//! | `ASLEEP` | the driver is in the system's wait, or about to be | `ring` → `RUNG` (and a system call); `rise` → `AWAKE` |
//! | `RUNG` | a ring that no sleep has used up | `lie_down` → `AWAKE` (no sleep); `rise` → `AWAKE`; `ring` stays |
//!
//! One word, changed by read-modify-writes alone: each sees the last value, so there is no
//! store-then-load on two words and no fence. A system call of a ring that comes after `rise`
//! ends the next sleep early, which a [`Park`](pirn_core::Park) may do.

use pirn_core::shim::atomic::AtomicU8;
use pirn_core::shim::atomic::Ordering::{Acquire, Relaxed, Release};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const RUNG: u8 = 2;

/// The sticky token between [`ReactorPark`](crate::ReactorPark) and its unparkers.
#[derive(Debug)]
pub struct Doorbell(AtomicU8);

impl Default for Doorbell {
    fn default() -> Self {
        Doorbell::new()
    }
}

impl Doorbell {
    /// Awake, nobody rang.
    pub fn new() -> Self {
        Doorbell(AtomicU8::new(AWAKE))
    }

    /// Leaves the token. True if the sleeper must be woken by a system call.
    pub fn ring(&self) -> bool {
        // Ordering: Release, pairs with the Acquire in `rise`; publishes what the
        // caller wrote before. Later rings are read-modify-writes, so they carry it on.
        self.0.swap(RUNG, Release) == ASLEEP
    }

    /// Before a sleep. False if the token was there: it is used up, and there is no sleep.
    pub fn lie_down(&self) -> bool {
        // Ordering: Relaxed. Success publishes and takes nothing; on failure `rise` acquires.
        if self
            .0
            .compare_exchange(AWAKE, ASLEEP, Relaxed, Relaxed)
            .is_ok()
        {
            return true;
        }
        self.rise();
        false
    }

    /// After a sleep: whatever ended it, a token left meanwhile is used up.
    pub fn rise(&self) {
        // Ordering: Acquire, pairs with the Release in `ring`; what was written before the unpark
        // is visible after the park.
        self.0.swap(AWAKE, Acquire);
    }
}
