//! The blocking pool and `to_thread`.
#![cfg(not(loom))]

mod util;

use pirn_core::context::Handles;
use pirn_core::report::{Report, set_hook};
use pirn_core::shim::block_on;
use pirn_core::{Blocking, Cause, JoinError, Kind, Scope, TaskLocal, current_cause, shield};
use pirn_io::blocking::{BlockingPool, Builder, to_thread};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use util::{Count, everywhere};

/// A job that says that it runs, then blocks until told to end.
struct Gate {
    running: Receiver<()>,
    open: Sender<()>,
}

fn gate() -> (Gate, impl FnOnce() + Send + 'static) {
    let (runs, running) = channel();
    let (open, opened) = channel();
    let job = move || {
        runs.send(()).unwrap();
        opened.recv().unwrap();
    };
    (Gate { running, open }, job)
}

impl Gate {
    fn wait_running(&self) {
        self.running.recv().unwrap();
    }

    fn open(self) {
        self.open.send(()).unwrap();
    }
}

fn pool(threads: usize) -> BlockingPool {
    Builder::new().max_threads(threads).build()
}

#[test]
fn a_value_comes_back_and_ran_on_another_thread() {
    everywhere(|| async {
        let here = std::thread::current().id();
        let there = to_thread(|| std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
    });
}

#[test]
fn a_closure_finds_a_copy_of_the_task_locals_around_it() {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    everywhere(|| async {
        let asking = REQUEST.scope(7, async {
            to_thread(|| {
                let seen = REQUEST.get();
                let _keep = REQUEST.set(8).unwrap();
                (seen, REQUEST.get())
            })
            .await
        });
        assert_eq!(asking.await.unwrap(), (Some(7), Some(8)));
        assert_eq!(to_thread(|| REQUEST.get()).await.unwrap(), None);
    });
}

#[test]
fn a_panic_comes_back_with_its_payload_and_the_thread_lives_on() {
    everywhere(|| async {
        let error = to_thread(|| -> () { std::panic::panic_any(7_u8) }).await;
        match error.unwrap_err() {
            JoinError::Panicked(panic) => {
                assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u8))
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(to_thread(|| 1).await.unwrap(), 1);
    });
}

#[test]
fn the_ambient_pool_is_used() {
    let mut handles = Handles::default();
    let own = Builder::new().name("own").build();
    handles.blocking = Some(Arc::new(own));
    let _entered = Rc::new(handles).enter();
    let name = block_on(to_thread(|| {
        std::thread::current().name().map(str::to_owned)
    }));
    assert_eq!(name.unwrap().as_deref(), Some("own-1"));
}

#[test]
fn nothing_starts_before_the_first_poll() {
    let pool = pool(1);
    let unpolled = pool.run(|| unreachable!());
    assert_eq!(pool.statistics().threads, 0);
    drop::<pirn_io::blocking::ToThread<()>>(unpolled);
}

#[test]
fn a_future_dropped_before_its_start_drops_the_closure_unrun() {
    let pool = pool(1);
    let (gate, blocker) = gate();
    pool.submit(Box::new(blocker)).unwrap();
    gate.wait_running();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let ran = Arc::new(Mutex::new(false));
    let runs = Arc::clone(&ran);
    {
        let mut queued = pin!(pool.run(move || {
            *runs.lock().unwrap() = true;
            drop(holds);
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(queued.as_mut().poll(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&held), 2);
    }
    assert_eq!(
        Arc::strong_count(&held),
        1,
        "dropped at once, not first by the pool"
    );
    gate.open();
    block_on(pool.run(|| ())).unwrap();
    assert!(!*ran.lock().unwrap());
}

#[test]
fn a_future_dropped_after_its_start_lets_the_closure_finish() {
    let pool = pool(1);
    let (gate, blocker) = gate();
    {
        let mut running = pin!(pool.run(blocker));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(running.as_mut().poll(&mut cx).is_pending());
        gate.wait_running();
    }
    gate.open();
    assert_eq!(
        block_on(pool.shutdown(std::future::pending())).map_err(|e| e.to_string()),
        Ok(())
    );
}

/// A job that says that it runs, and ends when it is told to; it gives the kind of the cause.
fn asks() -> (Receiver<()>, Receiver<Kind>, impl FnOnce() -> Kind + Send) {
    let (runs, running) = channel();
    let (tells, told) = channel();
    let job = move || {
        assert!(current_cause().is_none());
        runs.send(()).unwrap();
        loop {
            if let Some(cause) = current_cause() {
                let _unheard = tells.send(cause.kind());
                return cause.kind();
            }
            std::thread::yield_now();
        }
    };
    (running, told, job)
}

#[test]
fn a_running_closure_is_told_that_its_future_was_dropped() {
    let pool = pool(1);
    let (running, told, job) = asks();
    {
        let mut future = pin!(pool.run(job));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        running.recv().unwrap();
    }
    assert_eq!(told.recv(), Ok(Kind::Dropped));
}

#[test]
fn a_cancel_lets_go_of_a_closure_at_once_and_tells_it_the_cause() {
    let pool = pool(1);
    let (running, told, job) = asks();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(pool.run(job)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    running.recv().unwrap();
    scope.cancel(Cause::requested("stop"));
    match run.poll(&mut cx) {
        Poll::Ready(Err(cause)) => assert_eq!(cause.text(), "stop"),
        other => panic!("{other:?}"),
    }
    assert_eq!(told.recv(), Ok(Kind::Requested));
}

#[test]
fn a_shielded_closure_is_waited_for_under_a_cancel_and_told_as_well() {
    let pool = pool(1);
    let (running, _told, job) = asks();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(shield(pool.run(job))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    running.recv().unwrap();
    scope.cancel(Cause::requested("stop"));
    assert_eq!(block_on(run).unwrap().unwrap(), Kind::Requested);
}

#[test]
fn a_closure_that_is_shielded_runs_though_the_cancel_came_before_its_turn() {
    let pool = pool(1);
    let (gate, blocker) = gate();
    pool.submit(Box::new(blocker)).unwrap();
    gate.wait_running();
    let scope = Scope::detached();
    let queued = pool.run(|| current_cause().map(|cause| cause.kind()));
    let mut run = pin!(scope.run(shield(queued)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    scope.cancel(Cause::requested("stop"));
    gate.open();
    assert_eq!(block_on(run).unwrap().unwrap(), Some(Kind::Requested));
}

#[test]
fn a_cancelled_body_begins_no_closure() {
    let pool = pool(1);
    let scope = Scope::detached();
    scope.cancel(Cause::requested("stop"));
    assert!(block_on(scope.run(pool.run(|| unreachable!()))).is_err());
    assert_eq!(pool.statistics().threads, 0);
}

#[test]
fn what_a_closure_gives_is_not_cancelled_after_it() {
    let scope = block_on(to_thread(|| Scope::current().unwrap().child())).unwrap();
    assert!(!scope.is_cancelled());
}

#[test]
fn what_a_closure_leaves_in_its_scope_goes_to_the_scope_around() {
    let pool = pool(1);
    let scope = Scope::detached();
    let mut run = pin!(scope.run(pool.run(|| Scope::current().unwrap().enter())));
    let child = block_on(poll_fn(|cx| {
        let inner = run.as_mut().poll(cx);
        assert!(inner.is_pending(), "it waits for the child");
        match scope.live() {
            0 => Poll::Pending,
            live => Poll::Ready(live),
        }
    }));
    assert_eq!(child, 1);
}

#[test]
fn code_that_blocks_in_a_closure_has_no_budget_to_spend() {
    let ended = block_on(to_thread(|| {
        let mut cx = Context::from_waker(Waker::noop());
        (0..1000).all(|_| pirn_core::budget::poll_spend(&mut cx).is_ready())
    }));
    assert!(ended.unwrap());
}

#[test]
fn a_pool_that_closes_tells_what_runs_on_it() {
    let pool = pool(1);
    let (running, _told, job) = asks();
    let mut future = pin!(pool.run(job));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    running.recv().unwrap();
    assert!(block_on(pool.shutdown(std::future::pending())).is_ok());
    assert_eq!(block_on(future).unwrap(), Kind::Shutdown);
}

#[test]
fn no_more_threads_than_allowed_and_the_queue_is_served_in_order() {
    let pool = pool(2);
    let (one, first) = gate();
    let (two, second) = gate();
    pool.submit(Box::new(first)).unwrap();
    pool.submit(Box::new(second)).unwrap();
    one.wait_running();
    two.wait_running();
    let (sender, order) = channel();
    for i in 0..5 {
        let sender = sender.clone();
        pool.submit(Box::new(move || sender.send(i).unwrap()))
            .unwrap();
    }
    let statistics = pool.statistics();
    assert_eq!((statistics.threads, statistics.queued), (2, 5));
    one.open(); // one thread serves them all, the other is still held
    assert_eq!(order.iter().take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    two.open();
}

#[test]
fn a_resting_thread_is_taken_before_another_is_started() {
    let pool = pool(8);
    for _ in 0..3 {
        block_on(pool.run(|| ())).unwrap();
        while pool.statistics().idle == 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(pool.statistics().threads, 1);
}

#[test]
fn a_thread_that_was_taken_out_of_its_rest_no_longer_counts_as_resting() {
    let pool = pool(2);
    block_on(pool.run(|| ())).unwrap();
    while pool.statistics().idle == 0 {
        std::thread::yield_now();
    }
    let (one, first) = gate();
    let (two, second) = gate();
    pool.submit(Box::new(first)).unwrap();
    one.wait_running();
    pool.submit(Box::new(second)).unwrap();
    two.wait_running(); // on a thread of its own
    one.open();
    two.open();
}

#[test]
fn threads_without_work_go() {
    let pool = Builder::new().keep_alive(Duration::from_millis(1)).build();
    block_on(pool.run(|| ())).unwrap();
    while pool.statistics().threads > 0 {
        std::thread::yield_now();
    }
    assert_eq!(block_on(pool.run(|| 2)).unwrap(), 2, "and come again");
}

#[test]
fn a_closed_pool_refuses_and_drops_what_is_queued() {
    let pool = pool(1);
    let (gate, blocker) = gate();
    pool.submit(Box::new(blocker)).unwrap();
    gate.wait_running();
    let mut queued = pin!(pool.run(|| ()));
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(queued.as_mut().poll(&mut cx).is_pending());
    pool.close();
    assert_eq!(count.get(), 1);
    match queued.poll(&mut cx) {
        Poll::Ready(Err(JoinError::Cancelled(cause))) => assert_eq!(cause.kind(), Kind::Shutdown),
        other => panic!("{other:?}"),
    }
    match block_on(pool.run(|| ())) {
        Err(JoinError::Refused(reason)) => assert_eq!(reason, "the blocking pool is shut down"),
        other => panic!("{other:?}"),
    }
    assert!(pool.submit(Box::new(|| ())).is_err());
    gate.open();
}

#[test]
fn a_shutdown_waits_for_what_runs() {
    let pool = pool(2);
    let (gate, blocker) = gate();
    pool.submit(Box::new(blocker)).unwrap();
    gate.wait_running();
    let mut shutdown = pin!(pool.shutdown(std::future::pending()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(shutdown.as_mut().poll(&mut cx).is_pending());
    gate.open();
    assert!(block_on(shutdown).is_ok());
    assert_eq!(pool.statistics().threads, 0);
}

#[test]
fn a_shutdown_past_its_deadline_names_what_is_left() {
    let pool = pool(3);
    let (named, first) = gate();
    let (unnamed, second) = gate();
    let mut running = pin!(pool.run(first));
    let line = line!() - 1;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(running.as_mut().poll(&mut cx).is_pending());
    pool.submit(Box::new(second)).unwrap();
    named.wait_running();
    unnamed.wait_running();
    let unfinished = block_on(pool.shutdown(std::future::ready(()))).unwrap_err();
    assert_eq!(unfinished.jobs().len(), 2);
    let text = unfinished.to_string();
    assert!(
        text.contains(&format!("tests/blocking.rs:{line}")),
        "{text}"
    );
    assert!(text.contains("one that did not say what it is"), "{text}");
    named.open();
    unnamed.open();
    block_on(running).unwrap();
}

#[test]
fn a_shutdown_without_time_succeeds_where_nothing_runs() {
    let pool = pool(1);
    block_on(pool.run(|| ())).unwrap();
    while pool.statistics().idle == 0 {
        std::thread::yield_now();
    }
    assert!(block_on(pool.shutdown(async {})).is_ok());
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

#[test]
fn a_closure_cancelled_before_its_turn_whose_destructor_panics_ends_its_future() {
    let pool = pool(1);
    let (gate, job) = gate();
    pool.submit(Box::new(job)).unwrap();
    gate.wait_running();
    let bomb = Bomb;
    let mut future = Box::pin(pool.run(move || unreachable!("{:p}", &raw const bomb)));
    let scope = Scope::detached();
    {
        // By reference, in a body that is cancelled alone.
        let mut run = pin!(scope.run(poll_fn(|cx| {
            let polled: Poll<Result<(), _>> = future.as_mut().poll(cx);
            assert!(polled.is_pending());
            Poll::<()>::Pending
        })));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_pending());
        scope.cancel(Cause::requested("stop"));
        assert!(run.as_mut().poll(&mut cx).is_ready());
    }
    gate.open();
    let (ends, ended) = channel();
    std::thread::spawn(move || ends.send(block_on(future)).unwrap());
    match ended.recv_timeout(Duration::from_secs(60)) {
        Ok(Err(JoinError::Panicked(panic))) => {
            assert_eq!(panic.into_payload().downcast_ref(), Some(&"in drop"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(block_on(pool.run(|| 1)).unwrap(), 1);
}

#[test]
fn a_panic_that_nobody_receives_is_reported_and_the_pool_goes_on() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    set_hook(Some(Arc::new(move |report: &Report| {
        sink.lock().unwrap().push(report.to_string());
    })));
    let pool = pool(1);
    let (gate, blocker) = gate();
    {
        let mut abandoned = pin!(pool.run(move || {
            blocker();
            panic!("unheard");
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(abandoned.as_mut().poll(&mut cx).is_pending());
        gate.wait_running();
    }
    pool.submit(Box::new(|| panic!("uncaught"))).unwrap();
    gate.open();
    block_on(pool.run(|| ())).unwrap();
    set_hook(None);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|line| line.contains("unheard")), "{seen:?}");
    assert!(
        seen.iter().any(|line| line.contains("uncaught")),
        "{seen:?}"
    );
}

#[test]
#[should_panic(expected = "at least one thread")]
fn a_pool_of_no_threads_is_a_mistake() {
    let _ = Builder::new().max_threads(0);
}
