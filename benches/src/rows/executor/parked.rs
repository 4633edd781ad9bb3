//! Tasks that wait for ever, and the memory that they take.

use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use crate::{
    allocator,
    hosts::{Local, Shared},
};

/// Tasks whose memory is counted.
const IDLE: u64 = 10_000;

/// How many of the tasks that are to be parked were polled.
static POLLED: AtomicU64 = AtomicU64::new(0);

/// A future of 40 bytes that never ends. It keeps its waker, as what waits does: an executor may
/// free a task that nobody can wake.
struct Idle([u64; 3], Option<Waker>);

impl Future for Idle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        black_box(&self.0);
        self.1 = Some(cx.waker().clone());
        // Ordering: Relaxed, a count.
        POLLED.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }
}

/// Spawns tasks that never end, and lets each be polled once.
pub(super) fn park_local<H: Local>(host: &H, count: u64) {
    host.block_on(async {
        for i in 0..count {
            H::detach(host.spawn(Idle([i; 3], None)));
        }
        // Behind all of them in the queue.
        host.spawn(async {}).await;
    });
}

pub(super) fn park_shared<H: Shared>(host: &H, count: u64) {
    // Ordering: as in `Idle`.
    POLLED.store(0, Ordering::Relaxed);
    let spawner = host.clone();
    host.run(async move {
        for i in 0..count {
            H::detach(spawner.spawn(Idle([i; 3], None)));
        }
    });
    // Ordering: as in `Idle`.
    while POLLED.load(Ordering::Relaxed) < count {
        thread::yield_now();
    }
}

/// Bytes kept per parked task; a host of its own, since the tasks never end.
pub(super) fn memory_local<H: Local>() -> f64 {
    let host = H::new();
    // What the executor allocates when it first runs is not the tasks'.
    host.block_on(async { host.spawn(async {}).await });
    let ((), bytes) = allocator::bytes_kept(|| park_local(&host, IDLE));
    bytes as f64 / IDLE as f64
}

/// The future alone.
pub(super) fn memory_box() -> f64 {
    let (task, bytes) = allocator::bytes_kept(|| Box::new(Idle([0; 3], None)));
    drop(black_box(task));
    bytes as f64
}

pub(super) fn memory_shared<H: Shared>() -> f64 {
    let host = H::new();
    host.run(async {});
    let ((), bytes) = allocator::bytes_kept(|| park_shared(&host, IDLE));
    bytes as f64 / IDLE as f64
}
