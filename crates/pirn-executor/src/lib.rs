#![doc = include_str!("../README.md")]

mod bound;
mod current;
mod local;
mod task;
mod thread_park;

pub use current::{spawn, spawn_local, try_spawn, try_spawn_local};
pub use local::{LocalExecutor, LocalHandle, LocalStatistics, Order, PARK_INTERVAL};
pub use task::{Task, TaskId};
pub use thread_park::{ThreadPark, ThreadUnpark};
