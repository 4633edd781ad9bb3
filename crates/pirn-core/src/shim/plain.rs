//! The shim over `std`.

use std::sync::PoisonError;

pub use std::hint;
pub use std::sync::{Arc, MutexGuard, atomic};
pub use std::thread;
pub use std::thread_local;

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

/// Declares thread-locals: with a constant initialiser, except under loom, which has none, and
/// whose threads would share those of `std`.
#[doc(hidden)]
#[macro_export]
macro_rules! per_thread {
    ($(static $name:ident: $type:ty = $init:expr;)*) => {
        std::thread_local! { $(static $name: $type = const { $init };)* }
    };
}
pub use crate::per_thread;

/// Drives a future on this thread.
pub use crate::block_on::block_on;

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

/// Gives the processor away, for longer after many turns.
pub fn back_off(turn: u32) {
    match turn {
        0..16 => thread::yield_now(),
        _ => thread::sleep(std::time::Duration::from_micros(50)),
    }
}

/// `std`'s mutex without poisoning: a panic inside a critical section of ours is a bug, and user
/// code never runs in one.
///
/// It spins before it sleeps, however many sleep already. `std`'s does not spin once somebody
/// sleeps; with sections as short as ours that one sleep makes a convoy, in which each thread goes
/// to sleep at each turn.
#[derive(Default)]
pub struct Mutex<T: ?Sized>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Mutex<T> {
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(),
        }
    }

    #[cold]
    fn lock_contended(&self) -> MutexGuard<'_, T> {
        let mut guard = None;
        spin(|| {
            guard = self.try_lock();
            guard.is_some()
        });
        guard.unwrap_or_else(|| self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}

/// `std`'s condition variable over [`Mutex`].
#[derive(Default)]
pub struct Condvar(std::sync::Condvar);

impl Condvar {
    pub const fn new() -> Self {
        Condvar(std::sync::Condvar::new())
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at most `limit`. Under loom, which has no clock, it waits until notified.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: std::time::Duration,
    ) -> MutexGuard<'a, T> {
        match self.0.wait_timeout(guard, limit) {
            Ok((guard, _)) => guard,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A cell whose every access is a closure, so that loom can check it.
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
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
