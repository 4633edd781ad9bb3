//! A user of pirn-group: its front page, on each executor's own spawner.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn_compat::TokioHandle;
use pirn_core::{Refused, Spawn, TaskMeta, shim::block_on};
use pirn_group::{Ambient, GroupBuilder};

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn front_page(spawner: impl Spawn + Clone + 'static) {
    let length = GroupBuilder::on(spawner)
        .run(async |g| {
            let warp = g.spawn(async { Ok("warp".len()) });
            let weft = g.spawn(async { Ok("weft".len()) });
            Ok::<_, Error>(warp.await? + weft.await?)
        })
        .await;
    assert_eq!(length.unwrap(), 8);
}

#[test]
fn on_pirn() {
    pirn::run(async { front_page(Ambient::current().unwrap()).await });
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async { front_page(TokioHandle::current().unwrap()).await });
}

/// A thread for each task.
#[derive(Clone)]
struct Threads;

impl Spawn for Threads {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        std::thread::spawn(move || block_on(f));
        Ok(())
    }
}

#[test]
fn on_a_bare_thread() {
    block_on(front_page(Threads));
}
