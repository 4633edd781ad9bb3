//! The executors behind two traits: one thread with tasks that need not be `Send`, and two workers.

use std::{
    cell::RefCell,
    fmt::Debug,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Poll},
};

use crate::harness::Note;

/// An executor of one thread.
pub trait Local: Clone + 'static {
    /// The handle of a task; awaiting it gives the output.
    type Task<T: 'static>: Future<Output = T>;

    /// Makes one.
    fn new() -> Self;

    /// Starts a task.
    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static;

    /// Lets a task go.
    fn detach<T: 'static>(task: Self::Task<T>);

    /// Runs a future and the tasks.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

/// An executor of two workers.
pub trait Shared: Clone + Send + Sync + 'static {
    /// The handle of a task; awaiting it gives the output.
    type Task<T: Send + 'static>: Future<Output = T> + Send + 'static;

    /// Makes one.
    fn new() -> Self;

    /// Starts a task.
    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Lets a task go.
    fn detach<T: Send + 'static>(task: Self::Task<T>);

    /// Runs a future on a worker, and waits for it on this thread.
    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (done, wait) = mpsc::channel();
        let task = self.spawn(async move { done.send(future.await).expect("somebody waits") });
        let output = wait.recv().expect("the root task ends");
        drop(task);
        output
    }
}

/// Goes to the back of the queue once: the same for every executor.
pub struct Yield(bool);

/// Yields once.
pub fn yield_now() -> Yield {
    Yield(false)
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

pin_project_lite::pin_project! {
    /// A handle that gives a `Result`, as most do.
    pub struct Joined<H> {
        #[pin]
        pub(crate) handle: H,
    }
}

impl<H, T, E> Future for Joined<H>
where
    H: Future<Output = Result<T, E>>,
    E: Debug,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let polled = self.project().handle.poll(cx);
        polled.map(|joined| joined.expect("no task panics here"))
    }
}

/// pirn's executor of one thread, parking it when there is nothing to do.
#[derive(Clone)]
pub struct PirnLocal(
    Rc<(
        pirn_executor::LocalExecutor,
        RefCell<pirn_executor::ThreadPark>,
    )>,
);

impl PirnLocal {
    /// What groups spawn on.
    pub fn spawner(&self) -> pirn_executor::LocalHandle {
        self.0.0.handle()
    }
}

impl Local for PirnLocal {
    type Task<T: 'static> = Joined<pirn_executor::Task<T>>;

    fn new() -> Self {
        let park = RefCell::new(pirn_executor::ThreadPark::new());
        PirnLocal(Rc::new((pirn_executor::LocalExecutor::new(), park)))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: self.0.0.spawn(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let run = self.0.0.run(&mut *self.0.1.borrow_mut(), future);
        run.expect("a thread can always park")
    }
}

/// tokio's current-thread runtime with a `LocalSet`.
#[derive(Clone)]
pub struct TokioLocal(Rc<(tokio::runtime::Runtime, tokio::task::LocalSet)>);

impl Local for TokioLocal {
    type Task<T: 'static> = Joined<tokio::task::JoinHandle<T>>;

    fn new() -> Self {
        TokioLocal(Rc::new((tokio_one(), tokio::task::LocalSet::new())))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: self.0.1.spawn_local(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        drop(task);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.1.block_on(&self.0.0, future)
    }
}

/// A tokio runtime of one thread.
pub fn tokio_one() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// A tokio runtime of so many workers.
pub fn tokio_many(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.worker_threads(workers).enable_all().build();
    built.expect("a runtime")
}

/// async-executor's `LocalExecutor`.
#[derive(Clone)]
pub struct SmolLocal(Rc<async_executor::LocalExecutor<'static>>);

impl Local for SmolLocal {
    type Task<T: 'static> = async_executor::Task<T>;

    fn new() -> Self {
        SmolLocal(Rc::default())
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn(future)
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures::executor::block_on(self.0.run(future))
    }
}

/// monoio on epoll.
#[derive(Clone)]
pub struct Monoio(Rc<RefCell<monoio::Runtime<monoio::LegacyDriver>>>);

impl Local for Monoio {
    type Task<T: 'static> = monoio::task::JoinHandle<T>;

    fn new() -> Self {
        let built = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().build();
        Monoio(Rc::new(RefCell::new(built.expect("a runtime"))))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        drop(task);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.borrow_mut().block_on(future)
    }
}

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
