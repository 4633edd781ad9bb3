//! The same groups on tokio, async-executor, futures' pools and ours.

use async_executor::Executor;
use pirn_compat::{AsyncExecutor, AsyncLocalExecutor, Futures, TokioHandle, TokioLocalSet};
use pirn_core::{Cause, Kind, Scope, Spawn, SpawnLocal, TaskLocal, finally};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark};
use pirn_group::{GroupBuilder, GroupError};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;

type Drive<'a> = &'a mut dyn FnMut(Pin<Box<dyn Future<Output = ()> + Send>>);

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Twenty children that sum up.
async fn values<S: Spawn>(spawner: S) {
    let sum = GroupBuilder::on(spawner).limit(7).run(async |g| {
        let mut children = Vec::new();
        for i in 0..20 {
            children.push(g.spawn(async move {
                yield_now().await;
                Ok(i)
            }));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await?;
        }
        Ok::<_, pirn_group::ChildError>(sum)
    });
    assert_eq!(sum.await.unwrap(), 190);
}

/// A failure cancels nineteen siblings, whose clean-up has ended when the group has.
async fn failure<S: Spawn>(spawner: S) {
    let cleaned = Arc::new(AtomicUsize::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let ended: Result<(), GroupError<&str>> = GroupBuilder::on(spawner)
        .run(async |g| {
            for _ in 0..19 {
                let (started, cleaned) = (Arc::clone(&started), Arc::clone(&cleaned));
                let work = async move {
                    started.fetch_add(1, SeqCst);
                    pending().await
                };
                g.spawn::<_, ()>(finally(work, || async move {
                    yield_now().await;
                    cleaned.fetch_add(1, SeqCst);
                }));
            }
            let started = Arc::clone(&started);
            g.spawn_named("bad", async move {
                while started.load(SeqCst) < 19 {
                    yield_now().await;
                }
                Err::<(), _>("broken")
            });
            pending().await
        })
        .await;
    assert_eq!(ended.unwrap_err().into_errors(), ["broken"]);
    assert_eq!(cleaned.load(SeqCst), 19);
}

/// A group that is dropped: the scope around waits for the clean-up of its children.
async fn dropped<S: Spawn + Send + Sync + Clone>(spawner: S) {
    let cleaned = Arc::new(AtomicUsize::new(0));
    let outer = Scope::detached();
    let inside = async {
        let started = Arc::new(AtomicUsize::new(0));
        let mut group = Box::pin(GroupBuilder::on(spawner.clone()).run(async |g| {
            for _ in 0..10 {
                let (started, cleaned) = (Arc::clone(&started), Arc::clone(&cleaned));
                let work = async move {
                    started.fetch_add(1, SeqCst);
                    pending::<Result<(), &str>>().await
                };
                g.spawn(finally(work, || async move {
                    yield_now().await;
                    cleaned.fetch_add(1, SeqCst);
                }));
            }
            pending::<Result<(), &str>>().await
        }));
        while started.load(SeqCst) < 10 {
            let pending = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx).is_pending())).await;
            assert!(pending);
            yield_now().await;
        }
        drop(group);
    };
    outer.run(inside).await.unwrap();
    assert_eq!(cleaned.load(SeqCst), 10);
}

/// A cancel from another thread while the group waits for its children.
async fn cancelled<S: Spawn>(spawner: S) {
    let ended: Result<(), GroupError<&str>> = GroupBuilder::on(spawner)
        .run(async |g| {
            for _ in 0..10 {
                g.spawn(pending::<Result<(), &str>>());
            }
            let scope = g.scope().clone();
            std::thread::spawn(move || scope.cancel(Cause::new(Kind::Shutdown, "from outside")));
            Ok(())
        })
        .await;
    assert_eq!(ended.unwrap_err().cause().unwrap().text(), "from outside");
}

/// Children get a copy of the task-locals around their spawn, and keep what they set.
async fn inherited<S: Spawn>(spawner: S) {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    let child = || async {
        yield_now().await;
        let seen = REQUEST.get();
        let _keep = REQUEST.set(8).unwrap();
        yield_now().await;
        assert_eq!(REQUEST.get(), Some(8));
        Ok(seen)
    };
    let seen = GroupBuilder::on(spawner).limit(1).run(async |g| {
        let none = g.spawn(child());
        let seven = REQUEST.scope_sync(7, || g.spawn(child()));
        Ok::<_, pirn_group::ChildError>((none.await?, seven.await?))
    });
    assert_eq!(seen.await.unwrap(), (None, Some(7)));
}

fn battery<S: Spawn + Clone + Send + Sync + 'static>(spawner: S, drive: Drive<'_>) {
    drive(Box::pin(values(spawner.clone())));
    drive(Box::pin(failure(spawner.clone())));
    drive(Box::pin(dropped(spawner.clone())));
    drive(Box::pin(cancelled(spawner.clone())));
    drive(Box::pin(inherited(spawner.clone())));
    // Again, as a task of the executor: a group in the child of a group.
    let inner = spawner.clone();
    drive(Box::pin(async move {
        let nested = GroupBuilder::on(spawner).run(async |g| {
            let inner = inner.clone();
            g.spawn(async move {
                values(inner.clone()).await;
                failure(inner.clone()).await;
                dropped(inner.clone()).await;
                cancelled(inner.clone()).await;
                inherited(inner).await;
                Ok::<_, &str>(())
            });
            Ok(())
        });
        nested.await.unwrap();
    }));
}

/// Children that are not `Send`.
async fn local<S: SpawnLocal>(spawner: S) {
    let count = Rc::new(Cell::new(0));
    let ended: Result<i32, GroupError<Rc<str>>> = GroupBuilder::on(spawner)
        .run(async |g| {
            for _ in 0..5 {
                let count = Rc::clone(&count);
                g.spawn_local(async move {
                    yield_now().await;
                    count.set(count.get() + 1);
                    Ok(())
                });
            }
            let last = g.spawn_local(async { Ok(Rc::new(2)) });
            Ok(*last.await.unwrap())
        })
        .await;
    assert_eq!((ended.unwrap(), count.get()), (2, 5));
}

#[test]
fn groups_on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let spawner = TokioHandle::new(runtime.handle().clone());
    battery(spawner, &mut |f| runtime.block_on(f));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spawner = TokioHandle::new(runtime.handle().clone());
    battery(spawner, &mut |f| runtime.block_on(f));
    let set = Rc::new(tokio::task::LocalSet::new());
    runtime.block_on(set.run_until(local(TokioLocalSet::new(Rc::clone(&set)))));
}

#[test]
fn groups_on_async_executor() {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    std::thread::scope(|threads| {
        threads.spawn(|| futures::executor::block_on(executor.run(stopped)));
        battery(AsyncExecutor::new(Arc::clone(&executor)), &mut |f| {
            futures::executor::block_on(executor.run(f))
        });
        drop(stop);
    });
    let executor = Rc::new(async_executor::LocalExecutor::new());
    let spawner = AsyncLocalExecutor::new(Rc::clone(&executor));
    futures::executor::block_on(executor.run(local(spawner)));
}

#[test]
fn groups_on_the_pools_of_futures() {
    let pool = futures::executor::ThreadPool::builder()
        .pool_size(2)
        .create()
        .unwrap();
    battery(Futures::new(pool), &mut futures::executor::block_on);
    let mut pool = futures::executor::LocalPool::new();
    let spawner = Futures::new(pool.spawner());
    pool.run_until(local(spawner));
}

#[test]
fn groups_on_our_current_thread_executor() {
    let executor = LocalExecutor::new();
    battery(executor.handle(), &mut |f| {
        executor.run(&mut ThreadPark::new(), f).unwrap()
    });
    let spawner = executor.handle();
    executor
        .run(&mut ThreadPark::new(), local(spawner))
        .unwrap();
}

#[test]
fn groups_on_our_pool() {
    let (executor, workers) = PoolExecutor::new(2);
    let handle = executor.handle();
    std::thread::scope(|threads| {
        for mut worker in workers {
            let closed = handle.closed();
            threads.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        }
        battery(handle.clone(), &mut futures::executor::block_on);
        drop(executor);
    });
}
