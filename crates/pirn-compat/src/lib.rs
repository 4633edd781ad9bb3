#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(all(feature = "async-executor", not(loom)))]
mod async_executor;
#[cfg(all(feature = "futures", not(loom)))]
mod futures;
#[cfg(all(feature = "tokio", not(loom)))]
mod tokio;

#[cfg(all(feature = "async-executor", not(loom)))]
pub use self::async_executor::{AsyncExecutor, AsyncLocalExecutor};
#[cfg(all(feature = "futures", not(loom)))]
pub use self::futures::Futures;
#[cfg(all(feature = "tokio", not(loom)))]
pub use self::tokio::{TokioHandle, TokioLocalSet};
