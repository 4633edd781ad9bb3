//! Models of groups: the group's future and its children on threads of their own.

use crate::hand::Hand;
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, block_on, thread};
use pirn_core::{Cause, Kind, Scope, TaskMeta};
use pirn_group::{GroupBuilder, GroupError, TaskGroup};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

type Ended<T> = Result<T, GroupError<u8>>;

/// A group whose body has spawned its children, and is pinned and polled once.
struct Started<T> {
    future: Pin<Box<dyn Future<Output = Ended<T>> + Send>>,
    hand: Hand,
}

impl<T> Started<T> {
    fn new<F>(body: impl FnOnce(TaskGroup<u8, Hand>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, u8>> + Send + 'static,
        T: Send + 'static,
    {
        let hand = Hand::default();
        let run = GroupBuilder::on(hand.clone()).run(body);
        let mut future: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(run);
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        Started { future, hand }
    }
}

/// Counts a destructor.
pub(crate) struct Dropped(pub(crate) Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // Ordering: Release, pairs with the Acquire in `count`.
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// A child that drops `guard` when it runs, or with itself.
pub(crate) async fn done(guard: Dropped) -> Result<(), u8> {
    drop(guard);
    Ok(())
}

/// A child that is counted when it runs, and not when it is refused.
pub(crate) async fn run(ran: Arc<AtomicUsize>) -> Result<(), u8> {
    drop(Dropped(ran));
    Ok(())
}

pub(crate) fn count(dropped: &AtomicUsize) -> usize {
    // Ordering: Acquire, pairs with the Release in `Dropped`.
    dropped.load(Ordering::Acquire)
}

#[test]
fn the_shim_is_plugged_in() {
    shim::model_must_fail(|| {
        let written = shim::Arc::new(AtomicUsize::new(0));
        let flag = shim::Arc::new(AtomicUsize::new(0));
        let (w, f) = (written.clone(), flag.clone());
        let thread = thread::spawn(move || {
            // Ordering: Relaxed on purpose: nothing is published, and loom must say so.
            w.store(1, Ordering::Relaxed);
            // Ordering: as above.
            f.store(1, Ordering::Relaxed);
        });
        // Ordering: as above.
        if flag.load(Ordering::Relaxed) == 1 {
            // Ordering: as above.
            assert_eq!(written.load(Ordering::Relaxed), 1);
        }
        thread.join().unwrap();
    });
}

#[test]
fn the_last_child_wakes_the_group() {
    shim::model(|| {
        let Started { future, hand } = Started::new(async |g| {
            g.spawn(async { Ok(()) });
            Ok(1)
        });
        let child = thread::spawn(move || hand.run_one());
        assert_eq!(block_on(future).unwrap(), 1);
        child.join().unwrap();
    });
}

#[test]
fn two_children_on_two_threads_end_before_the_group() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (one, two) = (Dropped(dropped.clone()), Dropped(dropped.clone()));
        let Started { future, hand } = Started::new(async move |g| {
            g.spawn(done(one));
            g.spawn(done(two));
            Ok(())
        });
        let children = [hand.take(), hand.take()].map(|task| thread::spawn(|| block_on(task)));
        block_on(future).unwrap();
        assert_eq!(count(&dropped), 2);
        children.into_iter().for_each(|child| child.join().unwrap());
    });
}

#[test]
fn a_body_is_woken_with_the_value_of_its_child() {
    shim::model(|| {
        let Started { future, hand } =
            Started::new(async |g| Ok(g.spawn(async { Ok(5) }).await.unwrap()));
        let child = thread::spawn(move || hand.run_one());
        assert_eq!(block_on(future).unwrap(), 5);
        child.join().unwrap();
    });
}

#[test]
fn a_child_ends_as_the_group_is_cancelled() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(dropped.clone());
        let (sender, receiver) = channel();
        let Started { future, hand } = Started::new(async move |g| {
            sender.send(g.clone()).unwrap();
            g.spawn(done(guard));
            Ok(1)
        });
        let group = receiver.recv().unwrap();
        let child = thread::spawn(move || hand.run_one());
        let cancel = thread::spawn(move || group.cancel(Cause::requested("stop")));
        // What the body had returned stays.
        assert_eq!(block_on(future).unwrap(), 1);
        assert_eq!(count(&dropped), 1);
        child.join().unwrap();
        cancel.join().unwrap();
    });
}

#[test]
fn a_child_ends_as_its_group_is_dropped_and_the_scope_around_waits_for_it() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(dropped.clone());
        let hand = Hand::default();
        let inside = async move {
            let spawner = hand.clone();
            let mut group = Box::pin(GroupBuilder::on(spawner).run(async move |g| {
                g.spawn(done(guard));
                Ok(())
            }));
            poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx).is_pending())).await;
            let child = thread::spawn(move || hand.run_one());
            drop(group);
            child
        };
        let child = block_on(Scope::detached().run(inside)).unwrap();
        assert_eq!(count(&dropped), 1);
        child.join().unwrap();
    });
}

#[test]
fn a_child_spawned_as_the_group_closes_is_refused_or_awaited() {
    shim::model(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = channel();
        let Started { future, hand } = Started::new(async move |g| {
            sender.send(g.clone()).unwrap();
            g.spawn(async { Ok(()) });
            Ok(())
        });
        let group = receiver.recv().unwrap();
        let first = hand.take();
        let late = run(ran.clone());
        let spawns = thread::spawn(move || {
            let joined = group.try_spawn(TaskMeta::here(), late).is_ok();
            if joined {
                hand.run_one();
            }
            joined
        });
        let child = thread::spawn(|| block_on(first));
        block_on(future).unwrap();
        let seen = count(&ran);
        child.join().unwrap();
        assert_eq!(seen == 1, spawns.join().unwrap());
    });
}

#[test]
fn every_error_of_two_children_that_fail_at_once_is_kept() {
    shim::model(|| {
        let failed = Arc::new(AtomicUsize::new(0));
        let fails = [failed.clone(), failed.clone()];
        let Started { future, hand } = Started::new(async move |g| {
            for failed in fails {
                g.spawn(async move {
                    // Ordering: Relaxed, read after this thread was joined.
                    failed.fetch_add(1, Ordering::Relaxed);
                    Err::<(), _>(1)
                });
            }
            pending::<Result<(), u8>>().await
        });
        let children = [hand.take(), hand.take()].map(|task| thread::spawn(|| block_on(task)));
        let error = block_on(future).unwrap_err();
        children.into_iter().for_each(|child| child.join().unwrap());
        // Ordering: as above. One that was cancelled before it began did not fail.
        assert_eq!(error.len(), failed.load(Ordering::Relaxed));
    });
}

#[test]
fn a_child_that_its_executor_drops_ends_the_group() {
    shim::model(|| {
        let Started { future, hand } = Started::new(async |g| {
            g.spawn(pending::<Result<(), u8>>());
            Ok(())
        });
        let executor = thread::spawn(move || drop(hand));
        let error = block_on(future).unwrap_err();
        assert_eq!(error.cause().unwrap().kind(), Kind::Shutdown);
        executor.join().unwrap();
    });
}

#[test]
fn a_slot_passes_from_a_child_that_ended_to_the_next() {
    shim::model(|| {
        let hand = Hand::default();
        let group = GroupBuilder::on(hand.clone()).limit(1);
        let mut future = Box::pin(group.run(async |g| {
            g.spawn(async { Ok::<_, u8>(()) });
            g.spawn(async { Ok(()) });
            Ok(())
        }));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let children = [hand.take(), hand.take()].map(|task| thread::spawn(|| block_on(task)));
        block_on(future).unwrap();
        children.into_iter().for_each(|child| child.join().unwrap());
    });
}

#[test]
fn a_value_that_nobody_takes_is_dropped_once() {
    shim::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let value = Dropped(dropped.clone());
        let (sender, receiver) = channel();
        let Started { future, hand } = Started::new(async move |g| {
            sender.send(g.spawn(async move { Ok(value) })).unwrap();
            Ok(())
        });
        let handle = receiver.recv().unwrap();
        let child = thread::spawn(move || hand.run_one());
        drop(handle);
        block_on(future).unwrap();
        child.join().unwrap();
        assert_eq!(count(&dropped), 1);
    });
}

#[test]
fn what_each_child_did_is_seen_at_the_end_whoever_was_the_last() {
    shim::model(|| {
        let (hand, did) = (
            Hand::default(),
            [0, 1].map(|_| Arc::new(AtomicUsize::new(0))),
        );
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        for did in &did {
            let did = Arc::clone(did);
            group.spawn(async move {
                // Ordering: Relaxed on purpose: the group is to publish it.
                did.store(1, Ordering::Relaxed);
                Ok(())
            });
        }
        let children = [hand.take(), hand.take()].map(|task| thread::spawn(|| block_on(task)));
        block_on(group.join()).unwrap();
        // Ordering: as above.
        assert!(did.iter().all(|did| did.load(Ordering::Relaxed) == 1));
        children.into_iter().for_each(|child| child.join().unwrap());
    });
}

#[test]
fn who_sees_that_no_child_lives_sees_what_they_did() {
    shim::model(|| {
        let (hand, did) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
        let group = GroupBuilder::on(hand.clone()).open::<u8>();
        let does = Arc::clone(&did);
        group.spawn(async move {
            // Ordering: Relaxed on purpose: the count is to publish it.
            does.store(1, Ordering::Relaxed);
            Ok(())
        });
        let handle = group.clone();
        let looks = thread::spawn(move || {
            if handle.live() == 0 {
                // Ordering: as above.
                assert_eq!(did.load(Ordering::Relaxed), 1);
            }
        });
        hand.run_one();
        looks.join().unwrap();
        block_on(group.join()).unwrap();
    });
}
