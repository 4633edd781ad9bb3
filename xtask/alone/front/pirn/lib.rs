//! A user of pirn: its front page, which brings its own runtime, also beside another one.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use std::time::Duration;

fn front_page() {
    let greeting = pirn::run(async {
        let slow = pirn::spawn(async {
            pirn::sleep(Duration::from_millis(5)).await;
            "world"
        });
        format!("hello, {}", slow.await.unwrap())
    });
    assert_eq!(greeting, "hello, world");
}

#[test]
fn on_pirn() {
    front_page();
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let done = runtime.spawn_blocking(front_page);
    runtime.block_on(done).unwrap();
}

#[test]
fn on_a_bare_thread() {
    std::thread::spawn(front_page).join().unwrap();
}
