//! Timers of whole runtimes: set and given up, as timeouts are; sleeps, how late they end and what
//! they cost; intervals; and what a runtime costs that does nothing.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use monoio::{IoUringDriver, LegacyDriver};
use pirn_executor::LocalExecutor;
use pirn_timer::{Monotonic, ThreadPark, TimerPark};

use crate::{
    clocked::{
        Clocked, CompioClocked, MonoioClocked, Naps, NioClocked, PirnClocked, SmolClocked,
        TokioClocked,
    },
    harness::{self, Contender, Note, Row},
    hosts::has_io_uring,
};

/// Timers alive in the larger row.
const ALIVE: u64 = 100_000;
/// Sleeps of each task in the rows of many tasks.
const NAPS: u64 = 10;
/// Sleeps in the row of one task.
const SHORT_NAPS: u64 = 500;
/// Intervals at once, and ticks of each.
const INTERVALS: u64 = 1000;
const TICKS: u64 = 200;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "timer.insert_cancel_one",
            "set a timer, poll it, drop it",
            || insert_cancel(0),
        ),
        Row::new(
            "timer.insert_cancel_100k",
            "the same, the oldest of 100,000 dropped",
            || insert_cancel(ALIVE),
        ),
        Row::new(
            "timer.fire_100k",
            "one of 100,000 sleeps of 1 to 200 ms, in 10,000 tasks; pirn-2 and tokio-2 have workers",
            || fire(10_000),
        ),
        Row::new(
            "timer.fire_1m",
            "one of 1,000,000 sleeps of 1 to 200 ms, in 100,000 tasks: more than one thread can do",
            || fire(100_000),
        ),
        Row::new(
            "timer.sleep_100us",
            "how late a sleep of 100 us ends, one at a time, the median",
            || {
                let mut all = vec![
                    sleep_100us::<PirnClocked<0>>("pirn"),
                    sleep_100us::<PirnClocked<2>>("pirn-2"),
                    sleep_100us::<TokioClocked<0>>("tokio"),
                    sleep_100us::<TokioClocked<2>>("tokio-2"),
                    sleep_100us::<MonoioClocked<LegacyDriver>>("monoio-legacy"),
                    sleep_100us::<NioClocked>("nio"),
                    sleep_100us::<SmolClocked>("async-io"),
                ];
                if has_io_uring() {
                    all.push(sleep_100us::<MonoioClocked<IoUringDriver>>("monoio-uring"));
                    all.push(sleep_100us::<CompioClocked>("compio"));
                }
                all
            },
        ),
        Row::new(
            "timer.ticks_1000",
            "one tick of one of 1000 intervals of 1 ms",
            || {
                let mut all = vec![
                    ticks::<PirnClocked<0>>("pirn"),
                    ticks::<TokioClocked<0>>("tokio"),
                    ticks::<MonoioClocked<LegacyDriver>>("monoio-legacy"),
                    ticks::<NioClocked>("nio"),
                    ticks::<SmolClocked>("async-io"),
                ];
                if has_io_uring() {
                    all.push(ticks::<MonoioClocked<IoUringDriver>>("monoio-uring"));
                    all.push(ticks::<CompioClocked>("compio"));
                }
                all
            },
        ),
        Row::new(
            "timer.timeout_ready",
            "a timeout around what is ready at once",
            || {
                let mut all = vec![
                    timeout_ready::<PirnClocked<0>>("pirn"),
                    timeout_ready::<TokioClocked<0>>("tokio"),
                    timeout_ready::<MonoioClocked<LegacyDriver>>("monoio-legacy"),
                    timeout_ready::<NioClocked>("nio"),
                    timeout_ready::<SmolClocked>("async-io"),
                ];
                if has_io_uring() {
                    all.push(timeout_ready::<MonoioClocked<IoUringDriver>>(
                        "monoio-uring",
                    ));
                    all.push(timeout_ready::<CompioClocked>("compio"));
                }
                all
            },
        ),
        Row::new(
            "timer.idle.2",
            "a second of a runtime with two workers and nothing to do",
            || {
                vec![
                    idle::<PirnClocked<2>>("pirn"),
                    idle::<TokioClocked<2>>("tokio"),
                ]
            },
        ),
    ]
}

/// When the next timer would fire: far off, and spread over a minute, as timeouts are.
fn delay(i: u64) -> Duration {
    Duration::from_millis(10_000 + i.wrapping_mul(7919) % 60_000)
}

/// Sets `count` timers on top of `alive` others, and drops the oldest each time.
fn churn<F: Future + 'static>(
    timers: &mut VecDeque<Pin<Box<F>>>,
    alive: u64,
    count: u64,
    sleep: impl Fn(Duration) -> F,
) {
    let mut cx = Context::from_waker(Waker::noop());
    let missing = alive.saturating_sub(timers.len() as u64);
    for i in 0..missing + count {
        let mut timer = Box::pin(sleep(delay(i)));
        assert!(matches!(timer.as_mut().poll(&mut cx), Poll::Pending));
        timers.push_back(timer);
        if timers.len() as u64 > alive {
            timers.pop_front();
        }
    }
}

fn insert_cancel(alive: u64) -> Vec<Contender> {
    let mut all = vec![
        insert_cancel_pirn(alive),
        insert_cancel_in::<PirnClocked<0>>("pirn-runtime", alive),
        insert_cancel_in::<TokioClocked<0>>("tokio", alive),
        insert_cancel_in::<NioClocked>("nio", alive),
        insert_cancel_in::<MonoioClocked<LegacyDriver>>("monoio-legacy", alive),
    ];
    if has_io_uring() {
        let uring = insert_cancel_in::<MonoioClocked<IoUringDriver>>;
        all.push(uring("monoio-uring", alive));
        all.push(insert_cancel_in::<CompioClocked>("compio", alive));
    }
    all
}

/// The timer driver alone, without a reactor.
fn insert_cancel_pirn(alive: u64) -> Contender {
    let executor = LocalExecutor::new();
    let mut park = TimerPark::new(ThreadPark::new(), Monotonic);
    let timer = park.timer();
    let mut timers = VecDeque::new();
    Contender::timed("pirn", move |count| {
        // As the facade's runtime does on one thread.
        let _attached = timer.attach();
        let work = async { churn(&mut timers, alive, count, |delay| timer.sleep(delay)) };
        executor
            .run(&mut park, work)
            .expect("a thread can always park");
    })
}

fn insert_cancel_in<H: Clocked>(name: &'static str, alive: u64) -> Contender {
    let mut host = H::new();
    let mut timers = VecDeque::new();
    Contender::timed(name, move |count| {
        host.block_on(async { churn(&mut timers, alive, count, H::sleep) });
    })
}

fn fire(tasks: u64) -> Vec<Contender> {
    let mut all = vec![
        fire_in::<PirnClocked<0>>("pirn", tasks),
        fire_in::<PirnClocked<2>>("pirn-2", tasks),
        fire_in::<TokioClocked<0>>("tokio", tasks),
        fire_in::<TokioClocked<2>>("tokio-2", tasks),
        fire_in::<MonoioClocked<LegacyDriver>>("monoio-legacy", tasks),
        fire_in::<NioClocked>("nio", tasks),
        fire_in::<SmolClocked>("async-io", tasks),
    ];
    if has_io_uring() {
        let uring = fire_in::<MonoioClocked<IoUringDriver>>;
        all.push(uring("monoio-uring", tasks));
    }
    all
}

fn fire_in<H: Clocked>(name: &'static str, tasks: u64) -> Contender {
    let mut host = H::new();
    let late = Rc::new(RefCell::new(Vec::new()));
    let found = late.clone();
    let naps = |seed| Naps {
        times: NAPS,
        from: 1_000,
        spread: 199_000,
        seed,
    };
    Contender::asleep(name, tasks * NAPS, move || {
        *found.borrow_mut() = host.block_on(async {
            let tasks: Vec<_> = (0..tasks).map(|seed| H::spawn_naps(naps(seed))).collect();
            let mut late = Vec::new();
            for task in tasks {
                late.extend(task.await);
            }
            late
        });
    })
    .with_notes(move || {
        let late = Lateness::of(&mut late.borrow_mut());
        vec![
            Note::new("late by, us: median", late.median / 1e3),
            Note::new("late by, us: 99 %", late.nearly_all / 1e3),
            Note::new("sleeps that ended early", late.early),
        ]
    })
}

fn sleep_100us<H: Clocked>(name: &'static str) -> Contender {
    let mut host = H::new();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let found = notes.clone();
    let naps = Naps {
        times: SHORT_NAPS,
        from: 100,
        spread: 0,
        seed: 0,
    };
    Contender::counted(name, "ns late", move || {
        let cpu = harness::cpu_of_all();
        let mut late = host.block_on(async { H::spawn_naps(naps).await });
        let cpu = harness::cpu_of_all() - cpu;
        let late = Lateness::of(&mut late);
        *found.borrow_mut() = vec![
            Note::new("late by, us: 99 %", late.nearly_all / 1e3),
            Note::new("sleeps that ended early", late.early),
            Note::new(
                "us of CPU per sleep",
                cpu.as_secs_f64() * 1e6 / SHORT_NAPS as f64,
            ),
        ];
        late.median
    })
    .with_notes(move || notes.borrow().clone())
}

/// How late sleeps ended, in nanoseconds.
#[derive(Default)]
struct Lateness {
    median: f64,
    nearly_all: f64,
    early: f64,
}

impl Lateness {
    fn of(late: &mut [i64]) -> Self {
        late.sort_unstable();
        let part = |percent| late.get(late.len() * percent / 100).copied();
        Lateness {
            median: part(50).unwrap_or_default() as f64,
            nearly_all: part(99).unwrap_or_default() as f64,
            early: late.partition_point(|&late| late < 0) as f64,
        }
    }
}

fn ticks<H: Clocked>(name: &'static str) -> Contender {
    let mut host = H::new();
    Contender::asleep(name, INTERVALS * TICKS, move || {
        host.block_on(async {
            let period = Duration::from_millis(1);
            let start = |_| H::spawn_ticks(period, TICKS);
            let tasks: Vec<_> = (0..INTERVALS).map(start).collect();
            for task in tasks {
                task.await;
            }
        });
    })
}

fn timeout_ready<H: Clocked>(name: &'static str) -> Contender {
    let mut host = H::new();
    Contender::timed(name, move |count| {
        host.block_on(async { H::ready_in_time(count).await });
    })
}

/// A runtime of its own each time, so that the others' threads are gone.
fn idle<H: Clocked>(name: &'static str) -> Contender {
    Contender::counted(name, "us CPU", || {
        let mut host = H::new();
        host.block_on(async { H::sleep(Duration::from_millis(1)).await });
        let cpu = harness::cpu_of_all();
        thread::sleep(Duration::from_secs(1));
        (harness::cpu_of_all() - cpu).as_secs_f64() * 1e6
    })
}
