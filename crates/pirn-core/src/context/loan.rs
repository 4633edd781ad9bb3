//! A scope that lies in a thread-local without a handle of its own: its unsafe code.
//!
//! The first poll of a child needs the scope around only if somebody asks there, and whoever polls it
//! has it anyway. A handle for that would be two exchanges on a word that all children share.

use crate::scope::Scope;
use crate::shim;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;

shim::per_thread! {
    // What lies here lives as long as it does. Never dropped, which makes reaching it cheaper.
    static LENT: ManuallyDrop<Place> = ManuallyDrop::new(Cell::new(None));
}

type Place = Cell<Option<ManuallyDrop<Scope>>>;

/// Calls `f` while `scope` lies here.
#[inline(always)]
pub(crate) fn during<R>(scope: &Scope, f: impl FnOnce() -> R) -> R {
    // SAFETY: the copy is never dropped, and only cloned. It is here until the end of this call at most,
    // since `End` takes it away, or a call inside of this one puts its own in its place; and as long as
    // this call lasts, the scope is borrowed.
    let copy = ManuallyDrop::new(unsafe { ptr::read(scope) });
    let _end = End;
    let _ = LENT.try_with(|lent| lent.set(Some(copy)));
    f()
}

/// A handle of what lies here.
pub(super) fn handle() -> Option<Scope> {
    let handle = |lent: &ManuallyDrop<Place>| {
        let copy = lent.take();
        let handle = copy.as_deref().cloned();
        lent.set(copy);
        handle
    };
    LENT.try_with(handle).ok().flatten()
}

/// Takes the scope away, if one lies here.
#[inline(always)]
pub(super) fn end() {
    let _ = LENT.try_with(|lent| lent.set(None));
}

/// Does so as a call ends, even by unwinding.
struct End;

impl Drop for End {
    #[inline(always)]
    fn drop(&mut self) {
        end();
    }
}
