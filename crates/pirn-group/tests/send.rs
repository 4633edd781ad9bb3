//! The combinators inside `Send` tasks: what they borrow and how they fail must not hide from the compiler
//! that their futures are `Send`. Each test is as good as done when it compiles; it runs, too.
#![cfg(not(loom))]

use futures::StreamExt;
use pirn_compat::TokioHandle;
use pirn_core::{Cause, finally, shield, yield_now};
use pirn_group::{
    CancelToken, GroupBuilder, WaitSet, When, as_completed, first_ok, for_each_limit, gather,
    gather_results, group_in_task, join, map_limit, race, staggered_race, stream, wait,
};
use pirn_timer::{move_on_after, timeout};
use std::error::Error;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
type DynFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs it as a task.
fn run<F>(task: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(task).await.unwrap() })
}

/// What is inside a body, too.
fn assert_send<T: Send>(it: T) -> T {
    it
}

async fn boxed(number: u32) -> Result<u32, Boxed> {
    yield_now().await;
    match number {
        0 => Err("a warp of no threads".into()),
        _ => Ok(number),
    }
}

async fn literal(number: u32) -> Result<u32, &'static str> {
    yield_now().await;
    match number {
        0 => Err("a warp of no threads"),
        _ => Ok(number),
    }
}

async fn sure(number: u32) -> u32 {
    yield_now().await;
    number
}

/// The test `$name` runs `$body` as a task, in which `$v` is a vector to borrow from.
macro_rules! tasks {
    ($($name:ident($v:ident) $body:block)+) => {$(
        #[test]
        fn $name() {
            run(assert_send(async {
                let $v = vec![1, 2, 3_u32];
                $body
            }));
        }
    )+};
}

tasks! {
    a_gather_of_an_array_with_boxed_errors(v) {
        assert_eq!(gather([boxed(1), boxed(2)]).await.unwrap(), [1, 2]);
        assert_eq!(gather([boxed(v[0]), boxed(0)]).await.unwrap_err().len(), 1);
    }

    a_gather_of_an_array_that_borrows(v) {
        let one = async |number: &u32| boxed(*number).await;
        assert_eq!(gather([one(&v[0]), one(&v[1])]).await.unwrap(), [1, 2]);
        let one = async |number: &u32| literal(*number).await;
        assert_eq!(gather([one(&v[0]), one(&v[1])]).await.unwrap(), [1, 2]);
    }

    a_gather_of_an_array_with_literals(v) {
        assert_eq!(gather([literal(v[0]), literal(2)]).await.unwrap(), [1, 2]);
    }

    a_gather_of_a_vector(v) {
        assert_eq!(gather(vec![boxed(1), boxed(2)]).await.unwrap(), [1, 2]);
        assert_eq!(gather(vec![literal(1), literal(2)]).await.unwrap(), [1, 2]);
        let one = async |number: &u32| boxed(*number).await;
        assert_eq!(gather(v.iter().map(one).collect::<Vec<_>>()).await.unwrap(), [1, 2, 3]);
    }

    a_gather_of_a_vector_of_boxed_futures(v) {
        let futures: Vec<DynFuture<'_, Result<u32, Boxed>>> =
            vec![Box::pin(boxed(1)), Box::pin(async { boxed(v[1]).await })];
        assert_eq!(gather(futures).await.unwrap(), [1, 2]);
    }

    a_gather_of_an_iterator(v) {
        assert_eq!(gather((1..3).map(boxed)).await.unwrap(), [1, 2]);
        assert_eq!(gather((1..3).map(literal)).await.unwrap(), [1, 2]);
        assert_eq!(gather((1..3).map(|_| boxed(v[0]))).await.unwrap(), [1, 1]);
    }

    a_gather_of_an_iterator_that_borrows(v) {
        let values = gather(v.iter().map(|x| async move { boxed(*x).await })).await;
        assert_eq!(values.unwrap(), [1, 2, 3]);
        let values = gather(v.iter().map(|x| async move { literal(*x).await })).await;
        assert_eq!(values.unwrap(), [1, 2, 3]);
        let values = gather(v.iter().map(async |x| literal(*x).await)).await;
        assert_eq!(values.unwrap(), [1, 2, 3]);
        let values = gather(v.iter().map(|x| async move { Ok::<_, std::io::Error>(*x) })).await;
        assert_eq!(values.unwrap(), [1, 2, 3]);
    }

    a_gather_that_was_named_or_boxed_before(v) {
        let named = gather(v.iter().map(|x| async move { boxed(*x).await }));
        yield_now().await;
        assert_eq!(named.await.unwrap(), [1, 2, 3]);
        let in_a_box = Box::pin(gather(v.iter().map(|x| async move { boxed(*x).await })));
        assert_eq!(in_a_box.await.unwrap(), [1, 2, 3]);
        let asserted = assert_send(gather(v.iter().map(|x| async move { boxed(*x).await })));
        assert_eq!(asserted.await.unwrap(), [1, 2, 3]);
    }

    a_gather_of_a_tuple(v) {
        assert_eq!(gather((boxed(1), boxed(2))).await.unwrap(), (1, 2));
        assert_eq!(gather((literal(1), literal(2))).await.unwrap(), (1, 2));
        let borrows = async { boxed(v[0]).await };
        let word = async { boxed(v[1]).await.map(|number| number.to_string()) };
        assert_eq!(gather((borrows, word, boxed(7))).await.unwrap(), (1, "2".to_owned(), 7));
    }

    a_gather_of_gathers(v) {
        let row = |number| gather([number, 7].map(boxed));
        assert_eq!(gather((row(1), row(2))).await.unwrap(), ([1, 7], [2, 7]));
        assert_eq!(gather(v.iter().map(|x| row(*x))).await.unwrap().len(), 3);
        let row = || gather((async { boxed(v[0]).await }, async { boxed(v[1]).await }));
        assert_eq!(gather((row(), row())).await.unwrap(), ((1, 2), (1, 2)));
        assert_eq!(gather([row(), row()]).await.unwrap(), [(1, 2), (1, 2)]);
        let row = || gather_results((async { literal(v[0]).await }, async { boxed(v[1]).await }));
        assert_eq!(join([row(), row()]).await.len(), 2);
        let row = || join([async { literal(v[0]).await }]);
        assert_eq!(join((row(), join((row(), row())))).await.0[0], Ok(1));
        let row = || gather([Box::pin(boxed(v[0])) as DynFuture<'_, Result<u32, Boxed>>]);
        assert_eq!(gather([row(), row()]).await.unwrap(), [[1], [1]]);
    }

    a_gather_with_a_time_limit(v) {
        let long = Duration::from_secs(600);
        let values = timeout(long, gather(v.iter().map(|x| async { boxed(*x).await }))).await;
        assert_eq!(values.unwrap().unwrap(), [1, 2, 3]);
        let values = timeout(long, gather((async { literal(1).await }, async { literal(2).await }))).await;
        assert_eq!(values.unwrap().unwrap(), (1, 2));
        let values = timeout(long, join(v.iter().map(|x| async { literal(*x).await }))).await;
        assert_eq!(values.unwrap().len(), 3);
    }

    a_gather_of_results(v) {
        assert_eq!(gather_results([boxed(1), boxed(2)]).await.len(), 2);
        assert_eq!(gather_results(vec![literal(1), literal(2)]).await.len(), 2);
        assert_eq!(gather_results(v.iter().map(|x| async move { boxed(*x).await })).await.len(), 3);
        assert_eq!(gather_results(v.iter().map(|x| async move { literal(*x).await })).await.len(), 3);
        let (one, two) = gather_results((boxed(1), async { sure(v[1]).await })).await;
        assert_eq!((one.unwrap().unwrap(), two.unwrap()), (1, 2));
    }

    a_join(v) {
        assert_eq!(join([sure(1), sure(2)]).await, [1, 2]);
        assert_eq!(join(vec![sure(1), sure(2)]).await, [1, 2]);
        assert_eq!(join(v.iter().map(|x| async move { sure(*x).await })).await, [1, 2, 3]);
        assert_eq!(join(v.iter().map(|x| async move { boxed(*x).await })).await.len(), 3);
        let (one, two) = join((async { sure(v[0]).await }, boxed(2))).await;
        assert_eq!((one, two.unwrap()), (1, 2));
    }

    a_race(v) {
        assert_eq!(race([boxed(1), boxed(1)]).await.unwrap().unwrap(), 1);
        assert_eq!(race(vec![literal(1), literal(1)]).await.unwrap(), Ok(1));
        assert_eq!(race(v.iter().map(|x| async move { boxed(*x).await })).await.unwrap().unwrap(), 1);
        assert_eq!(race(v.iter().map(|x| async move { literal(*x).await })).await.unwrap(), Ok(1));
        assert_eq!(race((async { sure(v[0]).await }, sure(1))).await.unwrap(), 1);
        let loser = async { pending().await };
        assert_eq!(race((async { literal(v[0]).await }, loser)).await.unwrap(), Ok(1));
        let inner = || race((boxed(1), async { boxed(v[0]).await }));
        assert_eq!(join([inner(), inner()]).await.len(), 2);
    }

    a_race_that_only_a_success_wins(v) {
        assert_eq!(first_ok([boxed(0), boxed(1)]).await.unwrap(), 1);
        assert_eq!(first_ok(vec![literal(0), literal(1)]).await.unwrap(), 1);
        let x = first_ok(v.iter().map(|x| async move { boxed(*x).await })).await;
        assert_eq!(x.unwrap(), 1);
        let x = first_ok(v.iter().map(|x| async move { literal(*x).await })).await;
        assert_eq!(x.unwrap(), 1);
        assert_eq!(first_ok((async { boxed(v[0]).await }, boxed(0))).await.unwrap(), 1);
        let inner = || first_ok((async { literal(0).await }, async { literal(v[0]).await }));
        assert_eq!(first_ok([inner(), inner()]).await.unwrap(), 1);
    }

    a_staggered_race(v) {
        let attempts = v.iter().map(|x| async move { boxed(*x).await });
        assert_eq!(staggered_race(attempts, yield_now).await.unwrap(), 1);
        let attempts = v.iter().map(|x| async move { literal(*x).await });
        assert_eq!(staggered_race(attempts, || async { assert_eq!(sure(v[0]).await, 1) }).await.unwrap(), 1);
        assert_eq!(staggered_race([boxed(0), boxed(1)], yield_now).await.unwrap(), 1);
        assert_eq!(staggered_race(vec![literal(0)], yield_now).await.unwrap_err().len(), 1);
        let inner = || staggered_race([async { boxed(v[0]).await }], yield_now);
        assert_eq!(gather((inner(), inner())).await.unwrap(), (1, 1));
    }

    work_with_a_limit(v) {
        for_each_limit(2, 1..4, async |x| boxed(x).await.map(drop)).await.unwrap();
        for_each_limit(2, 1..4, async |x| literal(x).await.map(drop)).await.unwrap();
        for_each_limit(2, v.iter(), async |x| boxed(*x).await.map(drop)).await.unwrap();
        for_each_limit(2, v.iter().map(|x| x + 1), async |x| literal(x).await.map(drop)).await.unwrap();
        for_each_limit(2, [&v[0], &v[1]], async |x| boxed(x + v[2]).await.map(drop)).await.unwrap();
        let items = pin!(stream::from_fn(async |yielder| {
            for x in &v {
                yielder.yield_(*x).await;
            }
        }));
        for_each_limit(2, items, async |x| boxed(x).await.map(drop)).await.unwrap();
        let one = || for_each_limit(2, v.iter(), async |x| boxed(*x).await.map(drop));
        gather([one(), one()]).await.unwrap();
    }

    work_with_a_limit_and_a_body(v) {
        map_limit(2, 1..4, boxed, async |mut r| r.next().await.unwrap().1.unwrap().unwrap()).await;
        map_limit(2, 1..4, literal, async |mut r| while r.next().await.is_some() {}).await;
        map_limit(2, 1..4, async |x: u32| boxed(x).await, async |mut r| {
            while let Some((place, end)) = r.next().await {
                assert_eq!(v[place], end.unwrap().unwrap());
            }
        })
        .await;
        map_limit(2, v.iter(), async |x| boxed(*x).await, async |mut r| drop(r.next().await)).await;
        let work = async |x: &u32| literal(*x).await;
        let items = v.iter().filter(|x| **x > 0);
        map_limit(2, items, work, async |mut r| {
            let v = &v;
            while let Some((place, end)) = r.next().await {
                assert_eq!(v[place], end.unwrap().unwrap());
            }
        })
        .await;
        let one = || map_limit(2, v.iter(), async |x| boxed(*x).await, async |mut r| r.next().await);
        assert_eq!(join([one(), one()]).await.len(), 2);
    }

    a_wait_set(v) {
        let mut set = WaitSet::of(v.iter().map(|x| async move { boxed(*x).await }));
        assert_eq!(set.first_completed().await.len() + set.all().await.len(), 3);
        let mut set = WaitSet::of((async { boxed(v[0]).await }, boxed(0)));
        assert!(!wait(&mut set, When::FirstError).await.is_empty());
        let mut set = WaitSet::of([literal(1), literal(0)]);
        assert!(!set.until(|end| matches!(end, Ok(Ok(_)))).await.is_empty());
        assert!(set.cancel(Cause::requested("enough")).await.len() < 2);
    }

    ends_as_they_come(v) {
        let mut ends = as_completed(v.iter().map(|x| async move { boxed(*x).await }));
        while let Some((place, end)) = ends.next().await {
            assert_eq!(end.unwrap().unwrap(), v[place]);
        }
        let mut ends = as_completed((async { literal(v[0]).await }, literal(2)));
        assert_eq!(ends.next().await.unwrap().1.unwrap(), Ok(1));
    }

    streams(v) {
        let mut numbers = pin!(stream::from_fn(async |yielder| {
            for x in &v {
                yielder.yield_(boxed(*x).await.unwrap()).await;
            }
        }));
        assert_eq!(numbers.next().await.unwrap(), 1);
        numbers.close().await;
        let mut numbers = pin!(stream::try_from_fn(async |yielder| {
            for x in &v {
                yielder.yield_(literal(*x).await?).await;
            }
            Ok::<_, &'static str>(())
        }));
        assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
        numbers.close().await.unwrap();
    }

    limits_and_shields(v) {
        let long = Duration::from_secs(600);
        let body = async |_| gather(v.iter().map(async |x| boxed(*x).await)).await;
        assert_eq!(move_on_after(long, body).await.unwrap().unwrap(), [1, 2, 3]);
        assert_eq!(shield(async { boxed(v[0]).await }).await.unwrap(), 1);
        assert_eq!(shield(gather([boxed(1), boxed(2)])).await.unwrap(), [1, 2]);
        assert_eq!(shield(gather((literal(1), literal(2)))).await.unwrap(), (1, 2));
        let end = finally(async { boxed(v[0]).await }, || async { drop(boxed(1).await) }).await;
        assert_eq!(end.unwrap(), 1);
        let token = CancelToken::new();
        let end = token.run_until_cancelled(gather([boxed(1), boxed(2)])).await;
        assert_eq!(end.unwrap().unwrap(), [1, 2]);
    }

    groups(v) {
        let sum = GroupBuilder::on(TokioHandle::current().unwrap())
            .run(async |g| {
                let first = g.spawn(async { gather((boxed(1), async { boxed(2).await })).await.map_err(|e| e.to_string().into()) });
                g.spawn(async { Ok(()) });
                Ok::<_, Boxed>(first.await?.0 + v[0])
            })
            .await;
        assert_eq!(sum.unwrap(), 2);
        let all = GroupBuilder::on(TokioHandle::current().unwrap()).gather((1..3).map(boxed)).await;
        assert_eq!(all.unwrap(), [1, 2]);
        let all = GroupBuilder::on(TokioHandle::current().unwrap()).gather(v.iter().map(|x| literal(*x))).await;
        assert_eq!(all.unwrap(), [1, 2, 3]);
        let all = GroupBuilder::on(TokioHandle::current().unwrap()).gather_results(v.iter().map(|x| boxed(*x)));
        assert_eq!(all.await.len(), 3);
    }

    a_group_in_the_task(v) {
        let sum = group_in_task(async |g| {
            let one = g.spawn(async { boxed(v[0]).await });
            let two = g.spawn(async { boxed(v[1]).await });
            Ok::<_, Boxed>(one.await? + two.await?)
        });
        assert_eq!(sum.await.unwrap(), 3);
    }
}
