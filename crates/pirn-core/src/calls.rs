//! Calls: closures that run soon, or at a time, one after the other on one executor.
//!
//! # How it works
//!
//! One lock over `State`: the calls that are ready, in order, and those that wait for their time.
//!
//! Each ready call stands in the queue, and for each there is a *turn*, a task on the executor. A
//! turn runs the first call of the queue, which need not be the one that it was spawned for. So
//! calls and tasks take turns as they came, as asyncio's do, and the calls keep their order even on
//! an executor that chooses the next task by lot.
//!
//! One task, the *driver*, sleeps until the first of the timed calls is due, and makes those that
//! are ready.
//!
//! | `Driver` | meaning | entered by | left by |
//! |---|---|---|---|
//! | `Absent` | no timed calls, hence no task | the driver that finds none; its drop | `call_at`, which spawns one |
//! | `Awake` | will look before it sleeps | `call_at`; whoever takes its waker out | `poll`, which looks and leaves its waker under one lock |
//! | `Asleep` | sleeps until the first call's time | `poll` | `call_at` and `cancel`, if that changes the first |

use crate::clock::{BoxSleep, Clock, Instant};
use crate::error::Missing;
use crate::report::{Report, report};
use crate::shim::{Arc, Mutex};
use crate::spawn::{BoxJob, BoxTask, DynSpawn, TaskMeta};
use crate::task_local::Locals;
use crate::wake::{discard, wake};
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Runs closures on one executor, in order: the machinery under `pirn::call_soon` and its kin.
///
/// A handle: clones are the same queue. It stands among the
/// [ambient handles](crate::context::Handles).
///
/// # Fairness
///
/// Calls run in the order in which they became ready, each as a turn of the executor among the
/// turns of its tasks. A call that makes another one does not run it: that has the next turn.
///
/// # Examples
///
/// ```
/// use pirn_core::calls::CallQueue;
/// use pirn_core::{BoxTask, DynSpawn, Refused, TaskMeta, shim::block_on};
/// use std::sync::{Arc, mpsc};
///
/// /// An executor of sorts: a channel of tasks.
/// struct Tasks(mpsc::Sender<BoxTask>);
/// impl DynSpawn for Tasks {
///     fn spawn_boxed(&self, _: TaskMeta, task: BoxTask) -> Result<(), Refused<BoxTask>> {
///         self.0.send(task).map_err(|task| Refused::new("nobody runs them", task.0))
///     }
/// }
///
/// let (sender, tasks) = mpsc::channel();
/// let queue = CallQueue::new(Arc::new(Tasks(sender)), None);
/// let (said, hears) = mpsc::channel();
/// let handle = queue.call_soon(move || said.send("hello").unwrap())?;
/// block_on(tasks.recv()?);
/// assert_eq!(hears.recv()?, "hello");
/// assert!(!handle.cancel()); // too late
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CallQueue(Arc<Shared>);

/// A call that is to run soon. Dropping the handle does not cancel it.
///
/// # Examples
///
/// ```
/// # use pirn_core::calls::{CallHandle, CallQueue};
/// # use pirn_core::{BoxTask, DynSpawn, Refused, TaskMeta};
/// # struct Never;
/// # impl DynSpawn for Never {
/// #     fn spawn_boxed(&self, _: TaskMeta, _: BoxTask) -> Result<(), Refused<BoxTask>> { Ok(()) }
/// # }
/// # let queue = CallQueue::new(std::sync::Arc::new(Never), None);
/// let handle: CallHandle = queue.call_soon(|| unreachable!("cancelled"))?;
/// handle.cancel();
/// assert!(handle.is_cancelled());
/// # Ok::<(), pirn_core::Missing>(())
/// ```
#[derive(Clone)]
pub struct CallHandle(Arc<Slot>);

/// A call that is to run at a time. Dropping the handle does not cancel it.
///
/// # Examples
///
/// ```
/// use pirn_core::Missing;
/// use pirn_core::calls::TimerHandle;
/// use pirn_core::context;
///
/// fn at_noon(noon: pirn_core::Instant) -> Result<TimerHandle, Missing> {
///     context::calls()?.call_at(noon, || println!("noon"))
/// }
/// assert!(at_noon(pirn_core::Instant::NEVER).is_err()); // no runtime here
/// ```
#[derive(Clone)]
pub struct TimerHandle {
    call: CallHandle,
    key: Key,
    queue: Arc<Shared>,
}

/// The time, and a number that keeps the order of calls for the same time.
type Key = (Instant, u64);

struct Shared {
    spawner: Arc2<dyn DynSpawn>,
    clock: Option<Arc2<dyn Clock>>,
    state: Mutex<State>,
}

/// `std`'s, which can hold a trait object under loom too.
type Arc2<T> = std::sync::Arc<T>;

struct State {
    ready: VecDeque<Arc<Slot>>,
    timed: BTreeMap<Key, Arc<Slot>>,
    next: u64,
    driver: Driver,
}

enum Driver {
    Absent,
    Awake,
    Asleep(Waker),
}

struct Slot {
    meta: TaskMeta,
    call: Mutex<Call>,
}

enum Call {
    Waiting(BoxJob),
    Begun,
    Cancelled,
}

impl CallQueue {
    /// A queue whose calls run on the executor of `spawner`, timed ones by `clock`.
    pub fn new(spawner: Arc2<dyn DynSpawn>, clock: Option<Arc2<dyn Clock>>) -> Self {
        CallQueue(Arc::new(Shared {
            spawner,
            clock,
            state: Mutex::new(State {
                ready: VecDeque::new(),
                timed: BTreeMap::new(),
                next: 0,
                driver: Driver::Absent,
            }),
        }))
    }

    /// Lets `f` run in one of the next turns, after the code that runs now.
    ///
    /// It finds copies of the [task-locals](crate::TaskLocal) around this call. A panic in it goes
    /// to the [hook](crate::report::set_hook) and stops nothing.
    ///
    /// # Errors
    ///
    /// [`Missing`] if the executor takes no more tasks; `f` is dropped.
    #[track_caller]
    pub fn call_soon(&self, f: impl FnOnce() + Send + 'static) -> Result<CallHandle, Missing> {
        let slot = Slot::new(TaskMeta::here(), f);
        self.0.state.lock().ready.push_back(Arc::clone(&slot));
        let handle = CallHandle(slot);
        // A turn that is refused drops the call.
        Shared::spawn_turn(&self.0, Arc::clone(&handle.0))?;
        Ok(handle)
    }

    /// Lets `f` run as soon as it can once `at` has come. Of calls for the same time, that which was
    /// made first runs first.
    ///
    /// Otherwise as [`call_soon`](Self::call_soon).
    ///
    /// # Errors
    ///
    /// [`Missing`] without a clock, or if the executor takes no more tasks; `f` is dropped.
    #[track_caller]
    pub fn call_at(
        &self,
        at: Instant,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<TimerHandle, Missing> {
        let clock = self.0.clock.clone().ok_or(NO_CLOCK)?;
        let slot = Slot::new(TaskMeta::here(), f);
        let mut state = self.0.state.lock();
        let key = (at, state.next);
        state.next += 1;
        state.timed.insert(key, Arc::clone(&slot));
        let is_first = state.timed.first_key_value().map(|(first, _)| *first) == Some(key);
        let absent = matches!(state.driver, Driver::Absent);
        let news = match absent || is_first {
            true => mem::replace(&mut state.driver, Driver::Awake),
            false => Driver::Awake,
        };
        drop(state);
        match news {
            Driver::Absent => self.spawn_driver(&slot.meta, clock)?,
            Driver::Asleep(waker) => wake(waker),
            Driver::Awake => {}
        }
        Ok(TimerHandle {
            call: CallHandle(slot),
            key,
            queue: Arc::clone(&self.0),
        })
    }

    fn spawn_driver(&self, meta: &TaskMeta, clock: Arc2<dyn Clock>) -> Result<(), Missing> {
        let driver = Driving {
            queue: Some(Arc::clone(&self.0)),
            clock,
            sleep: None,
        };
        // Dropped, if it is refused, with all that waits.
        self.0.spawn(meta.clone(), Box::pin(driver))
    }
}

const NO_CLOCK: Missing = Missing::new("clock", "calls at a time need a runtime that has one");

impl CallHandle {
    /// Keeps the closure from being called, and drops it. True if it was in time.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// True if it was cancelled in time, or ended with its executor.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.0.call.lock(), Call::Cancelled)
    }
}

impl TimerHandle {
    /// When it is to run.
    pub fn when(&self) -> Instant {
        self.key.0
    }

    /// Keeps the closure from being called, and drops it. True if it was in time.
    pub fn cancel(&self) -> bool {
        let mut state = self.queue.state.lock();
        let was_first = state.timed.first_key_value().map(|(first, _)| *first) == Some(self.key);
        let slot = state.timed.remove(&self.key);
        let driver = match was_first && matches!(state.driver, Driver::Asleep(_)) {
            true => mem::replace(&mut state.driver, Driver::Awake),
            false => Driver::Awake,
        };
        drop(state);
        drop(slot);
        if let Driver::Asleep(waker) = driver {
            // It need not wake for this one.
            wake(waker);
        }
        self.call.cancel()
    }

    /// True if it was cancelled in time, or ended with its executor.
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }
}

impl Slot {
    fn new(meta: TaskMeta, f: impl FnOnce() + Send + 'static) -> Arc<Slot> {
        let locals = Locals::current();
        Arc::new(Slot {
            meta,
            call: Mutex::new(Call::Waiting(Box::new(move || locals.run(f)))),
        })
    }

    fn cancel(&self) -> bool {
        let mut call = self.call.lock();
        match *call {
            Call::Waiting(_) => {
                let former = mem::replace(&mut *call, Call::Cancelled);
                drop(call);
                // The user's destructor, with nothing locked.
                drop(former);
                true
            }
            Call::Begun | Call::Cancelled => false,
        }
    }

    /// Cancels it because its executor has ended. A panic of the closure's destructor is reported:
    /// the calls after it have to end too.
    fn end(&self) {
        self.caught(|| {
            self.cancel();
        });
    }

    fn caught(&self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            report(Report::Panic {
                task: Some(self.meta.clone()),
                payload,
            });
        }
    }

    fn run(&self) {
        let mut call = self.call.lock();
        if !matches!(*call, Call::Waiting(_)) {
            return;
        }
        let begun = mem::replace(&mut *call, Call::Begun);
        drop(call);
        let Call::Waiting(job) = begun else { return };
        self.caught(job);
    }
}

impl Shared {
    fn spawn(&self, meta: TaskMeta, task: BoxTask) -> Result<(), Missing> {
        // Calls have their own copies.
        let _bare = Locals::detach();
        let refused = |refused: crate::spawn::Refused<BoxTask>| {
            Missing::new("executor that takes calls", refused.reason())
        };
        self.spawner.spawn_boxed(meta, task).map_err(refused)
    }

    /// Spawns the turn for `call`, which is in the queue.
    fn spawn_turn(this: &Arc<Self>, call: Arc<Slot>) -> Result<(), Missing> {
        let meta = call.meta.clone();
        let turn = Turn(Some((Arc::clone(this), call)));
        this.spawn(meta, Box::pin(turn))
    }

    /// Takes `call` out of the queue; if another turn was faster, the first one, which has no turn
    /// but that of `call`.
    fn withdraw(&self, call: &Arc<Slot>) -> Option<Arc<Slot>> {
        let mut state = self.state.lock();
        // From the back: on its way out an executor drops its latest tasks first.
        let place = state.ready.iter().rposition(|slot| Arc::ptr_eq(slot, call));
        match place {
            Some(place) => state.ready.remove(place),
            None => state.ready.pop_front(),
        }
    }
}

/// Runs the first call of the queue; dropped before that, it drops the one that it is for.
struct Turn(Option<(Arc<Shared>, Arc<Slot>)>);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let Some((queue, _)) = self.0.take() {
            let first = queue.state.lock().ready.pop_front();
            if let Some(slot) = first {
                slot.run();
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(slot) = self
            .0
            .take()
            .and_then(|(queue, call)| queue.withdraw(&call))
        {
            slot.end();
        }
    }
}

/// The driver's task.
struct Driving {
    /// Taken when it has ended.
    queue: Option<Arc<Shared>>,
    clock: Arc2<dyn Clock>,
    sleep: Option<(Instant, BoxSleep)>,
}

impl Driving {
    /// The time of the first call; `waker` is woken when that changes.
    fn look(queue: &Shared, waker: Waker) -> Option<Instant> {
        let mut state = queue.state.lock();
        let first = state.timed.first_key_value().map(|((at, _), _)| *at);
        let next = match first {
            Some(_) => Driver::Asleep(waker),
            None => Driver::Absent,
        };
        let former = mem::replace(&mut state.driver, next);
        drop(state);
        if let Driver::Asleep(waker) = former {
            discard(waker);
        }
        first
    }

    /// Makes the calls that are due at `now` ready.
    fn fire(queue: &Arc<Shared>, now: Instant) {
        let mut state = queue.state.lock();
        let later = state.timed.split_off(&(now, u64::MAX));
        let due = mem::replace(&mut state.timed, later);
        state.ready.extend(due.values().cloned());
        drop(state);
        for slot in due.into_values() {
            // A turn that is refused drops the call.
            let _ = Shared::spawn_turn(queue, slot);
        }
    }
}

impl Future for Driving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(queue) = this.queue.clone() else {
            return Poll::Ready(());
        };
        loop {
            let Some(first) = Driving::look(&queue, cx.waker().clone()) else {
                this.queue = None;
                return Poll::Ready(());
            };
            if this.sleep.as_ref().is_none_or(|(at, _)| *at != first) {
                this.sleep = Some((first, this.clock.sleep_until(first)));
            }
            if let Some((_, sleep)) = &mut this.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            this.sleep = None;
            Driving::fire(&queue, this.clock.now());
        }
    }
}

impl Drop for Driving {
    /// The executor has ended, and with it every call.
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else {
            return;
        };
        let mut state = queue.state.lock();
        let timed = mem::take(&mut state.timed);
        let driver = mem::replace(&mut state.driver, Driver::Absent);
        drop(state);
        if let Driver::Asleep(waker) = driver {
            discard(waker);
        }
        for slot in timed.into_values() {
            slot.end();
        }
    }
}

impl fmt::Debug for CallQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("CallQueue")
            .field("ready", &state.ready.len())
            .field("timed", &state.timed.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle")
            .field("made_at", &format_args!("{}", self.0.meta.spawned_at()))
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("when", &self.when())
            .field(
                "made_at",
                &format_args!("{}", self.call.0.meta.spawned_at()),
            )
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
