//! What of the shim needs threads: theirs are `std`'s.

use super::spin;
use std::sync::PoisonError;

pub use std::sync::MutexGuard;
pub use std::thread;
pub use std::thread_local;

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

/// How long who finds a mutex locked waits before it looks again, in pauses of the processor, and how
/// often; each wait is twice as long as the one before. 240 in all take a few microseconds, about as
/// long as going to sleep and being woken. The first wait is longer than most sections: each look
/// takes the cache line from the holder. (A first wait of one pause made contended rows slower by a
/// third, one of 64 `executor.remote_wake_1000.2`.)
const FIRST_WAIT: u32 = 16;
const LOOKS: u32 = 4;

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
        spin(FIRST_WAIT, LOOKS, || {
            guard = self.try_lock();
            guard.is_some()
        });
        guard.unwrap_or_else(|| self.sleep())
    }

    #[cfg(not(pirn_tsan))]
    fn sleep(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// ThreadSanitizer sees the quick way into `std`'s mutex, which is compiled with us, but not what
    /// is done there after a sleep.
    #[cfg(pirn_tsan)]
    fn sleep(&self) -> MutexGuard<'_, T> {
        let mut turn = 0;
        loop {
            back_off(turn);
            turn += 1;
            if let Some(guard) = self.try_lock() {
                return guard;
            }
        }
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
