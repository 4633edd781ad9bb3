//! How runs end that fail, and what is left then.

use pirn_core::{Cause, Scope, context, finally, panic_message, shield, yield_now};
use pirn_executor::{spawn, spawn_local};
use pirn_sim::{Sim, check, pause, random};
use pirn_sync::Lock;
use pirn_timer::{now, sleep};
use std::cell::Cell;
use std::env;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Calls `F` as it is dropped.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn panic_of<T>(run: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(_) => "it did not panic".to_owned(),
        Err(payload) => panic_message(&*payload).to_owned(),
    }
}

#[test]
fn after_a_panic_of_main_what_is_left_cleans_up_in_virtual_time_as_after_its_end() {
    let (say, said) = mpsc::channel();
    let main = async move {
        let says = say.clone();
        let cleans = move || async move {
            sleep(5 * MS).await;
            says.send(("clean", now().as_nanos())).unwrap();
        };
        spawn(finally(pending::<()>(), cleans)).detach();
        let dropped = Last(move || say.send(("dropped", now().as_nanos())).unwrap());
        spawn(async move {
            let _dropped = dropped;
            pending::<()>().await
        })
        .detach();
        sleep(MS).await;
        panic!("main failed");
    };
    assert_eq!(panic_of(|| Sim::new().run(main)), "main failed");
    let said: Vec<_> = said.try_iter().collect();
    assert_eq!(said, [("dropped", 1_000_000), ("clean", 6_000_000)]);
}

#[test]
fn a_hold_that_outlives_a_run_that_failed_does_not_keep_it_from_its_end() {
    let sim = Sim::new();
    let hold = sim.hold();
    let main = async {
        spawn(finally(pending::<()>(), || sleep(MS))).detach();
        yield_now().await;
        panic!("main failed");
    };
    assert_eq!(panic_of(|| sim.run(main)), "main failed");
    drop(hold);
}

/// Waits for ever, or as long as its function says, and panics as it is dropped.
struct Noisy<F>(F);

impl<T, F: FnMut() -> Poll<T> + Unpin> Future for Noisy<F> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        (self.0)()
    }
}

impl<F> Drop for Noisy<F> {
    fn drop(&mut self) {
        panic!("its destructor failed");
    }
}

#[test]
fn a_deadlock_is_told_also_where_the_future_panics_as_it_is_dropped() {
    let run = || Sim::new().run(Noisy(|| Poll::<()>::Pending));
    assert!(panic_of(run).starts_with("deadlock: "), "{}", panic_of(run));
}

#[test]
fn a_panic_of_main_is_told_also_where_its_future_panics_as_it_is_dropped() {
    let fails = || -> Poll<()> { panic!("main failed") };
    assert_eq!(panic_of(|| Sim::new().run(Noisy(fails))), "main failed");
}

#[test]
fn a_deadlock_is_told_also_where_a_future_panics_or_ends_as_it_is_looked_into() {
    let polls = Cell::new(0);
    let run = || {
        polls.set(0);
        Sim::new().run(poll_fn(|_| {
            polls.set(polls.get() + 1);
            match polls.get() {
                1 => Poll::<()>::Pending,
                _ => panic!("polled again"),
            }
        }))
    };
    assert!(panic_of(run).contains("nobody wakes it"));
    let run = || {
        polls.set(0);
        drop(Sim::new().run(poll_fn(|_| {
            polls.set(polls.get() + 1);
            match polls.get() {
                1 => Poll::Pending,
                _ => Poll::Ready(Last(|| panic!("its destructor failed"))),
            }
        })));
    };
    assert!(panic_of(run).contains("nobody wakes it"));
}

#[test]
fn what_a_main_future_holds_that_waits_for_ever_is_free_for_those_who_clean_up() {
    let (say, said) = mpsc::channel();
    let deadlock = Sim::new().try_run(async move {
        let lock = Arc::new(Lock::new(()));
        let taken = lock.clone().lock_owned().await;
        let cleans = move || async move {
            let _locked = lock.lock().await;
            say.send("clean").unwrap();
        };
        spawn(finally(pending::<()>(), cleans)).detach();
        pending::<()>().await;
        drop(taken);
    });
    assert_eq!(deadlock.unwrap_err().live, 2);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
}

/// Has a closure run on a thread, and waits for it.
async fn on_a_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = futures::channel::oneshot::channel();
    let job = move || drop(tell.send(f()));
    context::blocking().unwrap().submit(Box::new(job)).unwrap();
    told.await.expect("the closure runs")
}

#[test]
fn closures_that_clean_ups_wait_for_run_whether_they_were_sent_before_the_end_or_after() {
    for seed in 0..100 {
        let (say, said) = mpsc::channel();
        let again = say.clone();
        Sim::new().schedule(seed).run(async {
            let begun = Arc::new(AtomicU32::new(0));
            let (one, two) = (Arc::clone(&begun), Arc::clone(&begun));
            let region = shield(async move {
                one.fetch_add(1, Relaxed);
                let word = on_a_thread(|| "sent before").await;
                say.send(word).unwrap();
            });
            spawn(async move {
                region.await;
                pending::<()>().await;
            })
            .detach();
            let cleans = || async move {
                let word = on_a_thread(|| "sent after").await;
                again.send(word).unwrap();
            };
            let waits = async move {
                two.fetch_add(1, Relaxed);
                pending::<()>().await;
            };
            spawn(finally(waits, cleans)).detach();
            // Both have begun, and the closure perhaps not.
            while begun.load(Relaxed) < 2 {
                yield_now().await;
            }
        });
        let mut said: Vec<_> = said.try_iter().collect();
        said.sort_unstable();
        assert_eq!(said, ["sent after", "sent before"], "seed {seed}");
    }
}

#[test]
fn a_closure_that_nobody_waits_for_is_run_or_dropped_at_the_end_and_refused_after_it() {
    for seed in 0..20 {
        let dropped = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&dropped);
        let blocking = Sim::new().seed(seed).run(async move {
            let blocking = context::blocking().unwrap();
            for _ in 0..10 {
                let counts = Arc::clone(&counts);
                let last = Last(move || {
                    counts.fetch_add(1, Relaxed);
                });
                blocking.submit(Box::new(move || drop(last))).unwrap();
            }
            blocking
        });
        assert_eq!(dropped.load(Relaxed), 10);
        assert!(blocking.submit(Box::new(|| ())).is_err());
    }
}

#[test]
fn a_clean_up_that_pauses_the_clock_does_not_stop_it() {
    let (say, said) = mpsc::channel();
    Sim::new().run(async move {
        let cleans = move || async move {
            pause();
            sleep(MS).await;
            say.send(now().as_nanos()).unwrap();
        };
        spawn(finally(pending::<()>(), cleans)).detach();
        yield_now().await;
    });
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [1_000_000]);
}

#[test]
fn a_run_within_a_run_has_a_clock_and_a_seed_of_its_own() {
    let outer = || {
        Sim::new().seed(1).run(async {
            let other = spawn(async {
                sleep(2 * MS).await;
                now().as_nanos()
            });
            sleep(MS).await;
            let first = random();
            let inner = Sim::new().seed(2).run(async {
                let task = spawn(sleep(10 * MS));
                task.await.unwrap();
                (random(), now().as_nanos())
            });
            assert_eq!(now().as_nanos(), 1_000_000);
            sleep(MS).await;
            (
                first,
                inner,
                random(),
                now().as_nanos(),
                other.await.unwrap(),
            )
        })
    };
    let (_, (_, inner), _, end, other) = outer();
    assert_eq!((inner, end, other), (10_000_000, 2_000_000, 2_000_000));
    assert_eq!(outer(), outer());
    let failed = || Sim::new().run(async { Sim::new().run(pending::<()>()) });
    assert!(panic_of(failed).starts_with("deadlock: "));
}

#[test]
fn a_run_begins_in_the_destructor_of_a_task_of_another() {
    let (say, said) = mpsc::channel();
    Sim::new().run(async move {
        let last = Last(move || {
            Sim::new().run(async { sleep(MS).await });
            say.send(now().as_nanos()).unwrap();
        });
        let task = spawn_local(async move {
            let _last = last;
            pending::<()>().await
        });
        sleep(5 * MS).await;
        drop(task);
    });
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [5_000_000]);
}

/// For the tests below, which run it in a process of its own.
#[test]
fn ends_as_it_is_asked_to() {
    let crowd = || {
        for _ in 0..100 {
            spawn(pending::<()>()).detach();
        }
    };
    match env::var(ASKED).as_deref() {
        Ok("panic") => check(3, || async move {
            crowd();
            spawn(async { pirn_core::yield_now().await }).await.unwrap();
            panic!("main failed");
        }),
        Ok("deadlock") => check(3, || async move {
            crowd();
            sleep(MS).await;
            pending::<()>().await;
        }),
        Ok("child") => check(3, || async {
            spawn(async { panic!("child failed") }).await.unwrap();
        }),
        Ok("output") => drop(Sim::new().explore(
            3,
            None,
            || async { Err::<(), _>("it is bad") },
            Result::is_err,
        )),
        Ok("before") => check(3, || -> std::future::Ready<()> { panic!("no future") }),
        Ok("cancelled") => check(3, || async {
            let scope = Scope::current().unwrap();
            scope.cancel(Cause::requested("enough"));
            pending::<()>().await;
        }),
        Ok("passes") => check(3, || async move { println!("one run") }),
        _ => {}
    }
}

const ASKED: &str = "PIRN_SIM_TEST_ENDS";
const ENDS: &str = "ends_as_it_is_asked_to";

fn run_it(asked: &str, seed: Option<&str>) -> (Output, String, String) {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([ENDS, "--exact", "--nocapture"])
        .env(ASKED, asked);
    test.env_remove("PIRN_SEED").env_remove("PIRN_SEEDS");
    test.envs(seed.map(|seed| ("PIRN_SEED", seed)));
    let output = test.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, out, err)
}

#[test]
fn the_last_of_the_trace_is_what_came_before_the_end_however_many_are_cancelled_then() {
    let (_, _, err) = run_it("panic", None);
    assert!(err.contains("it fails under seed 0"), "{err}");
    assert!(err.contains(" main       panicked"), "{err}");
    let (_, _, err) = run_it("deadlock", None);
    assert!(err.contains("main       poll"), "{err}");
    assert!(err.contains("clock      jumps from 0.000000000"), "{err}");
}

#[test]
fn however_it_fails_the_line_that_repeats_it_is_told() {
    let told = [
        ("panic", "main failed"),
        ("deadlock", "deadlock: nothing is ready"),
        ("child", "child failed"),
        ("output", ""),
        ("before", "no future"),
        ("cancelled", "enough"),
    ];
    let line =
        format!("pirn-sim: to run it alone: PIRN_SEED=0 cargo test -p pirn-sim {ENDS} -- --exact");
    for (asked, what) in told {
        let (_, _, err) = run_it(asked, None);
        assert_eq!(err.matches(&line).count(), 1, "{asked}: {err}");
        assert!(err.contains(what), "{asked}: {err}");
    }
}

#[test]
fn the_greatest_seed_is_one_too() {
    let (output, out, err) = run_it("passes", Some("18446744073709551615"));
    assert!(output.status.success(), "{err}");
    assert_eq!(out.matches("one run").count(), 1);
}
