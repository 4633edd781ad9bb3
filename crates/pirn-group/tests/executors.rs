//! The same groups on tokio, async-executor, futures' pools and ours; and on each of these, made to
//! drop tasks at random, and to poll some of them never again.

#[path = "executors/bad.rs"]
mod bad;
#[path = "executors/forms.rs"]
mod forms;
mod support;

use async_executor::Executor;
use bad::{Careless, Forgetful};
use pirn_compat::{AsyncExecutor, AsyncLocalExecutor, Futures, TokioHandle, TokioLocalSet};
use pirn_core::{
    Cause, Kind, Priority, Scope, Spawn, SpawnLocal, TaskLocal, TaskMeta, finally, finally_in_place,
};
use pirn_executor::{LocalExecutor, PoolExecutor, ThreadPark};
use pirn_group::{ChildError, GroupBuilder, GroupError, StartError, Started, group_in_task};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use support::reports;

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

/// Groups of tasks as children of a group in one task, which borrow from around it; and its failure.
async fn in_task<S: Spawn + Clone + Send + Sync + 'static>(spawner: S) {
    let (words, letters) = (["warp".to_owned(), "weft".to_owned()], AtomicUsize::new(0));
    let all = group_in_task(async |g| {
        for word in &words {
            g.spawn(async {
                let tasks = GroupBuilder::on(spawner.clone()).run(async |tasks| {
                    let children = word.chars().map(|_| tasks.spawn(async { Ok(1) }));
                    let mut sum = 0;
                    for child in children {
                        sum += child.await?;
                    }
                    Ok::<_, ChildError>(sum)
                });
                letters.fetch_add(tasks.await.unwrap(), SeqCst);
                Ok(())
            });
        }
        Ok::<_, &str>(())
    });
    all.await.unwrap();
    assert_eq!(letters.load(SeqCst), 8);

    let cleaned = AtomicUsize::new(0);
    let failed = group_in_task(async |g| {
        for _ in 0..5 {
            let cleaned = &cleaned;
            g.spawn::<_, ()>(finally_in_place(pending(), async move || {
                yield_now().await;
                cleaned.fetch_add(1, SeqCst);
            }));
        }
        let sibling = GroupBuilder::on(spawner.clone()).run(async |tasks| {
            tasks.spawn(async { Err::<(), _>("broken") });
            Ok(())
        });
        g.spawn::<_, ()>(async { Err(sibling.await.unwrap_err().into_errors()[0]) });
        pending::<Result<(), &str>>().await
    });
    assert_eq!(failed.await.unwrap_err().into_errors(), ["broken"]);
    assert_eq!(cleaned.load(SeqCst), 5);
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

/// A group as a value: joined, and dropped.
async fn owned<S: Spawn + Clone + Send + Sync + 'static>(spawner: S) {
    let count = Arc::new(AtomicUsize::new(0));
    let group = GroupBuilder::on(spawner.clone()).open::<&str>();
    for _ in 0..10 {
        let (handle, count) = (group.clone(), Arc::clone(&count));
        group.spawn(async move {
            yield_now().await;
            let inner = Arc::clone(&count);
            handle.spawn(async move {
                inner.fetch_add(1, SeqCst);
                Ok(())
            });
            count.fetch_add(1, SeqCst);
            Ok(())
        });
    }
    group.join().await.unwrap();
    assert_eq!(count.load(SeqCst), 20);

    let outer = Scope::detached();
    let inside = async {
        let group = GroupBuilder::on(spawner.clone()).open::<&str>();
        let started = Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let (started, count) = (Arc::clone(&started), Arc::clone(&count));
            let work = async move {
                started.fetch_add(1, SeqCst);
                pending::<Result<(), &str>>().await
            };
            group.spawn(finally(work, || async move {
                yield_now().await;
                count.fetch_sub(2, SeqCst);
            }));
        }
        while started.load(SeqCst) < 10 {
            yield_now().await;
        }
        drop(group);
    };
    outer.run(inside).await.unwrap();
    assert_eq!(count.load(SeqCst), 0);
}

/// Results without handles, as they come and in order.
async fn collected<S: Spawn + Clone>(spawner: S) {
    let seen = GroupBuilder::on(spawner).run(async |g| {
        let mut values = g.collect();
        for i in 0..10 {
            values.spawn(async move {
                for _ in 0..i % 3 {
                    yield_now().await;
                }
                Ok(i * i)
            });
        }
        let mut seen = Vec::new();
        for _ in 0..5 {
            let (number, value) = values.next().await.unwrap();
            assert_eq!(value?, number * number);
            seen.push(number);
        }
        seen.extend(values.all().await?.iter().map(|value| value.isqrt()));
        seen.sort_unstable();
        Ok::<_, ChildError>(seen)
    });
    assert_eq!(seen.await.unwrap(), (0..10).collect::<Vec<_>>());
}

/// Children that are ready, fail before, and fail after.
async fn started<S: Spawn>(spawner: S) {
    let ended: Result<(), _> = GroupBuilder::on(spawner)
        .run(async |g| {
            let ready = async |started: Started<u8>| {
                yield_now().await;
                started.send(7).unwrap();
                pending::<Result<(), _>>().await
            };
            assert_eq!(g.start(ready).await.unwrap().0, 7);
            let fails = async |_: Started<u8>| {
                yield_now().await;
                Err::<(), _>("early")
            };
            let error = g.start(fails).await.unwrap_err();
            assert!(matches!(error, StartError::Failed("early")));
            let late = async |started: Started<u8>| {
                started.send(8).unwrap();
                Err::<(), _>("late")
            };
            let _ = g.start(late).await;
            pending().await
        })
        .await;
    assert_eq!(ended.unwrap_err().into_errors(), ["late"]);
}

/// Counts itself out.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Alive(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Groups of groups on an executor that drops tasks at random: nothing of a group is left when it has
/// ended, its clean-up has run, and it says that it is not complete.
async fn careless<S: Spawn + Clone + Send + Sync + 'static>(spawner: S) {
    let (mut whole, mut cut) = (0, 0);
    for seed in 0..40 {
        let spawner = Careless::new(spawner.clone(), seed);
        let lost = spawner.lost();
        let [alive, opened, closed] = [(); 3].map(|()| Arc::default());
        let ended = GroupBuilder::on(spawner.clone())
            .run(async |g| {
                for _ in 0..3 {
                    let inner = spawner.clone();
                    let guard = Alive::new(&alive);
                    let counts = [&alive, &opened, &closed].map(Arc::clone);
                    g.spawn(async move {
                        let _guard = guard;
                        let run = GroupBuilder::on(inner).run(async |g| {
                            let [alive, opened, closed] = counts;
                            for _ in 0..3 {
                                let guard = Alive::new(&alive);
                                let [opened, closed] = [&opened, &closed].map(Arc::clone);
                                g.spawn(async move {
                                    let _guard = guard;
                                    opened.fetch_add(1, SeqCst);
                                    let cleanup = || async move {
                                        yield_now().await;
                                        closed.fetch_add(1, SeqCst);
                                    };
                                    finally(yield_now(), cleanup).await;
                                    Ok(())
                                });
                            }
                            Ok(())
                        });
                        run.await
                            .map_err(|error: GroupError<String>| error.to_string())
                    });
                }
                Ok(())
            })
            .await;
        assert_eq!(
            Arc::<AtomicUsize>::strong_count(&alive),
            1,
            "a child outlived its group"
        );
        assert_eq!(alive.load(SeqCst), 0);
        // A child whose task was dropped between these two has handed its clean-up over.
        assert_eq!(
            AtomicUsize::load(&opened, SeqCst),
            AtomicUsize::load(&closed, SeqCst)
        );
        match (ended, lost.load(SeqCst)) {
            (Ok(()), 0) => whole += 1,
            (Err(_), 1..) => cut += 1,
            (ended, lost) => panic!("{lost} tasks were lost, and it ended as {ended:?}"),
        }
    }
    assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut");
}

/// A group whose executor keeps a task and does not poll it again waits, as it must; it ends when
/// the executor lets go.
async fn forgetful<S: Spawn + Clone>(spawner: S) {
    for polls in 0..2 {
        let spawner = Forgetful::new(spawner.clone(), polls);
        let alive = Arc::default();
        let mut group = Box::pin(GroupBuilder::on(spawner.clone()).run(async |g| {
            for _ in 0..3 {
                let guard = Alive::new(&alive);
                g.spawn(async move {
                    yield_now().await;
                    yield_now().await;
                    drop(guard);
                    Ok(())
                });
            }
            Ok::<_, &str>(())
        }));
        for _ in 0..100 {
            let pending = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx).is_pending())).await;
            assert!(pending, "it did not wait");
            yield_now().await;
        }
        assert_eq!(alive.load(SeqCst), 3);
        spawner.let_go();
        let error = group.await.unwrap_err();
        assert_eq!(
            (error.cause().unwrap().kind(), alive.load(SeqCst)),
            (Kind::Shutdown, 0)
        );
    }
}

/// Ten children that wait, in a group that is dropped: each is counted as it begins, as it has
/// cleaned up, and as it is gone.
#[derive(Default)]
struct Abandoned {
    begun: Arc<AtomicUsize>,
    cleaned: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

impl Abandoned {
    /// Drops the group when all have begun, or after so many turns.
    async fn after<S: Spawn>(turns: usize, spawner: S) -> Abandoned {
        let counts = Abandoned::default();
        let mut group = Box::pin(GroupBuilder::on(spawner).run(async |g| {
            for _ in 0..10 {
                let guard = Alive::new(&counts.alive);
                let [begun, cleaned] = [&counts.begun, &counts.cleaned].map(Arc::clone);
                g.spawn(async move {
                    let _guard = guard;
                    begun.fetch_add(1, SeqCst);
                    finally(pending::<Result<(), &str>>(), || async move {
                        yield_now().await;
                        cleaned.fetch_add(1, SeqCst);
                    })
                    .await
                });
            }
            pending::<Result<(), &str>>().await
        }));
        for _ in 0..turns {
            let ended = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx).is_ready())).await;
            if ended || counts.begun.load(SeqCst) == 10 {
                break;
            }
            yield_now().await;
        }
        drop(group);
        counts
    }

    /// Waits until all are gone.
    async fn gone(&self) {
        while self.alive.load(SeqCst) > 0 {
            yield_now().await;
        }
    }

    /// How many have begun and did not clean up.
    fn owed(&self) -> usize {
        self.begun.load(SeqCst) - self.cleaned.load(SeqCst)
    }
}

/// A group that is dropped with nothing around it: what lives is reported, and each child still
/// cleans up and ends where its executor polls it.
async fn alone<S: Spawn>(spawner: S) {
    assert!(Scope::current().is_none());
    reports();
    let group = Abandoned::after(usize::MAX, spawner).await;
    // On other threads some have ended by now, or all.
    let said = reports();
    let counted = said.iter().all(|report| report.contains("live child"));
    assert!(said.len() <= 1 && counted, "{said:?}");
    group.gone().await;
    assert_eq!(group.owed(), 0);
}

/// The same on an executor that drops tasks at random: with a scope around all clean up before that
/// ends; with none, all but those that were dropped.
async fn alone_and_careless<S: Spawn + Clone>(spawner: S) {
    for seed in 0..40 {
        let careless = Careless::new(spawner.clone(), seed);
        let outer = Scope::detached();
        let group = outer.run(Abandoned::after(3, careless)).await.unwrap();
        assert_eq!((group.alive.load(SeqCst), group.owed()), (0, 0));

        let careless = Careless::new(spawner.clone(), seed);
        let lost = careless.lost();
        let group = Abandoned::after(3, careless).await;
        group.gone().await;
        assert!(group.owed() <= lost.load(SeqCst));
    }
}

/// And on one that keeps tasks and does not poll them again: the scope around waits until it lets
/// go; with none, nobody does.
async fn alone_and_forgetful<S: Spawn + Clone>(spawner: S) {
    let forgetful = Forgetful::new(spawner.clone(), 1);
    let outer = Scope::detached();
    let mut run = Box::pin(outer.run(Abandoned::after(usize::MAX, forgetful.clone())));
    for _ in 0..100 {
        let waits = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "it did not wait");
        yield_now().await;
    }
    forgetful.let_go();
    let group = run.await.unwrap();
    assert_eq!((group.alive.load(SeqCst), group.owed()), (0, 0));

    let forgetful = Forgetful::new(spawner, 1);
    let group = Abandoned::after(usize::MAX, forgetful.clone()).await;
    // One that is in its first poll on another thread may clean up there.
    assert!(group.alive.load(SeqCst) > 0);
    forgetful.let_go();
    assert_eq!(group.alive.load(SeqCst), 0);
    assert!(group.owed() > 0, "nobody was left to do it");
}

fn battery<S: Spawn + Clone + Send + Sync + 'static>(spawner: S, drive: Drive<'_>) {
    drive(Box::pin(alone(spawner.clone())));
    drive(Box::pin(alone_and_careless(spawner.clone())));
    drive(Box::pin(alone_and_forgetful(spawner.clone())));
    drive(Box::pin(owned(spawner.clone())));
    drive(Box::pin(collected(spawner.clone())));
    drive(Box::pin(started(spawner.clone())));
    drive(Box::pin(careless(spawner.clone())));
    drive(Box::pin(forgetful(spawner.clone())));
    drive(Box::pin(values(spawner.clone())));
    drive(Box::pin(failure(spawner.clone())));
    drive(Box::pin(dropped(spawner.clone())));
    drive(Box::pin(cancelled(spawner.clone())));
    drive(Box::pin(inherited(spawner.clone())));
    drive(Box::pin(in_task(spawner.clone())));
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
                owned(inner.clone()).await;
                collected(inner.clone()).await;
                started(inner.clone()).await;
                careless(inner.clone()).await;
                forgetful(inner.clone()).await;
                inherited(inner.clone()).await;
                in_task(inner).await;
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

#[test]
fn what_is_left_of_a_dropped_group_goes_on_with_its_executor_and_no_later_than_that_is_dropped() {
    for goes_on in [true, false] {
        reports();
        let executor = LocalExecutor::new();
        let mut park = ThreadPark::new();
        let spawner = executor.handle();
        let group = executor.run(&mut park, Abandoned::after(usize::MAX, spawner));
        let group = group.unwrap();
        assert!(reports()[0].contains("10 live children"));
        assert_eq!((group.alive.load(SeqCst), group.owed()), (10, 10));
        if goes_on {
            executor.run(&mut park, group.gone()).unwrap();
        }
        drop(executor);
        let owed = if goes_on { 0 } else { 10 };
        assert_eq!((group.alive.load(SeqCst), group.owed()), (0, owed));
        assert_eq!(reports().len(), owed, "the clean-up that nobody does");

        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let spawner = TokioHandle::new(runtime.handle().clone());
        let group = runtime.block_on(Abandoned::after(usize::MAX, spawner));
        assert_eq!((group.alive.load(SeqCst), group.owed()), (10, 10));
        if goes_on {
            runtime.block_on(group.gone());
        }
        drop(runtime);
        assert_eq!((group.alive.load(SeqCst), group.owed()), (0, owed));

        let executor = Arc::new(Executor::new());
        let spawner = AsyncExecutor::new(Arc::clone(&executor));
        let group = executor.run(Abandoned::after(usize::MAX, spawner));
        let group = futures::executor::block_on(group);
        assert_eq!((group.alive.load(SeqCst), group.owed()), (10, 10));
        if goes_on {
            futures::executor::block_on(executor.run(group.gone()));
        }
        drop(executor);
        assert_eq!((group.alive.load(SeqCst), group.owed()), (0, owed));
    }
}

#[test]
fn a_child_is_as_urgent_as_it_is_said_to_be() {
    let executor = LocalExecutor::new();
    let order: Arc<Mutex<Vec<Priority>>> = Arc::default();
    let log = order.clone();
    let group = GroupBuilder::on(executor.handle()).run(async |g| {
        let child = |priority| {
            let log = log.clone();
            async move {
                log.lock().unwrap().push(priority);
                Ok::<_, &str>(())
            }
        };
        g.spawn_at(Priority::Low, child(Priority::Low));
        g.spawn(child(Priority::Normal));
        let meta = TaskMeta::here()
            .named("urgent")
            .with_priority(Priority::High);
        g.try_spawn(meta, child(Priority::High)).unwrap();
        Ok(())
    });
    executor
        .run(&mut ThreadPark::new(), group)
        .unwrap()
        .unwrap();
    let order = order.lock().unwrap().clone();
    assert_eq!(order, [Priority::High, Priority::Normal, Priority::Low]);
}
