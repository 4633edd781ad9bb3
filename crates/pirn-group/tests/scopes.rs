//! Groups in scopes and under limits in time: what remains when several of them end at once.

mod support;

use pirn_core::context::Handles;
use pirn_core::{Cause, Park, Scope, Until, shield};
use pirn_group::{GroupBuilder, GroupError};
use pirn_timer::{Manual, ThreadPark, TimerPark, sleep, timeout};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use support::{Gate, Hand, yield_now};

const SECOND: Duration = Duration::from_secs(1);

async fn forever() -> Result<(), &'static str> {
    pending().await
}

#[test]
fn a_failure_in_the_clean_up_of_a_late_group_is_returned_and_not_the_elapsed_time() {
    let time = Manual::new();
    let mut driver = TimerPark::new(ThreadPark::new(), time.clone());
    let mut handles = Handles::default();
    handles.clock = Some(Arc::new(driver.timer()));
    let _entered = Rc::new(handles).enter();
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn::<_, ()>(shield(async {
            sleep(2 * SECOND).await;
            Err("as it was tidied up")
        }));
        forever().await
    });
    let mut limited = pin!(timeout(SECOND, group));
    assert!(hand.run(limited.as_mut()).is_pending());
    for _ in 0..2 {
        time.advance(SECOND);
        driver.park(Until::Now).unwrap();
        if let Poll::Ready(ended) = hand.run(limited.as_mut()) {
            let error = ended.expect("a value, not the elapsed time").unwrap_err();
            assert_eq!(error.into_errors(), ["as it was tidied up"]);
            return;
        }
    }
    panic!("it did not end");
}

#[test]
fn of_children_that_several_scopes_cancelled_only_what_failed_is_left() {
    let (hand, gate, outer) = (Hand::default(), Gate::default(), Scope::detached());
    let (around, passed) = (outer.clone(), gate.clone());
    let group = GroupBuilder::on(hand.clone()).run(async |g| {
        for _ in 0..2 {
            g.spawn(forever());
        }
        g.spawn::<_, ()>(shield(async move {
            passed.passed().await;
            Err("broken")
        }));
        yield_now().await;
        g.cancel(Cause::requested("the group"));
        shield(yield_now()).await;
        g.spawn(forever());
        around.cancel(Cause::requested("around"));
        forever().await
    });
    let mut run = pin!(outer.run(group));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    let ended: Poll<Result<Result<(), GroupError<&str>>, _>> = hand.run(run);
    let Poll::Ready(Ok(Err(error))) = ended else {
        panic!("not the group's error: {ended:?}")
    };
    assert_eq!(error.into_errors(), ["broken"]);
}
