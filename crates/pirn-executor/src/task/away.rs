//! The second word of a bound task: what other threads count, and what they ask for.
//!
//! Only the thread of a current-thread executor, the task's *home*, changes the state word and
//! touches what hangs on it. Others count their references here, and note here what they want; the
//! first who notes something sends the cell to its home, which *settles* it: takes the notes and
//! the count, and does what is asked for as if it were asked at home.
//!
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `SENT` | the cell is on its way home, or about to be sent | `ask`, `release` | `settle`; `unsend`, if its home takes in nothing any more |
//! | `WAKE` | wake the task | `ask` | `settle`, `merge` |
//! | `CANCEL` | deliver a cancel request; its cause, if it has one, is in the side table | `ask` | `settle`, `merge` |
//! | `LET_GO` | the handle is gone, and gives its reference up | `ask` | `settle`, `merge` |
//! | `ABANDON` | and the task is to be cancelled for that | `ask` | `settle`, `merge` |
//! | `JOIN` | the waker in the side table waits for the end | `ask` | `settle`, `merge` |
//! | `BORN` | the task was spawned elsewhere, and is to be taken in and queued | at birth | `settle` |
//! | `MERGED` | all references are counted here, and who gives the last one up frees the cell; implies that the task is complete, or that its handle is nobody's yet | `merge`, `run_out` | never |
//! | the rest | references counted here; before `MERGED` fewer than none if those of home were given up elsewhere | | |
//!
//! # Why no reference is lost, and none given up twice
//!
//! There are as many references as both words count together; which word counts one, says nothing
//! about where it is. Before `MERGED` only home frees the cell, when both counts are zero and it is
//! not on its way; it looks when its own count has run out and when it has settled. If elsewhere the
//! count falls below zero, home may have a count that nobody there will ever give up: so the cell is
//! sent home, where the counts are put together. If home's own count runs out while others are
//! left, it takes those that are counted here, as long as the task lives or the cell is on its way;
//! otherwise it merges the words, and is out of the play. So home, before `MERGED`, never has a
//! reference to give up and none counted.
//!
//! Who takes the last reference home has seen all counts made elsewhere before (they travel with
//! the reference, or with the cell): so a look that finds home's count and this word zero needs no
//! read-modify-write to be true.
//!
//! When the executor goes it refuses what is sent, settles what it has, ends its tasks, and merges
//! the words of every cell that is left: from then on all threads are alike. Who is refused takes
//! `SENT` back; what it noted before the merge, the merge has found, and after it there is nothing
//! to ask for.

use super::state::{guess, too_many_references};
use pirn_core::shim::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

pub(super) const WAKE: u32 = 1;
pub(super) const CANCEL: u32 = 1 << 1;
pub(super) const LET_GO: u32 = 1 << 2;
pub(super) const ABANDON: u32 = 1 << 3;
pub(super) const JOIN: u32 = 1 << 4;
pub(super) const BORN: u32 = 1 << 5;
const SENT: u32 = 1 << 6;
const MERGED: u32 = 1 << 7;
const FLAGS: u32 = ONE - 1;
const ONE: u32 = 1 << 8;

/// With more the process aborts, as in `state`.
const MAX_REFS: i32 = i32::MAX / ONE as i32 - (1 << 16);

/// The word as it was at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Note(u32);

/// What whoever changed the word does.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// Nothing.
    Nothing,
    /// Send the cell home; if that is refused, `unsend`.
    Send,
    /// Free the cell: this was the last reference.
    Free,
}

/// What home does that settles a cell.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    asked: u32,
    /// To be added to home's count.
    pub(super) refs: i32,
}

/// What home does whose count has run out.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RunOut {
    /// Free the cell: nobody has a reference.
    Free,
    /// Count these; if they are none, leave the cell to the settlement that is to come.
    Count(i32),
    /// Nothing: the words are merged.
    Merged,
}

impl Settled {
    pub(super) fn asks(&self, flag: u32) -> bool {
        self.asked & flag != 0
    }
}

impl Note {
    fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    fn refs(self) -> i32 {
        self.0 as i32 >> FLAGS.count_ones()
    }

    fn plus_refs(self, refs: i32) -> Note {
        Note(self.0.wrapping_add_signed(refs * ONE as i32))
    }

    fn settled(self) -> Settled {
        Settled {
            asked: self.0 & (WAKE | CANCEL | LET_GO | ABANDON | JOIN | BORN),
            refs: self.refs(),
        }
    }

    /// Nobody has a reference any more, nor will come back to the word.
    fn is_over(self) -> bool {
        self.has(MERGED) && self.refs() == 0 && !self.has(SENT)
    }

    fn freed_or(self, otherwise: Away) -> Away {
        match self.is_over() {
            true => Away::Free,
            false => otherwise,
        }
    }

    fn release(self) -> (Note, Away) {
        let next = self.plus_refs(-1);
        if next.has(MERGED | SENT) || next.refs() >= 0 {
            return (next, next.freed_or(Away::Nothing));
        }
        (Note(next.0 | SENT), Away::Send)
    }

    fn ask(self, flags: u32, refs: i32) -> Option<(Note, Away)> {
        if self.has(MERGED) {
            return None;
        }
        let next = Note(self.0 | flags | SENT).plus_refs(-refs);
        let action = match self.has(SENT) {
            true => Away::Nothing,
            false => Away::Send,
        };
        Some((next, action))
    }

    fn without_refs(self) -> (Note, RunOut) {
        (Note(self.0 & FLAGS), RunOut::Count(self.refs()))
    }

    fn unsend(self) -> (Note, Away) {
        let next = Note(self.0 & !SENT);
        (next, next.freed_or(Away::Nothing))
    }

    fn merge(self, refs: u32) -> (Note, (Settled, Away)) {
        if self.refs() + refs as i32 > MAX_REFS {
            too_many_references();
        }
        let next = Note(self.0 & !(FLAGS & !SENT) | MERGED).plus_refs(refs as i32);
        let settled = Settled {
            refs: 0,
            ..self.settled()
        };
        (next, (settled, next.freed_or(Away::Nothing)))
    }
}

/// The word itself.
pub(super) struct Word(AtomicU32);

impl Word {
    pub(super) fn new() -> Word {
        Word(AtomicU32::new(0))
    }

    /// Of a cell that was just made or is being freed: nobody else has it.
    pub(super) fn reset(&self, born_elsewhere: bool) {
        let word = if born_elsewhere { BORN | SENT } else { 0 };
        // Ordering: Relaxed, nobody else has the cell.
        self.0.store(word, Relaxed);
    }

    fn apply<A>(&self, transition: impl Fn(Note) -> (Note, A)) -> A {
        // Ordering: Relaxed, a guess that the exchange checks.
        let mut current = guess(&self.0);
        loop {
            let (next, action) = transition(Note(current));
            // Ordering: AcqRel, pairs with itself in every other transition; publishes what a
            // waker's thread wrote to the next poll, and every use of the cell to whoever frees it.
            // Failure Relaxed: only a better guess.
            match self
                .0
                .compare_exchange_weak(current, next.0, AcqRel, Relaxed)
            {
                Ok(_) => return action,
                Err(actual) => current = actual,
            }
        }
    }

    /// Counts one more reference.
    pub(super) fn retain(&self) {
        // Ordering: Relaxed, a reference is made from one that exists; passing it to another
        // thread is what synchronises.
        let before = Note(self.0.fetch_add(ONE, Relaxed));
        if before.refs() >= MAX_REFS {
            too_many_references();
        }
    }

    /// Gives one reference up.
    pub(super) fn release(&self) -> Away {
        self.apply(Note::release)
    }

    /// Asks home for something, and gives `refs` references up. `None` if the words are merged:
    /// the task is complete, and nothing was done.
    pub(super) fn ask(&self, flags: u32, refs: i32) -> Option<Away> {
        self.apply(|note| match note.ask(flags, refs) {
            Some((next, action)) => (next, Some(action)),
            None => (note, None),
        })
    }

    /// True if home was asked to join, and has not settled that. At home, by the handle.
    #[inline]
    pub(super) fn asks_to_join(&self) -> bool {
        // Ordering: Relaxed, the handle itself has asked, and has come home since.
        Note(self.0.load(Relaxed)).has(JOIN)
    }

    /// Takes back that the cell is on its way: home took it in no more.
    pub(super) fn unsend(&self) -> Away {
        self.apply(Note::unsend)
    }

    /// At home, to which the cell was sent: takes what is noted.
    pub(super) fn settle(&self) -> Settled {
        // Ordering: Acquire, pairs with the AcqRel in `apply`. It publishes nothing: whoever frees
        // the cell elsewhere has seen `merge`, which comes later.
        let before = Note(self.0.swap(0, Acquire));
        debug_assert!(!before.has(MERGED), "a merged cell is not sent home");
        before.settled()
    }

    /// At home, whose executor goes: counts home's references here, and takes what is noted.
    pub(super) fn merge(&self, refs: u32) -> (Settled, Away) {
        self.apply(|note| note.merge(refs))
    }

    /// True if nothing is counted or noted here. At home, whose count has come to zero, that means
    /// that nobody has a reference.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        // Ordering: Acquire, pairs with the AcqRel in `apply`: every use of the cell has been.
        self.0.load(Acquire) == 0
    }

    /// At home, whose count has run out, and who has marked the state as merged if the task is
    /// complete.
    pub(super) fn run_out(&self, complete: bool) -> RunOut {
        self.apply(|note| match note {
            Note(0) if complete => (note, RunOut::Free),
            _ if complete && !note.has(SENT) => (Note(note.0 | MERGED), RunOut::Merged),
            _ => note.without_refs(),
        })
    }

    /// At home: takes the references that are counted here, to be counted there.
    pub(super) fn take_refs(&self) -> i32 {
        match self.apply(Note::without_refs) {
            RunOut::Count(refs) => refs,
            RunOut::Free | RunOut::Merged => 0,
        }
    }
}
