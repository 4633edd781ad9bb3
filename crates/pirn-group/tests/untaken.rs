//! What a combinator had of its futures when it was dropped, or cut off: nothing is lost in silence.

mod support;

use futures::{StreamExt, stream};
use pirn_core::{shield, yield_now};
use pirn_group::{
    GroupBuilder, WaitSet, as_completed, first_ok, for_each_limit, gather, gather_results, join,
    map_limit, race, staggered_race,
};
use pirn_sim::Sim;
use pirn_timer::{move_on_after, timeout};
use std::cell::RefCell;
use std::future::{Future, pending, ready};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use support::{Bomb, Gate, Hand, poll, reports};

const LIMIT: Duration = Duration::from_secs(1);

/// What is reported, without the clean-up that is cut off, as `an error of gather[1]: text`.
fn brief() -> Vec<String> {
    let of = |report: String| {
        let (what, text) = report.split_once(" that nobody received: ")?;
        let (what, _) = what.split_once(" spawned at ").unwrap_or((what, ""));
        let what = what.replace(" task", "").replace('`', "");
        Some(format!("{what}: {text}"))
    };
    reports().into_iter().filter_map(of).collect()
}

/// What is reported of a combinator that is dropped after its first poll.
fn of_dropped<F: Future>(half: F) -> Vec<String> {
    reports();
    let mut half = Box::pin(half);
    assert!(poll(half.as_mut()).is_pending());
    assert_eq!(brief(), [""; 0], "not yet");
    drop(half);
    brief()
}

/// The same of one that a time limit cuts off.
fn of_cut_off<F: Future>(make: impl Fn() -> F) -> Vec<String> {
    let dropped = of_dropped(make());
    assert!(Sim::new().run(timeout(LIMIT, make())).is_err());
    assert_eq!(brief(), dropped);
    let moved_on = Sim::new().run(async { move_on_after(LIMIT, |_| make()).await });
    assert!(moved_on.is_none());
    assert_eq!(brief(), dropped);
    dropped
}

/// The same of one that is dropped. A time limit does not cut it off: what failed it is given then,
/// and not reported.
fn of_failed<F: Future>(make: impl Fn() -> F) -> Vec<String> {
    let dropped = of_dropped(make());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        Sim::new().run(timeout(LIMIT, make())).is_ok()
    }));
    assert!(ended.unwrap_or(true));
    assert_eq!(brief(), [""; 0]);
    dropped
}

/// The first has clean-up to do for ever, the second fails in one of two ways, the third waits.
async fn member(number: u32, bug: bool) -> Result<u32, &'static str> {
    match (number, bug) {
        (0, _) => shield(pending()).await,
        (1, false) => Err("lost"),
        (1, true) => panic!("bug"),
        _ => pending().await,
    }
}

fn members(bug: bool) -> impl Iterator<Item = impl Future<Output = Result<u32, &'static str>>> {
    (0..3).map(move |number| member(number, bug))
}

#[test]
fn errors_and_panics_that_failed_a_gather_are_reported_where_nobody_is_given_them() {
    let error = ["an error of gather[1]: lost"];
    let bug = ["a panic of gather[1]: bug"];
    assert_eq!(of_failed(|| gather(members(false))), error);
    assert_eq!(of_failed(|| gather(members(true))), bug);
    let tuple = |bug| move || gather((member(0, bug), member(1, bug), member(2, bug)));
    assert_eq!(of_failed(tuple(false)), error);
    assert_eq!(of_failed(tuple(true)), bug);
    let sure = |number| async move { _ = member(number, true).await };
    assert_eq!(of_failed(|| join([0, 1].map(sure))), bug);
    assert_eq!(of_failed(|| join((sure(0), sure(1)))), bug);
}

#[test]
fn panics_that_are_results_are_reported_where_nobody_is_given_them() {
    let bug = ["a panic of: bug"];
    assert_eq!(of_cut_off(|| gather_results(members(true))), bug);
    let tuple = |bug| move || gather_results((member(2, bug), member(1, bug), async { 7 }));
    assert_eq!(of_cut_off(tuple(true)), bug);
    // An error is a value there, as the output may be anything.
    assert_eq!(of_cut_off(|| gather_results(members(false))), [""; 0]);
    assert_eq!(of_cut_off(tuple(false)), [""; 0]);
    // What was given is not reported.
    reports();
    let given = (
        poll(pin!(gather_results([member(1, true)]))),
        poll(pin!(gather_results((member(1, true), member(1, true))))),
    );
    drop(given);
    assert_eq!(brief(), [""; 0]);
}

#[test]
fn what_failed_work_on_many_items_is_reported_where_nobody_is_given_it() {
    let each = |bug| {
        move || {
            for_each_limit(
                3,
                0..3,
                move |n| async move { member(n, bug).await.map(drop) },
            )
        }
    };
    assert_eq!(
        of_failed(each(false)),
        ["an error of for_each_limit[1]: lost"]
    );
    assert_eq!(of_failed(each(true)), ["a panic of for_each_limit[1]: bug"]);
    // The first is under way and the second over when the third panics.
    let beside = || {
        for_each_limit(2, 0..3, |n| {
            assert!(n < 2, "beside");
            async move {
                match n {
                    0 => member(n, true).await.map(drop),
                    _ => Ok(()),
                }
            }
        })
    };
    assert_eq!(of_failed(beside), ["a panic of: beside"]);
}

#[test]
fn what_came_before_a_success_is_reported_where_there_is_none() {
    assert_eq!(
        of_cut_off(|| first_ok(members(false))),
        ["an error of first_ok[1]: lost"]
    );
    assert_eq!(
        of_failed(|| first_ok(members(true))),
        ["a panic of first_ok[1]: bug"]
    );
    let staggered = |bug| move || staggered_race(members(bug), || ready(()));
    let error = ["an error of staggered_race[1]: lost"];
    assert_eq!(of_cut_off(staggered(false)), error);
    assert_eq!(
        of_failed(staggered(true)),
        ["a panic of staggered_race[1]: bug"]
    );
}

#[test]
fn once_one_has_won_errors_count_for_nothing_and_panics_are_reported() {
    let runner = |bug: bool| {
        move |number| async move {
            match number {
                0 => shield(pending()).await,
                1 if bug => {
                    shield(yield_now()).await;
                    panic!("bug")
                }
                1 => Err("before"),
                _ => Ok("won"),
            }
        }
    };
    assert_eq!(of_dropped(first_ok((0..3).map(runner(false)))), [""; 0]);
    // A loser panics during the clean-up of another.
    reports();
    let mut half = Box::pin(first_ok((0..3).map(runner(true))));
    for _ in 0..3 {
        assert!(poll(half.as_mut()).is_pending());
    }
    drop(half);
    assert_eq!(brief(), ["a panic of first_ok[1]: bug"]);
}

#[test]
fn what_was_given_is_not_reported() {
    reports();
    assert!(poll(pin!(gather((0..1).map(|_| ready(Err::<(), _>("given")))))).is_ready());
    assert!(poll(pin!(first_ok([ready(Err::<(), _>("given"))]))).is_ready());
    let won = first_ok([ready(Err("before")), ready(Ok(7))]);
    assert!(poll(pin!(won)).is_ready());
    assert_eq!(brief(), [""; 0]);
}

#[test]
fn a_set_reports_the_panics_among_ends_that_it_has_not_given() {
    let waits = || async {
        let mut set = WaitSet::of(members(true));
        set.all().await;
    };
    let reports = of_cut_off(waits);
    assert_eq!(reports, ["a panic of: bug"]);
    // An error is a value there, as the output may be anything.
    let waits = || async {
        let mut set = WaitSet::of(members(false));
        set.all().await;
    };
    assert_eq!(of_cut_off(waits), [""; 0]);
    // What was given is not the set's any more.
    let mut set = WaitSet::of(members(true));
    let Poll::Ready(done) = poll(pin!(set.first_completed())) else {
        panic!("one has ended")
    };
    assert!(matches!(done[..], [(1, Err(_))]));
    drop((done, set));
    assert_eq!(brief(), [""; 0]);
}

#[test]
fn a_stream_of_ends_reports_the_panics_among_those_that_it_has_not_given() {
    let streams = || async {
        let mut ends = as_completed([2, 0, 1, 3, 1].map(|number| async move {
            match number {
                0 => number,
                _ => member(number, true).await.unwrap(),
            }
        }));
        assert_eq!(ends.next().await.unwrap().0, 1);
        pending::<()>().await;
    };
    assert_eq!(of_cut_off(streams), ["a panic of: bug", "a panic of: bug"]);
}

#[test]
fn a_panic_that_came_first_in_a_race_is_reported_where_nobody_is_given_it() {
    let runner = |number| async move {
        match number {
            0 => shield(pending()).await,
            _ => panic!("bug"),
        }
    };
    assert_eq!(of_failed(|| race([0, 1].map(runner))), ["a panic of: bug"]);
    // An error is a value there: it has won.
    assert_eq!(of_dropped(race(members(false))), [""; 0]);
}

#[test]
fn results_that_a_body_has_not_taken_are_reported_where_they_are_panics() {
    let map = || {
        map_limit(
            3,
            0..3,
            |n| member(n, true),
            async |mut results| {
                pending::<()>().await;
                results.next().await
            },
        )
    };
    assert_eq!(of_cut_off(map), ["a panic of: bug"]);
    // The body has ended, or panicked, and what runs cleans up.
    let map = |bug: bool| {
        move || {
            let number = move |n: u32| async move {
                match n {
                    0 => shield(pending()).await,
                    1 => panic!("bug"),
                    _ => n,
                }
            };
            map_limit(3, 0..3, number, async move |mut results| {
                let (number, end) = results.next().await.unwrap();
                assert_eq!((number, end.is_err()), (1, true));
                assert!(!bug, "body");
            })
        }
    };
    assert_eq!(of_failed(map(false)), [""; 0]);
    let of_body = of_failed(map(true));
    assert_eq!(of_body, ["a panic of: body"]);
}

#[test]
fn results_that_were_given_away_are_reported_when_nobody_can_take_them_any_more() {
    reports();
    let given = RefCell::new(None);
    let mut map = Box::pin(map_limit(
        3,
        0..3,
        |n| member(n, true),
        async |results| {
            *given.borrow_mut() = Some(results);
            pending::<()>().await;
        },
    ));
    assert!(poll(map.as_mut()).is_pending());
    drop(map);
    assert_eq!(brief(), [""; 0]);
    drop(given);
    assert_eq!(brief(), ["a panic of: bug"]);
}

#[test]
fn tasks_whose_ends_nobody_is_given_any_more_have_their_panics_reported() {
    let hand = Hand::default();
    let gate = Gate::default();
    let mut half = Box::pin(
        GroupBuilder::on(hand.clone()).gather_results((0..3).map(|n| {
            let gate = gate.clone();
            async move {
                match n {
                    0 => panic!("early"),
                    1 => shield(gate.passed()).await,
                    _ => pending().await,
                }
                panic!("late")
            }
        })),
    );
    reports();
    assert!(hand.run(half.as_mut()).is_pending());
    assert_eq!(brief(), [""; 0]);
    drop(half);
    assert_eq!(brief(), ["a panic of: early"]);
    gate.open();
    hand.settle();
    assert_eq!(brief(), ["a panic of: late"]);
}

/// Of what is dropped with several values whose destructors panic each is reported, and none keeps
/// another from being dropped.
#[track_caller]
fn all_go_off<F: Future>(half: F, bombs: usize) {
    let reported = of_dropped(half);
    let all = reported.iter().all(|report| report.ends_with(": a value"));
    assert!(all && reported.len() == bombs, "{reported:?}");
}

/// Gives a value that panics as it is dropped; the last waits, with another in it.
async fn bomb(number: u32) -> Bomb {
    if number == 2 {
        let _bomb = Bomb("a value");
        return pending().await;
    }
    Bomb("a value")
}

#[test]
fn values_that_panic_as_they_are_dropped_do_so_each_by_itself() {
    all_go_off(
        async {
            WaitSet::of((0..3).map(bomb)).all().await;
        },
        3,
    );
    all_go_off(
        async {
            let mut ends = as_completed([0, 1, 1, 2].map(bomb));
            forget(ends.next().await);
            pending::<()>().await;
        },
        3,
    );
    all_go_off(
        map_limit(3, 0..3, bomb, async |results| {
            pending::<()>().await;
            drop(results);
        }),
        3,
    );
    all_go_off(gather_results((0..3).map(bomb)), 3);
    all_go_off(gather_results((bomb(0), bomb(1), pending::<()>())), 2);
    all_go_off(join((0..3).map(bomb)), 3);
    all_go_off(join((bomb(0), bomb(1), pending::<()>())), 2);
    let fails = |number| async move {
        match number {
            0 => shield(pending()).await,
            3 => Err("lost"),
            _ => Ok(bomb(number).await),
        }
    };
    let of_list = of_dropped(gather([1, 0, 1, 3].map(fails)));
    assert_eq!(of_list.len(), 3, "{of_list:?}");
    let of_tuple = of_dropped(gather((fails(1), fails(0), fails(1), fails(3))));
    assert_eq!(of_tuple.len(), 3, "{of_tuple:?}");
    let runner = |number: u32| async move {
        match number {
            0 => shield(bomb(2)).await,
            _ => bomb(number).await,
        }
    };
    all_go_off(race((0..2).map(runner)), 2);
    let runner = |number| async move { Ok::<_, &str>(runner(number).await) };
    all_go_off(first_ok((0..2).map(runner)), 2);
    all_go_off(staggered_race((0..2).map(runner), || ready(())), 2);
    let work = |_| async {
        bomb(2).await;
        Ok::<_, &str>(())
    };
    all_go_off(for_each_limit(3, 0..3, work), 3);
}

#[test]
fn futures_that_panic_as_they_are_dropped_do_so_each_by_itself() {
    let lost = |number| async move { Ok::<_, &str>(bomb(number).await) };
    all_go_off(gather([2, 2].map(lost)), 2);
    all_go_off(gather((lost(2), lost(2), lost(0))), 3);
    all_go_off(gather_results((bomb(2), bomb(0), bomb(2))), 3);
    all_go_off(join((bomb(2), bomb(2))), 2);
    // With scopes.
    let scoped = |number| shield(bomb(number));
    all_go_off(join((scoped(2), bomb(2), scoped(2))), 3);
    // Before the first poll.
    let owns = |bomb: Bomb| async move { drop(bomb) };
    reports();
    drop(join((owns(Bomb("a value")), owns(Bomb("a value")))));
    assert_eq!(brief(), ["a panic of: a value"; 2]);
}

#[test]
fn what_else_panics_as_it_is_dropped_does_so_by_itself() {
    let items = || {
        let bomb = Bomb("a value");
        stream::iter([2]).chain(stream::poll_fn(move |_| {
            let _bomb = &bomb;
            Poll::Pending
        }))
    };
    let body = async |results| {
        let _bomb = Bomb("a value");
        pending::<()>().await;
        drop(results);
    };
    all_go_off(map_limit(3, items(), bomb, body), 3);
    let work = |number| async move {
        bomb(number).await;
        Ok::<_, &str>(())
    };
    all_go_off(for_each_limit(3, items(), work), 2);
    let attempts = (0..2).map({
        let owned = Bomb("a value");
        move |_| {
            let _owned = &owned;
            bomb(2)
        }
    });
    let attempts = attempts.map(|bomb| async { Ok::<_, &str>(bomb.await) });
    all_go_off(
        staggered_race(attempts, || async { drop(bomb(2).await) }),
        3,
    );
}

#[test]
fn values_of_tasks_that_panic_as_they_are_dropped_do_so_each_by_itself() {
    reports();
    let hand = Hand::default();
    let mut half = Box::pin(GroupBuilder::on(hand.clone()).gather_results((0..3).map(bomb)));
    assert!(hand.run(half.as_mut()).is_pending());
    drop(half);
    assert_eq!(brief().len(), 2);
    hand.settle();
    assert_eq!(brief().len(), 1);
    // Where one of those whose values are awaited has none, those of the others are dropped.
    let all = GroupBuilder::on(hand.clone()).run(async |g| {
        let values = g.collect();
        for number in [0, 2, 1, 0] {
            values.spawn(async move {
                match number {
                    2 => pending().await,
                    _ => Ok(bomb(number).await),
                }
            });
        }
        g.spawn(async { Err::<(), _>("stop") });
        shield(values.all()).await.map(drop).map_err(|_| "no value")
    });
    assert!(hand.finish(all).is_err());
    assert_eq!(brief(), ["a panic of: a value"; 3]);
}
