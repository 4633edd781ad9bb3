//! The state word of a task, and every transition it can make.
//!
//! A transition is a pure function from a [`Snapshot`] to the next one and an action; [`State`]
//! applies it and hands out the action, which the caller must obey. Nothing here touches anything
//! but the word.
//!
//! Tasks of a pool are changed by any thread, by compare-exchange. Those of a current-thread
//! executor are *bound*: only its thread changes the word, by plain loads and stores; what other
//! threads want of the task, they note in another word ([`away`](super::away)).
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
//! | `SIDE` | the scheduler's side table may have an entry for the task | at birth, `cancel` | never |
//! | `CLOSED` | the executor is gone: whoever owns the future drops it; implies `RUNNING` or `COMPLETE` | `close` | never |
//! | `MERGED` | of a bound task: its references are counted in the other word, all of them; implies `COMPLETE`, or `CLOSED` in an eager first poll | `merge` | never |
//! | the rest | how many references there are; of a bound task, without those counted in the other word | | |
//!
//! All zero: the slot is vacant.
//!
//! # References
//!
//! One each for: the scheduler, until the task is complete; the `Runnable`, which becomes the running
//! thread's; the handle; each waker.
//!
//! ```text
//!            wake                start                 complete
//!   idle ───────────▶ scheduled ───────▶ running ─────────────────▶ complete
//!    ▲                    ▲                │ │
//!    │                    └── rest, woken ─┘ │
//!    └──────────── rest ─────────────────────┘
//! ```

use pirn_core::shim::IS_LOOM;
use pirn_core::shim::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

const SCHEDULED: u32 = 1;
const RUNNING: u32 = 1 << 1;
const COMPLETE: u32 = 1 << 2;
const HANDLE: u32 = 1 << 3;
const JOIN_WAKER: u32 = 1 << 4;
const CANCEL: u32 = 1 << 5;
const SIDE: u32 = 1 << 6;
const CLOSED: u32 = 1 << 7;
const MERGED: u32 = 1 << 8;
const REF: u32 = 1 << 9;

/// With more references the process aborts, as with `Arc`, before the count can wrap: there is room
/// for one more from as many threads as will ever be at it at once.
const MAX_REFS: u32 = u32::MAX / REF - (1 << 16);

/// Ends the process: to forget a reference, or to wrap a count, would be worse.
#[cold]
pub(super) fn too_many_references() -> ! {
    eprintln!("pirn: more than {MAX_REFS} wakers of one task at a time; the process ends");
    std::process::abort()
}

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
    /// Give the reference up: somebody else ended the task.
    Stale,
}

/// What the thread that polled the future does when that was pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing more: the future and the reference are given up.
    Idle(Released),
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
pub(crate) enum Released {
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
    /// A slot without a task.
    pub(crate) const VACANT: Snapshot = Snapshot(0);

    /// What a `run` waits for: idle, with a reference for that `run` and one for its wakers.
    pub(crate) const ROOT: Snapshot = Snapshot(2 * REF);

    /// A task that was just made: owned, queued, with a handle.
    pub(crate) const fn born(side: bool) -> Snapshot {
        Snapshot(SCHEDULED | HANDLE | if side { SIDE } else { 0 } | (3 * REF))
    }

    /// As [`born`](Self::born), without a handle.
    pub(crate) const fn born_detached(side: bool) -> Snapshot {
        Snapshot(SCHEDULED | if side { SIDE } else { 0 } | (2 * REF))
    }

    pub(crate) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(crate) fn has_handle(self) -> bool {
        self.has(HANDLE)
    }

    pub(crate) fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }

    pub(crate) fn has_side(self) -> bool {
        self.0 & SIDE != 0
    }

    pub(crate) fn is_merged(self) -> bool {
        self.has(MERGED)
    }

    /// There is a task that has not ended, nor has seen the end of its executor: then its references are
    /// counted elsewhere.
    pub(crate) fn is_live(self) -> bool {
        self != Snapshot::VACANT && !self.has(COMPLETE | MERGED)
    }

    pub(crate) fn refs(self) -> u32 {
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

    fn last(self) -> Released {
        match self.refs() {
            0 => Released::Last,
            _ => Released::Shared,
        }
    }

    fn start(self) -> (Snapshot, Start) {
        if self.has(COMPLETE | RUNNING) {
            return (self, Start::Stale);
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
            let next = self.without(RUNNING).minus_refs(1);
            (next, Rest::Idle(next.last()))
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
            Released::Last => (next, Wake::Free),
            Released::Shared => (next, Wake::Nothing),
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

/// What a transition begins with: a load, to be followed by a write. In models an exchange, which
/// changes nothing: loom remembers the last access to a word by each thread alone, and a load just
/// before a write would hide that another thread's load came between.
#[inline]
pub(super) fn guess(word: &AtomicU32) -> u32 {
    // Ordering: Relaxed, as the callers say.
    match IS_LOOM {
        true => word.fetch_add(0, Relaxed),
        false => word.load(Relaxed),
    }
}

/// The word itself.
///
/// `alone`: the task is bound, and this is its thread.
pub(crate) struct State(AtomicU32);

impl State {
    pub(crate) fn new(snapshot: Snapshot) -> State {
        State(AtomicU32::new(snapshot.0))
    }

    /// Puts a task into a vacant slot, after the rest of the cell was written; or takes it out.
    pub(crate) fn set(&self, snapshot: Snapshot) {
        // Ordering: Release, pairs with the Acquire in `share`; publishes the cell.
        self.0.store(snapshot.0, Release);
    }

    /// Applies a transition. Writes even when nothing changes: a wake that finds the task
    /// scheduled must still publish what the waker's thread wrote to the thread that will run it.
    #[inline]
    fn apply<A>(&self, alone: bool, transition: impl Fn(Snapshot) -> (Snapshot, A)) -> A {
        // Ordering: Relaxed, a guess that the exchange checks; or written by this thread.
        let mut current = guess(&self.0);
        loop {
            let (next, action) = transition(Snapshot(current));
            if alone {
                // Ordering: Release, pairs with the Acquire in `load`; publishes the output.
                self.0.store(next.0, Release);
                return action;
            }
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
    #[inline]
    pub(crate) fn load(&self) -> Snapshot {
        // Ordering: Acquire, pairs with `complete`; publishes the output.
        Snapshot(self.0.load(Acquire))
    }

    #[inline]
    pub(crate) fn start(&self, alone: bool) -> Start {
        self.apply(alone, Snapshot::start)
    }

    #[inline]
    pub(crate) fn rest(&self, alone: bool) -> Rest {
        self.apply(alone, Snapshot::rest)
    }

    #[inline]
    pub(crate) fn complete(&self, alone: bool) -> Complete {
        self.apply(alone, Snapshot::complete)
    }

    #[inline]
    pub(crate) fn wake_by_ref(&self, alone: bool) -> Wake {
        self.apply(alone, Snapshot::wake_by_ref)
    }

    #[inline]
    pub(crate) fn wake_by_val(&self, alone: bool) -> Wake {
        self.apply(alone, Snapshot::wake_by_val)
    }

    pub(crate) fn cancel(&self, alone: bool, side: bool) -> Wake {
        self.apply(alone, |s| s.cancel(side))
    }

    #[inline]
    pub(crate) fn drop_handle(&self, alone: bool, cancel: bool) -> DropHandle {
        self.apply(alone, |s| s.drop_handle(cancel))
    }

    /// Gives the join slot to whoever completes the task. False if it is complete already: then
    /// the slot stays the handle's.
    #[must_use]
    pub(crate) fn set_join_waker(&self, alone: bool) -> bool {
        self.apply(alone, |s| {
            s.set_join_waker().map_or((s, false), |next| (next, true))
        })
    }

    /// Takes the join slot back for the handle. False if the task is complete: then the slot
    /// belongs to whoever completed it.
    #[must_use]
    pub(crate) fn unset_join_waker(&self, alone: bool) -> bool {
        self.apply(alone, |s| {
            s.unset_join_waker().map_or((s, false), |next| (next, true))
        })
    }

    pub(crate) fn close(&self, alone: bool) -> Close {
        self.apply(alone, Snapshot::close)
    }

    /// Of a bound task that has ended, on its thread: counts no references here any more, and
    /// gives how many there were. Or of one that drops its executor in the poll that it gets as it
    /// is spawned, and will be ended after that: as yet nobody has its handle.
    pub(crate) fn merge(&self) -> u32 {
        self.apply(true, |s| {
            debug_assert!(s.has(COMPLETE | CLOSED), "a task that lives has its home");
            (s.minus_refs(s.refs()).with(MERGED), s.refs())
        })
    }

    /// Takes a `merge` of no references back.
    pub(crate) fn unmerge(&self) {
        self.apply(true, |s| (s.without(MERGED), ()));
    }

    /// Of a bound task, on its thread: counts `refs` more references, or fewer, here.
    pub(crate) fn adjust(&self, refs: i32) {
        self.apply(true, |s| {
            let refs = s.refs().saturating_add_signed(refs);
            if refs > MAX_REFS {
                too_many_references();
            }
            (Snapshot(s.0 % REF + refs * REF), ())
        });
    }

    /// Counts one more reference.
    #[inline]
    pub(crate) fn retain(&self, alone: bool) {
        let before = match alone {
            true => self.apply(true, |s| (s.plus_ref(), s)),
            // Ordering: Relaxed, a reference is made from one that exists; passing it to another
            // thread is what synchronises.
            false => Snapshot(self.0.fetch_add(REF, Relaxed)),
        };
        if before.refs() >= MAX_REFS {
            too_many_references();
        }
    }

    /// Counts one more reference to a task that has not ended, without having one. False if there
    /// is none.
    pub(crate) fn share(&self, alone: bool) -> bool {
        if alone {
            // Ordering: Acquire, pairs with the Release in `set`: the cell is visible, also where it was
            // not written at home, since the task was spawned elsewhere.
            let is_live = Snapshot(self.0.load(Acquire)).is_live();
            if is_live {
                self.retain(true);
            }
            return is_live;
        }
        // Ordering: Relaxed, a guess that the exchange checks.
        let mut current = self.0.load(Relaxed);
        loop {
            if !Snapshot(current).is_live() {
                return false;
            }
            let next = Snapshot(current).plus_ref();
            // Ordering: Acquire, pairs with the Release in `set`: the cell is visible. Failure
            // Relaxed: only a better guess.
            match self
                .0
                .compare_exchange_weak(current, next.0, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(actual) => current = actual,
            }
        }
    }

    /// Gives references up.
    #[inline]
    pub(crate) fn release(&self, alone: bool, refs: u32) -> Released {
        if alone {
            return self.apply(true, |s| {
                let next = s.minus_refs(refs);
                (next, next.last())
            });
        }
        // Ordering: AcqRel, pairs with itself on other threads; whoever frees the cell has seen
        // every access that the other references made.
        let before = Snapshot(self.0.fetch_sub(refs * REF, AcqRel));
        before.minus_refs(refs).last()
    }
}
