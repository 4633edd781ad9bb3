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

/// A load that the same thread follows up with a store to the same word. See loom's.
#[inline]
pub fn load_before_store<T>(word: &atomic::AtomicPtr<T>, order: atomic::Ordering) -> *mut T {
    word.load(order)
}

/// Tries so many times, after `first_wait` pauses of the processor and then twice as many each time.
/// False if it never succeeded.
pub fn spin(first_wait: u32, looks: u32, mut succeeds: impl FnMut() -> bool) -> bool {
    (0..looks).any(|look| {
        for _ in 0..first_wait << look {
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
