//! The state word of a task, and every transition it can make.
//!
//! A transition is a pure function from a [`Snapshot`] to the next one and an action; [`State`]
//! applies it by compare-exchange and hands out the action, which the caller must obey. Nothing
//! here touches anything but the word.
//!
//! # The word
//!
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `SCHEDULED` | a [`Runnable`](super::Runnable) exists or is about to; while `RUNNING`: run again | `wake_*`, `cancel`, `drop_handle` | `start`, `complete` |
//! | `RUNNING` | one thread owns the future | `start`, `close` | `rest`, `complete` |
//! | `COMPLETE` | the future is gone, the output is there (or was taken) | `complete` | never |
//! | `HANDLE` | a [`Task`](super::Task) may take the output | at birth | `drop_handle` |
//! | `JOIN_WAKER` | the join slot holds a waker, which `complete` takes | `set_join_waker` | `unset_join_waker`, `drop_handle` |
//! | `CANCEL` | a cancel request waits to be delivered | `cancel`, `drop_handle` | `start` |
//! | `SIDE` | the scheduler's side table has an entry for the task | at birth, `cancel` | never |
//! | `CLOSED` | the executor is gone: whoever owns the future drops it; implies `RUNNING` or `COMPLETE` | `close` | never |
//! | the rest | how many references there are | | |
//!
//! # References
//!
//! One each for: the scheduler's set of owned tasks, until the task is complete; the `Runnable`,
//! which becomes the running thread's; the handle; each waker.
//!
//! ```text
//!            wake                start                 complete
//!   idle ───────────▶ scheduled ───────▶ running ─────────────────▶ complete
//!    ▲                    ▲                │ │
//!    │                    └── rest, woken ─┘ │
//!    └──────────── rest ─────────────────────┘
//! ```

use pirn_core::shim::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

const SCHEDULED: u32 = 1;
const RUNNING: u32 = 1 << 1;
const COMPLETE: u32 = 1 << 2;
const HANDLE: u32 = 1 << 3;
const JOIN_WAKER: u32 = 1 << 4;
const CANCEL: u32 = 1 << 5;
const SIDE: u32 = 1 << 6;
const CLOSED: u32 = 1 << 7;
const REF: u32 = 1 << 8;

/// Above this many references the process aborts, as `Arc` does, before the count can wrap.
const MAX_REFS: u32 = u32::MAX / REF / 2;

/// The word as it was at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot(u32);

/// What the thread that popped a `Runnable` does.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Own the future, and poll it.
    Poll,
    /// Own the future, deliver the cancel request, and poll it.
    Cancel,
    /// Nothing: somebody else ended the task. The reference is given up.
    Stale(Release),
}

/// What the thread that polled the future does when that was pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing: the future and the reference are given up.
    Idle,
    /// The future is given up; queue the task again with the same reference.
    Requeue,
    /// Still own the future, and drop it.
    Close,
}

/// What the thread that stored the output does.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complete {
    /// A handle may take the output. Otherwise drop it.
    pub(crate) handle: bool,
    /// Take the waker out of the join slot, and wake it.
    pub(crate) waker: bool,
}

/// What a waker does.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Nothing.
    Nothing,
    /// Queue the task, with a reference that is counted already.
    Schedule,
    /// Free the cell: this was the last reference.
    Free,
}

/// What is left to do after giving up references.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Nothing.
    Shared,
    /// Free the cell.
    Last,
}

/// What a handle does that lets go of its task.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DropHandle {
    /// Drop the output, then give the reference up.
    Output,
    /// Take the waker out of the join slot if `waker`; then queue the task with the handle's
    /// reference if `schedule`, or else give that up.
    Slot {
        /// The join slot holds a waker.
        waker: bool,
        /// The task must run to see its cancel request.
        schedule: bool,
    },
}

/// What the executor does that closes a task.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// Own the future, and drop it.
    Drop,
    /// Nothing: it is complete, or the thread that runs it will drop it.
    Nothing,
}

impl Snapshot {
    /// A task that was just made: in the owned set, queued, with a handle.
    pub(crate) const fn born(side: bool) -> Snapshot {
        Snapshot(SCHEDULED | HANDLE | if side { SIDE } else { 0 } | (3 * REF))
    }

    /// A task that ended before it began, known to its handle alone.
    pub(crate) const fn born_complete(side: bool) -> Snapshot {
        Snapshot(COMPLETE | HANDLE | if side { SIDE } else { 0 } | REF)
    }

    pub(crate) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(crate) fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }

    pub(crate) fn has_side(self) -> bool {
        self.0 & SIDE != 0
    }

    fn refs(self) -> u32 {
        self.0 / REF
    }

    fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    fn with(self, bits: u32) -> Snapshot {
        Snapshot(self.0 | bits)
    }

    fn without(self, bits: u32) -> Snapshot {
        Snapshot(self.0 & !bits)
    }

    fn plus_ref(self) -> Snapshot {
        Snapshot(self.0 + REF)
    }

    fn minus_refs(self, refs: u32) -> Snapshot {
        debug_assert!(self.refs() >= refs, "a task gave up a reference it had not");
        Snapshot(self.0 - refs * REF)
    }

    fn last(self) -> Release {
        match self.refs() {
            0 => Release::Last,
            _ => Release::Shared,
        }
    }

    fn start(self) -> (Snapshot, Start) {
        if self.has(COMPLETE | RUNNING) {
            let next = self.minus_refs(1);
            return (next, Start::Stale(next.last()));
        }
        let next = self.without(SCHEDULED | CANCEL).with(RUNNING);
        match self.has(CANCEL) {
            true => (next, Start::Cancel),
            false => (next, Start::Poll),
        }
    }

    fn rest(self) -> (Snapshot, Rest) {
        if self.has(CLOSED) {
            (self, Rest::Close)
        } else if self.has(SCHEDULED) {
            (self.without(RUNNING), Rest::Requeue)
        } else {
            (self.without(RUNNING).minus_refs(1), Rest::Idle)
        }
    }

    fn complete(self) -> (Snapshot, Complete) {
        let action = Complete {
            handle: self.has(HANDLE),
            waker: self.has(JOIN_WAKER),
        };
        (self.without(RUNNING | SCHEDULED).with(COMPLETE), action)
    }

    /// Marks the task as to be run; true if the caller must queue it.
    fn schedule(self) -> (Snapshot, bool) {
        (self.with(SCHEDULED), !self.has(SCHEDULED | RUNNING))
    }

    fn wake_by_ref(self) -> (Snapshot, Wake) {
        if self.has(COMPLETE | CLOSED) {
            return (self, Wake::Nothing);
        }
        match self.schedule() {
            (next, true) => (next.plus_ref(), Wake::Schedule),
            (next, false) => (next, Wake::Nothing),
        }
    }

    fn wake_by_val(self) -> (Snapshot, Wake) {
        let (next, queue) = match self.has(COMPLETE | CLOSED) {
            true => (self, false),
            false => self.schedule(),
        };
        if queue {
            return (next, Wake::Schedule);
        }
        let next = next.minus_refs(1);
        match next.last() {
            Release::Last => (next, Wake::Free),
            Release::Shared => (next, Wake::Nothing),
        }
    }

    fn cancel(self, side: bool) -> (Snapshot, Wake) {
        let side = if side { SIDE } else { 0 };
        if self.has(COMPLETE | CLOSED) {
            return (self.with(side), Wake::Nothing);
        }
        match self.with(CANCEL | side).schedule() {
            (next, true) => (next.plus_ref(), Wake::Schedule),
            (next, false) => (next, Wake::Nothing),
        }
    }

    fn drop_handle(self, cancel: bool) -> (Snapshot, DropHandle) {
        if self.has(COMPLETE) {
            return (self, DropHandle::Output);
        }
        let waker = self.has(JOIN_WAKER);
        let next = self.without(HANDLE | JOIN_WAKER);
        let (next, schedule) = match cancel && !self.has(CLOSED) {
            true => next.with(CANCEL).schedule(),
            false => (next, false),
        };
        (next, DropHandle::Slot { waker, schedule })
    }

    fn set_join_waker(self) -> Option<Snapshot> {
        (!self.has(COMPLETE)).then(|| self.with(JOIN_WAKER))
    }

    fn unset_join_waker(self) -> Option<Snapshot> {
        (!self.has(COMPLETE)).then(|| self.without(JOIN_WAKER))
    }

    fn close(self) -> (Snapshot, Close) {
        if self.has(COMPLETE) {
            (self, Close::Nothing)
        } else if self.has(RUNNING) {
            (self.with(CLOSED), Close::Nothing)
        } else {
            (self.with(CLOSED | RUNNING), Close::Drop)
        }
    }
}

/// The word itself.
pub(crate) struct State(AtomicU32);

impl State {
    pub(crate) fn new(snapshot: Snapshot) -> State {
        State(AtomicU32::new(snapshot.0))
    }

    /// Applies a transition. Writes even when nothing changes: a wake that finds the task
    /// scheduled must still publish what the waker's thread wrote to the thread that will run it.
    fn apply<A>(&self, transition: impl Fn(Snapshot) -> (Snapshot, A)) -> A {
        // Ordering: Relaxed, a guess that the exchange checks.
        let mut current = self.0.load(Relaxed);
        loop {
            let (next, action) = transition(Snapshot(current));
            // Ordering: AcqRel, pairs with itself in every other transition; publishes the future,
            // the output and the join slot to whoever the word makes their next owner, and what a
            // waker's thread wrote to the next poll. Failure Relaxed: only a better guess.
            match self
                .0
                .compare_exchange_weak(current, next.0, AcqRel, Relaxed)
            {
                Ok(_) => return action,
                Err(actual) => current = actual,
            }
        }
    }

    /// The present word. What `complete` published is visible if it says complete.
    pub(crate) fn load(&self) -> Snapshot {
        // Ordering: Acquire, pairs with `complete`; publishes the output.
        Snapshot(self.0.load(Acquire))
    }

    pub(crate) fn start(&self) -> Start {
        self.apply(Snapshot::start)
    }

    pub(crate) fn rest(&self) -> Rest {
        self.apply(Snapshot::rest)
    }

    pub(crate) fn complete(&self) -> Complete {
        self.apply(Snapshot::complete)
    }

    pub(crate) fn wake_by_ref(&self) -> Wake {
        self.apply(Snapshot::wake_by_ref)
    }

    pub(crate) fn wake_by_val(&self) -> Wake {
        self.apply(Snapshot::wake_by_val)
    }

    pub(crate) fn cancel(&self, side: bool) -> Wake {
        self.apply(|s| s.cancel(side))
    }

    pub(crate) fn drop_handle(&self, cancel: bool) -> DropHandle {
        self.apply(|s| s.drop_handle(cancel))
    }

    /// Gives the join slot to whoever completes the task. False if it is complete already: then
    /// the slot stays the handle's.
    #[must_use]
    pub(crate) fn set_join_waker(&self) -> bool {
        self.apply(|s| s.set_join_waker().map_or((s, false), |next| (next, true)))
    }

    /// Takes the join slot back for the handle. False if the task is complete: then the slot
    /// belongs to whoever completed it.
    #[must_use]
    pub(crate) fn unset_join_waker(&self) -> bool {
        self.apply(|s| s.unset_join_waker().map_or((s, false), |next| (next, true)))
    }

    pub(crate) fn close(&self) -> Close {
        self.apply(Snapshot::close)
    }

    /// Counts one more reference.
    pub(crate) fn retain(&self) {
        // Ordering: Relaxed, a reference is made from one that exists; passing it to another
        // thread is what synchronises.
        let before = Snapshot(self.0.fetch_add(REF, Relaxed));
        if before.refs() > MAX_REFS {
            std::process::abort();
        }
    }

    /// Gives references up.
    pub(crate) fn release(&self, refs: u32) -> Release {
        // Ordering: AcqRel, pairs with itself on other threads; whoever frees the cell has seen
        // every access that the other references made.
        let before = Snapshot(self.0.fetch_sub(refs * REF, AcqRel));
        before.minus_refs(refs).last()
    }
}
