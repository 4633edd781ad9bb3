#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ambient;
#[cfg(doc)]
#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}
mod branches;
mod catch;
mod error;
mod gather;
mod group;
mod limited;
mod race;
mod several;
pub mod stream;
mod tally;
mod token;
mod wait;

pub use ambient::Ambient;
pub use error::{BoxedError, ChildError, Failure, GroupError};
pub use gather::{Gather, GatherResults, gather, gather_results};
pub use group::{
    Child, Collector, GroupBuilder, OwnedGroup, StartError, Started, TaskGroup, group,
};
pub use limited::{Items, Results, for_each_limit, map_limit};
pub use race::{first_ok, race, staggered_race};
pub use several::{Several, form};
pub use token::{CancelGuard, CancelToken};
pub use wait::{AsCompleted, Done, WaitSet, When, as_completed, wait};
