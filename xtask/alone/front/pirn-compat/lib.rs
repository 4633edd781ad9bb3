//! A user of pirn-compat: tokio's tasks by pirn's trait, whoever waits for them.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn::sync::oneshot;
use pirn_compat::TokioHandle;
use pirn_core::{Spawn, TaskMeta};
use tokio::runtime::Runtime;

async fn front_page(spawner: TokioHandle) {
    let (say, said) = oneshot::channel();
    let spawned = spawner.spawn(TaskMeta::here(), async move { say.send(6 * 7).unwrap() });
    assert!(spawned.is_ok());
    assert_eq!(said.await, Ok(42));
}

fn handle(runtime: &Runtime) -> TokioHandle {
    TokioHandle::new(runtime.handle().clone())
}

#[test]
fn on_pirn() {
    let runtime = Runtime::new().unwrap();
    pirn::run(front_page(handle(&runtime)));
}

#[test]
fn on_tokio() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(front_page(handle(&runtime)));
}

#[test]
fn on_a_bare_thread() {
    let runtime = Runtime::new().unwrap();
    pirn_core::shim::block_on(front_page(handle(&runtime)));
}
