//! Work on many items, so many at once, polled by hand.

mod support;

use futures::StreamExt;
use pirn_core::{Cause, Scope, finally, shield};
use pirn_group::{for_each_limit, map_limit, stream};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use support::{Bomb, Flag, Gate, Log, finish, poll, reports, run, yield_now};

#[test]
fn at_most_so_many_run_at_once_and_all_are_run() {
    let (now, most, all) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let work = async |i: u32| {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        for _ in 0..i % 3 {
            yield_now().await;
        }
        now.set(now.get() - 1);
        all.set(all.get() + 1);
        Ok::<_, &str>(())
    };
    finish(for_each_limit(4, 0..300, work)).unwrap();
    assert_eq!((most.get(), all.get()), (4, 300));
    finish(for_each_limit(usize::MAX, 0..300, work)).unwrap();
    finish(for_each_limit(1, [], async |(): ()| Ok::<_, &str>(()))).unwrap();
}

#[test]
fn items_come_from_a_stream_too() {
    let stream = futures::stream::unfold(0, async |i| {
        yield_now().await;
        (i < 10).then_some((i, i + 1))
    });
    let seen = RefCell::new(Vec::new());
    finish(for_each_limit(3, stream, async |i| {
        yield_now().await;
        seen.borrow_mut().push(i);
        Ok::<_, &str>(())
    }))
    .unwrap();
    assert_eq!(seen.take(), (0..10).collect::<Vec<_>>());
}

#[test]
fn the_first_failure_ends_the_rest_and_takes_no_more_items() {
    let (log, gate) = (Log::default(), Gate::default());
    let taken = Cell::new(0);
    let items = (0..100).inspect(|_| taken.set(taken.get() + 1));
    let work = |i: u32| {
        let (log, passed) = (log.clone(), gate.passed());
        async move {
            match i {
                1 => Err("one"),
                _ => {
                    finally(pending::<()>(), move || async move {
                        passed.await;
                        log.say("closed");
                    })
                    .await;
                    Ok(())
                }
            }
        }
    };
    let mut all = pin!(for_each_limit(3, items, work));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    let Poll::Ready(Err(error)) = run(all) else {
        panic!("it failed")
    };
    assert_eq!(
        error.first().unwrap().task().name(),
        Some("for_each_limit[1]")
    );
    assert_eq!((taken.get(), log.said().len()), (3, 1));
}

#[test]
fn work_goes_on_while_the_body_awaits_something_else() {
    // The program of a stream of buffered futures that stops: the body waits for a lock that the
    // work beside it holds.
    let gate = Gate::default();
    let work = async |i: u32| {
        if i == 1 {
            for _ in 0..5 {
                yield_now().await;
            }
            gate.open();
        }
        i
    };
    let sum = finish(map_limit(2, 0..4, work, async |mut results| {
        let first = results.next().await.unwrap();
        assert!(matches!(first, (0, Ok(0))));
        gate.passed().await;
        let mut sum = 0;
        while let Some((_, end)) = results.next().await {
            sum += end.unwrap();
        }
        sum
    }));
    assert_eq!(sum, 6);
}

#[test]
fn results_that_nobody_takes_count_as_running() {
    let started = Cell::new(0);
    let work = async |i: u32| {
        started.set(started.get() + 1);
        i
    };
    let gate = Gate::default();
    let mut all = pin!(map_limit(3, 0.., work, async |mut results| {
        gate.passed().await;
        let mut places = Vec::new();
        while places.len() < 5 {
            places.push(results.next().await.unwrap().0);
        }
        places
    }));
    assert!(run(all.as_mut()).is_pending());
    // Nor is there room for more in a turn after that.
    assert!(poll(all.as_mut()).is_pending());
    assert_eq!(started.get(), 3);
    gate.open();
    assert_eq!(run(all), Poll::Ready(vec![0, 1, 2, 3, 4]));
    assert!(started.get() <= 8);
}

#[test]
fn what_runs_when_the_body_returns_is_cancelled_and_cleaned_up() {
    let (log, gate) = (Log::default(), Gate::default());
    let work = |i: u32| {
        let (log, passed) = (log.clone(), gate.passed());
        async move {
            if i > 0 {
                finally(pending::<()>(), move || async move {
                    passed.await;
                    log.say("closed");
                })
                .await;
            }
        }
    };
    let mut all = pin!(map_limit(3, 0..9, work, async |mut results| {
        results.next().await.unwrap().0
    }));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert_eq!(run(all), Poll::Ready(0));
    assert!(log.said().len() >= 2);
}

/// A stream without an end, which waits after so many, and says in its clean-up that it is closed.
fn numbers(log: &Log, many: u32) -> stream::FromFn<u32, impl Future<Output = ()> + use<>> {
    let log = log.clone();
    stream::from_fn(async move |yielder| {
        let work = async {
            for i in 0..many {
                yielder.yield_(i).await;
            }
            pending::<()>().await
        };
        let close = || async move {
            yield_now().await;
            log.say("stream closed");
        };
        finally(work, close).await;
    })
}

async fn at_most_3(number: u32) -> Result<(), &'static str> {
    match number {
        4.. => Err("too many"),
        _ => Ok(()),
    }
}

#[test]
fn a_stream_that_is_left_is_cleaned_up_by_the_scope_in_which_it_was_made() {
    for limit in [1, 3] {
        let (log, outer) = (Log::default(), Scope::detached());
        let body = async {
            let failed = for_each_limit(limit, numbers(&log, 9), at_most_3).await;
            log.say(if failed.is_err() { "failed" } else { "ended" });
            let first = async |mut results: pirn_group::Results<_>| results.next().await.is_some();
            assert!(map_limit(limit, numbers(&log, 9), at_most_3, first).await);
            log.say("taken");
        };
        assert!(finish(outer.run(body)).is_ok());
        let closed = "stream closed";
        assert_eq!(log.said(), ["failed", "taken", closed, closed]);
    }
}

#[test]
fn a_stream_that_is_lent_and_closed_or_made_in_a_scope_has_cleaned_up_before_what_comes_next() {
    let (log, outer) = (Log::default(), Scope::detached());
    let body = async {
        let mut lent = pin!(numbers(&log, 9));
        let failed = for_each_limit(2, lent.as_mut(), at_most_3).await;
        assert!(failed.is_err());
        lent.as_mut().close().await;
        log.say("closed");

        let mut lent = pin!(numbers(&log, 9));
        let first = async |mut results: pirn_group::Results<_>| results.next().await.is_some();
        assert!(map_limit(2, lent.as_mut(), at_most_3, first).await);
        lent.as_mut().close().await;
        log.say("closed");

        let inside = async { for_each_limit(2, numbers(&log, 9), at_most_3).await };
        assert!(Scope::new().run(inside).await.unwrap().is_err());
        log.say("its scope ended");
    };
    assert!(finish(outer.run(body)).is_ok());
    let stream = "stream closed";
    let said = [
        stream,
        "closed",
        stream,
        "closed",
        stream,
        "its scope ended",
    ];
    assert_eq!(log.said(), said);
}

#[test]
fn a_cancel_around_awaits_the_clean_up_of_a_stream_that_is_polled_or_for_which_there_is_no_room() {
    for limit in [1, 9] {
        let (log, outer) = (Log::default(), Scope::detached());
        let body = async {
            let items = numbers(&log, 2);
            let work = |_| {
                let log = log.clone();
                let close = || async move { log.say("work closed") };
                finally(pending::<Result<(), &str>>(), close)
            };
            for_each_limit(limit, items, work).await
        };
        let mut all = pin!(outer.run(body));
        assert!(run(all.as_mut()).is_pending());
        outer.cancel(Cause::requested("outer"));
        assert!(matches!(run(all), Poll::Ready(Err(_))));
        let mut said = log.said();
        said.sort();
        assert_eq!(said[0], "stream closed");
        assert_eq!(said.len(), 1 + limit.min(2));
    }
}

#[test]
fn a_panic_of_the_work_is_its_result_or_reported() {
    reports();
    let work = async |i: u32| assert!(i != 1, "one");
    let panics = finish(map_limit(2, 0..3, work, async |results| {
        results
            .filter(|(_, end)| std::future::ready(end.is_err()))
            .count()
            .await
    }));
    assert_eq!(panics, 1);
    assert!(reports().is_empty());
    finish(map_limit(2, 0..3, work, async |mut results| {
        results.next().await.unwrap().1.unwrap();
    }));
    assert_eq!(reports().len(), 1);
}

#[test]
fn a_panic_ends_all() {
    let log = Log::default();
    let work = |i: u32| {
        let dropped = log.on_drop("dropped");
        async move {
            let _dropped = dropped;
            yield_now().await;
            assert!(i != 1, "one");
            pending::<Result<(), &str>>().await
        }
    };
    let ended = catch_unwind(AssertUnwindSafe(|| finish(for_each_limit(3, 0..9, work))));
    assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), "one");
    assert_eq!(log.said().len(), 3);
}

#[test]
fn a_panic_beside_the_work_goes_on_when_what_runs_has_cleaned_up() {
    for case in ["work", "the iterator", "the stream", "the body"] {
        for mapped in [false, true] {
            if case == "the body" && !mapped {
                continue;
            }
            let (log, gate) = (Log::default(), Gate::default());
            let numbers = (0..9).inspect(|i| assert!(*i < 2 || case != "the iterator", "{case}"));
            let stream = futures::stream::iter(0..9)
                .inspect(|i| assert!(*i < 2 || case != "the stream", "{case}"));
            let work = |i: u32| {
                assert!(i < 2 || case != "work", "{case}");
                let (log, passed) = (log.clone(), gate.passed());
                async move {
                    if i == 0 {
                        yield_now().await; // and then makes room for the one at 2
                        return Ok::<_, &str>(());
                    }
                    let close = || async move {
                        passed.await;
                        log.say("closed");
                    };
                    finally(pending::<()>(), close).await;
                    Ok(())
                }
            };
            let body = async |mut results: pirn_group::Results<_>| {
                let _dropped = log.on_drop("the body's");
                yield_now().await;
                assert!(case != "the body", "{case}");
                while results.next().await.is_some() {}
            };
            let mut all: Pin<Box<dyn Future<Output = ()>>> = match (mapped, case) {
                (false, "the stream") => Box::pin(async {
                    for_each_limit(2, stream, work).await.unwrap();
                }),
                (false, _) => Box::pin(async {
                    for_each_limit(2, numbers, work).await.unwrap();
                }),
                (true, "the stream") => Box::pin(map_limit(2, stream, work, body)),
                (true, _) => Box::pin(map_limit(2, numbers, work, body)),
            };
            assert!(run(all.as_mut()).is_pending(), "{case}");
            gate.open();
            let ended = catch_unwind(AssertUnwindSafe(|| run(all.as_mut()).is_ready()));
            assert_eq!(pirn_core::panic_message(&*ended.unwrap_err()), case);
            let said = match mapped {
                false => vec!["closed"],
                true => vec!["the body's", "closed"],
            };
            assert_eq!(log.said(), said, "{case}");
        }
    }
}

#[test]
fn what_panics_as_it_is_dropped_takes_neither_an_error_nor_the_bodys_value() {
    reports();
    let bomb = Bomb("the source");
    let items = (0..9).inspect(move |_| {
        let _kept = &bomb;
    });
    let error = finish(for_each_limit(2, items, async |_| Err("no"))).unwrap_err();
    assert_eq!(error.into_errors(), ["no"]);
    assert_eq!(reports().len(), 1);

    let log = Log::default();
    let work = async |i: u32| {
        if i == 3 {
            let said = log.clone();
            finally(pending::<()>(), || async move { said.say("closed") }).await;
        }
        if i == 2 {
            shield(yield_now()).await;
        }
        Bomb("a value")
    };
    let value = finish(map_limit(4, 0..9, work, async |mut results| {
        std::mem::forget(results.next().await);
        7
    }));
    // One that nobody took, and a late one.
    assert_eq!((value, log.said()), (7, vec!["closed".to_owned()]));
    assert_eq!(reports().len(), 2);
}

#[test]
fn a_cancel_around_lets_work_and_body_clean_up() {
    let (log, outer) = (Log::default(), Scope::detached());
    let cleaning = |name: &'static str| {
        let log = log.clone();
        finally(pending::<()>(), move || async move {
            yield_now().await;
            log.say(name);
        })
    };
    let body = async {
        map_limit(2, ["a", "b"], cleaning, async |_results| {
            cleaning("body").await
        })
        .await;
        log.say("went on");
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    let mut said = log.said();
    said.sort();
    assert_eq!(said, ["a", "b", "body"]);
}

#[test]
fn a_cancel_around_does_not_pass_for_the_end_of_the_results() {
    let (log, outer) = (Log::default(), Scope::detached());
    let body = async {
        let work = |_: u32| finally(pending::<()>(), async || ());
        map_limit(4, 0..3, work, async |results| {
            let count = results.count().await;
            log.say("all there");
            count
        })
        .await
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert!(log.said().is_empty());
}

#[test]
fn a_cancelled_body_gets_no_results() {
    let (log, gates) = (Log::default(), [(); 2].map(|()| Gate::default()));
    let outer = Scope::detached();
    let body = async {
        let work = async |_: u32| shield(gates[0].passed()).await;
        map_limit(1, 0..2, work, async |mut results| {
            let mut held = pin!(shield(gates[1].passed()));
            let mut next = pin!(results.next());
            poll_fn(|cx| {
                let _ = held.as_mut().poll(cx);
                next.as_mut().poll(cx).map(|_| log.say("went on"))
            })
            .await;
        })
        .await;
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    gates[0].open(); // the shielded work has a value
    assert!(run(all.as_mut()).is_pending());
    gates[1].open();
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert!(log.said().is_empty());
}

#[test]
fn a_body_may_poll_the_results_with_a_waker_of_its_own() {
    let gate = Gate::default();
    let work = async |i: u32| {
        gate.passed().await;
        i
    };
    let mut all = pin!(map_limit(2, 0..2, work, async |mut results| {
        let one = async { results.next().await.unwrap().0 };
        let mut set: futures::stream::FuturesUnordered<_> = [one].into_iter().collect();
        set.next().await.unwrap()
    }));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert_eq!(run(all), Poll::Ready(0));
}

#[test]
fn results_that_the_body_gave_away_end_with_the_work() {
    let (woken, waker) = Flag::new();
    let mut cx = Context::from_waker(&waker);
    let mut results = finish(map_limit(1, 0..3, async |i| i, async |results| results));
    assert!(matches!(
        results.poll_next_unpin(&mut cx),
        Poll::Ready(None)
    ));

    let kept = RefCell::new(None);
    let gate = Gate::default();
    let work = async |_| gate.passed().await;
    let mut all = Box::pin(map_limit(1, 0..3, work, async |results| {
        *kept.borrow_mut() = Some(results);
        pending::<()>().await;
    }));
    assert!(run(all.as_mut()).is_pending());
    let mut results = kept.borrow_mut().take().unwrap();
    assert!(results.poll_next_unpin(&mut cx).is_pending() && !woken.take());
    drop(all);
    assert!(woken.take());
    assert!(matches!(
        results.poll_next_unpin(&mut cx),
        Poll::Ready(None)
    ));
}

#[test]
fn always_ready_work_leaves_the_thread_to_others() {
    let mut all = pin!(for_each_limit(3, 0.., async |_: u64| Ok::<_, &str>(())));
    let (woken, waker) = Flag::new();
    for _ in 0..3 {
        let polled = all.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending() && woken.take());
    }
    // Of a stream that knows nothing of budgets; it ends, so that a failure does.
    let words = futures::stream::repeat("weft").take(100_000);
    let mut all = pin!(for_each_limit(3, words, async |_| Ok::<_, &str>(())));
    for _ in 0..3 {
        let polled = all.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending() && woken.take());
    }
    let ready = async |i: u64| i;
    let mut all = pin!(map_limit(3, 0.., ready, async |results| results
        .count()
        .await));
    for _ in 0..3 {
        let polled = all.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending() && woken.take());
    }
}

#[test]
fn work_moves_between_threads_where_its_futures_do() {
    fn is_send<T: Send>(_: T) {}
    is_send(for_each_limit(3, 0..3, |_| async {
        yield_now().await;
        Ok::<_, std::io::Error>(())
    }));
}
