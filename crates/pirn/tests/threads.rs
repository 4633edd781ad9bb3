//! Closures on threads: what a cancel, a limit and the end of the runtime mean for them.

use pirn::sync::Semaphore;
use pirn::{Cause, Kind, Runtime, current_cause, shield, spawn, to_thread};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

fn runtimes() -> Vec<Runtime> {
    let builders = [
        Runtime::builder().current_thread(),
        Runtime::builder().workers(2),
    ];
    builders
        .into_iter()
        .map(|builder| builder.grace(Duration::ZERO).build().unwrap())
        .collect()
}

/// Says that it runs, and ends when it is let, or never told.
fn gate() -> (Receiver<()>, Sender<()>, impl FnOnce() + Send) {
    let (runs, running) = channel();
    let (open, opened) = channel();
    let job = move || {
        runs.send(()).unwrap();
        let _closed = opened.recv();
    };
    (running, open, job)
}

#[test]
fn a_permit_that_went_into_the_closure_is_back_when_the_thread_is_done_not_at_the_cancel() {
    for mut runtime in runtimes() {
        let (running, open, job) = gate();
        let ended = runtime.run(async {
            let limit = Arc::new(Semaphore::new(1));
            let permit = limit.acquire_owned().await.unwrap();
            let task = spawn(to_thread(move || {
                let _permit = permit;
                job();
            }));
            to_thread(move || running.recv().unwrap()).await.unwrap();
            assert!(task.cancel(Cause::requested("stop")).await.is_err());
            assert_eq!(limit.available(), 0, "its thread goes on");
            open.send(()).unwrap();
            limit.acquire().await.map(drop)
        });
        assert!(ended.unwrap().is_ok());
    }
}

#[test]
fn a_shielded_closure_keeps_its_task_until_it_has_ended() {
    let mut runtime = Runtime::builder().workers(2).build().unwrap();
    let kind = runtime.run(async {
        let (runs, running) = channel();
        let task = spawn(shield(to_thread(move || {
            runs.send(()).unwrap();
            loop {
                match current_cause() {
                    Some(cause) => return cause.kind(),
                    None => std::thread::yield_now(),
                }
            }
        })));
        to_thread(move || running.recv().unwrap()).await.unwrap();
        task.cancel(Cause::requested("stop"))
            .await
            .unwrap()
            .unwrap()
    });
    assert_eq!(kind.unwrap(), Kind::Requested);
}

#[test]
fn a_closure_that_looks_ends_with_its_runtime() {
    for builder in [
        Runtime::builder().current_thread(),
        Runtime::builder().workers(2),
    ] {
        let mut runtime = builder.build().unwrap();
        let (says, told) = channel();
        let (runs, running) = channel();
        let begun = runtime.run(async {
            spawn(to_thread(move || {
                runs.send(()).unwrap();
                let cause = loop {
                    match current_cause() {
                        Some(cause) => break cause,
                        None => std::thread::yield_now(),
                    }
                };
                says.send(cause.kind()).unwrap();
            }))
            .detach();
            to_thread(move || running.recv().unwrap()).await
        });
        assert!(begun.unwrap().is_ok());
        assert!(runtime.shutdown().is_ok());
        assert_eq!(told.recv(), Ok(Kind::Shutdown));
    }
}

#[test]
fn a_closure_that_outlasts_the_grace_is_named_by_its_place() {
    for mut runtime in runtimes() {
        let (running, open, job) = gate();
        let begun = runtime.run(async {
            spawn(to_thread(job)).detach();
            to_thread(move || running.recv().unwrap()).await
        });
        let line = line!() - 3;
        assert!(begun.unwrap().is_ok());
        let unended = runtime.shutdown().unwrap_err();
        assert_eq!(unended.closures.jobs().len(), 1);
        let text = unended.to_string();
        assert!(text.contains(&format!("tests/threads.rs:{line}")), "{text}");
        open.send(()).unwrap();
    }
}
