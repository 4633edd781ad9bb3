//! Where the value of a cell is written and read: the unsafe code of [`OnceCell`].

use super::{FULL, OnceCell, Turn};
use pirn_core::const_unless_loom;
use pirn_core::shim::UnsafeCell;

/// The value. Written by whoever has the turn, read by those who saw that the cell is full, touched
/// by others only through `&mut`.
pub(super) struct Slot<T>(UnsafeCell<Option<T>>);

impl<T> Slot<T> {
    const_unless_loom! {
        pub(super) fn new(value: Option<T>) -> Self {
            Slot(UnsafeCell::new(value))
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut Option<T> {
        // SAFETY: `&mut self` is the only reference to the value, and is borrowed as long.
        self.0.with_mut(|value| unsafe { &mut *value })
    }

    pub(super) fn into_inner(self) -> Option<T> {
        self.0.into_inner()
    }
}

impl<T> OnceCell<T> {
    #[inline]
    pub(super) fn value(&self) -> Option<&T> {
        if !self.list.policy().is_full() {
            return None;
        }
        // SAFETY: only who has the turn writes through a shared cell; what it wrote came before the
        // word was `FULL`, as was just seen, and a full cell gives no turn. `take` and `get_mut`
        // need `&mut`, which `&self` excludes for as long as the value is borrowed.
        let value = self.slot.0.with(|value| unsafe { (*value).as_ref() });
        // SAFETY: the word is `FULL` only while there is a value: who makes it so wrote one before, and
        // `take` takes both away.
        Some(unsafe { value.unwrap_unchecked() })
    }
}

impl<'a, T> Turn<'a, T> {
    pub(super) fn fill(mut self, value: T) -> &'a T {
        let cell = self.cell;
        // SAFETY: one at a time has the turn, and nobody reads before the word is `FULL`, which it
        // becomes as this is dropped. What is overwritten is `None`: a full cell gives no turn.
        cell.slot.0.with_mut(|slot| unsafe { *slot = Some(value) });
        self.end = FULL;
        drop(self);
        cell.there()
    }
}

// SAFETY: a shared cell gives `&T` to many threads, and takes a `T` of one thread that another then
// drops or takes out.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}
