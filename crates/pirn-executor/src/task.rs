//! The task cell: one allocation that holds a future, then its output.
//!
//! ```text
//! Cell<F, S>
//! ├─ header: state word and slot, vtable, id, spawn location, join slot     40 bytes
//! ├─ scheduler S                                                             8 bytes
//! └─ stage: the future, or its output (which one, the state word says)
//! ```
//!
//! The future is the user's inside [`Rooted`](pirn_core::Rooted), which makes the task's scope when
//! that is first needed, and knows what a cancel request means.
//!
//! Names and the causes of cancel requests lie in a side table of the scheduler, made on use.
//!
//! # Who may touch what
//!
//! * **state**: anyone; the transitions are in [`state`].
//! * **slot**: written by the scheduler that adopts the task, before the task can run; read by the
//!   thread that completes it.
//! * **vtable, id, location, scheduler**: read-only from birth.
//! * **stage**: the thread that holds `RUNNING`. After `COMPLETE`, the handle if there was one at
//!   that transition, else the thread that made it.
//! * **join slot**: empty at birth. While `JOIN_WAKER` is unset and the task is not complete: the
//!   handle. While it is set: nobody, until the transition to `COMPLETE`, which gives it to the
//!   completing thread, or `unset_join_waker` or `drop_handle`, which give it back to the handle.
//!   If the task is completed while `JOIN_WAKER` is unset, it stays the handle's.
//!
//! # Why the future is never dropped on a foreign thread
//!
//! The set of owned tasks keeps a reference until the task is complete, so the last reference can
//! only go when the future is gone. A waker that outlives the executor frees memory, no more.

mod cell;
mod id;
mod join;
mod join_slot;
mod owned;
mod refs;
mod side;
mod state;
mod waker;

pub use id::TaskId;
pub use join::Task;

pub(crate) use cell::{Schedule, Spawned, refused, spawn};
pub(crate) use owned::Owned;
pub(crate) use refs::{OwnedTask, Runnable, TaskRef};
pub(crate) use side::Side;
