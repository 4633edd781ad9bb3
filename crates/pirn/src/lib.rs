//! asyncio for Rust: tasks, groups, timeouts, queues, sockets and an HTTP session in one. Each part is a crate of its own; this one puts them together.
//!
//! ```
//! use std::time::Duration;
//!
//! let greeting = pirn::run(async {
//!     let slow = pirn::spawn(async {
//!         pirn::sleep(Duration::from_millis(5)).await;
//!         "world"
//!     });
//!     format!("hello, {}", slow.await.unwrap())
//! });
//! assert_eq!(greeting, "hello, world");
//! ```
//!
//! # Where asyncio's words are
//!
//! | asyncio | pirn |
//! |---|---|
//! | `asyncio.run` | [`run`](crate::run()), `#[pirn::main]`; [`Runtime`] as `Runner` |
//! | `create_task`, `Task` | [`spawn`], [`spawn_local`], [`Task`]: cancels on drop, or [`detach`](Task::detach) |
//! | `TaskGroup`, `ExceptionGroup` | [`group`], [`GroupBuilder`], [`TaskGroup`], [`GroupError`] |
//! | eager tasks | [`spawn_eager`] |
//! | (none) | [`spawn_at`], with a [`Priority`]; [`block_in_place`] |
//! | the `name` of `create_task` | [`try_spawn`], [`try_spawn_local`], [`try_spawn_eager`], with a [`TaskMeta`] |
//! | `current_task`, `all_tasks` | [`current`], [`tasks`] |
//! | `gather` | [`gather`], [`join`] of what cannot fail, [`gather_results`]; as tasks, [`GroupBuilder::gather`] |
//! | `wait`, `as_completed`, `staggered_race` | [`wait`](crate::wait()), [`as_completed`], [`staggered_race`]; [`race`], [`first_ok`] |
//! | a semaphore around each of many | [`for_each_limit`], [`map_limit`] |
//! | async generators | [`stream::from_fn`] |
//! | `sleep`, `sleep(0)` | [`sleep`], [`yield_now`] |
//! | `wait_for`, `timeout`, `timeout_at` | [`timeout`], [`Timeout`], [`timeout_at`] |
//! | trio's `move_on_after`, `fail_after`, `current_effective_deadline` | [`move_on_after`], [`timeout`], [`current_deadline`] |
//! | the message of a `CancelledError` | [`current_cause`], a [`Cause`] |
//! | `shield`, `try`/`finally`, `async with`, `AsyncExitStack` | [`shield`], [`finally`], [`with_resource`], [`defer`] |
//! | `Lock`, `Event`, `Condition`, `Semaphore`, `Queue` | [`sync`] |
//! | `to_thread` | [`to_thread`] |
//! | anyio's `abandon_on_cancel`, `from_thread.check_cancelled` | [`shield`] around [`to_thread`], or none; [`current_cause`] |
//! | `run_in_executor` for what computes | `pirn::to_rayon`, with the feature `rayon` |
//! | `run_in_executor` with processes | `pirn::process_pool`, with the feature `process-pool` |
//! | `open_connection`, `StreamReader`, `StreamWriter` | [`streams`] |
//! | `start_server`, `Server.close`, `close_clients` | [`start_server`], [`Server`], [`Running`] |
//! | `create_subprocess_exec` | [`process`] |
//! | debug mode's slow callbacks | [`Builder::slow_polls`], on in debug builds |
//! | trio's instruments, `current_statistics` | [`Builder::hooks`], with [`Hooks`]; [`statistics`](crate::statistics()) |
//! | `loop.time`, `loop.is_running` | [`now`], [`is_running`] |
//! | `loop.call_soon`, `call_later`, `call_at` | [`call_soon`], [`call_later`], [`call_at`]; [`CallHandle`], [`TimerHandle`] |
//! | `contextvars` | [`TaskLocal`], [`Locals`] |
//! | `nest_asyncio` | [`run_until`]; prefer `.await` |
//! | trio's guest mode | [`Guest`] |
//! | aiohttp's `ClientSession` | `pirn::http::Session`, with the feature `http` |
//!
//! # What blocks
//!
//! [`to_thread`] runs a closure on a thread of the runtime's pool, which is for what waits; `to_rayon` on rayon's, for what computes. How many of a kind do so at once is bounded by a permit that goes *into* the closure: a thread runs on after a cancel, and has the permit as long as it does.
//!
//! ```
//! use pirn::sync::Semaphore;
//! use std::sync::Arc;
//!
//! async fn resize(limit: &Arc<Semaphore>, width: u32) -> Result<u32, Box<dyn std::error::Error>> {
//!     let permit = limit.acquire_owned().await?;
//!     let resized = pirn::to_thread(move || {
//!         let _permit = permit;
//!         width / 2 // much work
//!     });
//!     Ok(resized.await?)
//! }
//!
//! let limit = Arc::new(Semaphore::new(2)); // two at once, of all that share it
//! let halves = pirn::run(async { pirn::gather((resize(&limit, 8), resize(&limit, 6))).await });
//! assert_eq!(halves.unwrap(), (4, 3));
//! ```
//!
//! When the runtime ends, closures that look at [`current_cause`] learn of it; those that still run after the grace period are named in [`Unended`].
//!
//! # Features
//!
//! - `macros` (default): `#[pirn::main]`.
//! - `http`: the HTTP session, with https and JSON.
//! - `tls`: `pirn::tls`.
//! - `process-pool`: `pirn::process_pool`, functions in processes of their own (Unix).
//! - `rayon`: `pirn::to_rayon`, closures on rayon's threads.
//! - `test`: `pirn::sim` and `#[pirn::test]`, runs under virtual time, by many schedules if asked.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "macros")]
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod blocking;
mod calls;
mod current;
mod guest;
mod hooks;
mod lent;
mod nested;
pub mod prelude;
#[cfg(all(unix, feature = "process-pool"))]
pub mod process_pool;
mod runtime;
mod server;
mod slow;
mod spawn;
mod statistics;
mod workers;

pub use blocking::block_in_place;
pub use calls::{call_at, call_later, call_soon};
pub use current::is_running;
pub use guest::Guest;
pub use nested::run_until;
pub use runtime::{Builder, RunError, Runtime, Unended, run};
pub use server::{Running, Server, start_server};
pub use spawn::{
    spawn, spawn_at, spawn_eager, spawn_local, spawn_local_at, tasks, try_spawn, try_spawn_eager,
    try_spawn_local,
};
pub use statistics::{Statistics, statistics};

#[cfg(feature = "macros")]
pub use pirn_macros::main;
#[cfg(feature = "test")]
pub use pirn_macros::test;

#[doc(no_inline)]
pub use pirn_core::calls::{CallHandle, TimerHandle};
#[doc(no_inline)]
pub use pirn_core::{
    Carried, Cause, Deferred, Grace, Instant, JoinError, Kind, Locals, Missing, Refused, Scope,
    TaskLocal, TaskMeta, Token, current_cause, current_deadline, defer, finally, finally_in_place,
    report, shield, with_resource, yield_now,
};
#[doc(no_inline)]
pub use pirn_executor::{
    Ended, Hooks, LocalStatistics, PoolStatistics, Priority, Task, TaskId, TaskInfo,
    WorkerStatistics, WouldStall, current,
};
#[doc(no_inline)]
pub use pirn_group::{
    CancelGuard, CancelToken, Child, ChildError, Collector, Failure, GroupBuilder, GroupError,
    InTask, InTaskLocal, OwnedGroup, StartError, Started, TaskGroup, gather, gather_results, group,
    group_in_task, join, stream,
};
#[doc(inline)]
pub use pirn_group::{
    WaitSet, When, as_completed, first_ok, for_each_limit, map_limit, race, staggered_race, wait,
};
#[cfg(feature = "rayon")]
#[doc(no_inline)]
pub use pirn_io::blocking::{RayonPool, to_rayon};
#[cfg(unix)]
#[doc(no_inline)]
pub use pirn_io::process;
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use pirn_io::tls;
#[doc(no_inline)]
pub use pirn_io::{fs, net, signal, streams, to_thread};
#[doc(no_inline)]
pub use pirn_timer::{
    DelayQueue, Interval, MissedTick, MoveOn, Sleep, TimeSource, Timeout, TimeoutError,
    TimeoutHandle, interval, interval_at, move_on_after, move_on_at, now, sleep, sleep_until,
    timeout, timeout_at,
};

/// Locks, events, semaphores, queues: the whole of pirn-sync.
pub use pirn_sync as sync;

/// The HTTP session: the whole of pirn-http.
#[cfg(feature = "http")]
pub use pirn_http as http;

/// Runs under virtual time: the whole of pirn-sim.
#[cfg(feature = "test")]
pub use pirn_sim as sim;

/// The repository's README, whose example is run with the doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeExample;
