//! Executors: spawning, yielding, waking from a task and from a plain thread, and the memory of an
//! idle task.

mod bare;
mod parked;
mod switching;
mod waking;

use std::{
    future::poll_fn,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use futures::{channel::oneshot, task::AtomicWaker};
use monoio::{IoUringDriver, LegacyDriver};

use crate::{
    harness::{Contender, Row},
    hosts::{
        Compio, Local, Monoio, Nio, PirnLocal, PirnRuntimeLocal, PirnRuntimeShared, PirnShared,
        Shared, SmolLocal, SmolShared, Tokio, TokioLocal, has_io_uring,
    },
};
use bare::{bare_box, bare_park, bare_ring};
use parked::{memory_box, memory_local, memory_shared, park_local, park_shared};
use switching::{ping_pong_local, ping_pong_shared, yield_local, yield_shared};
use waking::{block_on_ready, remote_wake_local, remote_wake_shared};

/// Tasks alive at once in the rows that spawn many, and woken at once by a thread.
const BATCH: u64 = 1000;
/// Tasks that are parked beside those that are spawned.
const ALIVE: u64 = 1_000_000;
/// The least part of a row's polls that a worker of pirn's must do, in percent: else the row is
/// about one worker.
const LEAST_SHARE: f64 = 25.0;

/// The executors of one thread, each doing the same work.
macro_rules! one_thread {
    ($start:ident, $work:expr) => {{
        let mut all = one_thread_woken_by_others!($start, $work);
        let legacy = Monoio::<LegacyDriver>::new();
        all.push(Contender::timed("monoio-legacy", $start(legacy, $work)));
        if has_io_uring() {
            let uring = Monoio::<IoUringDriver>::new();
            all.push(Contender::timed("monoio-uring", $start(uring, $work)));
            all.push(Contender::timed("compio", $start(Compio::new(), $work)));
        }
        all
    }};
}

/// Without monoio, which as it is measured here has wakers of one thread, and without compio: in
/// `remote_wake_1000` it once waited for ever, in one run of several.
macro_rules! one_thread_woken_by_others {
    ($start:ident, $work:expr) => {{
        let runtime = PirnRuntimeLocal::new();
        vec![
            Contender::timed("pirn", $start(PirnLocal::new(), $work)),
            Contender::timed("pirn-runtime", $start(runtime, $work)),
            Contender::timed("tokio-localset", $start(TokioLocal::new(), $work)),
            Contender::timed("async-executor", $start(SmolLocal::new(), $work)),
        ]
    }};
}

/// The executors of two workers, each doing the same work. A worker of pirn's does the given part
/// of the polls at least.
macro_rules! two_workers {
    ($start:ident, $work:expr, $least_share:expr) => {{
        let (pirn, runtime) = (PirnShared::new(), PirnRuntimeShared::new());
        let shares = pirn.shares($least_share);
        vec![
            Contender::timed("pirn", $start(pirn, $work)).with_notes(shares),
            Contender::timed("pirn-runtime", $start(runtime, $work)),
            Contender::timed("tokio", $start(Tokio::new(), $work)),
            Contender::timed("async-executor-static", $start(SmolShared::new(), $work)),
            Contender::timed("nio", $start(Nio::new(), $work)),
        ]
    }};
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = spawning();
    rows.extend(switching());
    rows.extend(waking());
    rows.extend(parked());
    rows
}

fn spawning() -> Vec<Row> {
    let join = "spawn a task and await its handle";
    let detach = "spawn a task and let it go, 1000 at a time";
    let chain = "a task that spawns the next one";
    vec![
        Row::new("executor.spawn_join.1", join, || {
            let mut all = one_thread!(local, spawn_join_local);
            all.push(Contender::timed("bare-box", bare_box));
            all
        }),
        Row::new("executor.spawn_join.2", join, || {
            two_workers!(shared, spawn_join_shared, LEAST_SHARE)
        }),
        Row::new("executor.spawn_detached.1", detach, || {
            let mut all = one_thread!(local, spawn_detached_local);
            all.push(Contender::timed("bare-box", bare_box));
            all
        }),
        Row::new("executor.spawn_detached.2", detach, || {
            two_workers!(shared, spawn_detached_shared, LEAST_SHARE)
        }),
        Row::new("executor.chained_spawn.1", chain, || {
            one_thread!(local, chained_local)
        }),
        // One task at a time: one worker may do it all.
        Row::new("executor.chained_spawn.2", chain, || {
            two_workers!(shared, chained_shared, 0.0)
        }),
    ]
}

fn switching() -> Vec<Row> {
    let yields = "one of 100 tasks yields once";
    let ping_pong = "one round trip of one of 100 pairs of tasks";
    vec![
        Row::new("executor.yield.1", yields, || {
            let mut all = one_thread!(local, yield_local);
            all.push(Contender::timed("bare-ring", bare_ring));
            all
        }),
        Row::new("executor.yield.2", yields, || {
            two_workers!(shared, yield_shared, LEAST_SHARE)
        }),
        Row::new("executor.ping_pong.1", ping_pong, || {
            one_thread!(local, ping_pong_local)
        }),
        Row::new("executor.ping_pong.2", ping_pong, || {
            two_workers!(shared, ping_pong_shared, LEAST_SHARE)
        }),
    ]
}

fn waking() -> Vec<Row> {
    let one = "a thread wakes a task, which unparks it: there and back";
    let many = "one of 1000 tasks, all woken by a thread";
    vec![
        Row::new("executor.remote_wake_rtt.1", one, || {
            let mut all = one_thread_woken_by_others!(local, remote_wake_local::<_, 1>);
            all.push(Contender::timed("bare-park", bare_park));
            all
        }),
        // One task: one worker may do it all.
        Row::new("executor.remote_wake_rtt.2", one, || {
            let mut all = two_workers!(shared, remote_wake_shared::<_, 1>, 0.0);
            all.push(Contender::timed("bare-park", bare_park));
            all
        }),
        Row::new("executor.remote_wake_1000.1", many, || {
            one_thread_woken_by_others!(local, remote_wake_local::<_, BATCH>)
        }),
        Row::new("executor.remote_wake_1000.2", many, || {
            two_workers!(shared, remote_wake_shared::<_, BATCH>, LEAST_SHARE)
        }),
        Row::new(
            "executor.block_on_ready",
            "block on a future that is ready; `pirn` is that of pirn-sync",
            block_on_ready,
        ),
    ]
}

fn parked() -> Vec<Row> {
    let memory = "bytes of a parked task with a 40-byte future";
    let live = "as spawn_join, beside 10^6 parked tasks; `bare-pirn` is pirn without them";
    vec![
        Row::new("executor.memory.1", memory, || {
            let legacy = memory_local::<Monoio<LegacyDriver>>;
            let mut all = vec![
                Contender::counted("pirn", "B", memory_local::<PirnLocal>),
                Contender::counted("tokio-localset", "B", memory_local::<TokioLocal>),
                Contender::counted("async-executor", "B", memory_local::<SmolLocal>),
                Contender::counted("monoio-legacy", "B", legacy),
                Contender::counted("bare-box", "B", memory_box),
            ];
            if has_io_uring() {
                let uring = memory_local::<Monoio<IoUringDriver>>;
                all.push(Contender::counted("monoio-uring", "B", uring));
                all.push(Contender::counted("compio", "B", memory_local::<Compio>));
            }
            all
        }),
        Row::new("executor.memory.2", memory, || {
            vec![
                Contender::counted("pirn", "B", memory_shared::<PirnShared>),
                Contender::counted("tokio", "B", memory_shared::<Tokio>),
                Contender::counted("async-executor-static", "B", memory_shared::<SmolShared>),
                Contender::counted("nio", "B", memory_shared::<Nio>),
            ]
        }),
        Row::new("executor.live.1", live, || {
            let alone = local(PirnLocal::new(), spawn_join_local);
            let mut all = one_thread!(local_beside_many, spawn_join_local);
            all.push(Contender::timed("bare-pirn", alone));
            all
        }),
        Row::new("executor.live.2", live, || {
            let alone = shared(PirnShared::new(), spawn_join_shared);
            let mut all = two_workers!(shared_beside_many, spawn_join_shared, LEAST_SHARE);
            all.push(Contender::timed("bare-pirn", alone));
            all
        }),
    ]
}

/// Makes a workload of a host and a function over it.
fn local<H: Local>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    move |count| work(&host, count)
}

fn shared<H: Shared>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    move |count| work(&host, count)
}

/// The same, beside many parked tasks.
fn local_beside_many<H: Local>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    park_local(&host, ALIVE);
    local(host, work)
}

fn shared_beside_many<H: Shared>(host: H, work: fn(&H, u64)) -> impl FnMut(u64) {
    park_shared(&host, ALIVE);
    shared(host, work)
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

/// Tasks that have yet to end, and who waits for that; the same for every executor.
struct Countdown {
    left: AtomicU64,
    waker: AtomicWaker,
}

impl Countdown {
    fn new(left: u64) -> Arc<Self> {
        Arc::new(Countdown {
            left: AtomicU64::new(left),
            waker: AtomicWaker::new(),
        })
    }

    async fn count(self: Arc<Self>) {
        // Ordering: AcqRel, pairs with itself and the Acquire below.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            // Ordering: Acquire, pairs with the AcqRel above.
            match self.left.load(Ordering::Acquire) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

fn spawn_detached_local<H: Local>(host: &H, count: u64) {
    host.block_on(async {
        for batch in batches(count) {
            let left = Countdown::new(batch);
            for _ in 0..batch {
                H::detach(host.spawn(left.clone().count()));
            }
            left.wait().await;
        }
    });
}

fn spawn_detached_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    host.clone().run(async move {
        for batch in batches(count) {
            let left = Countdown::new(batch);
            for _ in 0..batch {
                H::detach(host.spawn(left.clone().count()));
            }
            left.wait().await;
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
