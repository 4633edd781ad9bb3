//! The lock for readers and writers: order, batches, cancellation, downgrade, guards, and whose a
//! grant is.

#[path = "loom/count.rs"]
mod count;
#[macro_use]
mod is_not;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{
    MappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockRead,
    RwLockReadGuard, RwLockWrite, RwLockWriteGuard,
};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

/// Whoever holds it, for what.
#[derive(Debug)]
#[allow(dead_code, reason = "held, not looked at")]
enum Held<'a, T> {
    Read(RwLockReadGuard<'a, T>),
    Write(RwLockWriteGuard<'a, T>),
}

/// A request of a task of its own.
struct Request<'a, T> {
    future: Pin<Box<dyn Future<Output = Held<'a, T>> + 'a>>,
    count: Arc<Count>,
}

impl<'a, T> Request<'a, T> {
    fn new(lock: &'a RwLock<T>, kind: char) -> Self {
        let future: Pin<Box<dyn Future<Output = _>>> = match kind {
            'r' => Box::pin(async { Held::Read(lock.read().await) }),
            'w' => Box::pin(async { Held::Write(lock.write().await) }),
            _ => panic!("neither r nor w"),
        };
        let count = Count::new();
        Request { future, count }
    }

    fn poll(&mut self) -> Poll<Held<'a, T>> {
        poll_once(self.future.as_mut(), &self.count.waker())
    }

    #[track_caller]
    fn take(&mut self) -> Held<'a, T> {
        match self.poll() {
            Poll::Ready(held) => held,
            Poll::Pending => panic!("not granted"),
        }
    }
}

/// Requests that wait, in this order: `r` to read and `w` to write.
fn queue<'a, T>(lock: &'a RwLock<T>, kinds: &str) -> Vec<Request<'a, T>> {
    let mut queued: Vec<_> = kinds.chars().map(|kind| Request::new(lock, kind)).collect();
    for request in &mut queued {
        assert!(request.poll().is_pending());
    }
    queued
}

fn wakes<T>(queued: &[Request<'_, T>]) -> Vec<usize> {
    queued.iter().map(|request| request.count.wakes()).collect()
}

fn is_free<T>(lock: &RwLock<T>) -> bool {
    lock.try_write().is_some()
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    let lock = RwLock::new(0);
    let readers = [(); 3].map(|()| lock.try_read().unwrap());
    assert!(lock.try_write().is_none());
    drop(readers);
    let writer = lock.try_write().unwrap();
    assert!(lock.try_write().is_none());
    assert!(lock.try_read().is_none());
    drop(writer);
    assert!(is_free(&lock));
}

#[test]
fn it_goes_to_waiters_in_order_of_arrival_and_readers_in_a_row_go_together() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut queued = queue(&lock, "rrwrwwrr");
    drop(held);
    // As many as hold it, and how often each was woken by then.
    let batches = [
        (0..2, [1, 1, 0, 0, 0, 0, 0, 0]),
        (2..3, [1, 1, 1, 0, 0, 0, 0, 0]),
        (3..4, [1, 1, 1, 1, 0, 0, 0, 0]),
        (4..5, [1, 1, 1, 1, 1, 0, 0, 0]),
        (5..6, [1, 1, 1, 1, 1, 1, 0, 0]),
        (6..8, [1, 1, 1, 1, 1, 1, 1, 1]),
    ];
    for (batch, expected) in batches {
        assert_eq!(wakes(&queued), expected);
        // Neither a try, nor a newcomer, nor a later waiter gets between.
        if batch.end < queued.len() {
            assert!(lock.try_read().is_none() && lock.try_write().is_none());
            assert!(Request::new(&lock, 'r').poll().is_pending());
            assert!(Request::new(&lock, 'w').poll().is_pending());
            assert!(queued[batch.end].poll().is_pending());
        }
        let held: Vec<_> = queued[batch].iter_mut().map(Request::take).collect();
        drop(held);
    }
    assert!(is_free(&lock));
}

#[test]
fn a_waiting_writer_stops_later_readers() {
    let lock = RwLock::new(());
    let first = lock.try_read().unwrap();
    let second = lock.try_read().unwrap();
    let mut queued = queue(&lock, "wr");
    assert!(lock.try_read().is_none());
    drop(first);
    assert_eq!(wakes(&queued), [0, 0]);
    drop(second);
    assert_eq!(wakes(&queued), [1, 0]);
    drop(queued[0].take());
    assert_eq!(wakes(&queued), [1, 1]);
    drop(queued[1].take());
    assert!(is_free(&lock));
}

#[test]
fn a_writer_that_leaves_the_head_lets_the_readers_behind_it_in_at_once() {
    let lock = RwLock::new(());
    let held = lock.try_read().unwrap();
    let mut queued = queue(&lock, "wrrwr");
    drop(queued.remove(0));
    assert_eq!(wakes(&queued), [1, 1, 0, 0]);
    let readers = [queued[0].take(), queued[1].take()];
    drop(held);
    assert_eq!(wakes(&queued), [1, 1, 0, 0]);
    drop(readers);
    assert_eq!(wakes(&queued), [1, 1, 1, 0]);
}

#[test]
fn a_writer_that_leaves_an_otherwise_empty_queue_lets_readers_come_again() {
    let lock = RwLock::new(());
    let held = lock.try_read().unwrap();
    drop(queue(&lock, "w"));
    assert!(lock.try_read().is_some());
    drop(held);
    assert!(is_free(&lock));
}

#[test]
fn a_waiter_dropped_before_its_turn_leaves_the_others_theirs() {
    for leaver in 0..4 {
        let lock = RwLock::new(());
        let held = lock.try_write().unwrap();
        let mut kinds = String::from("wrwr");
        let mut queued = queue(&lock, &kinds);
        drop(queued.remove(leaver));
        kinds.remove(leaver);
        drop(held);
        // If the writer between the readers left, they go together.
        while !queued.is_empty() {
            let batch = if kinds.starts_with("rr") { 2 } else { 1 };
            let mut expected = vec![0; queued.len()];
            expected[..batch].fill(1);
            assert_eq!(wakes(&queued), expected, "{leaver} left, {kinds} are left");
            let held: Vec<_> = queued[..batch].iter_mut().map(Request::take).collect();
            drop(held);
            queued.drain(..batch);
            kinds.drain(..batch);
        }
        assert!(is_free(&lock));
    }
}

#[test]
fn a_waiter_dropped_after_its_grant_passes_it_on() {
    for (kinds, granted, after) in [
        ("wwr", vec![1, 0, 0], vec![1, 0]),
        ("wrr", vec![1, 0, 0], vec![1, 1]),
        ("rwr", vec![1, 0, 0], vec![1, 0]),
        ("rrw", vec![1, 1, 0], vec![1, 0]),
    ] {
        let lock = RwLock::new(());
        let held = lock.try_write().unwrap();
        let mut queued = queue(&lock, kinds);
        drop(held);
        assert_eq!(wakes(&queued), granted, "{kinds}");
        drop(queued.remove(0));
        assert_eq!(wakes(&queued), after, "{kinds}");
        drop(queued);
        assert!(is_free(&lock), "{kinds}");
    }
}

#[test]
fn when_the_only_waiter_has_left_letting_go_is_plain_again() {
    let lock = RwLock::new(());
    for kind in ["r", "w"] {
        let held = lock.try_write().unwrap();
        drop(queue(&lock, kind));
        drop(held);
        assert!(lock.try_read().is_some());
        assert!(is_free(&lock));
    }
}

#[test]
fn a_downgrade_lets_the_readers_at_the_head_in_and_no_writer() {
    let lock = RwLock::new(0);
    let mut writer = lock.try_write().unwrap();
    let mut queued = queue(&lock, "rrwr");
    *writer = 5;
    let reader = RwLockWriteGuard::downgrade(writer);
    assert_eq!(wakes(&queued), [1, 1, 0, 0]);
    for held in [queued[0].take(), queued[1].take()] {
        let Held::Read(guard) = held else {
            panic!("it asked to read");
        };
        assert_eq!((*guard, *reader), (5, 5));
    }
    assert_eq!(wakes(&queued), [1, 1, 0, 0]);
    drop(reader);
    assert_eq!(wakes(&queued), [1, 1, 1, 0]);
    drop(queued[2].take());
    drop(queued[3].take());
    assert!(is_free(&lock));
}

#[test]
fn a_downgrade_before_a_waiting_writer_lets_nobody_in() {
    let lock = RwLock::new(0);
    let writer = lock.try_write().unwrap();
    let mut queued = queue(&lock, "wr");
    let reader = RwLockWriteGuard::downgrade(writer);
    assert!(lock.try_read().is_none());
    assert_eq!(wakes(&queued), [0, 0]);
    drop(reader);
    drop(queued[0].take());
    drop(queued[1].take());
    assert!(is_free(&lock));
}

#[test]
fn a_downgrade_that_nobody_waits_for_lets_readers_come() {
    let lock = Arc::new(RwLock::new(0));
    let reader = RwLockWriteGuard::downgrade(lock.try_write().unwrap());
    assert!(lock.try_write().is_none());
    drop((lock.try_read().unwrap(), reader));
    let reader = OwnedRwLockWriteGuard::downgrade(lock.try_write_owned().unwrap());
    assert!(lock.try_write().is_none());
    drop((lock.try_read().unwrap(), reader));
    assert!(is_free(&lock));
    assert_eq!(Arc::strong_count(&lock), 1);
}

/// The task polls two futures while the lock is held, and then awaits the later one alone.
#[test]
fn a_task_that_awaits_one_of_its_two_futures_does_not_hang() {
    for unpolled in ['r', 'w'] {
        for awaited in ['r', 'w'] {
            let lock = RwLock::new(());
            pirn_core::shim::block_on(async {
                let held = lock.write().await;
                let mut first = Request::new(&lock, unpolled).future;
                let mut second = Request::new(&lock, awaited).future;
                poll_fn(|cx| {
                    assert!(first.as_mut().poll(cx).is_pending());
                    assert!(second.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                drop(held);
                drop(second.await);
                // And so does one that has not been there before.
                drop(Request::new(&lock, awaited).future.await);
                drop(first.await);
            });
            assert!(is_free(&lock));
        }
    }
}

#[test]
fn a_task_takes_all_that_it_was_granted_to_read_to_write_once() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = [(); 2].map(|()| Box::pin(lock.read()));
    for read in &mut unpolled {
        assert!(poll_once(read.as_mut(), &task.waker()).is_pending());
    }
    let mut strange = Box::pin(lock.write());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    drop(held);
    assert_eq!((task.wakes(), other.wakes()), (2, 0));
    let Poll::Ready(writer) = poll_once(pin!(lock.write()), &task.waker()) else {
        panic!("nobody else reads");
    };
    assert!(lock.try_read().is_none());
    drop(writer);
    // One reader took the place of the writer behind the stranger, and the other the place that the
    // writer had then, at the head.
    assert_eq!((task.wakes(), other.wakes()), (3, 0));
    let [first, second] = &mut unpolled;
    let reader = poll_once(first.as_mut(), &task.waker());
    assert!(reader.is_ready());
    assert!(poll_once(second.as_mut(), &task.waker()).is_pending());
    drop(reader);
    assert_eq!(other.wakes(), 1);
    assert!(poll_once(strange.as_mut(), &other.waker()).is_ready());
    assert!(poll_once(second.as_mut(), &task.waker()).is_ready());
    assert!(is_free(&lock));
}

#[test]
fn a_grant_to_read_is_not_lost_to_a_writer_while_others_read() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut read = pin!(lock.read());
    let mut strange = pin!(lock.read());
    let mut write = Box::pin(lock.write());
    assert!(poll_once(read.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    assert!(poll_once(write.as_mut(), &task.waker()).is_pending());
    drop(held);
    let Poll::Ready(strange) = poll_once(strange.as_mut(), &other.waker()) else {
        panic!("granted");
    };
    // The task waits for both, and polls them in whichever order.
    assert!(poll_once(write.as_mut(), &task.waker()).is_pending());
    let Poll::Ready(read) = poll_once(read.as_mut(), &task.waker()) else {
        panic!("it was granted before the writer could have it");
    };
    drop((read, strange));
    assert!(poll_once(write.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_grant_to_read_serves_a_writer_once_the_others_have_read() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = Box::pin(lock.read());
    let mut strange = Box::pin(lock.read());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    drop(held);
    drop(poll_once(strange.as_mut(), &other.waker()));
    let write = poll_once(pin!(lock.write()), &task.waker());
    assert!(write.is_ready());
    drop(write);
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
}

#[test]
fn what_a_task_was_granted_to_write_lets_a_reader_of_it_in_and_those_behind() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = Box::pin(lock.write());
    let mut strange = Box::pin(lock.read());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    drop(held);
    assert_eq!((task.wakes(), other.wakes()), (1, 0));
    let Poll::Ready(mine) = poll_once(pin!(lock.read()), &task.waker()) else {
        panic!("the task had been granted more than that");
    };
    assert_eq!(other.wakes(), 1);
    let Poll::Ready(strange) = poll_once(strange.as_mut(), &other.waker()) else {
        panic!("it was let in");
    };
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    drop((mine, strange));
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_grant_to_read_that_is_not_polled_is_claimed_by_a_reader_behind_a_writer() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = Box::pin(lock.read());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    drop(held);
    let mut strange = Box::pin(lock.write());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    let Poll::Ready(mine) = poll_once(pin!(lock.read()), &task.waker()) else {
        panic!("the two of the task change places");
    };
    drop(mine);
    let Poll::Ready(strange) = poll_once(strange.as_mut(), &other.waker()) else {
        panic!("it was before the one that is not polled");
    };
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    drop(strange);
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_grant_of_another_task_is_not_claimed() {
    for (granted, polled) in [("r", 'w'), ("w", 'r'), ("w", 'w')] {
        let lock = RwLock::new(());
        let held = lock.try_write().unwrap();
        let mut queued = queue(&lock, granted);
        drop(held);
        assert!(Request::new(&lock, polled).poll().is_pending());
        drop(queued[0].take());
    }
}

#[test]
fn a_waiter_in_a_cancelled_body_does_not_keep_it_from_others() {
    let lock = RwLock::new(());
    let held = lock.try_read().unwrap();
    let scope = Scope::detached();
    let mut body = pin!(scope.run(async {
        let _ = tokio::join!(lock.write(), shield(std::future::pending::<()>()));
    }));
    let task = Count::new();
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    let queued = queue(&lock, "r");
    scope.cancel(Cause::requested("enough"));
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    assert_eq!(wakes(&queued), [1]);
    drop((held, queued));
    assert!(is_free(&lock));
}

#[test]
fn a_waker_that_panics_does_not_keep_others_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a waker"));
        }
    }
    pirn_core::report::set_hook(Some(Arc::new(|_| {})));
    for downgraded in [false, true] {
        let lock = RwLock::new(());
        let held = lock.try_write().unwrap();
        let mut panicking = pin!(lock.read());
        assert!(poll_once(panicking.as_mut(), &Arc::new(Panics).into()).is_pending());
        let mut queued = queue(&lock, "rr");
        let left = downgraded.then(|| RwLockWriteGuard::downgrade(held));
        assert_eq!(wakes(&queued), [1, 1]);
        drop((queued[0].take(), queued[1].take(), left));
        assert!(poll_once(panicking.as_mut(), &Count::new().waker()).is_ready());
        assert!(is_free(&lock));
    }
}

#[test]
fn wakers_may_use_the_lock() {
    struct Uses(Arc<RwLock<u32>>, AtomicUsize);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            let read = self.0.try_read().map(|value| *value);
            self.1.fetch_add(read.map_or(1, |_| 100), Relaxed);
        }
    }
    let lock = Arc::new(RwLock::new(7));
    let held = lock.try_write().unwrap();
    let uses = Arc::new(Uses(lock.clone(), AtomicUsize::new(0)));
    let mut waiting = [(); 2].map(|()| Box::pin(lock.read()));
    for read in &mut waiting {
        assert!(poll_once(read.as_mut(), &uses.clone().into()).is_pending());
    }
    drop(held);
    assert_eq!(uses.1.load(Relaxed), 200);
}

#[test]
fn a_panic_lets_it_go_and_leaves_the_value_as_it_was() {
    let lock = RwLock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        *lock.try_write().unwrap() = 2;
        let _reader = lock.try_read().unwrap();
        std::panic::resume_unwind(Box::new("under the lock"));
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.try_write().unwrap(), 2);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = RwLockWriteGuard::map(lock.try_write().unwrap(), |value| -> &mut u8 {
            *value = 3;
            std::panic::resume_unwind(Box::new("in map"));
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.try_write().unwrap(), 3);
}

#[test]
fn a_mapped_guard_holds_the_lock_and_lets_it_go_once() {
    let lock = RwLock::new((1, String::from("one")));
    let name = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| pair.1.as_str());
    let inner = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.1);
    let inner = RwLockReadGuard::map(inner, |name| &name.as_bytes()[1..]);
    assert_eq!((&*name, &*inner), ("one", &b"ne"[..]));
    assert!(lock.try_write().is_none());
    drop(name);
    assert!(lock.try_write().is_none());
    drop(inner);
    let mut number = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0);
    *number += 1;
    assert_eq!(format!("{number} {number:?}"), "2 2");
    let mut queued = queue(&lock, "r");
    drop(number);
    drop(queued[0].take());
    let none = RwLockReadGuard::try_map(lock.try_read().unwrap(), |_| None::<&u8>);
    assert_eq!(none.as_ref().unwrap_err().0, 2);
    drop(none);
    let none = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |_| None::<&mut u8>);
    assert_eq!(none.as_ref().unwrap_err().0, 2);
    drop(none);
    assert!(is_free(&lock));
}

#[test]
fn an_owned_guard_keeps_its_lock() {
    let lock = Arc::new(RwLock::new(1));
    let mut writer = pirn_core::shim::block_on(lock.write_owned());
    assert!(lock.try_read_owned().is_none() && lock.try_write_owned().is_none());
    let mut reading = Box::pin(lock.read_owned());
    let count = Count::new();
    assert!(poll_once(reading.as_mut(), &count.waker()).is_pending());
    *writer += 1;
    drop(writer);
    let Poll::Ready(reader) = poll_once(reading.as_mut(), &count.waker()) else {
        panic!("granted");
    };
    assert!(lock.try_write_owned().is_none());
    let another = lock.try_read_owned().unwrap();
    assert_eq!(Arc::strong_count(&lock), 3);
    let mut writing = Box::pin(lock.write_owned());
    assert!(poll_once(writing.as_mut(), &count.waker()).is_pending());
    drop((reading, writing, another));
    drop(lock);
    assert_eq!(format!("{reader} {reader:?}"), "2 2");
}

#[test]
fn without_budget_nothing_is_taken() {
    let lock = RwLock::new(());
    for kind in ['r', 'w'] {
        let mut request = Request::new(&lock, kind);
        let refilled = budget::refill();
        while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
        assert!(request.poll().is_pending());
        assert_eq!(request.count.wakes(), 1);
        assert!(is_free(&lock));
        drop(refilled);
        drop(request.take());
    }
}

#[test]
fn it_may_be_static_and_hold_what_is_unsized() {
    static LOCK: RwLock<u8> = RwLock::new(1);
    assert_eq!(*LOCK.try_read().unwrap(), 1);
    let lock: Arc<RwLock<[u8]>> = Arc::new(RwLock::new([1, 2, 3]));
    pirn_core::shim::block_on(async { lock.write().await[1] = 5 });
    assert_eq!(*lock.try_read_owned().unwrap(), [1, 5, 3]);
    assert_eq!(*RwLock::<u8>::default().get_mut(), 0);
    assert_eq!(RwLock::from(3).into_inner(), 3);
}

#[test]
fn it_prints_its_value_or_that_it_is_locked() {
    let lock = RwLock::new(7);
    let reader = lock.try_read().unwrap();
    assert_eq!(format!("{lock:?} {reader:?} {reader}"), "RwLock(7) 7 7");
    drop(reader);
    let writer = lock.try_write().unwrap();
    assert_eq!(
        format!("{lock:?} {writer:?} {writer}"),
        "RwLock(<locked>) 7 7"
    );
}

/// `Send` and not `Sync`.
type OneByOne = Cell<u8>;
/// `Sync` and not `Send`.
type InPlace = MutexGuard<'static, u8>;
/// Neither.
type Local = Rc<u8>;

is_not!(Sync: RwLock<OneByOne>, RwLock<InPlace>, RwLock<Local>);
is_not!(Send: RwLock<InPlace>, RwLock<Local>);
is_not!(Send: RwLockReadGuard<'static, OneByOne>, RwLockReadGuard<'static, Local>);
is_not!(Sync: RwLockReadGuard<'static, OneByOne>, RwLockReadGuard<'static, Local>);
// A writer may become a reader, beside readers on other threads.
is_not!(Send: RwLockWriteGuard<'static, OneByOne>, RwLockWriteGuard<'static, InPlace>);
is_not!(Sync: RwLockWriteGuard<'static, OneByOne>, RwLockWriteGuard<'static, Local>);
is_not!(Send: MappedRwLockWriteGuard<'static, InPlace>, MappedRwLockWriteGuard<'static, Local>);
is_not!(Sync: MappedRwLockWriteGuard<'static, OneByOne>, MappedRwLockWriteGuard<'static, Local>);
is_not!(Send: OwnedRwLockReadGuard<OneByOne>, OwnedRwLockReadGuard<InPlace>);
is_not!(Sync: OwnedRwLockReadGuard<OneByOne>, OwnedRwLockReadGuard<InPlace>);
is_not!(Send: OwnedRwLockWriteGuard<OneByOne>, OwnedRwLockWriteGuard<InPlace>);
is_not!(Sync: OwnedRwLockWriteGuard<OneByOne>, OwnedRwLockWriteGuard<InPlace>);
is_not!(Send: RwLockRead<'static, OneByOne>, RwLockWrite<'static, OneByOne>);

#[test]
fn its_types_cross_threads_as_the_value_does() {
    const fn send<T: Send>() {}
    const fn sync<T: Sync>() {}
    const { send::<RwLock<OneByOne>>() };
    const { sync::<RwLock<u8>>() };
    // As a `&T`.
    const { send::<RwLockReadGuard<'static, InPlace>>() };
    const { sync::<RwLockReadGuard<'static, InPlace>>() };
    // As a `&mut T`, and a `&T` after a downgrade.
    const { send::<RwLockWriteGuard<'static, u8>>() };
    const { sync::<RwLockWriteGuard<'static, u8>>() };
    // As a `&mut T`.
    const { send::<MappedRwLockWriteGuard<'static, OneByOne>>() };
    const { sync::<MappedRwLockWriteGuard<'static, InPlace>>() };
    const { send::<OwnedRwLockReadGuard<u8>>() };
    const { sync::<OwnedRwLockReadGuard<u8>>() };
    const { send::<OwnedRwLockWriteGuard<u8>>() };
    const { sync::<OwnedRwLockWriteGuard<u8>>() };
    const { send::<RwLockRead<'static, u8>>() };
    const { sync::<RwLockRead<'static, u8>>() };
    const { send::<RwLockWrite<'static, u8>>() };
    const { sync::<RwLockWrite<'static, u8>>() };
    fn sends<T: Send>(_: &T) {}
    let lock = Arc::new(RwLock::new(0));
    sends(&lock.read_owned());
    sends(&lock.write_owned());
}

#[test]
fn its_types_are_small() {
    assert_eq!(size_of::<RwLock<()>>(), 32);
    assert_eq!(size_of::<RwLockRead<'static, ()>>(), 64);
    assert_eq!(size_of::<RwLockWrite<'static, ()>>(), 64);
    assert_eq!(size_of::<RwLockWriteGuard<'static, ()>>(), 8);
    assert_eq!(size_of::<OwnedRwLockWriteGuard<()>>(), 16);
}

#[test]
fn threads_read_and_write_correctly() {
    let lock = Arc::new(RwLock::new((0, 0)));
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let lock = Arc::clone(&lock);
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    for turn in 0..1000 {
                        if (i + turn) % 4 == 0 {
                            let mut pair = lock.write().await;
                            pair.0 += 1;
                            pair.1 += 1;
                            let pair = RwLockWriteGuard::downgrade(pair);
                            assert_eq!(pair.0, pair.1);
                        } else {
                            let pair = lock.read().await;
                            assert_eq!(pair.0, pair.1);
                        }
                    }
                })
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.try_write().unwrap(), (1000, 1000));
}

#[test]
fn many_that_come_and_go_leave_it_free() {
    // A fixed sequence that looks random: who waits, leaves, takes, downgrades and lets go.
    let mut seed = 1_u64;
    let mut next = move |n: usize| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    let lock = RwLock::new(0);
    let mut waiting: Vec<Request<'_, u32>> = Vec::new();
    let mut held: Vec<Held<'_, u32>> = Vec::new();
    let mut expected = 0;
    let mut most = 0;
    for _ in 0..20_000 {
        match next(6) {
            0 | 1 if waiting.len() < 8 => {
                let kind = if next(3) == 0 { 'w' } else { 'r' };
                waiting.push(Request::new(&lock, kind));
            }
            2 if !waiting.is_empty() => drop(waiting.swap_remove(next(waiting.len()))),
            3 if !held.is_empty() => {
                let some = match held.swap_remove(next(held.len())) {
                    Held::Write(writer) if next(2) == 0 => {
                        held.push(Held::Read(RwLockWriteGuard::downgrade(writer)));
                        None
                    }
                    some => Some(some),
                };
                drop(some);
            }
            _ => {
                for i in 0..waiting.len() {
                    if let Poll::Ready(mut taken) = waiting[i].poll() {
                        if let Held::Write(value) = &mut taken {
                            assert!(held.is_empty(), "a writer is not alone");
                            **value += 1;
                            expected += 1;
                        }
                        held.push(taken);
                        drop(waiting.remove(i));
                        break;
                    }
                }
            }
        }
        let writers = held.iter().filter(|held| matches!(held, Held::Write(_)));
        assert!(writers.count() == 0 || held.len() == 1);
        most = most.max(held.len());
    }
    drop(held);
    drop(waiting);
    assert_eq!(*lock.try_write().unwrap(), expected);
    assert!(expected > 500 && most > 2, "{expected} {most}");
}
