//! Whole programs of pirn's on executors that are not pirn's: groups, time limits, queues, sockets.

use async_executor::Executor;
use futures::{AsyncReadExt, AsyncWriteExt};
use pirn::sync::Queue;
use pirn::{Cause, GroupBuilder};
use pirn_compat::{AsyncExecutor, Host, TokioHandle};
use pirn_core::{Refused, Spawn, TaskMeta, context};
use pirn_io::{TcpListener, TcpStream};
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Three clients send numbers to a server, which queues them; a consumer adds them up. Then what runs
/// for ever is cancelled. All by the ambient spawner, clock and reactor.
async fn program() -> u32 {
    let summed = pirn::group(async |group| {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr();
        let queue = Arc::new(Queue::bounded(1));
        let put = Arc::clone(&queue);
        let inner = group.clone();
        group.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                let put = Arc::clone(&put);
                inner.spawn(async move {
                    let mut number = [0; 4];
                    stream.read_exact(&mut number).await?;
                    put.put(u32::from_le_bytes(number))
                        .await
                        .map_err(io::Error::other)
                });
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        for number in 1..=3_u32 {
            group.spawn(async move {
                pirn::sleep(Duration::from_millis(1)).await;
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(&number.to_le_bytes()).await
            });
        }
        let mut sum = 0;
        for _ in 0..3 {
            sum += queue.get().await.map_err(io::Error::other)?;
        }
        let late = pirn::timeout(Duration::from_millis(1), pending::<()>()).await;
        assert!(late.is_err());
        let length = pirn::to_thread(|| "four".len() as u32).await;
        group.cancel(Cause::requested("done"));
        Ok::<_, io::Error>(sum + length.map_err(io::Error::other)?)
    });
    summed.await.unwrap()
}

#[tokio::test]
async fn a_program_runs_in_a_tokio_test() {
    let host = Host::new(TokioHandle::current().unwrap());
    assert_eq!(host.run(program()).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_runs_on_tokios_workers() {
    let host = Host::new(TokioHandle::current().unwrap());
    let running = host.run(program());
    assert_eq!(tokio::spawn(running).await.unwrap(), 10);
}

#[tokio::test]
async fn children_have_the_spawner_around_them_and_theirs_too() {
    let host = Host::new(TokioHandle::current().unwrap());
    let deep = host.run(pirn::group(async |group| {
        group.spawn(async {
            let inner = pirn::group(async |group| {
                group.spawn(async { context::spawner().map(drop).map_err(io::Error::other) });
                Ok::<_, io::Error>(())
            });
            inner.await.map_err(io::Error::other)
        });
        Ok::<_, io::Error>(())
    }));
    deep.await.unwrap();
}

#[test]
fn a_program_runs_on_async_executor() {
    let executor = Arc::new(Executor::new());
    let host = Host::new(AsyncExecutor::new(Arc::clone(&executor)));
    let running = executor.run(host.run(program()));
    assert_eq!(futures::executor::block_on(running), 10);
}

#[tokio::test]
async fn without_a_host_a_group_says_what_is_missing() {
    let error = pirn::group(async |_| Ok::<(), io::Error>(()))
        .await
        .unwrap_err();
    assert_eq!(error.missing().unwrap().what(), "spawner");
    // One that has its spawner with it needs no host.
    let on = GroupBuilder::on(TokioHandle::current().unwrap());
    let squares = on.gather((0..4).map(|i| async move { Ok::<_, io::Error>(i * i) }));
    assert_eq!(squares.await.unwrap(), [0, 1, 4, 9]);
}

#[tokio::test]
async fn the_spawner_stands_around_polls_and_destructors_alone() {
    struct Witness(std::sync::mpsc::Sender<bool>);
    impl Drop for Witness {
        fn drop(&mut self) {
            let _ = self.0.send(context::spawner().is_ok());
        }
    }
    let host = Host::new(TokioHandle::current().unwrap());
    assert!(host.run(async { context::spawner().is_ok() }).await);
    assert!(context::spawner().is_err());
    let (sender, dropped) = std::sync::mpsc::channel();
    let witness = Witness(sender);
    drop(host.run(async move { drop(witness) }));
    assert!(dropped.try_recv().unwrap());
}

/// Takes nothing.
#[derive(Clone)]
struct Shut;

impl Spawn for Shut {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Err(Refused::new("shut", f))
    }
}

#[test]
fn a_task_that_is_refused_comes_back() {
    let refused = Host::new(Shut)
        .spawn(TaskMeta::here(), async {})
        .unwrap_err();
    assert_eq!(refused.reason(), "shut");
    futures::executor::block_on(refused.into_future());
}
