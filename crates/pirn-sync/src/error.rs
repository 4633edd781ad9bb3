//! How an operation can fail.

use std::error::Error;
use std::fmt;

/// The primitive was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Why [`Semaphore::try_acquire`](crate::Semaphore::try_acquire) gave no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few are free, or somebody waits for them.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "too few permits are free",
            TryAcquireError::Closed => "the semaphore is closed",
        })
    }
}

impl Error for Closed {}
impl Error for TryAcquireError {}
