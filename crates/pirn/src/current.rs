//! Which runtime runs on this thread.

use pirn_core::{Refused, TaskMeta, context};
use pirn_executor::{PoolHandle, Priority, Task};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomData;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Where the thread that calls `Runtime::run` spawns, if its runtime has workers.
    static POOL: RefCell<Option<PoolHandle>> = const { RefCell::new(None) };
}

/// Marks this thread as one that a runtime runs on.
pub(crate) struct Running(PhantomData<*const ()>);

impl Running {
    /// `None` if one runs here already.
    pub(crate) fn new() -> Option<Running> {
        (!RUNNING.replace(true)).then(|| Running(PhantomData))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

/// True on a thread that a runtime runs on, between the polls of its tasks and inside them; and in a
/// simulation.
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
    RUNNING.get() || context::system("runtime").is_err()
}

/// Sends what is spawned on this thread to `pool`, until the guard is dropped.
pub(crate) fn spawn_into(pool: PoolHandle) -> SpawnInto {
    SpawnInto(POOL.replace(Some(pool)))
}

/// Restores the pool that was there before.
pub(crate) struct SpawnInto(Option<PoolHandle>);

impl Drop for SpawnInto {
    fn drop(&mut self) {
        POOL.replace(self.0.take());
    }
}

#[track_caller]
pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match POOL.with_borrow(Option::clone) {
        Some(pool) => pool.spawn(future),
        None => pirn_executor::spawn(future),
    }
}

pub(crate) fn try_spawn<F>(meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match POOL.with_borrow(Option::clone) {
        Some(pool) => pool.try_spawn(meta, future),
        None => pirn_executor::try_spawn(meta, future),
    }
}

#[track_caller]
pub(crate) fn spawn_at<F>(priority: Priority, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match POOL.with_borrow(Option::clone) {
        Some(pool) => pool.spawn_at(priority, future),
        None => pirn_executor::spawn_at(priority, future),
    }
}
