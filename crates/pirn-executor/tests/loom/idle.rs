//! Who sleeps and who is woken: no work is left behind.

use pirn_core::shim::{Arc, model, thread};
use pirn_executor::internals::{Idle, Injector, Woken};

type Pool = Arc<(Idle, Injector<u32>)>;

fn pool(workers: usize) -> Pool {
    Arc::new((Idle::new(workers), Injector::default()))
}

#[test]
fn work_that_is_queued_while_a_worker_lies_down_is_seen_by_one_side() {
    model(|| {
        let pool = pool(1);
        let worker = pool.clone();
        let thread = thread::spawn(move || {
            worker.0.sleep(0, false);
            worker.1.is_empty()
        });
        pool.1.push([1]);
        let woken = pool.0.notify();
        let saw_nothing = thread.join().unwrap();
        assert!(
            !saw_nothing || woken == Some(0),
            "the work lies there and all sleep"
        );
    });
}

#[test]
fn a_searcher_that_finds_nothing_sees_what_was_left_to_it() {
    model(|| {
        let pool = pool(2);
        assert!(pool.0.search());
        let worker = pool.clone();
        let thread = thread::spawn(move || {
            worker.0.sleep(0, true);
            worker.1.is_empty()
        });
        pool.1.push([1]);
        // The pusher wakes nobody as long as somebody searches.
        let woken = pool.0.notify();
        let saw_nothing = thread.join().unwrap();
        assert!(
            !saw_nothing || woken == Some(0),
            "the work lies there and all sleep"
        );
    });
}

#[test]
fn a_searcher_that_finds_work_passes_the_search_on() {
    model(|| {
        let pool = pool(2);
        pool.0.sleep(1, false);
        assert!(pool.0.search());
        let worker = pool.clone();
        // It has found something else, and will be busy for long.
        let thread = thread::spawn(move || worker.0.found(|| !worker.1.is_empty()));
        pool.1.push([1]);
        let by_pusher = pool.0.notify();
        let by_searcher = thread.join().unwrap();
        assert_eq!(
            by_pusher.or(by_searcher),
            Some(1),
            "the work lies there and the other sleeps"
        );
        assert!(
            by_pusher.is_none() || by_searcher.is_none(),
            "one is woken once"
        );
    });
}

#[test]
fn what_a_searcher_took_along_is_seen_by_the_other_one_that_goes_to_sleep() {
    model(|| {
        let pool = pool(3);
        assert!(pool.0.search() && pool.0.search());
        let worker = pool.clone();
        let thread = thread::spawn(move || {
            worker.0.sleep(1, true);
            worker.1.is_empty()
        });
        pool.1.push([1]);
        let woken = pool.0.found(|| !pool.1.is_empty());
        let saw_nothing = thread.join().unwrap();
        assert!(
            !saw_nothing || woken == Some(1),
            "the work lies there and the other sleeps"
        );
    });
}

#[test]
fn two_who_queue_at_once_wake_one_searcher() {
    model(|| {
        let pool = pool(3);
        pool.0.sleep(0, false);
        pool.0.sleep(1, false);
        let other = pool.clone();
        let thread = thread::spawn(move || {
            other.1.push([1]);
            other.0.notify()
        });
        pool.1.push([2]);
        let woken = [pool.0.notify(), thread.join().unwrap()];
        assert_eq!(
            woken.iter().flatten().count(),
            1,
            "the second is woken by the first, if at all"
        );
        assert_eq!(pool.0.sleeping(), 1);
    });
}

#[test]
fn a_sleeper_that_gets_up_by_itself_is_woken_for_work_or_not() {
    model(|| {
        let pool = pool(2);
        pool.0.sleep(0, false);
        let worker = pool.clone();
        let thread = thread::spawn(move || worker.0.woken(0));
        pool.1.push([1]);
        let woken = pool.0.notify();
        match thread.join().unwrap() {
            Woken::ForWork => assert_eq!(woken, Some(0)),
            Woken::Otherwise => assert_eq!(woken, None),
        }
        assert_eq!(pool.0.sleeping(), 0);
    });
}

#[test]
fn the_last_of_two_searchers_wakes_the_sleeper() {
    model(|| {
        let pool = pool(4);
        pool.0.sleep(0, false);
        assert!(pool.0.search() && pool.0.search());
        let worker = pool.clone();
        // Both have found work, and took more along.
        let found = |pool: Pool| {
            pool.1.push([1]);
            pool.0.found(|| !pool.1.is_empty())
        };
        let thread = thread::spawn(move || found(worker));
        let woken = [found(pool), thread.join().unwrap()];
        let named: Vec<_> = woken.into_iter().flatten().collect();
        assert_eq!(named, [0], "one of them was the last");
    });
}

#[test]
fn the_last_of_two_searchers_sees_what_the_other_took_along() {
    model(|| {
        let pool = pool(4);
        pool.0.sleep(0, false);
        assert!(pool.0.search() && pool.0.search());
        let worker = pool.clone();
        let thread = thread::spawn(move || worker.0.found(|| !worker.1.is_empty()));
        pool.1.push([1]);
        let woken = [pool.0.found(|| !pool.1.is_empty()), thread.join().unwrap()];
        let named: Vec<_> = woken.into_iter().flatten().collect();
        assert_eq!(named, [0], "the work lies there and the other sleeps");
    });
}

#[test]
fn a_searcher_that_found_all_there_was_wakes_nobody() {
    model(|| {
        let pool = pool(4);
        pool.0.sleep(0, false);
        let worker = pool.clone();
        let thread = thread::spawn(move || {
            worker.1.push([1]);
            worker.0.notify()
        });
        assert!(pool.0.search());
        let mut found = Vec::new();
        pool.1.take(1, 1, &mut found);
        let by_searcher = pool.0.found(|| !pool.1.is_empty());
        let by_pusher = thread.join().unwrap();
        if found == [1] && by_pusher.is_none() {
            assert_eq!(by_searcher, None);
        }
        if found.is_empty() {
            assert_eq!(by_searcher.or(by_pusher), Some(0));
        }
    });
}
