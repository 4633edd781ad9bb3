#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod block_on;
pub mod budget;
mod clock;
pub mod context;
mod error;
mod park;
pub mod report;
mod scope;
#[doc(hidden)]
pub mod shim;
mod spawn;
#[doc(hidden)]
pub mod spin;
mod thread_park;
mod time_source;
pub mod wait;
pub mod wake;
mod yield_now;

pub use clock::{BoxSleep, Clock, Instant};
pub use error::{Cause, JoinError, Kind, Missing, Panic, Payload, panic_message};
pub use park::{Park, ParkError, Unpark, Until};
pub use scope::{
    Cancelled, ChildGuard, Cleanup, Grace, Rooted, Scope, Scoped, finally, finally_in_place,
    shield, with_resource,
};
pub use spawn::{
    Blocking, BoxJob, BoxTask, DynSpawn, DynSpawnLocal, LocalBoxTask, Refused, Spawn, SpawnLocal,
    TaskMeta,
};
pub use thread_park::{ThreadPark, ThreadUnpark};
pub use time_source::{Monotonic, TimeSource};
pub use yield_now::yield_now;
