//! Models of groups in one task: other threads spawn into it, wake its children and cancel it, while
//! one polls it.

use crate::group::{Dropped, count, done};
use crate::signal::Signal;
use pirn_core::Cause;
use pirn_core::shim::atomic::AtomicUsize;
use pirn_core::shim::{self, block_on, thread};
use pirn_group::{GroupError, InTask, TaskGroup, group_in_task};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};

type Handle = TaskGroup<u8, InTask<'static>>;

/// A group that was polled once, and its handle.
struct Started {
    future: Pin<Box<dyn Future<Output = Result<(), GroupError<u8>>> + Send>>,
    handle: Handle,
}

impl Started {
    fn new<F>(body: impl FnOnce(Handle) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), u8>> + Send + 'static,
    {
        let (send, receive) = channel();
        let mut future: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(group_in_task(move |g: Handle| {
                send.send(g.clone()).unwrap();
                body(g)
            }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let handle = receive.recv().unwrap();
        Started { future, handle }
    }
}

/// A child that says that it ran.
async fn says(signal: Signal) -> Result<(), u8> {
    signal.raise();
    Ok(())
}

#[test]
fn a_child_that_another_thread_spawns_as_the_turn_ends_is_polled() {
    shim::model(|| {
        let ran = Signal::default();
        let runs = ran.raised();
        let Started { future, handle } = Started::new(async |_| {
            runs.await;
            Ok(())
        });
        let spawner = thread::spawn(move || drop(handle.spawn(says(ran))));
        block_on(future).unwrap();
        spawner.join().unwrap();
    });
}

#[test]
fn of_two_children_that_two_threads_spawn_none_is_left_behind() {
    shim::model(|| {
        let (one, two) = (Signal::default(), Signal::default());
        let (first, second) = (one.raised(), two.raised());
        let Started { future, handle } = Started::new(async |_| {
            first.await;
            second.await;
            Ok(())
        });
        let other = handle.clone();
        let spawners = [
            thread::spawn(move || drop(handle.spawn(says(one)))),
            thread::spawn(move || drop(other.spawn(says(two)))),
        ];
        block_on(future).unwrap();
        spawners
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn children_that_another_thread_wakes_as_the_turn_ends_are_polled_again() {
    shim::model(|| {
        let (one, two) = (Signal::default(), Signal::default());
        let (first, second) = (one.raised(), two.raised());
        let Started { future, .. } = Started::new(async |g| {
            for raised in [first, second] {
                g.spawn(async {
                    raised.await;
                    Ok(())
                });
            }
            Ok(())
        });
        let waking = thread::spawn(move || {
            one.raise();
            two.raise();
        });
        block_on(future).unwrap();
        waking.join().unwrap();
    });
}

#[test]
fn a_cancel_from_another_thread_as_the_turn_ends_ends_the_children() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let guards = [Dropped(dropped.clone()), Dropped(dropped.clone())];
        let Started { future, handle } = Started::new(async |g| {
            for guard in guards {
                g.spawn::<_, ()>(async {
                    let _guard = guard;
                    pending().await
                });
            }
            pending::<Result<(), u8>>().await
        });
        let canceller = thread::spawn(move || handle.cancel(Cause::requested("stop")));
        assert!(block_on(future).unwrap_err().cause().is_some());
        assert_eq!(count(&dropped), 2);
        canceller.join().unwrap();
    });
}

#[test]
fn a_child_that_another_thread_spawns_as_the_group_is_dropped_is_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (first, second) = (Dropped(dropped.clone()), Dropped(dropped.clone()));
        let Started { future, handle } = Started::new(async |g| {
            g.spawn::<_, ()>(async {
                let _guard = first;
                pending().await
            });
            pending::<Result<(), u8>>().await
        });
        let spawner = thread::spawn(move || {
            let refused = handle.try_spawn(pirn_core::TaskMeta::here(), done(second));
            drop(refused);
            handle
        });
        drop(future);
        let handle = spawner.join().unwrap();
        assert_eq!((count(&dropped), handle.live()), (2, 0));
    });
}
