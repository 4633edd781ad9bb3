//! Locks: one task alone, and eight tasks that hold it over a yield or over nothing. The host is
//! tokio's for all.

use std::{future::Future, ops::DerefMut, sync::Arc};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio, yield_now},
};

/// Tasks that want the lock.
const TASKS: u64 = 8;

/// A lock, as much of it as the rows need.
trait Lock: Send + Sync + 'static {
    type Guard<'a>: DerefMut<Target = u64> + Send;

    fn new() -> Self;
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let alone = "lock, count, unlock, alone";
    let short = "one of 8 tasks locks, counts, unlocks";
    let contended = "one of 8 tasks holds the lock over a yield";
    vec![
        Row::new("lock.uncontended", alone, || {
            vec![
                uncontended::<pirn_sync::Lock<u64>>("pirn"),
                uncontended::<tokio::sync::Mutex<u64>>("tokio"),
                uncontended::<async_lock::Mutex<u64>>("async-lock"),
                uncontended::<asyncband::mutex::Mutex<u64>>("asyncband"),
                uncontended::<futures::lock::Mutex<u64>>("futures"),
                uncontended::<futures_intrusive::sync::Mutex<u64>>("futures-intrusive"),
                uncontended::<maitake_sync::Mutex<u64>>("maitake-sync"),
            ]
        }),
        Row::new("lock.contended_short.2", short, || everybody(2, false)),
        Row::new("lock.contended_yield.1", contended, || everybody(1, true)),
        Row::new("lock.contended_yield.2", contended, || everybody(2, true)),
    ]
}

fn everybody(workers: usize, yields: bool) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        contended::<pirn_sync::Lock<u64>>("pirn", yields, &host),
        contended::<Barging>("pirn-barging", yields, &host),
        contended::<tokio::sync::Mutex<u64>>("tokio", yields, &host),
        contended::<async_lock::Mutex<u64>>("async-lock", yields, &host),
        contended::<asyncband::mutex::Mutex<u64>>("asyncband", yields, &host),
        contended::<futures::lock::Mutex<u64>>("futures", yields, &host),
        contended::<futures_intrusive::sync::Mutex<u64>>("futures-intrusive", yields, &host),
        contended::<maitake_sync::Mutex<u64>>("maitake-sync", yields, &host),
    ]
}

fn uncontended<L: Lock>(name: &'static str) -> Contender {
    let lock = L::new();
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            for _ in 0..count {
                *lock.lock().await += 1;
            }
        });
    })
}

fn contended<L: Lock>(name: &'static str, yields: bool, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(TASKS);
        let lock = Arc::new(L::new());
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    root.spawn(async move {
                        for _ in 0..each {
                            let mut guard = lock.lock().await;
                            *guard += 1;
                            if yields {
                                yield_now().await;
                            }
                            drop(guard);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            assert_eq!(*lock.lock().await, each * TASKS);
        });
    })
}

impl Lock for pirn_sync::Lock<u64> {
    type Guard<'a> = pirn_sync::LockGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

/// At most 32 overtake one who waits.
struct Barging(pirn_sync::Lock<u64>);

impl Lock for Barging {
    type Guard<'a> = pirn_sync::LockGuard<'a, u64>;

    fn new() -> Self {
        Barging(pirn_sync::Lock::new_barging(0, 32))
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.0.lock()
    }
}

impl Lock for tokio::sync::Mutex<u64> {
    type Guard<'a> = tokio::sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

impl Lock for async_lock::Mutex<u64> {
    type Guard<'a> = async_lock::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

impl Lock for asyncband::mutex::Mutex<u64> {
    type Guard<'a> = asyncband::mutex::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

impl Lock for futures::lock::Mutex<u64> {
    type Guard<'a> = futures::lock::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

impl Lock for futures_intrusive::sync::Mutex<u64> {
    type Guard<'a> = futures_intrusive::sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0, true)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

impl Lock for maitake_sync::Mutex<u64> {
    type Guard<'a> = maitake_sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}
