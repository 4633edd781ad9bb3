//! A user of pirn-timer: its front page, wherever futures are polled.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn_timer::{MissedTick, TimeoutError, interval, sleep, timeout};
use std::time::Duration;

async fn front_page() {
    sleep(Duration::from_millis(1)).await;

    let slow = sleep(Duration::from_secs(60));
    let ended = timeout(Duration::from_millis(1), slow).await;
    assert!(matches!(ended, Err(TimeoutError::Elapsed)));

    let mut ticks = interval(Duration::from_millis(1)).with_missed_tick(MissedTick::Skip);
    let first = ticks.tick().await;
    assert!(ticks.tick().await >= first + Duration::from_millis(1));
}

#[test]
fn on_pirn() {
    pirn::run(front_page());
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(front_page());
}

#[test]
fn on_a_bare_thread() {
    pirn_core::shim::block_on(front_page());
}
