//! A user of pirn-sim: its front page. It brings its own executor and its own time, and needs nothing.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use std::time::Duration;

#[test]
fn an_hour_is_over_at_once() {
    let hour = Duration::from_secs(3600);
    pirn_sim::check(20, move || async move { pirn_timer::sleep(hour).await });
}
