//! What asyncio's suites ask of `gather`, `shield` and `staggered_race` together: `docs/combinators.md`.

mod support;

use pirn_core::{Cause, Scope, shield};
use pirn_group::{gather, staggered_race};
use std::future::ready;
use std::pin::pin;
use std::task::Poll;
use support::{Gate, Log, run};

fn stop() -> Cause {
    Cause::requested("stop")
}

#[test]
fn a_gather_in_a_shield_and_shields_in_a_gather_go_on_to_their_values_after_the_cancel() {
    for around in [true, false] {
        let (outer, gates) = (Scope::detached(), [(); 2].map(|()| Gate::default()));
        let member = |i: usize| {
            let passed = gates[i].passed();
            async move {
                passed.await;
                Ok::<_, &str>(i)
            }
        };
        let mut all = pin!(outer.run(async {
            match around {
                true => shield(gather([0, 1].map(member))).await,
                false => gather([0, 1].map(|i| shield(member(i)))).await,
            }
        }));
        assert!(run(all.as_mut()).is_pending());
        outer.cancel(stop());
        for gate in &gates {
            assert!(run(all.as_mut()).is_pending());
            gate.open();
        }
        let Poll::Ready(ended) = run(all) else {
            panic!("it waits")
        };
        assert_eq!(ended.unwrap().unwrap(), [0, 1]);
    }
}

#[test]
fn a_cancel_wins_over_values_that_a_gather_has_not_been_polled_for_and_not_over_those_it_has() {
    let (outer, gate) = (Scope::detached(), Gate::default());
    let passed = [(); 2].map(|()| gate.passed());
    let members = passed.map(|passed| async {
        passed.await;
        Ok::<_, &str>(())
    });
    let mut all = pin!(outer.run(gather(members)));
    assert!(run(all.as_mut()).is_pending());
    gate.open();
    outer.cancel(stop());
    assert!(matches!(run(all), Poll::Ready(Err(cause)) if cause.text() == "stop"));

    let outer = Scope::detached();
    let last = async {
        outer.cancel(stop());
        Ok::<_, &str>(2)
    };
    let all = pin!(outer.run(gather((ready(Ok(1)), last))));
    assert!(matches!(run(all), Poll::Ready(Ok(Ok((1, 2))))));
}

#[test]
fn of_two_attempts_that_succeed_at_once_the_first_in_order_wins_and_the_other_is_dropped() {
    let (gate, log) = (Gate::default(), Log::default());
    let attempts = ["first", "second"].map(|name| {
        let (passed, dropped) = (gate.passed(), log.on_drop(name));
        async move {
            dropped.is_there();
            passed.await;
            Ok::<_, &str>(name)
        }
    });
    let mut race = pin!(staggered_race(attempts, || ready(())));
    assert!(run(race.as_mut()).is_pending());
    gate.open();
    assert!(matches!(run(race), Poll::Ready(Ok("first"))));
    let mut dropped = log.said();
    dropped.sort();
    assert_eq!(dropped, ["first", "second"]);
}
