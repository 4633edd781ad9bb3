//! `call_soon`, `call_later`, `call_at`: order, time, cancel, panics; in virtual time.

use pirn::report::{Report, set_hook};
use pirn::sim::{Sim, check};
use pirn::{
    Runtime, TaskLocal, call_at, call_later, call_soon, now, sleep, spawn, spawn_local, yield_now,
};
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once, mpsc};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// What was said, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl ToString) {
        self.0.lock().unwrap().push(what.to_string());
    }

    /// A closure that says it.
    fn says(&self, what: impl ToString) -> impl FnOnce() + Send + 'static {
        let (log, what) = (self.clone(), what.to_string());
        move || log.say(what)
    }

    #[track_caller]
    fn said(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expected);
    }
}

#[test]
fn a_call_runs_after_the_code_that_makes_it_and_in_turn_with_tasks() {
    let log = Log::default();
    let sim = log.clone();
    Sim::new().run(async move {
        call_soon(sim.says("call 1")).unwrap();
        let say = sim.says("task");
        spawn(async move { say() }).detach();
        call_soon(sim.says("call 2")).unwrap();
        sim.say("now");
        sleep(MS).await;
    });
    log.said(&["now", "call 1", "task", "call 2"]);
}

#[test]
fn calls_run_in_the_order_in_which_they_were_made_whatever_the_seed() {
    check(50, || async {
        let log = Log::default();
        for n in 0..5 {
            call_soon(log.says(n)).unwrap();
            spawn(yield_now()).detach();
        }
        call_later(MS, log.says(7)).unwrap();
        call_later(2 * MS, log.says(9)).unwrap();
        call_later(MS, log.says(8)).unwrap();
        let elsewhere = log.clone();
        let made = spawn(async move { call_soon(elsewhere.says(5)).unwrap() });
        drop(made.await.unwrap());
        call_soon(log.says(6)).unwrap();
        sleep(5 * MS).await;
        log.said(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    });
}

#[test]
fn a_call_that_is_made_by_a_call_has_a_turn_of_its_own() {
    let log = Log::default();
    let sim = log.clone();
    Sim::new().run(async move {
        let inner = sim.clone();
        call_soon(move || {
            call_soon(inner.says("inner")).unwrap();
            call_later(MS, inner.says("late")).unwrap();
            inner.say("outer");
        })
        .unwrap();
        call_soon(sim.says("second")).unwrap();
        sleep(2 * MS).await;
    });
    log.said(&["outer", "second", "inner", "late"]);
}

#[test]
fn a_call_is_never_early_and_the_earliest_is_first() {
    Sim::new().run(async {
        let start = now();
        let (sender, times) = mpsc::channel();
        let at = |delay: Duration| {
            let sender = sender.clone();
            let handle = call_later(delay, move || sender.send(now()).unwrap()).unwrap();
            assert_eq!(handle.when(), start + delay);
        };
        at(30 * MS);
        yield_now().await; // the driver sleeps until then
        yield_now().await;
        at(10 * MS);
        at(20 * MS);
        sleep(100 * MS).await;
        let expected = [10, 20, 30].map(|ms| start + ms * MS);
        assert_eq!(times.try_iter().collect::<Vec<_>>(), expected);
        // One for the past, and one after the driver has ended.
        let (sender, ran) = mpsc::channel();
        call_at(start, move || sender.send(now()).unwrap()).unwrap();
        let past = now();
        sleep(MS).await;
        assert_eq!(ran.recv(), Ok(past));
    });
}

#[test]
fn a_cancelled_call_does_not_run_and_its_closure_is_dropped_at_once() {
    Sim::new().run(async {
        let guard = Arc::new(());
        let hold = |guard: &Arc<()>| {
            let guard = Arc::clone(guard);
            move || panic!("cancelled {guard:?}")
        };
        let soon = call_soon(hold(&guard)).unwrap();
        let late = call_later(MS, hold(&guard)).unwrap();
        let first = call_later(Duration::from_nanos(1), hold(&guard)).unwrap();
        assert!(!soon.is_cancelled() && !late.is_cancelled());
        assert!(soon.cancel() && late.cancel() && first.cancel());
        assert!(soon.is_cancelled() && late.is_cancelled());
        assert!(!soon.cancel() && !late.cancel());
        assert_eq!(Arc::strong_count(&guard), 1);
        sleep(10 * MS).await;
    });
}

#[test]
fn a_cancel_after_the_call_is_too_late_and_says_so() {
    Sim::new().run(async {
        let (soon, late) = (call_soon(|| ()).unwrap(), call_later(MS, || ()).unwrap());
        sleep(2 * MS).await;
        assert!(!soon.cancel() && !late.cancel());
        assert!(!soon.is_cancelled() && !late.is_cancelled());
    });
}

#[test]
fn the_driver_does_not_sleep_for_a_call_that_was_cancelled() {
    // Its task has ended, and the clock has nowhere to jump to.
    let ended = Sim::new().try_run(async {
        let (far, near) = (call_later(100 * MS, || ()), call_later(50 * MS, || ()));
        yield_now().await;
        yield_now().await;
        near.unwrap().cancel();
        far.unwrap().cancel();
        std::future::pending::<()>().await;
    });
    assert_eq!(ended.unwrap_err().live, 1);
}

#[test]
fn dropping_a_handle_cancels_nothing() {
    Sim::new().run(async {
        let log = Log::default();
        drop(call_soon(log.says("soon")).unwrap());
        drop(call_later(MS, log.says("late")).unwrap());
        sleep(2 * MS).await;
        log.said(&["soon", "late"]);
    });
}

#[test]
fn a_panic_in_a_call_is_reported_and_stops_nothing() {
    let reported = reports();
    let log = Log::default();
    let sim = log.clone();
    let line = line!() + 2;
    Sim::new().run(async move {
        call_soon(|| panic!("out of luck")).unwrap();
        call_later(MS, || panic!("out of time")).unwrap();
        call_later(MS, sim.says("after")).unwrap();
        call_soon(sim.says("next")).unwrap();
        sleep(2 * MS).await;
    });
    log.said(&["next", "after"]);
    let reported = reported.lock().unwrap();
    let of = |text: &str| {
        let found: Vec<_> = reported.iter().filter(|r| r.contains(text)).collect();
        assert_eq!(found.len(), 1, "{reported:?}");
        found[0].clone()
    };
    assert!(of("out of luck").contains(&format!("calls.rs:{line}")));
    of("out of time");
}

#[test]
fn a_call_finds_copies_of_the_task_locals_around_its_maker() {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    Sim::new().run(async move {
        let ask = |sink: &Arc<Mutex<Vec<_>>>| {
            let sink = Arc::clone(sink);
            move || {
                sink.lock().unwrap().push(REQUEST.get());
                let _keep = REQUEST.set(99).unwrap();
            }
        };
        REQUEST.scope_sync(1, || {
            call_later(MS, ask(&sink)).unwrap();
            call_soon(ask(&sink)).unwrap();
        });
        call_soon(ask(&sink)).unwrap();
        call_later(MS, ask(&sink)).unwrap();
        sleep(2 * MS).await;
    });
    assert_eq!(*seen.lock().unwrap(), [Some(1), None, Some(1), None]);
}

#[test]
fn what_has_not_run_when_the_runtime_ends_is_dropped() {
    let guard = Arc::new(());
    let mut handles = Vec::new();
    Sim::new().run(async {
        let (one, two) = (Arc::clone(&guard), Arc::clone(&guard));
        handles.push(call_soon(move || drop(one)).unwrap());
        let late = call_later(Duration::from_secs(1 << 20), move || drop(two)).unwrap();
        yield_now().await;
        yield_now().await;
        assert!(!late.is_cancelled());
        std::mem::forget(late);
    });
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[test]
fn outside_a_runtime_nothing_is_taken() {
    assert_eq!(call_soon(|| ()).unwrap_err().what(), "queue of calls");
    assert!(call_later(MS, || ()).is_err());
}

#[test]
fn on_a_real_runtime_calls_run_in_order_on_the_thread_that_runs_it() {
    for mut runtime in [
        Runtime::builder().current_thread().build().unwrap(),
        Runtime::builder().workers(2).build().unwrap(),
    ] {
        let home = std::thread::current().id();
        let (sender, said) = mpsc::channel();
        let ended = runtime.run(async {
            let say = |n: u32| {
                let sender = sender.clone();
                move || sender.send((n, std::thread::current().id())).unwrap()
            };
            call_later(2 * MS, say(3)).unwrap();
            call_soon(say(0)).unwrap();
            let on_worker = say(1);
            spawn(async move { drop(call_soon(on_worker).unwrap()) })
                .await
                .unwrap();
            let shared = Rc::new(say(2));
            let local = async move { call_soon(Rc::into_inner(shared).unwrap()).unwrap() };
            drop(spawn_local(local).await.unwrap());
            sleep(20 * MS).await;
            let take = || {
                let mut taken = Vec::new();
                while let Ok((n, thread)) = said.try_recv() {
                    assert_eq!(thread, home);
                    taken.push(n);
                }
                taken
            };
            let before = take();
            for n in 0..10 {
                call_soon(say(n)).unwrap();
            }
            sleep(MS).await;
            (before, take())
        });
        let (mut before, after) = ended.unwrap();
        assert_eq!(after, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        before.retain(|n| *n != 3); // the timed one comes when it is due
        assert_eq!(before, [0, 1, 2]);
    }
}

struct PanicsAtDrop;
impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("a closure's destructor");
    }
}

#[test]
fn a_closure_whose_destructor_panics_does_not_keep_others_from_their_end() {
    let mut rt = Runtime::builder().current_thread().build().unwrap();
    let held = Arc::new(());
    let inside = held.clone();
    let handle = rt
        .run(async move {
            let hour = Duration::from_secs(3600);
            let bad = PanicsAtDrop;
            call_later(hour, move || drop(bad)).unwrap();
            call_later(2 * hour, move || drop(inside)).unwrap()
        })
        .unwrap();
    rt.shutdown().unwrap();
    assert!(handle.is_cancelled(), "it ended with its executor");
    assert_eq!(Arc::strong_count(&held), 1);
}

/// What went to the hook.
fn reports() -> Arc<Mutex<Vec<String>>> {
    static SEEN: Mutex<Option<Arc<Mutex<Vec<String>>>>> = Mutex::new(None);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        set_hook(Some(Arc::new(move |report: &Report| {
            sink.lock().unwrap().push(report.to_string());
        })));
        *SEEN.lock().unwrap() = Some(seen);
    });
    SEEN.lock().unwrap().clone().unwrap()
}
