//! Running the runtime from inside one of its tasks.

use crate::lent::Lent;
use crate::runtime::{Driver, RunError};
use pirn_core::Scope;
use pirn_executor::{LocalExecutor, LocalStatistics, SharedDriver, ThreadPark};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

/// How many runs may be inside one another on a thread.
pub(crate) const MAX_DEPTH: usize = 64;

thread_local! {
    static NEST: RefCell<Option<Nest>> = const { RefCell::new(None) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// What this thread runs: enough to run it further.
#[derive(Clone)]
pub(crate) struct Nest {
    pub(crate) local: Rc<LocalExecutor>,
    pub(crate) sleep: Sleep,
}

/// By what a run inside another one sleeps.
#[derive(Clone)]
pub(crate) enum Sleep {
    /// The thread's driver.
    Own(Lent<Driver>),
    /// The workers' driver.
    Shared(SharedDriver<Driver>),
    /// Its driver is a guest's, on another thread.
    Thread,
}

/// Restores the nest that was there before.
pub(crate) struct Entered(Option<Nest>);

impl Nest {
    pub(crate) fn enter(self) -> Entered {
        Entered(NEST.replace(Some(self)))
    }
}

impl Nest {
    /// The same, while the thread's driver is elsewhere.
    pub(crate) fn without_driver() -> Option<Entered> {
        let mut nest = NEST.with_borrow(Option::clone)?;
        nest.sleep = Sleep::Thread;
        Some(nest.enter())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let own = NEST.replace(self.0.take());
        drop(own);
    }
}

/// Of the executor that this thread runs.
pub(crate) fn local_statistics() -> Option<LocalStatistics> {
    NEST.with_borrow(|nest| Some(nest.as_ref()?.local.statistics()))
}

/// One run more.
struct Deeper;

impl Deeper {
    fn new() -> Option<Deeper> {
        let depth = DEPTH.get();
        (depth < MAX_DEPTH).then(|| {
            DEPTH.set(depth + 1);
            Deeper
        })
    }
}

impl Drop for Deeper {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Runs the runtime that runs here until `future` is ready: for code that is called inside a task
/// and cannot `.await`, such as a callback of a library.
///
/// The task that calls it stands still meanwhile, and with it everything in that task; the others
/// that belong to this thread run, timers fire and sockets are served. It is what `nest_asyncio`
/// does to asyncio. Use `.await` wherever that is possible.
///
/// It works on the thread that called [`run`](crate::run()): in the main future, in local tasks and
/// in [calls](crate::call_soon); with [`current_thread`](crate::Builder::current_thread) that is
/// everywhere. On a worker, and in a run under virtual time, it is [`Outside`](RunError::Outside).
///
/// `future` belongs to the scope around the call: a cancel of that scope, and any deadline around,
/// ends it. But a deadline further out that passes meanwhile is seen by its own owner only when this
/// has returned; so is the cancel of the task that calls, by its [`Task`](crate::Task) handle.
///
/// # Hazards
///
/// - Calls end in the reverse order of their beginning. One inside a task that runs during another
///   one's wait holds that other one up, however ready its future is.
/// - If `future` waits for the task that calls, or for one further out that waits in here too, it
///   waits for ever. Nothing can tell that from a long wait; under [`timeout`](crate::timeout) it
///   ends.
/// - Other tasks run in the middle of what seems to be one step of this one: a `RefCell` borrow, or
///   a lock of `std`, that is held across the call is met by them.
/// - Each call takes stack. At 64 calls inside one another the next is refused.
///
/// # Errors
///
/// [`RunError::Outside`] where no runtime is being run by this thread, [`RunError::TooDeep`],
/// [`RunError::Cancelled`] as said, and [`RunError::Park`] if it is called by a waker that the
/// runtime wakes out of its sleep.
///
/// # Panics
///
/// If `future` panics.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// /// Some library's: it wants an answer, not a future.
/// fn with_callback(ask: impl Fn(u32) -> u32) -> u32 {
///     ask(20) + 1
/// }
///
/// let answer = pirn::run(async {
///     with_callback(|n| {
///         pirn::run_until(async move {
///             pirn::sleep(Duration::from_millis(1)).await;
///             2 * n
///         })
///         .unwrap()
///     })
/// });
/// assert_eq!(answer, 41);
/// ```
pub fn run_until<F: Future>(future: F) -> Result<F::Output, RunError> {
    let nest = NEST.with_borrow(Option::clone).ok_or(RunError::Outside)?;
    let _deeper = Deeper::new().ok_or(RunError::TooDeep)?;
    let scope = Scope::new();
    // The runs around cannot keep their deadlines meanwhile. Where there is one there is a clock.
    let _ = scope.set_deadline(scope.deadline());
    let future = scope.run(future);
    let ended = match nest.sleep {
        Sleep::Own(mut driver) => nest.local.run(&mut driver, future),
        Sleep::Shared(driver) => nest.local.run(&mut driver.park_unwatched(), future),
        Sleep::Thread => nest.local.run(&mut ThreadPark::new(), future),
    };
    match ended {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(cause)) => Err(RunError::Cancelled(cause)),
        Err(error) => Err(RunError::Park(error)),
    }
}
