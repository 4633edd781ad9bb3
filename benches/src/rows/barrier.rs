//! Barriers: eight tasks meet again and again. The host is tokio's for all.

use std::{future::Future, sync::Arc};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio},
};

/// Tasks that meet.
const TASKS: u64 = 8;

/// A barrier, as much of it as the rows need.
trait Barrier: Send + Sync + 'static {
    fn new(parties: u8) -> Self;

    /// Waits for all, and says if this one leads.
    fn wait(&self) -> impl Future<Output = bool> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let about = "one of 8 tasks comes to the barrier and goes on";
    vec![
        Row::new("barrier.8.1", about, || everybody(1)),
        Row::new("barrier.8.2", about, || everybody(2)),
    ]
}

fn everybody(workers: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        meets::<pirn_sync::Barrier>("pirn", &host),
        meets::<tokio::sync::Barrier>("tokio", &host),
        meets::<async_lock::Barrier>("async-lock", &host),
        meets::<asyncband::barrier::Barrier>("asyncband", &host),
    ]
}

fn meets<B: Barrier>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(TASKS);
        let barrier = Arc::new(B::new(TASKS as u8));
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let barrier = Arc::clone(&barrier);
                    root.spawn(async move {
                        let mut led = 0;
                        for _ in 0..each {
                            led += u64::from(barrier.wait().await);
                        }
                        led
                    })
                })
                .collect();
            let mut led = 0;
            for task in tasks {
                led += task.await;
            }
            assert_eq!(led, each, "one leads each time");
        });
    })
}

impl Barrier for pirn_sync::Barrier {
    fn new(parties: u8) -> Self {
        Self::new(parties.into())
    }

    async fn wait(&self) -> bool {
        self.wait().await.expect("nobody breaks it").is_leader()
    }
}

impl Barrier for tokio::sync::Barrier {
    fn new(parties: u8) -> Self {
        Self::new(parties.into())
    }

    async fn wait(&self) -> bool {
        self.wait().await.is_leader()
    }
}

impl Barrier for async_lock::Barrier {
    fn new(parties: u8) -> Self {
        Self::new(parties.into())
    }

    async fn wait(&self) -> bool {
        self.wait().await.is_leader()
    }
}

impl Barrier for asyncband::barrier::Barrier {
    fn new(parties: u8) -> Self {
        Self::new(parties.into())
    }

    async fn wait(&self) -> bool {
        self.wait().await.is_leader()
    }
}
