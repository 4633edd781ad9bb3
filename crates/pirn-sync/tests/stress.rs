//! Each primitive on real threads: random operations, of which many are cancelled after a few polls,
//! and what must be true in the end. One that does not end has lost a wake-up.
//!
//! `PIRN_STRESS=100 cargo test -p pirn-sync --release --test stress` does so many times as much.

use pirn_core::yield_now;
use pirn_sync::broadcast::RecvError;
use pirn_sync::{
    Barrier, Closed, Condition, Event, Lock, OnceCell, Queue, Rendezvous, RwLock, RwLockWriteGuard,
    Semaphore, block_on, broadcast, oneshot, watch,
};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

const THREADS: usize = 4;

/// How often each thread does something.
fn rounds() -> usize {
    let times = std::env::var("PIRN_STRESS").map_or(1, |times| {
        times
            .parse()
            .expect("PIRN_STRESS is how many times as much")
    });
    10_000 * times
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

    /// Waits to the end, or, in two of three cases, for a few polls and no more; between the last of
    /// these and the drop there is time to be granted what is waited for.
    fn wait<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut left = match self.below(3) {
            0 => usize::MAX,
            _ => self.below(3),
        };
        let mut future = pin!(future);
        let value = block_on(poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                if left != usize::MAX {
                    left -= 1;
                    thread::yield_now();
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }));
        if value.is_none() {
            self.pause();
        }
        value
    }

    /// Gives the processor away, half of the time.
    fn pause(&mut self) {
        for _ in 0..self.below(4).saturating_sub(1) {
            thread::yield_now();
        }
    }
}

/// Runs `f` on so many threads at once, with the number and the random sequence of each.
fn on_threads(threads: usize, f: impl Fn(usize, Random) + Sync) {
    thread::scope(|scope| {
        for me in 0..threads {
            let f = &f;
            scope.spawn(move || f(me, Random(me as u64 + 1)));
        }
    });
}

#[test]
fn a_lock_has_one_holder_at_a_time() {
    one_holder_at_a_time(Lock::new(0));
}

#[test]
fn a_lock_that_is_barged_into_has_one_holder_at_a_time() {
    one_holder_at_a_time(Lock::new_barging(0, 3));
}

fn one_holder_at_a_time(lock: Lock<usize>) {
    let taken = AtomicUsize::new(0);
    on_threads(THREADS, |_, mut random| {
        for _ in 0..rounds() {
            let guard = match random.below(4) {
                0 => lock.try_lock(),
                _ => random.wait(lock.lock()),
            };
            if let Some(mut guard) = guard {
                let before = *guard;
                random.pause();
                *guard = before + 1;
                taken.fetch_add(1, SeqCst);
            }
        }
    });
    assert!(!lock.is_locked());
    assert_eq!(lock.into_inner(), taken.into_inner());
}

#[test]
fn writers_are_alone_and_readers_are_not_disturbed() {
    let lock = RwLock::new((0_usize, 0_usize));
    let (readers, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_threads(THREADS, |_, mut random| {
        for _ in 0..rounds() {
            if random.below(3) == 0 {
                let Some(mut guard) = random.wait(lock.write()) else {
                    continue;
                };
                assert_eq!(readers.load(SeqCst), 0);
                guard.0 += 1;
                random.pause();
                guard.1 += 1;
                written.fetch_add(1, SeqCst);
                if random.below(2) == 0 {
                    let guard = RwLockWriteGuard::downgrade(guard);
                    readers.fetch_add(1, SeqCst);
                    assert_eq!(guard.0, guard.1);
                    readers.fetch_sub(1, SeqCst);
                }
            } else if let Some(guard) = random.wait(lock.read()) {
                readers.fetch_add(1, SeqCst);
                random.pause();
                assert_eq!(guard.0, guard.1);
                readers.fetch_sub(1, SeqCst);
            }
        }
    });
    assert!(lock.try_write().is_some());
    assert_eq!(lock.into_inner().0, written.into_inner());
}

#[test]
fn all_permits_come_back() {
    const PERMITS: usize = 3;
    let (semaphore, out) = (Semaphore::new(PERMITS), AtomicUsize::new(0));
    on_threads(THREADS, |_, mut random| {
        for _ in 0..rounds() {
            let count = random.below(PERMITS + 1);
            let permit = match random.below(4) {
                0 => semaphore.try_acquire_many(count).ok(),
                _ => random
                    .wait(semaphore.acquire_many(count))
                    .map(|permit| permit.expect("nobody closes it")),
            };
            let Some(permit) = permit else {
                continue;
            };
            assert!(out.fetch_add(count, SeqCst) + count <= PERMITS);
            random.pause();
            out.fetch_sub(count, SeqCst);
            if random.below(4) == 0 {
                permit.forget();
                semaphore.release(count).expect("as many as were forgotten");
            }
        }
    });
    assert_eq!(semaphore.available(), PERMITS);
    assert_eq!(
        semaphore.try_acquire_many(PERMITS).unwrap().count(),
        PERMITS
    );
}

#[test]
fn an_event_forgets_nobody_and_publishes_what_came_before() {
    let (event, before) = (Event::new(), AtomicUsize::new(0));
    on_threads(THREADS, |me, mut random| {
        for _ in 0..rounds() {
            match me {
                0 => {
                    before.fetch_add(1, SeqCst);
                    event.set();
                    random.pause();
                    event.clear();
                }
                _ => {
                    if random.wait(event.wait()).is_some() {
                        assert!(before.load(SeqCst) > 0);
                    }
                }
            }
        }
        if me == 0 {
            event.set();
        }
    });
    assert!(event.is_set());
}

#[test]
fn no_notification_is_lost_with_a_waiter_that_leaves() {
    #[derive(Default)]
    struct Stock {
        items: usize,
        is_over: bool,
    }
    let (stock, grown, shrunk) = (
        Lock::new(Stock::default()),
        Condition::new(),
        Condition::new(),
    );
    let taken = AtomicUsize::new(0);
    // False once there is nothing to come.
    let take = async || {
        let guard = stock.lock().await;
        let waits = |stock: &mut Stock| stock.items == 0 && !stock.is_over;
        let mut guard = grown.wait_while(guard, waits).await;
        let took = guard.items > 0;
        guard.items -= usize::from(took);
        taken.fetch_add(usize::from(took), SeqCst);
        shrunk.notify_all();
        took
    };
    let gone = async || {
        let guard = stock.lock().await;
        drop(shrunk.wait_while(guard, |stock| stock.items > 0).await);
    };
    on_threads(THREADS, |me, mut random| match me {
        // It puts the next one in when the one before is gone.
        0 => {
            for _ in 0..rounds() {
                let mut guard = block_on(stock.lock());
                guard.items += 1;
                grown.notify(1);
                // Who was notified waits for the lock now.
                random.pause();
                drop(guard);
                block_on(gone());
            }
            block_on(stock.lock()).is_over = true;
            grown.notify_all();
        }
        // Who leaves leaves it to those who stay, who have to be told.
        1 => {
            while random.wait(take()) != Some(false) {
                block_on(gone());
            }
        }
        _ => while block_on(take()) {},
    });
    assert_eq!(taken.into_inner(), rounds());
}

#[test]
fn each_round_of_a_barrier_has_one_leader_and_all_its_parties() {
    const PARTIES: usize = THREADS - 1;
    let barrier = Barrier::new(PARTIES);
    let [leaders, turns, left] = [(); 3].map(|()| AtomicUsize::new(0));
    on_threads(THREADS, |_, mut random| {
        for _ in 0..rounds() {
            match random.wait(barrier.wait()) {
                Some(Ok(turn)) => {
                    assert_eq!(turn.is_leader(), turn.index() == PARTIES - 1);
                    leaders.fetch_add(usize::from(turn.is_leader()), SeqCst);
                    turns.fetch_add(1, SeqCst);
                }
                Some(Err(_)) => break,
                None => {
                    left.fetch_add(1, SeqCst);
                }
            }
        }
        // Those who still wait have too few to come.
        barrier.abort();
    });
    // Who left may have been let through before.
    let unseen = leaders.into_inner() * PARTIES - turns.into_inner();
    assert!(unseen <= left.into_inner());
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn a_value_is_made_once_whoever_fails_or_leaves() {
    let cells: Vec<_> = (0..rounds()).map(|_| OnceCell::new()).collect();
    let made: Vec<_> = cells.iter().map(|_| AtomicUsize::new(0)).collect();
    on_threads(THREADS, |me, mut random| {
        for (cell, made) in cells.iter().zip(&made) {
            let succeeds = random.below(2) == 0;
            let makes = || async {
                yield_now().await;
                made.fetch_add(usize::from(succeeds), SeqCst);
                succeeds.then(|| Box::new(me)).ok_or(())
            };
            let _ = random.wait(cell.get_or_try_init(makes));
            let value = block_on(cell.get_or_init(|| async {
                made.fetch_add(1, SeqCst);
                Box::new(me)
            }));
            assert_eq!(block_on(cell.wait()), value);
        }
    });
    assert!(made.into_iter().all(|made| made.into_inner() == 1));
}

#[test]
fn each_item_that_was_put_is_got_once() {
    let queue = Queue::bounded(3);
    let per_producer = rounds();
    let items: Vec<_> = (0..2 * per_producer).map(|_| AtomicIsize::new(0)).collect();
    let producing = AtomicUsize::new(2);
    on_threads(THREADS, |me, mut random| {
        if me < 2 {
            let mine = items.iter().enumerate().skip(me * per_producer);
            for (item, there) in mine.take(per_producer) {
                let put = match random.below(4) {
                    0 => queue.try_put(Box::new(item)).is_ok(),
                    _ => random.wait(queue.put(Box::new(item))) == Some(Ok(())),
                };
                there.fetch_add(isize::from(put), SeqCst);
            }
            if producing.fetch_sub(1, SeqCst) == 1 {
                queue.close();
            }
            return;
        }
        loop {
            match random.wait(queue.get()) {
                Some(Ok(item)) => {
                    items[*item].fetch_sub(1, SeqCst);
                    queue.task_done();
                }
                Some(Err(Closed)) => break,
                None => {}
            }
        }
    });
    block_on(queue.join());
    assert!(queue.is_empty());
    assert!(items.into_iter().all(|item| item.into_inner() == 0));
}

#[test]
fn each_item_is_handed_over_once_or_stays_with_who_put_it() {
    let place = Rendezvous::new();
    let (handed, got, done) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    on_threads(THREADS, |me, mut random| {
        let puts = me % 2 == 0;
        for _ in 0..rounds() {
            match (puts, random.below(8)) {
                (true, _) => match random.wait(place.put(Box::new(me))) {
                    Some(put) => {
                        handed.fetch_add(usize::from(put.is_ok()), SeqCst);
                    }
                    // It may have been taken as it was given up.
                    None => {
                        done.fetch_add(1, SeqCst);
                    }
                },
                (false, 0) => {
                    got.fetch_add(usize::from(place.try_get().is_ok()), SeqCst);
                }
                (false, 1) => {
                    let mut items = Vec::new();
                    random.wait(place.get_many(&mut items, 3));
                    got.fetch_add(items.len(), SeqCst);
                }
                (false, _) => {
                    let item = random.wait(place.get());
                    got.fetch_add(usize::from(matches!(item, Some(Ok(_)))), SeqCst);
                }
            }
        }
        // The other side is not left to wait.
        place.close();
    });
    let now = place.statistics();
    assert_eq!((now.putters, now.getters), (0, 0));
    let (handed, got) = (handed.into_inner(), got.into_inner());
    assert!(handed <= got && got <= handed + done.into_inner());
}

#[test]
fn a_oneshot_value_arrives_or_comes_back_and_is_dropped_once() {
    /// Counts the values that are there.
    struct Value<'a>(&'a AtomicIsize);
    impl Drop for Value<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    let (there, sent, got) = (
        AtomicIsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let (hand, handed) = mpsc::channel();
    thread::scope(|scope| {
        let (there, sent, got) = (&there, &sent, &got);
        scope.spawn(move || {
            let mut random = Random(1);
            for _ in 0..2 * rounds() {
                let (mut sender, receiver) = oneshot::channel();
                hand.send(receiver).expect("the other thread takes all");
                // Only for a few polls: the other may wait for the value.
                if random.below(2) == 0 {
                    let mut closed = pin!(sender.closed());
                    block_on(poll_fn(|cx| {
                        Poll::Ready(closed.as_mut().poll(cx).is_ready())
                    }));
                }
                random.pause();
                if random.below(4) > 0 {
                    there.fetch_add(1, SeqCst);
                    sent.fetch_add(usize::from(sender.send(Value(there)).is_ok()), SeqCst);
                }
            }
        });
        scope.spawn(move || {
            let mut random = Random(2);
            for mut receiver in handed {
                random.pause();
                let mut value = random.wait(&mut receiver).and_then(Result::ok);
                if value.is_none() && random.below(2) == 0 {
                    receiver.close();
                    value = receiver.try_recv().ok();
                }
                got.fetch_add(usize::from(value.is_some()), SeqCst);
            }
        });
    });
    assert_eq!(there.into_inner(), 0);
    assert!(got.into_inner() <= sent.into_inner());
}

#[test]
fn who_watches_sees_the_last_value() {
    let (sender, receiver) = watch::channel(0);
    let all = 2 * rounds();
    thread::scope(|scope| {
        for (me, mut receiver) in [receiver.clone(), receiver].into_iter().enumerate() {
            scope.spawn(move || {
                let (mut random, mut seen) = (Random(me as u64), 0);
                loop {
                    match random.wait(receiver.changed()) {
                        Some(Ok(value)) => {
                            assert!(*value > seen);
                            seen = *value;
                        }
                        Some(Err(Closed)) => break assert_eq!(seen, all),
                        None => {}
                    }
                }
            });
        }
        for sender in [sender.clone(), sender] {
            scope.spawn(move || {
                let mut random = Random(9);
                for _ in 0..all / 2 {
                    sender.send_modify(|value| *value += 1);
                    random.pause();
                }
            });
        }
    });
}

#[test]
fn each_broadcast_item_is_received_or_counted_as_missed() {
    let (sender, receiver) = broadcast::channel::<(usize, Box<usize>)>(4);
    let each = rounds();
    thread::scope(|scope| {
        for (me, mut receiver) in [sender.subscribe(), receiver].into_iter().enumerate() {
            scope.spawn(move || {
                let (mut random, mut last, mut accounted) = (Random(me as u64), [0; 2], 0);
                loop {
                    match random.wait(receiver.recv()) {
                        Some(Ok((from, item))) => {
                            assert!(*item > last[from]);
                            last[from] = *item;
                            accounted += 1;
                        }
                        Some(Err(RecvError::Lagged(missed))) => accounted += missed,
                        Some(Err(RecvError::Closed)) => break,
                        None => {}
                    }
                }
                assert_eq!(accounted, 2 * each as u64);
            });
        }
        for (me, sender) in [sender.clone(), sender].into_iter().enumerate() {
            scope.spawn(move || {
                let mut random = Random(8);
                for item in 1..=each {
                    assert!(sender.send((me, Box::new(item))).is_ok());
                    random.pause();
                }
            });
        }
    });
}
