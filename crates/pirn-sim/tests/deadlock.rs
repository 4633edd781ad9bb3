//! Who waits for what, in a run that cannot go on.

use pirn_core::Instant;
use pirn_core::{TaskMeta, shield};
use pirn_executor::{spawn, spawn_local, try_spawn};
use pirn_sim::{Deadlock, Sim};
use pirn_sync::{Condition, Event, Lock, Queue, Semaphore, oneshot};
use pirn_timer::{sleep, sleep_until, timeout};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What the first of those who wait waits for.
fn main_waits_for<F: Future>(main: F) -> Vec<String> {
    let Err(deadlock) = Sim::new().try_run(main) else {
        panic!("it goes on");
    };
    deadlock.tasks()[0].waits_for().to_vec()
}

#[test]
fn primitives_say_what_they_are() {
    assert_eq!(
        main_waits_for(async { Event::new().wait().await }),
        ["`event`"]
    );
    assert_eq!(
        main_waits_for(async { Semaphore::new(0).acquire().await.map(drop) }),
        ["`semaphore`"]
    );
    assert_eq!(
        main_waits_for(async {
            let lock = Lock::new(());
            let _held = lock.lock().await;
            drop(lock.lock().await);
        }),
        ["`lock`"]
    );
    assert_eq!(
        main_waits_for(async { Queue::<u32>::bounded(1).get().await }),
        ["`queue`"]
    );
    assert_eq!(
        main_waits_for(async {
            let (_sender, receiver) = oneshot::channel::<()>();
            receiver.await
        }),
        ["`oneshot`"]
    );
    assert_eq!(
        main_waits_for(async {
            let (lock, condition) = (Lock::new(()), Condition::new());
            let guard = lock.lock().await;
            drop(condition.wait(guard).await);
        }),
        ["`condition`"]
    );
}

#[test]
fn what_is_not_ours_is_told_apart() {
    let waits_for = main_waits_for(pending::<()>());
    assert_eq!(waits_for, ["something that is not pirn's"]);
    let (_sender, receiver) = futures::channel::oneshot::channel::<()>();
    assert_eq!(main_waits_for(receiver), ["something that is not pirn's"]);
}

#[test]
fn one_who_waits_for_several_things_names_them_all() {
    let waits_for = main_waits_for(async {
        let event = Event::new();
        let mut both = Box::pin(async { futures::join!(event.wait(), pending::<()>()) });
        let queue = Queue::<u32>::bounded(1);
        let get = Box::pin(queue.get());
        futures::future::select(&mut both, get).await;
    });
    assert_eq!(waits_for, ["`event`", "`queue`"]);
}

#[test]
fn waits_inside_scopes_shields_and_timeouts_are_found() {
    let waits_for = main_waits_for(async {
        let event = Event::new();
        shield(event.wait()).await;
    });
    assert_eq!(waits_for, ["`event`"]);
    let waits_for = main_waits_for(async {
        let event = Event::new();
        pirn_core::Scope::new().run(event.wait()).await
    });
    assert_eq!(waits_for, ["`event`"]);
    let waits_for = main_waits_for(async {
        let event = Event::new();
        timeout(Duration::MAX, event.wait()).await
    });
    assert_eq!(waits_for, ["`event`"]);
    let waits_for = main_waits_for(async { sleep_until(Instant::NEVER).await });
    assert_eq!(waits_for, ["a time that never comes"]);
    let waits_for = main_waits_for(async {
        let scope = pirn_core::Scope::new();
        let _child = scope.enter();
        scope.run(async {}).await
    });
    assert_eq!(waits_for, ["the children of its scope"]);
}

/// Each has one lock and wants the other's.
fn deadly_embrace() -> Deadlock {
    let ended = Sim::new().try_run(async {
        let locks = Arc::new((Lock::new(()), Lock::new(())));
        let hold_both = |name: &str, swap: bool| {
            let locks = locks.clone();
            let meta = TaskMeta::here().named(name);
            try_spawn(meta, async move {
                let (first, second) = match swap {
                    false => (&locks.0, &locks.1),
                    true => (&locks.1, &locks.0),
                };
                let _first = first.lock().await;
                sleep(Duration::from_millis(1500)).await;
                let _second = second.lock().await;
            })
        };
        let (left, right) = (hold_both("left", false), hold_both("right", true));
        left.unwrap().await.unwrap();
        right.unwrap().await.unwrap();
    });
    ended.unwrap_err()
}

#[test]
fn a_report_has_name_place_polls_and_who_woke() {
    let text = deadly_embrace().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains("3 tasks have not ended"), "{text}");
    assert!(
        lines[1].starts_with("  main waits for the end of #1 left; "),
        "{text}"
    );
    assert!(
        lines[2].starts_with("  #1 left waits for `lock` 1; spawned at "),
        "{text}"
    );
    assert!(lines[2].contains("tests/deadlock.rs:"), "{text}");
    assert!(
        lines[2].ends_with("; polled 2 times, at 1.500000000 s last, woken by the clock"),
        "{text}"
    );
    assert!(
        lines[3].starts_with("  #2 right waits for `lock` 2; "),
        "{text}"
    );
    assert_eq!(lines.len(), 4, "{text}");
}

#[test]
fn a_report_is_the_same_each_time() {
    assert_eq!(deadly_embrace(), deadly_embrace());
}

#[test]
fn a_wake_up_that_was_lost_is_told() {
    let deadlock = Sim::new().try_run(async {
        let ready = Rc::new(Cell::new(false));
        let looks = ready.clone();
        let loses = spawn_local(poll_fn(move |_| match looks.get() {
            true => Poll::Ready(()),
            false => Poll::Pending, // and keeps no waker
        }));
        sleep(Duration::from_millis(1)).await;
        ready.set(true);
        loses.await.unwrap();
    });
    let deadlock = deadlock.unwrap_err();
    let [_, loses] = deadlock.tasks() else {
        panic!("{deadlock}");
    };
    assert!(
        loses.waits_for()[0].contains("nobody wakes it"),
        "{deadlock}"
    );
}

#[test]
fn what_is_left_cleans_up_after_a_deadlock() {
    let (say, said) = std::sync::mpsc::channel();
    let ended = Sim::new().try_run(async move {
        let event = Arc::new(Event::new());
        let waits = event.clone();
        spawn(async move {
            let clean_up = move || async move {
                sleep(Duration::from_secs(1)).await;
                say.send("clean").unwrap();
            };
            pirn_core::finally(waits.wait(), clean_up).await;
        })
        .detach();
        event.wait().await;
    });
    assert_eq!(ended.unwrap_err().live, 2);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
}

#[test]
fn a_task_that_was_never_polled_is_no_deadlock() {
    // One that was spawned is ready.
    let ran = Sim::new().run(async { spawn(async { 3 }).await.unwrap() });
    assert_eq!(ran, 3);
}
