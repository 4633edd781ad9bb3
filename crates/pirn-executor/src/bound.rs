//! A value that only the thread that made it can reach, inside something that all threads share.

use pirn_core::shim::per_thread;
use std::cell::Cell;
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
        is_this_thread(self.owner).then_some(&self.value)
    }

    /// The number of its thread.
    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }
}

// SAFETY: a shared `Bound` gives access to the value on one thread alone, whose number no other
// thread ever has; and the value may be dropped on any thread, since it is `Send`.
unsafe impl<T: Send> Sync for Bound<T> {}

per_thread! {
    static NUMBER: Cell<u64> = Cell::new(0);
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// A number that no other thread has or ever had.
fn this_thread() -> u64 {
    NUMBER.with(|number| {
        if number.get() == 0 {
            // Ordering: Relaxed, only uniqueness is asked of it. `std`'s atomic on purpose: there is
            // nothing in it for a model to explore.
            number.set(NUMBERS.fetch_add(1, Relaxed));
        }
        number.get()
    })
}

/// True on the thread that has this number, which is not 0. False where the thread's locals are
/// gone.
#[inline]
pub(crate) fn is_this_thread(number: u64) -> bool {
    NUMBER.try_with(Cell::get).unwrap_or(0) == number
}
