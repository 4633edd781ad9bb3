//! `run_until`: the runtime run from inside one of its tasks.

use pirn::{
    Cause, Kind, RunError, Runtime, TaskLocal, call_soon, finally, group, run_until, sleep, spawn,
    spawn_local, timeout, to_thread, yield_now,
};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

fn current() -> Runtime {
    Runtime::builder().current_thread().build().unwrap()
}

fn runtimes() -> [Runtime; 2] {
    [current(), Runtime::builder().workers(2).build().unwrap()]
}

#[test]
fn the_other_tasks_of_the_thread_go_on_while_one_waits_in_place() {
    for mut runtime in runtimes() {
        let log = Rc::new(RefCell::new(Vec::new()));
        runtime
            .run(async {
                let told = log.clone();
                let other = spawn_local(async move {
                    for n in 0..3 {
                        told.borrow_mut().push(n);
                        sleep(MS).await;
                    }
                });
                let spawned = spawn(async {
                    sleep(MS).await;
                    5
                });
                let five = run_until(async {
                    other.await.unwrap();
                    to_thread(|| ()).await.unwrap();
                    spawned.await.unwrap()
                });
                assert_eq!(five.unwrap(), 5);
                log.borrow_mut().push(9);
                yield_now().await;
            })
            .unwrap();
        assert_eq!(*log.borrow(), [0, 1, 2, 9]);
    }
}

#[test]
fn it_works_in_a_local_task_in_a_call_and_inside_itself() {
    let mut runtime = current();
    let answer = runtime.run(async {
        let inner = spawn(async { run_until(sleep(MS)).map(|()| 1).unwrap() });
        let (sender, called) = mpsc::channel();
        call_soon(move || sender.send(run_until(async { 2 }).unwrap()).unwrap()).unwrap();
        let three = run_until(async { run_until(async { run_until(inner).unwrap() }).unwrap() });
        three.unwrap().unwrap() + called.recv().unwrap()
    });
    assert_eq!(answer.unwrap(), 3);
}

#[test]
fn where_no_runtime_is_being_run_it_is_refused() {
    assert!(matches!(run_until(async {}), Err(RunError::Outside)));
    let mut pool = Runtime::builder().workers(1).build().unwrap();
    let on_worker = pool.run(async { spawn(async { run_until(async {}) }).await.unwrap() });
    let error = on_worker.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Outside), "{error}");
    assert!(error.to_string().contains("`.await`"));
    // After a run, and in another thread beside one.
    assert!(matches!(run_until(async {}), Err(RunError::Outside)));
    let beside = current().run(async { to_thread(|| run_until(async {})).await.unwrap() });
    assert!(matches!(beside.unwrap(), Err(RunError::Outside)));
}

#[test]
fn calls_inside_one_another_without_an_end_are_refused_before_the_stack_is_full() {
    fn deeper() -> Result<usize, RunError> {
        let inner = spawn_local(async { deeper() });
        run_until(async { inner.await.unwrap() })?
            .map(|depth| depth + 1)
            .or(Ok(1))
    }
    let deep = || current().run(async { deeper().unwrap() }).unwrap();
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(deep);
    assert_eq!(thread.unwrap().join().unwrap(), 64);
    // None of them is left.
    current()
        .run(async { assert!(run_until(async {}).is_ok()) })
        .unwrap();
}

#[test]
fn a_deadline_around_it_ends_it() {
    for mut runtime in runtimes() {
        let ended = runtime.run(async {
            let inside = async { timeout(LONG, async { run_until(sleep(LONG)) }).await };
            match timeout(5 * MS, inside).await {
                Ok(Ok(Err(RunError::Cancelled(cause)))) => cause.kind(),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(ended.unwrap(), Kind::Deadline);
    }
}

#[test]
fn a_cancel_of_the_scope_around_it_ends_it_after_its_clean_up() {
    let cleaned = Rc::new(Cell::new(false));
    let ended = current().run(async {
        let flag = cleaned.clone();
        let ended = group(async |g| {
            let scope = g.scope().clone();
            spawn_local(async move { scope.cancel(Cause::requested("enough")) }).detach();
            let (sender, done) = mpsc::channel();
            let clean = move || async move {
                yield_now().await;
                sender.send(()).unwrap();
            };
            let ended = run_until(finally(pending::<()>(), clean));
            flag.set(done.try_recv().is_ok());
            let RunError::Cancelled(cause) = ended.unwrap_err() else {
                panic!("another error")
            };
            assert_eq!(cause.text(), "enough");
            Ok::<_, RunError>(())
        });
        ended.await.is_err() || cleaned.get()
    });
    assert!(ended.unwrap() && cleaned.get());
}

#[test]
fn a_panic_of_its_future_goes_to_the_caller_and_the_run_goes_on() {
    let ended = current().run(async {
        let panics = || run_until(async { panic!("as planned") });
        let payload = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"as planned"));
        sleep(MS).await;
        run_until(async { 3 }).unwrap()
    });
    assert_eq!(ended.unwrap(), 3);
}

#[test]
fn its_future_sees_the_task_locals_of_the_caller_and_other_tasks_do_not() {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    current()
        .run(async {
            let other = spawn_local(async { REQUEST.get() });
            let _keep = REQUEST.set(1).unwrap();
            let seen = run_until(async {
                let _keep = REQUEST.set(2).unwrap();
                (other.await.unwrap(), REQUEST.get())
            });
            assert_eq!(seen.unwrap(), (None, Some(2)));
            assert_eq!(REQUEST.get(), Some(1));
        })
        .unwrap();
}

#[test]
fn clean_up_at_the_end_of_the_runtime_may_use_it() {
    let (sender, cleaned) = mpsc::channel();
    let mut runtime = current();
    runtime
        .run(async {
            let clean = move || async move { sender.send(run_until(sleep(MS))).unwrap() };
            spawn(finally(pending::<()>(), clean)).detach();
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
    runtime.shutdown().unwrap();
    assert!(cleaned.recv().unwrap().is_ok());
}

#[test]
fn the_first_value_that_a_task_sets_in_a_run_inside_another_task_is_kept() {
    static VALUE: TaskLocal<u32> = TaskLocal::new();
    let seen = current()
        .run(async {
            let setter = spawn(async {
                let _keep = VALUE.set(1).unwrap();
                yield_now().await;
                VALUE.get()
            });
            let other = spawn(async { VALUE.get() });
            run_until(async move { (setter.await.unwrap(), other.await.unwrap()) }).unwrap()
        })
        .unwrap();
    assert_eq!(seen, (Some(1), None));
}

#[test]
fn timers_go_on_after_a_run_inside_that_had_the_workers_driver() {
    let mut runtime = Runtime::builder().workers(1).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    runtime
        .run(async move {
            let busy = spawn(async move {
                began.send(()).unwrap();
                gate.recv().unwrap();
            });
            begun.recv().unwrap();
            // The only worker is in a poll, so this thread takes the driver; and the worker sleeps
            // beside it before it comes back.
            run_until(async {
                sleep(MS).await;
                open.send(()).unwrap();
                busy.await.unwrap();
                sleep(50 * MS).await;
            })
            .unwrap();
            sleep(MS).await;
        })
        .unwrap();
}

#[test]
fn timers_of_the_pool_go_on_while_a_task_of_a_run_inside_polls_for_long() {
    let mut runtime = Runtime::builder().workers(1).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let (fired, fires) = mpsc::channel();
    let seen = runtime.run(async move {
        spawn(async move {
            began.send(()).unwrap();
            gate.recv().unwrap();
            // This thread is back in the driver by now, so that the worker sleeps beside it.
            gate.recv_timeout(10 * MS).unwrap_err();
            sleep(60 * MS).await;
            fired.send(()).unwrap();
        })
        .detach();
        begun.recv().unwrap();
        run_until(async move {
            let slow = spawn_local(async move {
                // The only worker is in a poll: this one keeps its time by the driver that it took.
                sleep(MS).await;
                open.send(()).unwrap();
                sleep(40 * MS).await;
                let seen = fires.recv_timeout(5000 * MS);
                drop(open);
                seen
            });
            slow.await.unwrap()
        })
    });
    assert_eq!(seen.unwrap().unwrap(), Ok(()));
}
