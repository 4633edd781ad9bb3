//! What is left of the budget of this thread's poll.

use super::inspect::{self, Note};
use super::{FROZEN, Refilled, UNBOUNDED};
use crate::shim;
use std::cell::Cell;
use std::panic::Location;

shim::per_thread! {
    static LEFT: Cell<u32> = Cell::new(UNBOUNDED);
}

#[inline]
pub(super) fn get() -> u32 {
    LEFT.with(Cell::get)
}

#[inline]
pub(super) fn set(units: u32) {
    LEFT.with(|left| left.set(units));
}

#[inline]
pub(super) fn replace(units: u32) -> u32 {
    LEFT.with(|left| left.replace(units))
}

/// Lets every leaf stay pending until the guard is dropped.
pub(crate) fn freeze() -> Refilled {
    Refilled(replace(FROZEN))
}

/// Lifts the bound: for what must be looked at however much was spent, such as a deadline.
pub(crate) fn lift() -> Refilled {
    Refilled(replace(UNBOUNDED))
}

/// True if this thread [inspects](inspect), whose budget is frozen.
#[cold]
#[inline(never)]
pub(super) fn is_asked() -> bool {
    inspect::is_on()
}

/// For who [inspects](inspect): a part of the task has ended as it was polled, and nobody had woken it.
#[cold]
#[inline(never)]
pub(crate) fn note_lost() {
    inspect::note(Note::Words(inspect::LOST));
}

/// For who [inspects](inspect): a leaf waits in `list`, whose policy bears that name. False if nobody
/// inspects.
#[cold]
#[inline(never)]
pub(crate) fn note_policy(name: fn() -> &'static str, list: *const ()) -> bool {
    inspect::note(Note::Policy(name(), list.addr()))
}

/// For who [inspects](inspect): the leaf that calls this waits.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn note_place() {
    inspect::note(Note::Place(Location::caller()));
}
