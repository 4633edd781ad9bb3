//! The shim over loom. The same names as `plain.rs`.

use std::println;

pub use loom::cell::UnsafeCell;
/// loom's own, whose waits it knows. `pirn_core::block_on` has models of its own.
pub use loom::future::block_on;
pub use loom::hint;
pub use loom::sync::{Arc, MutexGuard, atomic};
pub use loom::thread;
pub use loom::thread_local;

/// True under the model checker.
pub const IS_LOOM: bool = true;

/// `plain` in a program, `modelled` under the model checker: for capacities, which shrink there.
pub const fn choose(plain: usize, modelled: usize) -> usize {
    let _ = plain;
    modelled
}

/// Declares a function as `const` except under loom, whose types have no const constructors.
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$attr:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$attr])* $vis fn $($rest)* };
}

/// Declares thread-locals: with a constant initialiser, except under loom, which has none, and
/// whose threads would share those of `std`.
#[doc(hidden)]
#[macro_export]
macro_rules! per_thread {
    ($(static $name:ident: $type:ty = $init:expr;)*) => {
        $crate::shim::thread_local! { $(static $name: $type = $init;)* }
    };
}
pub use crate::per_thread;

/// The lock of a wait list: loom's own, whose waiters it knows. `pirn_core::spin` has models of its
/// own.
pub use self::{Mutex as ListLock, MutexGuard as ListGuard};

/// A read-modify-write that changes nothing. loom remembers the last access to a word by each
/// thread alone: a load just before a store hides that another thread's load came between.
pub fn load_before_store<T>(word: &atomic::AtomicPtr<T>, order: atomic::Ordering) -> *mut T {
    let null = std::ptr::null_mut();
    let (Ok(word) | Err(word)) = word.compare_exchange(null, null, order, order);
    word
}

/// Does not try: loom gains nothing from it.
pub fn spin(_first_wait: u32, _looks: u32, _succeeds: impl FnMut() -> bool) -> bool {
    false
}

/// Lets the other threads go on.
pub fn back_off(_turn: u32) {
    thread::yield_now();
}

/// loom's mutex, without poisoning and with `plain.rs`'s interface.
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn into_inner(self) -> T {
        match self.0.into_inner() {
            Ok(value) => value,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// loom's condition variable over [`Mutex`].
pub struct Condvar(loom::sync::Condvar);

impl Default for Condvar {
    fn default() -> Self {
        Condvar::new()
    }
}

impl Condvar {
    pub fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        match self.0.wait(guard) {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// loom has no clock: waits until notified.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _limit: std::time::Duration,
    ) -> MutexGuard<'a, T> {
        self.wait(guard)
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Explores a model.
///
/// Preemption bound 2, or `LOOM_MAX_PREEMPTIONS` (at most 255, which is as good as none); branches
/// 100,000, or `LOOM_MAX_BRANCHES`; no time limit unless `LOOM_MAX_DURATION` (seconds) is set. Prints one line
/// `loom: executions=N seconds=S verdict=exhausted|capped`, which `cargo xtask loom` reads: loom
/// itself passes in silence when its time limit stops it.
pub fn model(f: impl Fn() + Send + Sync + 'static) {
    explore(f);
}

/// A model that must fail under loom, to prove that the shim is plugged in.
///
/// # Panics
///
/// If the model passes.
pub fn model_must_fail(f: impl Fn() + Send + Sync + 'static) {
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| explore(f))).is_err();
    assert!(
        failed,
        "this model must fail under loom; it passed, so the shim checks nothing"
    );
    println!("loom: executions=2 seconds=0.0 verdict=failed-as-it-must");
}

fn explore(f: impl Fn() + Send + Sync + 'static) {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let count = std::sync::Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    // From the environment, where it is set.
    builder.preemption_bound.get_or_insert(2);
    if std::env::var_os("LOOM_MAX_BRANCHES").is_none() {
        builder.max_branches = 100_000;
    }
    let started = std::time::Instant::now();
    let limit = builder.max_duration;
    builder.check(move || {
        // Ordering: a statistic; std's atomic on purpose, so that loom explores nothing in it.
        count.fetch_add(1, Relaxed);
        f();
    });
    let spent = started.elapsed();
    let verdict = match limit {
        Some(limit) if spent >= limit => "capped",
        _ => "exhausted",
    };
    println!(
        "loom: executions={} seconds={:.1} verdict={verdict}",
        // Ordering: every execution has ended.
        executions.load(Relaxed),
        spent.as_secs_f64(),
    );
}
