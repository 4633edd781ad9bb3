//! Large futures: to spawn one takes little more of the stack than to make it, also in a build without
//! optimisation, where each function that a future passes through has a copy of it.
//!
//! A stack that is too small ends the process; what is said then names the thread, which is called as
//! the way in that was tried.

use pirn_core::{Spawn, SpawnLocal, TaskMeta};
use pirn_executor::{
    Hooks, LocalExecutor, LocalHandle, Order, PoolExecutor, PoolHandle, Priority, ScopedExecutor,
    ThreadPark, spawn, spawn_at, spawn_eager, spawn_local, spawn_local_at, try_spawn,
    try_spawn_eager, try_spawn_local,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

const LARGE: usize = 256 << 10;
/// Six copies and a half: the worst way in takes five.
const STACK: usize = LARGE / 2 * 13;

struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Future for Bytes<N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        assert!(self.0.iter().all(|&byte| byte == 7));
        Poll::Ready(())
    }
}

fn large() -> Bytes<LARGE> {
    Bytes([7; LARGE])
}

/// Ways in, each with its name.
type Ways<T> = &'static [(&'static str, fn(&T))];

/// Calls each of them on a stack of its own.
fn fits<T: 'static>(ways: Ways<T>, around: fn(fn(&T))) {
    for &(name, way) in ways {
        let thread = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK);
        let thread = thread.spawn(move || around(way)).unwrap();
        thread.join().unwrap();
    }
}

fn meta() -> TaskMeta {
    TaskMeta::here()
}

const FREE: Ways<()> = &[
    ("spawn", |_| spawn(large()).detach()),
    ("try_spawn", |_| drop(try_spawn(meta(), large()))),
    ("spawn_at", |_| spawn_at(Priority::Low, large()).detach()),
];

const FREE_LOCAL: Ways<()> = &[
    ("spawn_local", |_| spawn_local(large()).detach()),
    ("try_spawn_local", |_| {
        drop(try_spawn_local(meta(), large()));
    }),
    ("spawn_local_at", |_| {
        spawn_local_at(Priority::High, large()).detach();
    }),
    ("spawn_eager", |_| spawn_eager(large()).detach()),
    ("try_spawn_eager", |_| {
        drop(try_spawn_eager(meta(), large()));
    }),
];

#[test]
fn the_free_functions_have_few_copies_of_a_large_future() {
    fn on_local(way: fn(&())) {
        let executor = LocalExecutor::new();
        let run = executor.run(&mut ThreadPark::new(), async { way(&()) });
        run.unwrap();
    }
    fn on_worker(way: fn(&())) {
        let (_executor, mut workers) = PoolExecutor::new(1);
        let run = workers[0].run(&mut ThreadPark::new(), async { way(&()) });
        run.unwrap();
    }
    for ways in [FREE, FREE_LOCAL] {
        fits(ways, |way| way(&())); // refused
        fits(ways, on_local);
    }
    fits(FREE, on_worker);
}

const LOCAL: Ways<LocalExecutor> = &[
    ("LocalExecutor::spawn", |e| e.spawn(large()).detach()),
    ("LocalExecutor::try_spawn", |e| {
        drop(e.try_spawn(meta(), large()));
    }),
    ("LocalExecutor::spawn_at", |e| {
        e.spawn_at(Priority::High, large()).detach();
    }),
    ("LocalHandle::spawn_local", |e| {
        e.handle().spawn_local(large()).detach();
    }),
    ("LocalHandle::spawn_local_at", |e| {
        e.handle().spawn_local_at(Priority::Low, large()).detach();
    }),
    ("LocalHandle::spawn_eager", |e| {
        e.handle().spawn_eager(large()).detach();
    }),
    ("SpawnLocal for LocalHandle", |e| {
        drop(SpawnLocal::spawn_local(&e.handle(), meta(), large()));
    }),
];

const HANDLE: Ways<LocalHandle> = &[
    ("LocalHandle::spawn", |h| h.spawn(large()).detach()),
    ("LocalHandle::try_spawn", |h| {
        drop(h.try_spawn(meta(), large()));
    }),
    ("LocalHandle::spawn_at", |h| {
        h.spawn_at(Priority::Low, large()).detach();
    }),
    ("Spawn for LocalHandle", |h| {
        drop(Spawn::spawn(h, meta(), large()));
    }),
];

struct Silent;

impl Hooks for Silent {}

fn told() -> LocalExecutor {
    LocalExecutor::with_hooks(Order::Fifo, Arc::new(Silent))
}

#[test]
fn a_local_executor_has_few_copies_of_a_large_future() {
    fits(LOCAL, |way| way(&LocalExecutor::new()));
    fits(LOCAL, |way| way(&told()));
    fits(HANDLE, |way| way(&LocalExecutor::new().handle())); // it is gone
    fits(HANDLE, |way| {
        let executor = LocalExecutor::new();
        way(&executor.handle());
    });
    fits(HANDLE, |way| {
        let executor = told();
        way(&executor.handle());
    });
    let ways: Ways<ScopedExecutor<'static>> = &[
        ("ScopedExecutor::spawn", |e| e.spawn(large()).detach()),
        ("ScopedExecutor::try_spawn", |e| {
            drop(e.try_spawn(meta(), large()));
        }),
    ];
    fits(ways, |way| way(&ScopedExecutor::new()));
}

const POOL: Ways<PoolHandle> = &[
    ("PoolHandle::spawn", |h| h.spawn(large()).detach()),
    ("PoolHandle::try_spawn", |h| {
        drop(h.try_spawn(meta(), large()));
    }),
    ("PoolHandle::spawn_at", |h| {
        h.spawn_at(Priority::High, large()).detach();
    }),
    ("PoolHandle::spawn_eager", |h| {
        h.spawn_eager(large()).detach();
    }),
    ("PoolHandle::try_spawn_eager", |h| {
        drop(h.try_spawn_eager(meta(), large()));
    }),
    ("Spawn for PoolHandle", |h| {
        drop(Spawn::spawn(h, meta(), large()));
    }),
];

#[test]
fn a_pool_has_few_copies_of_a_large_future() {
    fits(POOL, |way| way(&PoolExecutor::new(1).0.handle())); // from outside
    fits(POOL, |way| {
        let (executor, _workers) = PoolExecutor::with_hooks(1, Arc::new(Silent));
        way(&executor.handle());
    });
    fits(POOL, |way| {
        let (executor, mut workers) = PoolExecutor::new(1);
        let handle = executor.handle();
        let run = workers[0].run(&mut ThreadPark::new(), async { way(&handle) });
        run.unwrap();
    });
}

#[test]
fn a_large_future_that_is_refused_comes_back_and_can_be_spawned_elsewhere() {
    let back = try_spawn(meta(), Bytes([7; 5000])).unwrap_err();
    let back = try_spawn_eager(meta(), back.into_future()).unwrap_err();
    let gone = LocalExecutor::new().handle();
    let back = gone.try_spawn(meta(), back.into_future()).unwrap_err();
    let back = Spawn::spawn(&gone, meta(), back.into_future()).unwrap_err();
    let (pool, mut workers) = PoolExecutor::new(1);
    let task = pool.handle().try_spawn(meta(), back.into_future());
    let ended = workers[0].run(&mut ThreadPark::new(), task.unwrap());
    ended.unwrap().unwrap();
}
