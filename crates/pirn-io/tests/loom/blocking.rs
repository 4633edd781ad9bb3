//! The blocking pool: jobs against sleepers, departing threads and the end.

use pirn_core::Blocking;
use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, Condvar, Mutex, block_on, model, thread};
use pirn_io::blocking::{BlockingPool, Builder};
use std::future::pending;
use std::time::Duration;

fn pool(threads: usize, keep_alive: u64) -> BlockingPool {
    Builder::new()
        .max_threads(threads)
        .keep_alive(Duration::from_secs(keep_alive))
        .build()
}

/// A job that counts that it ran.
fn counting(ran: &Arc<AtomicUsize>) -> Box<dyn FnOnce() + Send> {
    let ran = Arc::clone(ran);
    Box::new(move || {
        // Ordering: a statistic, read after the pool's end.
        ran.fetch_add(1, Relaxed);
    })
}

fn end(pool: &BlockingPool) {
    block_on(pool.shutdown(pending())).expect("no deadline");
}

#[test]
fn a_job_runs_whether_its_thread_rests_already_or_not_yet() {
    model(|| {
        let pool = pool(1, 1);
        for _ in 0..2 {
            assert_eq!(block_on(pool.run(|| 5)).unwrap(), 5);
        }
        end(&pool);
    });
}

#[test]
fn a_job_runs_though_its_thread_is_about_to_go() {
    model(|| {
        let pool = pool(1, 0);
        for _ in 0..2 {
            assert_eq!(block_on(pool.run(|| 5)).unwrap(), 5);
        }
        end(&pool);
    });
}

#[test]
fn two_submitters_and_one_thread_that_may_be_going_run_both_jobs() {
    model(|| {
        let pool = pool(1, 0);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || block_on(pool.run(|| 1)).unwrap())
        };
        assert_eq!(block_on(pool.run(|| 2)).unwrap(), 2);
        assert_eq!(other.join().unwrap(), 1);
        end(&pool);
    });
}

#[test]
fn two_jobs_that_wait_for_each_other_each_get_a_thread() {
    model(|| {
        let pool = pool(2, 1);
        let meeting = Arc::new((Mutex::new(0), Condvar::new()));
        for _ in 0..2 {
            let meeting = Arc::clone(&meeting);
            let meet = move || {
                let (there, changed) = &*meeting;
                let mut there = there.lock();
                *there += 1;
                changed.notify_all();
                while *there < 2 {
                    there = changed.wait(there);
                }
            };
            pool.submit(Box::new(meet)).unwrap();
        }
        let (there, changed) = &*meeting;
        let mut there = there.lock();
        while *there < 2 {
            there = changed.wait(there);
        }
        drop(there);
        end(&pool);
    });
}

#[test]
fn a_shutdown_runs_or_drops_each_job_and_waits_for_every_thread() {
    model(|| {
        let pool = pool(1, 1);
        let ran = Arc::new(AtomicUsize::new(0));
        pool.submit(counting(&ran)).unwrap();
        let late = {
            let (pool, job) = (pool.clone(), counting(&ran));
            thread::spawn(move || pool.submit(job).is_ok())
        };
        end(&pool);
        let _taken = late.join().unwrap();
        assert_eq!(pool.statistics().threads, 0);
        // Each job is run, or dropped, or refused: nobody holds the counter any more.
        assert_eq!(Arc::strong_count(&ran), 1);
    });
}
