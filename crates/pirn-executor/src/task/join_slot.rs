//! Where a task keeps the waker of whoever joins it; and a slot without a task, the link to another.

use super::cell::Header;
use super::waker::WAKER_VTABLE;
use pirn_core::budget;
use pirn_core::budget::inspect::{self, Note};
use pirn_core::shim::UnsafeCell;
use pirn_core::wake::discard;
use std::mem::ManuallyDrop;
use std::task::Waker;

/// A place for the waker of whoever joins: one word. A waker of a task of ours is kept as its
/// pointer, any other one in a box, marked by the lowest bit.
pub(super) struct JoinSlot(UnsafeCell<*const ()>);

const BOXED: usize = 1;

impl JoinSlot {
    pub(super) fn empty() -> JoinSlot {
        JoinSlot(UnsafeCell::new(std::ptr::null()))
    }

    /// In a slot without a task: the link to another one.
    ///
    /// # Safety
    ///
    /// The slot is the caller's, and without a task.
    #[inline]
    pub(super) unsafe fn link(&self) -> *mut () {
        // SAFETY: the slot is the caller's.
        self.0.with(|word| unsafe { *word }).cast_mut()
    }

    /// # Safety
    ///
    /// As [`link`](Self::link).
    #[inline]
    pub(super) unsafe fn set_link(&self, next: *mut ()) {
        // SAFETY: the slot is the caller's.
        self.0.with_mut(|word| unsafe { *word = next });
    }

    /// # Safety
    ///
    /// The caller owns the slot, which holds no waker.
    unsafe fn put(&self, waker: Waker) {
        let word = match std::ptr::eq(waker.vtable(), &WAKER_VTABLE) {
            true => ManuallyDrop::new(waker).data(),
            false => {
                let boxed = Box::into_raw(Box::new(waker));
                boxed
                    .cast::<()>()
                    .cast_const()
                    .map_addr(|addr| addr | BOXED)
            }
        };
        // SAFETY: the caller owns the slot.
        self.0.with_mut(|slot| unsafe { *slot = word });
    }

    /// # Safety
    ///
    /// The caller owns the slot, which holds a waker; it holds none afterwards.
    pub(super) unsafe fn take(&self) -> Waker {
        // SAFETY: the caller owns the slot.
        let word = self.0.with(|slot| unsafe { *slot });
        if word.addr() & BOXED == 0 {
            // SAFETY: `put` forgot a waker with this pointer and this table.
            return unsafe { Waker::new(word, &WAKER_VTABLE) };
        }
        let boxed = word
            .cast_mut()
            .cast::<Waker>()
            .map_addr(|addr| addr & !BOXED);
        // SAFETY: `put` made it from a box.
        *unsafe { Box::from_raw(boxed) }
    }

    /// True if it is certain that the slot holds a waker of the same task.
    ///
    /// # Safety
    ///
    /// Nobody writes to the slot meanwhile, and it holds a waker.
    unsafe fn will_wake(&self, waker: &Waker) -> bool {
        // SAFETY: nobody writes to the slot.
        let word = self.0.with(|slot| unsafe { *slot });
        word == waker.data() && std::ptr::eq(waker.vtable(), &WAKER_VTABLE)
    }
}

impl Header {
    /// Registers the waker of the handle's poll. False if the task is complete.
    ///
    /// # Safety
    ///
    /// The caller is the handle; and the state may be changed, as `alone` says.
    pub(super) unsafe fn register(&self, alone: bool, waker: &Waker) -> bool {
        let state = self.state.load();
        if state.has_join_waker() {
            self.note_join();
            // SAFETY: only the handle, which is the caller, writes a waker, and whoever completes
            // the task leaves the word as it is.
            if unsafe { self.join.will_wake(waker) } {
                return !state.is_complete();
            }
        }
        // SAFETY: passed on.
        match unsafe { self.register_own(alone, waker.clone()) } {
            Ok(()) => true,
            Err(waker) => {
                discard(waker);
                false
            }
        }
    }

    /// For who [inspects](inspect): the task is awaited, still.
    #[cold]
    #[inline(never)]
    fn note_join(&self) {
        if budget::is_frozen() {
            inspect::note(Note::Task(self.id().get()));
        }
    }

    /// As `register`, with a waker to keep; gives it back if the task is complete.
    ///
    /// # Safety
    ///
    /// As [`register`](Self::register); or the caller acts for the handle.
    pub(super) unsafe fn register_own(&self, alone: bool, waker: Waker) -> Result<(), Waker> {
        let state = self.state.load();
        if state.is_complete() {
            return Err(waker);
        }
        let former = match state.has_join_waker() {
            true if !self.state.unset_join_waker(alone) => return Err(waker),
            // SAFETY: the transition gave the slot, which holds a waker, back to the handle.
            true => Some(unsafe { self.join.take() }),
            false => None,
        };
        // SAFETY: while `JOIN_WAKER` is unset and the task is not complete, the slot is the
        // handle's; it is empty, since a waker is in it only while the bit is set.
        unsafe { self.join.put(waker) };
        let registered = match self.state.set_join_waker(alone) {
            true => Ok(()),
            // SAFETY: the task was completed while the bit was unset, so the slot stays ours.
            false => Err(unsafe { self.join.take() }),
        };
        // Last, since it may be code of users.
        former.into_iter().for_each(discard);
        registered
    }
}
