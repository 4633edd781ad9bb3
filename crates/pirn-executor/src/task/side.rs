//! What few tasks have: a name, the cause of a cancel request, a place of spawn without a number, a
//! joiner on another thread.

use super::TaskId;
use pirn_core::Cause;
use pirn_core::shim::Mutex;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

/// The side table of a scheduler. A task whose state says `SIDE` may have an entry.
#[derive(Default)]
pub(crate) struct Side {
    entries: Mutex<BTreeMap<TaskId, Entry>>,
    /// By the addresses of bound tasks: the wakers of handles that are polled on other threads.
    joiners: Mutex<BTreeMap<usize, Waker>>,
}

#[derive(Default)]
struct Entry {
    name: Option<Arc<str>>,
    place: Option<&'static Location<'static>>,
    cause: Option<Cause>,
}

impl Side {
    pub(super) fn set_name(&self, id: TaskId, name: Arc<str>) {
        self.entries.lock().entry(id).or_default().name = Some(name);
    }

    pub(super) fn set_place(&self, id: TaskId, place: &'static Location<'static>) {
        self.entries.lock().entry(id).or_default().place = Some(place);
    }

    pub(crate) fn name(&self, id: TaskId) -> Option<Arc<str>> {
        self.entries.lock().get(&id)?.name.clone()
    }

    pub(super) fn place(&self, id: TaskId) -> Option<&'static Location<'static>> {
        self.entries.lock().get(&id)?.place
    }

    /// Keeps the cause of a cancel request until it is delivered. The first one wins.
    pub(crate) fn set_cause(&self, id: TaskId, cause: Cause) {
        self.entries
            .lock()
            .entry(id)
            .or_default()
            .cause
            .get_or_insert(cause);
    }

    pub(crate) fn take_cause(&self, id: TaskId) -> Option<Cause> {
        self.entries.lock().get_mut(&id)?.cause.take()
    }

    /// Of a task that has ended: the cause of a request that came too late.
    pub(super) fn forget_cause(&self, id: TaskId) {
        let mut entries = self.entries.lock();
        let mut entry = entries.remove(&id).unwrap_or_default();
        let cause = entry.cause.take();
        if entry.name.is_some() || entry.place.is_some() {
            entries.insert(id, entry);
        }
        drop((entries, cause));
    }

    pub(crate) fn remove(&self, id: TaskId) {
        self.entries.lock().remove(&id);
    }

    /// Keeps the waker of a joiner until the task's thread takes it. Gives the former one back.
    pub(super) fn set_joiner(&self, task: *const (), waker: Waker) -> Option<Waker> {
        self.joiners.lock().insert(task.addr(), waker)
    }

    pub(super) fn take_joiner(&self, task: *const ()) -> Option<Waker> {
        self.joiners.lock().remove(&task.addr())
    }
}
