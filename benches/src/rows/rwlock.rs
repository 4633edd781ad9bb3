//! Read-write locks: one task alone, and 64 tasks that mostly read, which hold it over nothing or
//! over a yield. The host is tokio's for all.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio, yield_now},
};

/// Tasks that want the lock.
const TASKS: u64 = 64;
/// One of so many operations is a write.
const PERIOD: u64 = 16;

/// A read-write lock of a number, as much of it as the rows need.
trait RwLock: Send + Sync + 'static {
    type Read<'a>: Send;
    type Write<'a>: Send;

    fn new() -> Self;
    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send;
    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send;
    fn value(guard: &Self::Read<'_>) -> u64;
    fn add_one(guard: &mut Self::Write<'_>);
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "rwlock.read_uncontended",
            "lock to read, unlock, alone",
            || {
                vec![
                    reads::<pirn_sync::RwLock<u64>>("pirn"),
                    reads::<tokio::sync::RwLock<u64>>("tokio"),
                    reads::<async_lock::RwLock<u64>>("async-lock"),
                    reads::<asyncband::rwlock::RwLock<u64>>("asyncband"),
                    reads::<maitake_sync::RwLock<u64>>("maitake-sync"),
                    reads::<Saa>("saa"),
                    std_reads(),
                ]
            },
        ),
        Row::new(
            "rwlock.write_uncontended",
            "lock to write, count, unlock, alone",
            || {
                vec![
                    writes::<pirn_sync::RwLock<u64>>("pirn"),
                    writes::<tokio::sync::RwLock<u64>>("tokio"),
                    writes::<async_lock::RwLock<u64>>("async-lock"),
                    writes::<asyncband::rwlock::RwLock<u64>>("asyncband"),
                    writes::<maitake_sync::RwLock<u64>>("maitake-sync"),
                    writes::<Saa>("saa"),
                ]
            },
        ),
        Row::new(
            "rwlock.read_mostly.2",
            "one of 64 tasks locks and unlocks, 15 times to read and once to write",
            || everybody(false),
        ),
        Row::new(
            "rwlock.read_mostly_yield.2",
            "the same, each time held over a yield",
            || everybody(true),
        ),
    ]
}

fn everybody(yields: bool) -> Vec<Contender> {
    let host = Tokio::with_workers(2);
    vec![
        mostly_reads::<pirn_sync::RwLock<u64>>("pirn", yields, &host),
        mostly_reads::<tokio::sync::RwLock<u64>>("tokio", yields, &host),
        mostly_reads::<async_lock::RwLock<u64>>("async-lock", yields, &host),
        mostly_reads::<asyncband::rwlock::RwLock<u64>>("asyncband", yields, &host),
        mostly_reads::<maitake_sync::RwLock<u64>>("maitake-sync", yields, &host),
    ]
}

fn reads<L: RwLock>(name: &'static str) -> Contender {
    let lock = L::new();
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            let mut sum = 0;
            for _ in 0..count {
                sum += L::value(&lock.read().await) + 1;
            }
            assert_eq!(sum, count);
        });
    })
}

/// What a lock costs that can only block.
fn std_reads() -> Contender {
    let lock = std::sync::RwLock::new(0);
    Contender::timed("bare-std", move |count| {
        let mut sum = 0;
        for _ in 0..count {
            sum += *lock.read().expect("nobody panics") + 1;
        }
        assert_eq!(sum, count);
    })
}

fn writes<L: RwLock>(name: &'static str) -> Contender {
    let lock = L::new();
    let mut written = 0;
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            for _ in 0..count {
                L::add_one(&mut lock.write().await);
            }
            written += count;
            assert_eq!(L::value(&lock.read().await), written);
        });
    })
}

fn mostly_reads<L: RwLock>(name: &'static str, yields: bool, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let periods = count.div_ceil(TASKS * PERIOD);
        let lock = Arc::new(L::new());
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    root.spawn(async move {
                        let mut seen = 0;
                        for turn in 0..periods * PERIOD {
                            if turn % PERIOD == 0 {
                                let mut guard = lock.write().await;
                                L::add_one(&mut guard);
                                if yields {
                                    yield_now().await;
                                }
                            } else {
                                let guard = lock.read().await;
                                let value = L::value(&guard);
                                assert!(value >= seen, "a number that only grows");
                                seen = value;
                                if yields {
                                    yield_now().await;
                                }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            assert_eq!(L::value(&lock.read().await), periods * TASKS);
        });
    })
}

impl RwLock for pirn_sync::RwLock<u64> {
    type Read<'a> = pirn_sync::RwLockReadGuard<'a, u64>;
    type Write<'a> = pirn_sync::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send {
        self.read()
    }

    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send {
        self.write()
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        **guard
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        **guard += 1;
    }
}

impl RwLock for tokio::sync::RwLock<u64> {
    type Read<'a> = tokio::sync::RwLockReadGuard<'a, u64>;
    type Write<'a> = tokio::sync::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send {
        self.read()
    }

    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send {
        self.write()
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        **guard
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        **guard += 1;
    }
}

impl RwLock for async_lock::RwLock<u64> {
    type Read<'a> = async_lock::RwLockReadGuard<'a, u64>;
    type Write<'a> = async_lock::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send {
        self.read()
    }

    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send {
        self.write()
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        **guard
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        **guard += 1;
    }
}

impl RwLock for asyncband::rwlock::RwLock<u64> {
    type Read<'a> = asyncband::rwlock::RwLockReadGuard<'a, u64>;
    type Write<'a> = asyncband::rwlock::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send {
        self.read()
    }

    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send {
        self.write()
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        **guard
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        **guard += 1;
    }
}

impl RwLock for maitake_sync::RwLock<u64> {
    type Read<'a> = maitake_sync::rwlock::RwLockReadGuard<'a, u64>;
    type Write<'a> = maitake_sync::rwlock::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Read<'_>> + Send {
        self.read()
    }

    fn write(&self) -> impl Future<Output = Self::Write<'_>> + Send {
        self.write()
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        **guard
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        **guard += 1;
    }
}

/// saa's lock, which owns no value and has no guards. Only for the rows without contention: it
/// spins inside `poll` before it queues.
struct Saa {
    lock: saa::Lock,
    value: AtomicU64,
}

struct SaaRead<'a>(&'a Saa);
struct SaaWrite<'a>(&'a Saa);

impl RwLock for Saa {
    type Read<'a> = SaaRead<'a>;
    type Write<'a> = SaaWrite<'a>;

    fn new() -> Self {
        Saa {
            lock: saa::Lock::new(),
            value: AtomicU64::new(0),
        }
    }

    async fn read(&self) -> Self::Read<'_> {
        assert!(self.lock.share_async().await, "nobody poisons it");
        SaaRead(self)
    }

    async fn write(&self) -> Self::Write<'_> {
        assert!(self.lock.lock_async().await, "nobody poisons it");
        SaaWrite(self)
    }

    fn value(guard: &Self::Read<'_>) -> u64 {
        // Ordering: Relaxed, the lock publishes it.
        guard.0.value.load(Ordering::Relaxed)
    }

    fn add_one(guard: &mut Self::Write<'_>) {
        let value = &guard.0.value;
        // Ordering: Relaxed, the lock publishes it, and keeps others away.
        value.store(value.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl Drop for SaaRead<'_> {
    fn drop(&mut self) {
        self.0.lock.release_share();
    }
}

impl Drop for SaaWrite<'_> {
    fn drop(&mut self) {
        self.0.lock.release_lock();
    }
}
