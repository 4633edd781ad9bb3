//! Nobody works unwatched while another sleeps.

use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::internals::{Idle, Watches};

type Pool = Arc<(Idle, Watches)>;

fn pool(workers: usize) -> Pool {
    Arc::new((Idle::new(workers), Watches::default()))
}

/// Lies down as a worker of so many. True if it watches.
fn lie_down(pool: &Pool, worker: usize, workers: usize) -> bool {
    pool.0.sleep(worker, false);
    pool.0.sleeping() < workers
        && pool.1.take().is_some_and(|watch| {
            // For the rest of the model.
            std::mem::forget(watch);
            true
        })
}

/// Watches, and rises to work. Who is woken then.
fn watch_and_rise(pool: &Pool, worker: usize) -> Option<usize> {
    drop(pool.1.take());
    let _ = pool.0.woken(worker);
    pool.1.missing(&pool.0, |_| true)
}

#[test]
fn who_lies_down_as_another_rises_watches_or_is_woken() {
    model(|| {
        let pool = pool(2);
        pool.0.sleep(0, false);
        let other = pool.clone();
        let thread = thread::spawn(move || lie_down(&other, 1, 2));
        let _ = pool.0.woken(0);
        let woken = pool.1.missing(&pool.0, |_| true);
        let watches = thread.join().unwrap();
        assert!(watches || woken == Some(1));
    });
}

#[test]
fn who_lies_down_as_both_who_watch_rise_watches_or_is_woken() {
    model(|| {
        let pool = pool(3);
        pool.0.sleep(0, false);
        pool.0.sleep(1, false);
        let (first, second) = (pool.clone(), pool.clone());
        let one = thread::spawn(move || watch_and_rise(&first, 0));
        let two = thread::spawn(move || lie_down(&second, 2, 3));
        let woken = watch_and_rise(&pool, 1);
        let woken = [woken, one.join().unwrap()];
        let watches = two.join().unwrap();
        assert!(watches || woken.contains(&Some(2)));
    });
}

#[test]
fn who_is_driven_from_now_on_as_the_one_that_watches_lies_down_again_is_watched() {
    model(|| {
        let (pool, driven) = (pool(2), Arc::new(AtomicUsize::new(1)));
        pool.0.sleep(1, false);
        let watch = pool.1.take();
        let (other, free) = (pool.clone(), driven.clone());
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, as where a worker is counted; that it is seen in time is what is
            // checked.
            free.fetch_add(1, Relaxed);
            other.0.rise();
            other.1.missing(&other.0, |_| true)
        });
        drop(watch);
        let _ = pool.0.woken(1);
        pool.0.sleep(1, false);
        // Ordering: as above.
        let works = pool.0.sleeping() < driven.load(Relaxed);
        let watches = works && pool.1.take().is_some();
        assert!(watches || thread.join().unwrap() == Some(1));
    });
}
