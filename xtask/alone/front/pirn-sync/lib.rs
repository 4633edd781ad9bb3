//! A user of pirn-sync: its front page, wherever futures are polled.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use pirn_sync::{Queue, Semaphore};
use std::sync::Arc;

async fn front_page() {
    let jobs = Arc::new(Queue::bounded(8));
    let at_once = Arc::new(Semaphore::new(2));
    let worker = {
        let jobs = Arc::clone(&jobs);
        async move {
            let mut done = Vec::new();
            while let Ok(job) = jobs.get().await {
                let _permit = at_once.acquire().await.expect("nobody closes it");
                done.push(job * 10);
            }
            done
        }
    };
    // A thread of its own: a task on tokio, on pirn or nowhere waits in the same queue.
    let worker = std::thread::spawn(|| pirn_sync::block_on(worker));
    for job in 1..=3 {
        jobs.put(job).await.expect("nobody closed it yet");
    }
    jobs.close();
    assert_eq!(worker.join().unwrap(), [10, 20, 30]);
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
    pirn_sync::block_on(front_page());
}
