//! The spawner that a runtime has put around the caller.

use pirn_core::{DynSpawn, Missing, Refused, Spawn, SpawnLocal, TaskMeta, context};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// The spawner of the runtime around the caller, from the [ambient handles](pirn_core::context).
///
/// Each task costs one box more than with the runtime's own spawner, since its type is forgotten.
/// For the same reason a task that the runtime refuses is not given back: it is dropped, which is
/// an end as any other.
///
/// # Examples
///
/// ```
/// use pirn_group::Ambient;
///
/// let missing = Ambient::current().unwrap_err(); // there is no runtime here
/// assert_eq!(missing.what(), "spawner");
/// ```
#[derive(Clone)]
pub struct Ambient(Arc<dyn DynSpawn>);

impl Ambient {
    /// The spawner around the caller.
    ///
    /// # Errors
    ///
    /// [`Missing`] outside a runtime.
    pub fn current() -> Result<Self, Missing> {
        context::spawner().map(Ambient)
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient")
    }
}

impl Spawn for Ambient {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.0.spawn_boxed(meta, Box::pin(f)));
        Ok(())
    }
}

/// Takes the local spawner around the caller of `spawn_local`: it cannot be kept, since an
/// `Ambient` moves between threads.
impl SpawnLocal for Ambient {
    fn spawn_local<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        match context::local_spawner() {
            Ok(spawner) => {
                drop(spawner.spawn_local_boxed(meta, Box::pin(f)));
                Ok(())
            }
            Err(_) => Err(Refused::new(
                "there is no local spawner here: worker threads have none",
                f,
            )),
        }
    }
}
