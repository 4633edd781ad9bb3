//! What a runtime has done and holds.

use crate::{current, nested};
use pirn_executor::{LocalStatistics, PoolStatistics};

/// What a runtime's executors have done and hold, a moment ago: of [`statistics`] and
/// [`Runtime::statistics`](crate::Runtime::statistics).
///
/// # Examples
///
/// ```
/// let mut runtime = pirn::Runtime::builder().workers(2).build()?;
/// runtime.run(async { pirn::spawn(async {}).await.unwrap() })?;
/// let statistics = runtime.statistics();
/// let pool = statistics.pool.unwrap();
/// assert_eq!(pool.workers.len(), 2);
/// assert_eq!(pool.workers.iter().map(|worker| worker.polls).sum::<u64>(), 1);
/// assert_eq!((pool.live, statistics.local.unwrap().live), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Of the executor of the thread that runs the runtime, on which local tasks are; `None` on a
    /// worker thread, which cannot look at it. `live` is without the task that the runtime has of its
    /// own; that one's polls count, of which there are few.
    pub local: Option<LocalStatistics>,
    /// Of the worker threads' executor, on which tasks are [spawned](crate::spawn); `None` where
    /// there are none, as in a runtime of one thread.
    pub pool: Option<PoolStatistics>,
}

impl Statistics {
    /// `own`: the runtime's own task is there.
    pub(crate) fn new(
        local: Option<LocalStatistics>,
        own: bool,
        pool: Option<PoolStatistics>,
    ) -> Statistics {
        let local = local.map(|mut local| {
            local.live = local.live.saturating_sub(usize::from(own));
            local
        });
        Statistics { local, pool }
    }
}

/// What the executors of the runtime that runs here have done and hold: polls, tasks, queues, sleeps.
///
/// For monitors: they may look at it now and then from a task. It is empty outside a runtime, and in a
/// simulation. It costs a look at each worker, and changes nothing about how tasks are run: the counts
/// are kept in any case. To be told of each task, use [`Builder::hooks`](crate::Builder::hooks). trio's
/// `current_statistics()`.
///
/// # Examples
///
/// ```
/// use pirn::{statistics, Statistics};
/// use std::future::pending;
///
/// assert_eq!(statistics(), Statistics::default());
/// pirn::run(async {
///     let (_here, _there) = (pirn::spawn_local(pending::<()>()), pirn::spawn(pending::<()>()));
///     let now = statistics();
///     assert_eq!((now.local.unwrap().live, now.pool.unwrap().live), (1, 1));
///     // A worker knows of the workers.
///     let there = pirn::spawn(async { statistics() }).await.unwrap();
///     assert!(there.local.is_none() && there.pool.unwrap().live >= 1);
/// });
/// ```
pub fn statistics() -> Statistics {
    let pool = current::pool().map(|pool| pool.statistics());
    Statistics::new(nested::local_statistics(), current::has_own(), pool)
}
