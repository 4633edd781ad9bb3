//! A tiny executor for models: what is spawned is polled by whoever takes it.

use pirn_core::shim::{Mutex, block_on};
use pirn_core::{BoxTask, Refused, Spawn, TaskMeta};
use std::future::Future;
// std's count: what the models explore is the group, not this.
use std::sync::Arc;

#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<Mutex<Vec<BoxTask>>>);

impl Spawn for Hand {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().push(Box::pin(f));
        Ok(())
    }
}

impl Hand {
    /// Takes the task that was spawned first.
    pub(crate) fn take(&self) -> BoxTask {
        self.0.lock().remove(0)
    }

    /// Takes the task that was spawned first, and polls it to its end on this thread.
    pub(crate) fn run_one(&self) {
        let task = self.take();
        block_on(task);
    }
}
