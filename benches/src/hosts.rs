//! The executors behind two traits: one thread with tasks that need not be `Send`, and two workers.

mod local;
mod shared;

use std::{
    fmt::Debug,
    future::Future,
    pin::Pin,
    sync::{LazyLock, mpsc},
    task::{Context, Poll},
};

pub use local::{Compio, Monoio, PirnLocal, PirnRuntimeLocal, SmolLocal, TokioLocal};
pub use shared::{Nio, PirnRuntimeShared, PirnShared, SmolShared, Tokio};

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

/// Whether the kernel has io_uring for us. Where it has not, that is said once, and who needs it is
/// left out.
pub fn has_io_uring() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let has = monoio::utils::detect_uring();
        if !has {
            println!("no io_uring here: monoio-uring and compio are left out");
        }
        has
    });
    *HAS
}
