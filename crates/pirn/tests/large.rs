//! Large futures: to run or to spawn one takes little more of the stack than to make it, also in a build
//! without optimisation, where each function that a future passes through has a copy of it.
//!
//! A stack that is too small ends the process; what is said then names the thread, which is called as
//! the way in that was tried.

use pirn::{Builder, Priority, Runtime, TaskMeta};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

const LARGE: usize = 256 << 10;
/// Six copies and a half: the worst way in takes five.
const STACK: usize = LARGE / 2 * 13;

struct Bytes([u8; LARGE]);

impl Future for Bytes {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        Poll::Ready(self.0.iter().map(|&byte| usize::from(byte)).sum())
    }
}

fn large() -> Bytes {
    Bytes([1; LARGE])
}

fn on_a_small_stack(name: &str, way: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .name(name.into())
        .stack_size(STACK);
    thread.spawn(way).unwrap().join().unwrap();
}

const WAYS: &[(&str, fn())] = &[
    ("spawn", || pirn::spawn(large()).detach()),
    ("spawn_at", || {
        pirn::spawn_at(Priority::Low, large()).detach()
    }),
    ("try_spawn", || {
        drop(pirn::try_spawn(TaskMeta::here(), large()));
    }),
    ("spawn_local", || pirn::spawn_local(large()).detach()),
    ("try_spawn_local", || {
        drop(pirn::try_spawn_local(TaskMeta::here(), large()));
    }),
    ("spawn_local_at", || {
        pirn::spawn_local_at(Priority::High, large()).detach();
    }),
    ("spawn_eager", || pirn::spawn_eager(large()).detach()),
    ("try_spawn_eager", || {
        drop(pirn::try_spawn_eager(TaskMeta::here(), large()));
    }),
];

#[test]
fn every_runtime_has_few_copies_of_a_large_future() {
    fn settings() -> Builder {
        Runtime::builder()
    }
    let builders: [fn() -> Builder; 4] = [
        || settings().workers(1),
        || settings().current_thread(),
        || settings().workers(1).slow_polls(Duration::from_secs(60)),
        || {
            settings()
                .current_thread()
                .slow_polls(Duration::from_secs(60))
        },
    ];
    for build in builders {
        for &(name, way) in WAYS {
            on_a_small_stack(name, move || {
                let mut runtime = build().build().unwrap();
                runtime.run(async { way() }).unwrap();
            });
        }
    }
}

#[test]
fn a_large_main_future_has_few_copies() {
    on_a_small_stack("run", || assert_eq!(pirn::run(large()), LARGE));
    on_a_small_stack("Runtime::run", || {
        let mut runtime = Runtime::builder().current_thread().build().unwrap();
        assert_eq!(runtime.run(large()).unwrap(), LARGE);
    });
}

#[test]
fn a_task_on_a_worker_spawns_a_large_future() {
    let sum = pirn::run(async {
        let task = pirn::spawn(async { pirn::spawn(large()).await.unwrap() });
        task.await.unwrap()
    });
    assert_eq!(sum, LARGE);
}
