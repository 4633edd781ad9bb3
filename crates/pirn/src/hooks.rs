//! Who is told of a runtime's tasks.

use crate::slow::SlowPolls;
use pirn_core::TaskMeta;
use pirn_executor::{Ended, Hooks, TaskId};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The hooks of a runtime's executors: has slow polls reported, and tells the user's hooks.
pub(crate) struct Monitor {
    slow: Option<SlowPolls>,
    theirs: Option<Arc<dyn Hooks>>,
    /// The first task of all, which is the runtime's own.
    own: OnceLock<TaskId>,
}

impl Monitor {
    /// `None` if there is nobody to tell: the executors then are made without hooks.
    pub(crate) fn new(
        slow_polls: Option<Duration>,
        theirs: Option<Arc<dyn Hooks>>,
    ) -> Option<Arc<Monitor>> {
        let monitor = Monitor {
            slow: slow_polls.map(SlowPolls::new),
            theirs,
            own: OnceLock::new(),
        };
        (monitor.slow.is_some() || monitor.theirs.is_some()).then(|| Arc::new(monitor))
    }

    fn tell(&self, id: TaskId, call: impl Fn(&dyn Hooks)) {
        // First the one that does not panic.
        if let Some(slow) = &self.slow {
            call(slow);
        }
        if let Some(theirs) = &self.theirs {
            if self.own.get() != Some(&id) {
                call(&**theirs);
            }
        }
    }
}

impl Hooks for Monitor {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        self.own.get_or_init(|| id);
        self.tell(id, |hooks| hooks.spawned(id, meta));
    }

    fn polling(&self, id: TaskId) {
        self.tell(id, |hooks| hooks.polling(id));
    }

    fn polled(&self, id: TaskId) {
        self.tell(id, |hooks| hooks.polled(id));
    }

    fn woken(&self, id: TaskId) {
        self.tell(id, |hooks| hooks.woken(id));
    }

    fn ended(&self, id: TaskId, how: Ended) {
        self.tell(id, |hooks| hooks.ended(id, how));
    }
}
