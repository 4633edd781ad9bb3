//! Races in the caller's own task, polled by hand.

mod support;

use pirn_core::{Cause, JoinError, Rooted, Scope, finally, finally_in_place, shield};
use pirn_group::{first_ok, race, staggered_race};
use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use support::{Bomb, Gate, Log, finish, reports, run, yield_now};

/// Never ends, and says when it was cleaned up, which the gate lets it.
fn cleaning(name: &'static str, log: &Log, gate: &Gate) -> impl Future<Output = ()> + use<> {
    let (log, passed) = (log.clone(), gate.passed());
    let close = move || async move {
        passed.await;
        log.say(name);
    };
    finally(pending::<()>(), close)
}

#[test]
fn the_first_in_order_wins_of_those_that_are_ready() {
    assert_eq!(finish(race((ready(1), ready(2)))).unwrap(), 1);
    assert_eq!(finish(race((pending(), ready(2), ready(3)))).unwrap(), 2);
    assert_eq!(finish(race(vec![ready(4)])).unwrap(), 4);
}

#[test]
fn it_returns_when_the_losers_have_cleaned_up() {
    let (log, gate) = (Log::default(), Gate::default());
    let body = async {
        let winner = async {
            yield_now().await;
        };
        race((
            cleaning("a", &log, &gate),
            winner,
            cleaning("b", &log, &gate),
        ))
        .await
    };
    let mut body = pin!(Rooted::new(body));
    assert!(run(body.as_mut()).is_pending());
    assert_eq!(log.said(), [""; 0]);
    gate.open();
    assert!(matches!(run(body), Poll::Ready(Ok(Ok(())))));
    assert_eq!(log.said(), ["a", "b"]);
}

#[test]
fn a_loser_without_clean_up_is_dropped_before_it_returns() {
    let log = Log::default();
    let loser = async {
        let _dropped = log.on_drop("dropped");
        pending().await
    };
    assert_eq!(
        finish(race((loser, async { yield_now().await }))).unwrap(),
        ()
    );
    assert_eq!(log.said(), ["dropped"]);
}

#[test]
fn one_that_is_cancelled_on_its_own_is_out_of_the_race() {
    async fn cancelled<T>() -> T {
        Scope::current().unwrap().cancel(Cause::requested("self"));
        pending().await
    }
    let slow = async {
        yield_now().await;
        7
    };
    assert_eq!(finish(race((cancelled(), slow))).unwrap(), 7);
    let nobody: Result<(), _> = finish(race([cancelled(), cancelled()]));
    assert!(matches!(nobody, Err(JoinError::Cancelled(cause)) if cause.text() == "self"));
    let none: Result<(), _> = finish(race(Vec::<std::future::Ready<()>>::new()));
    assert!(matches!(none, Err(JoinError::Refused(_))));
}

#[test]
fn a_race_without_runners_says_so_and_not_that_it_was_cancelled() {
    let nobody = || Vec::<std::future::Ready<Result<(), &str>>>::new();
    let text = "nobody was in the race";
    let race = finish(race(nobody())).unwrap_err();
    assert!(matches!(race, JoinError::Refused(reason) if reason == text));
    for error in [
        finish(first_ok(nobody())).unwrap_err(),
        finish(staggered_race(nobody(), yield_now)).unwrap_err(),
    ] {
        assert!(error.is_empty() && error.cause().is_none());
        assert_eq!(error.refusal(), Some(text));
        assert_eq!(error.to_string(), text);
        let nested = error.map(|error| error).nest(Err);
        assert_eq!(nested.refusal(), Some(text));
    }
}

#[test]
fn a_panic_that_comes_first_goes_on_and_a_losers_is_reported() {
    reports();
    let (log, gate) = (Log::default(), Gate::default());
    gate.open();
    let panics = async { panic!("first") };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        finish(race((cleaning("a", &log, &gate), panics)))
    }));
    assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "first");
    assert_eq!(log.said(), ["a"]);
    assert!(reports().is_empty());

    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("loud");
        }
    }
    let loser = async {
        let _loud = Loud;
        pending().await
    };
    assert_eq!(
        finish(race((loser, async { yield_now().await }))).unwrap(),
        ()
    );
    assert_eq!(reports().len(), 1);
}

#[test]
fn a_losers_value_that_panics_as_it_is_dropped_takes_neither_the_winners_nor_the_clean_up() {
    reports();
    let (log, gate) = (Log::default(), Gate::default());
    let bomb = async || {
        shield(yield_now()).await;
        Ok::<_, &str>(Err(Bomb("a loser's")))
    };
    let slow = async || {
        cleaning("a", &log, &gate).await;
        Ok(Ok(0))
    };
    let winner = async || Ok(Ok(7));
    let mut one = pin!(race((bomb(), slow(), winner())));
    assert!(run(one.as_mut()).is_pending());
    let mut other = pin!(first_ok((bomb(), slow(), winner())));
    assert!(run(other.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(one), Poll::Ready(Ok(Ok(Ok(7))))));
    assert!(matches!(run(other), Poll::Ready(Ok(Ok(7)))));
    assert_eq!(log.said(), ["a", "a"]);
    let reports = reports();
    assert_eq!(reports.len(), 2);
    assert!(reports[1].contains("a loser's") && reports[1].contains("first_ok[0]"));
}

#[test]
fn a_losers_panic_and_an_error_that_panics_as_it_is_dropped_are_reported_by_who_wants_a_success() {
    struct Bad(#[expect(dead_code, reason = "for its destructor")] Bomb);
    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }
    reports();
    let fails = async || Err(Bad(Bomb("an error's")));
    let panics = async || {
        shield(async {
            yield_now().await;
            yield_now().await;
        })
        .await;
        panic!("a loser's")
    };
    let both = (fails(), panics(), async {
        yield_now().await;
        Ok(7)
    });
    assert_eq!(finish(first_ok(both)).ok(), Some(7));
    let reports = reports();
    assert_eq!(reports.len(), 2);
    assert!(reports[0].contains("an error's") && reports[1].contains("a loser's"));
}

#[test]
fn what_a_loser_comes_to_in_a_later_poll_does_not_take_the_winners_place() {
    let gate = Gate::default();
    let loser = async |end: fn() -> Result<u32, &'static str>| {
        shield(gate.passed()).await;
        end()
    };
    let ends: [fn() -> _; 3] = [|| Ok(2), || Err("late"), || panic!("a loser's")];
    let winner = async |_: fn() -> Result<u32, &'static str>| Ok(7);
    reports();
    for end in ends {
        let mut all = pin!(first_ok((loser(end), loser(end), winner(end))));
        assert!(run(all.as_mut()).is_pending());
        gate.open();
        let won = catch_unwind(AssertUnwindSafe(|| run(all)));
        assert!(matches!(won, Ok(Poll::Ready(Ok(7)))));
        gate.shut();
    }
    assert_eq!(reports().len(), 2);
}

#[test]
fn a_cancel_around_during_the_drain_does_not_take_the_winners_value() {
    let (log, gate, outer) = (Log::default(), Gate::default(), Scope::detached());
    let body = async {
        let won = race((cleaning("a", &log, &gate), async { yield_now().await })).await;
        log.say("won");
        assert!(won.is_ok());
        pending::<()>().await;
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert_eq!(log.said(), ["a", "won"]);
}

#[test]
fn a_cancel_around_is_not_swallowed() {
    let (log, gate, outer) = (Log::default(), Gate::default(), Scope::detached());
    let body = async {
        let _ = race([cleaning("a", &log, &gate), cleaning("b", &log, &gate)]).await;
        log.say("went on");
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    gate.open();
    assert!(matches!(run(all), Poll::Ready(Err(cause)) if cause.text() == "outer"));
    assert_eq!(log.said(), ["a", "b"]);
}

#[test]
fn the_first_success_wins_and_failures_before_it_do_not_count() {
    async fn later<T>(end: T) -> T {
        yield_now().await;
        end
    }
    let mixed = (ready(Err("a")), later(Ok(2)), later(Ok(3)));
    assert_eq!(finish(first_ok(mixed)).unwrap(), 2);
    let errors = finish(first_ok((later(Err::<(), _>("slow")), ready(Err("fast"))))).unwrap_err();
    assert_eq!(errors.first().unwrap().task().name(), Some("first_ok[1]"));
    assert_eq!(errors.into_errors(), ["fast", "slow"]);
    let none = finish(first_ok(Vec::<std::future::Ready<Result<(), &str>>>::new()));
    assert_eq!(none.unwrap_err().refusal(), Some("nobody was in the race"));
}

#[test]
fn first_ok_returns_when_the_losers_have_cleaned_up() {
    let (log, gate) = (Log::default(), Gate::default());
    let loser = |name| {
        let cleaning = cleaning(name, &log, &gate);
        async move {
            cleaning.await;
            Err("never")
        }
    };
    let winner = async {
        yield_now().await;
        Ok(7)
    };
    let mut all = pin!(first_ok((loser("a"), winner, loser("b"))));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(all), Poll::Ready(Ok(7))));
    assert_eq!(log.said(), ["a", "b"]);
}

#[test]
fn a_panic_before_a_success_goes_on_and_the_errors_are_reported() {
    reports();
    let panics = async {
        yield_now().await;
        panic!("oh")
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        finish(first_ok((ready(Err::<(), _>("no")), panics, pending())))
    }));
    assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "oh");
    let reports = reports();
    assert!(
        reports.len() == 1 && reports[0].contains("no"),
        "{reports:?}"
    );
}

#[test]
fn the_next_attempt_starts_after_the_delay_or_a_failure() {
    let (log, delays) = (Log::default(), Cell::new(0));
    let gates = [(); 4].map(|()| Gate::default());
    let fail = Gate::default();
    let attempts = (0..4).map(|i| {
        let (log, passed) = (log.clone(), gates[i].passed());
        let failed = fail.passed();
        async move {
            log.say(format!("start {i}"));
            if i == 1 {
                failed.await;
                return Err("one");
            }
            passed.await;
            Ok(i)
        }
    });
    let times = [(); 4].map(|()| Gate::default());
    let delay = || {
        delays.set(delays.get() + 1);
        times[delays.get() - 1].passed()
    };
    let mut all = pin!(staggered_race(attempts, delay));
    assert!(run(all.as_mut()).is_pending());
    assert_eq!(log.said(), ["start 0"]);
    times[0].open();
    assert!(run(all.as_mut()).is_pending());
    assert_eq!(log.said(), ["start 0", "start 1"]);
    fail.open();
    assert!(run(all.as_mut()).is_pending());
    assert_eq!(log.said().len(), 3);
    gates[0].open();
    assert_eq!(run(all).map(Result::unwrap), Poll::Ready(0));
    assert_eq!((log.said().len(), delays.get()), (3, 3));
}

#[test]
fn when_all_attempts_fail_there_is_every_error() {
    let attempts = ["a", "b", "c"].map(|name| ready(Err::<(), _>(name)));
    let errors = finish(staggered_race(attempts, pending)).unwrap_err();
    let names: Vec<_> = errors
        .iter()
        .map(|f| f.task().name().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "staggered_race[0]",
            "staggered_race[1]",
            "staggered_race[2]"
        ]
    );
    assert_eq!(errors.into_errors(), ["a", "b", "c"]);
    let none: [std::future::Ready<Result<(), &str>>; 0] = [];
    assert!(finish(staggered_race(none, pending)).is_err());
}

#[test]
fn the_losers_of_a_staggered_race_clean_up() {
    let (log, gate) = (Log::default(), Gate::default());
    let attempts = (0..2).map(|i| {
        let cleaning = cleaning("a", &log, &gate);
        async move {
            if i == 0 {
                cleaning.await;
            }
            Ok::<_, &str>(i)
        }
    });
    let mut all = pin!(staggered_race(attempts, yield_now));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert_eq!(run(all).map(Result::unwrap), Poll::Ready(1));
    assert_eq!(log.said(), ["a"]);
}

#[test]
fn what_panics_beside_the_attempts_ends_them_as_a_panic_of_one_does() {
    for case in ["delay", "the wait", "the iterator"] {
        let (log, gate) = (Log::default(), Gate::default());
        let mut polls = 0;
        let attempts = (0..9).map(|i| {
            assert!(i == 0 || case != "the iterator", "the iterator");
            let cleaning = cleaning("closed", &log, &gate);
            async move {
                cleaning.await;
                Ok::<_, &str>(())
            }
        });
        let mut delays = 0;
        let delay = || {
            delays += 1;
            assert!(delays == 1 || case != "delay", "delay");
            poll_fn(move |cx| {
                polls += 1;
                assert!(polls == 1 || case != "the wait", "the wait");
                cx.waker().wake_by_ref();
                match polls {
                    1 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
        };
        let mut all = pin!(staggered_race(attempts, delay));
        assert!(run(all.as_mut()).is_pending(), "{case}");
        gate.open();
        let ended = catch_unwind(AssertUnwindSafe(|| run(all).is_ready()));
        assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), case);
        assert_eq!(log.said(), ["closed"], "{case}");
    }
}

#[test]
fn attempts_that_never_start_and_panic_as_they_are_dropped_do_not_take_the_winners_value() {
    reports();
    let attempts = ["first", "second"].map(|name| {
        let bomb = (name == "second").then(|| Bomb("never started"));
        async move {
            let _bomb = bomb;
            Ok::<_, &str>(name)
        }
    });
    let won = finish(staggered_race(attempts, pending));
    assert_eq!(won.unwrap(), "first");
    assert!(reports()[0].contains("never started"));
}

#[test]
fn a_cancel_as_the_next_attempt_is_due_lets_those_under_way_clean_up() {
    let (log, outer) = (Log::default(), Scope::detached());
    reports();
    let attempt = async |number: u32| {
        if number == 0 {
            finally_in_place(pending::<()>(), async || log.say("closed")).await;
        }
        pending::<Result<(), &str>>().await
    };
    // Each starts at once: the budget is spent before there are all.
    let mut all = pin!(outer.run(staggered_race((0..1000).map(attempt), || ready(()))));
    let polled = all.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert_eq!(log.said(), ["closed"]);
    assert_eq!(reports(), [""; 0]);
}

#[test]
fn a_shielded_loser_is_awaited() {
    let log = Log::default();
    let loser = async {
        shield(async {
            yield_now().await;
            yield_now().await;
        })
        .await;
        log.say("shielded part done");
        pending::<()>().await;
    };
    finish(race((loser, yield_now()))).unwrap();
    assert_eq!(log.said(), ["shielded part done"]);
}

#[test]
fn races_move_between_threads_where_their_futures_do() {
    fn is_send<T: Send>(_: T) {}
    is_send(race((yield_now(), async {})));
    is_send(first_ok([async { Ok::<_, std::io::Error>(1) }]));
    is_send(staggered_race(
        [async { Ok::<_, std::io::Error>(1) }],
        yield_now,
    ));
}
