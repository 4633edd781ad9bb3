#![doc = include_str!("../README.md")]
#![no_std]
// Its links to what needs `std` lead nowhere without it.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
#[doc(hidden)]
pub mod block_on;
pub mod budget;
#[cfg(feature = "std")]
pub mod calls;
#[cfg(feature = "std")]
mod clock;
#[cfg(feature = "std")]
pub mod context;
mod error;
mod members;
#[cfg(feature = "std")]
mod park;
#[cfg(feature = "std")]
pub mod report;
#[cfg(feature = "std")]
mod scope;
#[doc(hidden)]
pub mod shim;
#[cfg(feature = "std")]
mod spawn;
#[doc(hidden)]
pub mod spin;
#[cfg(feature = "std")]
mod task_local;
#[cfg(feature = "std")]
mod thread_park;
#[cfg(feature = "std")]
mod time_source;
pub mod wait;
pub mod wake;
mod yield_now;

#[cfg(feature = "std")]
pub use clock::{BoxSleep, Clock, Instant};
pub use error::{Cause, Kind, Missing};
#[cfg(feature = "std")]
pub use error::{JoinError, Panic, Payload, panic_message};
pub use members::Members;
#[cfg(feature = "std")]
pub use park::{Park, ParkError, Unpark, Until};
#[cfg(feature = "std")]
pub use scope::{
    Branch, BranchEnd, Cancelled, ChildGuard, Cleanup, Deferred, Grace, Limited, Rooted, Scope,
    Scoped, current_cause, current_deadline, defer, finally, finally_in_place, shield,
    with_resource,
};
#[cfg(feature = "std")]
pub use spawn::{
    Blocking, BoxJob, BoxTask, DynSpawn, DynSpawnLocal, LocalBoxTask, Refused, Spawn, SpawnLocal,
    TaskMeta,
};
#[cfg(feature = "std")]
pub use task_local::{Carried, Detached, Locals, TaskLocal, Token};
#[cfg(feature = "std")]
pub use thread_park::{ThreadPark, ThreadUnpark};
#[cfg(feature = "std")]
pub use time_source::{Monotonic, TimeSource};
pub use yield_now::yield_now;
