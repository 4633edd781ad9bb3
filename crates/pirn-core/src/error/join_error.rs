//! How a task ended that gave no value.

use super::Cause;
use std::any::Any;
use std::borrow::ToOwned;
use std::boxed::Box;
use std::fmt;
use std::string::String;
use std::sync::{Arc, PoisonError};
// `std`'s on purpose: it makes the payload `Sync`, and nobody contends for it.
use std::sync::Mutex;

/// What a panic carried.
pub type Payload = Box<dyn Any + Send>;

/// The panic of a task: what it carried, kept so that it can be shared between threads.
///
/// # Examples
///
/// ```
/// use pirn_core::Panic;
///
/// let payload = std::panic::catch_unwind(|| panic!("out of luck")).unwrap_err();
/// let panic = Panic::from(payload);
/// assert_eq!(panic.message(), "out of luck");
/// assert!(panic.into_payload().is::<&'static str>());
/// ```
pub struct Panic(Mutex<Payload>);

impl Panic {
    /// Its message, where it is a string, as it nearly always is.
    pub fn message(&self) -> String {
        panic_message(&**self.0.lock().unwrap_or_else(PoisonError::into_inner)).to_owned()
    }

    /// What it carried.
    pub fn into_payload(self) -> Payload {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the panic on this thread.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl From<Payload> for Panic {
    fn from(payload: Payload) -> Self {
        Panic(Mutex::new(payload))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Why a task gave no value.
///
/// # Examples
///
/// It can be passed on as any error:
///
/// ```
/// use pirn_core::JoinError;
///
/// fn joined(ended: Result<u32, JoinError>) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(ended? + 1)
/// }
/// let payload = std::panic::catch_unwind(|| panic!("oh")).unwrap_err();
/// let error = joined(Err(JoinError::Panicked(payload.into()))).unwrap_err();
/// assert_eq!(error.to_string(), "the task panicked: oh");
/// ```
pub enum JoinError {
    /// It was cancelled, for this cause.
    Cancelled(Arc<Cause>),
    /// It panicked.
    Panicked(Panic),
    /// It was never spawned, for this reason: there was no runtime, or it was shut down.
    Refused(&'static str),
}

impl JoinError {
    /// True if the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled(_))
    }

    /// True if the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// Goes on with the task's panic on this thread.
    ///
    /// # Errors
    ///
    /// Gives `self` back if it is not a panic.
    pub fn resume_panic(self) -> Result<std::convert::Infallible, Self> {
        match self {
            JoinError::Panicked(panic) => panic.resume(),
            other => Err(other),
        }
    }
}

/// The message of a panic, where it is a string, as it nearly always is.
///
/// # Examples
///
/// ```
/// let payload = std::panic::catch_unwind(|| panic!("out of {}", "luck")).unwrap_err();
/// assert_eq!(pirn_core::panic_message(&*payload), "out of luck");
/// ```
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(a payload that is not a string)"
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled(cause) => f.debug_tuple("Cancelled").field(cause).finish(),
            JoinError::Panicked(panic) => {
                f.debug_tuple("Panicked").field(&panic.message()).finish()
            }
            JoinError::Refused(reason) => f.debug_tuple("Refused").field(reason).finish(),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled(cause) => write!(f, "the task was {cause}"),
            JoinError::Panicked(panic) => write!(f, "the task panicked: {}", panic.message()),
            JoinError::Refused(reason) => write!(f, "the task was not spawned: {reason}"),
        }
    }
}

impl std::error::Error for JoinError {}
