//! Many schedules, and what is said of the one that fails.

use futures::StreamExt;
use pirn_core::{context, yield_now};
use pirn_executor::spawn_local;
use pirn_sim::{Sim, check};
use pirn_timer::{now, sleep};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The order in which tasks of two turns each take theirs.
async fn order(tasks: u32) -> Vec<u32> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..tasks)
        .map(|number| {
            let order = Rc::clone(&order);
            spawn_local(async move {
                order.borrow_mut().push(number);
                yield_now().await;
                order.borrow_mut().push(number);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    order.take()
}

fn orders(sim: impl Fn(u64) -> Sim) -> BTreeSet<Vec<u32>> {
    (0..400).map(|seed| sim(seed).run(order(3))).collect()
}

#[test]
fn a_check_comes_upon_every_order_of_three_tasks_of_two_turns() {
    // 6! / 2!³ = 90 ways to interleave them.
    let mut seen = BTreeSet::new();
    for seed in 0..4000 {
        seen.insert(Sim::new().schedule(seed).run(order(3)));
    }
    assert_eq!(seen.len(), 90);
}

#[test]
fn a_check_comes_upon_two_locks_that_are_taken_in_two_orders_though_neither_is_waited_for() {
    let program = || async {
        let locks = [(); 2].map(|()| Arc::new(pirn_sync::Lock::new(())));
        let tasks = [[0, 1], [1, 0]].map(|order| {
            let [first, second] = order.map(|at| Arc::clone(&locks[at]));
            spawn_local(async move {
                let _first = first.lock().await;
                let _second = second.lock().await;
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    };
    assert!(Sim::new().try_run(program()).is_ok());
    let stuck = |seed: &u64| Sim::new().schedule(*seed).try_run(program()).is_err();
    let stuck: Vec<u64> = (0..400).filter(stuck).collect();
    // Of each kind of schedule.
    assert!(stuck.iter().any(|seed| seed % 4 == 0), "{stuck:?}");
    assert!(stuck.iter().any(|seed| seed % 4 == 1), "{stuck:?}");
    assert!(stuck.iter().any(|seed| seed % 4 > 1), "{stuck:?}");
}

#[test]
fn workers_let_one_task_lag_behind_more_than_one_queue_does() {
    let fifo = orders(|_| Sim::new());
    assert_eq!(fifo.len(), 1);
    let workers = orders(|seed| Sim::new().workers(3).seed(seed));
    assert!(workers.len() > 30, "{}", workers.len());
    // One has had both its turns before another had its first.
    let lags = |order: &Vec<u32>| order[0] == order[1];
    assert!(workers.iter().any(lags));
}

/// True if a task has had all its many turns before another one had its first.
fn is_very_late(sim: Sim) -> bool {
    sim.run(async {
        let fast = spawn_local(async {
            for _ in 0..25 {
                yield_now().await;
            }
        });
        let late = spawn_local(async move { fast.is_finished() });
        late.await.unwrap()
    })
}

#[test]
fn a_check_comes_upon_a_task_that_is_very_late() {
    let late = |sim: fn(u64) -> Sim| (0..400).filter(|seed| is_very_late(sim(*seed))).count();
    assert_eq!(late(|seed| Sim::new().seed(seed)), 0);
    assert!(late(|seed| Sim::new().schedule(seed)) > 10);
}

#[test]
fn one_worker_is_one_queue_in_which_some_go_first() {
    let one = orders(|seed| Sim::new().workers(1).seed(seed));
    assert!(one.contains(&vec![0, 1, 2, 0, 1, 2]));
    assert!(one.len() > 1);
}

/// Three closures beside a task that counts its turns: after which turn each of them ran.
fn moments(sim: Sim) -> Vec<(u32, u32)> {
    sim.run(async {
        let turns = Arc::new(AtomicU32::new(0));
        let (tell, mut told) = futures::channel::mpsc::unbounded();
        for number in 0..3 {
            let (tell, turns) = (tell.clone(), turns.clone());
            let job = move || tell.unbounded_send((turns.load(Relaxed), number)).unwrap();
            context::blocking().unwrap().submit(Box::new(job)).unwrap();
        }
        let counts = spawn_local(async move {
            for _ in 0..30 {
                yield_now().await;
                turns.fetch_add(1, Relaxed);
            }
        });
        let mut moments = Vec::new();
        for _ in 0..3 {
            moments.extend(told.next().await);
        }
        assert_eq!(now().as_nanos(), 0, "the clock waits for closures");
        counts.await.unwrap();
        moments
    })
}

#[test]
fn closures_for_threads_run_at_a_moment_that_the_seed_chooses() {
    assert_eq!(moments(Sim::new()), [(0, 0), (0, 1), (0, 2)]);
    let seen: BTreeSet<_> = (0..50).map(|seed| moments(Sim::new().seed(seed))).collect();
    assert!(seen.len() > 30, "{seen:?}");
    let is_overtaken = |ran: &Vec<(u32, u32)>| ran.windows(2).any(|two| two[0].1 > two[1].1);
    assert!(seen.iter().any(is_overtaken));
    assert!(seen.iter().any(|ran| ran[2].0 > 10), "one is slow");
}

#[test]
fn the_clock_does_not_jump_while_a_closure_is_on_its_way() {
    check(50, || async {
        let (tell, told) = futures::channel::oneshot::channel();
        let job = move || tell.send(()).unwrap();
        context::blocking().unwrap().submit(Box::new(job)).unwrap();
        let late = spawn_local(sleep(Duration::from_nanos(1)));
        told.await.unwrap();
        assert_eq!(now().as_nanos(), 0);
        late.await.unwrap();
    });
}

/// For the tests below, which run it in a process of its own.
#[test]
fn fails_under_some_seeds_where_it_is_asked_for() {
    if env::var_os(ASKED).is_none() {
        return;
    }
    check(50, || async {
        let order = order(3).await;
        println!("one run");
        assert!(order[0] != order[1], "{order:?}");
    });
}

const ASKED: &str = "PIRN_SIM_TEST_FAILS";
const FAILS: &str = "fails_under_some_seeds_where_it_is_asked_for";

fn run_it(variable: Option<(&str, &str)>) -> (Output, String, String) {
    run_one(FAILS, "1", variable)
}

fn run_one(name: &str, asked: &str, variable: Option<(&str, &str)>) -> (Output, String, String) {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([name, "--exact", "--nocapture"])
        .env(ASKED, asked)
        .env("CARGO_PKG_NAME", "pirn-sim");
    test.env_remove("PIRN_SEED").env_remove("PIRN_SEEDS");
    test.envs(variable);
    let output = test.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, out, err)
}

#[test]
fn a_failure_comes_with_its_seed_a_trace_and_a_line_that_repeats_it() {
    let (output, out, err) = run_it(None);
    assert!(!output.status.success());
    assert!(err.contains("main       panicked"), "{err}");
    let seed = err.split("PIRN_SEED=").nth(1).expect("a line to repeat it");
    let (seed, command) = seed.split_once(' ').unwrap();
    let test = command
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cargo test -p pirn-sim "))
        .and_then(|line| line.strip_suffix(" -- --exact"));
    assert_eq!(test, Some(FAILS));
    let runs = out.matches("one run").count();
    assert_eq!(runs, seed.parse::<usize>().unwrap() + 1);

    let (output, out, alone) = run_it(Some(("PIRN_SEED", seed)));
    assert!(!output.status.success());
    assert_eq!(out.matches("one run").count(), 1);
    let trace = |err: &str| {
        let trace = err.split("the last of its trace:\n").nth(1).unwrap();
        trace.split("pirn-sim:").next().unwrap().to_owned()
    };
    assert_eq!(trace(&err), trace(&alone));
}

#[test]
fn the_environment_says_how_many() {
    let (output, out, _) = run_it(Some(("PIRN_SEEDS", "1")));
    assert_eq!(out.matches("one run").count(), 1);
    assert!(output.status.success());
}

const FAILS_ONCE: &str = "fails_in_a_single_run_where_it_is_asked_for";

#[test]
fn fails_in_a_single_run_where_it_is_asked_for() {
    let asked = env::var(ASKED).unwrap_or_default();
    match asked.as_str() {
        "panic" => Sim::new().seed(7).run(async { panic!("as asked") }),
        "deadlock" => Sim::new().schedule(5).run(std::future::pending()),
        "no seed" => Sim::new().run(std::future::pending()),
        "try" => drop(Sim::new().seed(7).try_run(async { panic!("as asked") })),
        "nothing" => {
            let ended = Sim::new().seed(7).try_run(std::future::pending::<()>());
            assert!(ended.is_err());
        }
        _ => {}
    }
}

#[test]
fn a_single_run_that_fails_says_its_seed_and_how_to_run_it_again_once() {
    let alone =
        format!("pirn-sim: to run it alone: cargo test -p pirn-sim {FAILS_ONCE} -- --exact\n");
    for (asked, under) in [
        ("panic", "under seed 7"),
        ("deadlock", "under seed 5 (ranked)"),
        ("no seed", "in every run"),
        ("try", "under seed 7"),
    ] {
        let (output, _, err) = run_one(FAILS_ONCE, asked, None);
        assert!(!output.status.success());
        let told = format!("pirn-sim: it fails {under}\n{alone}");
        assert_eq!(err.matches(&told).count(), 1, "{err}");
        assert_eq!(err.matches("pirn-sim: it fails").count(), 1, "{err}");
    }
    // What was asked for as a value is no failure.
    let (output, _, err) = run_one(FAILS_ONCE, "nothing", None);
    assert!(output.status.success());
    assert!(!err.contains("pirn-sim:"), "{err}");
}
