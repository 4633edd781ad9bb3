//! Semaphores: one task alone, and 64 tasks that hold a permit over a yield. The host is tokio's
//! for all.

use std::{future::Future, sync::Arc};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio, yield_now},
};

/// Tasks that want a permit.
const TASKS: u64 = 64;

/// A semaphore, as much of it as the rows need.
trait Semaphore: Send + Sync + 'static {
    type Permit<'a>: Send;

    fn new(permits: usize) -> Self;
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![Row::new(
        "semaphore.uncontended",
        "acquire and release one of 10 permits, alone",
        || {
            vec![
                uncontended::<pirn_sync::Semaphore>("pirn"),
                uncontended::<tokio::sync::Semaphore>("tokio"),
                uncontended::<async_lock::Semaphore>("async-lock"),
                uncontended::<asyncband::semaphore::Semaphore>("asyncband"),
                uncontended::<futures_intrusive::sync::Semaphore>("futures-intrusive"),
                uncontended::<maitake_sync::Semaphore>("maitake-sync"),
            ]
        },
    )];
    for (permits, workers) in [(1, 1), (10, 1), (1, 2), (10, 2)] {
        rows.push(Row::new(
            format!("semaphore.contended_{permits}.{workers}"),
            "one of 64 tasks holds one of the permits over a yield",
            move || everybody(permits, workers),
        ));
    }
    rows
}

fn everybody(permits: usize, workers: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        contended::<pirn_sync::Semaphore>("pirn", permits, &host),
        contended::<tokio::sync::Semaphore>("tokio", permits, &host),
        contended::<async_lock::Semaphore>("async-lock", permits, &host),
        contended::<asyncband::semaphore::Semaphore>("asyncband", permits, &host),
        contended::<futures_intrusive::sync::Semaphore>("futures-intrusive", permits, &host),
        contended::<maitake_sync::Semaphore>("maitake-sync", permits, &host),
    ]
}

fn uncontended<S: Semaphore>(name: &'static str) -> Contender {
    let semaphore = S::new(10);
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            for _ in 0..count {
                drop(semaphore.acquire().await);
            }
        });
    })
}

fn contended<S: Semaphore>(name: &'static str, permits: usize, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(TASKS);
        let semaphore = Arc::new(S::new(permits));
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let semaphore = Arc::clone(&semaphore);
                    root.spawn(async move {
                        for _ in 0..each {
                            let permit = semaphore.acquire().await;
                            yield_now().await;
                            drop(permit);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
        });
    })
}

impl Semaphore for pirn_sync::Semaphore {
    type Permit<'a> = pirn_sync::Permit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire().await.expect("nobody closes it")
    }
}

impl Semaphore for tokio::sync::Semaphore {
    type Permit<'a> = tokio::sync::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire().await.expect("nobody closes it")
    }
}

impl Semaphore for async_lock::Semaphore {
    type Permit<'a> = async_lock::SemaphoreGuard<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send {
        self.acquire()
    }
}

impl Semaphore for asyncband::semaphore::Semaphore {
    type Permit<'a> = asyncband::semaphore::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send {
        self.acquire(1)
    }
}

impl Semaphore for futures_intrusive::sync::Semaphore {
    type Permit<'a> = futures_intrusive::sync::SemaphoreReleaser<'a>;

    fn new(permits: usize) -> Self {
        Self::new(true, permits)
    }

    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send {
        self.acquire(1)
    }
}

impl Semaphore for maitake_sync::Semaphore {
    type Permit<'a> = maitake_sync::semaphore::Permit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire(1).await.expect("nobody closes it")
    }
}
