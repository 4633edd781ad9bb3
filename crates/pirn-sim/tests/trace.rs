//! What a run tells of itself.

use pirn_core::TaskMeta;
use pirn_executor::{spawn, try_spawn};
use pirn_sim::{Sim, hold, random};
use pirn_timer::sleep;
use std::env;
use std::process::Command;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Something of everything.
async fn program() {
    let meta = TaskMeta::here().named("sleeper");
    let named = try_spawn(meta, sleep(5 * MS)).unwrap();
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            spawn(async move {
                pirn_core::yield_now().await;
                sleep((random() % 3) as u32 * MS).await;
                n
            })
        })
        .collect();
    let (tell, told) = futures::channel::oneshot::channel();
    let job = move || tell.send(1).unwrap();
    let pool = pirn_core::context::blocking().unwrap();
    pool.submit(Box::new(job)).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    told.await.unwrap();
    named.await.unwrap();
}

fn trace(sim: Sim) -> String {
    sim.run_traced(program()).1.to_string()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_seeds_differ() {
    let schedules = [
        |seed| Sim::new().seed(seed),
        |seed| Sim::new().schedule(seed),
        |seed| Sim::new().workers(3).seed(seed),
        |seed| Sim::new().ranked().seed(seed),
    ];
    for schedule in schedules {
        for seed in 0..20 {
            assert_eq!(trace(schedule(seed)), trace(schedule(seed)));
            assert_ne!(trace(schedule(seed)), trace(schedule(seed + 1)));
        }
    }
}

/// For the test below, which runs it in a process of its own.
#[test]
fn prints_a_trace_where_it_is_asked_for() {
    if env::var_os(ASKED).is_some() {
        println!("{}", trace(Sim::new().schedule(7)));
    }
}

const ASKED: &str = "PIRN_SIM_TEST_PRINTS";

#[test]
fn another_process_gives_the_same_bytes() {
    // What was done before in this process, and on this thread, is of no consequence.
    std::thread::spawn(|| trace(Sim::new())).join().unwrap();
    let here = trace(Sim::new().schedule(7));
    let mut other = Command::new(env::current_exe().unwrap());
    let test = "prints_a_trace_where_it_is_asked_for";
    other.args([test, "--exact", "--nocapture"]).env(ASKED, "1");
    let there = String::from_utf8(other.output().unwrap().stdout).unwrap();
    assert!(there.contains(&here), "{there}\nbut here:\n{here}");
}

#[test]
fn a_trace_says_who_woke_whom_and_when() {
    let sim = Sim::new();
    let trace = sim.trace();
    sim.run(async {
        let (tell, told) = futures::channel::oneshot::channel::<()>();
        let waits = try_spawn(TaskMeta::here().named("waits"), told).unwrap();
        sleep(1500 * MS).await;
        tell.send(()).unwrap();
        waits.await.unwrap().unwrap();
    });
    let trace = trace.to_string();
    let words: Vec<String> = trace
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.contains("spawned"))
        .collect();
    let expected = [
        "0.000000000 main poll",
        "0.000000000 main rest",
        "0.000000000 #1 waits poll",
        "0.000000000 #1 waits rest",
        "1.500000000 clock jumps from 0.000000000",
        "1.500000000 main woken by the clock",
        "1.500000000 main poll",
        "1.500000000 #1 waits woken by main",
        "1.500000000 main rest",
        "1.500000000 #1 waits poll",
        "1.500000000 #1 waits rest",
        "1.500000000 #1 waits returned",
        "1.500000000 main woken by #1 waits",
        "1.500000000 main poll",
        "1.500000000 main rest",
        "1.500000000 main returned",
    ];
    let differs = words.iter().zip(expected).find(|(a, b)| a != b);
    assert_eq!(differs, None, "{trace}");
}

#[test]
fn a_task_that_is_woken_twice_before_its_poll_is_woken_once() {
    let sim = Sim::new();
    let trace = sim.trace();
    sim.run(async {
        let mut rounds = 0;
        std::future::poll_fn(|cx| {
            rounds += 1;
            cx.waker().wake_by_ref();
            cx.waker().wake_by_ref();
            match rounds {
                3 => std::task::Poll::Ready(()),
                _ => std::task::Poll::Pending,
            }
        })
        .await;
    });
    let trace = trace.to_string();
    assert_eq!(trace.matches("woken by main").count(), 3, "{trace}");
}

#[test]
fn another_thread_wakes_from_outside() {
    let sim = Sim::new();
    let trace = sim.trace();
    sim.run(async {
        let held = hold();
        let (tell, told) = futures::channel::oneshot::channel();
        std::thread::spawn(move || {
            tell.send(()).unwrap();
            drop(held);
        });
        told.await.unwrap();
    });
    assert!(trace.to_string().contains("returned"));
}

#[test]
fn a_closure_for_a_thread_is_in_the_trace_and_its_turns_are_not() {
    let sim = Sim::new().seed(2);
    let trace = sim.trace();
    sim.run(async {
        let (tell, told) = futures::channel::oneshot::channel();
        let job = move || tell.send(1).unwrap();
        let pool = pirn_core::context::blocking().unwrap();
        pool.submit(Box::new(job)).unwrap();
        told.await.unwrap();
    });
    let trace = trace.to_string();
    let of_closure = |line: &&str| line.contains("closure 1");
    let lines: Vec<_> = trace.lines().filter(of_closure).collect();
    assert!(lines[0].contains("sent by main"), "{trace}");
    assert!(lines[1].ends_with("runs"), "{trace}");
    assert!(lines[2].ends_with("woken by closure 1"), "{trace}");
    assert!(lines[3].ends_with("done"), "{trace}");
}
