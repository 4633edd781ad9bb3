#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
mod catch;
mod child;
mod error;
mod gather;
mod group;
mod limit;
mod shared;
mod token;

pub use ambient::Ambient;
pub use child::Child;
pub use error::{BoxedError, ChildError, Failure, GroupError};
pub use gather::{gather, gather_results};
pub use group::{GroupBuilder, TaskGroup, group};
pub use token::{CancelGuard, CancelToken};
