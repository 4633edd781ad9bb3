//! How a task is handed to an executor.

use crate::Priority;
use std::boxed::Box;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

/// What is known of a task when it is spawned: a name, if it has one, the place, and how urgent it is.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
///
/// let meta = TaskMeta::here().named("fetcher");
/// assert_eq!(meta.name(), Some("fetcher"));
/// assert!(meta.spawned_at().file().ends_with(".rs"));
/// ```
#[derive(Clone, Debug)]
pub struct TaskMeta {
    /// Behind a thin pointer: few tasks have a name, and many keep their metadata.
    name: Option<Arc<Name>>,
    spawned_at: &'static Location<'static>,
    priority: Priority,
}

#[derive(Debug)]
struct Name(Arc<str>);

impl TaskMeta {
    /// Metadata with the caller's place and no name.
    #[track_caller]
    pub fn here() -> Self {
        TaskMeta::at(Location::caller())
    }

    /// Metadata with the given place and no name, for executors that kept the place alone.
    pub fn at(spawned_at: &'static Location<'static>) -> Self {
        TaskMeta {
            name: None,
            spawned_at,
            priority: Priority::Normal,
        }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        TaskMeta {
            name: Some(Arc::new(Name(name.into()))),
            ..self
        }
    }

    /// The same for a task that is so urgent, where the executor heeds that.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        TaskMeta { priority, ..self }
    }

    /// The task's name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().map(|name| &*name.0)
    }

    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }
}

impl fmt::Display for TaskMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "task `{name}` spawned at {}", self.spawned_at),
            None => write!(f, "task spawned at {}", self.spawned_at),
        }
    }
}

/// Why a future was not spawned, with the future.
///
/// # Examples
///
/// ```
/// use pirn_core::Refused;
///
/// let refused = Refused::new("the executor is shut down", 7);
/// assert_eq!(refused.to_string(), "the task was not spawned: the executor is shut down");
/// assert_eq!(refused.into_future(), 7);
/// ```
pub struct Refused<F> {
    reason: &'static str,
    future: F,
}

impl<F> Refused<F> {
    /// A refusal for `reason`, which completes the sentence "the task was not spawned: …".
    pub fn new(reason: &'static str, future: F) -> Self {
        Refused { reason, future }
    }

    /// Why.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Gives the future back.
    pub fn into_future(self) -> F {
        self.future
    }

    /// The same refusal for what the future was made from.
    pub fn map<G>(self, f: impl FnOnce(F) -> G) -> Refused<G> {
        Refused {
            reason: self.reason,
            future: f(self.future),
        }
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task was not spawned: {}", self.reason)
    }
}

impl<F> std::error::Error for Refused<F> {}

/// An executor that takes tasks from any thread.
///
/// The contract: the executor polls `f` to its end or drops it, and a drop is an end. `f` catches
/// its own panics, so an executor need not. Whoever needs to know that the task ended keeps a
/// guard inside `f`.
///
/// `f` gets a copy of the [task-locals](crate::TaskLocal) that stand around the call: an executor
/// whose tasks are [`Rooted`](crate::Rooted) has nothing to do for that, others
/// [carry](crate::Locals::carry) them.
///
/// # Examples
///
/// ```
/// use pirn_core::{Refused, Spawn, TaskMeta, shim::block_on};
/// use std::sync::mpsc;
///
/// /// A thread for each task.
/// struct Threads;
///
/// impl Spawn for Threads {
///     fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
///     where
///         F: Future<Output = ()> + Send + 'static,
///     {
///         std::thread::spawn(move || block_on(f));
///         Ok(())
///     }
/// }
///
/// let (say, said) = mpsc::channel();
/// Threads.spawn(TaskMeta::here(), async move { say.send("done").unwrap() }).unwrap();
/// assert_eq!(said.recv(), Ok("done"));
/// ```
pub trait Spawn {
    /// Hands `f` to the executor, which polls it later, never inside this call.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, if the executor takes no more tasks.
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static;
}

/// An executor of one thread, for futures that must stay on it. Otherwise as [`Spawn`].
///
/// # Examples
///
/// ```
/// use pirn_core::{LocalBoxTask, Refused, SpawnLocal, TaskMeta, shim::block_on};
/// use std::cell::{Cell, RefCell};
/// use std::rc::Rc;
///
/// /// Keeps its tasks until somebody runs them.
/// #[derive(Default)]
/// struct Later(RefCell<Vec<LocalBoxTask>>);
///
/// impl SpawnLocal for Later {
///     fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
///     where
///         F: Future<Output = ()> + 'static,
///     {
///         self.0.borrow_mut().push(Box::pin(f));
///         Ok(())
///     }
/// }
///
/// let (later, done) = (Later::default(), Rc::new(Cell::new(false)));
/// let set = Rc::clone(&done);
/// later.spawn_local(TaskMeta::here(), async move { set.set(true) }).unwrap();
/// assert!(!done.get());
/// later.0.take().into_iter().for_each(block_on);
/// assert!(done.get());
/// ```
pub trait SpawnLocal {
    /// Hands `f` to the executor, which polls it later on this thread.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, if the executor takes no more tasks.
    fn spawn_local<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static;
}

/// A boxed future without a result, that may move between threads.
pub type BoxTask = Pin<Box<dyn Future<Output = ()> + Send>>;
/// A boxed future without a result, that stays on its thread.
pub type LocalBoxTask = Pin<Box<dyn Future<Output = ()>>>;

/// [`Spawn`], object-safe: what stands among the [ambient handles](crate::context).
///
/// Implemented for every [`Spawn`].
pub trait DynSpawn: Send + Sync {
    /// As [`Spawn::spawn`].
    ///
    /// # Errors
    ///
    /// As [`Spawn::spawn`].
    fn spawn_boxed(&self, meta: TaskMeta, f: BoxTask) -> Result<(), Refused<BoxTask>>;
}

impl<S: Spawn + Send + Sync> DynSpawn for S {
    fn spawn_boxed(&self, meta: TaskMeta, f: BoxTask) -> Result<(), Refused<BoxTask>> {
        self.spawn(meta, f)
    }
}

/// [`SpawnLocal`], object-safe. Implemented for every [`SpawnLocal`].
pub trait DynSpawnLocal {
    /// As [`SpawnLocal::spawn_local`].
    ///
    /// # Errors
    ///
    /// As [`SpawnLocal::spawn_local`].
    fn spawn_local_boxed(
        &self,
        meta: TaskMeta,
        f: LocalBoxTask,
    ) -> Result<(), Refused<LocalBoxTask>>;
}

impl<S: SpawnLocal> DynSpawnLocal for S {
    fn spawn_local_boxed(
        &self,
        meta: TaskMeta,
        f: LocalBoxTask,
    ) -> Result<(), Refused<LocalBoxTask>> {
        self.spawn_local(meta, f)
    }
}

impl<S: Spawn + ?Sized> Spawn for &S {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        (**self).spawn(meta, f)
    }
}

impl<S: Spawn + ?Sized> Spawn for Arc<S> {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        (**self).spawn(meta, f)
    }
}

/// A closure that may block, to be run on a thread for such work.
pub type BoxJob = Box<dyn FnOnce() + Send>;

/// A pool of threads for work that blocks.
///
/// # Examples
///
/// ```
/// use pirn_core::{Blocking, BoxJob, Refused};
/// use std::sync::mpsc;
///
/// /// A thread for each job.
/// struct Threads;
///
/// impl Blocking for Threads {
///     fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>> {
///         std::thread::spawn(job);
///         Ok(())
///     }
/// }
///
/// let (say, said) = mpsc::channel();
/// Threads.submit(Box::new(move || say.send("done").unwrap())).unwrap();
/// assert_eq!(said.recv(), Ok("done"));
/// ```
pub trait Blocking: Send + Sync {
    /// Queues `job`. It runs once, or is dropped unrun if the pool shuts down first. `job`
    /// catches its own panics.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the job, if the pool is shut down.
    fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>>;
}
