//! Guest mode: a loop that owns the thread drives the runtime step by step.

use pirn::net::{TcpListener, TcpStream};
use pirn::{Guest, RunError, Runtime, call_soon, run_until, sleep, spawn, spawn_local, to_thread};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::task::Poll;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn runtimes() -> [Runtime; 2] {
    [
        Runtime::builder().current_thread().build().unwrap(),
        Runtime::builder().workers(2).build().unwrap(),
    ]
}

/// A loop that sleeps in its own way until it is told to take a step.
fn host<T: 'static>(mut guest: Guest<T>, events: &Receiver<()>) -> (Result<T, RunError>, Guest<T>) {
    loop {
        let told = events.recv_timeout(Duration::from_secs(20));
        told.expect("a step is announced when there is something to do");
        if let Poll::Ready(ended) = guest.step() {
            return (ended, guest);
        }
    }
}

fn run_as_guest<F>(runtime: Runtime, main: F) -> Result<F::Output, RunError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (sender, events) = channel();
    let guest = Guest::new(runtime, main, move || sender.send(()).unwrap_or(())).unwrap();
    host(guest, &events).0
}

#[test]
fn tasks_timers_sockets_and_threads_work_while_the_loop_sleeps_in_its_own_way() {
    for runtime in runtimes() {
        let main = async {
            sleep(MS).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr();
            let serving = spawn(async move { listener.accept().await.unwrap().1 });
            let local = Rc::new(3);
            let counting = spawn_local(async move {
                sleep(MS).await;
                *local
            });
            let stream = TcpStream::connect(address).await.unwrap();
            assert_eq!(serving.await.unwrap(), stream.local_addr().unwrap());
            let from_thread = to_thread(|| 4).await.unwrap();
            counting.await.unwrap() + from_thread
        };
        assert_eq!(run_as_guest(runtime, main).unwrap(), 7);
    }
}

#[test]
fn a_step_is_announced_once_and_runs_a_bounded_part() {
    for runtime in runtimes() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = wakes.clone();
        let wake = move || {
            count.fetch_add(1, SeqCst);
        };
        let polls = Rc::new(std::cell::Cell::new(0));
        let counting = polls.clone();
        let main = async move {
            loop {
                counting.set(counting.get() + 1);
                pirn::yield_now().await;
            }
        };
        let mut guest: Guest<()> = Guest::new(runtime, main, wake).unwrap();
        assert_eq!((wakes.load(SeqCst), polls.get()), (1, 0));
        for step in 1..5 {
            assert!(guest.step().is_pending());
            assert_eq!(wakes.load(SeqCst), step + 1);
        }
        let polled = polls.get();
        assert!((4..=4 * 61).contains(&polled), "{polled}");
    }
}

#[test]
fn what_only_the_loops_thread_may_touch_is_touched_there() {
    for runtime in runtimes() {
        let home = std::thread::current().id();
        let main = async move {
            let (sender, called) = channel();
            call_soon(move || sender.send(std::thread::current().id()).unwrap()).unwrap();
            sleep(MS).await;
            [std::thread::current().id(), called.try_recv().unwrap()]
        };
        assert_eq!(run_as_guest(runtime, main).unwrap(), [home; 2]);
    }
}

#[test]
fn a_guest_that_has_finished_gives_back_a_runtime_that_runs() {
    for runtime in runtimes() {
        let (sender, events) = channel();
        let main = async {
            let left = spawn_local(async {
                sleep(2 * MS).await;
                5
            });
            Some(left)
        };
        let guest = Guest::new(runtime, main, move || sender.send(()).unwrap_or(())).unwrap();
        let (left, guest) = host(guest, &events);
        let mut runtime = guest.finish();
        assert_eq!(runtime.run(left.unwrap().unwrap()).unwrap().unwrap(), 5);
        assert_eq!(
            runtime
                .run(async {
                    sleep(MS).await;
                    6
                })
                .unwrap(),
            6
        );
        runtime.shutdown().unwrap();
    }
}

#[test]
fn after_its_main_future_has_ended_its_tasks_go_on() {
    for runtime in runtimes() {
        let (sender, events) = channel();
        let (end, ended) = channel();
        let main = async move {
            spawn_local(async move {
                sleep(2 * MS).await;
                end.send(()).unwrap();
            })
            .detach();
        };
        let guest = Guest::new(runtime, main, move || sender.send(()).unwrap_or(())).unwrap();
        let (value, mut guest) = host(guest, &events);
        value.unwrap();
        while ended.try_recv().is_err() {
            events.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(guest.step().is_pending());
        }
    }
}

#[test]
fn a_panic_of_the_main_future_comes_out_of_the_step() {
    for runtime in runtimes() {
        let main = async {
            sleep(MS).await;
            panic!("as planned")
        };
        let run = AssertUnwindSafe(|| run_as_guest::<_>(runtime, main));
        let payload = catch_unwind(run).map(|_: Result<(), _>| ()).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"as planned"));
    }
}

#[test]
fn dropping_a_guest_cancels_its_main_future_and_waits_for_its_clean_up() {
    for runtime in runtimes() {
        let (sender, cleaned) = channel();
        let (wakes, events) = channel();
        let main = pirn::finally(pending::<()>(), move || async move {
            sleep(MS).await;
            sender.send("clean").unwrap();
        });
        let mut guest = Guest::new(runtime, main, move || wakes.send(()).unwrap_or(())).unwrap();
        events.recv().unwrap();
        assert!(guest.step().is_pending());
        drop(guest);
        assert_eq!(cleaned.recv(), Ok("clean"));
    }
}

#[test]
fn a_task_of_a_guest_may_run_it_in_place() {
    for runtime in runtimes() {
        let main = async {
            run_until(async {
                sleep(MS).await;
                8
            })
            .unwrap()
        };
        assert_eq!(run_as_guest(runtime, main).unwrap(), 8);
    }
}

#[test]
fn a_step_inside_a_runtime_is_refused() {
    let runtime = Runtime::builder().current_thread().build().unwrap();
    let mut guest = Guest::new(runtime, async {}, || ()).unwrap();
    let refused = pirn::run(async { guest.step() });
    assert!(matches!(refused, Poll::Ready(Err(RunError::Nested))));
}

#[test]
fn a_wake_that_panics_once_is_made_up_for() {
    let runtime = Runtime::builder().current_thread().build().unwrap();
    let calls = AtomicUsize::new(0);
    let (sender, events) = channel();
    let main = async {
        for _ in 0..3 {
            sleep(MS).await;
        }
    };
    let wake = move || {
        sender.send(()).unwrap_or(());
        assert_ne!(calls.fetch_add(1, SeqCst), 1, "once");
    };
    let mut guest = Guest::new(runtime, main, wake).unwrap();
    loop {
        events.recv_timeout(Duration::from_secs(20)).unwrap();
        let step = catch_unwind(AssertUnwindSafe(|| guest.step().is_ready()));
        if step.unwrap_or(false) {
            break;
        }
    }
}

#[test]
fn a_guest_whose_first_wake_panics_cleans_up() {
    let (rt, said) = with_clean_up();
    let made = catch_unwind(AssertUnwindSafe(|| {
        let _ = Guest::new(rt, async {}, || panic!("the loop is gone"));
    }));
    assert!(made.is_err());
    assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
}

fn with_clean_up() -> (Runtime, Receiver<&'static str>) {
    let mut rt = Runtime::builder().current_thread().build().unwrap();
    let (say, said) = channel();
    rt.run(async move {
        let cleanup = move || async move {
            sleep(Duration::from_millis(1)).await;
            say.send("clean").unwrap();
        };
        pirn::spawn(pirn::finally(std::future::pending::<()>(), cleanup)).detach();
        pirn::yield_now().await;
        pirn::yield_now().await;
    })
    .unwrap();
    (rt, said)
}

#[test]
fn a_guest_that_has_finished_tells_its_loop_nothing_more() {
    for runtime in runtimes() {
        let (sender, events) = channel();
        let main = sleep(20 * MS);
        let mut guest = Guest::new(runtime, main, move || sender.send(()).unwrap_or(())).unwrap();
        // Until it has nothing more to do.
        while events.try_recv().is_ok() {
            assert!(guest.step().is_pending());
        }
        let mut runtime = guest.finish();
        while events.try_recv().is_ok() {}
        runtime.run(sleep(40 * MS)).unwrap();
        runtime
            .run(async { spawn(async {}).await.unwrap() })
            .unwrap();
        drop(runtime);
        assert!(events.try_recv().is_err());
    }
}

#[test]
fn a_finished_guest_lets_go_of_its_wake() {
    let rt = Runtime::builder().current_thread().build().unwrap();
    let held = Arc::new(());
    let inside = held.clone();
    let mut guest = Guest::new(rt, std::future::pending::<()>(), move || {
        drop(inside.clone())
    })
    .unwrap();
    for _ in 0..4 {
        assert!(guest.step().is_pending());
    }
    let rt = guest.finish();
    assert_eq!(Arc::strong_count(&held), 1);
    drop(rt);
}

#[test]
fn a_guest_may_be_dropped_inside_another_runtime() {
    let rt = Runtime::builder().current_thread().build().unwrap();
    let mut guest = Guest::new(rt, async { sleep(Duration::from_secs(9)).await }, || ()).unwrap();
    assert!(guest.step().is_pending());
    pirn::run(async move {
        drop(guest);
        assert_eq!(pirn::spawn(async { 3 }).await.unwrap(), 3);
        assert_eq!(pirn::run_until(async { 4 }).unwrap_or(4), 4);
    });
}

/// In a process of its own, whose threads it counts and whose memory it limits.
#[test]
#[cfg(target_os = "linux")]
fn a_guest_that_cannot_be_made_cleans_up_and_leaves_no_thread() {
    const OWN: &str = "PIRN_TEST_GUEST_ALONE";
    if std::env::var_os(OWN).is_none() {
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .arg("a_guest_that_cannot_be_made_cleans_up_and_leaves_no_thread")
            .arg("--exact")
            .env(OWN, "1")
            .status();
        assert!(ended.unwrap().success());
        return;
    }
    // Before there is a stack of a former thread to be used again.
    let (runtime, said) = with_clean_up();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').next().unwrap().parse().unwrap();
    if limit_memory(&format!("{}:", pages * 4096 + (1 << 20))) {
        let refused = Guest::new(runtime, async {}, || ()).is_err();
        limit_memory("unlimited:");
        assert!(refused);
        assert_eq!(said.try_recv(), Ok("clean"));
    }

    let (runtime, said) = with_clean_up();
    let made = AssertUnwindSafe(|| drop(Guest::new(runtime, async {}, || panic!("no loop"))));
    assert!(catch_unwind(made).is_err());
    assert_eq!(said.try_recv(), Ok("clean"));
    // The system's list of threads lags behind a join.
    let end = Instant::now() + Duration::from_secs(20);
    while guest_threads() > 0 {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
}

/// False if the system has no tool for it.
#[cfg(target_os = "linux")]
fn limit_memory(to: &str) -> bool {
    let limited = std::process::Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--as={to}"))
        .status();
    limited.is_ok_and(|status| status.success())
}

#[cfg(target_os = "linux")]
fn guest_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "pirn-guest").count()
}
