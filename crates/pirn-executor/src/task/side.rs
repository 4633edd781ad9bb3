//! What few tasks have: a name, the cause of a cancel request.

use super::TaskId;
use pirn_core::Cause;
use pirn_core::shim::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The side table of a scheduler. A task whose state says `SIDE` may have an entry.
#[derive(Default)]
pub(crate) struct Side(Mutex<BTreeMap<TaskId, Entry>>);

#[derive(Default)]
struct Entry {
    name: Option<Arc<str>>,
    cause: Option<Cause>,
}

impl Side {
    pub(crate) fn set_name(&self, id: TaskId, name: Arc<str>) {
        self.0.lock().entry(id).or_default().name = Some(name);
    }

    pub(crate) fn name(&self, id: TaskId) -> Option<Arc<str>> {
        self.0.lock().get(&id)?.name.clone()
    }

    /// Keeps the cause of a cancel request until it is delivered. The first one wins.
    pub(crate) fn set_cause(&self, id: TaskId, cause: Cause) {
        self.0
            .lock()
            .entry(id)
            .or_default()
            .cause
            .get_or_insert(cause);
    }

    pub(crate) fn take_cause(&self, id: TaskId) -> Option<Cause> {
        self.0.lock().get_mut(&id)?.cause.take()
    }

    pub(crate) fn remove(&self, id: TaskId) {
        self.0.lock().remove(&id);
    }
}
