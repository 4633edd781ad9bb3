//! Jobs in processes. A program of its own, since the workers are this program started once more.
#![cfg(not(loom))]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use pirn::process_pool::{CallError, Job, ProcessPool, serve};
    use pirn::timeout;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        name: String,
        lines: BTreeMap<u32, f64>,
        note: Option<Box<Order>>,
    }

    const SQUARE: Job<u64, u64> = Job::new("square", |n| n * n);
    const ECHO: Job<Order, Order> = Job::new("echo", |order| order);
    const PROCESS: Job<(), u32> = Job::new("process", |()| std::process::id());
    const PANIC: Job<String, ()> = Job::new("panic", |message| panic!("{message}"));
    const ABORT: Job<(), ()> = Job::new("abort", |()| std::process::abort());
    const EXIT: Job<i32, ()> = Job::new("exit", |code| std::process::exit(code));
    const FOREVER: Job<(), ()> = Job::new("forever", |()| {
        loop {
            std::thread::park();
        }
    });
    /// Starts a program that goes on, and crashes.
    const LEAVE: Job<(), ()> = Job::new("leave", |()| {
        let mut sleep = std::process::Command::new("sleep");
        drop(sleep.arg("20").spawn().unwrap());
        std::process::abort()
    });
    const PRINT: Job<(), usize> = Job::new("print", |()| {
        println!("a job may print; this line stands among the test's errors");
        std::io::stdin().lines().count()
    });
    const LARGE: Job<Vec<u8>, Vec<u8>> = Job::new("large", |mut bytes| {
        bytes.reverse();
        bytes
    });
    const NESTED: Job<(), String> = Job::new("nested", |()| {
        let made = std::panic::catch_unwind(|| ProcessPool::new(1));
        match made.unwrap_err().downcast_ref::<&str>() {
            Some(message) => (*message).to_owned(),
            None => "something else".to_owned(),
        }
    });
    /// Not among those that are served.
    const UNSERVED: Job<(), ()> = Job::new("unserved", |()| ());
    /// Of another type than the worker's of that name.
    const OTHER: Job<String, u64> = Job::new("square", |_| 0);

    pub(super) fn main() {
        serve(&[
            &SQUARE, &ECHO, &PROCESS, &PANIC, &ABORT, &EXIT, &FOREVER, &PRINT, &LARGE, &NESTED,
            &LEAVE,
        ]);
        if std::env::args().nth(1).as_deref() == Some(VICTIM) {
            return be_a_victim();
        }
        let tests: [(&str, fn()); 11] = [
            (
                "values_go_there_and_come_back",
                values_go_there_and_come_back,
            ),
            ("processes_are_used_again", processes_are_used_again),
            (
                "jobs_run_at_once_and_wait_beyond_that",
                jobs_run_at_once_and_wait_beyond_that,
            ),
            (
                "a_panic_is_an_error_and_its_process_goes_on",
                a_panic_is_an_error_and_its_process_goes_on,
            ),
            (
                "a_crash_is_an_error_for_its_job_alone",
                a_crash_is_an_error_for_its_job_alone,
            ),
            (
                "a_crash_is_seen_while_a_program_that_the_job_started_goes_on",
                a_crash_is_seen_while_a_program_that_the_job_started_goes_on,
            ),
            (
                "an_idle_process_that_was_killed_is_replaced",
                an_idle_process_that_was_killed_is_replaced,
            ),
            (
                "a_call_that_is_dropped_kills_its_process",
                a_call_that_is_dropped_kills_its_process,
            ),
            ("what_does_not_fit_is_said_so", what_does_not_fit_is_said_so),
            ("rest_ends_the_idle_processes", rest_ends_the_idle_processes),
            (
                "a_job_ends_with_the_program_that_called_it",
                a_job_ends_with_the_program_that_called_it,
            ),
        ];
        for (name, test) in tests {
            println!("test {name} ...");
            test();
        }
        println!("test result: ok. {} passed", tests.len());
    }

    fn values_go_there_and_come_back() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            assert_eq!(pool.call(&SQUARE, &12).await.unwrap(), 144);
            let order = Order {
                name: "warp".to_owned(),
                lines: BTreeMap::from([(1, f64::INFINITY), (7, -0.5)]),
                note: None,
            };
            let nested = Order {
                note: Some(Box::new(order.clone())),
                ..order
            };
            assert_eq!(pool.call(&ECHO, &nested).await.unwrap(), nested);
            // Jobs print elsewhere than where the answers go, and find no input.
            assert_eq!(pool.call(&PRINT, &()).await.unwrap(), 0);
            let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
            let mut back = pool.call(&LARGE, &large).await.unwrap();
            back.reverse();
            assert!(back == large);
            let refused = pool.call(&NESTED, &()).await.unwrap();
            assert!(refused.contains("makes no pool"), "{refused}");
        });
    }

    fn processes_are_used_again() {
        pirn::run(async {
            let pool = ProcessPool::new(4);
            let first = pool.call(&PROCESS, &()).await.unwrap();
            assert_ne!(first, std::process::id());
            for _ in 0..20 {
                assert_eq!(pool.call(&PROCESS, &()).await.unwrap(), first);
            }
            assert_eq!(pool.idle(), 1);
        });
    }

    fn jobs_run_at_once_and_wait_beyond_that() {
        pirn::run(async {
            let pool = &ProcessPool::new(3);
            // Two that never end leave one process for the others.
            let stuck = async {
                futures::future::join(pool.call(&FOREVER, &()), pool.call(&FOREVER, &())).await
            };
            let others = async {
                for n in 0..10 {
                    assert_eq!(pool.call(&SQUARE, &n).await.unwrap(), n * n);
                }
            };
            let (stuck, others) = (std::pin::pin!(stuck), std::pin::pin!(others));
            let first = futures::future::select(stuck, others).await;
            assert!(matches!(first, futures::future::Either::Right(_)));
        });
    }

    fn a_panic_is_an_error_and_its_process_goes_on() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let process = pool.call(&PROCESS, &()).await.unwrap();
            let error = pool
                .call(&PANIC, &"out of thread".to_owned())
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), "the job panicked: out of thread");
            assert_eq!(pool.call(&PROCESS, &()).await.unwrap(), process);
        });
    }

    fn a_crash_is_an_error_for_its_job_alone() {
        pirn::run(async {
            let pool = ProcessPool::new(2);
            match pool.call(&ABORT, &()).await.unwrap_err() {
                CallError::Crashed(status) => assert_eq!(status.signal(), Some(6)),
                other => panic!("{other}"),
            }
            match pool.call(&EXIT, &3).await.unwrap_err() {
                CallError::Crashed(status) => assert_eq!(status.code(), Some(3)),
                other => panic!("{other}"),
            }
            assert_eq!(pool.call(&SQUARE, &5).await.unwrap(), 25);
            let error = pool.call(&ABORT, &()).await.unwrap_err();
            assert_eq!(error.to_string(), "the job's process died of SIGABRT");
        });
    }

    fn a_crash_is_seen_while_a_program_that_the_job_started_goes_on() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let left = timeout(Duration::from_secs(10), pool.call(&LEAVE, &())).await;
            let crashed = left.expect("the program holds nothing of the worker's");
            assert!(matches!(crashed, Err(CallError::Crashed(_))), "{crashed:?}");
        });
    }

    fn an_idle_process_that_was_killed_is_replaced() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let process = pool.call(&PROCESS, &()).await.unwrap();
            let mut kill = std::process::Command::new("sh");
            kill.args(["-c", &format!("kill -9 {process}")]);
            let killed = pirn::process::output(&mut kill).await.unwrap();
            assert!(killed.status.success());
            // It is dead as soon as the system says so: of all its threads the first is left, a zombie.
            let threads = || std::fs::read_dir(format!("/proc/{process}/task"));
            while std::path::Path::new(&format!("/proc/{process}/exe")).exists()
                || threads().is_ok_and(|threads| threads.count() > 1)
            {
                pirn::yield_now().await;
            }
            assert_ne!(pool.call(&PROCESS, &()).await.unwrap(), process);
        });
    }

    fn a_call_that_is_dropped_kills_its_process() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let process = pool.call(&PROCESS, &()).await.unwrap();
            let limit = Duration::from_millis(20);
            timeout(limit, pool.call(&FOREVER, &())).await.unwrap_err();
            assert_eq!(pool.idle(), 0);
            assert_ne!(pool.call(&PROCESS, &()).await.unwrap(), process);
        });
    }

    fn what_does_not_fit_is_said_so() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let error = pool.call(&UNSERVED, &()).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "the job `unserved` is not among those given to `serve`"
            );
            let error = pool.call(&OTHER, &"text".to_owned()).await.unwrap_err();
            assert!(matches!(error, CallError::Format(_)), "{error}");
            assert_eq!(pool.call(&SQUARE, &3).await.unwrap(), 9);
        });
        let refused = std::panic::catch_unwind(|| ProcessPool::new(0)).unwrap_err();
        assert!(
            refused
                .downcast_ref::<&str>()
                .unwrap()
                .contains("at least 1")
        );
        let twice = std::panic::catch_unwind(|| serve(&[&SQUARE, &OTHER])).unwrap_err();
        assert!(twice.downcast_ref::<String>().unwrap().contains("`square`"));
    }

    fn rest_ends_the_idle_processes() {
        pirn::run(async {
            let pool = ProcessPool::new(2);
            pool.call(&SQUARE, &2).await.unwrap();
            assert_eq!(pool.idle(), 1);
            pool.rest().await.unwrap();
            assert_eq!(pool.idle(), 0);
            assert_eq!(pool.call(&SQUARE, &2).await.unwrap(), 4);
        });
    }

    const VICTIM: &str = "--victim";

    /// A program that is killed while its worker is busy.
    fn be_a_victim() {
        pirn::run(async {
            let pool = ProcessPool::new(1);
            let worker = pool.call(&PROCESS, &()).await.unwrap();
            let mut job = std::pin::pin!(pool.call(&FOREVER, &()));
            assert!(futures::poll!(job.as_mut()).is_pending()); // it was sent
            println!("{worker}");
            let _ = job.await;
        });
    }

    fn a_job_ends_with_the_program_that_called_it() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut victim = Command::new(std::env::current_exe().unwrap());
        let mut victim = victim.arg(VICTIM).stdout(Stdio::piped()).spawn().unwrap();
        let mut worker = String::new();
        let mut said = BufReader::new(victim.stdout.take().unwrap());
        said.read_line(&mut worker).unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        let ends = std::time::Instant::now() + Duration::from_secs(10);
        while runs(worker.trim()) {
            assert!(std::time::Instant::now() < ends, "the worker goes on");
        }
    }

    /// Whether the process is there, and not only waits to be reaped.
    fn runs(id: &str) -> bool {
        let ps = std::process::Command::new("ps")
            .args(["-o", "stat=", "-p", id])
            .output();
        let state = ps.unwrap().stdout;
        state.first().is_some_and(|state| *state != b'Z')
    }
}
