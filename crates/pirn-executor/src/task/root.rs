//! What a `run` waits for, as a task among the tasks: its waker is theirs, and it is queued as they
//! are; but it is polled by the `run`, whose turn the queue announces.

use super::cell::{Header, Ref, Schedule, VTable, scheduler, send, side, vacate};
use super::heap::Owner;
use super::label::Label;
use super::refs::Runnable;
use super::state::{Released, Rest, Snapshot, Start};
use super::waker::waker_of;
use pirn_core::shim::UnsafeCell;
use std::marker::PhantomData;
use std::task::Waker;

/// The slot of a root. Bound: all but its wakers stay on its thread.
#[repr(C)]
struct Cell {
    header: Header,
    turn: UnsafeCell<bool>,
}

/// A root, from the beginning of its `run` to its end.
pub(crate) struct Root<S: Schedule> {
    cell: Ref,
    stays: PhantomData<*const S>,
}

impl<S: Schedule> Root<S> {
    const VTABLE: &'static VTable = &VTable {
        is_root: true,
        // SAFETY: `new` made the cell; the caller has a reference.
        run: |cell| unsafe {
            run(cell);
            false
        },
        schedule: |cell| {
            // SAFETY: the caller's reference keeps the slot in use while the pointer is copied.
            let scheduler = unsafe { scheduler::<S>(cell) };
            S::schedule(&scheduler, Runnable::new(cell));
        },
        start: |_| unreachable!("a root is not spawned"),
        // It ends with its `run`.
        // SAFETY: the caller gives its reference up.
        close: |cell| unsafe { cell.release(1) },
        take_output: |_, _| unreachable!("a root has no handle"),
        drop_output: |_| unreachable!("a root has no handle"),
        send: send::<S>,
        free: vacate::<S>,
        side: side::<S>,
        admit: |_| unreachable!("a root is made at home"),
    };

    /// A root in a slot of `owner`'s heap, on the thread to which its tasks are bound; and its
    /// waker.
    pub(crate) fn new(owner: &mut Owner<S>) -> (Root<S>, Waker) {
        assert!(S::BOUND, "only one thread polls a root");
        let cell = owner.take(size_of::<Cell>());
        // SAFETY: the slot is vacant, large enough, and the owner's, which gave it to this
        // function. The root is born with two references, of which the waker takes one.
        let waker = unsafe {
            // Nobody asks where it was spawned.
            Header::fill(cell, Self::VTABLE, Label::next());
            let place = cell.as_ptr().cast_mut().cast::<Cell>();
            (&raw mut (*place).turn).write(UnsafeCell::new(false));
            cell.header().state.set(Snapshot::ROOT);
            waker_of(cell)
        };
        let stays = PhantomData;
        (Root { cell, stays }, waker)
    }

    /// Takes the turn, if it has come.
    #[inline]
    pub(crate) fn take_turn(&self) -> bool {
        // SAFETY: the root has a reference, and all who touch the turn are on its thread.
        unsafe { turn(self.cell).with_mut(|turn| std::mem::replace(&mut *turn, false)) }
    }
}

impl<S: Schedule> Drop for Root<S> {
    fn drop(&mut self) {
        // SAFETY: the root has a reference, which is given up; it is on its thread.
        unsafe {
            let _ = self.cell.header().state.complete(true);
            self.cell.release(1);
        }
    }
}

/// # Safety
///
/// The cell is a root's, and kept in use.
unsafe fn turn<'a>(cell: Ref) -> &'a UnsafeCell<bool> {
    // SAFETY: passed on.
    unsafe { &(*cell.as_ptr().cast::<Cell>()).turn }
}

/// # Safety
///
/// The cell is a root's, on its thread; the caller gives a reference up.
unsafe fn run(cell: Ref) {
    // SAFETY: the caller's reference, which is given up by `rest`, or by `start` if the root is
    // gone.
    unsafe {
        let state = &cell.header().state;
        match state.start(true) {
            Start::Poll | Start::Cancel => {
                turn(cell).with_mut(|turn| *turn = true);
                if state.rest(true) == Rest::Idle(Released::Last) {
                    cell.last(true);
                }
            }
            Start::Stale => cell.release(1),
        }
    }
}
