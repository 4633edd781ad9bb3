//! What one worker at a time does.

use pirn_core::shim::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// The claim on it, until this is dropped.
pub struct Claimed<'a>(&'a AtomicBool);

impl<'a> Claimed<'a> {
    /// Takes the claim, unless somebody has it.
    pub fn take(flag: &'a AtomicBool) -> Option<Self> {
        // Ordering: Relaxed, nothing but which worker it is depends on it.
        let free = flag.compare_exchange(false, true, Relaxed, Relaxed).is_ok();
        // Made only where it is free: what is dropped gives up the claim of whoever has it.
        free.then(|| Claimed(flag))
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        // Ordering: Relaxed, as above.
        self.0.store(false, Relaxed);
    }
}
