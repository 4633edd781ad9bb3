//! The shim over `core` and `alloc`, and over `std` where there is one.

pub use alloc::sync::Arc;
pub use core::hint;
pub use core::sync::atomic;

#[cfg(feature = "std")]
#[path = "threads.rs"]
mod system;
#[cfg(not(feature = "std"))]
#[path = "bare.rs"]
mod system;

pub use system::*;

/// True under the model checker.
pub const IS_LOOM: bool = false;

/// `plain` in a program, `modelled` under the model checker: for capacities, which shrink there.
pub const fn choose(plain: usize, modelled: usize) -> usize {
    let _ = modelled;
    plain
}

/// Declares a function as `const` except under loom, whose types have no const constructors.
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$attr:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$attr])* $vis const fn $($rest)* };
}

/// The lock of a wait list.
pub use crate::spin::{SpinGuard as ListGuard, SpinLock as ListLock};

/// How long [`spin`] waits before it looks again, in pauses of the processor, and how often; each
/// wait is twice as long as the one before. 240 in all take a few microseconds, about as long as
/// going to sleep and being woken. The first wait is longer than most sections: each look takes the
/// cache line from the holder. (A first wait of one pause made contended rows slower by a third.)
const FIRST_WAIT: u32 = 16;
const LOOKS: u32 = 4;

/// A load that the same thread follows up with a store to the same word. See loom's.
#[inline]
pub fn load_before_store<T>(word: &atomic::AtomicPtr<T>, order: atomic::Ordering) -> *mut T {
    word.load(order)
}

/// Tries a few times, with pauses that grow. False if it never succeeded.
pub fn spin(mut succeeds: impl FnMut() -> bool) -> bool {
    (0..LOOKS).any(|look| {
        for _ in 0..FIRST_WAIT << look {
            hint::spin_loop();
        }
        succeeds()
    })
}

/// A cell whose every access is a closure, so that loom can check it.
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        UnsafeCell(core::cell::UnsafeCell::new(value))
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Calls `f` with a pointer that may be read through. Making the pointer is safe; using it is
    /// up to the caller's argument.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer that may be written through.
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Runs a model once, on real threads.
pub fn model(f: impl Fn() + Send + Sync + 'static) {
    f();
}

/// A model that must fail under loom, to prove that the shim is plugged in; not run otherwise,
/// where it may or may not fail.
pub fn model_must_fail(f: impl Fn() + Send + Sync + 'static) {
    drop(f);
}
