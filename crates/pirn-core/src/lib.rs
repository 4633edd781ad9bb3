//! The bottom of pirn: what its crates share. Take it alone for cancel scopes with awaited clean-up on any executor, or to write an executor, a clock or a primitive that works with the rest.
//!
//! ```
//! use pirn_core::{Cause, Scope, finally, shim::block_on};
//! use std::sync::mpsc;
//!
//! let (say, said) = mpsc::channel();
//! let scope = Scope::detached();
//! let stop = scope.clone();
//! let work = finally(
//!     async move {
//!         stop.cancel(Cause::requested("enough")); // anybody with a clone may ask
//!         std::future::pending::<()>().await
//!     },
//!     move || async move { say.send("cleaned up").unwrap() }, // awaited before the scope ends
//! );
//! let ended = block_on(scope.run(work));
//! assert_eq!(ended.unwrap_err().text(), "enough");
//! assert_eq!(said.recv(), Ok("cleaned up"));
//! ```
//!
//! # What is here
//!
//! | | |
//! |---|---|
//! | [`Scope`] | the cancel context: a tree of places that can be cancelled, with deadline, grace period, children and clean-up |
//! | [`shield`], [`finally`], [`finally_in_place`], [`with_resource`] | what a cancelled body is still polled for |
//! | [`Rooted`] | a whole task under a scope that is made when it is first needed: for executors |
//! | [`TaskLocal`], [`Locals`] | values that belong to a task, and that the tasks it spawns get copies of |
//! | [`Spawn`], [`SpawnLocal`], [`Park`], [`Clock`], [`Blocking`] | what a runtime offers, as traits |
//! | [`context`] | the ambient handles: what a runtime puts around its tasks |
//! | [`calls`] | closures that run soon, or at a time, in order on one executor |
//! | [`budget`] | the cooperative budget that every leaf spends |
//! | [`report`] | where errors and panics go that no one can receive |
//! | [`wait`] | the intrusive wait list under every primitive of pirn-sync |
//! | [`Members`] | futures that one task polls itself, each only when it was woken: what combinators are made of |
//! | [`JoinError`], [`Cause`], [`Missing`], [`Refused`] | the vocabulary of endings |
//!
//! # Without `std`
//!
//! The feature `std` is on by default. Without it the crate needs `alloc` and pointer-wide atomics, and has what pirn-sync is made of: [`wait`], [`wake`], [`Members`], [`budget`], [`yield_now`], [`Cause`], [`Kind`] and [`Missing`]. The rest needs threads, thread-locals or a way to catch a panic. Then also
//!
//! - the lock of a wait list spins until it is free: take none of them where its holder cannot go on meanwhile, as in an interrupt handler;
//! - nothing has a budget, and refilling it does nothing;
//! - a waker that panics ends the program.
//!
//! # How a cancelled scope ends
//!
//! 1. [`Scope::cancel`] sets the cause, here and below, up to shields, and wakes whoever runs a body there. It is a request: nothing is dropped yet.
//! 2. At its next poll the body is dropped; or, if a `shield` or a `finally` in it is under way, polled for that one's sake alone.
//! 3. Clean-ups that were handed over, by a `finally` that a foreign `select!` dropped, are polled.
//! 4. The run waits until no child lives, and returns the outermost cause. It does not return into a body that is itself cancelled.
//!
//! Steps 2 and 3 have the grace period ([`Grace`], ten seconds where nobody says otherwise and there is a clock); what is left then is dropped and reported.
//!
//! A blocking or foreign future that never gives way cannot be interrupted: a cancel takes effect between polls.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod large;
mod members;
#[cfg(feature = "std")]
mod park;
#[cfg(feature = "std")]
mod priority;
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
pub use priority::Priority;
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
