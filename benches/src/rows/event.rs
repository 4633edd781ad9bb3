//! Events: 1000 tasks wait, and all are let go at once. The host is tokio's for all.

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

/// Tasks that wait.
const TASKS: u64 = 1000;

/// An event, as much of it as the row needs.
trait Event: Send + Sync + 'static {
    fn new() -> Self;
    fn wait(&self) -> impl Future<Output = ()> + Send;

    /// Lets everybody go who waits, and nobody who comes later.
    fn pulse(&self);
}

pub(super) fn rows() -> Vec<Row> {
    let about = "one of 1000 tasks waits, and is let go with all others";
    vec![Row::new("event.broadcast_1000.1", about, || {
        let host = Tokio::with_workers(1);
        vec![
            broadcast::<pirn_sync::Event>("pirn", &host),
            broadcast::<tokio::sync::Notify>("tokio", &host),
            broadcast::<asyncband::event::ManualResetEvent>("asyncband", &host),
            broadcast::<event_listener::Event>("event-listener", &host),
            broadcast::<futures_intrusive::sync::ManualResetEvent>("futures-intrusive", &host),
            broadcast::<maitake_sync::WaitQueue>("maitake-sync", &host),
            yields(&host),
        ]
    })]
}

fn broadcast<E: Event>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let rounds = count.div_ceil(TASKS);
        let event = Arc::new(E::new());
        // There is one thread.
        let came = Arc::new(AtomicU64::new(0));
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let event = Arc::clone(&event);
                    let came = Arc::clone(&came);
                    root.spawn(async move {
                        for _ in 0..rounds {
                            let before = came.load(Ordering::Relaxed);
                            came.store(before + 1, Ordering::Relaxed);
                            event.wait().await;
                        }
                    })
                })
                .collect();
            for round in 1..=rounds {
                while came.load(Ordering::Relaxed) < round * TASKS {
                    yield_now().await;
                }
                assert_eq!(came.load(Ordering::Relaxed), round * TASKS);
                event.pulse();
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

/// What the host costs: the tasks only yield.
fn yields(host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed("bare-yield", move |count| {
        let rounds = count.div_ceil(TASKS);
        let root = host.clone();
        host.run(async move {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    root.spawn(async move {
                        for _ in 0..rounds {
                            yield_now().await;
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

impl Event for pirn_sync::Event {
    fn new() -> Self {
        Self::new()
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }

    fn pulse(&self) {
        self.set();
        self.clear();
    }
}

impl Event for tokio::sync::Notify {
    fn new() -> Self {
        Self::new()
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.notified()
    }

    fn pulse(&self) {
        self.notify_waiters();
    }
}

impl Event for asyncband::event::ManualResetEvent {
    fn new() -> Self {
        Self::new()
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }

    fn pulse(&self) {
        self.set();
        self.reset();
    }
}

impl Event for event_listener::Event {
    fn new() -> Self {
        Self::new()
    }

    async fn wait(&self) {
        event_listener::listener!(self => listener);
        listener.await;
    }

    fn pulse(&self) {
        self.notify(usize::MAX);
    }
}

impl Event for futures_intrusive::sync::ManualResetEvent {
    fn new() -> Self {
        Self::new(false)
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }

    fn pulse(&self) {
        self.set();
        self.reset();
    }
}

impl Event for maitake_sync::WaitQueue {
    fn new() -> Self {
        Self::new()
    }

    async fn wait(&self) {
        self.wait().await.expect("nobody closes it");
    }

    fn pulse(&self) {
        self.wake_all();
    }
}
