//! What the models share.

use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, Condvar, Mutex, UnsafeCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A flag that one task waits for.
#[derive(Clone)]
pub(crate) struct Flag(Arc<Mutex<(bool, Option<Waker>)>>);

impl Flag {
    pub(crate) fn new() -> Flag {
        Flag(Arc::new(Mutex::new((false, None))))
    }

    /// The same flag twice.
    pub(crate) fn pair() -> (Flag, Flag) {
        let flag = Flag::new();
        (flag.clone(), flag)
    }

    pub(crate) fn set(&self) {
        let waker = {
            let mut flag = self.0.lock();
            flag.0 = true;
            flag.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn wait(&self) -> Wait {
        Wait(self.clone())
    }
}

pub(crate) struct Wait(Flag);

impl Future for Wait {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut flag = self.0.0.lock();
        match flag.0 {
            true => Poll::Ready(()),
            false => {
                let former = flag.1.replace(waker);
                drop(flag);
                drop(former);
                Poll::Pending
            }
        }
    }
}

/// Blocks the thread that passes it until it is open: a poll that takes long.
#[derive(Clone)]
pub(crate) struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    pub(crate) fn new() -> Door {
        Door(Arc::new((Mutex::new(false), Condvar::new())))
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let mut open = self.0.0.lock();
        while !*open {
            open = self.0.1.wait(open);
        }
    }
}

/// Gives way once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts the drops of its guards; what a guard's thread wrote before must be visible to whoever
/// looks after.
#[derive(Clone)]
pub(crate) struct Drops(Arc<Counts>);

struct Counts {
    gone: AtomicUsize,
    checked: UnsafeCell<u32>,
}

// SAFETY: the cell is accessed by the one guard, and then by whoever knows that it is gone; loom
// checks that.
unsafe impl Sync for Counts {}

pub(crate) struct Guard(Drops);

impl Drops {
    pub(crate) fn new() -> Drops {
        Drops(Arc::new(Counts {
            gone: AtomicUsize::new(0),
            checked: UnsafeCell::new(0),
        }))
    }

    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    /// How many guards are gone, where that is known to be settled.
    pub(crate) fn settled(&self) -> u32 {
        // Ordering: Relaxed, whoever calls this was told that the guard is gone.
        assert_eq!(self.0.gone.load(Relaxed), 1);
        // SAFETY: the guard is gone, so nobody writes.
        self.0.checked.with(|drops| unsafe { *drops })
    }
}

impl Guard {
    /// Uses what only the task may use.
    pub(crate) fn touch(&mut self) {
        // SAFETY: there is one guard, which is borrowed.
        self.0.0.checked.with_mut(|drops| unsafe { *drops += 0 });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: there is one guard, which is borrowed.
        self.0.0.checked.with_mut(|drops| unsafe { *drops += 1 });
        // Ordering: Relaxed, a count; the cell above is what is checked.
        self.0.0.gone.fetch_add(1, Relaxed);
    }
}
