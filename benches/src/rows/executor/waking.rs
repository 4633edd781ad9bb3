//! Tasks that a plain thread wakes, and a thread that blocks on a future.

use std::{
    future::{Future, poll_fn, ready},
    hint::black_box,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread::{self, Thread},
};

use futures::task::AtomicWaker;

use crate::{
    harness::Contender,
    hosts::{Local, Shared, tokio_one},
};

/// By which a thread calls tasks, and they answer; the same for every executor.
struct Bell {
    /// How often it was rung.
    rung: AtomicU64,
    tasks: Vec<AtomicWaker>,
    /// Tasks that have yet to answer.
    left: AtomicU64,
    caller: OnceLock<Thread>,
}

impl Bell {
    fn new(tasks: u64) -> Arc<Self> {
        Arc::new(Bell {
            rung: AtomicU64::new(0),
            tasks: (0..tasks).map(|_| AtomicWaker::new()).collect(),
            left: AtomicU64::new(0),
            caller: OnceLock::new(),
        })
    }

    /// Calls from a thread of its own while `host` runs.
    fn ring_beside(&self, times: u64, host: impl FnOnce()) {
        thread::scope(|scope| {
            scope.spawn(|| self.ring(times));
            host();
        });
    }

    fn ring(&self, times: u64) {
        self.caller.get_or_init(thread::current);
        for time in 1..=times {
            // Ordering: Relaxed, made known by the next line.
            self.left.store(self.tasks.len() as u64, Ordering::Relaxed);
            // Ordering: Release, pairs with the Acquire in `answer`.
            self.rung.store(time, Ordering::Release);
            self.tasks.iter().for_each(AtomicWaker::wake);
            // Ordering: Acquire, pairs with the AcqRel in `answer`.
            while self.left.load(Ordering::Acquire) > 0 {
                thread::park();
            }
        }
    }

    async fn answer(self: Arc<Self>, task: u64, times: u64) {
        for time in 1..=times {
            poll_fn(|cx| {
                // Ordering: Acquire, pairs with the Release in `ring`.
                let called = || self.rung.load(Ordering::Acquire) >= time;
                if called() {
                    return Poll::Ready(());
                }
                self.tasks[task as usize].register(cx.waker());
                if called() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            // Ordering: AcqRel, pairs with itself and the Acquire in `ring`.
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.caller.get().expect("somebody called").unpark();
            }
        }
    }
}

pub(super) fn remote_wake_local<H: Local, const TASKS: u64>(host: &H, count: u64) {
    let bell = Bell::new(TASKS);
    let times = count.div_ceil(TASKS);
    bell.ring_beside(times, || {
        host.block_on(async {
            let answer = |task| host.spawn(bell.clone().answer(task, times));
            let tasks: Vec<_> = (0..TASKS).map(answer).collect();
            for task in tasks {
                task.await;
            }
        });
    });
}

pub(super) fn remote_wake_shared<H: Shared, const TASKS: u64>(host: &H, count: u64) {
    let bell = Bell::new(TASKS);
    let times = count.div_ceil(TASKS);
    bell.ring_beside(times, || {
        let (host, bell) = (host.clone(), bell.clone());
        host.clone().run(async move {
            let answer = |task| host.spawn(bell.clone().answer(task, times));
            let tasks: Vec<_> = (0..TASKS).map(answer).collect();
            for task in tasks {
                task.await;
            }
        });
    });
}

pub(super) fn block_on_ready() -> Vec<Contender> {
    let one = || ready(black_box(1));
    let mut runtime = pirn::Runtime::builder()
        .current_thread()
        .build()
        .expect("a runtime");
    let tokio = tokio_one();
    let bare = move || match pin!(one()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(one) => one,
        Poll::Pending => unreachable!("it is ready"),
    };
    let run = move || runtime.run(one()).expect("nobody cancels it");
    vec![
        repeated("pirn", move || pirn_sync::block_on(one())),
        repeated("pirn-runtime", run),
        repeated("tokio", move || tokio.block_on(one())),
        repeated("futures", move || futures::executor::block_on(one())),
        repeated("pollster", move || pollster::block_on(one())),
        repeated("bare-poll", bare),
    ]
}

fn repeated(name: &'static str, mut work: impl FnMut() -> u64 + 'static) -> Contender {
    Contender::timed(name, move |count| {
        for _ in 0..count {
            black_box(work());
        }
    })
}
