//! Polls that take too long. One test: the hook for reports is the process's.
#![cfg(not(loom))]

use pirn::report::{Report, set_hook};
use pirn::{Runtime, group};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_millis(160);

/// Keeps the thread for longer than the limit.
fn block() {
    let began = Instant::now();
    while began.elapsed() < LONG {
        std::thread::yield_now();
    }
}

#[test]
fn a_poll_that_is_too_long_is_reported_with_its_task_and_place() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    set_hook(Some(Arc::new(move |report: &Report| {
        if let Report::SlowPoll { took, .. } = report {
            assert!(*took >= LIMIT, "{took:?}");
            sink.lock().unwrap().push(report.to_string());
        }
    })));
    let take = || std::mem::take(&mut *seen.lock().unwrap());
    let on_both = |builder: &dyn Fn() -> pirn::Builder, test: &dyn Fn(&mut Runtime)| {
        test(&mut builder().current_thread().build().unwrap());
        test(&mut builder().workers(1).build().unwrap());
    };

    let limited = || Runtime::builder().slow_polls(LIMIT);
    on_both(&limited, &|runtime| {
        // A task, by its place, in the poll that was long and in no other.
        runtime
            .run(async {
                let task = pirn::spawn(async {
                    pirn::yield_now().await;
                    block();
                    pirn::yield_now().await;
                });
                task.await.unwrap();
            })
            .unwrap();
        let reports = take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(
            reports[0].starts_with("a poll of task spawned at "),
            "{}",
            reports[0]
        );
        assert!(reports[0].contains("slow.rs:"), "{}", reports[0]);
        assert!(reports[0].contains("to_thread"), "{}", reports[0]);

        // A child of a group, by its name. In a poll that is not its last: it is reported after the
        // poll, of which the last one has others go on.
        let ended = runtime.run(group(async |g| {
            g.spawn_named("blocker", async {
                block();
                pirn::yield_now().await;
                Ok::<_, String>(())
            });
            Ok(())
        }));
        ended.unwrap().unwrap();
        let reports = take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].contains("`blocker`"), "{}", reports[0]);

        // The main future, and one that panics.
        runtime.run(async { block() }).unwrap();
        let reports = take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].contains("`main`"), "{}", reports[0]);

        // What blocks where it may is none of its business.
        runtime
            .run(async { pirn::to_thread(block).await.unwrap() })
            .unwrap();
        assert_eq!(take(), [""; 0]);
    });

    let off = || Runtime::builder().slow_polls(None);
    on_both(&off, &|runtime| {
        runtime
            .run(async { pirn::spawn(async { block() }).await.unwrap() })
            .unwrap();
        assert_eq!(take(), [""; 0]);
    });

    // Debug builds do it without being asked.
    if cfg!(debug_assertions) {
        pirn::run(async { pirn::spawn(async { block() }).await }).unwrap();
        assert_eq!(take().len(), 1);
    }
    set_hook(None);
}
