//! The allocation behind a task, and the code that obeys the actions of [`state`](super::state).

use super::join_slot::JoinSlot;
use super::owned::NO_SLOT;
use super::refs::{OwnedTask, Runnable};
use super::state::{Close, Release, Rest, Snapshot, Start, State, Wake};
use super::waker::waker_of;
use super::{Side, Task, TaskId};
use pirn_core::report::{Report, report};
use pirn_core::shim::atomic::AtomicU32;
use pirn_core::shim::{Arc, UnsafeCell};
use pirn_core::{Cause, JoinError, Kind, Payload, Rooted, TaskMeta, budget};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

/// What a scheduler does for its tasks. Each cell holds a counted pointer to it.
///
/// A task that was handed on may be run and freed at once, and its pointer to the scheduler with
/// it. So whoever hands a task to another thread and then goes on to use `this` clones `this`
/// before, unless something else keeps the scheduler alive.
pub(crate) trait Schedule: Send + Sync + Sized + 'static {
    /// Queues a task that was woken, from any thread. A closed scheduler drops it.
    fn schedule(this: &Arc<Self>, task: Runnable);

    /// Queues a task that was woken during its poll, from the thread that polled it.
    fn reschedule(this: &Arc<Self>, task: Runnable) {
        Self::schedule(this, task);
    }

    /// Takes a task that is complete out of the set of owned tasks, if it is still there.
    fn release(&self, slot: u32) -> Option<OwnedTask>;

    /// The table of names and causes.
    fn side(&self) -> &Side;
}

/// What every task begins with, whatever its future.
pub(super) struct Header {
    pub(super) state: State,
    /// Where the task is in the set of owned tasks.
    pub(super) slot: AtomicU32,
    vtable: &'static VTable,
    pub(super) id: TaskId,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) join: JoinSlot,
}

#[repr(C)]
struct Cell<F: Future, S> {
    header: Header,
    scheduler: Arc<S>,
    stage: UnsafeCell<Stage<F>>,
}

union Stage<F: Future> {
    body: ManuallyDrop<Rooted<F>>,
    output: ManuallyDrop<Output<F::Output>>,
}

pub(super) type Output<T> = Result<T, JoinError>;

struct VTable {
    /// Runs a task that was queued; takes the queue's reference.
    run: unsafe fn(Ref),
    /// Queues the task; takes a reference.
    schedule: unsafe fn(Ref),
    /// Drops the future of an owned task, as `State::close` allows; takes the set's reference.
    close: unsafe fn(Ref),
    /// Moves the output to the given place.
    take_output: unsafe fn(Ref, *mut ()),
    /// Drops the output; reports it if it is a panic.
    drop_output: unsafe fn(Ref),
    /// Frees the cell, whose stage is empty.
    free: unsafe fn(Ref),
    side: unsafe fn(Ref) -> *const Side,
}

/// An untyped pointer to a cell. Says nothing about references: the types around it do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref(NonNull<Header>);

impl Ref {
    /// # Safety
    ///
    /// The cell is kept alive by a reference for as long as the result is used.
    pub(super) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller keeps the cell alive; a header is only ever shared.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn as_ptr(self) -> *const () {
        self.0.as_ptr() as *const ()
    }

    /// # Safety
    ///
    /// `ptr` came from `as_ptr`.
    pub(super) unsafe fn from_ptr(ptr: *const ()) -> Ref {
        // SAFETY: `as_ptr` gave it, from a pointer that is not null.
        Ref(unsafe { NonNull::new_unchecked(ptr as *mut Header) })
    }

    /// Gives up `refs` references, and frees the cell if they were the last.
    ///
    /// # Safety
    ///
    /// The caller has these references and does not use them afterwards.
    pub(super) unsafe fn release(self, refs: u32) {
        // SAFETY: the caller's references keep the cell alive until they are given up.
        match unsafe { self.header() }.state.release(refs) {
            Release::Shared => {}
            // SAFETY: these were the last references, so nobody else has one; the set of owned
            // tasks had one until the future was gone, and the output goes before its owner's
            // reference does, so the stage is empty.
            Release::Last => unsafe { self.free() },
        }
    }

    /// # Safety
    ///
    /// No reference is left, and the stage is empty.
    pub(super) unsafe fn free(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().free)(self) }
    }

    /// Does what the task's state asks for: polls it, as a rule.
    ///
    /// # Safety
    ///
    /// The caller has a reference, which it passes on, and the duty to run the task; and it may
    /// touch the future on this thread.
    pub(super) unsafe fn run(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().run)(self) }
    }

    /// Drops the future, or leaves that to the thread that polls it.
    ///
    /// # Safety
    ///
    /// The caller has the reference of the set of owned tasks, which it passes on; and it may touch
    /// the future on this thread.
    pub(super) unsafe fn close(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().close)(self) }
    }

    /// Queues the task.
    ///
    /// # Safety
    ///
    /// The caller has a reference, which it passes on, and the duty to queue the task.
    pub(super) unsafe fn schedule(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().schedule)(self) }
    }

    /// # Safety
    ///
    /// The caller owns the stage, which holds the output of a task of `Output<T>`, and regards it
    /// as empty afterwards.
    pub(super) unsafe fn take_output<T>(self) -> Output<T> {
        let mut output = std::mem::MaybeUninit::<Output<T>>::uninit();
        // SAFETY: the place is right for the type, as the caller says, and initialised by the call.
        unsafe {
            (self.vtable().take_output)(self, output.as_mut_ptr().cast());
            output.assume_init()
        }
    }

    /// # Safety
    ///
    /// The caller owns the stage, which holds the output, and regards it as empty afterwards.
    pub(super) unsafe fn drop_output(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().drop_output)(self) }
    }

    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn side<'a>(self) -> &'a Side {
        // SAFETY: the scheduler in the cell keeps its table, and the caller keeps the cell.
        unsafe { &*(self.vtable().side)(self) }
    }

    /// The caller's reference keeps the cell alive; the vtable is static.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    unsafe fn vtable(self) -> &'static VTable {
        // SAFETY: passed on.
        unsafe { self.header() }.vtable
    }

    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn meta(self) -> TaskMeta {
        // SAFETY: passed on.
        let (header, side) = unsafe { (self.header(), self.side()) };
        let meta = TaskMeta::at(header.spawned_at);
        match header.state.load().has_side() {
            true => match side.name(header.id) {
                Some(name) => meta.named(name),
                None => meta,
            },
            false => meta,
        }
    }
}

impl Ref {
    /// Stores the cause, and queues the task if it has to run to see it.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    pub(super) unsafe fn cancel(self, cause: Cause) {
        // SAFETY: the caller's reference.
        let (header, side) = unsafe { (self.header(), self.side()) };
        side.set_cause(header.id, cause);
        match header.state.cancel(true) {
            Wake::Nothing | Wake::Free => {}
            // SAFETY: the transition counted the reference, and gave us the duty.
            Wake::Schedule => unsafe { self.schedule() },
        }
    }
}

/// A task that was just made.
pub(crate) struct Spawned<T> {
    pub(crate) task: Task<T>,
    pub(crate) runnable: Runnable,
}

/// Makes a task: it is to be adopted by a set of owned tasks, and to be queued.
pub(crate) fn spawn<F, S>(meta: TaskMeta, future: F, scheduler: Arc<S>) -> Spawned<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
    S: Schedule,
{
    let id = TaskId::next();
    let side = note_name(id, &meta, scheduler.side());
    let stage = Stage {
        body: ManuallyDrop::new(Rooted::new(future)),
    };
    let task = allocate(Snapshot::born(side), id, &meta, scheduler, stage);
    Spawned {
        // SAFETY: the cell was born with a reference for the handle, and its output is `F`'s.
        task: unsafe { Task::from_ref(task) },
        runnable: Runnable::new(task),
    }
}

/// A handle of a task that was never spawned: it ends at once, as [`JoinError::Refused`].
pub(crate) fn refused<T: 'static>(meta: TaskMeta, reason: &'static str) -> Task<T> {
    let stage = Stage::<std::future::Pending<T>> {
        output: ManuallyDrop::new(Err(JoinError::Refused(reason))),
    };
    let (id, scheduler) = (TaskId::next(), Arc::new(Nowhere::default()));
    let side = note_name(id, &meta, scheduler.side());
    let task = allocate(Snapshot::born_complete(side), id, &meta, scheduler, stage);
    // SAFETY: the cell was born with a reference for the handle, and its output is a `T`'s.
    unsafe { Task::from_ref(task) }
}

/// Puts the name into the side table. False if there is none.
fn note_name(id: TaskId, meta: &TaskMeta, side: &Side) -> bool {
    if let Some(name) = meta.name() {
        side.set_name(id, name.into());
    }
    meta.name().is_some()
}

fn allocate<F: Future + 'static, S: Schedule>(
    state: Snapshot,
    id: TaskId,
    meta: &TaskMeta,
    scheduler: Arc<S>,
    stage: Stage<F>,
) -> Ref {
    let cell = Box::new(Cell {
        header: Header {
            state: State::new(state),
            slot: AtomicU32::new(NO_SLOT),
            vtable: Harness::<F, S>::VTABLE,
            id,
            spawned_at: meta.spawned_at(),
            join: JoinSlot::empty(),
        },
        scheduler,
        stage: UnsafeCell::new(stage),
    });
    // SAFETY: a box is never null.
    Ref(unsafe { NonNull::new_unchecked(Box::into_raw(cell)) }.cast())
}

/// The scheduler of tasks that were never spawned.
#[derive(Default)]
struct Nowhere(Side);

impl Schedule for Nowhere {
    fn schedule(_this: &Arc<Self>, task: Runnable) {
        drop(task);
    }

    fn release(&self, _slot: u32) -> Option<OwnedTask> {
        None
    }

    fn side(&self) -> &Side {
        &self.0
    }
}

/// A typed pointer to a cell.
struct Harness<F: Future, S>(NonNull<Cell<F, S>>);

impl<F: Future, S> Clone for Harness<F, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Future, S> Copy for Harness<F, S> {}

impl<F: Future + 'static, S: Schedule> Harness<F, S> {
    const VTABLE: &'static VTable = &VTable {
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        run: |task| unsafe { Self::of(task).run() },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        schedule: |task| unsafe { Self::of(task).queue(S::schedule) },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        close: |task| unsafe { Self::of(task).close() },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        take_output: |task, place| unsafe {
            place
                .cast::<Output<F::Output>>()
                .write(Self::of(task).take_output());
        },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        drop_output: |task| unsafe { Self::of(task).drop_output() },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        free: |task| unsafe { Self::of(task).free() },
        // SAFETY: as the field's contract says; `allocate` made the cell of these types.
        side: |task| unsafe { Self::of(task).cell().scheduler.side() },
    };

    fn of(task: Ref) -> Self {
        Harness(task.0.cast())
    }

    fn untyped(self) -> Ref {
        Ref(self.0.cast())
    }

    /// # Safety
    ///
    /// The cell is kept alive by a reference for as long as the result is used.
    unsafe fn cell<'a>(self) -> &'a Cell<F, S> {
        // SAFETY: the caller keeps the cell alive; what changes in it does so in shim cells.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    ///
    /// As [`VTable::run`].
    unsafe fn run(self) {
        // SAFETY: the caller's reference, which `rest` or `finish` gives up.
        let cell = unsafe { self.cell() };
        let cancel = match cell.header.state.start() {
            Start::Poll => None,
            Start::Cancel => Some(cell.cause()),
            Start::Stale(Release::Shared) => return,
            // SAFETY: the transition gave up the last reference; see `Ref::release`.
            Start::Stale(Release::Last) => return unsafe { self.free() },
        };
        // SAFETY: `start` made this thread the owner of the stage, which holds the future.
        if let Some(output) = unsafe { self.poll(cancel) } {
            // SAFETY: as before; the queue's reference is this thread's.
            return unsafe { self.finish(Some(output), 1) };
        }
        match cell.header.state.rest() {
            Rest::Idle => {}
            // SAFETY: the transition left the reference to the queue.
            Rest::Requeue => unsafe { self.queue(S::reschedule) },
            // SAFETY: the transition left the stage to this thread; the queue's reference too.
            Rest::Close => unsafe { self.finish(None, 1) },
        }
    }

    /// Polls the future: its outcome, or `None` if it is pending.
    ///
    /// # Safety
    ///
    /// The caller owns the stage, which holds the future, and has a reference.
    unsafe fn poll(self, cancel: Option<Cause>) -> Option<Output<F::Output>> {
        // SAFETY: the caller's reference.
        let cell = unsafe { self.cell() };
        // SAFETY: the waker borrows the caller's reference: it is never dropped, and does not
        // outlive this call.
        let waker = ManuallyDrop::new(unsafe { waker_of(self.untyped()) });
        let mut cx = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            cell.stage.with_mut(|stage| {
                // SAFETY: the caller owns the stage, which holds the future. The future does not
                // move until it is dropped, in `drop_body`.
                let mut body = unsafe { Pin::new_unchecked(&mut *(*stage).body) };
                if let Some(cause) = cancel {
                    body.as_mut().request_cancel(cause);
                }
                let _refilled = budget::refill();
                body.poll(&mut cx)
            })
        }));
        match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(output)) => Some(output.map_err(JoinError::Cancelled)),
            Err(payload) => Some(Err(JoinError::Panicked(payload.into()))),
        }
    }

    /// Drops the future, and gives the panic of its destructor.
    ///
    /// # Safety
    ///
    /// The caller owns the stage, which holds the future, and regards it as empty afterwards.
    unsafe fn drop_body(self) -> Result<(), Payload> {
        // SAFETY: the caller has a reference.
        let cell = unsafe { self.cell() };
        catch_unwind(AssertUnwindSafe(|| {
            cell.stage.with_mut(|stage| {
                // SAFETY: the caller owns the stage, which holds the future.
                unsafe { ManuallyDrop::drop(&mut (*stage).body) }
            })
        }))
    }

    /// Ends the task: drops the future, stores the output, tells the handle. `None` is for a task
    /// that the executor's end cut off.
    ///
    /// # Safety
    ///
    /// The caller owns the stage, which holds the future, and has `refs` references, which it
    /// gives up.
    unsafe fn finish(self, output: Option<Output<F::Output>>, refs: u32) {
        // SAFETY: the caller's references.
        let cell = unsafe { self.cell() };
        let task = self.untyped();
        // SAFETY: the caller owns the stage.
        let dropped = unsafe { self.drop_body() };
        let output = match (output, dropped) {
            (Some(output), Ok(())) => output,
            (None, Ok(())) => Err(JoinError::Cancelled(cell.shutdown_cause().into())),
            (None | Some(Err(JoinError::Cancelled(_))), Err(payload)) => {
                Err(JoinError::Panicked(payload.into()))
            }
            (Some(output), Err(payload)) => {
                // The task has a result to give, or panicked before.
                // SAFETY: the caller's references.
                let meta = unsafe { task.meta() };
                report(Report::Panic {
                    task: Some(meta),
                    payload,
                });
                output
            }
        };
        cell.stage.with_mut(|stage| {
            // SAFETY: the caller owns the stage, which `drop_body` emptied.
            unsafe { (*stage).output = ManuallyDrop::new(output) }
        });
        // Ordering: Relaxed, written before the task ran for the first time.
        let slot = cell.header.slot.load(Relaxed);
        let owned = cell.scheduler.release(slot).map(ManuallyDrop::new);
        let complete = cell.header.state.complete();
        if !complete.handle {
            // SAFETY: without a handle the stage stays with the completing thread.
            unsafe { self.drop_output() };
        }
        if complete.waker {
            // SAFETY: the transition left the slot, which holds a waker, to the completing thread.
            pirn_core::wake::wake(unsafe { cell.header.join.take() });
        }
        // SAFETY: the caller's references, and the one that the set gave back.
        unsafe { task.release(refs + owned.is_some() as u32) };
    }

    /// Hands the task to its scheduler.
    ///
    /// # Safety
    ///
    /// As [`VTable::schedule`].
    unsafe fn queue(self, queue: fn(&Arc<S>, Runnable)) {
        // SAFETY: the caller's reference keeps the cell alive while the pointer is copied. The copy
        // is not counted and never dropped. It is used while the cell lives, and after that only
        // as long as the scheduler keeps itself alive, as the contract of `Schedule` says.
        let scheduler = ManuallyDrop::new(unsafe { std::ptr::read(&self.cell().scheduler) });
        queue(&scheduler, Runnable::new(self.untyped()));
    }

    /// # Safety
    ///
    /// As [`VTable::close`].
    unsafe fn close(self) {
        // SAFETY: the caller's reference.
        match unsafe { self.cell() }.header.state.close() {
            // SAFETY: the transition made this thread the owner of the stage.
            Close::Drop => unsafe { self.finish(None, 1) },
            // SAFETY: the caller's reference.
            Close::Nothing => unsafe { self.untyped().release(1) },
        }
    }

    /// # Safety
    ///
    /// As [`VTable::take_output`].
    unsafe fn take_output(self) -> Output<F::Output> {
        // SAFETY: the caller has a reference and owns the stage, which holds the output.
        unsafe { self.cell() }
            .stage
            .with_mut(|stage| unsafe { ManuallyDrop::take(&mut (*stage).output) })
    }

    /// # Safety
    ///
    /// As [`VTable::drop_output`].
    unsafe fn drop_output(self) {
        // SAFETY: passed on.
        let output = unsafe { self.take_output() };
        let payload = match output {
            Err(JoinError::Panicked(panic)) => panic.into_payload(),
            other => match catch_unwind(AssertUnwindSafe(|| drop(other))) {
                Ok(()) => return,
                Err(payload) => payload,
            },
        };
        // SAFETY: the caller has a reference.
        let task = Some(unsafe { self.untyped().meta() });
        report(Report::Panic { task, payload });
    }

    /// # Safety
    ///
    /// As [`VTable::free`].
    unsafe fn free(self) {
        // SAFETY: `allocate` made the cell as a box, and nobody else has a reference.
        let cell = unsafe { Box::from_raw(self.0.as_ptr()) };
        if cell.header.state.load().has_side() {
            cell.scheduler.side().remove(cell.header.id);
        }
        // A union does not drop what it holds: the stage is empty, as the caller says. For models:
        // whoever used it is done.
        cell.stage.with_mut(|_empty| {});
    }
}

impl<F: Future, S: Schedule> Cell<F, S> {
    /// The cause of the cancel request that is to be delivered.
    fn cause(&self) -> Cause {
        let noted = match self.header.state.load().has_side() {
            true => self.scheduler.side().take_cause(self.header.id),
            false => None,
        };
        noted.unwrap_or_else(|| {
            Cause::new(Kind::Dropped, "its handle was dropped")
                .with_location(self.header.spawned_at)
        })
    }

    fn shutdown_cause(&self) -> Cause {
        Cause::new(Kind::Shutdown, "its executor was dropped").with_location(self.header.spawned_at)
    }
}
