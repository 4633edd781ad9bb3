//! Blocking a worker's thread while the other workers have its tasks.
//!
//! The executor starts no threads, so that who blocks needs another worker that is driven: `free`
//! counts those that are driven and do not block, and nobody may take the last one.

use super::Core;
use crate::current::{self, Current};
use std::fmt;
use std::rc::Rc;

/// Runs `f`, which may block, on this thread; the tasks of this worker are for the others to run
/// meanwhile.
///
/// For a piece of blocking code that must stay where it is, because it borrows or is not `Send`.
/// What can move to another thread is better off on one for blocking work, as the facade's
/// `to_thread`: that has as many as it takes, and this takes a worker away.
///
/// One of the other workers is woken, to take what this one has and, if the driver is
/// [shared](crate::SharedDriver), to sleep in it. What `f` wakes and spawns goes to them. Other
/// futures of the same task wait until `f` returns. Outside an executor, and within another
/// `block_in_place`, `f` just runs.
///
/// # Errors
///
/// [`WouldStall`], with `f`, which has not run:
///
/// - on a worker, if no other one is driven and free. The last free worker of an executor never
///   gets in, so that its tasks always go on. (A worker that rests in a foreign loop counts as free:
///   it must not be this thread's loop.)
/// - on a current-thread executor: nobody else can run its tasks.
///
/// # Panics
///
/// If `f` does.
///
/// # Examples
///
/// ```
/// use pirn_executor::{PoolExecutor, ThreadPark, block_in_place, spawn};
/// use std::sync::mpsc;
///
/// let (executor, mut workers) = PoolExecutor::new(2);
/// let closed = executor.handle().closed();
/// let mut other = workers.pop().unwrap();
/// let thread = std::thread::spawn(move || other.run(&mut ThreadPark::new(), closed));
///
/// let answer = workers[0].run(&mut ThreadPark::new(), async {
///     let (sender, receiver) = mpsc::channel();
///     spawn(async move { sender.send(42).unwrap() }).detach();
///     // Only another worker can run the task.
///     match block_in_place(|| receiver.recv().unwrap()) {
///         Ok(answer) => answer,
///         Err(_) => 42, // the other thread is not there yet
///     }
/// })?;
/// assert_eq!(answer, 42);
/// drop(executor);
/// thread.join().unwrap()?;
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub fn block_in_place<F, R>(f: F) -> Result<R, WouldStall<F>>
where
    F: FnOnce() -> R,
{
    let worker = current::with(|current| match current {
        None => Ok(None),
        Some(Current::Worker(core)) => Ok(Some(core.clone())),
        Some(Current::Local(_)) => Err(LOCAL),
    });
    let blocks = match worker {
        Ok(worker) => worker.map_or(Ok(None), |core| Blocks::begin(core).map(Some).ok_or(LAST)),
        Err(reason) => Err(reason),
    };
    match blocks {
        Ok(_blocks) => Ok(f()),
        Err(reason) => Err(WouldStall { reason, f }),
    }
}

const LOCAL: &str = "a current-thread executor has no other thread that could run its tasks";

const LAST: &str = "this is the last worker that is driven and does not block";

/// Why a closure was not run where it would have blocked the only thread for some tasks; with the
/// closure.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark, block_in_place};
///
/// let refused = LocalExecutor::new()
///     .run(&mut ThreadPark::new(), async { block_in_place(|| 7).unwrap_err() })?;
/// assert!(refused.reason().contains("no other thread"));
/// assert_eq!(refused.into_inner()(), 7);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct WouldStall<F> {
    reason: &'static str,
    f: F,
}

impl<F> WouldStall<F> {
    /// Why.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Gives the closure back.
    pub fn into_inner(self) -> F {
        self.f
    }
}

/// A worker blocks until this is dropped.
enum Blocks {
    Begun(Rc<Core>),
    /// It did so already.
    Nested,
}

impl Blocks {
    fn begin(core: Rc<Core>) -> Option<Blocks> {
        match core.is_blocking() {
            true => Some(Blocks::Nested),
            false if core.begin_to_block() => Some(Blocks::Begun(core)),
            false => None,
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        match self {
            Blocks::Begun(core) => core.end_to_block(),
            Blocks::Nested => {}
        }
    }
}

impl<F> fmt::Debug for WouldStall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WouldStall")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for WouldStall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it would have stalled other tasks: {}", self.reason)
    }
}

impl<F> std::error::Error for WouldStall<F> {}
