//! The limits: what the same work costs without an executor.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
};

use super::{
    batches,
    switching::{SIDE_BY_SIDE, yield_many},
};

/// A task without an executor.
type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// Boxed futures in a queue: no waker, no handle.
pub(super) fn bare_box(count: u64) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut queue: VecDeque<Boxed<u64>> = VecDeque::new();
    for batch in batches(count) {
        queue.extend((0..batch).map(|i| Box::pin(async move { i }) as _));
        while let Some(mut task) = queue.pop_front() {
            let _ = black_box(task.as_mut().poll(&mut cx));
        }
    }
}

thread_local! {
    /// The tasks of `bare_ring` that are ready.
    static RING: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

/// A waker that knows a task's place, and nothing else.
struct Place(usize);

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        RING.with_borrow_mut(|ring| ring.push_back(self.0));
    }
}

/// Boxed futures in a slab, and a ring of the places of those that are ready.
pub(super) fn bare_ring(count: u64) {
    let each = count.div_ceil(SIDE_BY_SIDE);
    let mut slab: Vec<(Boxed<()>, Waker)> = Vec::new();
    for place in 0..SIDE_BY_SIDE as usize {
        let waker: Waker = Arc::new(Place(place)).into();
        waker.wake_by_ref();
        slab.push((Box::pin(yield_many(each)), waker));
    }
    while let Some(place) = RING.with_borrow_mut(VecDeque::pop_front) {
        let (task, waker) = &mut slab[place];
        let _ = task.as_mut().poll(&mut Context::from_waker(waker));
    }
}

/// Two threads that unpark each other.
pub(super) fn bare_park(count: u64) {
    let [there, back] = [const { AtomicU64::new(0) }; 2];
    let wait = |for_it: &AtomicU64, time| {
        // Ordering: Acquire, pairs with the Releases below.
        while for_it.load(Ordering::Acquire) < time {
            thread::park();
        }
    };
    let caller = thread::current();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            for time in 1..=count {
                wait(&there, time);
                // Ordering: Release, pairs with the Acquire above.
                back.store(time, Ordering::Release);
                caller.unpark();
            }
        });
        for time in 1..=count {
            // Ordering: Release, pairs with the Acquire above.
            there.store(time, Ordering::Release);
            other.thread().unpark();
            wait(&back, time);
        }
    });
}
