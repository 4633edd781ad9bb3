//! The executors that the tests run on, and what the tests share.

use async_executor::Executor;
use pirn_compat::{AsyncExecutor, Futures, TokioHandle};
use pirn_core::context::set_fallback_clock;
use pirn_core::report::{Report, set_hook};
use pirn_core::{BoxSleep, BoxTask, Clock, DynSpawn, Instant, Refused, Scope, Spawn, TaskMeta};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An executor under test: how to spawn on it, and how to run a future with it under way.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) spawner: AnySpawn,
    drive: Box<dyn Fn(BoxTask)>,
}

/// A spawner whose type is forgotten.
#[derive(Clone)]
pub(crate) struct AnySpawn(pub(crate) Arc<dyn DynSpawn>);

impl Spawn for AnySpawn {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // A refused task is dropped, which is an end as any other.
        drop(self.0.spawn_boxed(meta, Box::pin(f)));
        Ok(())
    }
}

impl Stage {
    fn new(
        name: &'static str,
        spawner: impl Spawn + Send + Sync + 'static,
        drive: impl Fn(BoxTask) + 'static,
    ) -> Stage {
        Stage {
            name,
            spawner: AnySpawn(Arc::new(spawner)),
            drive: Box::new(drive),
        }
    }

    /// Runs `future` to its end on this thread, outside every task, while the executor runs.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let slot = Arc::new(Mutex::new(None));
        let out = Arc::clone(&slot);
        (self.drive)(Box::pin(async move {
            let value = future.await;
            *out.lock().unwrap() = Some(value);
        }));
        slot.lock().unwrap().take().expect("driven to its end")
    }
}

/// Calls `test` with each executor in turn.
pub(crate) fn on_every_executor(test: impl Fn(&Stage)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let spawner = TokioHandle::new(runtime.handle().clone());
    test(&Stage::new("tokio, two threads", spawner, move |task| {
        runtime.block_on(task)
    }));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spawner = TokioHandle::new(runtime.handle().clone());
    test(&Stage::new("tokio, current thread", spawner, move |task| {
        runtime.block_on(task)
    }));

    let executor = Arc::new(Executor::new());
    let spawner = AsyncExecutor::new(Arc::clone(&executor));
    test(&Stage::new(
        "async-executor, two threads",
        spawner,
        move |task| {
            let (stop, stopped) = futures::channel::oneshot::channel::<()>();
            std::thread::scope(|threads| {
                threads.spawn(|| futures::executor::block_on(executor.run(stopped)));
                futures::executor::block_on(executor.run(task));
                drop(stop);
            });
        },
    ));

    let pool = futures::executor::ThreadPool::builder()
        .pool_size(2)
        .create()
        .unwrap();
    test(&Stage::new(
        "futures, a pool of two threads",
        Futures::new(pool),
        futures::executor::block_on,
    ));

    let executor = LocalExecutor::new();
    test(&Stage::new(
        "pirn, current thread",
        executor.handle(),
        move |task| executor.run(&mut ThreadPark::new(), task).unwrap(),
    ));

    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    std::thread::scope(|threads| {
        for mut worker in workers {
            let closed = handle.closed();
            threads.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        }
        test(&Stage::new(
            "pirn, two threads",
            handle,
            futures::executor::block_on,
        ));
        drop(executor);
    });
}

/// An executor that is driven by hand, and may lose what it holds.
#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<Mutex<VecDeque<BoxTask>>>);

impl Spawn for Hand {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().unwrap().push_back(Box::pin(f));
        Ok(())
    }
}

impl Hand {
    pub(crate) fn held(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Polls each task once, in order, wakes or not.
    pub(crate) fn poll_all(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        for mut task in tasks {
            if poll(task.as_mut()).is_pending() {
                self.0.lock().unwrap().push_back(task);
            }
        }
    }

    /// Drops the task at `index`.
    pub(crate) fn lose(&self, index: usize) {
        let task = self.0.lock().unwrap().remove(index);
        drop(task);
    }
}

/// Polls once with a waker of no interest.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls `future` once inside a task, with the task's waker.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Lets the other tasks have a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A number that can be waited for.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<(AtomicUsize, Mutex<Vec<Waker>>)>);

impl Tally {
    pub(crate) fn add(&self) {
        self.0.0.fetch_add(1, SeqCst);
        let wakers = std::mem::take(&mut *self.0.1.lock().unwrap());
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    /// Waits until at least `number` were added.
    pub(crate) fn reaches(&self, number: usize) -> impl Future<Output = ()> + Send + use<> {
        let this = self.clone();
        poll_fn(move |cx| {
            let mut wakers = this.0.1.lock().unwrap();
            if this.count() >= number {
                return Poll::Ready(());
            }
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// Adds one when it is dropped.
    pub(crate) fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }
}

pub(crate) struct OnDrop(Tally);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// The clock of all threads of this process; it moves when it is told to.
#[derive(Default)]
pub(crate) struct Manual(Mutex<Times>);

#[derive(Default)]
struct Times {
    now: Instant,
    waiting: Vec<(Instant, Waker)>,
}

impl Manual {
    /// The clock, for one test at a time.
    pub(crate) fn alone() -> (Arc<Manual>, MutexGuard<'static, ()>) {
        static CLOCK: OnceLock<Arc<Manual>> = OnceLock::new();
        static TURN: Mutex<()> = Mutex::new(());
        let clock = CLOCK.get_or_init(|| {
            let clock = Arc::new(Manual::default());
            assert!(set_fallback_clock(Arc::new(Shared(Arc::clone(&clock)))));
            clock
        });
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(clock), turn)
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.now = times.now + by;
        let waiting = std::mem::take(&mut times.waiting);
        drop(times);
        // Early wakes do no harm.
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Waits until somebody sleeps until `at` or longer.
    pub(crate) async fn wait_for_a_sleeper(&self, at: Instant) {
        while !self.0.lock().unwrap().waiting.iter().any(|w| w.0 >= at) {
            yield_now().await;
        }
    }
}

struct Shared(Arc<Manual>);

impl Clock for Shared {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let clock = Arc::clone(&self.0);
        Box::pin(poll_fn(move |cx| {
            let mut times = clock.0.lock().unwrap();
            if times.now >= at {
                return Poll::Ready(());
            }
            times.waiting.push((at, cx.waker().clone()));
            Poll::Pending
        }))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// True if something was reported that contains `text`. Takes it out.
pub(crate) fn was_reported(text: &str) -> bool {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Some(Arc::new(|report: &Report| {
            SEEN.lock().unwrap().push(report.to_string());
        })));
    });
    let mut seen = SEEN.lock().unwrap();
    let Some(index) = seen.iter().position(|report| report.contains(text)) else {
        return false;
    };
    seen.remove(index);
    true
}

/// Spawns `future` as a child of `scope`: one spawn, a guard, nothing else.
pub(crate) fn spawn_child<F>(spawner: &impl Spawn, scope: &Scope, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let guard = scope.enter();
    let run = scope.child().run(future);
    let wrapper = async move {
        let _guard = guard;
        drop(run.await);
    };
    if spawner.spawn(TaskMeta::here(), wrapper).is_err() {
        panic!("refused");
    }
}
