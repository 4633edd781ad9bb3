//! The task cell: one slot of a heap that holds a future, then its output.
//!
//! ```text
//! page     heap, scheduler, home thread: the same for all its slots
//! └─ slot
//!    ├─ header: state word, other word, join slot, vtable, label     32 bytes
//!    └─ stage: the future, or its output (which one, the state word says)
//! ```
//!
//! The future is the user's inside [`Rooted`](pirn_core::Rooted), which makes the task's scope when
//! that is first needed, and knows what a cancel request means. One that is large lies in a box.
//!
//! The label is the task's number and that of the place where it was spawned. Names and the causes of
//! cancel requests lie in a side table of the scheduler, made on use.
//!
//! # Who may touch what
//!
//! A task of a pool belongs to no thread. One of a current-thread executor is *bound* to its home:
//! there its state changes without read-modify-writes; other threads count and ask for things in
//! the other word (`away`), and what they ask for is done at home. What follows is for those who
//! may change the state word: any thread, or home.
//!
//! * **state**: anyone; the transitions are in `state`.
//! * **vtable, label, page**: read-only while the slot is in use.
//! * **stage**: the thread that holds `RUNNING`. After `COMPLETE`, the handle if there was one at
//!   that transition, wherever it is, else the thread that made it.
//! * **join slot**: empty at birth. While `JOIN_WAKER` is unset and the task is not complete: the
//!   handle. While it is set: nobody, until the transition to `COMPLETE`, which gives it to the
//!   completing thread, or `unset_join_waker` or `drop_handle`, which give it back to the handle.
//!   If the task is completed while `JOIN_WAKER` is unset, it stays the handle's. In a slot without
//!   a task, it is the link to the next one.
//!
//! # Why the future is never dropped on a foreign thread
//!
//! The scheduler has a reference until the task is complete, so the last reference can only go when
//! the future is gone. A waker that outlives the executor frees a slot, no more.

mod away;
mod cell;
mod heap;
mod id;
mod info;
mod join;
mod join_slot;
pub(crate) mod label;
mod now;
mod refs;
mod root;
mod side;
pub(crate) mod sites;
mod sort;
mod state;
mod waker;

pub use id::TaskId;
pub use info::TaskInfo;
pub use join::Task;
pub use now::current;

pub(crate) use cell::{Schedule, Sent, Spawned, Vacant};
pub(crate) use heap::{Heap, Owner, Rested};
pub(crate) use now::Aside;
pub(crate) use refs::{Runnable, TaskRef};
pub(crate) use root::Root;
pub(crate) use side::Side;
