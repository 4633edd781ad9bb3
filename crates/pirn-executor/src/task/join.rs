//! The handle of a task.

use super::TaskId;
use super::cell::{Output, Ref};
use pirn_core::{Cause, JoinError, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The handle of a spawned task: await it for what the task gives.
///
/// | the task | the handle gives |
/// |---|---|
/// | returned `value` | `Ok(value)` |
/// | was cancelled | [`JoinError::Cancelled`], with the cause |
/// | panicked | [`JoinError::Panicked`], with the payload |
/// | was never spawned | [`JoinError::Refused`], with the reason |
///
/// [`JoinError::Cancelled`]: pirn_core::JoinError::Cancelled
/// [`JoinError::Panicked`]: pirn_core::JoinError::Panicked
/// [`JoinError::Refused`]: pirn_core::JoinError::Refused
///
/// Dropping the handle cancels the task; [`detach`](Self::detach) lets it run on. How it ended is
/// reported even then: a panic that no handle receives goes to the
/// [hook](pirn_core::report::set_hook).
///
/// A panic of the future's destructor counts as the task's panic. It goes to the hook if the task
/// had panicked before, or was cut off by the end of its executor.
///
/// Each task is the root of a [scope](pirn_core::Scope): [`cancel`](Self::cancel) and the drop of
/// the handle cancel that, so clean-up that the task holds open is awaited before it ends.
///
/// # Cancel safety
///
/// Polling a `Task` takes nothing until it is ready. Dropping it cancels the task.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, ThreadPark};
///
/// let executor = LocalExecutor::new();
/// let task = executor.spawn(async { 6 * 7 });
/// let answer = executor.run(&mut ThreadPark::new(), task)?;
/// assert_eq!(answer.unwrap(), 42);
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[must_use = "dropping a task's handle cancels the task; `detach` lets it run on"]
pub struct Task<T> {
    handle: Handle,
    output: PhantomData<T>,
}

enum Handle {
    /// Has a reference to the task.
    Task(Ref),
    /// As `Task`, and the output was taken.
    Taken(Ref),
    /// There never was a task.
    Refused(Box<Refusal>),
}

struct Refusal {
    id: TaskId,
    meta: TaskMeta,
    /// Until it is given.
    reason: Option<&'static str>,
}

impl<T> Task<T> {
    /// # Safety
    ///
    /// The caller passes on the handle's reference, of a cell whose output is a `Output<T>`.
    pub(super) unsafe fn from_ref(cell: Ref) -> Self {
        Task {
            handle: Handle::Task(cell),
            output: PhantomData,
        }
    }

    /// A handle of a task that was never spawned: it ends at once, as [`JoinError::Refused`].
    pub(crate) fn refused(meta: TaskMeta, reason: &'static str) -> Self {
        let refusal = Refusal {
            id: TaskId::next(),
            meta,
            reason: Some(reason),
        };
        Task {
            handle: Handle::Refused(Box::new(refusal)),
            output: PhantomData,
        }
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        match &self.handle {
            // SAFETY: the handle has a reference.
            Handle::Task(cell) | Handle::Taken(cell) => unsafe { cell.header() }.id(),
            Handle::Refused(refusal) => refusal.id,
        }
    }

    /// The task's name, if it has one.
    pub fn name(&self) -> Option<Arc<str>> {
        self.meta().name().map(Arc::from)
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        match &self.handle {
            // SAFETY: the handle has a reference.
            Handle::Task(cell) | Handle::Taken(cell) => unsafe { cell.spawned_at() },
            Handle::Refused(refusal) => refusal.meta.spawned_at(),
        }
    }

    /// Name and place together, as reports have it.
    pub fn meta(&self) -> TaskMeta {
        match &self.handle {
            // SAFETY: the handle has a reference.
            Handle::Task(cell) | Handle::Taken(cell) => unsafe { cell.meta() },
            Handle::Refused(refusal) => refusal.meta.clone(),
        }
    }

    /// True once the task has ended. Then awaiting the handle does not wait.
    pub fn is_finished(&self) -> bool {
        match &self.handle {
            // SAFETY: the handle has a reference.
            Handle::Task(cell) => unsafe { cell.header() }.state.load().is_complete(),
            Handle::Taken(_) | Handle::Refused(_) => true,
        }
    }

    /// Asks the task to end, for `cause`; await the handle for its end.
    ///
    /// The request is made at once, whether or not the handle is awaited. It is level-triggered: it
    /// stays until the task has ended. Of several causes the first one counts. A task that returns
    /// nevertheless gives its value; one that was never polled never runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Cause;
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    ///
    /// let executor = LocalExecutor::new();
    /// let task = executor.spawn(std::future::pending::<()>());
    /// let end = task.cancel(Cause::requested("no longer needed"));
    /// let ended = executor.run(&mut ThreadPark::new(), end)?;
    /// assert!(ended.unwrap_err().is_cancelled());
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    pub fn cancel(self, cause: Cause) -> Self {
        match &self.handle {
            // SAFETY: the handle has a reference.
            Handle::Task(cell) if !self.is_finished() => unsafe { cell.cancel(cause) },
            _ => {}
        }
        self
    }

    /// Lets go of the task without cancelling it. Its value will be dropped, a panic reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, ThreadPark};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let executor = LocalExecutor::new();
    /// let ran = Rc::new(Cell::new(false));
    /// let flag = ran.clone();
    /// executor.spawn(async move { flag.set(true) }).detach();
    /// while executor.try_tick() {}
    /// assert!(ran.get());
    /// ```
    pub fn detach(self) {
        let mut this = ManuallyDrop::new(self);
        this.let_go(false);
        // SAFETY: it is not used any more.
        unsafe { std::ptr::drop_in_place(&mut this.handle) };
    }

    fn let_go(&self, cancel: bool) {
        let (cell, taken) = match self.handle {
            Handle::Task(cell) => (cell, false),
            Handle::Taken(cell) => (cell, true),
            Handle::Refused(_) => return,
        };
        // SAFETY: this is the handle, which is not used any more.
        unsafe { cell.let_go(cancel, taken) };
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.let_go(true);
    }
}

impl<T> Future for Task<T> {
    type Output = Output<T>;

    /// # Panics
    ///
    /// If polled again after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output<T>> {
        let cell = match &mut self.handle {
            Handle::Task(cell) => *cell,
            Handle::Refused(refusal) => {
                let reason = refusal.reason.take().expect(POLLED_AGAIN);
                return Poll::Ready(Err(JoinError::Refused(reason)));
            }
            Handle::Taken(_) => panic!("{POLLED_AGAIN}"),
        };
        // SAFETY: this is the handle.
        if unsafe { cell.join(cx.waker()) } {
            return Poll::Pending;
        }
        ready!(budget::poll_spend(cx));
        self.handle = Handle::Taken(cell);
        // SAFETY: the task is complete and has a handle, so the stage is the handle's; it holds the
        // output, of this type, which was not taken before.
        Poll::Ready(unsafe { cell.take_output() })
    }
}

const POLLED_AGAIN: &str = "a task's handle was polled after it was ready";

impl<T> Unpin for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .field("finished", &self.is_finished())
            .finish()
    }
}

// SAFETY: the handle gives, or drops, a `T` on the thread where it is; everything else that it
// touches is made for any thread. Neither the future nor the scheduler's own part is reachable.
unsafe impl<T: Send> Send for Task<T> {}

// SAFETY: a shared handle gives only id, name, place and whether the task has ended.
unsafe impl<T: Send> Sync for Task<T> {}
