//! The cases of `forms` on each of these executors, by the one thread of a test: what they say of
//! turns and of reports holds there. They are compiled once, and run in a process for each executor.

#[path = "../forms/cases.rs"]
mod cases;
#[path = "../forms/collect.rs"]
mod collect;
#[path = "../forms/locals.rs"]
mod locals;
#[path = "../forms/send.rs"]
mod send;
#[path = "../forms/start.rs"]
mod start;

use crate::support::{self, Bomb, Flag, Gate, Log, poll, reports, yield_now};
use async_executor::Executor;
use pirn_compat::{AsyncExecutor, TokioHandle};
use pirn_core::{
    BoxTask, Cause, Kind, Refused, Scope, Spawn, TaskMeta, finally, panic_message, shield,
};
use pirn_executor::{LocalExecutor, LocalHandle, PoolExecutor, PoolHandle, ThreadPark, Worker};
use pirn_group::{ChildError, GroupBuilder, GroupError, Started};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use tokio::runtime::Runtime;

/// The variable that says on which executor; without it, on our current-thread one.
const ON: &str = "PIRN_FORMS_ON";

fn all_on(executor: &str) {
    let mut cases = Command::new(std::env::current_exe().unwrap());
    let forms = ["cases", "collect", "locals", "send", "start"];
    cases.args(forms.map(|form| format!("forms::{form}::")));
    let run = cases.env(ON, executor).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && !said.contains(" 0 passed"),
        "{said}"
    );
}

#[test]
fn the_cases_hold_on_tokio() {
    all_on("tokio");
}

#[test]
fn the_cases_hold_on_async_executor() {
    all_on("async-executor");
}

#[test]
fn the_cases_hold_on_a_worker_of_our_pool() {
    all_on("pool");
}

type Never<T> = Result<T, GroupError<&'static str>>;

fn stop() -> Cause {
    Cause::requested("stop")
}

async fn forever() -> Result<(), &'static str> {
    pending().await
}

/// Polls a future once inside a body; it must be pending.
async fn poll_inside<F: Future>(mut future: Pin<&mut F>) {
    let pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
}

fn on(hand: &Hand) -> GroupBuilder<Hand> {
    GroupBuilder::on(hand.clone())
}

thread_local! {
    static TOKIO: Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    static ASYNC: Arc<Executor<'static>> = Arc::default();
    static LOCAL: LocalExecutor = LocalExecutor::new();
    static POOL: (PoolExecutor, RefCell<Vec<Worker>>) = {
        let (executor, workers) = PoolExecutor::new(1);
        (executor, RefCell::new(workers))
    };
}

/// The executor of the thread.
#[derive(Clone)]
enum Real {
    Tokio(TokioHandle),
    Async(AsyncExecutor),
    Local(LocalHandle),
    Pool(PoolHandle),
}

impl Real {
    fn new() -> Self {
        match std::env::var(ON).as_deref() {
            Ok("tokio") => TOKIO.with(|it| Real::Tokio(TokioHandle::new(it.handle().clone()))),
            Ok("async-executor") => ASYNC.with(|it| Real::Async(AsyncExecutor::new(it.clone()))),
            Ok("pool") => POOL.with(|(it, _)| Real::Pool(it.handle())),
            Ok(other) => panic!("`{other}` is none of them"),
            Err(_) => LOCAL.with(|it| Real::Local(it.handle())),
        }
    }

    /// Runs `future` and the tasks until it has ended.
    fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut park = ThreadPark::new();
        match self {
            Real::Tokio(_) => TOKIO.with(|it| it.block_on(future)),
            Real::Async(_) => ASYNC.with(|it| futures::executor::block_on(it.run(future))),
            Real::Local(_) => LOCAL.with(|it| it.run(&mut park, future).unwrap()),
            Real::Pool(_) => POOL.with(|(_, workers)| {
                let worker = &mut workers.borrow_mut()[0];
                worker.run(&mut park, future).unwrap()
            }),
        }
    }
}

/// The hand of `support`, with a real executor in it.
#[derive(Clone)]
struct Hand {
    real: Real,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    polls: AtomicUsize,
    held: AtomicUsize,
}

struct Held(Arc<Counts>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, SeqCst);
    }
}

impl Default for Hand {
    fn default() -> Self {
        Hand {
            real: Real::new(),
            counts: Arc::default(),
        }
    }
}

impl Spawn for Hand {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.counts.held.fetch_add(1, SeqCst);
        let held = Held(Arc::clone(&self.counts));
        let mut task: BoxTask = Box::pin(f);
        let counted = poll_fn(move |cx| {
            held.0.polls.fetch_add(1, SeqCst);
            task.as_mut().poll(cx)
        });
        let taken = match &self.real {
            Real::Tokio(it) => Spawn::spawn(it, meta, counted).is_ok(),
            Real::Async(it) => Spawn::spawn(it, meta, counted).is_ok(),
            Real::Local(it) => Spawn::spawn(it, meta, counted).is_ok(),
            Real::Pool(it) => Spawn::spawn(it, meta, counted).is_ok(),
        };
        assert!(taken, "these take what they are given");
        Ok(())
    }
}

impl Hand {
    fn held(&self) -> usize {
        self.counts.held.load(SeqCst)
    }

    fn run<F: Future>(&self, mut future: Pin<&mut F>) -> Poll<F::Output> {
        let (woken, waker) = Flag::new();
        let mut due = true;
        self.real.drive(async {
            loop {
                if due {
                    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                    if polled.is_ready() {
                        return polled;
                    }
                }
                // In a turn an executor polls one at least of those who were woken.
                let before = self.counts.polls.load(SeqCst);
                yield_now().await;
                due = woken.take();
                if !due && self.counts.polls.load(SeqCst) == before {
                    return Poll::Pending;
                }
            }
        })
    }

    fn finish<F: Future>(&self, future: F) -> F::Output {
        match self.run(pin!(future)) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits for something that will not come"),
        }
    }

    fn settle(&self) {
        assert!(self.run(pin!(pending::<()>())).is_pending());
    }
}
