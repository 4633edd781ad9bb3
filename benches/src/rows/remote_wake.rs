//! A round trip from a thread outside to a task and back, beside two threads that unpark each other.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::Poll,
    thread::{self, Thread},
};

use futures::task::AtomicWaker;

use crate::{
    harness::{Contender, Row},
    hosts::{Local, Nio, PirnLocal, PirnShared, Shared, SmolShared, Tokio},
};

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new(
        "executor.remote_wake",
        "a thread outside wakes a task, which unparks it",
        || {
            vec![
                Contender::timed("unpark", two_threads()),
                Contender::timed("pirn", shared::<PirnShared>()),
                Contender::timed("pirn-local", local()),
                Contender::timed("pirn-runtime", runtime()),
                Contender::timed("tokio", shared::<Tokio>()),
                Contender::timed("async-executor-static", shared::<SmolShared>()),
                Contender::timed("nio", shared::<Nio>()),
            ]
        },
    )]
}

const ASKED: u8 = 1;
const ANSWERED: u8 = 2;

/// Who is to move.
struct Court {
    ball: AtomicU8,
    far: AtomicWaker,
    near: Thread,
}

impl Court {
    fn new() -> Arc<Court> {
        Arc::new(Court {
            ball: AtomicU8::new(ANSWERED),
            far: AtomicWaker::new(),
            near: thread::current(),
        })
    }

    /// Takes the ball if it is asked for.
    fn is_asked(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `ask`.
        self.ball.load(Ordering::Acquire) == ASKED
    }

    fn answer(&self) {
        // Ordering: Release, pairs with the Acquire in `ask`.
        self.ball.store(ANSWERED, Ordering::Release);
        self.near.unpark();
    }

    /// One round trip, begun by `wake`.
    fn ask(&self, wake: impl Fn()) {
        // Ordering: Release, pairs with the Acquire in `is_asked`.
        self.ball.store(ASKED, Ordering::Release);
        wake();
        // Ordering: Acquire, pairs with the Release in `answer`.
        while self.ball.load(Ordering::Acquire) != ANSWERED {
            thread::park();
        }
    }
}

fn two_threads() -> impl FnMut(u64) {
    let court = Court::new();
    let far = court.clone();
    let other = thread::spawn(move || {
        loop {
            while !far.is_asked() {
                thread::park();
            }
            far.answer();
        }
    });
    move |count| (0..count).for_each(|_| court.ask(|| other.thread().unpark()))
}

/// The task: answers for ever.
async fn answers(court: Arc<Court>) {
    loop {
        poll_fn(|cx| {
            court.far.register(cx.waker());
            match court.is_asked() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        court.answer();
    }
}

fn asks(court: Arc<Court>) -> impl FnMut(u64) {
    move |count| (0..count).for_each(|_| court.ask(|| court.far.wake()))
}

fn shared<H: Shared>() -> impl FnMut(u64) {
    let (host, court) = (H::new(), Court::new());
    H::detach(host.spawn(answers(court.clone())));
    let mut asks = asks(court);
    move |count| {
        let _kept = &host;
        asks(count);
    }
}

fn local() -> impl FnMut(u64) {
    let court = Court::new();
    let far = court.clone();
    thread::spawn(move || {
        let host = PirnLocal::new();
        host.block_on(host.spawn(answers(far)));
    });
    asks(court)
}

fn runtime() -> impl FnMut(u64) {
    let court = Court::new();
    let far = court.clone();
    thread::spawn(move || {
        let mut runtime = pirn::Runtime::builder()
            .workers(2)
            .build()
            .expect("a runtime");
        let ran = runtime.run(async { pirn::spawn(answers(far)).await.expect("no panic") });
        ran.expect("the main future is not cancelled");
    });
    asks(court)
}
