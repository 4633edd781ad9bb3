//! What the leaves of a task wait for, found out by polling it once more.
//!
//! Hidden from the docs and exempt from semver: it serves pirn-sim, whose report of a deadlock says
//! what each task waits for. While this thread inspects, its budget is frozen, as it is in a cancelled
//! body, so that no leaf goes on; and a leaf that stays pending for that reason says what it is. What
//! polls only parts of a task that were woken, or in a cancelled body none, polls them all then. Who
//! does not inspect pays next to nothing: the notes are made where a frozen budget, or a second poll with
//! the same waker, has led already, and a pass through a set of futures looks at the budget once more.

use super::{BUDGET, FROZEN, Refilled, left};
use crate::context::Frame;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::vec::Vec;

std::thread_local! {
    static NOTES: RefCell<Option<Vec<Note>>> = const { RefCell::new(None) };
    static RATION: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Said for a part of a task that went on when it was asked.
pub const LOST: &str = "a wake-up that was lost (it goes on if it is polled)";

/// What a leaf has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Its policy, by the name of the type; and the address of its wait list, which tells two of one
    /// kind apart.
    Policy(&'static str, usize),
    /// The place in its code at which it spends the budget.
    Place(&'static Location<'static>),
    /// In words.
    Words(&'static str),
    /// It joins the task of this number.
    Task(u64),
}

/// This thread inspects until it is dropped.
#[derive(Debug)]
#[must_use = "the inspection ends with the guard"]
pub struct Inspecting {
    _frozen: Refilled,
}

/// Begins to inspect.
pub fn begin() -> Inspecting {
    NOTES.set(Some(Vec::new()));
    Inspecting {
        _frozen: Refilled(left::replace(FROZEN)),
    }
}

impl Drop for Inspecting {
    fn drop(&mut self) {
        NOTES.set(None);
    }
}

/// True while this thread inspects.
#[cold]
pub fn is_on() -> bool {
    NOTES
        .try_with(|notes| notes.borrow().is_some())
        .unwrap_or_default()
}

/// True while this thread inspects, and the body that it polls goes on where nobody inspects: what is not
/// polled in a cancelled body, which is as frozen, is polled then.
#[cold]
#[inline(never)]
pub fn asks() -> bool {
    is_on() && !Frame::is_winding()
}

/// What was noted since the last call.
pub fn take() -> Vec<Note> {
    NOTES.with_borrow_mut(|notes| notes.as_mut().map(std::mem::take).unwrap_or_default())
}

/// Notes what a leaf waits for. False, and nothing is noted, if this thread does not inspect.
#[cold]
pub fn note(note: Note) -> bool {
    let noted = NOTES.try_with(|notes| {
        let mut notes = notes.borrow_mut();
        notes.as_mut().map(|notes| notes.push(note)).is_some()
    });
    noted.unwrap_or_default()
}

/// Says in words what a leaf waits for, which is about to be pending. For those that are asked seldom:
/// it costs a look at the budget.
#[inline]
pub fn say(words: &'static str) {
    if super::is_frozen() {
        note(Note::Words(words));
    }
}

/// What the next [`refill`] on this thread gives, if that is not [`BUDGET`].
pub fn ration(units: u32) {
    RATION.set(Some(units));
}

/// As [`refill`](super::refill), for polls that may be looked into, or have a [`ration`].
#[cold]
#[inline(never)]
pub fn refill() -> Refilled {
    let units = match is_on() {
        true => FROZEN,
        false => RATION.take().unwrap_or(BUDGET),
    };
    Refilled(left::replace(units))
}
