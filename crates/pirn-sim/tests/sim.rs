//! Runs under virtual time.

use pirn_core::{Cause, Kind, Scope, TaskMeta, context, finally};
use pirn_executor::{spawn, spawn_local};
use pirn_sim::{Sim, check};
use pirn_timer::{now, sleep};
use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Three tasks that say their number at their time, and what was said when.
fn race(sim: Sim) -> Vec<(u64, u32)> {
    sim.run(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [(30, 1), (10, 2), (10, 3), (10, 4)]
            .map(|(ms, number)| {
                let log = Rc::clone(&log);
                spawn_local(async move {
                    sleep(ms * MS).await;
                    let at = now().as_nanos() / 1_000_000;
                    log.borrow_mut().push((at, number));
                })
            })
            .into();
        for task in tasks {
            task.await.unwrap();
        }
        log.take()
    })
}

#[test]
fn time_jumps_and_equal_deadlines_come_in_order() {
    assert_eq!(race(Sim::new()), [(10, 2), (10, 3), (10, 4), (30, 1)]);
}

#[test]
fn the_same_seed_gives_the_same_trace_and_seeds_differ() {
    for seed in 0..10 {
        assert_eq!(race(Sim::new().seed(seed)), race(Sim::new().seed(seed)));
    }
    assert!((0..20).any(|seed| race(Sim::new().seed(seed)) != race(Sim::new())));
}

#[test]
fn a_century_takes_no_time_and_is_exact() {
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    let elapsed = Sim::new().run(async {
        let start = now();
        sleep(century).await;
        now().saturating_since(start)
    });
    assert_eq!(elapsed, century);
}

#[test]
fn a_deadlock_is_an_error_that_counts_who_waits() {
    let deadlock = Sim::new().try_run(async {
        spawn(pending::<()>()).detach();
        pending::<()>().await
    });
    let deadlock = deadlock.unwrap_err();
    assert_eq!(deadlock.live, 2);
    assert!(
        deadlock
            .to_string()
            .starts_with("deadlock: nothing is ready")
    );
}

#[test]
fn what_is_left_is_cancelled_and_cleans_up_in_virtual_time() {
    let (say, said) = mpsc::channel();
    Sim::new().run(async move {
        let cleanup = move || async move {
            sleep(5 * MS).await;
            say.send("clean").unwrap();
        };
        spawn(finally(pending::<()>(), cleanup)).detach();
        sleep(MS).await;
    });
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
}

#[test]
fn a_deadline_of_a_scope_is_virtual() {
    let (kind, at) = Sim::new().run(async {
        let scope = Scope::new();
        scope.set_deadline(now() + 1000 * MS).unwrap();
        let cause = scope.run(pending::<()>()).await.unwrap_err();
        (cause.kind(), now())
    });
    assert_eq!((kind, at.as_nanos()), (Kind::Deadline, 1_000_000_000));
}

#[test]
fn a_closure_for_a_thread_runs_inline() {
    let name = Sim::new().run(async {
        let (tell, told) = futures::channel::oneshot::channel();
        let job = move || tell.send(std::thread::current().id()).unwrap();
        context::blocking().unwrap().submit(Box::new(job)).unwrap();
        told.await.unwrap()
    });
    assert_eq!(name, std::thread::current().id());
}

#[test]
fn the_ambient_handles_are_the_simulations_and_gone_afterwards() {
    Sim::new().run(async {
        let (tell, told) = futures::channel::oneshot::channel();
        let task = Box::pin(async move { tell.send(()).unwrap() });
        context::spawner()
            .unwrap()
            .spawn_boxed(TaskMeta::here(), task)
            .unwrap();
        told.await.unwrap();
        assert!(context::reaper().is_some());
    });
    assert!(context::handles().is_none());
}

#[test]
fn a_panic_of_the_main_future_comes_out() {
    let run = || Sim::new().run(async { panic!("main failed") });
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(pirn_core::panic_message(&*payload), "main failed");
}

#[test]
fn a_main_future_that_cancels_itself_says_so() {
    let run = || {
        Sim::new().run(async {
            Scope::current().unwrap().cancel(Cause::requested("enough"));
            pending::<()>().await
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert!(pirn_core::panic_message(&*payload).contains("enough"));
}

#[test]
fn a_check_finds_the_seed_under_which_a_race_is_lost() {
    let fails_sometimes = || async {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = [1, 2].map(|number| {
            let order = Rc::clone(&order);
            spawn_local(async move { order.borrow_mut().push(number) })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [1, 2]);
    };
    Sim::new().run(fails_sometimes());
    assert!(catch_unwind(AssertUnwindSafe(|| check(50, fails_sometimes))).is_err());
}

#[test]
fn children_that_were_abandoned_are_awaited_at_the_end() {
    let (say, said) = mpsc::channel();
    Sim::new().run(async move {
        let scope = Scope::new();
        let (child, guard) = (scope.child(), scope.enter());
        let cleanup = move || async move {
            sleep(MS).await;
            say.send("child clean").unwrap();
        };
        spawn(async move {
            let _guard = guard;
            let _ = child.run(finally(pending::<()>(), cleanup)).await;
        })
        .detach();
        let mut run = Box::pin(scope.run(pending::<()>()));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        sleep(MS).await;
        drop(run);
    });
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["child clean"]);
}

#[test]
fn what_is_missing_of_the_system_is_said_with_what_stands_for_it() {
    let missing = Sim::new().run(async { pirn_core::context::system("signal").unwrap_err() });
    assert_eq!(
        missing.to_string(),
        "there is no signal here: a simulated program cannot reach the system; \
         for a socket use the in-memory streams and network of `pirn_sim`; \
         for a file any reader or writer, such as `futures::io::Cursor` in memory, or `std::fs` before \
         the run or in `to_thread`; \
         for a process `std::process` in `to_thread`, or a stand-in; \
         for a signal an `Event` or a `CancelToken` that the test sets"
    );
}
