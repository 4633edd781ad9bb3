//! Clean-up as a guard.

use super::Cleanup;
use super::region::Closing;
use std::boxed::Box;
use std::fmt;
use std::future::Future;

/// A clean-up that runs when the guard is dropped, wherever the function is then left: by `?`, by
/// `return`, by a panic or a cancel.
///
/// A destructor cannot wait, so it hands the clean-up to the scope that was around when the guard was
/// made; that scope's run polls it, up to the grace period, and does not end before. So the code that
/// goes on after the drop does not find it done: where that matters, [`run`](Deferred::run) it, or use
/// [`finally`](crate::finally), which waits in place. Outside every scope it is lost, and
/// [reported](crate::report::Report::CleanupLost).
///
/// # Examples
///
/// ```
/// use pirn_core::{Scope, defer, shim::block_on};
/// use std::sync::Mutex;
///
/// static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());
/// let ended = block_on(Scope::detached().run(async {
///     let _closes = defer(async || LOG.lock().unwrap().push("closed"));
///     LOG.lock().unwrap().push("open");
///     "abc".parse::<u8>()?;
///     Ok::<_, std::num::ParseIntError>(())
/// }));
/// assert!(ended.unwrap().is_err());
/// assert_eq!(*LOG.lock().unwrap(), ["open", "closed"]);
/// ```
pub fn defer<C, Fut>(cleanup: C) -> Deferred
where
    C: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    // The closure is called where the clean-up is polled, not in a destructor.
    Deferred {
        closing: Closing::begun(Box::pin(async move { cleanup().await })),
    }
}

/// The guard that [`defer`] makes.
///
/// # Examples
///
/// ```
/// use pirn_core::{Deferred, defer, shim::block_on};
/// use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
///
/// static CLOSED: AtomicU8 = AtomicU8::new(0);
/// # pirn_core::report::set_hook(Some(std::sync::Arc::new(|report| panic!("{report}"))));
/// block_on(async {
///     let guard: Deferred = defer(async || _ = CLOSED.fetch_add(1, Relaxed));
///     guard.run().await;
///     assert_eq!(CLOSED.load(Relaxed), 1);
///     defer(async || _ = CLOSED.fetch_add(1, Relaxed)).disarm();
/// });
/// assert_eq!(CLOSED.load(Relaxed), 1);
/// ```
#[must_use = "the clean-up is handed over when the guard is dropped"]
pub struct Deferred {
    closing: Closing<(), fn(()) -> Cleanup>,
}

impl Deferred {
    /// Runs the clean-up here and now, shielded, and waits for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it hands over what is left of the clean-up, as the guard does.
    pub async fn run(self) {
        self.closing.run().await;
    }

    /// Lets go: the clean-up does not run.
    pub fn disarm(mut self) {
        self.closing.forget();
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}
