//! The lock: order, hand-over, cancellation, panics, and whose a grant is.

#[path = "loom/count.rs"]
mod count;
#[macro_use]
mod is_not;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{Lock, LockAcquire, LockGuard, MappedLockGuard, OwnedLockGuard};
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

#[test]
fn it_is_handed_to_waiters_in_order_of_arrival() {
    let lock = Lock::new(Vec::new());
    let held = lock.try_lock().unwrap();
    let counts: Vec<_> = (0..3).map(|_| Count::new()).collect();
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(lock.lock())).collect();
    for (waiter, count) in waiters.iter_mut().zip(&counts) {
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    }
    drop(held);
    for i in 0..3 {
        let wakes: Vec<_> = counts.iter().map(|c| c.wakes()).collect();
        assert_eq!(
            wakes,
            (0..3).map(|j| usize::from(j <= i)).collect::<Vec<_>>()
        );
        // Neither a try, nor a newcomer, nor a later waiter gets between.
        assert!(lock.try_lock().is_none());
        assert!(poll_once(pin!(lock.lock()), &Count::new().waker()).is_pending());
        if i < 2 {
            assert!(poll_once(waiters[i + 1].as_mut(), &counts[i + 1].waker()).is_pending());
        }
        let Poll::Ready(mut guard) = poll_once(waiters[i].as_mut(), &counts[i].waker()) else {
            panic!("waiter {i} was handed the lock");
        };
        guard.push(i);
    }
    assert_eq!(*lock.try_lock().unwrap(), [0, 1, 2]);
}

#[test]
fn a_waiter_dropped_after_it_was_handed_the_lock_passes_it_on() {
    let lock = Lock::new(());
    let held = lock.try_lock().unwrap();
    let counts = [Count::new(), Count::new()];
    let mut waiters = [lock.lock(), lock.lock()].map(Box::pin);
    for (waiter, count) in waiters.iter_mut().zip(&counts) {
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    }
    drop(held);
    let [first, second] = waiters;
    drop(first);
    assert_eq!(counts[1].wakes(), 1);
    drop(second);
    assert!(lock.try_lock().is_some());
    assert!(!lock.is_locked());
}

#[test]
fn a_waiter_dropped_before_its_turn_leaves_the_others_theirs() {
    let lock = Lock::new(());
    for leaver in 0..3 {
        let held = lock.try_lock().unwrap();
        let counts: Vec<_> = (0..3).map(|_| Count::new()).collect();
        let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(lock.lock())).collect();
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        drop(waiters.remove(leaver));
        drop(held);
        for (i, count) in counts.iter().enumerate().filter(|(i, _)| *i != leaver) {
            assert_eq!(count.wakes(), 1, "{i} in turn");
            assert!(poll_once(waiters.remove(0).as_mut(), &count.waker()).is_ready());
        }
        assert!(!lock.is_locked());
    }
}

#[test]
fn when_the_only_waiter_has_left_unlocking_is_plain_again() {
    let lock = Lock::new(());
    let held = lock.try_lock().unwrap();
    let mut waiter = Box::pin(lock.lock());
    assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
    drop(waiter);
    drop(held);
    assert!(!lock.is_locked());
    drop(lock.try_lock().unwrap());
}

/// smol-rs/async-lock#91: a task awaits the second of two futures that wait for the lock, having
/// polled the first one too, and never polls that again.
#[test]
fn a_task_that_awaits_one_of_its_two_futures_does_not_hang() {
    let lock = Lock::new(0);
    pirn_core::shim::block_on(async {
        let held = lock.lock().await;
        let mut first = pin!(lock.lock());
        let mut second = pin!(lock.lock());
        std::future::poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(held);
        *second.await += 1;
        // And so does one that has not been there before.
        *lock.lock().await += 1;
        *first.await += 1;
    });
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn a_grant_that_its_task_does_not_want_is_not_given_to_strangers() {
    let lock = Lock::new(());
    let held = lock.try_lock().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut first = Box::pin(lock.lock());
    let mut strange = Box::pin(lock.lock());
    assert!(poll_once(first.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    drop(held);
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    let Poll::Ready(guard) = poll_once(pin!(lock.lock()), &task.waker()) else {
        panic!("the task had been granted the lock");
    };
    drop(guard);
    // The first waits where the other of its task did, behind the stranger.
    assert_eq!((task.wakes(), other.wakes()), (1, 1));
    assert!(poll_once(first.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_ready());
    assert_eq!(task.wakes(), 2);
    assert!(poll_once(first.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_task_that_keeps_one_future_and_locks_again_and_again_does_not_starve_others() {
    let lock = Lock::new(());
    let mut guard = lock.try_lock().unwrap();
    let (task, other) = (Count::new(), Count::new());
    let mut kept = pin!(lock.lock());
    assert!(poll_once(kept.as_mut(), &task.waker()).is_pending());
    let mut strange = pin!(lock.lock());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    for turn in 0.. {
        assert!(
            turn < 2,
            "the stranger is overtaken once, for the future that was kept"
        );
        let mut again = Box::pin(lock.lock());
        assert!(poll_once(again.as_mut(), &task.waker()).is_pending());
        drop(guard);
        match poll_once(again.as_mut(), &task.waker()) {
            Poll::Ready(again) => guard = again,
            Poll::Pending => break,
        }
    }
    assert!(poll_once(strange.as_mut(), &other.waker()).is_ready());
}

#[test]
fn a_waiter_in_a_cancelled_body_does_not_keep_the_lock_from_others() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let scope = Scope::detached();
    let mut body = pin!(scope.run(async {
        let _ = tokio::join!(lock.lock(), shield(std::future::pending::<()>()));
    }));
    let (task, other) = (Count::new(), Count::new());
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    scope.cancel(Cause::requested("enough"));
    drop(guard);
    assert!(lock.is_locked());
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    // Another task, for which the clean-up waits, perhaps.
    assert!(poll_once(pin!(lock.lock()), &other.waker()).is_ready());
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    assert!(!lock.is_locked());
}

#[test]
fn a_panic_unlocks_and_leaves_the_value_as_it_was() {
    let lock = Lock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.try_lock().unwrap();
        *guard = 2;
        std::panic::resume_unwind(Box::new("under the lock"));
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.try_lock().unwrap(), 2);
}

#[test]
fn without_budget_nothing_is_taken() {
    let lock = Lock::new(());
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(lock.lock()), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 1);
    assert!(!lock.is_locked());
    drop(refilled);
    assert!(poll_once(pin!(lock.lock()), &count.waker()).is_ready());
}

#[test]
fn a_loop_over_a_free_lock_gives_way_when_its_budget_is_spent() {
    let lock = Lock::new(0_u32);
    let mut greedy = pin!(async {
        loop {
            *lock.lock().await += 1;
        }
    });
    let count = Count::new();
    let refilled = budget::refill();
    let _: Poll<()> = poll_once(greedy.as_mut(), &count.waker());
    drop(refilled);
    assert_eq!(*lock.try_lock().unwrap(), budget::BUDGET);
    assert_eq!(count.wakes(), 1);
}

#[test]
fn it_may_be_static_and_hold_what_is_unsized() {
    static LOCK: Lock<u8> = Lock::new(1);
    assert_eq!(*LOCK.try_lock().unwrap(), 1);
    let lock: Arc<Lock<[u8]>> = Arc::new(Lock::new([1, 2, 3]));
    pirn_core::shim::block_on(async { lock.lock().await[1] = 5 });
    assert_eq!(*lock.try_lock().unwrap(), [1, 5, 3]);
}

#[test]
fn it_prints_its_value_or_that_it_is_locked() {
    let lock = Lock::new(7);
    assert_eq!(format!("{lock:?}"), "Lock(7)");
    let guard = lock.try_lock().unwrap();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "Lock(<locked>) 7 7");
    assert!(std::ptr::eq(LockGuard::lock(&guard), &lock));
}

#[test]
fn an_owned_guard_keeps_its_lock() {
    let lock = Arc::new(Lock::new(1));
    let mut guard = lock.try_lock_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedLockGuard::lock(&guard), &lock));
    assert!(lock.try_lock_owned().is_none());
    let counts = [Count::new(), Count::new()];
    let (mut first, mut second) = (Box::pin(lock.lock_owned()), Box::pin(lock.lock_owned()));
    assert!(poll_once(first.as_mut(), &counts[0].waker()).is_pending());
    assert!(poll_once(second.as_mut(), &counts[1].waker()).is_pending());
    *guard += 1;
    drop(guard);
    assert_eq!(counts[1].wakes(), 0);
    drop(first);
    assert_eq!(counts[1].wakes(), 1);
    let Poll::Ready(guard) = poll_once(second.as_mut(), &counts[1].waker()) else {
        panic!("the lock was passed on");
    };
    drop(second);
    assert_eq!(Arc::strong_count(&lock), 2);
    drop(lock);
    assert_eq!(format!("{guard} {guard:?}"), "2 2");
}

#[test]
fn a_mapped_guard_holds_the_lock_and_unlocks_it_once() {
    let lock = Lock::new((1, String::from("one")));
    let mut name = LockGuard::map(lock.try_lock().unwrap(), |pair| pair.1.as_mut_str());
    name.make_ascii_uppercase();
    assert_eq!(format!("{name} {name:?}"), "ONE \"ONE\"");
    let mut waiter = pin!(lock.lock());
    let count = Count::new();
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    drop(name);
    assert_eq!(count.wakes(), 1);
    assert!(lock.try_lock().is_none());
    let Poll::Ready(guard) = poll_once(waiter.as_mut(), &count.waker()) else {
        panic!("it was handed the lock");
    };
    let guard = LockGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    assert_eq!(guard.0, 1);
    let number = LockGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap();
    assert!(lock.is_locked());
    drop(number);
    assert!(!lock.is_locked());
}

#[test]
fn a_panic_in_map_unlocks() {
    let lock = Lock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = LockGuard::map(lock.try_lock().unwrap(), |_| -> &mut u8 {
            std::panic::resume_unwind(Box::new("in map"));
        });
    }));
    assert!(panicked.is_err());
    assert!(!lock.is_locked());
}

/// `Send` and not `Sync`.
type OneByOne = Cell<u8>;
/// `Sync` and not `Send`.
type InPlace = MutexGuard<'static, u8>;

is_not!(Send: Lock<InPlace>, LockGuard<'static, InPlace>, OwnedLockGuard<InPlace>);
is_not!(Sync: Lock<InPlace>, LockGuard<'static, OneByOne>, OwnedLockGuard<OneByOne>);
// They lead to the lock, which sends.
is_not!(Sync: LockGuard<'static, InPlace>, OwnedLockGuard<InPlace>);
is_not!(Send: MappedLockGuard<'static, InPlace>);
is_not!(Sync: MappedLockGuard<'static, OneByOne>);

#[test]
fn its_types_cross_threads_as_the_value_does() {
    const fn send<T: Send>() {}
    const fn sync<T: Sync>() {}
    const { send::<Lock<Cell<u8>>>() };
    const { sync::<Lock<Cell<u8>>>() };
    const { send::<LockGuard<'static, Cell<u8>>>() };
    const { sync::<LockGuard<'static, u8>>() };
    const { send::<OwnedLockGuard<OneByOne>>() };
    const { sync::<OwnedLockGuard<u8>>() };
    const { send::<MappedLockGuard<'static, OneByOne>>() };
    const { sync::<MappedLockGuard<'static, InPlace>>() };
    const { send::<LockAcquire<'static, Cell<u8>>>() };
    const { sync::<LockAcquire<'static, Cell<u8>>>() };
}

#[test]
fn its_types_are_small() {
    assert_eq!(size_of::<Lock<()>>(), 32);
    assert_eq!(size_of::<LockAcquire<'static, ()>>(), 64);
    assert_eq!(size_of::<LockGuard<'static, ()>>(), 8);
    assert_eq!(size_of::<OwnedLockGuard<()>>(), 8);
    assert_eq!(size_of::<MappedLockGuard<'static, ()>>(), 16);
}

#[test]
fn threads_count_correctly() {
    let lock = Arc::new(Lock::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let lock = Arc::clone(&lock);
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    for _ in 0..2000 {
                        *lock.lock().await += 1;
                    }
                })
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.try_lock().unwrap(), 8000);
}

#[test]
fn many_that_come_and_go_leave_it_free() {
    fn poll<'a>(
        waiter: Pin<&mut LockAcquire<'a, u32>>,
        count: &Arc<Count>,
    ) -> Option<LockGuard<'a, u32>> {
        match poll_once(waiter, &count.waker()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }
    // A fixed sequence that looks random: who waits, leaves, takes, and unlocks.
    let mut seed = 1_u64;
    let mut next = move |n: u64| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    let lock = Lock::new(0);
    let mut waiters = Vec::new();
    let mut held: Option<LockGuard<'_, u32>> = None;
    let mut expected = 0;
    for _ in 0..20_000 {
        match next(4) {
            0 if waiters.len() < 8 => waiters.push((Box::pin(lock.lock()), Count::new())),
            1 if !waiters.is_empty() => {
                drop(waiters.swap_remove(next(waiters.len() as u64) as usize))
            }
            2 => held = None,
            _ => {
                for i in 0..waiters.len() {
                    let (waiter, count) = &mut waiters[i];
                    if let Some(mut guard) = poll(waiter.as_mut(), count) {
                        assert!(held.is_none(), "two hold it");
                        *guard += 1;
                        expected += 1;
                        held = Some(guard);
                        drop(waiters.swap_remove(i));
                        break;
                    }
                }
            }
        }
    }
    drop(held);
    drop(waiters);
    assert_eq!(*lock.try_lock().unwrap(), expected);
    assert!(expected > 1000);
}

/// Tasks that wait, each with its count of wakes.
type Line<'a> = Vec<(Pin<Box<LockAcquire<'a, u32>>>, Arc<Count>)>;

/// The guard of a lock, and so many who wait for it.
fn line<const N: usize>(lock: &Lock<u32>) -> (LockGuard<'_, u32>, Line<'_>) {
    let held = lock.try_lock().unwrap();
    let wait = |_| {
        let (mut waiter, count) = (Box::pin(lock.lock()), Count::new());
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        (waiter, count)
    };
    (held, (0..N).map(wait).collect())
}

fn wakes(line: &Line<'_>) -> Vec<usize> {
    line.iter().map(|(_, count)| count.wakes()).collect()
}

#[test]
fn who_is_next_is_overtaken_so_often_as_was_said_and_no_more() {
    let lock = Lock::new_barging(0, 2);
    let (held, mut waiting) = line::<2>(&lock);
    // While somebody holds it, it is nobody's.
    assert!(lock.try_lock().is_none());
    drop(held);
    for i in 0..2 {
        drop(lock.try_lock().unwrap());
        let newcomer = poll_once(pin!(lock.lock()), &Count::new().waker());
        assert!(newcomer.is_ready());
        drop(newcomer);
        // Enough.
        assert!(lock.try_lock().is_none());
        assert!(poll_once(pin!(lock.lock()), &Count::new().waker()).is_pending());
        // All that did not wake it again.
        assert_eq!(wakes(&waiting)[i], 1);
        let (waiter, count) = &mut waiting[i];
        let Poll::Ready(guard) = poll_once(waiter.as_mut(), &count.waker()) else {
            panic!("it cannot be overtaken any more");
        };
        assert!(lock.try_lock().is_none());
        drop(guard);
    }
    assert!(!lock.is_locked());
    // With 0, it is a lock like any other.
    let fair = Lock::new_barging(0, 0);
    let (held, _waiting) = line::<1>(&fair);
    drop(held);
    assert!(fair.try_lock().is_none());
}

#[test]
fn one_who_comes_and_was_overtaken_waits_at_the_head_and_its_count_goes_on() {
    let lock = Lock::new_barging(0, 2);
    let (held, mut waiting) = line::<2>(&lock);
    drop(held);
    let mut barged = lock.try_lock();
    for woken in 1..=2 {
        let (waiter, count) = &mut waiting[0];
        assert!(barged.is_some());
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        assert!(lock.try_lock().is_none());
        assert_eq!(wakes(&waiting), [woken, 0]);
        drop(barged.take());
        assert_eq!(wakes(&waiting), [woken + 1, 0]);
        barged = lock.try_lock();
    }
    assert!(barged.is_none());
    let (waiter, count) = &mut waiting[1];
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    let (waiter, count) = &mut waiting[0];
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
}

#[test]
fn one_who_leaves_after_it_was_overtaken_leaves_the_lock_to_the_next() {
    for unlocked in [false, true] {
        let lock = Lock::new_barging(0, 1);
        let (held, mut waiting) = line::<2>(&lock);
        drop(held);
        let barged = lock.try_lock();
        assert!(barged.is_some());
        // It leaves while the other has it, or after it was handed it again.
        let barged = barged.filter(|_| !unlocked);
        drop(waiting.remove(0));
        drop(barged);
        assert_eq!(wakes(&waiting), [1]);
        let (waiter, count) = &mut waiting[0];
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        drop(waiting);
        assert!(!lock.is_locked());
    }
}

#[test]
fn a_task_that_was_overtaken_has_the_lock_by_the_future_that_it_polls() {
    let lock = Lock::new_barging(0, 1);
    let (held, waiting) = line::<1>(&lock);
    let task = Arc::clone(&waiting[0].1);
    drop(held);
    let barged = lock.try_lock().unwrap();
    let mut awaited = Box::pin(lock.lock());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
    drop(barged);
    assert_eq!(task.wakes(), 2);
    let guard = poll_once(awaited.as_mut(), &task.waker());
    assert!(guard.is_ready());
    drop((guard, awaited));
    // The other one is granted it, and was woken for it.
    assert_eq!(task.wakes(), 2);
    drop(waiting);
    assert!(!lock.is_locked());
}

/// A sequence that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const TASKS: usize = 3;

/// What is said of a lock that may be barged into, without a thought for how it is done.
#[derive(Default)]
struct Naive {
    most: u8,
    held: bool,
    /// Number, task, and whether it was woken since its last poll.
    line: Vec<(usize, usize, bool)>,
    /// Whether the first in line was handed the lock.
    handed: bool,
    /// How often that one was overtaken.
    overtaken: u8,
    again: bool,
    wakes: [usize; TASKS],
}

impl Naive {
    /// The lock is nobody's: it is handed to the first in line.
    fn hand_over(&mut self) {
        (self.held, self.handed) = (false, !self.line.is_empty());
        if self.line.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.again) {
            self.overtaken = 0;
        }
        if let Some((_, task, woken)) = self.line.first_mut() {
            self.wakes[*task] += usize::from(!*woken);
            *woken = true;
        }
    }

    /// Takes it at once, if it is free or may be taken from the first in line.
    fn take_now(&mut self) -> bool {
        let free = !self.held && self.line.is_empty();
        let barges = self.handed && self.overtaken < self.most;
        if barges {
            (self.handed, self.again) = (false, true);
            self.overtaken += 1;
        }
        self.held |= free || barges;
        free || barges
    }

    /// A poll of one who may be in line or not. True if it takes the lock.
    fn poll(&mut self, number: usize, task: usize) -> bool {
        let mut at = match self.line.iter().position(|waiter| waiter.0 == number) {
            Some(at) => at,
            None if self.take_now() => return true,
            None => {
                self.line.push((number, task, false));
                self.line.len() - 1
            }
        };
        self.line[at].2 = false;
        if at > 0 && self.handed && self.line[0].1 == task {
            // What was granted to the task is had by the future that it polls.
            self.line[0].2 = false;
            self.line.swap(0, at);
            at = 0;
        } else if !(at == 0 && self.handed) {
            let woken = |waiter: &(usize, usize, bool)| waiter.1 == task && waiter.2;
            if let Some(other) = self.line[..at].iter().position(woken) {
                self.line.swap(at, other);
                at = other;
            }
        }
        let takes = at == 0 && self.handed;
        if takes {
            self.line.remove(0);
            (self.held, self.handed) = (true, false);
        }
        takes
    }

    fn leave(&mut self, number: usize) {
        let first = self.line.first().is_some_and(|waiter| waiter.0 == number);
        self.line.retain(|waiter| waiter.0 != number);
        if first && self.handed {
            // The next one inherits the count.
            self.again = !self.line.is_empty();
            self.hand_over();
        }
    }
}

#[test]
fn a_lock_that_is_barged_into_does_what_a_plain_line_would_do() {
    type Waiter<'a> = (usize, usize, Pin<Box<LockAcquire<'a, u32>>>);
    for seed in 0..300 {
        let mut random = Random(seed);
        let most = (seed % 4) as u8;
        let lock = Lock::new_barging(0, most);
        let mut naive = Naive {
            most,
            ..Naive::default()
        };
        let tasks: [_; TASKS] = std::array::from_fn(|_| Count::new());
        let mut waiters: Vec<Waiter<'_>> = Vec::new();
        let mut held = None;
        for number in 0..200 {
            match random.below(8) {
                0 | 1 if held.is_some() => {
                    held = None;
                    naive.hand_over();
                }
                2 => {
                    let guard = lock.try_lock();
                    assert_eq!(guard.is_some(), naive.take_now(), "seed {seed}");
                    held = held.or(guard);
                }
                3 if !waiters.is_empty() => {
                    let (number, ..) = waiters.remove(random.below(waiters.len()));
                    naive.leave(number);
                }
                4 | 5 => {
                    let task = random.below(TASKS);
                    waiters.push((number, task, Box::pin(lock.lock())));
                }
                _ => {}
            }
            if !waiters.is_empty() {
                let at = random.below(waiters.len());
                let (number, task, waiter) = &mut waiters[at];
                let polled = poll_once(waiter.as_mut(), &tasks[*task].waker());
                let takes = naive.poll(*number, *task);
                assert_eq!(polled.is_ready(), takes, "seed {seed}");
                if let Poll::Ready(guard) = polled {
                    assert!(held.is_none());
                    held = Some(guard);
                    drop(waiters.remove(at));
                }
            }
            let woken: Vec<_> = tasks.iter().map(|task| task.wakes()).collect();
            assert_eq!(woken, naive.wakes, "seed {seed}");
            let is_free = !naive.held && naive.line.is_empty();
            assert_eq!(lock.is_locked(), !is_free, "seed {seed}");
        }
    }
}

#[test]
fn a_task_that_claims_without_budget_is_overtaken_no_oftener() {
    let lock = Lock::new_barging(0, 1);
    let held = lock.try_lock().unwrap();
    let task = Count::new();
    let (mut a, mut b) = (Box::pin(lock.lock()), Box::pin(lock.lock()));
    assert!(poll_once(a.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(b.as_mut(), &task.waker()).is_pending());
    drop(held);
    let mut barged = 0;
    for round in 0..6 {
        barged += usize::from(lock.try_lock().is_some());
        let refilled = budget::refill();
        while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
        let next = if round % 2 == 0 { &mut b } else { &mut a };
        assert!(poll_once(next.as_mut(), &task.waker()).is_pending());
        drop(refilled);
    }
    assert_eq!(barged, 1);
}

#[test]
fn looking_at_a_lock_takes_nobodys_turn() {
    let lock = Lock::new_barging(0, 1);
    let held = lock.try_lock().unwrap();
    let task = Count::new();
    let mut a = Box::pin(lock.lock());
    assert!(poll_once(a.as_mut(), &task.waker()).is_pending());
    drop(held);
    let _ = format!("{lock:?}");
    // Nobody has barged in so far.
    assert!(lock.try_lock().is_some());
}
