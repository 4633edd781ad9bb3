//! What the ways into an executor have in common.

use crate::task::Task;
use pirn_core::{Refused, TaskMeta};
use std::future::Future;

/// Spawns as `spawn` does; a task that is refused ends at once. For
/// [`hand_on`](pirn_core::large::hand_on).
#[inline]
pub fn or_ended<F: Future>(
    spawn: impl FnOnce(TaskMeta, F) -> Result<Task<F::Output>, Refused<F>>,
) -> impl FnOnce(TaskMeta, F) -> Task<F::Output> {
    move |meta, future| {
        let spawned = spawn(meta.clone(), future);
        spawned.unwrap_or_else(|refusal| Task::refused(meta, refusal.reason()))
    }
}
