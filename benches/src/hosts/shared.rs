//! Those of two workers.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, mpsc},
};

use futures::{StreamExt as _, channel::mpsc as unbounded};

use super::{Joined, Shared, tokio_many, tokio_one};
use crate::harness::Note;

/// tokio's runtime; also the host of the rows that compare primitives.
#[derive(Clone)]
pub struct Tokio(Arc<tokio::runtime::Runtime>);

impl Tokio {
    /// The current-thread runtime for one worker, else the multi-thread one.
    pub fn with_workers(workers: usize) -> Self {
        let built = match workers {
            1 => tokio_one(),
            _ => tokio_many(workers),
        };
        Tokio(Arc::new(built))
    }
}

impl Shared for Tokio {
    type Task<T: Send + 'static> = Joined<tokio::task::JoinHandle<T>>;

    fn new() -> Self {
        Tokio::with_workers(2)
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined {
            handle: self.0.spawn(future),
        }
    }

    fn detach<T: Send + 'static>(task: Self::Task<T>) {
        drop(task);
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // Also drives the current-thread runtime.
        self.0.block_on(self.spawn(future))
    }
}

/// pirn's work-stealing executor on two threads.
#[derive(Clone)]
pub struct PirnShared(pirn_executor::PoolHandle);

impl PirnShared {
    /// What groups spawn on.
    pub fn spawner(&self) -> pirn_executor::PoolHandle {
        self.0.clone()
    }

    /// Notes which part of a round's polls the worker did that did fewer. The row has failed if that
    /// is less than `at_least`.
    pub fn shares(&self, at_least: f64) -> impl FnMut() -> Vec<Note> + 'static {
        let pool = self.0.clone();
        let mut before = [0; 2];
        move || {
            let workers = pool.statistics().workers;
            let now = [workers[0].polls, workers[1].polls];
            let [one, other] = [now[0] - before[0], now[1] - before[1]];
            before = now;
            let part = 100.0 * one.min(other) as f64 / (one + other) as f64;
            vec![Note::new("% of polls: lesser worker", part).at_least(at_least)]
        }
    }
}

impl Shared for PirnShared {
    type Task<T: Send + 'static> = Joined<pirn_executor::Task<T>>;

    fn new() -> Self {
        let (executor, workers) = pirn_executor::PoolExecutor::new(2);
        for mut worker in workers {
            // They run until the process ends, parked while there is nothing to do.
            std::thread::spawn(move || {
                let mut park = pirn_executor::ThreadPark::new();
                let ran = worker.run(&mut park, std::future::pending::<()>());
                ran.expect("a thread can always park");
            });
        }
        let handle = executor.handle();
        std::mem::forget(executor);
        PirnShared(handle)
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined {
            handle: self.0.spawn(future),
        }
    }

    fn detach<T: Send + 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }
}

/// pirn's runtime: two such workers, over timers and the reactor, and a thread that runs it and
/// spawns there what it is sent.
#[derive(Clone)]
pub struct PirnRuntimeShared(unbounded::UnboundedSender<Root>);

/// A task that a thread outside wants to be spawned.
type Root = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Shared for PirnRuntimeShared {
    type Task<T: Send + 'static> = Joined<pirn::Task<T>>;

    fn new() -> Self {
        let (sender, mut roots) = unbounded::unbounded::<Root>();
        std::thread::spawn(move || {
            let builder = pirn::Runtime::builder().workers(2);
            let spawn = async {
                while let Some(root) = roots.next().await {
                    pirn::spawn(root).detach();
                }
            };
            let run = builder.build().expect("a runtime").run(spawn);
            run.expect("nobody cancels it");
        });
        PirnRuntimeShared(sender)
    }

    /// Inside the runtime.
    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined {
            handle: pirn::spawn(future),
        }
    }

    fn detach<T: Send + 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (done, wait) = mpsc::channel();
        let root = async move { done.send(future.await).expect("somebody waits") };
        let sent = self.0.unbounded_send(Box::pin(root));
        sent.expect("the runtime runs");
        wait.recv().expect("the root task ends")
    }
}

/// async-executor's static executor on two threads.
#[derive(Clone, Copy)]
pub struct SmolShared(&'static async_executor::StaticExecutor);

impl Shared for SmolShared {
    type Task<T: Send + 'static> = async_executor::Task<T>;

    fn new() -> Self {
        let executor: &'static _ = Box::leak(Box::new(async_executor::StaticExecutor::new()));
        for _ in 0..2 {
            // They run until the process ends, parked while there is nothing to do.
            let forever = executor.run(std::future::pending::<()>());
            std::thread::spawn(move || futures::executor::block_on(forever));
        }
        SmolShared(executor)
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    fn detach<T: Send + 'static>(task: Self::Task<T>) {
        task.detach();
    }
}

/// nio's runtime.
#[derive(Clone)]
pub struct Nio(Arc<nio::RuntimeContext>);

impl Shared for Nio {
    type Task<T: Send + 'static> = Joined<nio::JoinHandle<T>>;

    fn new() -> Self {
        let built = nio::RuntimeBuilder::new().worker_threads(2).rt();
        Nio(built.expect("a runtime").context())
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined {
            handle: self.0.spawn(future),
        }
    }

    fn detach<T: Send + 'static>(task: Self::Task<T>) {
        drop(task);
    }
}
