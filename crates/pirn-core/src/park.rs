//! How an executor sleeps.

use crate::Instant;
use std::boxed::Box;
use std::fmt;

/// How long [`Park::park`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Not at all: only look at what is ready. Used under load.
    Now,
    /// Until the instant of the runtime's clock, or until woken.
    At(Instant),
    /// Until woken.
    Woken,
}

/// What a [`Park`] reports when it can no longer sleep or look.
#[derive(Debug)]
pub struct ParkError {
    what: &'static str,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ParkError {
    /// An error of the driver named `what`, with what the system said.
    pub fn new(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        ParkError {
            what,
            source: Some(source.into()),
        }
    }
}

impl fmt::Display for ParkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} cannot wait for events", self.what)
    }
}

impl std::error::Error for ParkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What an executor does when it has nothing to run: sleeps, and turns events into wakes.
///
/// Drivers nest: the timer's sleeps until its next timer by the reactor's, the reactor's by
/// polling the system. An executor is given one and does not know what it waits for.
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, ParkError, Unpark, Until};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// /// Does not sleep, but gives its processor away again and again.
/// struct Yielding(Token);
///
/// #[derive(Clone)]
/// struct Token(Arc<AtomicBool>);
///
/// impl Unpark for Token {
///     fn unpark(&self) {
///         self.0.store(true, Ordering::Release);
///     }
/// }
///
/// impl Park for Yielding {
///     type Unpark = Token;
///
///     fn unparker(&self) -> Token {
///         self.0.clone()
///     }
///
///     fn park(&mut self, until: Until) -> Result<(), ParkError> {
///         // Where there is a time, it returns early.
///         while !self.0.0.swap(false, Ordering::Acquire) && until == Until::Woken {
///             std::thread::yield_now();
///         }
///         Ok(())
///     }
/// }
///
/// let mut park = Yielding(Token(Arc::default()));
/// park.unparker().unpark();
/// assert!(park.park(Until::Woken).is_ok()); // at once
/// ```
pub trait Park {
    /// What ends the sleep from elsewhere.
    type Unpark: Unpark;

    /// A handle that ends the sleep, present or next.
    fn unparker(&self) -> Self::Unpark;

    /// Sleeps until there was an event, an unpark, or the time has come; then delivers what is
    /// due (wakes wakers). May return early.
    ///
    /// # Errors
    ///
    /// If the driver is broken for good. The executor then ends with this error.
    fn park(&mut self, until: Until) -> Result<(), ParkError>;
}

/// Ends the sleep of a [`Park`].
///
/// A sticky token, as `std::thread::Thread::unpark`'s: an unpark before the sleep ends the next
/// one at once; several before one sleep count as one. What was written before `unpark` is visible
/// after the `park` that it ended.
pub trait Unpark: Clone + Send + Sync + 'static {
    /// Ends the present sleep, or else the next one.
    fn unpark(&self);
}
