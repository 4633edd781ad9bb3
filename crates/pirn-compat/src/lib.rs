//! pirn's crates on other executors.
//!
//! Task groups, and whatever else spawns, ask for a `pirn_core::Spawn`. Here it is for executors that
//! are not pirn's, one feature each:
//!
//! | feature | adapter | implements |
//! |---|---|---|
//! | `tokio` | `TokioHandle` over a runtime's handle | `Spawn` |
//! | | `TokioLocalSet` over a `LocalSet` | `SpawnLocal` |
//! | `async-executor` | `AsyncExecutor` over `Executor<'static>` | `Spawn` |
//! | | `AsyncLocalExecutor` over `LocalExecutor<'static>` | `SpawnLocal` |
//! | `futures` | `Futures<S>` over any `futures::task::Spawn` or `LocalSpawn` | `Spawn`, `SpawnLocal` |
//!
//! No adapter starts a thread or a runtime, and none keeps a task's handle: what was spawned runs until
//! it ends or its executor drops it.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(all(feature = "async-executor", not(loom)))]
mod async_executor;
#[cfg(all(feature = "futures", not(loom)))]
mod futures;
#[cfg(all(feature = "host", not(loom)))]
mod host;
#[cfg(all(feature = "tokio", not(loom)))]
mod tokio;
#[cfg(all(feature = "tokio", not(loom)))]
mod tokio_context;
#[cfg(all(feature = "tokio-io", not(loom)))]
mod tokio_io;

#[cfg(all(feature = "async-executor", not(loom)))]
pub use self::async_executor::{AsyncExecutor, AsyncLocalExecutor};
#[cfg(all(feature = "futures", not(loom)))]
pub use self::futures::Futures;
#[cfg(all(feature = "host", not(loom)))]
pub use self::host::{Host, Hosted};
#[cfg(all(feature = "tokio", not(loom)))]
pub use self::tokio::{TokioHandle, TokioLocalSet};
#[cfg(all(feature = "tokio", not(loom)))]
pub use self::tokio_context::{InTokio, TokioContext};
#[cfg(all(feature = "tokio-io", not(loom)))]
pub use self::tokio_io::{ForTokio, FromTokio};
