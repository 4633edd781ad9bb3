//! When the clock moves.

use pirn_executor::{spawn, spawn_local};
use pirn_sim::{Sim, advance, check, hold, pause, resume, wait_all_blocked};
use pirn_timer::{now, sleep};
use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn millis() -> u64 {
    now().as_nanos() / 1_000_000
}

#[test]
fn a_paused_clock_stands_still_until_it_is_advanced() {
    Sim::new().paused().check(20, || async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let logs = log.clone();
        let task = spawn_local(async move {
            for _ in 0..3 {
                sleep(10 * MS).await;
                logs.borrow_mut().push(millis());
            }
        });
        wait_all_blocked().await;
        assert_eq!(millis(), 0);
        advance(9 * MS).await;
        assert_eq!((millis(), log.borrow().len()), (9, 0));
        advance(12 * MS).await; // two timers on the way, one of which is set on the way
        assert_eq!((millis(), &**log.borrow()), (21, &[10, 20][..]));
        advance(Duration::ZERO).await;
        assert_eq!(millis(), 21);
        advance(9 * MS).await;
        assert_eq!(&**log.borrow(), [10, 20, 30]);
        task.await.unwrap();
    });
}

#[test]
fn a_clock_is_paused_and_resumed_on_the_way() {
    Sim::new().run(async {
        sleep(MS).await;
        pause();
        let task = spawn(sleep(MS));
        wait_all_blocked().await;
        assert!(!task.is_finished());
        resume();
        task.await.unwrap();
        assert_eq!(millis(), 2);
    });
}

#[test]
fn nobody_who_advances_a_paused_clock_is_a_deadlock_that_says_so() {
    let deadlock = Sim::new().paused().try_run(sleep(MS)).unwrap_err();
    assert!(
        deadlock.to_string().contains("the clock is paused"),
        "{deadlock}"
    );
}

#[test]
fn a_paused_clock_does_not_move_for_who_waits_until_all_are_blocked() {
    let ended = Sim::new().paused().try_run(async {
        wait_all_blocked().cushion(MS).await;
    });
    assert!(ended.is_err());
    Sim::new().paused().run(async {
        let waits = spawn(async {
            wait_all_blocked().cushion(MS).await;
            millis()
        });
        advance(5 * MS).await;
        assert_eq!(waits.await.unwrap(), 1);
    });
}

#[test]
fn what_is_left_of_a_paused_run_cleans_up_in_its_time() {
    let (say, said) = std::sync::mpsc::channel();
    Sim::new().paused().run(async move {
        let cleanup = move || async move {
            sleep(5 * MS).await;
            say.send("clean").unwrap();
        };
        spawn(pirn_core::finally(pending::<()>(), cleanup)).detach();
        advance(MS).await;
    });
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
}

#[test]
fn a_thread_with_a_hold_keeps_the_clock() {
    for _ in 0..20 {
        Sim::new().run(async {
            let held = hold();
            let (tell, told) = futures::channel::oneshot::channel();
            let thread = thread::spawn(move || {
                thread::yield_now();
                tell.send(()).unwrap();
                drop(held);
            });
            pirn_timer::timeout(MS, told).await.unwrap().unwrap();
            assert_eq!(millis(), 0);
            sleep(MS).await; // and lets it go
            thread.join().unwrap();
        });
    }
}

#[test]
fn a_threshold_of_real_time_is_waited_for_before_each_jump() {
    let (start, real) = (Instant::now(), 20 * MS);
    Sim::new()
        .threshold(real)
        .run(async { sleep(3600 * 1000 * MS).await });
    assert!(start.elapsed() >= real);
}

#[test]
fn a_threshold_holds_a_deadlock_back_too() {
    let (tell, told) = futures::channel::oneshot::channel();
    let (begin, begun) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        begun.recv().unwrap();
        tell.send(7).unwrap();
    });
    let sim = Sim::new().threshold(Duration::from_secs(60));
    let got = sim.run(async {
        begin.send(()).unwrap();
        told.await
    });
    assert_eq!(got, Ok(7));
    thread.join().unwrap();
}

#[test]
fn all_are_blocked_when_nothing_is_ready_whatever_the_schedule() {
    check(100, || async {
        let log = Rc::new(RefCell::new(0));
        let steps = log.clone();
        spawn_local(async move {
            for _ in 0..20 {
                pirn_core::yield_now().await;
                *steps.borrow_mut() += 1;
            }
            sleep(MS).await;
            *steps.borrow_mut() += 1;
        })
        .detach();
        wait_all_blocked().await;
        assert_eq!((*log.borrow(), millis()), (20, 0));
        wait_all_blocked().cushion(2 * MS).await;
        assert_eq!((*log.borrow(), millis()), (21, 3));
    });
}

#[test]
fn of_several_who_wait_for_all_to_be_blocked_the_smallest_cushion_is_first() {
    check(30, || async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [3, 1, 2, 1]
            .map(|ms| {
                let log = log.clone();
                spawn_local(async move {
                    wait_all_blocked().cushion(ms * MS).await;
                    log.borrow_mut().push((ms, millis()));
                })
            })
            .into();
        for task in tasks {
            task.await.unwrap();
        }
        // Each one's going on is no rest for the others.
        assert_eq!(*log.borrow(), [(1, 1), (1, 1), (2, 3), (3, 6)]);
    });
}

#[test]
fn a_wait_for_all_to_be_blocked_that_is_dropped_is_forgotten() {
    let deadlock = Sim::new().try_run(async {
        let mut wait = Box::pin(wait_all_blocked().cushion(MS));
        let polled = futures::poll!(wait.as_mut());
        assert!(polled.is_pending());
        drop(wait);
        pending::<()>().await;
    });
    assert!(deadlock.is_err());
}
