//! What asyncio calls synchronisation primitives, for async Rust on any executor: locks, events,
//! semaphores, barriers, queues and channels.
//!
//! ```
//! use pirn_sync::{Queue, Semaphore};
//! use std::sync::Arc;
//!
//! #[tokio::main]
//! async fn main() {
//!     let jobs = Arc::new(Queue::bounded(8));
//!     let at_once = Arc::new(Semaphore::new(2));
//!     let worker = tokio::spawn({
//!         let jobs = Arc::clone(&jobs);
//!         async move {
//!             let mut done = Vec::new();
//!             while let Ok(job) = jobs.get().await {
//!                 let _permit = at_once.acquire().await.expect("nobody closes it");
//!                 done.push(job * 10);
//!             }
//!             done
//!         }
//!     });
//!     for job in 1..=3 {
//!         jobs.put(job).await.expect("nobody closed it yet");
//!     }
//!     jobs.close();
//!     assert_eq!(worker.await.unwrap(), [10, 20, 30]);
//! }
//! ```
//!
//! # Which one
//!
//! | You want | Take | Cost where nobody waits | Dropping a future that waits |
//! | --- | --- | --- | --- |
//! | one task at a time to use a value, across awaits | `Lock` | 2 atomic read-modify-writes | leaves the line |
//! | the same for a few lines, by many tasks at once, and order may bend so far | `Lock::new_barging` | 2 | leaves the line |
//! | the same without an await in between | `std::sync::Mutex` | 2 | |
//! | many tasks to read a value at once, or one to change it, across awaits | `RwLock` | 2 | leaves the line; who may go on behind it does |
//! | at most so many tasks at once, or so many bytes | `Semaphore` | 2 | leaves the line |
//! | a limit that changes at run time, one part for each borrower | `CapacityLimiter` | a short lock, twice | leaves the line |
//! | to let everybody go when something has happened | `Event` | a load, once it is set | leaves the line |
//! | to wait until a value under a `Lock` is as you need it | `Condition` | always waits | passes a notification on |
//! | so many tasks to wait for each other, again and again | `Barrier` | a short lock | frees its place |
//! | a value made once, by whoever needs it first, with awaits in the making | `OnceCell` | a load, once it is made | who makes it hands over |
//! | to hand items from some tasks to others | `Queue`, bounded or not | a short lock on each side | puts or takes nothing |
//! | the last one put in first, or the least priority first | `LifoQueue`, `PriorityQueue` | the same | puts or takes nothing |
//! | producers and consumers who end a queue as the last of them leaves | `Queue::split` | the same | puts or takes nothing |
//! | to hand an item over and know that it was taken: a queue of no capacity | `Rendezvous` | who puts always waits | has its item back, or takes nothing |
//! | to know that there is room before an item is made | `reserve_put` of a queue | a short lock, twice | gives the place up |
//! | one value from one task to another, such as an answer | `oneshot` | one allocation | takes nothing |
//! | many to see the latest value, who may skip those in between | `watch` | a short lock; an allocation for each value | sees it the next time |
//! | many to see every item, where the slow are told what they missed | `broadcast` | a short lock; an allocation for each item | takes nothing |
//! | to wait for any of these on a plain thread | `block_on(lock.lock())` | no allocation after the first | |
//!
//! All of them serve in the order of arrival; a barging lock lets so many overtake as it was told. A short lock is one read-modify-write and a store.
//!
//! # On plain threads
//!
//! Every waiting operation has a blocking twin, and it is the same for all: `block_on` drives its future
//! on the calling thread, which is parked in between. Threads and tasks wait in one queue.
//!
//! ```
//! use pirn_sync::{Queue, block_on};
//!
//! let jobs = Queue::bounded(1);
//! std::thread::scope(|scope| {
//!     scope.spawn(|| (1..=3).for_each(|job| block_on(jobs.put(job)).expect("nobody closes it")));
//!     for job in 1..=3 {
//!         assert_eq!(block_on(jobs.get()), Ok(job));
//!     }
//! });
//! ```
//!
//! Not in a task: there it blocks the executor's thread, and if what it waits for is to come from a task
//! of that thread, for ever.
//!
//! # What holds for all of them
//!
//! - **First come, first served.** Unlocking hands the lock to the first in line; a `try_…` or a
//!   newcomer overtakes nobody, and a request for many permits is not starved by small ones.
//! - **A grant belongs to the task, not to the future.** A task that waits in two futures, is granted
//!   in one of them and then awaits the other gets it there, and the first takes the other's place in
//!   the line. So the programs known as *futurelock*, in which a task waits for what it was granted
//!   itself, do not hang. What does not help is to wait for something else: a future that was granted,
//!   is kept and is not polled holds what it was granted, also against `try_…` of its own task, until it
//!   is polled or dropped. The same holds for permits that are too few for the larger request that the
//!   task awaits, for a read that was granted while the task awaits a write and strangers read, and in
//!   a part of a task with wakers of its own, such as `FuturesUnordered`, which its owner stops polling.
//! - **Dropping any future is safe.** It leaves the line, and what it had been granted goes to the next.
//!   An item stays in its queue until a getter takes it in its own poll, so none is lost. Each method
//!   says in a sentence what dropping its future does.
//! - **Waiting allocates nothing**: the place in the line lies in the future, of 56 to 72 bytes. A
//!   `Lock<()>` takes 32 bytes, a `Semaphore` 40.
//! - **The lock inside is short, and spins.** It is held for some dozen instructions; who finds it held
//!   spins, then yields, then sleeps for short times.
//! - **No runtime.** No thread, no timer, no global: it works wherever a future is polled. For a
//!   timeout, wrap the future in your runtime's.
//! - **Your code never runs under a lock of ours**, neither wakers nor destructors; a waker that panics
//!   does not keep others from being woken.
//! - **Always-ready is no licence to starve.** Under an executor that sets pirn's budget, each operation
//!   that succeeds spends a unit of it, and gives way when none is left.
//! - **Model-checked.** Each primitive is explored by [loom](https://docs.rs/loom) as it is shipped. If
//!   you model your own code, switch on the feature `loom` and build with `--cfg loom`: then your models
//!   explore these primitives too. With the cfg alone everything compiles, unmodelled.
//!
//! # Without `std`
//!
//! The feature `std` is on by default. Without it the crate is `no_std`, and needs `alloc` and atomics
//! as wide as a pointer. Every primitive is there; `block_on` is not. What is said above holds, but for
//! this:
//!
//! - The lock inside spins until it is free: there is no scheduler to yield to. Do not use a primitive
//!   where whoever holds that lock cannot go on meanwhile, as in an interrupt handler on the same
//!   processor: it would spin for ever.
//! - A waker that panics ends the program, since nothing can catch that.
//! - There is no budget: nothing that is always ready gives way by itself.
//!
//! # Panics and poisoning
//!
//! There is no poisoning. A panic while a `Lock` is held unlocks it and leaves the value as it was at
//! that moment; a permit goes back to its `Semaphore`.
//!
//! # From asyncio
//!
//! | asyncio | here |
//! | --- | --- |
//! | `async with lock:` | `let guard = lock.lock().await;` |
//! | `async with semaphore:` | `let permit = semaphore.acquire().await?;` |
//! | `event.wait()`, `set()`, `clear()`, `is_set()` | the same |
//! | `condition.wait_for(predicate)` | `condition.wait_while(guard, \|value\| !predicate(value)).await` |
//! | `condition.notify(n)`, `notify_all()` | the same; the lock need not be held |
//! | `BoundedSemaphore.release()` | drop the permit; or `permit.forget()`, and later `semaphore.release(1)?`, which gives back what was forgotten and no more |
//! | `barrier.wait()`, `n_waiting`, `broken` | `wait()`, whose `turn.index()` is asyncio's result, `waiting()`, `is_broken()` |
//! | `queue.put(x)`, `get()`, `join()`, `task_done()` | the same; `get_item()` for an item that is done when it is dropped |
//! | `queue.put_nowait(x)`, `get_nowait()` | `try_put(x)`, `try_get()` |
//! | `Queue(0)`, `LifoQueue`, `PriorityQueue` | `Queue::unbounded()`, `LifoQueue`, `PriorityQueue` of pairs |
//! | `queue.shutdown()`, `shutdown(immediate=True)` | `close()`; `close_now()`, which gives the items back |
//!
//! A cancelled `condition.wait` does not take the lock again, as asyncio's does: dropping a future
//! cannot wait. The guard is gone either way.
//!
//! Case by case, with the test that shows each:
//! [asyncio](https://docs.rs/pirn-sync/latest/pirn_sync/asyncio/index.html), or `docs/asyncio.md`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

extern crate alloc;

#[cfg(doc)]
#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}
mod barrier;
#[cfg(feature = "std")]
mod block_on;
pub mod broadcast;
mod capacity_limiter;
mod condition;
mod error;
mod event;
mod lock;
mod once_cell;
pub mod oneshot;
mod queue;
mod rendezvous;
mod rwlock;
mod semaphore;
pub mod watch;

pub use barrier::{Barrier, BarrierTurn, Wait as BarrierWait};
#[cfg(feature = "std")]
pub use block_on::block_on;
pub use capacity_limiter::{Borrower, CapacityLimiter, LimiterStatistics, LimiterToken};
pub use condition::Condition;
pub use error::{
    AlreadyBorrowed, BrokenBarrier, Closed, PutError, SetError, TooManyReleased, TryAcquireError,
    TryBorrowError, TryGetError, TryPutError,
};
pub use event::{Event, Wait as EventWait};
pub use lock::{Acquire as LockAcquire, Lock, LockGuard, MappedLockGuard, OwnedLockGuard};
pub use once_cell::{OnceCell, Wait as OnceWait};
pub use queue::{
    ByPriority, Fifo, Get as QueueGet, GetPermit, Join as QueueJoin, Lifo, LifoQueue, Order,
    OrderedQueue, Priority, PriorityQueue, Put as QueuePut, PutPermit, Queue, QueueItem,
    QueueReceiver, QueueSender, QueueSink, QueueStatistics, QueueStream, ReceiverOf, SenderOf,
};
pub use rendezvous::{
    Get as RendezvousGet, Put as RendezvousPut, Rendezvous, RendezvousReceiver, RendezvousSender,
    RendezvousSink, RendezvousStatistics, RendezvousStream,
};
pub use rwlock::{
    MappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, Read as RwLockRead,
    RwLock, RwLockReadGuard, RwLockWriteGuard, Write as RwLockWrite,
};
pub use semaphore::{Acquire as SemaphoreAcquire, OwnedPermit, Permit, Semaphore};
