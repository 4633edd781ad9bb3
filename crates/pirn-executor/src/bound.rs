//! A value that only the thread that made it can reach, inside something that all threads share.

use pirn_core::shim::thread_local;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Holds a value for one thread; to the others it is not there.
///
/// `T: Send`, since the last of those who share the whole drops it, on whatever thread. To reach
/// into it costs a thread-local read and a comparison.
pub(crate) struct Bound<T> {
    owner: u64,
    value: T,
}

impl<T: Send> Bound<T> {
    /// Binds `value` to this thread.
    pub(crate) fn new(value: T) -> Self {
        Bound {
            owner: this_thread(),
            value,
        }
    }

    /// The value, on its thread.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        (self.owner == this_thread()).then_some(&self.value)
    }
}

// SAFETY: a shared `Bound` gives access to the value on one thread alone, whose number no other
// thread ever has; and the value may be dropped on any thread, since it is `Send`.
unsafe impl<T: Send> Sync for Bound<T> {}

thread_local! {
    static NUMBER: u64 = next_number();
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    // Ordering: Relaxed, only uniqueness is asked of it. `std`'s atomic on purpose: there is
    // nothing in it for a model to explore.
    NUMBERS.fetch_add(1, Relaxed)
}

/// A number that no other thread has or ever had. 0 on a thread whose locals are gone, which
/// therefore reaches nothing.
#[inline]
fn this_thread() -> u64 {
    NUMBER.try_with(|number| *number).unwrap_or(0)
}
