//! pirn's crates on other executors, and other people's libraries with pirn.
//!
//! Each adapter is a feature of its own. None is on by default, none starts a thread or a runtime unless
//! its name says so, and none keeps anything hidden in a global.
//!
//! | you have | you want | use | feature |
//! |---|---|---|---|
//! | a tokio runtime | task groups, and what else spawns, on it | `TokioHandle`, `TokioLocalSet` | `tokio` |
//! | an `async_executor` | the same | `AsyncExecutor`, `AsyncLocalExecutor` | `async-executor` |
//! | a spawner of `futures` | the same | `Futures<S>` | `futures` |
//! | one of these | a program that finds its spawner around it (`group`) | `Host<S>` | `host` |
//! | a stream of pirn's | a library that takes tokio's `AsyncRead`, `AsyncWrite` | `ForTokio<T>` | `tokio-io` |
//! | a stream of tokio's | pirn's readers and writers, or any of `futures-io` | `FromTokio<T>` | `tokio-io` |
//! | a client that needs tokio (reqwest, sqlx, async-nats, redis) | it inside pirn | `TokioContext` | `tokio` |
//! | hyper | its servers and clients on pirn | `pirn_http::rt` (`pirn::http::rt`) | (none) |
//! | axum, a `tower::Service` | a server of it on pirn | the same, and hyper-util's `TowerToHyperService` | (none) |
//! | tower's layers | a time limit among them | `map_future` with `pirn::timeout` | (none) |
//! | async-tungstenite | WebSockets on pirn | nothing: it takes our streams | (none) |
//! | tokio-postgres | PostgreSQL on pirn | its `connect_raw` with `ForTokio` | `tokio-io` |
//! | locks, queues, timers, sockets, files of pirn's | them under another executor | nothing: they work anywhere | (none) |
//!
//! The last rows have no adapter because nothing is missing; the module `recipes` has a program for each
//! row, with what a cancel does to it.
//!
//! A task of a foreign executor that was spawned by an adapter runs until it ends or its executor drops it:
//! no adapter keeps its handle.
//!
//! Beside `ForTokio` and `FromTokio` there is `Compat` of tokio-util, which does the same for its traits, and
//! seeks; ours pass on writes of several pieces, and spend the budget of either runtime. Beside `TokioContext`
//! there is async-compat, whose runtime is a hidden global one; ours is a value that ends, and reaches the
//! children of groups.
//!
//! Under loom (`--cfg loom`) the adapters vanish: what they adapt does not build there.

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

// What they are about is at hand in `interop`, whose doctests run them.
#[cfg(not(doctest))]
#[doc = include_str!("../docs/recipes.md")]
pub mod recipes {}
