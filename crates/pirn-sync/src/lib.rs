#![doc = include_str!("../README.md")]
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
