//! What the report of a simulation that cannot go on says of those who wait for groups.

use futures::StreamExt as _;
use pirn_core::{Grace, Instant, Scope, finally, shield};
use pirn_group::{
    CancelToken, GroupBuilder, Started, WaitSet, When, as_completed, for_each_limit, gather, group,
    group_in_task, join, map_limit, race, staggered_race, stream, wait,
};
use pirn_sim::Sim;
use pirn_timer::{sleep_until, timeout};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Never = Result<(), Error>;

/// What the main future waits for, and no other one.
fn main_waits_for<F: Future>(main: F) -> Vec<String> {
    let Err(deadlock) = Sim::new().try_run(main) else {
        panic!("it goes on");
    };
    deadlock.tasks()[0].waits_for().to_vec()
}

#[test]
fn a_group_waits_for_its_children() {
    let main = group(async |g| {
        g.spawn(pending::<Never>());
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["the children of its group"]);
    let main = async {
        let group = GroupBuilder::ambient().unwrap().open::<Error>();
        group.spawn(pending::<Never>());
        group.join().await
    };
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn a_body_waits_for_a_child() {
    let main = group(async |g| {
        let child = g.spawn(pending::<Never>());
        Ok::<_, Error>(child.await?)
    });
    assert_eq!(main_waits_for(main), ["the end of a child of its group"]);
    let main = group(async |g| {
        let mut results = g.collect();
        results.spawn(pending::<Never>());
        results.next().await;
        Ok::<_, Error>(())
    });
    let waits = ["the results of its group's children"];
    assert_eq!(main_waits_for(main), waits);
    let main = group(async |g| {
        let starts = async |_started: Started<()>| pending::<Never>().await;
        drop(g.start(starts).await);
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["a child that is not ready yet"]);
    let main = async {
        GroupBuilder::ambient()
            .unwrap()
            .gather([pending::<Never>()])
            .await
    };
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn who_borrows_waits_for_the_group_too() {
    let main = group_in_task(async |g| {
        g.spawn(pending::<Never>());
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn a_child_waits_for_a_slot() {
    let main = async {
        let group = GroupBuilder::ambient().unwrap().limit(1);
        let run = group.run(async |g| {
            g.spawn(pending::<Never>());
            g.spawn(pending::<Never>());
            Ok::<_, Error>(())
        });
        run.await
    };
    let Err(deadlock) = Sim::new().try_run(main) else {
        panic!("it goes on");
    };
    let waits: Vec<_> = deadlock.tasks()[1..]
        .iter()
        .map(|t| t.waits_for())
        .collect();
    assert!(
        waits.contains(&&["a slot of its group".to_owned()][..]),
        "{waits:?}"
    );
}

#[test]
fn others_wait_for_a_cancel_and_for_results() {
    let cancel = ["the cancel of a scope"];
    assert_eq!(
        main_waits_for(async { CancelToken::new().cancelled().await }),
        cancel
    );
    assert_eq!(
        main_waits_for(async { Scope::new().cancelled().await }),
        cancel
    );
    let main = map_limit(
        1,
        0..1,
        |_| pending::<()>(),
        async |mut results| {
            results.next().await;
        },
    );
    assert_eq!(main_waits_for(main), ["a result of `map_limit`"]);
}

const TIME: &str = "a time that never comes";
const CANCEL: &str = "the cancel of a scope";
const LOST: &str = "a wake-up that was lost (it goes on if it is polled)";

async fn waits_for_time() -> Never {
    sleep_until(Instant::NEVER).await;
    Ok(())
}

async fn waits_for_cancel() -> Never {
    CancelToken::new().cancelled().await;
    Ok(())
}

/// Two who have waited before, by their numbers.
async fn two(number: usize) -> Never {
    match number {
        0 => waits_for_time().await,
        _ => waits_for_cancel().await,
    }
}

#[test]
fn a_gather_waits_for_what_its_futures_wait_for() {
    let main = async { gather((waits_for_time(), waits_for_cancel())).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { gather((0..2).map(two)).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { join((waits_for_time(), waits_for_cancel())).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { join((0..200).map(two)).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
}

#[test]
fn a_gather_of_shields_scopes_and_gathers_is_seen_through() {
    let main = async { gather((0..2).map(async |number| shield(two(number)).await)).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async {
        let scoped = async |number| Scope::new().run(two(number)).await.unwrap();
        gather((0..2).map(scoped)).await
    };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async {
        let timed = async |number| timeout(Duration::MAX, two(number)).await.unwrap();
        gather((0..2).map(timed)).await
    };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async {
        let inner = async |number| race([two(number)]).await.map_err(Error::from);
        gather((0..2).map(inner)).await
    };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
}

#[test]
fn races_wait_for_what_their_futures_wait_for() {
    let main = async { race((waits_for_time(), waits_for_cancel())).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { race((0..2).map(two)).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let delay = || async { drop(waits_for_time().await) };
    let main = async { staggered_race([waits_for_cancel()], delay).await };
    assert_eq!(main_waits_for(main), [CANCEL, TIME]);
}

#[test]
fn sets_wait_for_what_is_in_them() {
    let main = async { as_completed((0..2).map(two)).next().await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { WaitSet::of((0..2).map(two)).all().await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = async { wait(&mut WaitSet::of((0..2).map(two)), When::FirstError).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
}

#[test]
fn work_under_a_limit_waits_for_what_it_waits_for() {
    let main = async { for_each_limit(2, 0..9, two).await };
    assert_eq!(main_waits_for(main), [TIME, CANCEL]);
    let main = map_limit(2, 0..9, two, async |mut results| {
        results.next().await;
    });
    let waits = [TIME, CANCEL, "a result of `map_limit`"];
    assert_eq!(main_waits_for(main), waits);
}

#[test]
fn a_stream_waits_for_what_its_generator_waits_for() {
    let main = async {
        let mut items = pin!(stream::from_fn(async |yielder| {
            yielder.yield_(1).await;
            drop(waits_for_time().await);
        }));
        while items.next().await.is_some() {}
    };
    assert_eq!(main_waits_for(main), [TIME]);
    let main = async {
        let mut items = pin!(stream::try_from_fn(async |yielder| {
            yielder.yield_(1).await;
            waits_for_time().await
        }));
        while items.next().await.is_some() {}
    };
    assert_eq!(main_waits_for(main), [TIME]);
}

#[test]
fn a_group_in_the_task_waits_for_what_its_children_wait_for() {
    let main = group_in_task(async |g| {
        g.spawn(waits_for_time());
        g.spawn(waits_for_cancel());
        Ok::<_, Error>(())
    });
    let waits = ["the children of its group", TIME, CANCEL];
    assert_eq!(main_waits_for(main), waits);
}

#[test]
fn clean_up_of_a_branch_is_seen_and_what_was_cancelled_with_it_is_not() {
    let main = async {
        let cleans_up = async {
            let clean_up = || async { drop(waits_for_time().await) };
            finally(waits_for_cancel(), clean_up).await
        };
        let fails = async { Never::Err("first".into()) };
        let scope = Scope::new();
        scope.set_grace(Grace::Unlimited);
        scope.run(gather((cleans_up, fails))).await.is_ok()
    };
    assert_eq!(main_waits_for(main), [TIME]);
    let main = async {
        let scope = Scope::new();
        let inside = scope.clone();
        let cleans_up = async {
            let clean_up = || async { drop(waits_for_time().await) };
            finally(pending::<()>(), clean_up).await;
            Ok(())
        };
        let cancels = async move {
            inside.set_grace(Grace::Unlimited);
            inside.cancel(pirn_core::Cause::requested("enough"));
            waits_for_cancel().await
        };
        let mut both = pin!(scope.run(gather((cleans_up, waits_for_cancel(), cancels))));
        both.as_mut().await.is_ok()
    };
    assert_eq!(main_waits_for(main), [TIME]);
}

/// Is ready the second time it is polled, and keeps no waker.
async fn loses() -> Never {
    let mut polled = false;
    poll_fn(|_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(Ok(())),
        false => Poll::Pending,
    })
    .await
}

#[test]
fn a_wake_up_that_was_lost_in_a_combinator_is_told() {
    let lost = ["nothing: it goes on if it is polled, but nobody wakes it"];
    assert_eq!(main_waits_for(async { gather([loses()]).await }), lost);
    assert_eq!(main_waits_for(async { join([loses()]).await }), lost);
    assert_eq!(main_waits_for(async { race([loses()]).await }), lost);
}

#[test]
fn a_wake_up_that_was_lost_beside_others_is_told() {
    let main = async { gather((waits_for_time(), loses())).await };
    assert_eq!(main_waits_for(main), [TIME, LOST]);
    let main = async {
        drop(race([loses()]).await);
        waits_for_time().await
    };
    assert_eq!(main_waits_for(main)[0], LOST);
    let main = async {
        let mut items = pin!(stream::from_fn(async |yielder| {
            drop(loses().await);
            yielder.yield_(1).await;
        }));
        while items.next().await.is_some() {}
    };
    assert_eq!(main_waits_for(main), [LOST]);
    let main = async {
        let make = async |_: &mut stream::Yielder<i32>| {
            drop(loses().await);
        };
        let mut items = pin!(stream::from_fn(make));
        items.next().await;
        waits_for_time().await
    };
    assert_eq!(main_waits_for(main), [LOST]);
    let main = async { for_each_limit(2, 0..9, |_| loses()).await };
    assert_eq!(main_waits_for(main)[0], LOST);
    let main = group_in_task(async |g| {
        g.spawn(waits_for_time());
        g.spawn(loses());
        Ok::<_, Error>(())
    });
    let waits = ["the children of its group", TIME, LOST];
    assert_eq!(main_waits_for(main), waits);
    let main = async { WaitSet::of([loses()]).all().await };
    assert_eq!(main_waits_for(main)[0], LOST);
}
