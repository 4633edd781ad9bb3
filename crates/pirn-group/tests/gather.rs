//! Gather in the caller's own task, polled by hand.

mod support;

use pirn_core::{Cause, JoinError, Rooted, Scope, budget, finally, shield};
use pirn_group::{GroupError, gather, gather_results, join, map_limit, race};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use support::{Bomb, Gate, Log, finish, poll, reports, run, yield_now};

fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

type Ok<T> = Result<T, &'static str>;

#[test]
fn values_come_in_the_order_in_which_the_futures_were_given() {
    let slow_first = |i: usize| async move {
        for _ in 0..5 - i {
            yield_now().await;
        }
        Ok::<_, &str>(i)
    };
    assert_eq!(
        finish(gather((0..5).map(slow_first))).unwrap(),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(
        finish(gather([0, 1, 2].map(slow_first))).unwrap(),
        [0, 1, 2]
    );
    let vector: Vec<_> = (0..2).map(slow_first).collect();
    assert_eq!(finish(gather(vector)).unwrap(), [0, 1]);
    let tuple = (slow_first(2), async { Ok("two") }, ready(Ok('3')));
    assert_eq!(finish(gather(tuple)).unwrap(), (2, "two", '3'));
}

#[test]
fn a_tuple_has_up_to_twelve() {
    let f = |i: u32| ready(Ok::<_, &str>(i));
    let all = gather((
        f(1),
        f(2),
        f(3),
        f(4),
        f(5),
        f(6),
        f(7),
        f(8),
        f(9),
        f(10),
        f(11),
        f(12),
    ));
    let (.., eleven, twelve) = now(all).unwrap();
    assert_eq!((eleven, twelve), (11, 12));
    let all = gather_results((
        f(1),
        f(2),
        f(3),
        f(4),
        f(5),
        f(6),
        f(7),
        f(8),
        f(9),
        f(10),
        f(11),
        f(12),
    ));
    assert_eq!(now(all).11.unwrap(), Ok(12));
}

#[test]
fn nothing_gathers_to_nothing() {
    let none: [std::future::Ready<Ok<()>>; 0] = [];
    assert_eq!(now(gather(none)).unwrap(), []);
    assert!(now(gather_results(Vec::<std::future::Ready<()>>::new())).is_empty());
}

#[test]
fn an_iterator_may_not_know_how_many_there_are() {
    let odd = (0..200)
        .filter(|i| i % 2 == 1)
        .map(|i| ready(Ok::<_, &str>(i)));
    assert_eq!(now(gather(odd)).unwrap().len(), 100);
}

#[test]
fn the_futures_may_borrow_and_need_not_be_send() {
    let words = RefCell::new(Vec::new());
    let say = async |word: &'static str| {
        yield_now().await;
        words.borrow_mut().push(word);
        Ok::<_, &str>(())
    };
    finish(gather((say("a"), say("b")))).unwrap();
    finish(gather(["c", "d"].map(say))).unwrap();
    assert_eq!(words.take(), ["a", "b", "c", "d"]);
}

#[test]
fn only_those_who_were_woken_are_polled() {
    let polls = [(); 3].map(|()| Cell::new(0));
    let gates = [(); 3].map(|()| Gate::default());
    let counted = (0..3).map(|i| {
        let (passed, polls) = (gates[i].passed(), &polls[i]);
        async move {
            let mut passed = pin!(passed);
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                passed.as_mut().poll(cx)
            })
            .await;
            Ok::<_, &str>(i)
        }
    });
    let mut all = pin!(gather(counted));
    assert!(run(all.as_mut()).is_pending());
    gates[1].open();
    assert!(run(all.as_mut()).is_pending());
    assert_eq!(polls.each_ref().map(Cell::get), [1, 2, 1]);
    gates[0].open();
    gates[2].open();
    assert_eq!(run(all).map(Result::unwrap), Poll::Ready(vec![0, 1, 2]));
}

#[test]
fn the_first_failure_cancels_the_others_and_comes_first() {
    for tuple in [false, true] {
        let log = Log::default();
        let member = |i: usize| {
            let log = log.clone();
            async move {
                let _dropped = log.on_drop("dropped");
                yield_now().await;
                match i {
                    1 => Err::<(), _>("one"),
                    _ => pending().await,
                }
            }
        };
        let ended: Result<(), GroupError<_>> = match tuple {
            true => finish(gather((member(0), member(1), member(2)))).map(drop),
            false => finish(gather([0, 1, 2].map(member))).map(drop),
        };
        let error = ended.unwrap_err();
        assert_eq!(error.first().unwrap().task().name(), Some("gather[1]"));
        assert!(
            error
                .first()
                .unwrap()
                .task()
                .spawned_at()
                .file()
                .ends_with("gather.rs")
        );
        assert_eq!(error.into_errors(), ["one"]);
        assert_eq!(log.said().len(), 3);
    }
}

#[test]
fn the_failure_comes_when_the_clean_up_of_the_others_has_ended() {
    for tuple in [false, true] {
        let (log, gate) = (Log::default(), Gate::default());
        let cleaning = |name: &'static str| {
            let (log, passed) = (log.clone(), gate.passed());
            let close = move || async move {
                passed.await;
                log.say(name);
            };
            async move {
                finally(pending::<()>(), close).await;
                Ok::<(), &str>(())
            }
        };
        let fails = async {
            yield_now().await;
            Err::<(), _>("no")
        };
        let body = async {
            match tuple {
                true => gather((cleaning("a"), fails, cleaning("b")))
                    .await
                    .map(drop),
                false => {
                    let boxed: [Pin<Box<dyn Future<Output = Ok<()>>>>; 3] = [
                        Box::pin(cleaning("a")),
                        Box::pin(fails),
                        Box::pin(cleaning("b")),
                    ];
                    gather(boxed).await.map(drop)
                }
            }
        };
        let mut all = pin!(Rooted::new(body));
        assert!(run(all.as_mut()).is_pending());
        assert_eq!(log.said(), [""; 0]);
        gate.open();
        let Poll::Ready(Ok(ended)) = run(all) else {
            panic!("all have ended")
        };
        assert_eq!(ended.unwrap_err().into_errors(), ["no"]);
        assert_eq!(log.said(), ["a", "b"]);
    }
}

#[test]
fn errors_that_come_during_the_clean_up_are_kept() {
    let late = || async {
        shield(async {
            yield_now().await;
            yield_now().await;
        })
        .await;
        Err::<(), _>("late")
    };
    let first = async {
        yield_now().await;
        Err::<(), _>("first")
    };
    let error = finish(gather((late(), first, late()))).unwrap_err();
    assert_eq!(error.into_errors(), ["first", "late", "late"]);
}

#[test]
fn a_future_that_cancels_itself_leaves_no_value_for_the_whole() {
    let log = Log::default();
    let futures = (0..2).map(|i| {
        let dropped = log.on_drop("dropped");
        async move {
            let _dropped = dropped;
            if i == 0 {
                Scope::current().unwrap().cancel(Cause::requested("stop"));
            }
            pending::<Ok<()>>().await
        }
    });
    let error = finish(gather(futures)).unwrap_err();
    assert_eq!(error.cause().unwrap().text(), "stop");
    assert_eq!(log.said().len(), 2);
}

#[test]
fn a_panic_goes_on_when_the_others_have_ended() {
    for tuple in [false, true] {
        reports();
        let log = Log::default();
        let member = |i: usize| {
            let log = log.clone();
            async move {
                let _dropped = log.on_drop("dropped");
                if i == 0 {
                    shield(async {
                        yield_now().await;
                        yield_now().await;
                    })
                    .await;
                    return Err::<(), _>("late error");
                }
                yield_now().await;
                assert!(i != 1, "one");
                pending().await
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| match tuple {
            true => finish(gather((member(0), member(1), member(2)))).map(drop),
            false => finish(gather([0, 1, 2].map(member))).map(drop),
        }));
        assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "one");
        assert_eq!(log.said().len(), 3);
        let reports = reports();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].contains("late error"));
    }
}

/// An error that panics as it is shown, or as it is dropped.
enum Bad {
    Shown,
    Dropped,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Shown => panic!("as it is shown"),
            Bad::Dropped => f.write_str("late"),
        }
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        if let Bad::Dropped = self {
            panic!("as it is dropped");
        }
    }
}

#[test]
fn errors_that_panic_as_they_are_reported_do_not_take_the_place_of_the_first_panic() {
    for (tuple, shown) in [(false, false), (false, true), (true, false), (true, true)] {
        reports();
        let member = |late: bool| async move {
            if late {
                shield(async {
                    yield_now().await;
                    yield_now().await;
                })
                .await;
                return match shown {
                    true => Err::<(), _>(Bad::Shown),
                    false => Err(Bad::Dropped),
                };
            }
            yield_now().await;
            panic!("first")
        };
        let ended = catch_unwind(AssertUnwindSafe(|| match tuple {
            true => std::mem::forget(finish(gather((member(true), member(false))))),
            false => std::mem::forget(finish(gather([true, false].map(member)))),
        }));
        assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "first");
        let [panic, error] = &reports()[..] else {
            panic!("there are two reports")
        };
        let said = match shown {
            true => ("as it is shown", "(an error whose Display panicked)"),
            false => ("as it is dropped", "late"),
        };
        assert!(panic.contains(said.0) && error.contains(said.1), "{error}");
    }
}

#[test]
fn values_that_panic_as_they_are_dropped_do_not_take_the_errors_place_nor_the_clean_up() {
    for tuple in [false, true] {
        reports();
        let log = Log::default();
        let member = |i: usize| {
            let log = log.clone();
            async move {
                match i {
                    0 | 1 => return Ok(Bomb("early")),
                    2 => shield(yield_now()).await,
                    3 => return Err("no"),
                    _ => {
                        let close = || async move {
                            yield_now().await;
                            yield_now().await;
                            log.say("closed");
                        };
                        finally(pending::<()>(), close).await;
                    }
                }
                Ok(Bomb("late"))
            }
        };
        let m = member;
        let ended = match tuple {
            true => finish(gather((m(0), m(1), m(2), m(4), m(3)))).err(),
            false => finish(gather([0, 1, 2, 4, 3].map(member))).err(),
        };
        assert_eq!(ended.unwrap().into_errors(), ["no"]);
        assert_eq!(log.said(), ["closed"]);
        let reports = reports();
        let of = |what| reports.iter().filter(|told| told.contains(what)).count();
        assert_eq!((of("early"), of("late")), (2, 1), "{reports:?}");
    }
}

#[test]
fn a_join_gives_the_values_of_what_cannot_fail_in_the_order_of_the_futures() {
    let slow_first = |i: usize| async move {
        for _ in 0..3 - i {
            yield_now().await;
        }
        i
    };
    assert_eq!(finish(join((slow_first(0), async { "one" }))), (0, "one"));
    assert_eq!(finish(join([0, 1, 2].map(slow_first))), [0, 1, 2]);
    let vector: Vec<_> = (0..3).map(slow_first).collect();
    assert_eq!(finish(join(vector)), [0, 1, 2]);
    assert_eq!(finish(join((0..3).map(slow_first))), [0, 1, 2]);
    assert!(now(join(Vec::<std::future::Ready<()>>::new())).is_empty());
}

#[test]
fn a_panic_in_a_join_goes_on_when_the_others_have_cleaned_up() {
    for tuple in [false, true] {
        let log = Log::default();
        let member = |i: usize| {
            let log = log.clone();
            async move {
                let said = log.clone();
                let work = async {
                    yield_now().await;
                    assert!(i != 1, "one");
                    pending::<()>().await;
                };
                finally(work, || async move { said.say("cleaned up") }).await;
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| match tuple {
            true => drop(finish(join((member(0), member(1), member(2))))),
            false => drop(finish(join([0, 1, 2].map(member)))),
        }));
        assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "one");
        assert_eq!(log.said(), ["cleaned up"; 3]);
    }
}

#[test]
fn a_cancel_around_a_join_lets_all_clean_up() {
    let (log, scope) = (Log::default(), Scope::detached());
    let member = |_| {
        let said = log.clone();
        finally(pending::<()>(), || async move { said.say("cleaned up") })
    };
    let mut run = pin!(scope.run(join([0, 1].map(member))));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert_eq!(finish(run).unwrap_err().text(), "stop");
    assert_eq!(log.said(), ["cleaned up"; 2]);
}

#[test]
#[should_panic(expected = "tests/gather.rs")]
fn a_future_that_cancels_itself_alone_leaves_a_join_without_a_value_which_is_a_panic() {
    finish(join((pending::<()>(), async {
        Scope::current().unwrap().cancel(Cause::requested("stop"));
        pending::<()>().await;
    })));
}

#[test]
fn every_outcome_is_kept_and_none_ends_the_others() {
    let member = |i: usize| async move {
        match i {
            0 => panic!("zero"),
            1 => {
                Scope::current().unwrap().cancel(Cause::requested("one"));
                pending::<()>().await;
            }
            _ => yield_now().await,
        }
        i
    };
    let check = |results: [Result<usize, JoinError>; 3]| {
        assert!(matches!(&results[0], Err(JoinError::Panicked(p)) if p.message() == "zero"));
        assert!(matches!(&results[1], Err(JoinError::Cancelled(cause)) if cause.text() == "one"));
        assert_eq!(results[2].as_ref().unwrap(), &2);
    };
    check(finish(gather_results([0, 1, 2].map(member))));
    let (a, b, c) = finish(gather_results((member(0), member(1), member(2))));
    check([a, b, c]);
}

#[test]
fn a_cancel_around_lets_all_clean_up_and_is_not_swallowed() {
    for tuple in [false, true] {
        let (log, gate) = (Log::default(), Gate::default());
        let cleaning = |name: &'static str| {
            let (log, passed) = (log.clone(), gate.passed());
            let close = move || async move {
                passed.await;
                log.say(name);
            };
            async move {
                finally(pending::<()>(), close).await;
                Ok::<(), &str>(())
            }
        };
        let outer = Scope::detached();
        let body = async {
            let ended = match tuple {
                true => gather((cleaning("a"), pending::<Ok<()>>(), cleaning("b")))
                    .await
                    .map(drop),
                false => gather(["a", "b"].map(cleaning)).await.map(drop),
            };
            log.say("went on");
            ended
        };
        let mut all = pin!(outer.run(body));
        assert!(run(all.as_mut()).is_pending());
        outer.cancel(Cause::requested("outer"));
        assert!(run(all.as_mut()).is_pending());
        gate.open();
        let Poll::Ready(Err(cause)) = run(all) else {
            panic!("it is cancelled")
        };
        assert_eq!(cause.text(), "outer");
        assert_eq!(log.said(), ["a", "b"]);
    }
}

#[test]
fn an_error_that_was_there_before_the_cancel_around_is_returned() {
    let (gate, outer, log) = (Gate::default(), Scope::detached(), Log::default());
    let passed = gate.passed();
    let body = async {
        let cleaning = async {
            finally(pending::<()>(), || passed).await;
            Ok::<(), &str>(())
        };
        let ended = gather((cleaning, async { Err::<(), _>("no") })).await;
        log.say(ended.unwrap_err().into_errors()[0]);
        pending::<()>().await;
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert_eq!(log.said(), ["no"]);
}

#[test]
fn a_dropped_gather_drops_its_futures_and_leaves_the_clean_up_to_the_scope_around() {
    let log = Log::default();
    let outer = Scope::detached();
    let body = async {
        let closing = log.clone();
        let futures = (0..2).map(|_| {
            let (closing, dropped) = (closing.clone(), log.on_drop("dropped"));
            async move {
                let _dropped = dropped;
                finally(pending::<()>(), || async move { closing.say("closed") }).await;
                Ok::<(), &str>(())
            }
        });
        let mut all = Box::pin(gather(futures));
        assert!(
            poll_fn(|cx| Poll::Ready(all.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        drop(all);
        log.say("went on");
    };
    assert!(matches!(run(pin!(outer.run(body))), Poll::Ready(Ok(()))));
    assert_eq!(
        log.said(),
        ["dropped", "dropped", "went on", "closed", "closed"]
    );
}

#[test]
fn gathers_in_gathers_are_cancelled_from_outside_in() {
    let log = Log::default();
    let inner = |name: &'static str| {
        let log = log.clone();
        async move {
            let close = || {
                let log = log.clone();
                move || async move {
                    yield_now().await;
                    log.say(name);
                }
            };
            let member = async || {
                finally(pending::<()>(), close()).await;
                Ok::<(), &str>(())
            };
            gather((member(), member()))
                .await
                .map(drop)
                .map_err(|_| "inner")
        }
    };
    let fails = async {
        yield_now().await;
        Err::<(), _>("no")
    };
    let error = finish(gather((inner("a"), inner("b"), fails))).unwrap_err();
    assert_eq!(error.into_errors(), ["no"]);
    assert_eq!(log.said(), ["a", "a", "b", "b"]);
}

#[test]
fn a_gather_that_is_polled_once_more_after_its_end_panics() {
    fn again<F: Future>(all: F) -> String {
        let mut all = Box::pin(all);
        assert!(poll(all.as_mut()).is_ready());
        let again = catch_unwind(AssertUnwindSafe(|| poll(all.as_mut()).is_ready()));
        pirn_core::panic_message(&*again.unwrap_err()).to_owned()
    }
    let (good, bad) = (|| ready(Ok::<_, &str>(1)), || ready(Err::<u32, _>("no")));
    let said = "a gather was polled after it was ready";
    assert_eq!(again(gather((good(), good()))), said);
    assert_eq!(again(gather((good(), bad()))), said);
    assert_eq!(again(gather_results((good(), bad()))), said);
}

#[test]
fn after_a_failure_the_others_are_not_polled_but_cancelled_in_the_same_turn() {
    let log = Log::default();
    let member = |name: &'static str| {
        let (log, dropped) = (log.clone(), log.on_drop(name));
        async move {
            dropped.is_there();
            log.say("polled");
            yield_now().await;
            log.say("went on");
            if name == "second" {
                return Err::<(), _>("no");
            }
            pending().await
        }
    };
    let mut all = pin!(gather((member("first"), member("second"), member("third"))));
    assert!(poll(all.as_mut()).is_pending());
    assert_eq!(log.said(), ["polled"; 3]);
    let Poll::Ready(ended) = poll(all) else {
        panic!("nobody has anything to clean up")
    };
    assert_eq!(ended.unwrap_err().into_errors(), ["no"]);
    assert_eq!(
        log.said()[3..],
        ["went on", "went on", "second", "first", "third"]
    );
}

#[test]
fn clean_up_that_does_not_wait_is_done_in_the_turn_of_the_failure() {
    let log = Log::default();
    let said = log.clone();
    let cleaning = async {
        finally(pending::<()>(), || async move { said.say("cleaned up") }).await;
        Ok::<(), &str>(())
    };
    let fails = async {
        yield_now().await;
        Err::<(), _>("no")
    };
    let mut all = pin!(Rooted::new(gather((cleaning, fails))));
    assert!(poll(all.as_mut()).is_pending());
    let Poll::Ready(Ok(ended)) = poll(all) else {
        panic!("nobody waits any more")
    };
    assert_eq!(ended.unwrap_err().into_errors(), ["no"]);
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn gathers_move_between_threads_where_their_futures_do() {
    fn is_send<T: Send>(_: T) {}
    let future = || async {
        yield_now().await;
        Ok::<_, std::io::Error>(())
    };
    is_send(gather([future(), future()]));
    is_send(gather((future(), async { Ok::<_, std::io::Error>(7) })));
    is_send(gather((0..3).map(move |_| future())));
    is_send(gather_results(vec![future()]));
    is_send(async move { gather((future(), future())).await.map(drop) });
}

#[test]
fn what_a_destructor_hands_over_as_its_future_is_cancelled_is_awaited() {
    struct Late(Log);
    impl Drop for Late {
        fn drop(&mut self) {
            let log = self.0.clone();
            let scope = Scope::current().unwrap();
            scope.hand_over(Box::pin(async move {
                yield_now().await;
                log.say("closed");
            }));
        }
    }
    let log = Log::default();
    let late = Late(log.clone());
    let member = async {
        let _late = late;
        pending::<Ok<()>>().await
    };
    let members: [Pin<Box<dyn Future<Output = Ok<()>>>>; 2] =
        [Box::pin(member), Box::pin(async { Err("no") })];
    assert_eq!(finish(gather(members)).unwrap_err().into_errors(), ["no"]);
    assert_eq!(log.said(), ["closed"]);
}

#[test]
fn a_wake_that_comes_as_who_polls_by_reference_is_cancelled_is_not_lost() {
    let (work, held) = (Gate::default(), Gate::default());
    let (outer, limit) = (Scope::detached(), Scope::detached());
    let mut all = pin!(outer.run(async {
        let mut both = pin!(gather([0, 1].map(async |i: u32| {
            work.passed().await;
            Ok::<_, &str>(i)
        })));
        let ended = limit.run(async {
            let mut guard = pin!(shield(held.passed()));
            poll_fn(|cx| {
                let _ = guard.as_mut().poll(cx);
                both.as_mut().poll(cx)
            })
            .await
        });
        assert!(ended.await.is_err());
        both.await
    }));
    assert!(run(all.as_mut()).is_pending());
    limit.cancel(Cause::requested("time is up"));
    work.open();
    assert!(run(all.as_mut()).is_pending());
    held.open();
    assert!(matches!(run(all), Poll::Ready(Ok(Ok([0, 1])))));
}

/// Polls `all` by reference in a scope that is cancelled, and then in the one around.
async fn twice<F: Future>(all: F) -> F::Output {
    let (mut all, limit) = (pin!(all), Scope::new());
    let mut ended = Box::pin(limit.run(all.as_mut()));
    poll_fn(|cx| {
        assert!(ended.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    limit.cancel(Cause::requested("time is up"));
    assert_eq!(ended.await.err().unwrap().text(), "time is up");
    all.await
}

#[test]
fn what_was_cancelled_with_who_polls_by_reference_is_told_elsewhere() {
    let scoped = || async {
        drop(Scope::current());
        pending::<Result<u32, String>>().await
    };
    finish(Scope::detached().run(async {
        let told = |cause: Option<Cause>| assert_eq!(cause.unwrap().text(), "time is up");
        let of = |error: JoinError| match error {
            JoinError::Cancelled(cause) => Some((*cause).clone()),
            _ => None,
        };
        let error = twice(gather([scoped(), scoped()])).await.unwrap_err();
        told(error.cause().map(|cause| (**cause).clone()));
        let error = twice(gather((scoped(), scoped()))).await.unwrap_err();
        told(error.cause().map(|cause| (**cause).clone()));
        let [end] = twice(gather_results([scoped()])).await;
        told(of(end.unwrap_err()));
        let (_, end) = twice(gather_results((scoped(), scoped()))).await;
        told(of(end.unwrap_err()));
        told(of(twice(race([scoped()])).await.unwrap_err()));
        let ended = map_limit(
            2,
            0..2,
            |_| scoped(),
            async |mut results| {
                let mut ends = Vec::new();
                while let Some((_, end)) = results.next().await {
                    ends.push(end.unwrap_err());
                }
                ends
            },
        );
        let ends = twice(ended).await;
        assert_eq!(ends.len(), 2);
        ends.into_iter().for_each(|end| told(of(end)));
    }))
    .unwrap();
}

/// Takes all that there is of the budget, turn by turn, until `done`.
async fn busy(done: &Cell<bool>) -> Ok<()> {
    while !done.get() {
        poll_fn(budget::poll_spend).await;
    }
    Ok(())
}

async fn modest(done: &Cell<bool>) -> Ok<()> {
    poll_fn(budget::poll_spend).await;
    done.set(true);
    Ok(())
}

#[test]
fn one_that_is_always_ready_leaves_turns_to_those_behind_it() {
    let done = Cell::new(false);
    let mut tuple = pin!(gather((busy(&done), busy(&done), modest(&done))));
    assert!((0..10).any(|_| poll(tuple.as_mut()).is_ready()), "a tuple");
    done.set(false);
    let mut results = pin!(gather_results((busy(&done), busy(&done), modest(&done))));
    assert!(
        (0..10).any(|_| poll(results.as_mut()).is_ready()),
        "results of a tuple"
    );
    done.set(false);
    let late = async {
        modest(&done).await?;
        Err("late")
    };
    let mut first = pin!(race((busy(&done), late)));
    assert!((0..10).any(|_| poll(first.as_mut()).is_ready()), "a race");
}
