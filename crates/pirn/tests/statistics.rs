//! What a runtime's executors have done and hold.
#![cfg(not(loom))]

use pirn::{Runtime, Statistics, run_until, spawn, spawn_local, statistics, to_thread, yield_now};
use std::future::pending;

#[test]
fn outside_a_runtime_there_is_nothing_to_be_seen() {
    assert_eq!(statistics(), Statistics::default());
    pirn::run(async {
        let elsewhere = to_thread(statistics).await.unwrap();
        assert_eq!(elsewhere, Statistics::default());
    });
    assert_eq!(statistics(), Statistics::default());
}

#[test]
fn on_one_thread_the_polls_and_tasks_of_it_are_counted_and_the_runtimes_own_is_no_task() {
    let mut runtime = Runtime::builder().current_thread().build().unwrap();
    let local = runtime.statistics().local.unwrap();
    assert_eq!((local.live, local.polls), (0, 0));
    runtime.run(yield_now()).unwrap();
    let before = runtime.statistics().local.unwrap().polls;
    let mut left = None;
    runtime
        .run(async {
            spawn(yield_now()).await.unwrap();
            left = Some(spawn_local(pending::<()>()));
            let here = statistics();
            assert!(here.pool.is_none());
            let local = here.local.unwrap();
            assert_eq!((local.live, local.queued, local.polls - before), (1, 1, 2));
            assert_eq!(
                run_until(async { statistics().local.unwrap().live }).unwrap(),
                1
            );
        })
        .unwrap();
    assert_eq!(runtime.statistics().local.unwrap().live, 1);
    drop(left);
    runtime.run(yield_now()).unwrap();
    assert_eq!(runtime.statistics().local.unwrap().live, 0);
}

#[test]
fn with_workers_theirs_are_to_be_seen_from_everywhere_and_the_main_threads_from_there() {
    for workers in [1, 3] {
        let mut runtime = Runtime::builder().workers(workers).build().unwrap();
        runtime
            .run(async {
                for _ in 0..10 {
                    let there = spawn(async { statistics() }).await.unwrap();
                    assert!(there.local.is_none());
                    let pool = there.pool.unwrap();
                    assert_eq!((pool.live, pool.workers.len()), (1, workers));
                }
                let here = statistics();
                assert_eq!(here.local.unwrap().live, 0);
                assert_eq!(here.pool.unwrap().live, 0);
            })
            .unwrap();
        let pool = runtime.statistics().pool.unwrap();
        assert_eq!(
            pool.workers.iter().map(|worker| worker.polls).sum::<u64>(),
            10
        );
    }
}
