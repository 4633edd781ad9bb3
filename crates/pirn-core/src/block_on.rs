//! Driving a future on a plain thread, which is parked in between.
//!
//! The thread's park token alone would not do: whoever else parks on this thread meanwhile, such as
//! a [`block_on`] inside this one or a channel of `std`, takes it. So each wake is also counted, and
//! each level compares the count with the one before its own poll: a wake is seen by all levels, and
//! is lost to none.
//!
//! All futures of one thread have one waker, which is made at the first call. So to the wait lists
//! the thread is one task: what was granted to one of its futures, which it no longer polls, goes to
//! the one that it blocks on.

use crate::budget;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::thread;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

struct Parker {
    thread: thread::Thread,
    /// How many wakes there were, modulo what it can hold.
    wakes: AtomicUsize,
}

/// A thread's parker, and the waker to it.
struct Own(Arc<Parker>, Waker);

crate::shim::thread_local! {
    static OWN: Own = Own::new();
}

/// Drives a future to its end on this thread, parking it in between.
///
/// It allocates at a thread's first call, and after that no more (but where the thread is ending,
/// and its own waker is gone).
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_core::block_on::block_on(async { 42 }), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    OWN.try_with(|own| own.drive(future.as_mut()))
        .unwrap_or_else(|_| Own::new().drive(future))
}

impl Own {
    fn new() -> Self {
        let parker = Arc::new(Parker {
            thread: thread::current(),
            wakes: AtomicUsize::new(0),
        });
        Own(Arc::clone(&parker), parker.into())
    }

    fn drive<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        let Own(parker, waker) = self;
        let mut cx = Context::from_waker(waker);
        loop {
            // Ordering: Relaxed, a wake that this does not see is seen after the poll.
            let before = parker.wakes.load(Ordering::Relaxed);
            // Inside a task, whose budget may be spent: what blocks here has nobody to give way to.
            let unbounded = budget::lift();
            let polled = future.as_mut().poll(&mut cx);
            drop(unbounded);
            if let Poll::Ready(value) = polled {
                return value;
            }
            // Ordering: Acquire, pairs with the Release in `wake_by_ref`; the next poll sees what
            // came before the wake. (No model can tell: loom's unpark orders by itself, at once.)
            while parker.wakes.load(Ordering::Acquire) == before {
                thread::park();
            }
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `drive`.
        self.wakes.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}
