//! A user's project: pirn's crates where there is no pirn runtime, on tokio and on bare threads.

#![cfg(test)]

use pirn_core::{Refused, Spawn, TaskMeta, shim::block_on};
use pirn_executor::{LocalExecutor, ThreadPark};
use pirn_group::GroupBuilder;
use pirn_sync::{Event, Lock, Queue, Semaphore};
use pirn_timer::{TimeoutError, sleep, timeout};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// The adapter that a user writes for an executor that pirn does not know.
#[derive(Clone)]
struct Tokio(tokio::runtime::Handle);

impl Spawn for Tokio {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(f);
        Ok(())
    }
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

async fn use_everything(spawner: impl Spawn + Clone + 'static) {
    // A group whose children share a lock, a semaphore and a queue.
    let (sum, permits) = (Arc::new(Lock::new(0)), Arc::new(Semaphore::new(2)));
    let (queue, begin) = (Arc::new(Queue::bounded(4)), Arc::new(Event::new()));
    let ended = GroupBuilder::on(spawner.clone()).run(async |group| {
        for number in 1..=10 {
            let (sum, permits) = (Arc::clone(&sum), Arc::clone(&permits));
            let (queue, begin) = (Arc::clone(&queue), Arc::clone(&begin));
            group.spawn(async move {
                begin.wait().await;
                let _permit = permits.acquire().await.unwrap();
                *sum.lock().await += number;
                queue.put(number).await.unwrap();
                Ok(())
            });
        }
        begin.set();
        let mut got = 0;
        for _ in 0..10 {
            got += queue.get().await.unwrap();
        }
        Ok::<_, Infallible>(got)
    });
    assert_eq!(timeout(Duration::from_secs(60), ended).await.unwrap().unwrap(), 55);
    assert_eq!(*sum.lock().await, 55);

    // The first failure ends the siblings.
    let failed = GroupBuilder::on(spawner).run(async |group| {
        group.spawn(pending::<Result<(), &str>>());
        group.spawn(async { Err::<(), _>("out of luck") });
        Ok(())
    });
    assert_eq!(failed.await.unwrap_err().into_errors(), ["out of luck"]);

    // Time.
    sleep(MS).await;
    let late = timeout(MS, pending::<()>()).await;
    assert!(matches!(late, Err(TimeoutError::Elapsed)));
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spawner = Tokio(runtime.handle().clone());
    runtime.block_on(use_everything(spawner));
}

#[test]
fn on_bare_threads() {
    block_on(use_everything(Threads));
}

#[test]
fn on_the_bare_executor() {
    let executor = LocalExecutor::new();
    let spawner = executor.handle();
    executor.run(&mut ThreadPark::new(), use_everything(spawner)).unwrap();
}
