#![doc = include_str!("../README.md")]

mod bound;
mod current;
mod gate;
mod hooks;
#[doc(hidden)]
pub mod internals;
mod local;
mod pool;
mod priority;
mod task;
mod unparker;

pub use current::{
    spawn, spawn_at, spawn_eager, spawn_local, spawn_local_at, try_spawn, try_spawn_at,
    try_spawn_eager, try_spawn_local, try_spawn_local_at,
};
pub use hooks::{Ended, Hooks};
pub use local::{
    LocalExecutor, LocalHandle, LocalStatistics, Order, PARK_INTERVAL, ScopedExecutor,
};
pub use pirn_core::{ThreadPark, ThreadUnpark};
pub use pool::{
    Closed, PoolExecutor, PoolHandle, PoolStatistics, SharedDriver, SharedPark, SharedUnpark,
    Worker, WorkerStatistics, WouldStall, block_in_place,
};
pub use priority::Priority;
pub use task::{CurrentTask, Task, TaskId, current};
