#![doc = include_str!("../README.md")]
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
mod lent;
mod nested;
pub mod prelude;
#[cfg(all(unix, feature = "process-pool"))]
pub mod process_pool;
mod runtime;
mod server;
mod slow;
mod spawn;
mod workers;

pub use blocking::block_in_place;
pub use calls::{call_at, call_later, call_soon};
pub use current::is_running;
pub use guest::Guest;
pub use nested::run_until;
pub use runtime::{Builder, RunError, Runtime, Unended, run};
pub use server::{Running, Server, start_server};
pub use spawn::{spawn, spawn_at, spawn_eager, spawn_local, spawn_local_at};

#[cfg(feature = "macros")]
pub use pirn_macros::main;
#[cfg(feature = "test")]
pub use pirn_macros::test;

#[doc(no_inline)]
pub use pirn_core::calls::{CallHandle, TimerHandle};
#[doc(no_inline)]
pub use pirn_core::{
    Carried, Cause, Deferred, Grace, Instant, JoinError, Kind, Locals, Missing, Scope, TaskLocal,
    TaskMeta, Token, current_cause, current_deadline, defer, finally, finally_in_place, report,
    shield, with_resource, yield_now,
};
#[doc(no_inline)]
pub use pirn_executor::{CurrentTask, Priority, Task, TaskId, WouldStall, current};
#[doc(no_inline)]
pub use pirn_group::{
    CancelGuard, CancelToken, Child, ChildError, Collector, Failure, GroupBuilder, GroupError,
    OwnedGroup, StartError, Started, TaskGroup, gather, gather_results, group, stream,
};
#[doc(inline)]
pub use pirn_group::{
    WaitSet, When, as_completed, first_ok, for_each_limit, map_limit, race, staggered_race, wait,
};
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
