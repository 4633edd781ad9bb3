//! How an operation can fail.

use core::error::Error;
use core::fmt;

use crate::capacity_limiter::Borrower;

/// The primitive was closed: the error of [`Queue::get`](crate::Queue::get), for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// [`Barrier::wait`](crate::Barrier::wait) found the barrier broken, or was sent away by a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier;

/// [`Semaphore::release`](crate::Semaphore::release) was to give back more than was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyReleased {
    /// How many permits were to be given back.
    pub released: usize,
    /// How many were forgotten and not released, just then.
    pub forgotten: usize,
}

/// Why [`Semaphore::try_acquire`](crate::Semaphore::try_acquire) gave no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few are free, or somebody waits for them.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

/// A [`CapacityLimiter`](crate::CapacityLimiter) was asked for a token on behalf of a borrower who
/// has one or asks for one; this is the borrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyBorrowed(pub Borrower);

/// Why [`CapacityLimiter::try_acquire_on_behalf_of`] gave no token.
///
/// [`CapacityLimiter::try_acquire_on_behalf_of`]: crate::CapacityLimiter::try_acquire_on_behalf_of
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryBorrowError {
    /// This borrower has a token or asks for one.
    AlreadyBorrowed(Borrower),
    /// None is free, or somebody waits for one.
    NoTokens,
}

/// [`Queue::put`](crate::Queue::put) found the queue closed; this is the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

/// Why [`Queue::try_put`](crate::Queue::try_put) did not put the item, and the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There is no room, or somebody waits for it.
    Full(T),
    /// The queue was closed.
    Closed(T),
}

/// Why [`Queue::try_get`](crate::Queue::try_get) gave no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// There is none, or somebody waits for it.
    Empty,
    /// The queue was closed, and nothing is left in it.
    Closed,
}

/// Why [`OnceCell::set`](crate::OnceCell::set) did not take the value, and the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell has a value.
    Full(T),
    /// Somebody is making a value for it.
    Busy(T),
}

impl<T> TryPutError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            TryPutError::Full(item) | TryPutError::Closed(item) => item,
        }
    }
}

impl<T> SetError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SetError::Full(value) | SetError::Busy(value) => value,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed")
    }
}

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted or reset")
    }
}

impl fmt::Display for TooManyReleased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooManyReleased {
            released,
            forgotten,
        } = self;
        write!(
            f,
            "{released} permits were to be released, and {forgotten} were forgotten"
        )
    }
}

impl fmt::Display for AlreadyBorrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has a token already, or asks for one", self.0)
    }
}

impl fmt::Display for TryBorrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TryBorrowError::AlreadyBorrowed(borrower) => AlreadyBorrowed(borrower).fmt(f),
            TryBorrowError::NoTokens => f.write_str("no token is free"),
        }
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

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "the queue is full",
            TryPutError::Closed(_) => "the queue is closed",
        })
    }
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryGetError::Empty => "the queue is empty",
            TryGetError::Closed => "the queue is closed and empty",
        })
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::Full(_) => "the cell has a value",
            SetError::Busy(_) => "the value of the cell is being made",
        })
    }
}

// Not derived: the item need not be `Debug`.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PutError(..)")
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "Full(..)",
            TryPutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::Full(_) => "Full(..)",
            SetError::Busy(_) => "Busy(..)",
        })
    }
}

impl Error for Closed {}
impl Error for BrokenBarrier {}
impl Error for TooManyReleased {}
impl Error for AlreadyBorrowed {}
impl Error for TryBorrowError {}
impl<T> Error for PutError<T> {}
impl<T> Error for TryPutError<T> {}
impl Error for TryGetError {}
impl<T> Error for SetError<T> {}
impl Error for TryAcquireError {}
