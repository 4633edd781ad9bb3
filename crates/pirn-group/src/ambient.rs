//! The spawner that a runtime has put around the caller.
//!
//! A refused task comes back in a box that has forgotten its type. So what is boxed is an
//! [`Asked`], which has not touched the task before its first poll, and is asked for it by a
//! thread-local as the box is dropped.

use pin_project_lite::pin_project;
use pirn_core::{DynSpawn, Missing, Refused, Spawn, SpawnLocal, TaskMeta, context};
use std::any::{Any, TypeId};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The spawner of the runtime around the caller, from the [ambient handles](pirn_core::context).
///
/// Each task costs one box more than with the runtime's own spawner, since its type is forgotten.
///
/// # Examples
///
/// ```
/// use pirn_group::Ambient;
///
/// let missing = Ambient::current().unwrap_err(); // there is no runtime here
/// assert_eq!(missing.what(), "spawner");
/// ```
#[derive(Clone)]
pub struct Ambient(Arc<dyn DynSpawn>);

impl Ambient {
    /// The spawner around the caller.
    ///
    /// # Errors
    ///
    /// [`Missing`] outside a runtime.
    pub fn current() -> Result<Self, Missing> {
        context::spawner().map(Ambient)
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient")
    }
}

impl Spawn for Ambient {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let refused = self.0.spawn_boxed(meta, Box::pin(Asked::new(f)));
        refused.or_else(give_back)
    }
}

/// Takes the local spawner around the caller of `spawn_local`: it cannot be kept, since an
/// `Ambient` moves between threads.
impl SpawnLocal for Ambient {
    fn spawn_local<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        match context::local_spawner() {
            Ok(spawner) => {
                let refused = spawner.spawn_local_boxed(meta, Box::pin(Asked::new(f)));
                refused.or_else(give_back)
            }
            Err(_) => Err(Refused::new(
                "there is no local spawner here: worker threads have none",
                f,
            )),
        }
    }
}

pin_project! {
    /// A task that can be taken out of its box before its first poll.
    #[project = AskedProject]
    #[project_replace = AskedReplace]
    enum Asked<F>
    where
        F: 'static,
    {
        Fresh { task: F },
        Polled { #[pin] task: F },
        Gone,
    }

    impl<F> PinnedDrop for Asked<F>
    where
        F: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let _ = ANSWER.try_with(|answer| answer.set(this.answer(answer.take())));
        }
    }
}

/// What is asked of the task whose box is dropped on this thread.
#[derive(Default)]
enum Answer {
    #[default]
    Nothing,
    /// The task, if it is of this type.
    Wanted(TypeId),
    Given(Box<dyn Any>),
}

thread_local! {
    // `std`'s on purpose: asked and answered in one call.
    static ANSWER: Cell<Answer> = const { Cell::new(Answer::Nothing) };
}

impl<F> Asked<F> {
    fn new(task: F) -> Self {
        Asked::Fresh { task }
    }

    fn answer(self: Pin<&mut Self>, asked: Answer) -> Answer {
        match asked {
            Answer::Wanted(wanted) if wanted == TypeId::of::<F>() => {
                match self.project_replace(Asked::Gone) {
                    AskedReplace::Fresh { task } => Answer::Given(Box::new(task)),
                    _ => Answer::Nothing,
                }
            }
            other => other,
        }
    }
}

impl<F: Future<Output = ()>> Future for Asked<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let AskedProject::Polled { task } = self.as_mut().project() {
            return task.poll(cx);
        }
        if let AskedReplace::Fresh { task } = self.as_mut().project_replace(Asked::Gone) {
            self.set(Asked::Polled { task });
        }
        match self.project() {
            AskedProject::Polled { task } => task.poll(cx),
            _ => Poll::Ready(()),
        }
    }
}

/// Gives back the task in a box that was refused. One that is not there any more was dropped by the
/// spawner, which is an end as any other.
fn give_back<B, F: 'static>(refused: Refused<B>) -> Result<(), Refused<F>> {
    let reason = refused.reason();
    let former = ANSWER.replace(Answer::Wanted(TypeId::of::<F>()));
    drop(refused);
    let Answer::Given(task) = ANSWER.replace(former) else {
        return Ok(());
    };
    match task.downcast() {
        Ok(task) => Err(Refused::new(reason, *task)),
        Err(_) => Ok(()),
    }
}
