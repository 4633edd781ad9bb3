//! Steps in order.

use pirn_core::panic_message;
use pirn_executor::{spawn, spawn_local};
use pirn_sim::{Sequencer, Sim, check, wait_all_blocked};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn steps_run_in_the_order_of_their_numbers_under_every_schedule() {
    check(200, || async {
        let (steps, log) = (Sequencer::new(), Rc::new(RefCell::new(Vec::new())));
        let tasks = [[0, 4], [3, 5], [1, 2]].map(|numbers| {
            let (steps, log) = (steps.clone(), log.clone());
            spawn_local(async move {
                for number in numbers {
                    let _turn = steps.step(number).await;
                    pirn_core::yield_now().await;
                    log.borrow_mut().push(number);
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.borrow(), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn a_step_waits_until_the_one_before_has_ended() {
    Sim::new().run(async {
        let steps = Sequencer::new();
        let first = steps.step(0).await;
        let second = spawn({
            let steps = steps.clone();
            async move { steps.step(1).await.number() }
        });
        wait_all_blocked().await;
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap(), 1);
    });
}

fn panic_of<F: Future<Output = ()>>(main: F) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| Sim::new().run(main))).unwrap_err();
    panic_message(&*payload).to_owned()
}

#[test]
fn a_number_is_used_once() {
    let again = panic_of(async {
        let steps = Sequencer::new();
        drop(steps.step(0).await);
        drop(steps.step(0).await);
    });
    assert_eq!(again, "step 0 of a sequence was there before");
    let under_way = panic_of(async {
        let steps = Sequencer::new();
        let _turn = steps.step(0).await;
        drop(steps.step(0).await);
    });
    assert_eq!(under_way, again);
    let waits = panic_of(async {
        let steps = Sequencer::new();
        let other = steps.clone();
        let _waits = spawn(async move { drop(other.step(1).await) });
        wait_all_blocked().await;
        drop(steps.step(1).await);
    });
    assert_eq!(waits, "step 1 of a sequence was there before");
}

#[test]
fn a_step_that_is_dropped_before_its_turn_ends_those_after_it() {
    let text = panic_of(async {
        let steps = Sequencer::new();
        let first = steps.step(0).await;
        let (one, two) = (steps.clone(), steps.clone());
        let waits = spawn(async move { drop(one.step(1).await) });
        let after = spawn(async move { drop(two.step(2).await) });
        wait_all_blocked().await;
        drop(waits);
        let ended = after.await;
        drop(first);
        std::panic::resume_unwind(match ended {
            Err(pirn_core::JoinError::Panicked(panic)) => panic.into_payload(),
            _ => Box::new("it did not panic"),
        });
    });
    assert!(
        text.contains("step 1 was dropped before its turn"),
        "{text}"
    );
}

#[test]
fn a_step_that_was_never_polled_breaks_nothing() {
    Sim::new().run(async {
        let steps = Sequencer::new();
        drop(steps.step(0));
        drop(steps.step(0).await);
        drop(steps.step(1).await);
    });
}
