//! Which runtime runs on this thread.

use pirn_core::{Refused, TaskMeta, context};
use pirn_executor::{PoolHandle, Task, TaskId, TaskInfo};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomData;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Where the thread that calls `Runtime::run` spawns, if its runtime has workers.
    static POOL: RefCell<Option<PoolHandle>> = const { RefCell::new(None) };
    /// The pool of which this thread is a worker.
    static WORKS_IN: RefCell<Option<PoolHandle>> = const { RefCell::new(None) };
    /// The task that its runtime has of its own.
    static OWN: Cell<Option<TaskId>> = const { Cell::new(None) };
}

/// Marks this thread as one that a runtime runs on.
pub(crate) struct Running(PhantomData<*const ()>);

impl Running {
    /// `None` if one runs here already.
    pub(crate) fn new() -> Option<Running> {
        (!RUNNING.replace(true)).then(|| Running(PhantomData))
    }

    /// As a worker of `pool`.
    pub(crate) fn worker(pool: PoolHandle) -> Option<Running> {
        let running = Running::new()?;
        WORKS_IN.replace(Some(pool));
        Some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
        drop(WORKS_IN.take());
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

/// A runtime is entered on this thread until this is dropped, which restores what was there before.
pub(crate) struct Entered {
    pool: Option<PoolHandle>,
    own: Option<TaskId>,
}

impl Entered {
    /// Sends what is spawned on this thread to `pool`, if there is one. The task `own` is the
    /// runtime's, of which nobody is told.
    pub(crate) fn new(pool: Option<PoolHandle>, own: Option<TaskId>) -> Entered {
        Entered {
            pool: POOL.replace(pool),
            own: OWN.replace(own),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        POOL.replace(self.pool.take());
        OWN.set(self.own);
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

/// Of the executor around the caller, and of the pool into which this thread spawns.
pub(crate) fn tasks() -> Vec<TaskInfo> {
    let mut tasks = pirn_executor::tasks();
    tasks.retain(|task| Some(task.id()) != OWN.get());
    if let Some(pool) = POOL.with_borrow(Option::clone) {
        tasks.append(&mut pool.tasks());
        tasks.sort_by_key(TaskInfo::id);
    }
    tasks
}

/// The pool into which this thread spawns, or of which it is a worker.
pub(crate) fn pool() -> Option<PoolHandle> {
    POOL.with_borrow(Option::clone)
        .or_else(|| WORKS_IN.with_borrow(Option::clone))
}

/// True if the runtime's own task is among those of this thread.
pub(crate) fn has_own() -> bool {
    OWN.get().is_some()
}
