//! Child processes.
#![cfg(all(unix, not(loom)))]

mod util;

use futures::future::{join, join_all};
use futures::{AsyncReadExt, AsyncWriteExt};
use pirn_core::Blocking;
use pirn_core::context::Handles;
use pirn_io::blocking::Builder;
use pirn_io::process::{Child, output, spawn};
use pirn_io::signal::Signal;
use pirn_io::{Action, Failure, Handle};
use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use util::{Count, everywhere, on_own_reactor};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn piped(command: &mut Command) -> Child {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    spawn(pipes).unwrap()
}

/// Whether a process of this number is there, as a zombie or alive.
#[cfg(target_os = "linux")]
fn exists(id: u32) -> bool {
    std::path::Path::new(&format!("/proc/{id}")).exists()
}

#[test]
fn the_exit_status_is_awaited_and_stays() {
    everywhere(|| async {
        let mut child = spawn(&mut shell("exit 7")).unwrap();
        assert!(child.id().is_some());
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        assert_eq!(child.id(), None);
        assert_eq!(child.kill().await.unwrap().code(), Some(7));
    });
}

#[test]
fn it_is_awaited_by_signals_too() {
    everywhere(|| async {
        let children = (0..5).map(|code| {
            let child = spawn(&mut shell(&format!("exit {code}"))).unwrap();
            child.by_signal().unwrap()
        });
        let ends = join_all(children.map(async |mut child| child.wait().await.unwrap().code()));
        assert_eq!(ends.await, [0, 1, 2, 3, 4].map(Some));
        let mut cat = piped(&mut Command::new("cat")).by_signal().unwrap();
        let (count, waker) = Count::new();
        {
            let mut first = pin!(cat.wait());
            // It drops the input, at which the program ends.
            let _ = first.as_mut().poll(&mut Context::from_waker(&waker));
        }
        assert!(cat.wait().await.unwrap().success());
        drop(count);
    });
}

#[test]
fn more_than_the_pipes_hold_goes_through_and_comes_back() {
    everywhere(|| async {
        let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let mut cat = piped(&mut Command::new("cat"));
        let (mut input, mut output) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        let feeds = async {
            input.write_all(&sent).await.unwrap();
            input.close().await.unwrap();
            let closed = input.write(b"more").await.unwrap_err();
            assert_eq!(closed.kind(), ErrorKind::BrokenPipe);
        };
        let mut received = Vec::new();
        let ((), count) = join(feeds, output.read_to_end(&mut received)).await;
        assert_eq!(count.unwrap(), sent.len());
        assert!(received == sent);
        assert!(cat.wait().await.unwrap().success());
    });
}

#[test]
fn output_takes_both_streams_at_once() {
    everywhere(|| async {
        // More than a pipe holds on each, in turns.
        let script = "i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678; \
                      echo 9876543210987654321 >&2; i=$((i+1)); done; exit 3";
        let output = output(&mut shell(script)).await.unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout.len(), 80_000);
        assert_eq!(output.stderr.len(), 80_000);
    });
}

#[test]
fn a_wait_ends_the_input_first() {
    everywhere(|| async {
        let mut cat = piped(&mut Command::new("cat"));
        assert!(cat.wait().await.unwrap().success());
        let mut cat = piped(&mut Command::new("cat"));
        let mut input = cat.stdin.take().unwrap();
        input.write_all(b"taken").await.unwrap();
        drop(input);
        assert_eq!(cat.wait_with_output().await.unwrap().stdout, b"taken");
    });
}

#[test]
fn signals_reach_it_and_are_seen_in_the_status() {
    everywhere(|| async {
        let mut child = spawn(&mut shell("exec sleep 1000")).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.signal(Signal::TERMINATE).unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(Signal::TERMINATE.number()));
        child.signal(Signal::TERMINATE).unwrap(); // ended: nobody else gets it

        let mut child = spawn(&mut shell("exec sleep 1000")).unwrap();
        let refused = child.signal(Signal::new(12345)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let status = child.kill().await.unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.number()));
    });
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    on_own_reactor(async {
        let mut child = spawn(&mut shell("exec sleep 1000")).unwrap();
        let (_, waker) = Count::new();
        let polled = pin!(child.wait()).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        child.signal(Signal::KILL).unwrap();
        assert!(!child.wait().await.unwrap().success());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_dropped_is_killed_and_reaped() {
    everywhere(|| async {
        let child = spawn(&mut shell("exec sleep 1000")).unwrap();
        let id = child.id().unwrap();
        drop(child);
        while exists(id) {
            std::thread::yield_now();
        }
        // One that has ended, unseen.
        let mut child = piped(&mut shell("exit 0"));
        let mut output = child.stdout.take().unwrap();
        output.read_to_end(&mut Vec::new()).await.unwrap();
        let id = child.id().unwrap();
        drop(child);
        while exists(id) {
            std::thread::yield_now();
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_dropped_is_reaped_also_if_the_blocking_pool_ends_before() {
    let pool = Builder::new().max_threads(1).build();
    let mut handles = Handles::default();
    handles.blocking = Some(Arc::new(pool.clone()));
    let _entered = Rc::new(handles).enter();
    let (ends, waits) = std::sync::mpsc::channel::<()>();
    let _busy = pool.submit(Box::new(move || {
        let _ = waits.recv();
    }));
    let children: Vec<_> = (0..10)
        .map(|_| spawn(&mut shell("exec sleep 1000")).unwrap())
        .collect();
    let ids: Vec<u32> = children.iter().filter_map(Child::id).collect();
    drop(children);
    pool.close();
    drop(ends);
    let over = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while ids.iter().any(|id| exists(*id)) {
        assert!(std::time::Instant::now() < over, "zombies are left");
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_detached_runs_on_and_is_reaped() {
    everywhere(|| async {
        let mut cat = piped(&mut Command::new("cat"));
        let id = cat.id().unwrap();
        let mut input = cat.stdin.take().unwrap();
        let mut output = cat.stdout.take().unwrap();
        cat.detach().unwrap();
        input.write_all(b"alive").await.unwrap();
        let mut bytes = [0; 5];
        output.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"alive");
        drop(input);
        while exists(id) {
            std::thread::yield_now();
        }
        let mut ended = spawn(&mut shell("exit 0")).unwrap();
        ended.wait().await.unwrap();
        ended.detach().unwrap();
    });
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    everywhere(|| async {
        let error = spawn(&mut Command::new("/no/such/program")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let failure = Failure::of(&error).unwrap();
        assert_eq!(failure.action(), Action::Start);
        assert_eq!(failure.target(), "/no/such/program");
    });
}

#[test]
fn many_at_once_end_each_for_itself_and_leave_no_source() {
    on_own_reactor(async {
        let run = async |code: i32| {
            let mut child = spawn(&mut shell(&format!("exit {code}"))).unwrap();
            child.wait().await.unwrap().code()
        };
        let codes: Vec<_> = join_all((0..20).map(run)).await;
        assert_eq!(codes, (0..20).map(Some).collect::<Vec<_>>());
        assert_eq!(Handle::current().unwrap().sources(), 0);
    });
}

#[test]
fn in_a_simulation_nothing_is_started_and_no_file_is_made() {
    let mut handles = pirn_core::context::Handles::default();
    handles.no_system = Some("use a stand-in");
    let _entered = std::rc::Rc::new(handles).enter();
    let path = util::temporary("simulated");
    let mut touch = Command::new("touch");
    let error = spawn(touch.arg(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "there is no child process here: use a stand-in"
    );
    assert!(pirn_io::net::UnixListener::bind(&path).is_err());
    assert!(pirn_io::net::UnixDatagram::bind(&path).is_err());
    assert!(!path.exists());
}
