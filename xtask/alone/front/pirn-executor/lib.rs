//! A user of pirn-executor: its front page on a bare thread, and its executor as a guest of others.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn_executor::{LocalExecutor, ThreadPark, spawn};
use std::{future::poll_fn, pin::pin};

async fn front_page() {
    let tasks: Vec<_> = (1..=3).map(|n| spawn(async move { n * n })).collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    assert_eq!(total, 14);
}

/// The executor in a task of somebody else's, which is polled on this thread.
async fn as_a_guest() {
    let executor = LocalExecutor::new();
    let mut task = pin!(executor.spawn(front_page()));
    let ended = poll_fn(|cx| {
        while executor.poll_tick(cx).is_ready() {}
        task.as_mut().poll(cx)
    });
    ended.await.unwrap();
}

#[test]
fn on_pirn() {
    pirn::run(as_a_guest());
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(as_a_guest());
}

#[test]
fn on_a_bare_thread() {
    let executor = LocalExecutor::new();
    executor.run(&mut ThreadPark::new(), front_page()).unwrap();
}
