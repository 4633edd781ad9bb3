//! Polls that take too long.

use pin_project_lite::pin_project;
use pirn_core::TaskMeta;
use pirn_core::report::{Report, report};
use pirn_core::shim::Mutex;
use pirn_executor::{Ended, Hooks, TaskId};
use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The limit in builds with debug assertions, as asyncio's debug mode.
pub(crate) const USUAL: Option<Duration> = match cfg!(debug_assertions) {
    true => Some(Duration::from_millis(100)),
    false => None,
};

thread_local! {
    /// When the poll that is under way began.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Reports each poll of a task that is longer than the limit.
pub(crate) struct SlowPolls {
    limit: Duration,
    tasks: Mutex<HashMap<TaskId, TaskMeta>>,
}

impl SlowPolls {
    pub(crate) fn new(limit: Duration) -> Self {
        SlowPolls {
            limit,
            tasks: Mutex::new(HashMap::new()),
        }
    }
}

impl Hooks for SlowPolls {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        self.tasks.lock().insert(id, meta.clone());
    }

    fn polling(&self, _: TaskId) {
        BEGAN.set(Some(Instant::now()));
    }

    fn polled(&self, id: TaskId) {
        // None if the task was allowed to block, or ran another executor on this thread.
        if let Some(took) = BEGAN.take().map(|began| began.elapsed()) {
            if took > self.limit {
                let task = self.tasks.lock().get(&id).cloned();
                report(Report::SlowPoll { task, took });
            }
        }
    }

    fn ended(&self, id: TaskId, _: Ended) {
        let removed = self.tasks.lock().remove(&id);
        drop(removed);
    }
}

/// The poll that is under way may take as long as it likes.
pub(crate) fn excuse() {
    BEGAN.set(None);
}

pin_project! {
    /// A main future, whose polls are measured as those of tasks are.
    pub(crate) struct Measured<F> {
        #[pin]
        pub(crate) main: F,
        pub(crate) limit: Option<Duration>,
        pub(crate) meta: TaskMeta,
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(limit) = *this.limit else {
            return this.main.poll(cx);
        };
        let began = Instant::now();
        let polled = this.main.poll(cx);
        let took = began.elapsed();
        if took > limit {
            report(Report::SlowPoll {
                task: Some(this.meta.clone()),
                took,
            });
        }
        polled
    }
}
