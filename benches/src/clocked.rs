//! Whole runtimes, with their timers, behind one trait.

use std::{
    future::{Future, ready},
    hint::black_box,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, future::select};
use monoio::{Buildable, Driver, time::TimeDriver};

use crate::hosts::{Joined, tokio_many, tokio_one};

/// A whole runtime, as programs use it.
pub trait Clocked: 'static {
    /// Makes one.
    fn new() -> Self;

    /// Runs a future and the tasks.
    fn block_on<F: Future>(&mut self, future: F) -> F::Output;

    /// Sleeps, inside `block_on`.
    fn sleep(duration: Duration) -> impl Future + 'static;

    /// Starts a task that sleeps, inside `block_on`.
    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>>;

    /// Starts a task that takes so many ticks of an interval, inside `block_on`.
    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()>;

    /// Polls timeouts around what is ready, inside `block_on`.
    fn ready_in_time(count: u64) -> impl Future<Output = ()>;
}

/// Sleeps, one after the other.
#[derive(Clone, Copy)]
pub struct Naps {
    /// How many.
    pub times: u64,
    /// The shortest, in microseconds.
    pub from: u64,
    /// How much longer the longest may be.
    pub spread: u64,
    /// Each task has its own.
    pub seed: u64,
}

impl Naps {
    /// Takes them. Gives how late each ended, in nanoseconds, negative if it was early.
    async fn take<S: Future>(self, sleep: fn(Duration) -> S) -> Vec<i64> {
        let mut late = Vec::with_capacity(self.times as usize);
        for nap in 0..self.times {
            let random = (self.seed * self.times + nap + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let extra = (random >> 32) % (self.spread + 1);
            let duration = Duration::from_micros(self.from + extra);
            let started = Instant::now();
            sleep(duration).await;
            late.push(started.elapsed().as_nanos() as i64 - duration.as_nanos() as i64);
        }
        late
    }
}

/// The time that no timeout here comes to.
const LONG: Duration = Duration::from_secs(60);

/// pirn's runtime: all on the calling thread, or with so many workers.
pub struct PirnClocked<const WORKERS: usize>(pirn::Runtime);

impl<const WORKERS: usize> Clocked for PirnClocked<WORKERS> {
    fn new() -> Self {
        let builder = pirn::Runtime::builder();
        let builder = match WORKERS {
            0 => builder.current_thread(),
            workers => builder.workers(workers),
        };
        PirnClocked(builder.build().expect("a runtime"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.run(future).expect("nobody cancels it")
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        pirn::sleep(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        Joined {
            handle: pirn::spawn(naps.take(pirn::sleep)),
        }
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        let handle = pirn::spawn(async move {
            let mut interval = pirn::interval(period);
            for _ in 0..ticks {
                interval.tick().await;
            }
        });
        Joined { handle }
    }

    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(pirn::timeout(LONG, ready(i)).await);
        }
    }
}

/// tokio's runtime: all on the calling thread, or with so many workers.
pub struct TokioClocked<const WORKERS: usize>(tokio::runtime::Runtime);

impl<const WORKERS: usize> Clocked for TokioClocked<WORKERS> {
    fn new() -> Self {
        TokioClocked(match WORKERS {
            0 => tokio_one(),
            workers => tokio_many(workers),
        })
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        tokio::time::sleep(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        Joined {
            handle: tokio::spawn(naps.take(tokio::time::sleep)),
        }
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        let handle = tokio::spawn(async move {
            let mut interval = tokio::time::interval(period);
            for _ in 0..ticks {
                interval.tick().await;
            }
        });
        Joined { handle }
    }

    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(tokio::time::timeout(LONG, ready(i)).await);
        }
    }
}

/// monoio on the driver `D`, with its timers.
pub struct MonoioClocked<D: 'static>(monoio::Runtime<TimeDriver<D>>);

impl<D: Driver + Buildable + 'static> Clocked for MonoioClocked<D>
where
    TimeDriver<D>: Driver,
{
    fn new() -> Self {
        let builder = monoio::RuntimeBuilder::<TimeDriver<D>>::new();
        MonoioClocked(Buildable::build(builder).expect("a runtime"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        monoio::time::sleep(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        monoio::spawn(naps.take(monoio::time::sleep))
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        monoio::spawn(async move {
            let mut interval = monoio::time::interval(period);
            for _ in 0..ticks {
                interval.tick().await;
            }
        })
    }

    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(monoio::time::timeout(LONG, ready(i)).await);
        }
    }
}

/// The executor of [`SmolClocked`], whose tasks must find it.
static SMOL: async_executor::Executor<'static> = async_executor::Executor::new();

/// async-executor and async-io on the calling thread: each timer fires at its own nanosecond.
pub struct SmolClocked;

impl Clocked for SmolClocked {
    fn new() -> Self {
        SmolClocked
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        async_io::block_on(SMOL.run(future))
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        async_io::Timer::after(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        SMOL.spawn(naps.take(async_io::Timer::after))
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        SMOL.spawn(async move {
            let mut interval = async_io::Timer::interval(period);
            for _ in 0..ticks {
                interval.next().await;
            }
        })
    }

    /// It has no timeout: a race with a timer is how programs make one.
    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(select(ready(i), async_io::Timer::after(LONG)).await);
        }
    }
}

/// nio's runtime on the calling thread.
pub struct NioClocked(nio::LocalRuntime);

impl Clocked for NioClocked {
    fn new() -> Self {
        let built = nio::RuntimeBuilder::new().worker_threads(1).build();
        NioClocked(built.expect("a runtime"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        nio::sleep(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        Joined {
            handle: nio::spawn_local(naps.take(nio::sleep)),
        }
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        let handle = nio::spawn_local(async move {
            let mut interval = nio::interval(period);
            for _ in 0..ticks {
                interval.tick().await;
            }
        });
        Joined { handle }
    }

    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(nio::timeout(LONG, ready(i)).await);
        }
    }
}

/// compio, on io_uring: each timer fires at its own nanosecond.
pub struct CompioClocked(compio::runtime::Runtime);

impl Clocked for CompioClocked {
    fn new() -> Self {
        CompioClocked(compio::runtime::Runtime::new().expect("a runtime"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        compio::time::sleep(duration)
    }

    fn spawn_naps(naps: Naps) -> impl Future<Output = Vec<i64>> {
        Joined {
            handle: compio::runtime::spawn(naps.take(compio::time::sleep)),
        }
    }

    fn spawn_ticks(period: Duration, ticks: u64) -> impl Future<Output = ()> {
        let handle = compio::runtime::spawn(async move {
            let mut interval = compio::time::interval(period);
            for _ in 0..ticks {
                interval.tick().await;
            }
        });
        Joined { handle }
    }

    async fn ready_in_time(count: u64) {
        for i in 0..count {
            let _ = black_box(compio::time::timeout(LONG, ready(i)).await);
        }
    }
}
