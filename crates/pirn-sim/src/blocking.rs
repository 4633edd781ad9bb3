//! Work for threads, done inline.

use pirn_core::{Blocking, BoxJob, Refused, Spawn, TaskMeta};
use pirn_executor::LocalHandle;

/// A pool without threads: each job is a task that runs it.
pub(crate) struct Inline(pub(crate) LocalHandle);

impl Blocking for Inline {
    fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>> {
        // The job is looked at first, so that a refusal can give it back.
        let slot = std::sync::Arc::new(std::sync::Mutex::new(Some(job)));
        let inside = std::sync::Arc::clone(&slot);
        let take = |slot: &std::sync::Mutex<Option<BoxJob>>| {
            slot.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .take()
        };
        let task = async move {
            if let Some(job) = take(&inside) {
                job();
            }
        };
        match Spawn::spawn(&self.0, TaskMeta::here().named("to_thread"), task) {
            Ok(()) => Ok(()),
            Err(refused) => {
                let reason = refused.reason();
                drop(refused);
                match take(&slot) {
                    Some(job) => Err(Refused::new(reason, job)),
                    None => Ok(()),
                }
            }
        }
    }
}
