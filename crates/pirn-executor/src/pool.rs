//! The executor of many threads.
//!
//! # How it works
//!
//! Each worker has a queue of its own (`deque`): a ring of fixed size, first in, first out, and a
//! slot for the task that was woken last, which runs next. What does not fit goes to the injector,
//! as does what is woken or spawned outside. A worker looks in this order:
//!
//! 1. its slot, [`SLOT_RUNS`](core::SLOT_RUNS) times in a row at most, and not within
//!    [`SLOT_REST`](core::SLOT_REST) tasks after one from the slot that woke nobody,
//! 2. its ring,
//! 3. the injector,
//! 4. the rings of the others, of which it takes half; then their slots, where the same poll has
//!    been going on since it last looked.
//!
//! Every [`PARK_INTERVAL`](crate::PARK_INTERVAL) polls it looks at its [`Park`](pirn_core::Park)
//! and takes from the injector first. Who is woken for new work: `idle`. Tasks that are more or less
//! urgent than others lie in `lanes`, which it looks at before all this, if they are not empty.
//!
//! # What is shared
//!
//! By all workers: the injector's lock (outside wakes, overflow), the counts of who sleeps and
//! searches (read at each push to a ring), the gate and the lengths of the lanes (read at each poll,
//! hardly ever written; the lanes' by nobody where all tasks are alike).
//! Nothing else is touched by a worker that is busy with its own tasks; a slot that another worker
//! frees comes back by one exchange.
//!
//! With many workers these would contend first; none of it was measured on more than two cores:
//!
//! - the injector: one lock for all that comes from outside, held for one push, or for the move of
//!   one worker's share;
//! - the lanes: one lock for all tasks with a priority, held once for each wake and each poll of one;
//! - the driver that [`SharedDriver`] shares: one lock, which each busy worker takes once in
//!   [`PARK_INTERVAL`](crate::PARK_INTERVAL) polls;
//! - the side table: one lock, taken twice in the life of each task that has a name or a place of
//!   spawn beyond the table's, and for each cancel;
//! - the counts of `idle`, one word, and the lock of its sleepers: changed when a worker begins or
//!   ends a search or a sleep, so by all at once where work comes in bursts that are soon done;
//! - a search, and the last look before a sleep, go over all workers' queues, in the worst case by
//!   half of the workers at once.
//!
//! # How it ends
//!
//! There is no list of tasks but the workers' heaps, and a worker spawns without a lock. So who shuts
//! the gate looks through all heaps, and may miss what a worker spawns at that moment. But a worker
//! looks at the gate before each poll, and, after a fence, before it sleeps and when it is no longer
//! driven; and when it finds that the gate has changed, it looks through its own heap again. Its
//! looks come after its spawns, and after it has seen the gate it spawns no more. In the same way
//! somebody sees the end of the last task: it is counted before the worker's look at the gate.

mod blocking;
pub(crate) mod claimed;
mod core;
pub(crate) mod deque;
pub(crate) mod idle;
pub(crate) mod injector;
pub(crate) mod lanes;
mod shared_park;
pub(crate) mod spin;
pub(crate) mod watch;
mod worker;

pub use blocking::{WouldStall, block_in_place};
pub use shared_park::{SharedDriver, SharedPark, SharedUnpark};
pub use worker::Worker;

pub(crate) use self::core::Core;
pub(crate) use deque::Word;

use crate::current::{self, Current};
use crate::entry::or_ended;
use crate::gate::Gate;
use crate::hooks::{Ended, Hooks, tell};
use crate::priority::Lane;
use crate::task::{
    Heap, Owner, Runnable, Schedule, Side, Spawned, Task, TaskId, TaskInfo, TaskRef, Vacant,
};
use deque::Stealer;
use idle::Idle;
use injector::Injector;
use lanes::Lanes;
use pirn_core::large::{hand_on, unboxed};
use pirn_core::shim::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, fence};
use pirn_core::shim::{Arc, Mutex, choose};
use pirn_core::{Cause, Kind, Locals, Priority, Refused, Spawn, TaskMeta};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use watch::Watches;

/// An executor of many threads, for futures that are `Send`.
///
/// It starts no threads: [`new`](Self::new) gives its [`Worker`]s, each of which runs where the
/// caller wants it. Tasks come from [`handle`](Self::handle), and from the free function
/// [`spawn`](crate::spawn()) inside its tasks.
///
/// Dropping it drops the futures of all its tasks, which end as cancelled by shutdown; one that is
/// being polled at that moment is dropped after the poll, by its worker. Wakers and handles may
/// outlive it.
///
/// What tasks took in memory is used again by others of the same worker. What was not needed for a
/// while, beyond half a megabyte for each, is given back when the worker has nothing to do: in
/// parts of about a tenth of a millisecond, between which all else has its turn.
///
/// # Fairness
///
/// All bounds are in polls, of whatever tasks; how long a poll takes is up to them.
///
/// | a task that | runs, on each worker, after |
/// |---|---|
/// | is in a worker's ring, behind `n` others | 5 (`n` + 1) polls at most |
/// | was woken last, by another task | 3 polls, or 17 if tasks that were hurried so have woken nobody; if a further one is woken meanwhile, as one in the ring |
/// | comes from outside, first in line | [`PARK_INTERVAL`](crate::PARK_INTERVAL) polls; the line moves up by one share of it each time, and by one task where a ring is full |
///
/// What [`Priority`] a task has comes on top of that. What does not fit a ring's 256 places joins the line from outside, the older half of the ring at
/// once. The `Park`, so timers and the reactor, is looked at every `PARK_INTERVAL` polls. A task that
/// is stuck behind one poll that takes long is taken by another worker that is idle: out of the ring
/// at once; if it was the one woken last, within some 12 milliseconds, where the threads have an
/// ambient clock. Then another one also goes to the driver that they share, within 7 milliseconds, if
/// the worker that was in it is in such a poll. See also [`block_in_place`].
///
/// # Threads
///
/// A thread that leaves [`Worker::run`], also by a panic, leaves the tasks to the other workers, and
/// its worker may be driven again, by any thread. Executors nest: a task may drive another one.
///
/// After a `fork` the child has none of the threads, and locks may be held for ever by those that it
/// does not have. An executor from before must not be touched there, nor dropped; one that is made
/// in the child is as good as any.
///
/// # Examples
///
/// ```
/// use pirn_executor::{PoolExecutor, ThreadPark, spawn};
///
/// let (executor, workers) = PoolExecutor::new(2);
/// let handle = executor.handle();
/// let threads: Vec<_> = workers
///     .into_iter()
///     .map(|mut worker| {
///         let handle = handle.clone();
///         std::thread::spawn(move || worker.run(&mut ThreadPark::new(), handle.closed()))
///     })
///     .collect();
///
/// let (sender, answer) = std::sync::mpsc::channel();
/// handle
///     .spawn(async move {
///         let parts: Vec<_> = (1..=10).map(|n| spawn(async move { n * n })).collect();
///         let mut sum = 0;
///         for part in parts {
///             sum += part.await.unwrap();
///         }
///         sender.send(sum).unwrap();
///     })
///     .detach();
/// assert_eq!(answer.recv().unwrap(), 385);
///
/// drop(executor);
/// for thread in threads {
///     thread.join().unwrap()?;
/// }
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct PoolExecutor {
    handle: PoolHandle,
}

/// Spawns on a [`PoolExecutor`], from any thread.
///
/// A handle does not keep the executor alive: it refuses when that is gone.
///
/// # Examples
///
/// ```
/// use pirn_core::TaskMeta;
/// use pirn_executor::{PoolExecutor, ThreadPark};
///
/// let (executor, mut workers) = PoolExecutor::new(1);
/// let handle = executor.handle();
/// let task = handle.try_spawn(TaskMeta::here().named("five"), async { 5 }).unwrap();
/// assert_eq!(workers[0].run(&mut ThreadPark::new(), task)?.unwrap(), 5);
///
/// drop(executor);
/// let refused = handle.try_spawn(TaskMeta::here(), async { 6 }).unwrap_err();
/// assert_eq!(refused.reason(), "the executor is gone");
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[derive(Clone)]
pub struct PoolHandle {
    shared: Arc<Shared>,
}

/// What a [`PoolExecutor`] has done and holds, a moment ago.
///
/// # Examples
///
/// ```
/// let (executor, mut workers) = pirn_executor::PoolExecutor::new(2);
/// executor.handle().spawn(async {}).detach();
/// assert_eq!(executor.statistics().live, 1);
/// while workers[0].try_tick() {}
/// let statistics = executor.statistics();
/// assert_eq!(statistics.live, 0);
/// assert_eq!(statistics.workers[0].polls + statistics.workers[1].polls, 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// Each worker's.
    pub workers: Vec<WorkerStatistics>,
    /// Tasks that have not ended.
    pub live: usize,
    /// Workers that sleep.
    pub sleeping: usize,
    /// Tasks that wait in the queue which all share: from outside, or what did not fit elsewhere.
    pub queued: usize,
    /// Tasks of [`Priority::High`] that are ready.
    pub high: usize,
    /// Tasks of [`Priority::Low`] that are ready.
    pub low: usize,
}

/// What one [`Worker`] has done.
///
/// # Examples
///
/// ```
/// use pirn_executor::{PoolExecutor, WorkerStatistics};
///
/// let (executor, _workers) = PoolExecutor::new(1);
/// assert_eq!(executor.statistics().workers, [WorkerStatistics::default()]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatistics {
    /// Polls of tasks, but for those within a poll, of tasks that were spawned eagerly.
    pub polls: u64,
    /// How often it took tasks from another worker.
    pub steals: u64,
    /// How often it went to sleep.
    pub parks: u64,
    /// Tasks that wait in its own queue.
    pub queued: usize,
}

pub(crate) struct Shared {
    seats: Box<[Seat]>,
    outside: Outside,
    injector: Injector<Runnable>,
    lanes: Lanes<Runnable>,
    idle: Idle,
    side: Side,
    /// There if the gate was `Told` at first.
    hooks: Option<std::sync::Arc<dyn Hooks>>,
    /// A [`Gate`].
    gate: AtomicU8,
    /// How many workers are driven and do not block.
    free: AtomicUsize,
    /// How long a worker looks on before it sleeps, in nanoseconds.
    spin: AtomicU64,
    /// One of the workers does so.
    spinning: AtomicBool,
    watches: Watches,
    endings: Mutex<Endings>,
}

/// For tasks that are spawned, and end, on other threads than the workers'.
struct Outside {
    heap: Heap,
    /// Until the executor is gone.
    owner: Mutex<Option<Owner<Shared>>>,
    spawned: AtomicU64,
    ended: AtomicU64,
}

/// What others see of a worker. On cache lines of its own.
#[repr(align(128))]
struct Seat {
    stealer: Stealer<Runnable>,
    /// The tasks that it spawned.
    heap: Heap,
    /// Tasks that it spawned, and tasks that ended on it, in all. Written by the worker alone.
    spawned: AtomicU64,
    ended: AtomicU64,
    /// Ends the worker's sleep, while it is driven. Counted once more, since to clone a waker may
    /// run code of the user's, and this is cloned under the lock.
    unpark: Mutex<Option<std::sync::Arc<Waker>>>,
    /// It sleeps in `Worker::run`, or is about to: for wakers of what that waits for.
    parked: AtomicBool,
    /// So it does, and its thread has a clock.
    can_watch: AtomicBool,
    polls: AtomicU64,
    steals: AtomicU64,
    parks: AtomicU64,
}

/// Who waits for the end of the last task, and of the executor; by numbers out of `next`.
#[derive(Default)]
struct Endings {
    /// Who waits for the end of the last task.
    drained: BTreeMap<u64, Waker>,
    /// Why all tasks are to end.
    cause: Option<Cause>,
    closed: bool,
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl PoolExecutor {
    /// How long a worker looks on before it sleeps, if [`set_spin`](Self::set_spin) says nothing.
    pub const SPIN: Duration = Duration::from_micros(choose(20, 0) as u64);

    /// How many workers an executor may have.
    pub const MAX_WORKERS: usize = Idle::MAX_WORKERS;

    /// An executor with `workers` workers, each to be driven by a thread of the caller's.
    ///
    /// # Panics
    ///
    /// If `workers` is zero, or more than [`MAX_WORKERS`](Self::MAX_WORKERS): nothing was made then.
    pub fn new(workers: usize) -> (PoolExecutor, Vec<Worker>) {
        PoolExecutor::of(workers, None)
    }

    /// As [`new`](Self::new), with hooks that are told of its tasks. Each task then costs an
    /// allocation more.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::TaskMeta;
    /// use pirn_executor::{Hooks, PoolExecutor, TaskId, ThreadPark};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    ///
    /// #[derive(Default)]
    /// struct Count(AtomicUsize);
    /// impl Hooks for Count {
    ///     fn spawned(&self, _: TaskId, _: &TaskMeta) {
    ///         self.0.fetch_add(1, Relaxed);
    ///     }
    /// }
    ///
    /// let count = Arc::new(Count::default());
    /// let (executor, mut workers) = PoolExecutor::with_hooks(1, count.clone());
    /// let task = executor.handle().spawn(async {});
    /// workers[0].run(&mut ThreadPark::new(), task)?.unwrap();
    /// assert_eq!(count.0.load(Relaxed), 1);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    pub fn with_hooks(
        workers: usize,
        hooks: std::sync::Arc<dyn Hooks>,
    ) -> (PoolExecutor, Vec<Worker>) {
        PoolExecutor::of(workers, Some(hooks))
    }

    fn of(workers: usize, hooks: Option<std::sync::Arc<dyn Hooks>>) -> (PoolExecutor, Vec<Worker>) {
        let gate = match hooks {
            None => Gate::Open,
            Some(_) => Gate::Told,
        };
        assert!(workers > 0, "an executor without workers runs nothing");
        // Before anything is made for each of them.
        assert!(
            workers <= Self::MAX_WORKERS,
            "a pool has less than 2^15 workers, not {workers}"
        );
        let (locals, stealers): (Vec<_>, Vec<_>) = (0..workers).map(|_| deque::deque()).unzip();
        let shared = Arc::new(Shared {
            seats: stealers.into_iter().map(Seat::new).collect(),
            outside: Outside {
                heap: Heap::new(),
                owner: Mutex::new(None),
                spawned: AtomicU64::new(0),
                ended: AtomicU64::new(0),
            },
            injector: Injector::default(),
            lanes: Lanes::default(),
            idle: Idle::new(workers),
            side: Side::default(),
            hooks,
            gate: AtomicU8::new(gate as u8),
            free: AtomicUsize::new(0),
            spin: AtomicU64::new(Self::SPIN.as_nanos() as u64),
            spinning: AtomicBool::new(false),
            watches: Watches::default(),
            endings: Mutex::default(),
        });
        let owner = Owner::new(shared.clone(), |shared| &shared.outside.heap, 0);
        *shared.outside.owner.lock() = Some(owner);
        let handle = PoolHandle { shared };
        let workers = locals
            .into_iter()
            .enumerate()
            .map(|(index, local)| Worker::new(handle.clone(), index, local))
            .collect();
        (PoolExecutor { handle }, workers)
    }

    /// How long a worker that has nothing to do looks on before it sleeps, at most: then what
    /// comes meanwhile costs no wake-up. [`SPIN`](Self::SPIN) if nothing is said; zero turns it off.
    ///
    /// One worker of the executor does so at a time, and soon none if nothing comes: it looks on
    /// less and less often, at last before each 1024th sleep. Its [`Park`](pirn_core::Park) is not
    /// looked at meanwhile: where no other worker sleeps in the driver, timers and sockets are late by
    /// as much. So let it be some microseconds.
    pub fn set_spin(&self, limit: Duration) {
        let limit = limit.as_nanos().try_into().unwrap_or(u64::MAX);
        // Ordering: Relaxed, a setting.
        self.handle.shared.spin.store(limit, Relaxed);
    }

    /// A handle that spawns.
    pub fn handle(&self) -> PoolHandle {
        self.handle.clone()
    }

    /// Ends the executor: asks all tasks to end, waits until they have, or until `deadline` is
    /// ready, and says which had not; their futures are dropped.
    ///
    /// From its first poll on, new tasks are refused. The workers must be driven meanwhile; this
    /// future may be what one of them runs for, or be awaited elsewhere.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the executor open for the tasks that it has, which were asked to end, and
    /// closed for new ones. It may be called again.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{PoolExecutor, ThreadPark};
    /// use std::future::pending;
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let task = executor.handle().spawn(pending::<()>());
    /// let end = executor.shutdown(pending::<()>());
    /// assert!(workers[0].run(&mut ThreadPark::new(), end)?.is_empty());
    /// assert!(task.is_finished());
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&self, deadline: impl Future) -> impl Future<Output = Vec<TaskInfo>> {
        let at = Location::caller();
        async move {
            let shared = &*self.handle.shared;
            let cause = Cause::new(Kind::Shutdown, "its executor shuts down").with_location(at);
            shared.endings.lock().cause = Some(cause.clone());
            shared.shut(Gate::NoTasks);
            for heap in shared.heaps() {
                Shared::cancel_all(heap, &cause);
            }
            let mut deadline = pin!(deadline);
            let drained = Drained::new(shared);
            let live = poll_fn(|cx| {
                drained.wait(cx.waker().clone());
                let live = shared.live();
                match live == 0 || deadline.as_mut().poll(cx).is_ready() {
                    true => Poll::Ready(live),
                    false => Poll::Pending,
                }
            })
            .await;
            let left = match live {
                0 => Vec::new(),
                _ => shared.tasks(),
            };
            let _outside = Locals::detach();
            shared.close();
            left
        }
    }

    /// What it has done and holds.
    pub fn statistics(&self) -> PoolStatistics {
        self.handle.statistics()
    }
}

impl Drop for PoolExecutor {
    fn drop(&mut self) {
        // What the tasks' destructors do, they do without the caller's task-locals.
        let _outside = Locals::detach();
        self.handle.shared.close();
    }
}

impl PoolHandle {
    /// Spawns a task, from any thread. It runs on a worker, never inside this call.
    ///
    /// If the executor is shut down or gone the task ends at once as
    /// [`JoinError::Refused`](pirn_core::JoinError::Refused).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{PoolExecutor, ThreadPark};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let handle = executor.handle();
    /// let task = std::thread::spawn(move || handle.spawn(async { 5 })).join().unwrap();
    /// assert_eq!(workers[0].run(&mut ThreadPark::new(), task)?.unwrap(), 5);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            TaskMeta::here(),
            future,
            or_ended(|meta, future| self.put(meta, future)),
            or_ended(|meta, future| self.put(meta, future)),
        )
    }

    /// As [`spawn`](Self::spawn), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future, if the executor is shut down or gone.
    pub fn try_spawn<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put(meta, future),
            unboxed(|meta, future| self.put(meta, future)),
        )
    }

    #[inline]
    fn put_detached<F>(&self, meta: TaskMeta, future: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shared = &self.shared;
        match Shared::with_core(shared, |core| core?.vacant_for::<F>(&meta)) {
            Some(vacant) => vacant.spawn_detached(&meta, future),
            None => Shared::spawn_otherwise(shared, meta, future)?.detach(),
        }
        Ok(())
    }

    #[inline]
    fn put<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shared = &self.shared;
        match Shared::with_core(shared, |core| core?.vacant_for::<F>(&meta)) {
            Some(vacant) => Ok(vacant.spawn(&meta, future)),
            None => Shared::spawn_otherwise(shared, meta, future),
        }
    }

    /// As [`spawn`](Self::spawn), for a task that is more or less urgent than others: see
    /// [`Priority`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{PoolExecutor, Priority, ThreadPark};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let task = executor.handle().spawn_at(Priority::High, async { 5 });
    /// assert_eq!(workers[0].run(&mut ThreadPark::new(), task)?.unwrap(), 5);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn_at<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let meta = TaskMeta::here().with_priority(priority);
        let shared = &self.shared;
        hand_on(
            meta,
            future,
            or_ended(|meta, future| Shared::spawn_otherwise(shared, meta, future)),
            or_ended(|meta, future| Shared::spawn_otherwise(shared, meta, future)),
        )
    }

    /// As [`spawn`](Self::spawn), and on one of this pool's workers polls the task once before it
    /// returns, on this thread: see [`spawn_eager`](crate::spawn_eager()).
    ///
    /// What is not ready then goes on on any worker, in its turn. Elsewhere, and in code that the
    /// worker's [`Park`](pirn_core::Park) calls, it is as [`spawn`](Self::spawn): nobody waits there
    /// for a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{PoolExecutor, ThreadPark};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let handle = executor.handle();
    /// assert!(!handle.spawn_eager(async {}).is_finished());
    /// let seven = workers[0].run(&mut ThreadPark::new(), async {
    ///     let task = handle.spawn_eager(async { 7 });
    ///     assert!(task.is_finished());
    ///     task.await.unwrap()
    /// })?;
    /// assert_eq!(seven, 7);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    #[track_caller]
    pub fn spawn_eager<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            TaskMeta::here(),
            future,
            or_ended(|meta, future| self.put_eager(meta, future)),
            or_ended(|meta, future| self.put_eager(meta, future)),
        )
    }

    /// As [`spawn_eager`](Self::spawn_eager), with a name and place of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the future unpolled, if the executor is shut down or gone.
    pub fn try_spawn_eager<F>(
        &self,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_eager(meta, future),
            unboxed(|meta, future| self.put_eager(meta, future)),
        )
    }

    fn put_eager<F>(&self, meta: TaskMeta, future: F) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let made = Shared::make(&self.shared, &meta, future)?;
        let core = current::with(|current| match current {
            Some(Current::Worker(core)) if core.polls_for(&self.shared) => Some(core.clone()),
            _ => None,
        });
        match core {
            Some(core) => core.run_eagerly(made.runnable),
            None => made.runnable.start(),
        }
        Ok(made.task)
    }

    /// Waits until the executor is shut down or dropped: what a thread that lives for a [`Worker`]
    /// runs it for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{PoolExecutor, ThreadPark};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let closed = executor.handle().closed();
    /// let thread = std::thread::spawn(move || workers[0].run(&mut ThreadPark::new(), closed));
    /// drop(executor);
    /// assert!(thread.join().unwrap().is_ok());
    /// ```
    pub fn closed(&self) -> Closed {
        Closed {
            shared: self.shared.clone(),
            key: None,
        }
    }

    /// The tasks that have not ended, in the order of their numbers: as
    /// [`tasks`](crate::tasks()), from any thread. Some of them may have ended, and others begun,
    /// when it returns.
    ///
    /// It costs a look at each task that is or was there.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::TaskMeta;
    /// use pirn_executor::PoolExecutor;
    /// use std::future::pending;
    ///
    /// let (executor, _workers) = PoolExecutor::new(1);
    /// let meta = TaskMeta::here().named("weaver");
    /// let _task = executor.handle().try_spawn(meta, pending::<()>()).unwrap();
    /// let tasks = executor.handle().tasks();
    /// assert_eq!(tasks.len(), 1);
    /// assert_eq!(tasks[0].name(), Some("weaver"));
    /// ```
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.shared.tasks()
    }

    /// What the executor has done and holds.
    pub fn statistics(&self) -> PoolStatistics {
        let lanes = self.shared.lanes.waiting();
        PoolStatistics {
            workers: self.shared.seats.iter().map(Seat::statistics).collect(),
            live: self.shared.live(),
            sleeping: self.shared.idle.sleeping(),
            queued: self.shared.injector.len(),
            high: lanes.high,
            low: lanes.low,
        }
    }
}

impl Spawn for PoolHandle {
    #[inline]
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        hand_on(
            meta,
            f,
            |meta, f| self.put_detached(meta, f),
            unboxed(|meta, f| self.put_detached(meta, f)),
        )
    }
}

/// The future of [`PoolHandle::closed`].
///
/// # Examples
///
/// ```
/// use pirn_executor::{Closed, PoolExecutor, ThreadPark};
///
/// let (executor, mut workers) = PoolExecutor::new(1);
/// let closed: Closed = executor.handle().closed();
/// let thread = std::thread::spawn(move || workers[0].run(&mut ThreadPark::new(), closed));
/// drop(executor);
/// assert!(thread.join().unwrap().is_ok());
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Closed {
    shared: Arc<Shared>,
    key: Option<u64>,
}

impl Future for Closed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let this = &mut *self;
        let mut endings = this.shared.endings.lock();
        if endings.closed {
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            endings.next += 1;
            endings.next
        });
        let former = endings.waiting.insert(key, waker);
        drop(endings);
        pirn_core::wake::discard(former);
        Poll::Pending
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.shared.endings.lock().waiting.remove(&key);
            pirn_core::wake::discard(waker);
        }
    }
}

/// Waits for the end of the last task.
struct Drained<'a> {
    shared: &'a Shared,
    key: u64,
}

impl<'a> Drained<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut endings = shared.endings.lock();
        endings.next += 1;
        let key = endings.next;
        Drained { shared, key }
    }

    /// To be followed by a look at what lives.
    fn wait(&self, waker: Waker) {
        // The lock orders it against `look_drained`: who took the wakers before this one came has
        // seen the ends of all tasks, and so does whoever looks now.
        let former = self.shared.endings.lock().drained.insert(self.key, waker);
        pirn_core::wake::discard(former);
    }
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        let waker = self.shared.endings.lock().drained.remove(&self.key);
        pirn_core::wake::discard(waker);
    }
}

impl Shared {
    /// The worker that the caller is, if it is one of this pool.
    #[inline]
    fn with_core<R>(this: &Arc<Self>, f: impl FnOnce(Option<&Core>) -> R) -> R {
        current::with(|current| match current {
            Some(Current::Worker(core)) if Arc::ptr_eq(core.shared(), this) => f(Some(core)),
            _ => f(None),
        })
    }

    /// Spawns a task for which a worker had no slot at once: from outside, or with word to the hooks,
    /// or with a priority; or says why not.
    #[cold]
    fn spawn_otherwise<F>(
        this: &Arc<Self>,
        meta: TaskMeta,
        future: F,
    ) -> Result<Task<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Spawned { task, runnable } = Shared::make(this, &meta, future)?;
        runnable.start();
        Ok(task)
    }

    /// Makes a task, which is to be queued or run, and tells the hooks of it, if there are any; or
    /// says why not.
    fn make<F>(
        this: &Arc<Self>,
        meta: &TaskMeta,
        future: F,
    ) -> Result<Spawned<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if this.gate() != Gate::Told {
            let fill = |vacant: Vacant<Shared>, future| vacant.fill_as(meta, future);
            return Shared::put::<F, F, _>(this, future, fill);
        }
        let id = TaskId::next();
        this.tell(|hooks| hooks.spawned(id, meta));
        let fill = |vacant: Vacant<Shared>, future| {
            vacant.fill_told::<Told<F::Output>>(id, meta, Box::pin(future))
        };
        let spawned = Shared::put::<Told<F::Output>, F, _>(this, future, fill);
        if spawned.is_err() {
            // The gate was shut meanwhile.
            this.tell(|hooks| hooks.ended(id, Ended::Cancelled));
        }
        spawned
    }

    /// Takes a slot for a task of `G`, in which `fill` puts it.
    fn put<G: Future, F, T>(
        this: &Arc<Self>,
        future: F,
        fill: impl FnOnce(Vacant<Shared>, F) -> Spawned<T>,
    ) -> Result<Spawned<T>, Refused<F>> {
        let here = Shared::with_core(this, |core| Some(core?.vacant_or_refuse::<G>()));
        match here {
            Some(Ok(vacant)) => return Ok(fill(vacant, future)),
            Some(Err(reason)) => return Err(Refused::new(reason, future)),
            None => {}
        }
        let mut owner = this.outside.owner.lock();
        // Read under the lock, which whoever shuts the gate takes after it; filled under the
        // lock, so that whoever looks through the heap then finds the task.
        match (this.gate().refusal(), &mut *owner) {
            (None, Some(owner)) => {
                // Ordering: Relaxed, see `live`; written under the lock.
                this.outside.spawned.fetch_add(1, Relaxed);
                Ok(fill(owner.vacant::<G>(), future))
            }
            (reason, _) => Err(Refused::new(reason.unwrap_or(GONE), future)),
        }
    }

    fn tell(&self, call: impl FnOnce(&dyn Hooks)) {
        if let Some(hooks) = &self.hooks {
            tell(&**hooks, call);
        }
    }

    #[inline]
    fn gate(&self) -> Gate {
        // Ordering: Relaxed, see "How it ends".
        Gate::of(self.gate.load(Relaxed))
    }

    /// Wakes a worker that `Idle` named.
    #[inline]
    fn unpark(&self, worker: Option<usize>) {
        if let Some(worker) = worker {
            self.wake_up(worker);
        }
    }

    #[cold]
    fn wake_up(&self, worker: usize) {
        let unpark = self.seats[worker].unpark.lock().clone();
        if let Some(unpark) = unpark {
            unpark.wake_by_ref();
        }
    }

    /// Looks whether there is anything that a worker could take from elsewhere. After a fence.
    fn has_work(&self) -> bool {
        !self.injector.is_empty()
            || !self.lanes.is_empty()
            || self.seats.iter().any(|seat| !seat.stealer.is_empty())
    }

    /// Tasks that have not ended. Exact for whoever comes after their births and ends.
    fn live(&self) -> usize {
        // Ordering: Acquire, pairs with the Release in `ended` and `count_end`: who sees a task's end
        // sees the births of its children. Births Relaxed, after that.
        let ended: u64 = self.seats.iter().map(|seat| seat.ended.load(Acquire)).sum();
        let ended = ended + self.outside.ended.load(Acquire);
        let spawned: u64 = self.seats.iter().map(|s| s.spawned.load(Relaxed)).sum();
        let spawned = spawned + self.outside.spawned.load(Relaxed);
        spawned.saturating_sub(ended) as usize
    }

    fn heaps(&self) -> impl Iterator<Item = &Heap> {
        let seats = self.seats.iter().map(|seat| &seat.heap);
        seats.chain([&self.outside.heap])
    }

    /// Lets less in. After it, the heaps are to be looked through.
    fn shut(&self, gate: Gate) {
        // Ordering: Relaxed, the lock orders it for outsiders, the fence for workers: see "How it
        // ends".
        self.gate.store(gate as u8, Relaxed);
        drop(self.outside.owner.lock());
        fence(SeqCst);
    }

    /// What is known of the tasks that have not ended, in the order of their numbers.
    fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = Vec::new();
        for heap in self.heaps() {
            heap.infos(false, &mut tasks);
        }
        tasks.sort_by_key(TaskInfo::id);
        tasks
    }

    fn cancel_all(heap: &Heap, cause: &Cause) {
        let mut tasks: Vec<TaskRef> = Vec::new();
        heap.tasks(false, |task| tasks.push(task));
        for task in tasks {
            task.cancel(cause.clone());
        }
    }

    /// What the gate asks of a heap.
    fn obey(&self, gate: Gate, heap: &Heap) {
        match gate {
            Gate::Open | Gate::Told => {}
            Gate::NoTasks => {
                let cause = self.endings.lock().cause.clone();
                cause
                    .into_iter()
                    .for_each(|cause| Self::cancel_all(heap, &cause));
                self.look_drained();
            }
            // One by one: destructors run in between, and may wake and end other tasks.
            Gate::Closed => {
                heap.tasks(false, TaskRef::close);
                self.look_drained();
            }
        }
    }

    /// Tells whoever waits for the end of the last task, if that has been.
    #[cold]
    fn look_drained(&self) {
        // Ordering: of several who end the last tasks at once, one sees the counts of all.
        fence(SeqCst);
        if self.live() == 0 {
            let drained = std::mem::take(&mut self.endings.lock().drained);
            drained.into_values().for_each(pirn_core::wake::wake);
        }
    }

    /// Drops the futures of all tasks, and lets nothing in any more.
    fn close(&self) {
        self.shut(Gate::Closed);
        for heap in self.heaps() {
            self.obey(Gate::Closed, heap);
        }
        drop(self.injector.close());
        self.lanes.close().for_each(drop);
        let waiting = {
            let mut endings = self.endings.lock();
            endings.closed = true;
            std::mem::take(&mut endings.waiting)
        };
        waiting.into_values().for_each(pirn_core::wake::wake);
        let owner = self.outside.owner.lock().take();
        owner.into_iter().for_each(Owner::retire);
    }
}

/// A task that is told of. In a box, so that not every future is compiled for both kinds of tasks.
type Told<T> = Pin<Box<dyn Future<Output = T> + Send>>;

const GONE: &str = "the executor is gone";

impl Schedule for Shared {
    const BOUND: bool = false;

    #[inline]
    fn schedule(this: &Arc<Self>, task: Runnable) {
        let mut task = Some(task);
        let notify = Shared::with_core(this, |core| core.and_then(|core| core.wake(task.take()?)));
        match task {
            Some(task) => Shared::schedule_outside(this, task),
            // A worker keeps its executor's shared part alive.
            None => this.unpark(notify),
        }
    }

    #[inline]
    fn reschedule(this: &Arc<Self>, task: Runnable) {
        let mut task = Some(task);
        let notify = Shared::with_core(this, |core| core.and_then(|core| core.queue(task.take()?)));
        match task {
            Some(task) => Shared::schedule_outside(this, task),
            None => this.unpark(notify),
        }
    }

    #[inline]
    fn ended(&self) {
        let here = current::with(|current| match current {
            Some(Current::Worker(core)) if core.is_of(self) => {
                core.count_end();
                true
            }
            _ => false,
        });
        if !here {
            // Ordering: Release, see `live`.
            self.outside.ended.fetch_add(1, Release);
        }
        if self.gate().is_shut() {
            self.look_drained();
        }
    }

    #[inline]
    fn with_owner<R>(&self, heap: &Heap, f: impl FnOnce(&mut Owner<Self>) -> R) -> Option<R> {
        current::with(|current| match current {
            Some(Current::Worker(core)) if core.is_of(self) => core.with_owner(heap, f),
            _ => None,
        })
    }

    fn side(&self) -> &Side {
        &self.side
    }

    fn hooks(&self) -> Option<&dyn Hooks> {
        self.hooks.as_deref()
    }

    fn schedule_in(this: &Arc<Self>, lane: Lane, task: Runnable) {
        Shared::queue_in(this, lane, task, false);
    }

    fn reschedule_in(this: &Arc<Self>, lane: Lane, task: Runnable) {
        Shared::queue_in(this, lane, task, true);
    }
}

impl Shared {
    #[cold]
    fn schedule_outside(this: &Arc<Self>, task: Runnable) {
        // The task may be run, freed and with it the last pointer but this one, before `notify`.
        let this = this.clone();
        this.injector.push([task]);
        this.unpark(this.idle.notify());
    }
}

impl Seat {
    fn new(stealer: Stealer<Runnable>) -> Seat {
        Seat {
            stealer,
            heap: Heap::new(),
            spawned: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            unpark: Mutex::new(None),
            parked: AtomicBool::new(false),
            can_watch: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            steals: AtomicU64::new(0),
            parks: AtomicU64::new(0),
        }
    }

    fn statistics(&self) -> WorkerStatistics {
        WorkerStatistics {
            // Ordering: Relaxed, statistics.
            polls: self.polls.load(Relaxed),
            steals: self.steals.load(Relaxed),
            parks: self.parks.load(Relaxed),
            queued: self.stealer.len(),
        }
    }
}

impl fmt::Debug for PoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolExecutor")
            .field(&self.statistics())
            .finish()
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
