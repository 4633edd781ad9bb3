//! The slot of a task, and the code that obeys the actions of [`state`](super::state).

use super::away::{self, Away, RunOut, Settled, Word};
use super::heap::{ALIGN, Heap, LARGEST, Owner, Page};
use super::join_slot::JoinSlot;
use super::label::Label;
use super::refs::Runnable;
use super::sites::{self, SITES};
use super::sort::{High, Low, Plain, Sort, Told};
use super::state::{Close, Complete, DropHandle, Released, Rest, Snapshot, Start, State, Wake};
use super::waker::waker_of;
use super::{Side, Task, TaskId, TaskInfo, now};
use crate::hooks::{Ended, Hooks, tell};
use crate::priority::Lane;
use pirn_core::report::{Report, report};
use pirn_core::shim::{Arc, IS_LOOM, UnsafeCell};
use pirn_core::{Cause, JoinError, Kind, Payload, Priority, Rooted, TaskMeta, budget};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// What a scheduler does for its tasks.
///
/// It outlives them: each of its heaps holds one count of it while a slot is in use. But a task that
/// was handed on may be run and freed at once, and with the last slot the scheduler may go. So
/// whoever hands a task to another thread and then goes on to use `this` clones `this` before,
/// unless something else keeps it alive.
pub(crate) trait Schedule: Send + Sync + Sized + 'static {
    /// Its tasks are bound to the thread that made it, their home; it takes what others
    /// [`send`](Self::send).
    const BOUND: bool;

    /// Queues a task that was woken: if it is bound, on its thread; else from any. A closed
    /// scheduler drops it.
    fn schedule(this: &Arc<Self>, task: Runnable);

    /// Queues a task that was woken during its poll, from the thread that polled it.
    fn reschedule(this: &Arc<Self>, task: Runnable) {
        Self::schedule(this, task);
    }

    /// As [`schedule`](Self::schedule), of a task that waits in a lane.
    fn schedule_in(this: &Arc<Self>, lane: Lane, task: Runnable);

    /// As [`reschedule`](Self::reschedule), of a task that waits in a lane.
    fn reschedule_in(this: &Arc<Self>, lane: Lane, task: Runnable) {
        Self::schedule_in(this, lane, task);
    }

    /// Sends a cell home, to be [settled](Sent::settle) there. Gives it back if nothing is settled
    /// there any more.
    fn send(_this: &Arc<Self>, cell: Sent) -> Result<(), Sent> {
        Err(cell)
    }

    /// Takes in a task that was spawned elsewhere, on its thread.
    fn admit(&self) {}

    /// A task has ended.
    fn ended(&self);

    /// Calls `f` with the owner of a heap of this scheduler, if the caller may act for it.
    fn with_owner<R>(&self, heap: &Heap, f: impl FnOnce(&mut Owner<Self>) -> R) -> Option<R>;

    /// The table of names and causes.
    fn side(&self) -> &Side;

    /// Who is told of tasks that were made to be told of.
    fn hooks(&self) -> Option<&dyn Hooks> {
        None
    }
}

/// What every slot begins with, whatever is in it.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    /// Of a bound task: what other threads count and ask for.
    pub(super) away: Word,
    /// While the slot is vacant, the link to another one.
    pub(super) join: JoinSlot,
    vtable: &'static VTable,
    label: Label,
    /// For models, which see no plain memory: what [`begin`](Self::begin) and [`fill`](Self::fill)
    /// write.
    begun: UnsafeCell<()>,
    filled: UnsafeCell<()>,
}

const _: () = assert!(size_of::<Header>() == 32 || size_of::<usize>() != 8 || IS_LOOM);

#[repr(C)]
struct Cell<B: Body> {
    header: Header,
    stage: UnsafeCell<Stage<B>>,
}

union Stage<B: Body> {
    body: ManuallyDrop<Rooted<B::Future>>,
    output: ManuallyDrop<B::Kept>,
}

pub(super) type Output<T> = Result<T, JoinError>;

/// How a task's future and output lie in the slot.
trait Body {
    type Future: Future;
    type Kept;
    fn keep(output: Output<<Self::Future as Future>::Output>) -> Self::Kept;
    fn give(kept: Self::Kept) -> Output<<Self::Future as Future>::Output>;
}

/// In place.
struct Inline<F>(PhantomData<F>);

impl<F: Future> Body for Inline<F> {
    type Future = F;
    type Kept = Output<F::Output>;
    fn keep(output: Output<F::Output>) -> Self::Kept {
        output
    }
    fn give(kept: Self::Kept) -> Output<F::Output> {
        kept
    }
}

/// In boxes, since they are large.
struct Boxed<F>(PhantomData<F>);

impl<F: Future> Body for Boxed<F> {
    type Future = Pin<Box<F>>;
    type Kept = Box<Output<F::Output>>;
    fn keep(output: Output<F::Output>) -> Self::Kept {
        Box::new(output)
    }
    fn give(kept: Self::Kept) -> Output<F::Output> {
        *kept
    }
}

pub(super) struct VTable {
    pub(super) is_root: bool,
    /// Runs a task that was queued; takes the queue's reference. False if it is a root.
    pub(super) run: unsafe fn(Ref) -> bool,
    /// Queues the task; takes a reference.
    pub(super) schedule: unsafe fn(Ref),
    /// The same for a task that was just made.
    pub(super) start: unsafe fn(Ref),
    /// Drops the future of a task, as `State::close` allows; takes a reference.
    pub(super) close: unsafe fn(Ref),
    /// Moves the output to the given place.
    pub(super) take_output: unsafe fn(Ref, *mut ()),
    /// Drops the output; reports it if it is a panic.
    pub(super) drop_output: unsafe fn(Ref),
    /// Sends the cell home.
    pub(super) send: unsafe fn(Ref),
    /// Frees the slot, whose stage is empty.
    pub(super) free: unsafe fn(Ref),
    pub(super) side: unsafe fn(Ref) -> *const Side,
    pub(super) admit: unsafe fn(Ref),
}

/// An untyped pointer to a slot. Says nothing about references: the types around it do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref(NonNull<Header>);

/// Whose turn it is to change the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anyone's, by compare-exchange.
    Shared,
    /// The caller's alone.
    Home,
    /// Not the caller's: what it wants is noted in the other word.
    Away,
}

impl Place {
    /// For transitions of the state word, where they may be made.
    #[inline]
    pub(super) fn alone(self) -> bool {
        debug_assert!(
            self != Place::Away,
            "only home changes the state of its tasks"
        );
        self == Place::Home
    }
}

impl Header {
    /// Makes a slot of fresh memory.
    ///
    /// # Safety
    ///
    /// The slot is the caller's, and was never used.
    pub(super) unsafe fn begin(slot: Ref) {
        let header = slot.0.as_ptr();
        // SAFETY: the slot is the caller's.
        unsafe {
            (&raw mut (*header).state).write(State::new(Snapshot::VACANT));
            (&raw mut (*header).away).write(Word::new());
            (&raw mut (*header).join).write(JoinSlot::empty());
            (&raw mut (*header).begun).write(UnsafeCell::new(()));
            (&raw mut (*header).filled).write(UnsafeCell::new(()));
            (*header).begun.with_mut(|_| {});
        }
    }

    /// The task's number.
    #[inline]
    pub(super) fn id(&self) -> TaskId {
        self.label.id()
    }
}

impl Ref {
    /// # Safety
    ///
    /// The slot is kept alive, as a rule by a reference, for as long as the result is used.
    #[inline]
    pub(super) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller keeps the slot alive; a header is only ever shared.
        unsafe { self.0.as_ref() }
    }

    /// The state word alone, of which the other fields' writer is no concern.
    ///
    /// # Safety
    ///
    /// It is a slot, for as long as the result is used.
    pub(super) unsafe fn state<'a>(self) -> &'a State {
        // SAFETY: the word is there as long as the slot is, and is atomic.
        unsafe {
            (*self.0.as_ptr()).begun.with(|_| {});
            &(*self.0.as_ptr()).state
        }
    }

    /// For models: whoever had the slot, or looked at it, is done.
    ///
    /// # Safety
    ///
    /// The slot is vacant, and the caller's.
    pub(super) unsafe fn check_unused(self) {
        // SAFETY: the slot is the caller's.
        unsafe {
            self.header().begun.with_mut(|_| {});
            self.header().filled.with_mut(|_| {});
            self.header().join.set_link(std::ptr::null_mut());
        }
    }

    #[inline]
    pub(super) fn as_ptr(self) -> *const () {
        self.0.as_ptr() as *const ()
    }

    /// # Safety
    ///
    /// `ptr` came from `as_ptr`, or is that of a slot.
    #[inline]
    pub(super) unsafe fn from_ptr(ptr: *const ()) -> Ref {
        // SAFETY: as the caller says, it is not null.
        Ref(unsafe { NonNull::new_unchecked(ptr as *mut Header) })
    }

    /// # Safety
    ///
    /// As [`header`](Self::header).
    unsafe fn vtable(self) -> &'static VTable {
        // SAFETY: passed on; it is written before the task has a reference.
        let header = unsafe { self.header() };
        header.filled.with(|_| {});
        header.vtable
    }

    /// Where the caller stands to the task.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    #[inline]
    pub(super) unsafe fn place(self) -> Place {
        // SAFETY: the caller's reference.
        let (page, header) = unsafe { (Page::of(self), self.header()) };
        if page.home == 0 {
            Place::Shared
        } else if crate::bound::is_this_thread(page.home) && !header.state.load().is_merged() {
            Place::Home
        } else {
            Place::Away
        }
    }

    /// Counts one more reference.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    #[inline]
    pub(super) unsafe fn retain(self) {
        // SAFETY: the caller's reference.
        let (place, header) = unsafe { (self.place(), self.header()) };
        match place {
            Place::Away => header.away.retain(),
            _ => header.state.retain(place.alone()),
        }
    }

    /// Gives references up, and frees the slot if they were the last.
    ///
    /// # Safety
    ///
    /// The caller has the references and does not use them afterwards.
    #[inline]
    pub(super) unsafe fn release(self, refs: u32) {
        // SAFETY: the caller's references keep the slot in use until they are given up.
        unsafe {
            let header = self.header();
            match self.place() {
                Place::Away => (0..refs).for_each(|_| self.obey(header.away.release())),
                Place::Shared => match header.state.release(false, refs) {
                    Released::Shared => {}
                    Released::Last => self.free(),
                },
                Place::Home => {
                    if header.state.load().refs() < refs {
                        // Some of them are counted in the other word.
                        header.state.adjust(header.away.take_refs());
                    }
                    match header.state.release(true, refs) {
                        Released::Shared => {}
                        Released::Last => self.run_out(),
                    }
                }
            }
        }
    }

    /// What is to be done when a transition of the state word gave up the last reference there.
    ///
    /// # Safety
    ///
    /// As said, by the caller.
    #[inline]
    pub(super) unsafe fn last(self, alone: bool) {
        // SAFETY: no reference is left, so nobody else uses the slot; the scheduler had one until
        // the future was gone, and the output goes before its owner's reference does, so the stage
        // is empty.
        unsafe {
            match alone {
                true => self.run_out(),
                false => self.free(),
            }
        }
    }

    /// Home's count has run out: frees the slot, or counts what others have, or leaves it to them.
    ///
    /// # Safety
    ///
    /// The task is bound, this is its thread, the words are not merged, and the state word counts no
    /// reference.
    #[inline]
    pub(super) unsafe fn run_out(self) {
        // SAFETY: before the words are merged, nobody but home frees the slot; the other word says
        // whether somebody has a reference. If nobody has, the stage is empty: see `last`.
        unsafe {
            let header = self.header();
            let complete = header.state.load().is_complete();
            if complete && header.away.is_idle() {
                return self.free();
            }
            if complete {
                // Before the words are merged: after that the slot may be gone.
                header.state.merge();
            }
            match header.away.run_out(complete) {
                RunOut::Merged => {}
                RunOut::Free => self.free(),
                RunOut::Count(refs) => {
                    if complete {
                        header.state.unmerge();
                    }
                    header.state.adjust(refs);
                }
            }
        }
    }

    /// Has all threads alike from now on, since nothing can be sent home any more.
    ///
    /// # Safety
    ///
    /// The task is bound and has ended, or is closed and in a poll before its handle is anybody's, or
    /// the slot is vacant but for what is noted; this is its thread, and its scheduler takes in
    /// nothing any more; the caller keeps the scheduler.
    pub(super) unsafe fn merge(self) {
        // SAFETY: the slot is in use until its last reference is given up.
        unsafe {
            let (header, side) = (self.header(), self.side());
            let (id, key) = (header.id(), self.as_ptr());
            let refs = header.state.merge();
            let (settled, action) = header.away.merge(refs);
            if settled.asks(away::CANCEL) {
                side.forget_cause(id);
            }
            if settled.asks(away::JOIN) {
                side.take_joiner(key)
                    .into_iter()
                    .for_each(pirn_core::wake::wake);
            }
            if settled.asks(away::LET_GO) {
                // The handle's reference is this thread's.
                self.drop_output();
                self.obey(header.away.release());
            }
            self.obey(action);
        }
    }

    /// Does what a transition of the other word asks for.
    ///
    /// # Safety
    ///
    /// The transition was the caller's.
    pub(super) unsafe fn obey(self, action: Away) {
        match action {
            Away::Nothing => {}
            // SAFETY: the cell is not freed until it was settled, or `unsend` took the mark back.
            Away::Send => unsafe { (self.vtable().send)(self) },
            // SAFETY: the transition gave up the last reference.
            Away::Free => unsafe { self.free() },
        }
    }

    /// # Safety
    ///
    /// No reference is left, and the stage is empty.
    pub(super) unsafe fn free(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().free)(self) }
    }

    /// Does what the task's state asks for: polls it, as a rule. False if it is a root.
    ///
    /// # Safety
    ///
    /// The caller has a reference, which it passes on, and the duty to run the task; and it may
    /// touch the future on this thread.
    #[inline]
    pub(super) unsafe fn run(self) -> bool {
        // SAFETY: passed on.
        unsafe { (self.vtable().run)(self) }
    }

    /// Drops the future, or leaves that to the thread that polls it.
    ///
    /// # Safety
    ///
    /// The caller has a reference, which it passes on; and it may touch the future on this thread.
    pub(super) unsafe fn close(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().close)(self) }
    }

    /// Queues the task.
    ///
    /// # Safety
    ///
    /// The caller has a reference, which it passes on, and the duty to queue the task; if the task
    /// is bound, this is its thread.
    pub(super) unsafe fn schedule(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().schedule)(self) }
    }

    /// Queues a task that was just made.
    ///
    /// # Safety
    ///
    /// As [`schedule`](Self::schedule).
    pub(super) unsafe fn start(self) {
        // SAFETY: passed on.
        unsafe { (self.vtable().start)(self) }
    }

    /// # Safety
    ///
    /// The caller owns the stage, which holds the output of a task of `Output<T>`, and regards it
    /// as empty afterwards.
    pub(super) unsafe fn take_output<T>(self) -> Output<T> {
        let mut output = mem::MaybeUninit::<Output<T>>::uninit();
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
        // SAFETY: the scheduler keeps its table, and is kept by its heap, which the slot keeps.
        unsafe { &*(self.vtable().side)(self) }
    }

    /// Where the task, which is not a root, was spawned.
    ///
    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn spawned_at(self) -> &'static Location<'static> {
        // SAFETY: passed on.
        let header = unsafe { self.header() };
        header.label.place().unwrap_or_else(|| {
            // SAFETY: passed on.
            let place = unsafe { self.side() }.place(header.id());
            place.expect("what is not in the one table is in the other")
        })
    }

    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn meta(self) -> TaskMeta {
        // SAFETY: passed on.
        let (header, side, place) = unsafe { (self.header(), self.side(), self.spawned_at()) };
        let meta = TaskMeta::at(place);
        match header.state.load().has_side() {
            true => match side.name(header.id()) {
                Some(name) => meta.named(name),
                None => meta,
            },
            false => meta,
        }
    }

    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn info(self) -> TaskInfo {
        // SAFETY: passed on.
        let (id, meta) = unsafe { (self.header().id(), self.meta()) };
        TaskInfo { id, meta }
    }

    /// True if it is no task, but what a `run` waits for.
    ///
    /// # Safety
    ///
    /// As [`header`](Self::header).
    pub(super) unsafe fn is_root(self) -> bool {
        // SAFETY: passed on.
        unsafe { self.vtable() }.is_root
    }
}

/// What is asked of a task, from wherever: a waker's, a handle's, a scheduler's.
impl Ref {
    /// # Safety
    ///
    /// The caller has a reference.
    #[inline]
    pub(super) unsafe fn wake_by_ref(self) {
        // SAFETY: the caller's reference; the transition counted another one if the task is to be
        // queued.
        unsafe {
            match self.place() {
                Place::Away => self.ask_to_wake(0),
                place => match self.header().state.wake_by_ref(place.alone()) {
                    Wake::Nothing | Wake::Free => {}
                    Wake::Schedule => self.schedule(),
                },
            }
        }
    }

    /// # Safety
    ///
    /// The caller has a reference, which it gives up here.
    #[inline]
    pub(super) unsafe fn wake_by_val(self) {
        // SAFETY: the caller's reference.
        unsafe {
            match self.place() {
                Place::Away => self.ask_to_wake(1),
                place => match self.header().state.wake_by_val(place.alone()) {
                    Wake::Nothing => {}
                    Wake::Schedule => self.schedule(),
                    Wake::Free => self.last(place.alone()),
                },
            }
        }
    }

    /// # Safety
    ///
    /// The caller has a reference, which it gives up here if `refs` is 1.
    #[cold]
    unsafe fn ask_to_wake(self, refs: i32) {
        // SAFETY: the caller's reference.
        unsafe {
            match self.header().away.ask(away::WAKE, refs) {
                Some(action) => self.obey(action),
                None if refs == 1 => self.obey(self.header().away.release()),
                None => {}
            }
        }
    }

    /// Stores the cause, and queues the task if it has to run to see it.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    pub(super) unsafe fn cancel(self, cause: Cause) {
        // SAFETY: the caller's reference.
        unsafe {
            self.side().set_cause(self.header().id(), cause);
            match self.place() {
                Place::Away => match self.header().away.ask(away::CANCEL, 0) {
                    Some(action) => self.obey(action),
                    // It is complete.
                    None => self.side().forget_cause(self.header().id()),
                },
                place => self.cancel_here(place.alone()),
            }
        }
    }

    /// # Safety
    ///
    /// The caller has a reference, and may change the state.
    unsafe fn cancel_here(self, alone: bool) {
        // SAFETY: the caller's reference; the transition counted another one if the task is to be
        // queued.
        unsafe {
            match self.header().state.cancel(alone, true) {
                Wake::Nothing | Wake::Free => {}
                Wake::Schedule => self.schedule(),
            }
        }
    }

    /// Registers the waker of the handle's poll. False if the task is complete.
    ///
    /// # Safety
    ///
    /// The caller is the handle.
    #[inline]
    pub(super) unsafe fn join(self, waker: &Waker) -> bool {
        // SAFETY: the caller's reference.
        unsafe {
            let header = self.header();
            if header.state.load().is_complete() {
                return false;
            }
            match self.place() {
                Place::Away => self.ask_to_join(waker),
                place => {
                    if header.away.asks_to_join() {
                        self.forget_joiner();
                    }
                    header.register(place.alone(), waker)
                }
            }
        }
    }

    /// The handle, which was polled elsewhere, is at home now: what it asked for there is no more
    /// what it wants.
    ///
    /// # Safety
    ///
    /// As [`join`](Self::join).
    #[cold]
    unsafe fn forget_joiner(self) {
        // SAFETY: the caller's reference.
        let former = unsafe { self.side() }.take_joiner(self.as_ptr());
        former.into_iter().for_each(pirn_core::wake::discard);
    }

    /// # Safety
    ///
    /// As [`join`](Self::join).
    #[cold]
    unsafe fn ask_to_join(self, waker: &Waker) -> bool {
        // SAFETY: the caller's reference.
        unsafe {
            let former = self.side().set_joiner(self.as_ptr(), waker.clone());
            former.into_iter().for_each(pirn_core::wake::discard);
            match self.header().away.ask(away::JOIN, 0) {
                Some(action) => {
                    self.obey(action);
                    true
                }
                None => {
                    let joiner = self.side().take_joiner(self.as_ptr());
                    joiner.into_iter().for_each(pirn_core::wake::discard);
                    false
                }
            }
        }
    }

    /// The handle lets go of the task; `taken`: the output was taken.
    ///
    /// # Safety
    ///
    /// The caller is the handle, and gives its reference up.
    #[inline]
    pub(super) unsafe fn let_go(self, cancel: bool, taken: bool) {
        // SAFETY: the caller's reference, which is given up once in each case, last. The output is
        // dropped if the stage is the handle's and nobody took it.
        unsafe {
            let place = self.place();
            if place != Place::Away {
                return self.let_go_here(place.alone(), cancel, taken);
            }
            let away = &self.header().away;
            let flags = away::LET_GO | if cancel { away::ABANDON } else { 0 };
            if !self.header().state.load().is_complete() {
                if let Some(action) = away.ask(flags, 0) {
                    return self.obey(action);
                }
            }
            if !taken {
                self.drop_output();
            }
            self.obey(away.release());
        }
    }

    /// # Safety
    ///
    /// As [`let_go`](Self::let_go); and the state may be changed.
    unsafe fn let_go_here(self, alone: bool, cancel: bool, taken: bool) {
        // SAFETY: as above. The waker is taken if the transition gave the slot back to the handle.
        unsafe {
            match self.header().state.drop_handle(alone, cancel) {
                DropHandle::Output => {
                    if !taken {
                        self.drop_output();
                    }
                    self.release(1);
                }
                DropHandle::Slot { waker, schedule } => {
                    let waker = waker.then(|| self.header().join.take());
                    match schedule {
                        true => self.schedule(),
                        false => self.release(1),
                    }
                    waker.into_iter().for_each(pirn_core::wake::discard);
                }
            }
        }
    }

    /// Does what was asked for elsewhere.
    ///
    /// # Safety
    ///
    /// The task is bound, and this is its thread; the state word counts a reference of the caller's,
    /// and all that others gave up counts there.
    unsafe fn settle(self, settled: &Settled) {
        // SAFETY: the caller's reference, and those that go with what is asked for.
        unsafe {
            if settled.asks(away::BORN) {
                (self.vtable().admit)(self);
            }
            if settled.asks(away::JOIN) {
                self.settle_join();
            }
            // Its cause counts, not that the handle was dropped.
            if settled.asks(away::CANCEL) {
                self.cancel_here(true);
            }
            if settled.asks(away::LET_GO) {
                self.let_go_here(true, settled.asks(away::ABANDON), false);
            }
            if settled.asks(away::WAKE) {
                self.wake_by_ref();
            }
        }
    }

    /// # Safety
    ///
    /// As [`settle`](Self::settle).
    unsafe fn settle_join(self) {
        // SAFETY: the caller's reference.
        let (header, side) = unsafe { (self.header(), self.side()) };
        let Some(waker) = side.take_joiner(self.as_ptr()) else {
            return;
        };
        if !header.state.load().has_handle() {
            // It has come home, and is gone since.
            return pirn_core::wake::discard(waker);
        }
        // SAFETY: the handle has asked for it.
        if let Err(waker) = unsafe { header.register_own(true, waker) } {
            pirn_core::wake::wake(waker);
        }
    }
}

/// A cell on its way home.
pub(crate) struct Sent(Ref);

// SAFETY: it is settled on its thread; otherwise nothing is done with it.
unsafe impl Send for Sent {}

impl Sent {
    /// At home: does what is noted in the cell.
    pub(crate) fn settle(self) {
        // SAFETY: a cell that was sent is not freed before it is settled, and this is its thread, as
        // the scheduler sees to. The reference that is counted meanwhile keeps it from being freed
        // before everything is done.
        unsafe {
            let header = self.0.header();
            let settled = header.away.settle();
            header.state.adjust(settled.refs + 1);
            self.0.settle(&settled);
            self.0.release(1);
        }
    }
}

impl Sent {
    /// A task that was just made on another thread than its own: it is taken in and queued when it
    /// is settled.
    pub(crate) fn born(runnable: Runnable) -> Sent {
        let cell = runnable.into_ref();
        // SAFETY: the `Runnable`'s reference, which passes to the queue when the cell is settled.
        unsafe { cell.header() }.away.reset(true);
        Sent(cell)
    }
}

/// A task that was just made.
pub(crate) struct Spawned<T> {
    pub(crate) task: Task<T>,
    pub(crate) runnable: Runnable,
}

/// A slot for a task of an `S`, taken but not yet filled. (To take first and fill then spares the
/// future some moves: it goes from the caller's hand to the slot.)
pub(crate) struct Vacant<S>(Ref, PhantomData<S>);

impl<S: Schedule> Owner<S> {
    /// A slot for a task of `F`.
    #[inline]
    pub(crate) fn vacant<F: Future>(&mut self) -> Vacant<S> {
        let size = match fits::<F>() {
            true => size_of::<Cell<Inline<F>>>(),
            false => size_of::<Cell<Boxed<F>>>(),
        };
        Vacant(self.take(size), PhantomData)
    }
}

/// True if the future and its output lie in the slot.
const fn fits<F: Future>() -> bool {
    size_of::<Cell<Inline<F>>>() <= LARGEST && align_of::<Cell<Inline<F>>>() <= ALIGN
}

impl<S: Schedule> Vacant<S> {
    /// Makes a task of normal priority, which is to be queued. `F` is what the slot was taken for.
    #[inline]
    pub(crate) fn fill<F>(self, meta: &TaskMeta, future: F) -> Spawned<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: it borrows nothing.
        unsafe { self.put::<F, Plain>(Label::next(), meta, future) }
    }

    /// As [`fill`](Self::fill), for a task that is as urgent as `meta` says.
    pub(crate) fn fill_as<F>(self, meta: &TaskMeta, future: F) -> Spawned<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: it borrows nothing.
        unsafe { self.fill_borrowing(meta, future) }
    }

    /// As [`fill_as`](Self::fill_as), for a future that borrows.
    ///
    /// # Safety
    ///
    /// As [`put`](Self::put).
    pub(crate) unsafe fn fill_borrowing<F: Future>(
        self,
        meta: &TaskMeta,
        future: F,
    ) -> Spawned<F::Output> {
        let label = Label::next();
        // SAFETY: passed on.
        unsafe {
            match meta.priority() {
                Priority::High => self.put::<F, High>(label, meta, future),
                Priority::Normal => self.put::<F, Plain>(label, meta, future),
                Priority::Low => self.put::<F, Low>(label, meta, future),
            }
        }
    }

    /// As [`fill_as`](Self::fill_as), of whose task the scheduler's hooks are told from now on.
    pub(crate) fn fill_told<F>(self, id: TaskId, meta: &TaskMeta, future: F) -> Spawned<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let label = Label::of(id);
        // SAFETY: it borrows nothing.
        unsafe {
            match meta.priority() {
                Priority::High => self.put::<F, Told<High>>(label, meta, future),
                Priority::Normal => self.put::<F, Told<Plain>>(label, meta, future),
                Priority::Low => self.put::<F, Told<Low>>(label, meta, future),
            }
        }
    }

    /// As [`fill`](Self::fill), for any future, and any kind of task.
    ///
    /// # Safety
    ///
    /// What the future borrows is there whenever the task is run or closed, and what its output
    /// borrows when something is settled or merged besides. All else that can be done to a task, by
    /// its handle, by wakers, and by whoever gives up the last reference, touches no future, and an
    /// output only if its type is alive.
    #[inline]
    unsafe fn put<F: Future, K: Sort>(
        self,
        label: Label,
        meta: &TaskMeta,
        future: F,
    ) -> Spawned<F::Output> {
        let task = self.0;
        Spawned {
            // SAFETY: passed on.
            runnable: unsafe { self.put_as::<F, K>(label, meta, future, Snapshot::born) },
            // SAFETY: the cell was born with a reference for the handle, and its output is `F`'s.
            task: unsafe { Task::from_ref(task) },
        }
    }

    /// As [`put`](Self::put), for a task that is `born` with or without a handle.
    ///
    /// # Safety
    ///
    /// As [`put`](Self::put).
    #[inline]
    unsafe fn put_as<F: Future, K: Sort>(
        self,
        label: Label,
        meta: &TaskMeta,
        future: F,
        born: fn(bool) -> Snapshot,
    ) -> Runnable {
        let task = self.0;
        let (place, name) = (meta.spawned_at(), meta.name());
        let (label, side) = match SITES.find(place) {
            Some(site) if name.is_none() => (label.at(site), false),
            // SAFETY: the slot is taken, and so in use.
            _ => note(label, place, name, unsafe { &*side::<S>(task) }),
        };
        let born = born(side);
        if const { fits::<F>() } {
            let body = ManuallyDrop::new(Rooted::new(future));
            // SAFETY: the slot was taken for this type.
            unsafe { fill::<Inline<F>, S, K>(task, born, label, Stage { body }) };
        } else {
            let body = ManuallyDrop::new(Rooted::new(Box::pin(future)));
            // SAFETY: the slot was taken for this type.
            unsafe { fill::<Boxed<F>, S, K>(task, born, label, Stage { body }) };
        }
        Runnable::new(task)
    }

    /// Makes a task of normal priority, and queues it.
    #[inline]
    pub(crate) fn spawn<F>(self, meta: &TaskMeta, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: it borrows nothing.
        unsafe { self.spawn_borrowing(meta, future) }
    }

    /// As [`spawn`](Self::spawn), for a future that borrows.
    ///
    /// # Safety
    ///
    /// As [`put`](Self::put): what future and output borrow is there whenever tasks of the scheduler
    /// are run, closed, settled or merged.
    #[inline]
    pub(crate) unsafe fn spawn_borrowing<F: Future>(
        self,
        meta: &TaskMeta,
        future: F,
    ) -> Task<F::Output> {
        let slot = self.0;
        // SAFETY: passed on.
        let spawned = unsafe { self.put::<F, Plain>(Label::next(), meta, future) };
        let Spawned { task, runnable } = spawned;
        // SAFETY: the handle keeps the slot in use.
        let scheduler = unsafe { scheduler::<S>(slot) };
        S::schedule(&scheduler, runnable);
        task
    }

    /// As [`spawn`](Self::spawn), for a task that never has a handle.
    #[inline]
    pub(crate) fn spawn_detached<F>(self, meta: &TaskMeta, future: F)
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let slot = self.0;
        let born = Snapshot::born_detached;
        // SAFETY: it borrows nothing.
        let runnable = unsafe { self.put_as::<F, Plain>(Label::next(), meta, future, born) };
        // SAFETY: the runnable keeps the slot in use while the pointer is copied.
        let scheduler = unsafe { scheduler::<S>(slot) };
        S::schedule(&scheduler, runnable);
    }
}

/// Puts what has no room in the slot into the side table. False if there is nothing.
#[cold]
fn note(
    label: Label,
    place: &'static Location<'static>,
    name: Option<&str>,
    side: &Side,
) -> (Label, bool) {
    let (id, site) = (label.id(), SITES.number(place));
    if site == sites::NONE {
        side.set_place(id, place);
    }
    if let Some(name) = name {
        side.set_name(id, name.into());
    }
    (label.at(site), site == sites::NONE || name.is_some())
}

/// Puts a task into a slot.
///
/// # Safety
///
/// The slot was taken for a `Cell<B>` of an `S`, by the caller.
#[inline]
unsafe fn fill<B: Body, S: Schedule, K: Sort>(
    task: Ref,
    state: Snapshot,
    label: Label,
    stage: Stage<B>,
) {
    let cell = task.0.as_ptr().cast::<Cell<B>>();
    // SAFETY: the slot is the caller's, and large enough.
    unsafe {
        Header::fill(task, Harness::<B, S, K>::VTABLE, label);
        (&raw mut (*cell).stage).write(UnsafeCell::new(stage));
        task.header().state.set(state);
    }
}

impl Header {
    /// Writes what is the same for every task into a vacant slot.
    ///
    /// # Safety
    ///
    /// The slot is vacant, and the caller's.
    #[inline]
    pub(super) unsafe fn fill(slot: Ref, vtable: &'static VTable, label: Label) {
        let header = slot.0.as_ptr();
        // SAFETY: the slot is the caller's.
        unsafe {
            (*header).join.set_link(std::ptr::null_mut());
            (*header).filled.with_mut(|_| {});
            (&raw mut (*header).vtable).write(vtable);
            (&raw mut (*header).label).write(label);
        }
    }
}

/// The scheduler of a cell, by a copy of a pointer that is counted for the cell's heap. The copy is
/// not counted and never dropped. It is used while the slot is in use, and after that only as long
/// as the scheduler keeps itself alive, as the contract of `Schedule` says.
///
/// # Safety
///
/// The caller keeps the slot in use while it is called, and the scheduler is an `S`.
#[inline]
pub(super) unsafe fn scheduler<S>(slot: Ref) -> ManuallyDrop<Arc<S>> {
    // SAFETY: the page has the pointer from `Arc::into_raw`.
    ManuallyDrop::new(unsafe { Arc::from_raw(Page::of(slot).scheduler.cast()) })
}

/// Sends a bound cell home, or takes back that it is on its way.
///
/// # Safety
///
/// The other word says that it was sent, by the caller; the scheduler is an `S`.
pub(super) unsafe fn send<S: Schedule>(cell: Ref) {
    // SAFETY: as the other word says, the slot is in use until this is over.
    unsafe {
        let scheduler = scheduler::<S>(cell);
        if let Err(Sent(cell)) = S::send(&scheduler, Sent(cell)) {
            cell.obey(cell.header().away.unsend());
        }
    }
}

/// # Safety
///
/// The slot is kept in use while the result is used; the scheduler is an `S`.
pub(super) unsafe fn side<S: Schedule>(cell: Ref) -> *const Side {
    // SAFETY: passed on.
    unsafe { scheduler::<S>(cell) }.side()
}

/// Makes a slot vacant and gives it back to its heap.
///
/// # Safety
///
/// No reference is left, and nothing in the slot needs to be dropped; the scheduler is an `S`.
#[inline]
pub(super) unsafe fn vacate<S: Schedule>(slot: Ref) {
    // SAFETY: the slot is the caller's, and in use until it is given back; its heap's count keeps
    // the scheduler until then, and longer unless this was the last slot.
    unsafe {
        let header = slot.header();
        if header.state.load().has_side() {
            scheduler::<S>(slot).side().remove(header.id());
        }
        // First: `Heap::merge` regards a slot as vacant if both words say so.
        header.away.reset(false);
        header.state.set(Snapshot::VACANT);
        let scheduler = scheduler::<S>(slot);
        let heap = Page::of(slot).heap();
        let owned = scheduler.with_owner(heap, |owner| owner.give_back(slot));
        if owned.is_none() && Heap::give_back(heap, slot) {
            drop(ManuallyDrop::into_inner(scheduler));
        }
    }
}

/// A typed pointer to a cell.
struct Harness<B: Body, S, K>(NonNull<Cell<B>>, PhantomData<(S, K)>);

impl<B: Body, S, K> Clone for Harness<B, S, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Body, S, K> Copy for Harness<B, S, K> {}

type OutputOf<B> = <<B as Body>::Future as Future>::Output;

impl<B: Body, S: Schedule, K: Sort> Harness<B, S, K> {
    const VTABLE: &'static VTable = &VTable {
        is_root: false,
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        run: |task| unsafe {
            Self::of(task).run();
            true
        },
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        schedule: |task| unsafe { Self::of(task).queue_woken(Self::hand) },
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        start: |task| unsafe { Self::of(task).queue(Self::hand) },
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        close: |task| unsafe { Self::of(task).close() },
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        take_output: |task, place| unsafe {
            place
                .cast::<Output<OutputOf<B>>>()
                .write(Self::of(task).take_output());
        },
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        drop_output: |task| unsafe { Self::of(task).drop_output() },
        send: send::<S>,
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        free: |task| unsafe { Self::of(task).free() },
        side: side::<S>,
        // SAFETY: as the field's contract says; `fill` made the cell of these types.
        admit: |task| unsafe {
            scheduler::<S>(task).admit();
            Self::of(task).queue(Self::hand);
        },
    };

    fn of(task: Ref) -> Self {
        Harness(task.0.cast(), PhantomData)
    }

    fn untyped(self) -> Ref {
        Ref(self.0.cast())
    }

    /// Hands a task to its scheduler, by its kind.
    #[inline]
    fn hand(scheduler: &Arc<S>, task: Runnable) {
        match K::LANE {
            None => S::schedule(scheduler, task),
            Some(lane) => S::schedule_in(scheduler, lane, task),
        }
    }

    /// As `hand`, having polled it.
    #[inline]
    fn hand_again(scheduler: &Arc<S>, task: Runnable) {
        match K::LANE {
            None => S::reschedule(scheduler, task),
            Some(lane) => S::reschedule_in(scheduler, lane, task),
        }
    }

    /// # Safety
    ///
    /// The cell is kept alive by a reference for as long as the result is used.
    unsafe fn cell<'a>(self) -> &'a Cell<B> {
        // SAFETY: the caller keeps the cell alive; what changes in it does so in shim cells.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    ///
    /// As [`VTable::run`].
    #[inline]
    unsafe fn run(self) {
        // SAFETY: the caller's reference, which `rest` or `finish` gives up.
        let cell = unsafe { self.cell() };
        let cancel = match cell.header.state.start(S::BOUND) {
            Start::Poll => None,
            // SAFETY: the caller's reference.
            Start::Cancel => Some(unsafe { self.cause() }),
            // SAFETY: the caller's reference.
            Start::Stale => return unsafe { self.untyped().release(1) },
        };
        // SAFETY: `start` made this thread the owner of the stage, which holds the future.
        if let Some(output) = unsafe { self.poll(cancel) } {
            // SAFETY: as before; the queue's reference is this thread's.
            return unsafe { self.finish(Some(output), 1) };
        }
        match cell.header.state.rest(S::BOUND) {
            Rest::Idle(Released::Shared) => {}
            // SAFETY: the transition gave up the last reference that is counted there.
            Rest::Idle(Released::Last) => unsafe { self.untyped().last(S::BOUND) },
            // SAFETY: the transition left the reference to the queue.
            Rest::Requeue => unsafe { self.queue_woken(Self::hand_again) },
            // SAFETY: the transition left the stage to this thread; the queue's reference too.
            Rest::Close => unsafe { self.finish(None, 1) },
        }
    }

    /// Polls the future: its outcome, or `None` if it is pending.
    ///
    /// # Safety
    ///
    /// The caller owns the stage, which holds the future, and has a reference.
    #[inline]
    unsafe fn poll(self, cancel: Option<Cause>) -> Option<Output<OutputOf<B>>> {
        // SAFETY: the caller's reference.
        let cell = unsafe { self.cell() };
        // SAFETY: the waker borrows the caller's reference: it is never dropped, and does not
        // outlive this call.
        let waker = ManuallyDrop::new(unsafe { waker_of(self.untyped()) });
        let mut cx = Context::from_waker(&waker);
        // SAFETY: the caller's reference.
        unsafe { self.tell(|hooks, id| hooks.polling(id)) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            cell.stage.with_mut(|stage| {
                // SAFETY: the caller owns the stage, which holds the future. The future does not
                // move until it is dropped, in `drop_body`.
                let mut body = unsafe { Pin::new_unchecked(&mut *(*stage).body) };
                if let Some(cause) = cancel {
                    body.as_mut().request_cancel(cause);
                }
                let _refilled = match K::TOLD {
                    true => budget::inspect::refill(),
                    false => budget::refill(),
                };
                now::begin(self.untyped());
                body.poll(&mut cx)
            })
        }));
        now::end();
        // SAFETY: the caller's reference.
        unsafe { self.tell(|hooks, id| hooks.polled(id)) };
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
    /// gives up; the scheduler's goes with them.
    unsafe fn finish(self, output: Option<Output<OutputOf<B>>>, refs: u32) {
        // SAFETY: the caller's references.
        let cell = unsafe { self.cell() };
        let task = self.untyped();
        // SAFETY: the caller owns the stage.
        let dropped = unsafe { self.drop_body() };
        let output = match (output, dropped) {
            (Some(output), Ok(())) => output,
            (None, Ok(())) => {
                // SAFETY: the caller's references.
                let cause = unsafe { task.shutdown_cause() };
                Err(JoinError::Cancelled(cause.into()))
            }
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
        let how = match &output {
            Ok(_) => Ended::Returned,
            Err(JoinError::Panicked(_)) => Ended::Panicked,
            Err(_) => Ended::Cancelled,
        };
        // SAFETY: the caller's references.
        unsafe { self.tell(|hooks, id| hooks.ended(id, how)) };
        // A handle that is gone does not come back.
        let kept = cell.header.state.load().has_handle();
        if kept {
            cell.stage.with_mut(|stage| {
                // SAFETY: the caller owns the stage, which `drop_body` emptied.
                unsafe { (*stage).output = ManuallyDrop::new(B::keep(output)) }
            });
        } else {
            // SAFETY: the caller's references.
            unsafe { self.discard(output) };
        }
        // Before the handle is told: whoever has awaited the task finds it counted.
        // SAFETY: the caller's references.
        unsafe { scheduler::<S>(task) }.ended();
        let Complete { handle, waker } = cell.header.state.complete(S::BOUND);
        if kept && !handle {
            // SAFETY: without a handle the stage stays with the completing thread.
            unsafe { self.drop_output() };
        }
        if waker {
            // SAFETY: the transition left the slot, which holds a waker, to the completing thread.
            pirn_core::wake::wake(unsafe { cell.header.join.take() });
        }
        // SAFETY: the caller's references, and the scheduler's.
        unsafe { task.release(refs + 1) };
    }

    /// Tells the scheduler's hooks something, if they are told of this task.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    #[inline]
    unsafe fn tell(self, call: impl FnOnce(&dyn Hooks, TaskId)) {
        if K::TOLD {
            // SAFETY: the caller's reference keeps the slot in use, and so the scheduler.
            let (scheduler, header) =
                unsafe { (scheduler::<S>(self.untyped()), self.untyped().header()) };
            if let Some(hooks) = scheduler.hooks() {
                tell(hooks, |hooks| call(hooks, header.id()));
            }
        }
    }

    /// Hands the task to its scheduler, having been woken.
    ///
    /// # Safety
    ///
    /// As [`VTable::schedule`].
    #[inline]
    unsafe fn queue_woken(self, queue: fn(&Arc<S>, Runnable)) {
        // SAFETY: the caller's reference, which is passed on.
        unsafe {
            self.tell(|hooks, id| hooks.woken(id));
            if K::TOLD && self.cell().header.state.load().is_complete() {
                // The hook was the end of its executor.
                return self.untyped().release(1);
            }
            self.queue(queue);
        }
    }

    /// Hands the task to its scheduler.
    ///
    /// # Safety
    ///
    /// As [`VTable::schedule`].
    #[inline]
    unsafe fn queue(self, queue: fn(&Arc<S>, Runnable)) {
        // SAFETY: the caller's reference keeps the slot in use while the pointer is copied.
        let scheduler = unsafe { scheduler::<S>(self.untyped()) };
        queue(&scheduler, Runnable::new(self.untyped()));
    }

    /// # Safety
    ///
    /// As [`VTable::close`].
    unsafe fn close(self) {
        // SAFETY: the caller's reference.
        match unsafe { self.cell() }.header.state.close(S::BOUND) {
            // SAFETY: the transition made this thread the owner of the stage.
            Close::Drop => unsafe { self.finish(None, 1) },
            // SAFETY: the caller's reference.
            Close::Nothing => unsafe { self.untyped().release(1) },
        }
    }

    /// # Safety
    ///
    /// As [`VTable::take_output`].
    unsafe fn take_output(self) -> Output<OutputOf<B>> {
        // SAFETY: the caller has a reference and owns the stage, which holds the output.
        let kept = unsafe { self.cell() }
            .stage
            .with_mut(|stage| unsafe { ManuallyDrop::take(&mut (*stage).output) });
        B::give(kept)
    }

    /// # Safety
    ///
    /// As [`VTable::drop_output`].
    unsafe fn drop_output(self) {
        // SAFETY: passed on.
        unsafe { self.discard(self.take_output()) }
    }

    /// Drops an output that nobody takes; reports it if it is a panic.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    #[inline]
    unsafe fn discard(self, output: Output<OutputOf<B>>) {
        match output {
            // As the tasks of which nobody keeps a handle mostly end.
            Ok(value) if !mem::needs_drop::<OutputOf<B>>() => mem::forget(value),
            // SAFETY: passed on.
            other => unsafe { self.drop_or_report(other) },
        }
    }

    /// # Safety
    ///
    /// As [`discard`](Self::discard).
    #[inline(never)]
    unsafe fn drop_or_report(self, output: Output<OutputOf<B>>) {
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
    #[inline]
    unsafe fn free(self) {
        // A union does not drop what it holds: the stage is empty, as the caller says. For models:
        // whoever used it is done.
        // SAFETY: nobody else has a reference; the slot is in use until `vacate` gives it back.
        unsafe {
            self.cell().stage.with_mut(|_empty| {});
            vacate::<S>(self.untyped());
        }
    }

    /// The cause of the cancel request that is to be delivered.
    ///
    /// # Safety
    ///
    /// The caller has a reference.
    #[cold]
    unsafe fn cause(self) -> Cause {
        let task = self.untyped();
        // SAFETY: the caller's reference.
        let (header, side) = unsafe { (task.header(), task.side()) };
        let noted = match header.state.load().has_side() {
            true => side.take_cause(header.id()),
            false => None,
        };
        noted.unwrap_or_else(|| {
            // SAFETY: the caller's reference.
            let place = unsafe { task.spawned_at() };
            Cause::new(Kind::Dropped, "its handle was dropped").with_location(place)
        })
    }
}

impl Ref {
    /// # Safety
    ///
    /// The caller has a reference.
    #[cold]
    unsafe fn shutdown_cause(self) -> Cause {
        // SAFETY: passed on.
        let place = unsafe { self.spawned_at() };
        Cause::new(Kind::Shutdown, "its executor was dropped").with_location(place)
    }
}
