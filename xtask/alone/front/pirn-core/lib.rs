//! A user of pirn-core: its front page, wherever futures are polled.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn_core::{Cause, Scope, finally};
use std::sync::mpsc;

async fn front_page() {
    let (say, said) = mpsc::channel();
    let scope = Scope::detached();
    let stop = scope.clone();
    let work = finally(
        async move {
            stop.cancel(Cause::requested("enough"));
            std::future::pending::<()>().await
        },
        move || async move { say.send("cleaned up").unwrap() },
    );
    let ended = scope.run(work).await;
    assert_eq!(ended.unwrap_err().text(), "enough");
    assert_eq!(said.recv(), Ok("cleaned up"));
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
