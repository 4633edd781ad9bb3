//! tokio.

use ::tokio::runtime::Handle;
use ::tokio::task::LocalSet;
use pirn_core::{Locals, Missing, Refused, Spawn, SpawnLocal, TaskMeta};
use std::fmt;
use std::future::Future;
use std::rc::Rc;

/// Spawns on a tokio runtime, of either flavour.
///
/// A runtime that is shut down drops what it is given; that is an end as any other, so nothing is
/// ever refused.
///
/// # Examples
///
/// ```
/// use pirn_compat::TokioHandle;
/// use pirn_core::{Spawn, TaskMeta};
/// use std::sync::mpsc::channel;
///
/// let runtime = tokio::runtime::Runtime::new()?;
/// let spawner = TokioHandle::new(runtime.handle().clone());
/// let (sender, receiver) = channel();
/// spawner.spawn(TaskMeta::here(), async move { sender.send(7).unwrap() })?;
/// assert_eq!(receiver.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokioHandle(Handle);

impl TokioHandle {
    /// Spawns on the runtime of `handle`.
    pub fn new(handle: Handle) -> Self {
        TokioHandle(handle)
    }

    /// Spawns on the runtime around the caller.
    ///
    /// # Errors
    ///
    /// [`Missing`] outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::TokioHandle;
    ///
    /// assert_eq!(TokioHandle::current().unwrap_err().what(), "tokio runtime");
    /// ```
    pub fn current() -> Result<Self, Missing> {
        let missing = |_| {
            let remedy = "enter one, or pass its handle to `TokioHandle::new`";
            Missing::new("tokio runtime", remedy)
        };
        Handle::try_current().map(TokioHandle).map_err(missing)
    }
}

impl Spawn for TokioHandle {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.0.spawn(Locals::current().carry(f)));
        Ok(())
    }
}

/// Spawns on a tokio [`LocalSet`].
///
/// The set holds its tasks. One that keeps a clone of this keeps the set alive, and with it itself:
/// let such tasks end before the set goes.
///
/// # Examples
///
/// ```
/// use pirn_compat::TokioLocalSet;
/// use pirn_core::{SpawnLocal, TaskMeta};
/// use std::{cell::Cell, rc::Rc};
/// use tokio::{runtime::Builder, task::LocalSet};
///
/// let runtime = Builder::new_current_thread().build()?;
/// let set = Rc::new(LocalSet::new());
/// let seen = Rc::new(Cell::new(0));
/// let adding = Rc::clone(&seen);
/// let work = async move { adding.set(adding.get() + 2) };
/// TokioLocalSet::new(Rc::clone(&set)).spawn_local(TaskMeta::here(), work).unwrap();
/// runtime.block_on(set.run_until(async { while seen.get() == 0 { tokio::task::yield_now().await } }));
/// assert_eq!(seen.get(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct TokioLocalSet(Rc<LocalSet>);

impl TokioLocalSet {
    /// Spawns on `set`.
    pub fn new(set: Rc<LocalSet>) -> Self {
        TokioLocalSet(set)
    }
}

impl fmt::Debug for TokioLocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokioLocalSet").finish()
    }
}

impl SpawnLocal for TokioLocalSet {
    fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        drop(self.0.spawn_local(Locals::current().carry(f)));
        Ok(())
    }
}
