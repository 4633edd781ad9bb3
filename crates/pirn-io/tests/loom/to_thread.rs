//! `to_thread`: the job's thread against the future and its drop.

use pirn_core::shim::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};
use pirn_core::shim::{Arc, block_on, model};
use pirn_core::{JoinError, current_cause};
use pirn_io::blocking::{BlockingPool, Builder};
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

fn pool() -> BlockingPool {
    Builder::new()
        .max_threads(1)
        .keep_alive(Duration::ZERO)
        .build()
}

fn end(pool: &BlockingPool) {
    block_on(pool.shutdown(pending())).expect("no deadline");
}

#[test]
fn a_changed_waker_is_the_one_that_is_woken() {
    model(|| {
        let pool = pool();
        let mut running = pin!(pool.run(|| 3));
        let first = running
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        assert_eq!(block_on(running).unwrap(), 3);
        end(&pool);
    });
}

#[test]
fn a_dropped_future_drops_its_closure_and_value_once() {
    model(|| {
        let pool = pool();
        let held = Arc::new(());
        {
            let holds = Arc::clone(&held);
            let mut running = pin!(pool.run(move || holds));
            let _ = running
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
        end(&pool);
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn a_future_ends_though_its_pool_closes() {
    model(|| {
        let pool = pool();
        let mut running = pin!(pool.run(|| 3));
        let first = running
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        pool.close();
        match block_on(running) {
            Ok(value) => assert_eq!(value, 3),
            Err(JoinError::Cancelled(_)) => {}
            Err(other) => panic!("{other}"),
        }
        end(&pool);
    });
}

/// What `told` says to a job, and the job to us.
#[derive(Default)]
struct Told {
    told: AtomicBool,
    unaware: AtomicBool,
}

impl Told {
    /// A job that must know that it is to end once it was `told`.
    fn job(told: &Arc<Told>) -> impl FnOnce() + Send + use<> {
        let own = Arc::clone(told);
        move || {
            // Ordering: Acquire, pairs with the Release in `tell`.
            if own.told.load(Acquire) && current_cause().is_none() {
                // Ordering: Relaxed, read after the pool's end.
                own.unaware.store(true, Relaxed);
            }
        }
    }

    fn tell(&self) {
        // Ordering: Release, pairs with the Acquire in `job`.
        self.told.store(true, Release);
    }

    fn end(&self, pool: &BlockingPool) {
        end(pool);
        // Ordering: see `job`.
        assert!(!self.unaware.load(Relaxed));
    }
}

#[test]
fn a_closure_that_runs_after_its_future_was_dropped_knows_it() {
    model(|| {
        let (pool, told) = (pool(), Arc::new(Told::default()));
        {
            let mut running = pin!(pool.run(Told::job(&told)));
            let _ = running
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
        told.tell();
        told.end(&pool);
    });
}

#[test]
fn a_closure_that_runs_after_its_pool_was_closed_knows_it() {
    model(|| {
        let (pool, told) = (pool(), Arc::new(Told::default()));
        let mut running = pin!(pool.run(Told::job(&told)));
        let first = running
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        pool.close();
        told.tell();
        match block_on(running) {
            Ok(()) | Err(JoinError::Cancelled(_)) => {}
            Err(other) => panic!("{other}"),
        }
        told.end(&pool);
    });
}
