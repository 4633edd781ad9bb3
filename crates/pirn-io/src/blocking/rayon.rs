//! Closures on rayon's threads, awaited: [`to_thread`](super::to_thread) for what computes.

use super::{ToThread, guarded};
use pirn_core::{Blocking, BoxJob, Refused, TaskMeta};
use rayon_core::ThreadPool;
use std::fmt;
use std::panic::catch_unwind;
use std::sync::Arc;

/// Runs `f`, which computes, on a thread of rayon's global pool: there are as many as processors.
///
/// What rayon does in `f`, a parallel iterator say, uses the same threads. For what waits, for a disk
/// or a name server, it is the wrong place: it would keep a processor's thread from computing; that is
/// what [`to_thread`](super::to_thread) is for. In a simulation `f` runs where the tasks run.
///
/// Otherwise as [`to_thread`](super::to_thread): what a cancel does, what `f` finds around it, and how
/// it learns that nobody waits for it any more. Only that [`current_cause`](pirn_core::current_cause)
/// tells it in `f` itself, not in what rayon runs for `f` on other threads; and that rayon's pool does
/// not end with a runtime, which neither waits for `f` nor names it.
///
/// # Errors
///
/// As [`to_thread`](super::to_thread); [`JoinError::Refused`](pirn_core::JoinError::Refused) if rayon's
/// pool cannot be started.
///
/// # Cancel safety
///
/// As [`to_thread`](super::to_thread).
///
/// # Examples
///
/// ```
/// use pirn_io::blocking::to_rayon;
/// use rayon::prelude::*;
///
/// # pirn_core::shim::block_on(async {
/// let numbers: Vec<u64> = (1..=1000).collect();
/// let sum = to_rayon(move || numbers.par_iter().map(|n| n * n).sum::<u64>()).await?;
/// assert_eq!(sum, 333_833_500);
/// # Ok::<(), pirn_core::JoinError>(()) }).unwrap();
/// ```
#[track_caller]
pub fn to_rayon<F, T>(f: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    RayonPool::global().run(f)
}

/// A pool of rayon's: the global one, or another.
///
/// It can be wherever a [`Blocking`] is asked for. Cheap to clone.
///
/// # Examples
///
/// ```
/// use pirn_io::blocking::RayonPool;
/// use std::sync::Arc;
///
/// # pirn_core::shim::block_on(async {
/// let two = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// let pool = RayonPool::from(Arc::new(two));
/// assert_eq!(pool.run(rayon::current_num_threads).await?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct RayonPool(Option<Arc<ThreadPool>>);

impl From<Arc<ThreadPool>> for RayonPool {
    fn from(pool: Arc<ThreadPool>) -> Self {
        RayonPool(Some(pool))
    }
}

impl RayonPool {
    /// The global pool, which starts when it is first used. On a thread of another pool of rayon's it
    /// is that one, as everywhere in rayon.
    pub fn global() -> Self {
        RayonPool(None)
    }

    /// Runs `f` on a thread of this pool; otherwise as [`to_rayon`].
    ///
    /// # Cancel safety
    ///
    /// As [`to_thread`](super::to_thread).
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> ToThread<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        ToThread::new(TaskMeta::here(), Some(Arc::new(self.clone())), f).told()
    }
}

impl Blocking for RayonPool {
    fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>> {
        // Rayon panics where its global pool cannot be started, which this asks for.
        if self.0.is_none() && catch_unwind(rayon_core::current_num_threads).is_err() {
            return Err(Refused::new("rayon's pool cannot be started", job));
        }
        // A panic that comes out of the job would end the program there.
        let job = || guarded(job);
        match &self.0 {
            Some(pool) => pool.spawn(job),
            None => rayon_core::spawn(job),
        }
        Ok(())
    }
}

impl fmt::Debug for RayonPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RayonPool").field(&self.0).finish()
    }
}
