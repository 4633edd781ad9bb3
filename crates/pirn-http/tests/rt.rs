//! hyper's runtime traits: hyper's own parts on ours.

mod support;

use futures::{AsyncReadExt, AsyncWriteExt};
use hyper::rt::{Executor as _, Timer as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use pirn_core::context::Handles;
use pirn_core::shim::block_on;
use pirn_core::{Refused, Spawn, TaskMeta};
use pirn_http::rt::{Executor, Io, Timer};
use pirn_io::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::clock::StillClock;

/// Keeps tasks until it is asked to run them.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Vec<(TaskMeta, pirn_core::BoxTask)>>>);

impl Spawn for Later {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().unwrap().push((meta, Box::pin(f)));
        Ok(())
    }
}

#[test]
fn what_hyper_spawns_goes_to_the_ambient_spawner() {
    assert!(Executor::current().is_err());
    let later = Later::default();
    let mut handles = Handles::default();
    handles.spawner = Some(Arc::new(later.clone()));
    let entered = Rc::new(handles).enter();
    let executor = Executor::current().unwrap();
    drop(entered);

    let (send, receive) = futures::channel::oneshot::channel();
    executor.execute(async move { send.send("done") });
    executor.execute(async { panic!("a panic of a task, which is reported") });
    let tasks = std::mem::take(&mut *later.0.lock().unwrap());
    for (meta, task) in tasks {
        assert_eq!(meta.name(), Some("hyper"));
        block_on(task);
    }
    assert_eq!(block_on(receive).unwrap(), "done");
}

#[test]
fn the_timer_goes_by_the_ambient_clock() {
    let (clock, _entered) = StillClock::enter();
    let timer = Timer::new();
    let start = timer.now();
    let second = Duration::from_secs(1);
    let mut sleep = timer.sleep(3 * second);
    let mut polled = || {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        sleep.as_mut().poll(&mut cx).is_ready()
    };
    assert!(!polled());
    clock.advance(2 * second);
    assert_eq!(timer.now(), start + 2 * second);
    assert!(!polled());
    clock.advance(second);
    assert!(polled());
    timer.reset(&mut sleep, start + 5 * second);
    let mut polled = || {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        sleep.as_mut().poll(&mut cx).is_ready()
    };
    assert!(!polled());
    clock.advance(2 * second);
    assert!(polled());
}

#[test]
fn hypers_own_timeouts_hold_on_our_timer() {
    let ended = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        http1::Builder::new()
            .timer(Timer::new())
            .header_read_timeout(Duration::from_millis(20))
            .serve_connection(
                Io::new(stream),
                service_fn(|_| async { Ok::<_, hyper::Error>(support::response(200, "")) }),
            )
            .await
    });
    assert!(ended.unwrap_err().is_timeout());
}

#[test]
fn bytes_pass_unchanged_both_ways() {
    let long: Vec<u8> = (0..300_000u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let text = String::from_utf8_lossy(&long).into_owned();
    let expected = text.clone();
    support::with_streams(
        |stream| {
            let text = &text;
            async move {
                let service =
                    service_fn(|_| async { Ok::<_, hyper::Error>(support::response(200, text)) });
                let _ = http1::Builder::new()
                    .serve_connection(Io::new(stream), service)
                    .await;
            }
        },
        |url| async move {
            let address = &url["http://".len()..];
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.ends_with(expected.as_bytes()));
        },
    );
}
