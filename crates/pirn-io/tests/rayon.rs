//! Closures on rayon's threads.
#![cfg(not(loom))]

mod util;

use pirn_core::shim::block_on;
use pirn_core::{Blocking, JoinError, Kind, TaskLocal, current_cause};
use pirn_io::blocking::{RayonPool, to_rayon};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use util::everywhere;

fn pool(threads: usize) -> RayonPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    RayonPool::from(Arc::new(pool.build().unwrap()))
}

#[test]
fn a_value_comes_back_and_ran_on_a_thread_of_rayons() {
    everywhere(|| async {
        let there = to_rayon(rayon::current_thread_index).await.unwrap();
        assert!(there.is_some());
    });
}

#[test]
fn a_pool_of_ones_own_runs_what_rayon_does_in_the_closure_as_well() {
    let sizes = || (rayon::current_num_threads(), rayon::join(|| 1, || 2));
    assert_eq!(block_on(pool(3).run(sizes)).unwrap(), (3, (1, 2)));
}

#[test]
fn a_panic_comes_back_with_its_payload_and_the_thread_lives_on() {
    let pool = pool(1);
    match block_on(pool.run(|| -> () { std::panic::panic_any(7_u8) })).unwrap_err() {
        JoinError::Panicked(panic) => assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u8)),
        other => panic!("{other:?}"),
    }
    assert_eq!(block_on(pool.run(|| 1)).unwrap(), 1);
}

#[test]
fn a_closure_finds_a_copy_of_the_task_locals_around_it() {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    let asking = REQUEST.scope(7, async { to_rayon(|| REQUEST.get()).await });
    assert_eq!(block_on(asking).unwrap(), Some(7));
}

#[test]
fn a_running_closure_is_told_that_its_future_was_dropped() {
    let pool = pool(1);
    let (runs, running) = channel();
    let (tells, told) = channel();
    {
        let mut future = pin!(pool.run(move || {
            runs.send(()).unwrap();
            loop {
                match current_cause() {
                    Some(cause) => return tells.send(cause.kind()).unwrap(),
                    None => std::thread::yield_now(),
                }
            }
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        running.recv().unwrap();
    }
    assert_eq!(told.recv(), Ok(Kind::Dropped));
}

#[test]
fn a_future_dropped_before_its_start_drops_the_closure_unrun() {
    let pool = pool(1);
    let (open, opened) = channel::<()>();
    pool.submit(Box::new(move || opened.recv().unwrap()))
        .unwrap();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    {
        let mut queued = pin!(pool.run(move || unreachable!("{holds:?}")));
        let mut cx = Context::from_waker(Waker::noop());
        let polled: std::task::Poll<Result<(), _>> = queued.as_mut().poll(&mut cx);
        assert!(polled.is_pending());
    }
    assert_eq!(Arc::strong_count(&held), 1);
    open.send(()).unwrap();
    block_on(pool.run(|| ())).unwrap();
}

#[test]
fn a_value_that_nobody_wants_and_whose_destructor_panics_does_not_end_the_program() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let pool = pool(1);
    let (runs, running) = channel();
    let (open, opened) = channel::<()>();
    {
        let mut future = pin!(pool.run(move || {
            runs.send(()).unwrap();
            opened.recv().unwrap();
            Bomb
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        running.recv().unwrap();
    }
    open.send(()).unwrap();
    assert_eq!(block_on(pool.run(|| 1)).unwrap(), 1);
}
