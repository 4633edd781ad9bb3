#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod catch;
mod error;
mod gather;
mod group;
pub mod stream;
mod token;

pub use ambient::Ambient;
pub use error::{BoxedError, ChildError, Failure, GroupError};
pub use gather::{gather, gather_results};
pub use group::{
    Child, Collector, GroupBuilder, OwnedGroup, StartError, Started, TaskGroup, group,
};
pub use token::{CancelGuard, CancelToken};
