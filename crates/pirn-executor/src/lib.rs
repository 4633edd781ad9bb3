//! Executors that do not know what they wait for: a task cell, a scheduler for one thread, and a
//! work-stealing one for many. What puts a thread to sleep is passed in, as a `Park`. A timer or a
//! reactor is one; `ThreadPark` is the simplest.
//!
//! On a bare thread, without any runtime:
//!
//! ```
//! use pirn_executor::{LocalExecutor, ThreadPark, spawn};
//!
//! let executor = LocalExecutor::new();
//! let total = executor.run(&mut ThreadPark::new(), async {
//!     let tasks: Vec<_> = (1..=3).map(|n| spawn(async move { n * n })).collect();
//!     let mut total = 0;
//!     for task in tasks {
//!         total += task.await.unwrap();
//!     }
//!     total
//! })?;
//! assert_eq!(total, 14);
//! # Ok::<(), pirn_core::ParkError>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | `LocalExecutor` | one thread, futures that need not be `Send`, strictly first in, first out |
//! | `ScopedExecutor` | the same, whose tasks may borrow from the code around it |
//! | `PoolExecutor` and `Worker` | many threads, which the caller starts; work stealing |
//! | `Task` | a task's handle: await it, cancel it, let it go |
//! | `LocalHandle`, `PoolHandle` | spawn from anywhere; they implement `pirn_core::Spawn` |
//! | `spawn`, `spawn_local` | spawn on the executor around the caller |
//! | `spawn_eager` | the same, polled once before the call returns |
//! | `Priority`, `spawn_at` | tasks that go before the others, or after them |
//! | `block_in_place` | blocks a worker's thread and leaves its tasks to the others |
//! | `current`, `tasks` | the task that runs the caller, and all that there are: number, name, place |
//! | `Hooks` | is told what happens to the tasks of an executor |
//! | `ThreadPark`, `SharedDriver` | a thread's sleep; one driver shared by many workers |
//!
//! Each executor is driven in one of two ways: `run` gives it the thread, `poll_tick` and `try_tick`
//! let a foreign loop drive it one step at a time.
//!
//! # What is defined
//!
//! * **Waking.** A task that is woken while it is polled is polled once more. However often it is woken,
//!   it is queued once. A wake after the end does nothing. Wakers go anywhere and may outlive everything.
//! * **Ending.** A task ends as `Ok`, cancelled with its cause, or panicked with its payload. A panic
//!   never reaches the executor; one that no handle receives goes to `pirn_core::report`.
//! * **Cancelling** is a request, delivered at the task's next poll to the scope whose root it is:
//!   clean-up is awaited. Dropping a `Task` requests it, `detach` does not.
//! * **Dropping the executor** drops the futures of its tasks at once, on that thread; a future that
//!   another worker polls at that moment is dropped by that worker after the poll. Destructors may
//!   wake and spawn; what they spawn is refused.
//! * **Shutting down** requests the end of all tasks, awaits it until a deadline that the caller gives
//!   as a future, and says which had to be cut off.
//! * **Nesting.** Executors nest on one thread. `run` inside a task runs the other tasks while the outer
//!   one waits.
//! * **Elsewhere.** Handles and wakers of a `LocalExecutor`'s tasks may be used on any thread. What other
//!   threads ask of a task, a wake, a cancel, to be told of its end, the executor does at its next turn;
//!   a sleep is ended for it. So it must be driven for as long as somebody elsewhere waits for a task.
//! * **Fairness.** What is ready waits for no task longer than that one's poll; what a `run` waits for
//!   takes its turn as a task does. The `Park`, and what other threads sent, are looked at after 61
//!   polls at most. In the pool a task that was woken last may run first, three times in a row; it is
//!   taken from a worker whose poll goes on, within some 12 milliseconds, if the threads have an ambient
//!   clock. `PoolExecutor` has the bounds in a table.
//! * **Sleeping.** A worker that has nothing to do sleeps; before that it looks on for 20 microseconds
//!   at most, one worker at a time and only where that has paid of late. An idle executor uses no CPU.
//! * **Blocking.** `block_in_place` lets a worker's thread block while another worker is there for its
//!   tasks, and refuses where none is.
//!
//! # What a task costs
//!
//! A slot of a page: 40 bytes above the future, its scope's root, its id and the place of the spawn
//! among them. Name and cancel cause lie in a side table, made on use; so does the place, where a program
//! spawns tasks in more than some thousand places. Slots are used again, by the executor or worker that
//! made the task, and allocate nothing once there are enough; pages that were not needed for a while are
//! given back when it has nothing to do. A future or output of more than a kilobyte lies in a box. A task
//! has at most eight million wakers at a time; one more ends the process, as with `Arc`. So does one more
//! task than there are numbers for, 2^52: after more than a year of a hundred million in each second.
//!
//! A task that is spawned, woken and joined on the thread of a `LocalExecutor` needs no atomic
//! read-modify-write and no fence for it.
//!
//! # What it does not do
//!
//! It starts no threads, has no timers and no I/O, and does not change how long a poll takes: a future
//! that blocks holds its worker, but not the tasks of that worker's queue.

mod bound;
mod current;
mod entry;
mod gate;
mod hooks;
#[doc(hidden)]
pub mod internals;
mod local;
mod pool;
mod priority;
mod room;
mod task;
mod unparker;

pub use current::{
    spawn, spawn_at, spawn_eager, spawn_local, spawn_local_at, tasks, try_spawn, try_spawn_eager,
    try_spawn_local,
};
pub use hooks::{Ended, Hooks};
pub use local::{
    LocalExecutor, LocalHandle, LocalStatistics, Order, PARK_INTERVAL, ScopedExecutor,
};
pub use pirn_core::{Priority, ThreadPark, ThreadUnpark};
pub use pool::{
    Closed, PoolExecutor, PoolHandle, PoolStatistics, SharedDriver, SharedPark, SharedUnpark,
    Worker, WorkerStatistics, WouldStall, block_in_place,
};
pub use priority::{HIGH_RUNS, LOW_INTERVAL};
pub use task::{Task, TaskId, TaskInfo, current};
