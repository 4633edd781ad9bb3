//! Which runtime runs on this thread.

use pirn_executor::Task;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that a runtime runs on.
pub(crate) struct Running(PhantomData<*const ()>);

impl Running {
    /// `None` if one runs here already.
    pub(crate) fn new() -> Option<Running> {
        (!RUNNING.replace(true)).then_some(Running(PhantomData))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

/// True on a thread that a runtime runs on, between the polls of its tasks and inside them.
///
/// asyncio's `loop.is_running()`.
///
/// # Examples
///
/// ```
/// assert!(!pirn::is_running());
/// assert!(pirn::run(async { pirn::is_running() }));
/// ```
pub fn is_running() -> bool {
    RUNNING.get()
}

#[track_caller]
pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    pirn_executor::spawn(future)
}
