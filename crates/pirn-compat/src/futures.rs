//! The executors of `futures`, and whatever else has its spawn traits.

use futures_task::{FutureObj, LocalFutureObj, LocalSpawn};
use pirn_core::{Locals, Refused, Spawn, SpawnLocal, TaskMeta};
use std::future::Future;

const SHUT_DOWN: &str = "the executor is shut down";

/// Spawns on a `futures::task::Spawn` or `LocalSpawn`: its thread pool, its local pool's spawner.
///
/// A task is refused, with its future, if the executor says beforehand that it is shut down; one
/// that shuts down at that very moment drops it, which is an end as any other.
///
/// # Examples
///
/// ```
/// use futures::executor::LocalPool;
/// use pirn_compat::Futures;
/// use pirn_core::{Spawn, TaskMeta};
/// use std::sync::mpsc::channel;
///
/// let mut pool = LocalPool::new();
/// let (sender, receiver) = channel();
/// Futures::new(pool.spawner()).spawn(TaskMeta::here(), async move { sender.send(7).unwrap() })?;
/// pool.run();
/// assert_eq!(receiver.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Futures<S>(S);

impl<S> Futures<S> {
    /// Spawns on `spawner`.
    pub fn new(spawner: S) -> Self {
        Futures(spawner)
    }
}

impl<S: futures_task::Spawn> Spawn for Futures<S> {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.0.status() {
            Ok(()) => {
                let _ = self
                    .0
                    .spawn_obj(FutureObj::new(Box::new(Locals::current().carry(f))));
                Ok(())
            }
            Err(_) => Err(Refused::new(SHUT_DOWN, f)),
        }
    }
}

impl<S: LocalSpawn> SpawnLocal for Futures<S> {
    fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        match self.0.status_local() {
            Ok(()) => {
                let _ = self
                    .0
                    .spawn_local_obj(LocalFutureObj::new(Box::new(Locals::current().carry(f))));
                Ok(())
            }
            Err(_) => Err(Refused::new(SHUT_DOWN, f)),
        }
    }
}
