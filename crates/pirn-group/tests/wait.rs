//! Sets that are awaited more than once, and streams of ends, polled by hand.

mod support;

use pirn_core::{Cause, Instant, JoinError, Limited, Scope, finally, shield};
use pirn_group::{WaitSet, When, as_completed, wait};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use support::{Gate, Log, finish, run, yield_now};

async fn after<T>(gate: Gate, value: T) -> T {
    gate.passed().await;
    value
}

fn gates<const N: usize>() -> [Gate; N] {
    [(); N].map(|()| Gate::default())
}

type Ended = Result<u32, &'static str>;

#[test]
fn the_first_end_is_given_and_the_others_stay() {
    let gates = gates::<3>();
    let mut set: WaitSet<_> = (0..3_u32)
        .map(|i| after(gates[i as usize].clone(), Ended::Ok(i)))
        .collect();
    gates[1].open();
    let done = finish(wait(&mut set, When::FirstCompleted));
    assert!(matches!(done[..], [(1, Ok(Ok(1)))]));
    assert_eq!(set.len(), 2);
    gates[0].open();
    gates[2].open();
    let done = finish(wait(&mut set, When::All));
    assert!(matches!(done[..], [(0, Ok(Ok(0))), (2, Ok(Ok(2)))]));
    assert!(set.is_empty());
    assert!(finish(wait(&mut set, When::FirstCompleted)).is_empty());
}

#[test]
fn the_first_error_is_waited_for_or_all() {
    let gates = gates::<3>();
    let ends = [Ok(0), Err("one"), Ok(2)];
    let new = || -> WaitSet<_> {
        let members = gates.iter().cloned().zip(ends);
        members
            .map(|(gate, end): (_, Ended)| after(gate, end))
            .collect()
    };
    let mut set = new();
    gates[0].open();
    {
        let mut first = pin!(wait(&mut set, When::FirstError));
        assert!(run(first.as_mut()).is_pending());
        gates[1].open();
        let Poll::Ready(done) = run(first) else {
            panic!("there is an error")
        };
        assert!(matches!(done[..], [(0, Ok(Ok(0))), (1, Ok(Err("one")))]));
    }
    gates[2].open();
    assert_eq!(finish(wait(&mut set, When::FirstError)).len(), 1);
}

#[test]
fn each_end_is_asked_about_once_in_a_wait() {
    let gates = gates::<3>();
    let mut set: WaitSet<_> = gates.iter().map(|gate| after(gate.clone(), ())).collect();
    let asked = Cell::new(0);
    let mut all = pin!(set.until(|_| {
        asked.set(asked.get() + 1);
        false
    }));
    for (number, gate) in gates.iter().enumerate() {
        gate.open();
        assert_eq!(run(all.as_mut()).is_ready(), number == 2);
        assert_eq!(asked.get(), number + 1);
    }
}

#[test]
fn panics_and_cancels_of_single_ones_are_errors() {
    let panics = async { panic!("oh") };
    let mut set = WaitSet::of((panics, pending::<Ended>()));
    let done = finish(wait(&mut set, When::FirstError));
    assert!(matches!(&done[..], [(0, Err(JoinError::Panicked(p)))] if p.message() == "oh"));

    let cancels = async {
        Scope::current().unwrap().cancel(Cause::requested("self"));
        pending::<Ended>().await
    };
    let mut set = WaitSet::of([cancels]);
    let done = finish(wait(&mut set, When::FirstError));
    assert!(matches!(&done[..], [(0, Err(JoinError::Cancelled(_)))]));
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let gates = gates::<2>();
    let mut set: WaitSet<_> = gates.iter().map(|gate| after(gate.clone(), 7)).collect();
    {
        let mut all = pin!(set.all());
        assert!(run(all.as_mut()).is_pending());
        gates[1].open();
        assert!(run(all.as_mut()).is_pending()); // it has ended in here
    }
    assert_eq!(set.len(), 1);
    let done = finish(set.first_completed());
    assert!(matches!(done[..], [(1, Ok(7))]));
    gates[0].open();
    assert!(matches!(finish(set.all())[..], [(0, Ok(7))]));
}

#[test]
fn a_time_limit_around_a_wait_cancels_nobody() {
    let (gate, log) = (Gate::default(), Log::default());
    let outer = Scope::detached();
    let body = async {
        let closing = log.clone();
        let passed = gate.passed();
        // With a scope of its own, which is made during the wait.
        let member = finally(passed, || async move { closing.say("closed") });
        let mut set = WaitSet::of([member]);
        let limit = Scope::new();
        let ended = limit.run(async {
            let mut all = pin!(set.all());
            poll_fn(|cx| {
                assert!(all.as_mut().poll(cx).is_pending());
                limit.cancel(Cause::requested("time is up"));
                Poll::<()>::Pending
            })
            .await;
        });
        assert_eq!(ended.await.unwrap_err().text(), "time is up");
        assert!(log.said().is_empty());
        gate.open();
        let done = set.all().await;
        assert!(matches!(done[..], [(0, Ok(()))]));
        log.say("done");
    };
    assert!(matches!(run(pin!(outer.run(body))), Poll::Ready(Ok(()))));
    assert_eq!(log.said(), ["closed", "done"]);
}

/// Polls `wait` in a scope of its own beside a shield; cancels that, and has `work` done before the
/// shield ends.
fn cancelled_wait<T>(work: &Gate, member: impl Future<Output = T>, log: &Log) -> Vec<usize> {
    let (held, outer, limit) = (Gate::default(), Scope::detached(), Scope::detached());
    let mut all = pin!(outer.run(async {
        let mut set = WaitSet::of([member]);
        let ended = limit.run(async {
            let mut guard = pin!(shield(held.passed()));
            let mut wait = pin!(set.all());
            poll_fn(|cx| {
                let _ = guard.as_mut().poll(cx);
                wait.as_mut().poll(cx).map(|_| log.say("went on"))
            })
            .await;
        });
        assert!(ended.await.is_err());
        let done = set.all().await;
        done.into_iter().map(|(number, _)| number).collect()
    }));
    assert!(run(all.as_mut()).is_pending());
    limit.cancel(Cause::requested("time is up"));
    assert!(run(all.as_mut()).is_pending());
    work.open();
    assert!(run(all.as_mut()).is_pending());
    held.open();
    match run(all) {
        Poll::Ready(Ok(done)) => done,
        _ => panic!("the work is done"),
    }
}

#[test]
fn a_wake_that_comes_as_the_wait_is_cancelled_is_not_lost() {
    let (work, log) = (Gate::default(), Log::default());
    assert_eq!(cancelled_wait(&work, work.passed(), &log), [0]);
    assert!(log.said().is_empty());
}

#[test]
fn a_wait_that_is_cancelled_takes_no_ends() {
    let (work, log) = (Gate::default(), Log::default());
    let member = async {
        drop(Scope::current());
        work.passed().await;
    };
    assert_eq!(cancelled_wait(&work, member, &log), [0]);
    assert!(log.said().is_empty());
}

#[test]
fn a_shield_gets_the_ends_of_those_that_were_cancelled_with_the_body_around() {
    let (log, outer) = (Log::default(), Scope::detached());
    let mut all = pin!(outer.run(async {
        let mut set = WaitSet::of([finally(pending::<()>(), async || ())]);
        let mut ends = as_completed([finally(pending::<()>(), async || ())]);
        shield(async {
            let done = set.all().await;
            assert!(done[0].1.as_ref().unwrap_err().is_cancelled());
            let end = ends.next().await.unwrap().1;
            assert!(end.unwrap_err().is_cancelled());
            assert!(ends.next().await.is_none() && set.is_empty());
            log.say("shut down");
        })
        .await;
        set.all().await;
        log.say("went on");
    }));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(matches!(run(all), Poll::Ready(Err(_))));
    assert_eq!(log.said(), ["shut down"]);
}

#[test]
fn a_cancel_around_the_set_lets_shielded_members_end() {
    let (gate, log) = (Gate::default(), Log::default());
    let outer = Scope::detached();
    let body = async {
        let member = async {
            shield(gate.passed()).await;
            log.say("shielded part done");
        };
        let mut set = WaitSet::of([member]);
        set.all().await;
        pending::<()>().await;
    };
    let mut all = pin!(outer.run(body));
    assert!(run(all.as_mut()).is_pending());
    outer.cancel(Cause::requested("outer"));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(all), Poll::Ready(Err(cause)) if cause.text() == "outer"));
    assert_eq!(log.said(), ["shielded part done"]);
}

#[test]
fn a_cancel_of_all_waits_for_the_clean_up() {
    let (gate, log) = (Gate::default(), Log::default());
    let (closing, passed) = (log.clone(), gate.passed());
    let cleaning = finally(pending::<()>(), || async move {
        passed.await;
        closing.say("closed");
    });
    let mut set = WaitSet::of((cleaning, pending::<()>(), ready(())));
    let done = finish(set.first_completed());
    assert!(matches!(done[..], [(2, Ok(()))]));
    let mut cancel = pin!(set.cancel(Cause::requested("enough")));
    assert!(run(cancel.as_mut()).is_pending());
    gate.open();
    let Poll::Ready(done) = run(cancel) else {
        panic!("all have ended")
    };
    assert_eq!(done.len(), 2);
    assert!(
        done.iter()
            .all(|(_, end)| end.as_ref().unwrap_err().is_cancelled())
    );
    assert_eq!(log.said(), ["closed"]);
}

#[test]
fn numbers_go_on_when_places_are_used_again() {
    let mut set = WaitSet::new();
    assert_eq!(set.push(ready(0)), 0);
    assert_eq!(finish(set.all())[0].0, 0);
    assert_eq!(set.push(ready(1)), 1);
    set.extend([ready(2)]);
    let done = finish(set.all());
    assert!(matches!(done[..], [(1, Ok(1)), (2, Ok(2))]));
}

#[test]
fn ends_come_as_they_do_with_their_places() {
    let gates = gates::<3>();
    let mut ends = as_completed((0..3).map(|i| after(gates[i].clone(), i)));
    assert_eq!(ends.left(), 3);
    assert!(run(pin!(ends.next())).is_pending());
    gates[2].open();
    assert!(matches!(finish(ends.next()), Some((2, Ok(2)))));
    gates[0].open();
    gates[1].open();
    assert!(matches!(finish(ends.next()), Some((0, Ok(0)))));
    assert!(matches!(finish(ends.next()), Some((1, Ok(1)))));
    assert!(finish(ends.next()).is_none());
    assert!(finish(ends.next()).is_none());
}

#[test]
fn a_stream_of_ends_keeps_panics_as_ends() {
    let mut ends = as_completed((async { panic!("oh") }, async { yield_now().await }));
    let (place, end) = finish(ends.next()).unwrap();
    assert!(place == 0 && end.unwrap_err().is_panic());
    assert_eq!(finish(ends.next()).unwrap().0, 1);
}

#[test]
fn a_time_limit_around_the_next_end_loses_nothing() {
    let gate = Gate::default();
    let outer = Scope::detached();
    let body = async {
        let mut ends = as_completed([shield(after(gate.clone(), 7))]);
        for _ in 0..3 {
            let limit = Scope::new();
            let next = limit.run(async {
                let mut next = pin!(ends.next());
                poll_fn(|cx| {
                    let polled = next.as_mut().poll(cx);
                    limit.cancel(Cause::requested("time is up"));
                    polled
                })
                .await
            });
            assert!(next.await.is_err());
        }
        gate.open();
        let next = Limited::until(Instant::NEVER, ends.next());
        let next = next.map_err(|(missing, _)| missing).unwrap().await;
        assert!(matches!(next, Ok(Some((0, Ok(7))))));
    };
    assert!(matches!(run(pin!(outer.run(body))), Poll::Ready(Ok(()))));
}

#[test]
fn sets_and_streams_move_between_threads_where_their_futures_do() {
    fn is_send<T: Send>(_: T) {}
    is_send(WaitSet::of([yield_now()]));
    is_send(as_completed([yield_now()]));
    is_send(async {
        let mut set = WaitSet::of([yield_now()]);
        set.all().await;
    });
}
