//! The ambient spawner, for hyper.

use pirn_core::report::{Report, report};
use pirn_core::{DynSpawn, Missing, TaskMeta, context};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Spawns what hyper wants spawned, by the spawner that is ambient where this was made.
///
/// HTTP/2 needs it; HTTP/1 spawns nothing. What a task returns is dropped. A panic in one, and a
/// task that the spawner refuses, are [reported](pirn_core::report).
///
/// # Examples
///
/// ```
/// // Outside a runtime there is none to take tasks.
/// let missing = pirn_http::rt::Executor::current().unwrap_err();
/// assert_eq!(missing.what(), "spawner");
/// ```
#[derive(Clone)]
pub struct Executor(Arc<dyn DynSpawn>);

impl Executor {
    /// The executor over the ambient spawner.
    ///
    /// # Errors
    ///
    /// [`Missing`] outside a runtime.
    pub fn current() -> Result<Executor, Missing> {
        context::spawner().map(Executor)
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        let meta = TaskMeta::here().named("hyper");
        let task = Task(Some(Box::pin(future)));
        if let Err(refused) = self.0.spawn_boxed(meta.clone(), Box::pin(task)) {
            report(Report::Error {
                task: Some(meta),
                error: refused.map(drop).to_string().into(),
            });
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

/// Catches the panics of its future, as the spawner's contract wants.
struct Task<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = &mut self.0 else {
                return Poll::Ready(());
            };
            let ended = future.as_mut().poll(cx).map(drop);
            if ended.is_ready() {
                self.0 = None;
            }
            ended
        }));
        attempt.unwrap_or_else(|payload| {
            let rest = self.0.take();
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(rest)));
            for payload in [Some(payload), dropped.err()].into_iter().flatten() {
                report(Report::Panic {
                    task: None,
                    payload,
                });
            }
            Poll::Ready(())
        })
    }
}
