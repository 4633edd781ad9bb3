//! A user's firmware: pirn-sync and the timing wheel without `std`, and a waker of its own. Its tests
//! run on a machine that has `std`; what they test does not use it.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use pirn_sync::{Lock, Queue, Semaphore};
use pirn_timer::wheel::Wheel;

/// A waker that counts.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, a counter.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    /// Polls a future once; its wakes are counted here.
    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(self));
        future.poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        // Ordering: Relaxed, a counter.
        self.0.load(Ordering::Relaxed)
    }
}

/// Two tasks and a lock: true if the second was woken as the first unlocked, and got it.
pub fn a_lock_is_handed_over() -> bool {
    let (lock, second) = (Lock::new(1), Arc::new(Count::default()));
    let held = lock.try_lock();
    let mut waits = pin!(lock.lock());
    let waited = second.poll(waits.as_mut()).is_pending();
    drop(held);
    let woken = second.wakes() == 1;
    match second.poll(waits) {
        Poll::Ready(mut value) => {
            *value += 1;
            waited && woken && *value == 2
        }
        Poll::Pending => false,
    }
}

/// As many tasks as fill several batches of wakes: how many were woken by one release.
pub fn a_release_wakes(tasks: usize) -> usize {
    let (semaphore, count) = (Semaphore::new(tasks), Arc::new(Count::default()));
    let all = semaphore.try_acquire_many(tasks);
    let mut waiting: Vec<_> = (0..tasks)
        .map(|_| alloc::boxed::Box::pin(semaphore.acquire()))
        .collect();
    for waits in &mut waiting {
        if count.poll(waits.as_mut()).is_ready() {
            return 0;
        }
    }
    drop(all);
    count.wakes()
}

/// A queue of one place: what came through it, and in which order.
pub fn items_come_through(items: &[u32]) -> Vec<u32> {
    let (queue, count) = (Queue::bounded(1), Arc::new(Count::default()));
    let mut got = Vec::new();
    for &item in items {
        let mut gets = pin!(queue.get());
        let waits = count.poll(gets.as_mut()).is_pending();
        let put = count.poll(pin!(queue.put(item)));
        if let (true, Poll::Ready(Ok(()))) = (waits, put) {
            if let Poll::Ready(Ok(item)) = count.poll(gets) {
                got.push(item);
            }
        }
    }
    got
}

/// Always-ready operations in one poll: nothing counts them here, so all of them are ready.
pub fn ready_at_once(rounds: usize) -> usize {
    let _refilled = pirn_core::budget::refill();
    let (lock, count) = (Lock::new(()), Arc::new(Count::default()));
    (0..rounds)
        .filter(|_| count.poll(pin!(lock.lock())).is_ready())
        .count()
}

/// Timers on a machine that counts seconds: those that have expired by `now`, in their order.
pub fn expired_by(now: u64, deadlines: &[u64]) -> Vec<u64> {
    let mut wheel = Wheel::new();
    for &at in deadlines {
        wheel.insert(at, at);
    }
    core::iter::from_fn(|| wheel.pop_expired(now)).collect()
}

/// What firmware brings along.
#[cfg(not(test))]
mod platform {
    use core::alloc::{GlobalAlloc, Layout};

    struct NoMemory;

    // SAFETY: it gives nothing out, which an allocator may.
    unsafe impl GlobalAlloc for NoMemory {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[global_allocator]
    static MEMORY: NoMemory = NoMemory;

    #[panic_handler]
    fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {
            core::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, panic::catch_unwind, process::Command, sync::Barrier, thread};

    #[test]
    fn the_primitives_work() {
        assert!(a_lock_is_handed_over());
        assert_eq!(a_release_wakes(40), 40);
        assert_eq!(items_come_through(&[3, 1, 2]), [3, 1, 2]);
    }

    #[test]
    fn the_wheel_works() {
        assert_eq!(expired_by(100, &[70, 5000, 100, 3]), [3, 70, 100]);
    }

    #[test]
    fn nothing_has_a_budget() {
        assert_eq!(ready_at_once(1000), 1000);
    }

    #[test]
    fn a_waker_that_panics_ends_the_program() {
        const CHILD: &str = "A_WAKER_PANICS";
        if env::var_os(CHILD).is_some() {
            let _ = catch_unwind(|| pirn_core::wake::wake(Arc::new(Loud).into()));
            return;
        }
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "tests::a_waker_that_panics_ends_the_program"]);
        assert!(!child.env(CHILD, "").output().unwrap().status.success());
    }

    struct Loud;

    impl Wake for Loud {
        fn wake(self: Arc<Self>) {
            panic!("out of luck");
        }
    }

    #[test]
    fn threads_that_spin_for_the_list_lose_no_permit() {
        let (semaphore, begin) = (Semaphore::new(4), Barrier::new(4));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    begin.wait();
                    for _ in 0..10_000 {
                        // Two at once cannot be had by all, so some wait and give up.
                        let taken =
                            Arc::new(Count::default()).poll(pin!(semaphore.acquire_many(2)));
                        drop(taken);
                    }
                });
            }
        });
        assert_eq!(semaphore.available(), 4);
    }
}
