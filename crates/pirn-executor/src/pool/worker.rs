//! One worker of a pool: what a thread does.

use super::core::Core;
use super::deque::Local;
use super::{PoolHandle, Shared};
use crate::PARK_INTERVAL;
use crate::current::{Current, Enter};
use crate::task::Runnable;
use crate::unparker::Unparker;
use pirn_core::shim::Arc;
use pirn_core::shim::atomic::{AtomicBool, fence};
use pirn_core::{Park, ParkError, Until, budget, context};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// A worker of a [`PoolExecutor`](crate::PoolExecutor), to be driven by a thread of the caller's.
///
/// [`run`](Self::run) gives it the thread and a [`Park`] to sleep on; [`poll_tick`](Self::poll_tick)
/// and [`try_tick`](Self::try_tick) let a foreign loop drive it step by step. A worker that is not
/// driven does nothing, but the others take what it has. Dropping it leaves its tasks to them.
///
/// # Examples
///
/// ```
/// use pirn_executor::{PoolExecutor, ThreadPark};
///
/// let (executor, mut workers) = PoolExecutor::new(1);
/// let task = executor.handle().spawn(async { "done" });
/// assert_eq!(workers[0].run(&mut ThreadPark::new(), task)?.unwrap(), "done");
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
pub struct Worker {
    /// Absent only while it is driven: then it is the thread's current executor.
    core: Option<Core>,
    /// A foreign loop was told that there is nothing to do, and the worker counts as asleep.
    resting: bool,
}

impl Worker {
    pub(super) fn new(handle: PoolHandle, index: usize, local: Local<Runnable>) -> Self {
        Worker {
            core: Some(Core::new(handle, index, local)),
            resting: false,
        }
    }

    /// Runs tasks until `until` is ready, and gives its output; sleeps on `park` when there is
    /// nothing to run. Under load it looks at `park` after every
    /// [`PARK_INTERVAL`](crate::PARK_INTERVAL) polls.
    ///
    /// `until` is polled here, not as a task: it may borrow. A thread that lives for its worker
    /// runs it for [`PoolHandle::closed`](crate::PoolHandle::closed).
    ///
    /// # Errors
    ///
    /// When `park` fails.
    ///
    /// # Panics
    ///
    /// If `until` panics. Panics of tasks stay with their handles.
    pub fn run<P: Park, F: Future>(
        &mut self,
        park: &mut P,
        until: F,
    ) -> Result<F::Output, ParkError> {
        let driven = self.drive(Unparker::waker(park));
        let core = &*driven.core;
        core.shared().idle.rise();
        let root = std::sync::Arc::new(Root {
            shared: core.shared().clone(),
            worker: core.index(),
            woken: AtomicBool::new(true),
        });
        let waker = Waker::from(root.clone());
        let mut cx = Context::from_waker(&waker);
        let mut until = pin!(until);
        let mut left = PARK_INTERVAL;
        // What it does next is the first since it slept, or was not driven.
        let mut rises = true;
        loop {
            // Turn by turn, so that neither can starve the other.
            let woken = root.take();
            if woken {
                if std::mem::take(&mut rises) {
                    core.be_watched();
                }
                // That poll may take long: neither who relies on this search nor the task that
                // would be next must wait for it.
                core.stop_searching();
                core.tell();
                let _refilled = budget::refill();
                let polled = context::isolate(|| until.as_mut().poll(&mut cx));
                if let Poll::Ready(output) = polled {
                    return Ok(output);
                }
            }
            match core.next() {
                Some(task) => {
                    if std::mem::take(&mut rises) {
                        core.be_watched();
                    }
                    core.run(task);
                }
                None if woken => {}
                None => {
                    left = PARK_INTERVAL;
                    if !core.look_on(park, &root)? {
                        core.sleep(park, &root)?;
                        rises = true;
                    }
                    continue;
                }
            }
            left -= 1;
            if left == 0 {
                left = PARK_INTERVAL;
                core.park(park, Until::Now)?;
            }
        }
    }

    /// Runs one task that is ready. False if there was none.
    ///
    /// For loops that need no wake-up: tests, or one that comes round anyway.
    pub fn try_tick(&mut self) -> bool {
        let driven = self.drive(Waker::noop().clone());
        let next = driven.core.next();
        driven.core.stop_searching();
        let ran = next.is_some();
        if let Some(task) = next {
            driven.core.run(task);
        }
        ran
    }

    /// Runs up to [`PARK_INTERVAL`](crate::PARK_INTERVAL) tasks that are ready: one step of a
    /// foreign loop.
    ///
    /// Ready if there may be more. Pending if there is none: `cx` is woken when there is. Then it is
    /// to be polled soon: until it is, or is dropped, the other workers rely on it to look for work.
    /// One that is forgotten is relied on for ever, so it must not be.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::PoolExecutor;
    /// use std::task::{Context, Waker};
    ///
    /// let (executor, mut workers) = PoolExecutor::new(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(workers[0].poll_tick(&mut cx).is_pending());
    /// let task = executor.handle().spawn(async {});
    /// assert!(workers[0].poll_tick(&mut cx).is_ready());
    /// assert!(task.is_finished());
    /// ```
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let rises = self.resting;
        let mut driven = self.drive(cx.waker().clone());
        let core = &*driven.core;
        let mut ran = 0;
        while ran < PARK_INTERVAL {
            let Some(task) = core.next() else { break };
            if rises && ran == 0 {
                core.be_watched();
            }
            core.run(task);
            ran += 1;
        }
        if ran > 0 {
            core.stop_searching();
            return Poll::Ready(());
        }
        core.lie_down();
        if core.shared().has_work() || core.heed_gate() {
            core.get_up();
            core.stop_searching();
            return Poll::Ready(());
        }
        let more = core.rest();
        driven.rests = true;
        drop(driven);
        self.resting = true;
        if more {
            pirn_core::wake::wake(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Makes the worker the thread's current executor, whose sleep `unpark` ends.
    fn drive(&mut self, unpark: Waker) -> Driven<'_> {
        let core = self
            .core
            .take()
            .expect("a worker is driven by one at a time");
        let core = Rc::new(core);
        core.set_unpark(Some(unpark));
        if std::mem::take(&mut self.resting) {
            core.get_up();
        }
        Driven {
            _enter: Enter::new(Current::Worker(core.clone())),
            core: Lent {
                core: Some(core),
                place: &mut self.core,
            },
            rests: false,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            core.retire(self.resting);
        }
    }
}

/// A worker that is being driven, until this is dropped.
struct Driven<'a> {
    _enter: Enter,
    core: Lent<'a>,
    rests: bool,
}

/// The core, which goes back to its place. Dropped after `Enter`, which shares it.
struct Lent<'a> {
    core: Option<Rc<Core>>,
    place: &'a mut Option<Core>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = Core;
    fn deref(&self) -> &Core {
        self.core.as_ref().expect("present until the drop")
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        if !self.rests {
            self.core.leave();
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.place = self.core.take().and_then(Rc::into_inner);
    }
}

/// The waker of what `run` waits for.
pub(super) struct Root {
    shared: Arc<Shared>,
    worker: usize,
    woken: AtomicBool,
}

impl Root {
    pub(super) fn is_woken(&self) -> bool {
        // Ordering: Relaxed, a guess; before a sleep, the fence in `lie_down` orders it against
        // the one in `wake_by_ref`.
        self.woken.load(Relaxed)
    }

    /// Takes the wake, if there was one.
    fn take(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `wake_by_ref`: what the waker's thread wrote
        // is visible. It publishes nothing.
        self.is_woken() && self.woken.swap(false, Acquire)
    }
}

impl Wake for Root {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        // Ordering: Release, pairs with the Acquire in `take`; publishes what this thread wrote.
        if self.woken.swap(true, Release) {
            return;
        }
        // Ordering: pairs with the fence in `Idle::sleep`: either the sleeper sees the wake, or
        // this sees that it sleeps.
        fence(SeqCst);
        // Ordering: Relaxed, the fences order it.
        if self.shared.seats[self.worker].parked.load(Relaxed) {
            self.shared.unpark(Some(self.worker));
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
