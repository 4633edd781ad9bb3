#![doc = include_str!("../README.md")]

mod condition;
mod error;
mod event;
mod lock;
mod semaphore;

pub use condition::Condition;
pub use error::{Closed, TryAcquireError};
pub use event::{Event, Wait as EventWait};
pub use lock::{Acquire as LockAcquire, Lock, LockGuard};
pub use semaphore::{Acquire as SemaphoreAcquire, OwnedPermit, Permit, Semaphore};
