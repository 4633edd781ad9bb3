//! Timers that are late.

use pirn_core::Instant;
use pirn_executor::{spawn, spawn_local};
use pirn_sim::net::Network;
use pirn_sim::{Sim, advance, check};
use pirn_timer::{interval, now, sleep, sleep_until, timeout};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::env;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// What is there after 10 ms is used after 11, which goes well as long as timers are exact.
async fn counts_on_durations() {
    let is_there = Rc::new(Cell::new(false));
    let makes = Rc::clone(&is_there);
    let maker = spawn_local(async move {
        sleep(10 * MS).await;
        makes.set(true);
    });
    sleep(11 * MS).await;
    assert!(is_there.get(), "it was used before it was there");
    maker.await.unwrap();
}

#[test]
fn a_check_finds_a_race_of_durations_with_late_timers_and_never_without() {
    check(2000, counts_on_durations);
    Sim::new()
        .jitter(Duration::ZERO)
        .check(500, counts_on_durations);
    let late = || Sim::new().jitter(5 * MS).check(50, counts_on_durations);
    let failed = catch_unwind(AssertUnwindSafe(late)).unwrap_err();
    let message = pirn_core::panic_message(&*failed);
    assert_eq!(message, "it was used before it was there");
}

/// The moments at which timers of several kinds fire, in nanoseconds.
async fn moments() -> Vec<u64> {
    let mut moments = Vec::new();
    let mut beat = interval(10 * MS);
    for _ in 0..5 {
        beat.tick().await;
        moments.push(now().as_nanos());
    }
    let slept = spawn(async {
        sleep(10 * MS).await;
        now().as_nanos()
    });
    let start = now();
    assert!(timeout(7 * MS, pending::<()>()).await.is_err());
    assert!(now() >= start + 7 * MS && now() <= start + 8 * MS);
    moments.push(now().as_nanos());
    moments.push(slept.await.unwrap());
    moments
}

#[test]
fn a_timer_is_never_early_and_late_by_no_more_than_was_said() {
    let mut all = BTreeSet::new();
    for seed in 0..200 {
        let late = Sim::new().schedule(seed).jitter(MS).run(moments());
        for (beat, at) in late[..5].iter().enumerate() {
            let due = beat as u64 * 10_000_000;
            assert!((due..=due + 1_000_000).contains(at), "{at} for {due}");
        }
        all.insert(late);
    }
    assert!(all.len() > 150);
    // Every other one is on time.
    let on_time = |late: &&Vec<u64>| late[1] == 10_000_000;
    let on_time = all.iter().filter(on_time).count();
    assert!((60..140).contains(&on_time), "{on_time}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_without_late_timers_it_is_as_it_was() {
    let trace = |sim: Sim| sim.run_traced(moments()).1.to_string();
    for seed in 0..40 {
        let plain = || Sim::new().schedule(seed);
        let late = trace(plain().jitter(MS));
        assert_eq!(late, trace(plain().jitter(MS)));
        assert_ne!(late, trace(plain()));
        assert_eq!(trace(plain()), trace(plain().jitter(Duration::ZERO)));
    }
    // Without a seed too, and then no task gives way for it.
    assert_eq!(trace(Sim::new().jitter(MS)), trace(Sim::new().jitter(MS)));
}

#[test]
fn a_time_that_has_come_is_not_late() {
    Sim::new().jitter(1000 * MS).check(20, || async {
        sleep_until(now()).await;
        sleep(Duration::ZERO).await;
        assert_eq!(now(), Instant::EPOCH);
        assert_eq!(timeout(MS, async { 7 }).await.unwrap(), 7);
        assert_eq!(now(), Instant::EPOCH);
    });
}

#[test]
fn the_clock_is_advanced_for_exactly_as_long_as_was_said() {
    Sim::new().paused().jitter(100 * MS).check(100, || async {
        let task = spawn(sleep(10 * MS));
        advance(MS).await;
        assert_eq!(now(), Instant::EPOCH + MS);
        assert!(!task.is_finished());
        advance(109 * MS).await;
        assert_eq!(now(), Instant::EPOCH + 110 * MS);
        assert!(task.is_finished());
    });
}

#[test]
fn a_bound_beyond_the_end_of_time_makes_no_timer_endless_or_early() {
    for seed in 0..20 {
        let sim = || Sim::new().seed(seed).jitter(Duration::MAX);
        let at = sim().run(async {
            sleep(10 * MS).await;
            now()
        });
        assert!(at >= Instant::EPOCH + 10 * MS && at < Instant::NEVER);
        let deadlock = sim().try_run(sleep(Duration::MAX)).unwrap_err();
        assert_eq!(deadlock.tasks()[0].waits_for(), ["a time that never comes"]);
    }
}

#[test]
fn what_is_on_the_way_in_a_network_is_late_too() {
    let connects = |seed| {
        Sim::new().seed(seed).jitter(5 * MS).run(async {
            let network = Network::new(1);
            let _listener = network.host("server").listen(80).unwrap();
            let client = network.host("client");
            client.connect(("server", 80)).await.unwrap();
            now().as_nanos()
        })
    };
    let all: BTreeSet<u64> = (0..50).map(connects).collect();
    assert!(all.iter().all(|at| (2_000_000..=12_000_000).contains(at)));
    assert!(all.len() > 20);
}

/// For the test below, which runs it in a process of its own.
#[test]
fn fails_where_timers_are_late_and_it_is_asked_for() {
    match env::var(ASKED).as_deref() {
        Ok("by the program") => Sim::new().jitter(5 * MS).check(50, counts_on_durations),
        Ok(_) => check(50, counts_on_durations),
        Err(_) => {}
    }
}

const ASKED: &str = "PIRN_SIM_TEST_LATE";
const FAILS: &str = "fails_where_timers_are_late_and_it_is_asked_for";

fn run_it(asked: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([FAILS, "--exact", "--nocapture"])
        .env(ASKED, asked);
    test.env_remove("PIRN_SEED").env_remove("PIRN_SEEDS");
    test.env_remove("PIRN_JITTER")
        .envs(variables.iter().copied());
    let output = test.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, err)
}

#[test]
fn a_failure_says_that_timers_were_late_and_the_line_that_repeats_it_too() {
    let (output, err) = run_it("by the program", &[]);
    assert!(!output.status.success());
    assert!(
        err.contains(", with timers up to 5ms late; the last of its trace:"),
        "{err}"
    );
    let line = err.split("to run it alone: PIRN_SEED=").nth(1).unwrap();
    let (seed, rest) = line.split_once(' ').unwrap();
    assert!(
        rest.starts_with("PIRN_JITTER=5ms cargo test ") && rest.contains(FAILS),
        "{rest}"
    );
    // By the environment alone it is the same run.
    let trace = |err: &str| {
        let trace = err.split("the last of its trace:\n").nth(1).unwrap();
        trace.split("pirn-sim:").next().unwrap().to_owned()
    };
    let (output, alone) = run_it("", &[("PIRN_SEED", seed), ("PIRN_JITTER", "5ms")]);
    assert!(!output.status.success());
    assert_eq!(trace(&err), trace(&alone));
    // And zero is no jitter, whatever the program says.
    let (output, _) = run_it("by the program", &[("PIRN_JITTER", "0s")]);
    assert!(output.status.success());
    let (output, err) = run_it("", &[("PIRN_JITTER", "-5ms")]);
    assert!(!output.status.success());
    assert!(
        err.contains("PIRN_JITTER is to be a duration such as 5ms, not `-5ms`"),
        "{err}"
    );
}
