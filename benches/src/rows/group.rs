//! Groups of tasks: spawning children and taking their results, beside `JoinSet` and beside plain
//! tasks.

use std::{future::Future, hint::black_box};

use futures::StreamExt;
use pirn_core::Spawn;
use pirn_group::{ChildError, GroupBuilder, InTask, InTaskLocal, TaskGroup, group_in_task};
use tokio::task::JoinSet;

use crate::{
    harness::{Contender, Row},
    hosts::{Local, PirnLocal, PirnShared, Shared, Tokio},
};

/// Children alive at once.
const BATCH: u64 = 1000;

pub(super) fn rows() -> Vec<Row> {
    let join = "spawn a child of a group of 1000 and take its value; `bare-pirn` has no group";
    vec![
        Row::new("join.group_spawn_join.1", join, || {
            vec![
                local("pirn", |host, count| {
                    let spawner = host.spawner();
                    host.block_on(groups(spawner, count, by_handle));
                }),
                local("pirn-collector", |host, count| {
                    let spawner = host.spawner();
                    host.block_on(groups(spawner, count, by_collector));
                }),
                join_set(1),
                local("bare-pirn", |host, count| {
                    host.block_on(async {
                        for batch in batches(count) {
                            let tasks: Vec<_> =
                                (0..batch).map(|i| host.spawn(async move { i })).collect();
                            for task in tasks {
                                black_box(task.await);
                            }
                        }
                    });
                }),
            ]
        }),
        Row::new("join.group_spawn_join.2", join, || {
            vec![
                shared("pirn", |host, count| {
                    host.run(groups(host.spawner(), count, by_handle));
                }),
                shared("pirn-collector", |host, count| {
                    host.run(groups(host.spawner(), count, by_collector));
                }),
                join_set(2),
                shared("bare-pirn", |host, count| {
                    let inside = host.clone();
                    host.run(async move {
                        for batch in batches(count) {
                            let tasks: Vec<_> =
                                (0..batch).map(|i| inside.spawn(async move { i })).collect();
                            for task in tasks {
                                black_box(task.await);
                            }
                        }
                    });
                }),
            ]
        }),
        Row::new(
            "join.in_task_spawn_join",
            "the same in a group that runs in one task; beside it sets of futures, push and next",
            within,
        ),
    ]
}

/// Groups in one task, and sets, each with 1000 at once.
fn within() -> Vec<Contender> {
    vec![
        in_one_task("pirn", async |batch| {
            let group = group_in_task(async |g: TaskGroup<ChildError, InTaskLocal<'_>>| {
                let child = |i| g.spawn_local(async move { Ok(i) });
                let children: Vec<_> = (0..batch).map(child).collect();
                let mut sum = 0;
                for child in children {
                    sum += black_box(child.await?);
                }
                Ok(sum)
            });
            group.await.expect("nothing fails")
        }),
        in_one_task("pirn-send", async |batch| {
            let group = group_in_task(async |g: TaskGroup<ChildError, InTask<'_>>| {
                let child = |i| g.spawn(async move { Ok(i) });
                let children: Vec<_> = (0..batch).map(child).collect();
                let mut sum = 0;
                for child in children {
                    sum += black_box(child.await?);
                }
                Ok(sum)
            });
            group.await.expect("nothing fails")
        }),
        in_one_task("futures-unordered", async |batch| {
            let mut set = futures::stream::FuturesUnordered::new();
            (0..batch).for_each(|i| set.push(async move { i }));
            let mut sum = 0;
            while let Some(value) = set.next().await {
                sum += black_box(value);
            }
            sum
        }),
        in_one_task("futures-buffered", async |batch| {
            let mut set = futures_buffered::FuturesUnordered::new();
            (0..batch).for_each(|i| set.push(async move { i }));
            let mut sum = 0;
            while let Some(value) = set.next().await {
                sum += black_box(value);
            }
            sum
        }),
    ]
}

fn in_one_task(name: &'static str, work: impl AsyncFn(u64) -> u64 + 'static) -> Contender {
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            for batch in batches(count) {
                assert_eq!(work(batch).await, batch * (batch - 1) / 2);
            }
        });
    })
}

fn batches(count: u64) -> impl Iterator<Item = u64> {
    (0..count)
        .step_by(BATCH as usize)
        .map(move |from| BATCH.min(count - from))
}

fn local(name: &'static str, work: fn(&PirnLocal, u64)) -> Contender {
    let host = PirnLocal::new();
    Contender::timed(name, move |count| work(&host, count))
}

fn shared(name: &'static str, work: fn(&PirnShared, u64)) -> Contender {
    let host = PirnShared::new();
    Contender::timed(name, move |count| work(&host, count))
}

/// As many groups as it takes.
async fn groups<S, F, Fut>(spawner: S, count: u64, body: F)
where
    S: Spawn + Clone,
    F: Fn(TaskGroup<ChildError, S>, u64) -> Fut,
    Fut: Future<Output = Result<u64, ChildError>>,
{
    for batch in batches(count) {
        let group = GroupBuilder::on(spawner.clone());
        let sum = group.run(|g| body(g, batch)).await;
        assert_eq!(sum.expect("nothing fails"), batch * (batch - 1) / 2);
    }
}

async fn by_handle<S: Spawn>(g: TaskGroup<ChildError, S>, batch: u64) -> Result<u64, ChildError> {
    let children: Vec<_> = (0..batch).map(|i| g.spawn(async move { Ok(i) })).collect();
    let mut sum = 0;
    for child in children {
        sum += black_box(child.await?);
    }
    Ok(sum)
}

async fn by_collector<S>(g: TaskGroup<ChildError, S>, batch: u64) -> Result<u64, ChildError>
where
    S: Spawn + Clone,
{
    let mut values = g.collect();
    for i in 0..batch {
        values.spawn(async move { Ok(i) });
    }
    let mut sum = 0;
    while let Some((_, value)) = values.next().await {
        sum += black_box(value?);
    }
    Ok(sum)
}

fn join_set(workers: usize) -> Contender {
    let host = Tokio::with_workers(workers);
    Contender::timed("tokio-joinset", move |count| {
        host.run(async move {
            for batch in batches(count) {
                let mut set: JoinSet<u64> = (0..batch).map(|i| async move { i }).collect();
                let mut sum = 0;
                while let Some(value) = set.join_next().await {
                    sum += black_box(value.expect("nothing fails"));
                }
                assert_eq!(sum, batch * (batch - 1) / 2);
            }
        });
    })
}
