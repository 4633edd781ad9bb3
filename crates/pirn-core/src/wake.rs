//! Waking many, after unlocking.
//!
//! A waker is code of users, and may panic. That goes to the [hook](crate::report::set_hook), and who
//! woke goes on. Without the feature `std` a panic cannot be caught: one of a waker ends the program.

use core::task::Waker;

#[cfg(feature = "std")]
#[path = "wake/reported.rs"]
mod boundary;
#[cfg(not(feature = "std"))]
#[path = "wake/fatal.rs"]
mod boundary;

/// Wakes one waker. A panic in it does not come out of here, so the other wakes are still delivered.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Wake, Waker};
///
/// struct Loud;
/// impl Wake for Loud {
///     fn wake(self: Arc<Self>) {
///         panic!("this goes to the hook");
///     }
/// }
/// let loud = Arc::new(Loud);
/// pirn_core::wake::wake(Waker::from(Arc::clone(&loud)));
/// assert_eq!(Arc::strong_count(&loud), 1);
/// ```
pub fn wake(waker: Waker) {
    boundary::call(|| waker.wake());
}

/// Drops a waker that need not be woken, if there is one. A panic of its destructor does not come out of here.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Wake, Waker};
///
/// struct Loud;
/// impl Wake for Loud {
///     fn wake(self: Arc<Self>) {}
/// }
/// impl Drop for Loud {
///     fn drop(&mut self) {
///         panic!("this goes to the hook");
///     }
/// }
/// let loud = Arc::new(Loud);
/// let here = Arc::downgrade(&loud);
/// pirn_core::wake::discard(Waker::from(loud));
/// assert!(here.upgrade().is_none());
/// ```
#[inline]
pub fn discard(waker: impl Into<Option<Waker>>) {
    if let Some(waker) = waker.into() {
        boundary::call(|| drop(waker));
    }
}

/// Which waker it is, without keeping it: for who knows otherwise that it still lives.
///
/// Of two wakers that live, those with the same identity [wake](Waker::will_wake) the same task. Of
/// one that is gone, another may have the identity now.
///
/// # Examples
///
/// ```
/// use pirn_core::wake::Identity;
/// use std::task::Waker;
///
/// let waker = Waker::noop();
/// assert_eq!(Identity::of(waker), Identity::of(&waker.clone()));
/// assert_ne!(Identity::of(waker), Identity::NOBODY);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(usize, usize);

impl Identity {
    /// That of no waker.
    pub const NOBODY: Identity = Identity(0, 0);

    /// That of `waker`.
    pub fn of(waker: &Waker) -> Identity {
        let vtable = core::ptr::from_ref(waker.vtable());
        Identity(waker.data().addr(), vtable.addr())
    }
}

/// Wakers taken out under a lock, to be woken after it is released.
///
/// Holds [`WakeBatch::CAPACITY`] in place; whoever fills it unlocks, wakes and locks again. Waking
/// happens on [`wake_all`](Self::wake_all) or on drop, in the order of `push`.
///
/// # Examples
///
/// ```
/// use pirn_core::wake::WakeBatch;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use std::task::Wake;
///
/// struct Count(AtomicUsize);
/// impl Wake for Count {
///     fn wake(self: Arc<Self>) {
///         self.0.fetch_add(1, Relaxed);
///     }
/// }
/// let count = Arc::new(Count(AtomicUsize::new(0)));
/// let mut batch = WakeBatch::new();
/// batch.push(count.clone().into());
/// assert_eq!(count.0.load(Relaxed), 0);
/// batch.wake_all();
/// assert_eq!(count.0.load(Relaxed), 1);
/// ```
#[derive(Default)]
pub struct WakeBatch {
    wakers: [Option<Waker>; WakeBatch::CAPACITY],
    len: usize,
}

impl WakeBatch {
    /// How many it holds.
    pub const CAPACITY: usize = crate::shim::choose(16, 2);

    /// An empty batch.
    pub const fn new() -> Self {
        WakeBatch {
            wakers: [const { None }; WakeBatch::CAPACITY],
            len: 0,
        }
    }

    /// True if another [`push`](Self::push) would not fit.
    pub const fn is_full(&self) -> bool {
        self.len == WakeBatch::CAPACITY
    }

    /// Adds a waker.
    ///
    /// # Panics
    ///
    /// If the batch is full.
    pub fn push(&mut self, waker: Waker) {
        self.wakers[self.len] = Some(waker);
        self.len += 1;
    }

    /// Wakes them all and empties the batch. Call it with no lock held.
    pub fn wake_all(&mut self) {
        for slot in &mut self.wakers[..self.len] {
            if let Some(waker) = slot.take() {
                wake(waker);
            }
        }
        self.len = 0;
    }
}

impl Drop for WakeBatch {
    fn drop(&mut self) {
        self.wake_all();
    }
}
