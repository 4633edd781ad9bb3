//! async-executor, smol's.

use ::async_executor::{Executor, LocalExecutor};
use pirn_core::{Locals, Refused, Spawn, SpawnLocal, TaskMeta};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// Spawns on an [`Executor`].
///
/// It takes tasks as long as it lives; dropping it drops them.
///
/// # Examples
///
/// ```
/// use async_executor::Executor;
/// use pirn_compat::AsyncExecutor;
/// use pirn_core::{Spawn, TaskMeta};
/// use std::sync::Arc;
///
/// let executor = Arc::new(Executor::new());
/// let spawner = AsyncExecutor::new(Arc::clone(&executor));
/// spawner.spawn(TaskMeta::here(), async {})?;
/// assert!(executor.try_tick());
/// assert!(executor.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AsyncExecutor(Arc<Executor<'static>>);

impl AsyncExecutor {
    /// Spawns on `executor`.
    pub fn new(executor: Arc<Executor<'static>>) -> Self {
        AsyncExecutor(executor)
    }
}

impl Spawn for AsyncExecutor {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(Locals::current().carry(f)).detach();
        Ok(())
    }
}

/// Spawns on a [`LocalExecutor`].
///
/// The executor holds its tasks. One that keeps a clone of this keeps the executor alive, and with
/// it itself: let such tasks end before the executor goes.
///
/// # Examples
///
/// ```
/// use async_executor::LocalExecutor;
/// use pirn_compat::AsyncLocalExecutor;
/// use pirn_core::{SpawnLocal, TaskMeta};
/// use std::rc::Rc;
///
/// let executor = Rc::new(LocalExecutor::new());
/// let spawner = AsyncLocalExecutor::new(Rc::clone(&executor));
/// let not_send = Rc::new(());
/// spawner.spawn_local(TaskMeta::here(), async move { drop(not_send) }).unwrap();
/// assert!(executor.try_tick());
/// assert!(executor.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct AsyncLocalExecutor(Rc<LocalExecutor<'static>>);

impl AsyncLocalExecutor {
    /// Spawns on `executor`.
    pub fn new(executor: Rc<LocalExecutor<'static>>) -> Self {
        AsyncLocalExecutor(executor)
    }
}

impl SpawnLocal for AsyncLocalExecutor {
    fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        self.0.spawn(Locals::current().carry(f)).detach();
        Ok(())
    }
}
