//! Waking many, after unlocking.

use crate::report::{Report, report};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes one waker. A panic in it goes to the [hook](crate::report::set_hook), so that the other
/// wakes are still delivered.
pub fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

/// Wakers taken out under a lock, to be woken after it is released.
///
/// Holds [`WakeBatch::CAPACITY`] in place; whoever fills it unlocks, wakes and locks again. Waking
/// happens on [`wake_all`](Self::wake_all) or on drop, in the order of `push`.
///
/// # Examples
///
/// ```
/// use pirn_core::wake::WakeBatch;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use std::task::Wake;
///
/// struct Count(AtomicUsize);
/// impl Wake for Count {
///     fn wake(self: Arc<Self>) {
///         self.0.fetch_add(1, Relaxed);
///     }
/// }
/// let count = Arc::new(Count(AtomicUsize::new(0)));
/// let mut batch = WakeBatch::new();
/// batch.push(count.clone().into());
/// assert_eq!(count.0.load(Relaxed), 0);
/// batch.wake_all();
/// assert_eq!(count.0.load(Relaxed), 1);
/// ```
#[derive(Default)]
pub struct WakeBatch {
    wakers: [Option<Waker>; WakeBatch::CAPACITY],
    len: usize,
}

impl WakeBatch {
    /// How many it holds.
    pub const CAPACITY: usize = crate::shim::choose(16, 2);

    /// An empty batch.
    pub const fn new() -> Self {
        WakeBatch {
            wakers: [const { None }; WakeBatch::CAPACITY],
            len: 0,
        }
    }

    /// True if another [`push`](Self::push) would not fit.
    pub const fn is_full(&self) -> bool {
        self.len == WakeBatch::CAPACITY
    }

    /// Adds a waker.
    ///
    /// # Panics
    ///
    /// If the batch is full.
    pub fn push(&mut self, waker: Waker) {
        self.wakers[self.len] = Some(waker);
        self.len += 1;
    }

    /// Wakes them all and empties the batch. Call it with no lock held.
    pub fn wake_all(&mut self) {
        for slot in &mut self.wakers[..self.len] {
            if let Some(waker) = slot.take() {
                wake(waker);
            }
        }
        self.len = 0;
    }
}

impl Drop for WakeBatch {
    fn drop(&mut self) {
        self.wake_all();
    }
}
