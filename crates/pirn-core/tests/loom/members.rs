//! Models of the set of futures that one task polls.

use crate::count::Count;
use pirn_core::Members;
use pirn_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, block_on, thread};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A member that waits for its flag, and shows its waker. Polled but once before the flag is up: a
/// later poll must see it.
struct Waits {
    flag: Arc<AtomicBool>,
    shown: Rc<RefCell<Option<Waker>>>,
    polled: bool,
    dropped: Rc<RefCell<usize>>,
}

impl Future for Waits {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Ordering: Relaxed; that a wake publishes it is what is checked.
        if self.flag.load(Relaxed) {
            return Poll::Ready(());
        }
        assert!(
            !self.polled,
            "polled without a wake that came after its flag"
        );
        self.polled = true;
        self.shown.borrow_mut().replace(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        *self.dropped.borrow_mut() += 1;
    }
}

/// A set of members that were polled once, with the waker of each and its flag, and how many were
/// dropped.
struct Set {
    members: Members<Waits>,
    others: Vec<(Arc<AtomicBool>, Option<Waker>)>,
    dropped: Rc<RefCell<usize>>,
}

fn set(members: usize, waker: &Waker) -> Set {
    let mut set = Set {
        members: Members::with_capacity(members),
        others: Vec::new(),
        dropped: Rc::default(),
    };
    let mut shown = Vec::new();
    for _ in 0..members {
        let flag = Arc::new(AtomicBool::new(false));
        let shows = Rc::default();
        set.members.push(Waits {
            flag: Arc::clone(&flag),
            shown: Rc::clone(&shows),
            polled: false,
            dropped: Rc::clone(&set.dropped),
        });
        shown.push((flag, shows));
    }
    assert!(set.poll(waker).is_pending());
    set.others = shown
        .into_iter()
        .map(|(flag, shown)| (flag, shown.take()))
        .collect();
    set
}

impl Set {
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let mut cx = Context::from_waker(waker);
        self.members.poll_all(&mut cx, |_, ()| ())
    }

    /// A thread that raises the flag of a member and wakes it.
    fn waking(&mut self, member: usize) -> thread::JoinHandle<()> {
        let (flag, waker) = &mut self.others[member];
        let (flag, waker) = (Arc::clone(flag), waker.take().unwrap());
        thread::spawn(move || {
            // Ordering: Relaxed, as in `Waits`.
            flag.store(true, Relaxed);
            waker.wake();
        })
    }

    fn wake_here(&mut self, member: usize) {
        let (flag, waker) = &mut self.others[member];
        // Ordering: Relaxed, as in `Waits`.
        flag.store(true, Relaxed);
        waker.take().unwrap().wake();
    }

    fn finish(mut self) {
        block_on(poll_fn(|cx| self.members.poll_all(cx, |_, ()| ())));
        assert_eq!(*self.dropped.borrow(), self.others.len());
    }
}

#[test]
fn a_member_that_is_woken_is_polled_and_sees_why() {
    shim::model(|| {
        let mut set = set(1, Waker::noop());
        let thread = set.waking(0);
        set.finish();
        thread.join().unwrap();
    });
}

#[test]
fn two_members_of_a_chunk_are_woken_at_once() {
    shim::model(|| {
        let mut set = set(2, Waker::noop());
        let threads = [0, 1].map(|member| set.waking(member));
        set.finish();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn two_members_of_two_chunks_are_woken_at_once() {
    shim::model(|| {
        let mut set = set(3, Waker::noop());
        set.wake_here(1);
        let threads = [0, 2].map(|member| set.waking(member));
        set.finish();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn two_members_of_two_groups_are_woken_at_once() {
    shim::model(|| {
        let mut set = set(if shim::IS_LOOM { 5 } else { 5000 }, Waker::noop());
        let last = set.others.len() - 1;
        for member in 1..last {
            set.wake_here(member);
        }
        let threads = [0, last].map(|member| set.waking(member));
        set.finish();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_wake_during_a_pass_finds_the_member_or_wakes_the_task() {
    shim::model(|| {
        let mut set = set(2, Waker::noop());
        let thread = set.waking(0);
        set.wake_here(1);
        let count = Count::new();
        let ended = set.poll(&count.waker()).is_ready();
        thread.join().unwrap();
        assert!(ended || count.wakes() == 1);
        set.finish();
    });
}

#[test]
fn a_wake_that_comes_as_its_member_is_polled_is_not_lost() {
    shim::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let shown = Rc::new(RefCell::new(None));
        let mut members = Members::new();
        let (seen, shows) = (Arc::clone(&flag), Rc::clone(&shown));
        members.push(poll_fn(move |cx| {
            shows.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            // Ordering: Relaxed, as in `Waits`.
            match seen.load(Relaxed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(members.poll_all(&mut cx, |_, ()| ()).is_pending());
        let waker = shown.take().unwrap();
        // So that it is polled as the other wake comes.
        waker.wake_by_ref();
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, as in `Waits`.
            flag.store(true, Relaxed);
            waker.wake();
        });
        block_on(poll_fn(|cx| members.poll_all(cx, |_, ()| ())));
        thread.join().unwrap();
    });
}

#[test]
fn the_task_is_woken_once_for_two_members() {
    shim::model(|| {
        let count = Count::new();
        let mut set = set(3, &count.waker());
        let thread = set.waking(0);
        set.wake_here(2);
        thread.join().unwrap();
        assert_eq!(count.wakes(), 1);
        set.wake_here(1);
        assert_eq!(count.wakes(), 1);
        assert!(set.poll(Waker::noop()).is_ready());
    });
}

#[test]
fn the_waker_that_the_task_polled_with_last_is_woken() {
    shim::model(|| {
        let first = Count::new();
        let mut set = set(2, &first.waker());
        let thread = set.waking(0);
        let second = Count::new();
        assert!(set.poll(&second.waker()).is_pending());
        let polled = *set.dropped.borrow() == 1;
        thread.join().unwrap();
        assert!(polled || second.wakes() == 1);
        assert!(first.wakes() + second.wakes() >= 1);
        // Whatever happened before, the next wake gets through to a task that polls.
        let third = Count::new();
        assert!(set.poll(&third.waker()).is_pending());
        set.wake_here(1);
        assert_eq!(third.wakes(), 1);
        set.finish();
    });
}

#[test]
fn a_waker_outlives_the_set() {
    shim::model(|| {
        let count = Count::new();
        let mut set = set(2, &count.waker());
        let thread = set.waking(0);
        let dropped = Rc::clone(&set.dropped);
        drop(set);
        assert_eq!(*dropped.borrow(), 2);
        thread.join().unwrap();
        assert!(count.wakes() <= 1);
    });
}

#[test]
fn two_wakers_outlive_the_set_and_one_of_them_is_cloned() {
    shim::model(|| {
        let mut set = set(2, Waker::noop());
        let waker = set.others[1].1.take().unwrap();
        let cloning = thread::spawn(move || {
            let clone = waker.clone();
            drop(waker);
            clone.wake_by_ref();
        });
        let waking = set.waking(0);
        drop(set);
        cloning.join().unwrap();
        waking.join().unwrap();
    });
}

#[test]
fn a_member_that_is_removed_as_it_is_woken_is_dropped_once() {
    shim::model(|| {
        let mut set = set(2, Waker::noop());
        let thread = set.waking(0);
        assert!(set.members.remove(0));
        assert!(!set.members.remove(0));
        thread.join().unwrap();
        assert_eq!(*set.dropped.borrow(), 1);
        set.wake_here(1);
        set.finish();
    });
}

#[test]
fn a_late_wake_of_a_former_member_does_no_harm_to_the_next() {
    shim::model(|| {
        let mut set = set(2, Waker::noop());
        let stale = set.others[0].1.clone().unwrap();
        set.wake_here(0);
        assert!(set.poll(Waker::noop()).is_pending());
        let polls = Arc::new(AtomicUsize::new(0));
        let mut flag = false;
        let mut members = Members::with_capacity(1);
        std::mem::swap(&mut members, &mut set.members);
        let thread = thread::spawn(move || stale.wake());
        // The slot has a new member, which needs two polls and wakes itself for the second.
        set.others[0].0 = Arc::new(AtomicBool::new(true));
        members.push(Waits {
            flag: Arc::clone(&set.others[0].0),
            shown: Rc::default(),
            polled: false,
            dropped: Rc::clone(&set.dropped),
        });
        set.wake_here(1);
        block_on(poll_fn(|cx| {
            flag = true;
            // Ordering: Relaxed, read below on this thread.
            polls.fetch_add(1, Relaxed);
            members.poll_all(cx, |_, ()| ())
        }));
        thread.join().unwrap();
        // Ordering: as above.
        assert!(flag && polls.load(Relaxed) <= 2);
        assert_eq!(*set.dropped.borrow(), 3);
    });
}

#[test]
fn a_set_goes_to_another_thread_between_two_polls() {
    shim::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let shown = Arc::new(shim::Mutex::new(None));
        let shows = Arc::clone(&shown);
        let mut members = Members::new();
        members.push(poll_fn(move |cx| {
            *shows.lock() = Some(cx.waker().clone());
            // Ordering: Relaxed, as in `Waits`.
            match seen.load(Relaxed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(members.poll_all(&mut cx, |_, ()| ()).is_pending());
        let waker = shown.lock().take().unwrap();
        let thread = thread::spawn(move || {
            block_on(poll_fn(|cx| members.poll_all(cx, |_, ()| ())));
        });
        // Ordering: Relaxed, as in `Waits`.
        flag.store(true, Relaxed);
        waker.wake();
        thread.join().unwrap();
    });
}

#[test]
fn a_member_that_wakes_itself_as_another_thread_wakes_it_is_polled_again() {
    shim::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (seen, shown) = (Arc::clone(&flag), Rc::new(RefCell::new(None)));
        let shows = Rc::clone(&shown);
        let mut yields = 2;
        let mut members = Members::new();
        members.push(poll_fn(move |cx| {
            shows.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            if yields > 0 {
                yields -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Ordering: Relaxed, as in `Waits`.
            match seen.load(Relaxed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(members.poll_all(&mut cx, |_, ()| ()).is_pending());
        let waker = shown.take().unwrap();
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, as in `Waits`.
            flag.store(true, Relaxed);
            waker.wake();
        });
        block_on(poll_fn(|cx| members.poll_all(cx, |_, ()| ())));
        thread.join().unwrap();
    });
}

#[test]
fn a_member_that_is_woken_elsewhere_as_others_of_its_chunk_yield_is_polled() {
    shim::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (seen, shown) = (Arc::clone(&flag), Rc::new(RefCell::new(None)));
        let shows = Rc::clone(&shown);
        let (mut yields, mut polled) = (2, false);
        let mut members: Members<Pin<Box<dyn Future<Output = ()>>>> = Members::with_capacity(2);
        members.push(Box::pin(poll_fn(move |cx| {
            if yields == 0 {
                return Poll::Ready(());
            }
            yields -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })));
        members.push(Box::pin(poll_fn(move |cx| {
            // Ordering: Relaxed, as in `Waits`.
            if seen.load(Relaxed) {
                return Poll::Ready(());
            }
            assert!(!polled, "polled without a wake that came after its flag");
            polled = true;
            shows.borrow_mut().replace(cx.waker().clone());
            Poll::Pending
        })));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(members.poll_all(&mut cx, |_, ()| ()).is_pending());
        let waker = shown.take().unwrap();
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, as in `Waits`.
            flag.store(true, Relaxed);
            waker.wake();
        });
        // The chunk is due for the other's sake.
        block_on(poll_fn(|cx| members.poll_all(cx, |_, ()| ())));
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_that_polled_the_set_before_wakes_as_others_do() {
    shim::model(|| {
        let count = Count::new();
        let mut set = set(1, &count.waker());
        let waker = set.others[0].1.take().unwrap();
        let shared = Arc::new(shim::Mutex::new(Members::new()));
        shared.lock().push(async move {
            // Polled on the other thread, where it wakes a member of the first set.
            waker.wake();
        });
        let elsewhere = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = elsewhere.lock().poll_all(&mut cx, |_, ()| ());
            assert!(polled.is_ready());
        });
        // Ordering: Relaxed, as in `Waits`: here it is set before, by this thread.
        set.others[0].0.store(true, Relaxed);
        block_on(poll_fn(|cx| set.members.poll_all(cx, |_, ()| ())));
        thread.join().unwrap();
    });
}
