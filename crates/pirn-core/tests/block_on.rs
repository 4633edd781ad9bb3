//! Driving a future on a plain thread: what wakes it, what it allocates, and blocking inside it.

use pirn_core::block_on::block_on;
use pirn_core::budget;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

struct Counting;

thread_local! {
    /// How often this thread allocated.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Pending until it was polled so many times; wakes itself from another thread, or at once.
struct Turns {
    left: usize,
    at_once: bool,
}

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        match self.at_once {
            true => cx.waker().wake_by_ref(),
            false => {
                let waker = cx.waker().clone();
                thread::spawn(move || waker.wake());
            }
        }
        Poll::Pending
    }
}

fn turns(left: usize) -> Turns {
    Turns {
        left,
        at_once: false,
    }
}

#[test]
fn a_wake_from_another_thread_and_one_from_within_the_poll_end_the_wait() {
    block_on(turns(3));
    block_on(Turns {
        left: 3,
        at_once: true,
    });
}

#[test]
fn a_token_that_is_nobody_s_wake_does_not_poll() {
    let (hear, heard) = mpsc::channel::<Waker>();
    let this = thread::current();
    let other = thread::spawn(move || {
        let waker = heard.recv().unwrap();
        this.unpark();
        waker.wake();
    });
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        hear.send(cx.waker().clone()).unwrap();
        Poll::Pending
    }));
    other.join().unwrap();
    assert_eq!(polls, 2);
}

#[test]
fn a_wake_that_comes_while_another_future_blocks_the_thread_is_not_lost() {
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls > 1 {
            return Poll::Ready(());
        }
        // The inner one parks at least once, after the token of the outer one's wake is there.
        cx.waker().wake_by_ref();
        block_on(turns(2));
        Poll::Pending
    }));
    assert!(polls > 1);
}

#[test]
fn a_waker_and_a_destructor_may_block() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            block_on(turns(1));
        }
    }
    impl std::task::Wake for Blocks {
        fn wake(self: std::sync::Arc<Self>) {
            block_on(turns(1));
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Blocks));
    block_on(async {
        let _at_the_end = Blocks;
        waker.wake();
        turns(1).await;
    });
}

#[test]
fn it_works_while_the_thread_ends() {
    struct AtTheEnd(mpsc::Sender<()>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            block_on(turns(1));
            self.0.send(()).unwrap();
        }
    }
    thread_local! {
        static FIRST: Cell<Option<AtTheEnd>> = const { Cell::new(None) };
    }
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Before the thread's waker is made, and so after it is gone.
        FIRST.set(Some(AtTheEnd(done)));
        block_on(turns(1));
    });
    ended.recv().unwrap();
    thread.join().unwrap();
}

#[test]
fn after_a_panic_the_thread_may_block_again() {
    let refilled = budget::refill();
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            turns(1).await;
            panic!("in the future");
        })
    }));
    assert!(thrown.is_err());
    // The task's budget is back.
    for _ in 0..budget::BUDGET {
        assert!(budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    assert!(budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(refilled);
    block_on(turns(1));
}

#[test]
fn inside_a_task_whose_budget_is_spent_it_goes_on() {
    let refilled = budget::refill();
    for _ in 0..2 {
        while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
        block_on(poll_fn(budget::poll_spend));
    }
    drop(refilled);
}

#[test]
fn all_calls_of_a_thread_have_one_waker() {
    let waker = || block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    let first = waker();
    assert!(first.will_wake(&waker()));
    assert!(first.will_wake(&block_on(async { waker() })));
    assert!(!first.will_wake(&thread::scope(|s| s.spawn(waker).join().unwrap())));
}

#[test]
fn only_the_first_call_of_a_thread_allocates() {
    let at_once = || {
        block_on(Turns {
            left: 2,
            at_once: true,
        })
    };
    at_once();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        at_once();
        block_on(async { block_on(async {}) });
    }
    assert_eq!(ALLOCATIONS.get(), before);
}
