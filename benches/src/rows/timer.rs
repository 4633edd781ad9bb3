//! Timers that are set and given up, as timeouts are: one at a time, and with 100,000 alive.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use pirn_executor::LocalExecutor;
use pirn_timer::{Monotonic, ThreadPark, TimerPark};

use crate::{
    harness::{Contender, Row},
    hosts::tokio_one,
};

/// Timers alive in the larger row.
const ALIVE: u64 = 100_000;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "timer.insert_cancel_one",
            "set a timer, poll it, drop it",
            || vec![pirn(0), tokio(0), nio(0), monoio(0)],
        ),
        Row::new(
            "timer.insert_cancel_100k",
            "the same, the oldest of 100,000 dropped",
            || vec![pirn(ALIVE), tokio(ALIVE), nio(ALIVE), monoio(ALIVE)],
        ),
    ]
}

/// When the next timer would fire: far off, and spread over a minute, as timeouts are.
fn delay(i: u64) -> Duration {
    Duration::from_millis(10_000 + i.wrapping_mul(7919) % 60_000)
}

/// Sets `count` timers on top of `alive` others, and drops the oldest each time.
fn churn<F: Future + 'static>(
    timers: &mut VecDeque<Pin<Box<F>>>,
    alive: u64,
    count: u64,
    sleep: impl Fn(Duration) -> F,
) {
    let mut cx = Context::from_waker(Waker::noop());
    let missing = alive.saturating_sub(timers.len() as u64);
    for i in 0..missing + count {
        let mut timer = Box::pin(sleep(delay(i)));
        assert!(matches!(timer.as_mut().poll(&mut cx), Poll::Pending));
        timers.push_back(timer);
        if timers.len() as u64 > alive {
            timers.pop_front();
        }
    }
}

fn pirn(alive: u64) -> Contender {
    let executor = LocalExecutor::new();
    let mut park = TimerPark::new(ThreadPark::new(), Monotonic);
    let timer = park.timer();
    let mut timers = VecDeque::new();
    Contender::timed("pirn", move |count| {
        let work = async { churn(&mut timers, alive, count, |delay| timer.sleep(delay)) };
        executor
            .run(&mut park, work)
            .expect("a thread can always park");
    })
}

fn tokio(alive: u64) -> Contender {
    let runtime = tokio_one();
    let mut timers = VecDeque::new();
    Contender::timed("tokio", move |count| {
        runtime.block_on(async { churn(&mut timers, alive, count, tokio::time::sleep) });
    })
}

fn monoio(alive: u64) -> Contender {
    let built = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new()
        .enable_timer()
        .build();
    let mut runtime = built.expect("a runtime");
    let mut timers = VecDeque::new();
    Contender::timed("monoio-legacy", move |count| {
        runtime.block_on(async { churn(&mut timers, alive, count, monoio::time::sleep) });
    })
}

fn nio(alive: u64) -> Contender {
    let built = nio::RuntimeBuilder::new().worker_threads(1).build();
    let mut runtime = built.expect("a runtime");
    let mut timers = VecDeque::new();
    Contender::timed("nio", move |count| {
        runtime.block_on(async { churn(&mut timers, alive, count, nio::sleep) });
    })
}
