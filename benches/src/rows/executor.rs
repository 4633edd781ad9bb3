//! Executors: spawn and join, yield, ping-pong, chains of spawns, and the memory of an idle task.

use std::{
    future::{Future, poll_fn},
    hint::black_box,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures::{channel::oneshot, task::AtomicWaker};

use crate::{
    allocator,
    harness::{Contender, Row},
    hosts::{
        Local, Monoio, Nio, PirnLocal, PirnShared, Shared, SmolLocal, SmolShared, Tokio,
        TokioLocal, yield_now,
    },
};

/// Tasks alive at once in the rows that spawn many.
const BATCH: u64 = 1000;
/// Tasks that yield side by side, and pairs that play ping-pong.
const SIDE_BY_SIDE: u64 = 100;
/// Tasks whose memory is counted.
const IDLE: u32 = 10_000;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "executor.spawn_join.1",
            "spawn a task and await its handle",
            || {
                vec![
                    Contender::timed("pirn", local(PirnLocal::new(), spawn_join_local)),
                    Contender::timed("tokio-localset", local(TokioLocal::new(), spawn_join_local)),
                    Contender::timed("async-executor", local(SmolLocal::new(), spawn_join_local)),
                    Contender::timed("monoio-legacy", local(Monoio::new(), spawn_join_local)),
                ]
            },
        ),
        Row::new(
            "executor.spawn_join.2",
            "spawn a task and await its handle",
            || {
                vec![
                    Contender::timed("pirn", shared(PirnShared::new(), spawn_join_shared)),
                    Contender::timed("tokio", shared(Tokio::new(), spawn_join_shared)),
                    Contender::timed(
                        "async-executor-static",
                        shared(SmolShared::new(), spawn_join_shared),
                    ),
                    Contender::timed("nio", shared(Nio::new(), spawn_join_shared)),
                ]
            },
        ),
        Row::new("executor.yield.1", "one of 100 tasks yields once", || {
            vec![
                Contender::timed("pirn", local(PirnLocal::new(), yield_local)),
                Contender::timed("tokio-localset", local(TokioLocal::new(), yield_local)),
                Contender::timed("async-executor", local(SmolLocal::new(), yield_local)),
                Contender::timed("monoio-legacy", local(Monoio::new(), yield_local)),
            ]
        }),
        Row::new("executor.yield.2", "one of 100 tasks yields once", || {
            vec![
                Contender::timed("pirn", shared(PirnShared::new(), yield_shared)),
                Contender::timed("tokio", shared(Tokio::new(), yield_shared)),
                Contender::timed(
                    "async-executor-static",
                    shared(SmolShared::new(), yield_shared),
                ),
                Contender::timed("nio", shared(Nio::new(), yield_shared)),
            ]
        }),
        Row::new(
            "executor.ping_pong.1",
            "one round trip of one of 100 pairs of tasks",
            || {
                vec![
                    Contender::timed("pirn", local(PirnLocal::new(), ping_pong_local)),
                    Contender::timed("tokio-localset", local(TokioLocal::new(), ping_pong_local)),
                    Contender::timed("async-executor", local(SmolLocal::new(), ping_pong_local)),
                    Contender::timed("monoio-legacy", local(Monoio::new(), ping_pong_local)),
                ]
            },
        ),
        Row::new(
            "executor.ping_pong.2",
            "one round trip of one of 100 pairs of tasks",
            || {
                vec![
                    Contender::timed("pirn", shared(PirnShared::new(), ping_pong_shared)),
                    Contender::timed("tokio", shared(Tokio::new(), ping_pong_shared)),
                    Contender::timed(
                        "async-executor-static",
                        shared(SmolShared::new(), ping_pong_shared),
                    ),
                    Contender::timed("nio", shared(Nio::new(), ping_pong_shared)),
                ]
            },
        ),
        Row::new(
            "executor.chained_spawn.1",
            "a task that spawns the next one",
            || {
                vec![
                    Contender::timed("pirn", local(PirnLocal::new(), chained_local)),
                    Contender::timed("tokio-localset", local(TokioLocal::new(), chained_local)),
                    Contender::timed("async-executor", local(SmolLocal::new(), chained_local)),
                    Contender::timed("monoio-legacy", local(Monoio::new(), chained_local)),
                ]
            },
        ),
        Row::new(
            "executor.chained_spawn.2",
            "a task that spawns the next one",
            || {
                vec![
                    Contender::timed("pirn", shared(PirnShared::new(), chained_shared)),
                    Contender::timed("tokio", shared(Tokio::new(), chained_shared)),
                    Contender::timed(
                        "async-executor-static",
                        shared(SmolShared::new(), chained_shared),
                    ),
                    Contender::timed("nio", shared(Nio::new(), chained_shared)),
                ]
            },
        ),
        Row::new(
            "executor.memory.1",
            "bytes of a parked task with a 40-byte future",
            || {
                vec![
                    Contender::counted("pirn", memory::<PirnLocal>),
                    Contender::counted("tokio-localset", memory::<TokioLocal>),
                    Contender::counted("async-executor", memory::<SmolLocal>),
                    Contender::counted("monoio-legacy", memory::<Monoio>),
                ]
            },
        ),
    ]
}

/// Makes a workload of a host and a function over it.
fn local<H: Local>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    move |count| work(&host, count)
}

fn shared<H: Shared>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    move |count| work(&host, count)
}

/// `count` as batches of at most `BATCH`.
fn batches(count: u64) -> impl Iterator<Item = u64> {
    (0..count)
        .step_by(BATCH as usize)
        .map(move |from| BATCH.min(count - from))
}

fn spawn_join_local<H: Local>(host: &H, count: u64) {
    host.block_on(async {
        for batch in batches(count) {
            let tasks: Vec<_> = (0..batch).map(|i| host.spawn(async move { i })).collect();
            for task in tasks {
                black_box(task.await);
            }
        }
    });
}

fn spawn_join_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    host.clone().run(async move {
        for batch in batches(count) {
            let tasks: Vec<_> = (0..batch).map(|i| host.spawn(async move { i })).collect();
            for task in tasks {
                black_box(task.await);
            }
        }
    });
}

async fn yield_many(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

fn yield_local<H: Local>(host: &H, count: u64) {
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.block_on(async {
        let tasks: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| host.spawn(yield_many(each)))
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

fn yield_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.clone().run(async move {
        let tasks: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| host.spawn(yield_many(each)))
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

/// A ball that one task at a time holds; the same for every executor.
#[derive(Default)]
struct Court {
    /// Whether the second player has the ball.
    far: AtomicBool,
    wakers: [AtomicWaker; 2],
}

/// Waits for the ball and hits it back, `times` over.
async fn play(court: Arc<Court>, player: usize, times: u64) {
    for _ in 0..times {
        poll_fn(|cx| {
            // Ordering: Acquire, pairs with the Release below.
            let mine = || court.far.load(Ordering::Acquire) == (player == 1);
            if mine() {
                return Poll::Ready(());
            }
            court.wakers[player].register(cx.waker());
            if mine() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        // Ordering: Release, pairs with the Acquire above.
        court.far.store(player == 0, Ordering::Release);
        court.wakers[1 - player].wake();
    }
}

fn ping_pong_local<H: Local>(host: &H, count: u64) {
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..SIDE_BY_SIDE {
            let court = Arc::new(Court::default());
            tasks.push(host.spawn(play(court.clone(), 0, each)));
            tasks.push(host.spawn(play(court, 1, each)));
        }
        for task in tasks {
            task.await;
        }
    });
}

fn ping_pong_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.clone().run(async move {
        let mut tasks = Vec::new();
        for _ in 0..SIDE_BY_SIDE {
            let court = Arc::new(Court::default());
            tasks.push(host.spawn(play(court.clone(), 0, each)));
            tasks.push(host.spawn(play(court, 1, each)));
        }
        for task in tasks {
            task.await;
        }
    });
}

fn chained_local<H: Local>(host: &H, count: u64) {
    fn link<H: Local>(host: H, left: u64, done: oneshot::Sender<()>) {
        let next = host.clone();
        H::detach(host.spawn(async move {
            if left == 0 {
                let _ = done.send(());
            } else {
                link(next, left - 1, done);
            }
        }));
    }
    host.block_on(async {
        let (done, wait) = oneshot::channel();
        link(host.clone(), count, done);
        wait.await.expect("the last task says so");
    });
}

fn chained_shared<H: Shared>(host: &H, count: u64) {
    fn link<H: Shared>(host: H, left: u64, done: oneshot::Sender<()>) {
        let next = host.clone();
        H::detach(host.spawn(async move {
            if left == 0 {
                let _ = done.send(());
            } else {
                link(next, left - 1, done);
            }
        }));
    }
    let host = host.clone();
    host.clone().run(async move {
        let (done, wait) = oneshot::channel();
        link(host, count, done);
        wait.await.expect("the last task says so");
    });
}

/// A future of 40 bytes that never ends. It keeps its waker, as what waits does: an executor may
/// free a task that nobody can wake.
struct Idle([u64; 3], Option<Waker>);

impl Future for Idle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        black_box(&self.0);
        self.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Bytes kept per task once each was polled; a host of its own, since the tasks never end.
fn memory<H: Local>() -> f64 {
    let host = H::new();
    // What the executor allocates when it first runs is not the tasks'.
    host.block_on(async { host.spawn(async {}).await });
    let ((), bytes) = allocator::bytes_kept(|| {
        host.block_on(async {
            for i in 0..u64::from(IDLE) {
                H::detach(host.spawn(Idle([i; 3], None)));
            }
            // Behind all of them in the queue.
            host.spawn(async {}).await;
        });
    });
    bytes as f64 / f64::from(IDLE)
}
