//! The vocabulary of endings: why a scope was cancelled, how a task ended.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
// `std`'s on purpose: it makes the payload `Sync`, and nobody contends for it.
use std::sync::Mutex;

/// What sort of event cancelled a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Somebody asked for it.
    Requested,
    /// Its deadline passed.
    Deadline,
    /// A sibling in its group failed.
    Sibling,
    /// Its owner was dropped.
    Dropped,
    /// The runtime shuts down.
    Shutdown,
}

/// Why a scope was cancelled: what sort of event, in what words, from where.
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Kind};
///
/// let cause = Cause::requested("the user pressed stop");
/// assert_eq!(cause.kind(), Kind::Requested);
/// assert_eq!(cause.text(), "the user pressed stop");
/// assert!(cause.at().file().ends_with(".rs"));
/// ```
#[derive(Clone, Debug)]
pub struct Cause {
    kind: Kind,
    text: Cow<'static, str>,
    at: &'static Location<'static>,
}

impl Cause {
    /// A cause of the given kind, in the words of `text`, from the caller's place.
    #[track_caller]
    pub fn new(kind: Kind, text: impl Into<Cow<'static, str>>) -> Self {
        Cause {
            kind,
            text: text.into(),
            at: Location::caller(),
        }
    }

    /// Somebody asked for it, for the reason `text`.
    #[track_caller]
    pub fn requested(text: impl Into<Cow<'static, str>>) -> Self {
        Cause::new(Kind::Requested, text)
    }

    /// The same cause, from another place.
    #[must_use]
    pub fn with_location(self, at: &'static Location<'static>) -> Self {
        Cause { at, ..self }
    }

    /// What sort of event it was.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// In words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cancel was asked for, or the deadline set.
    pub fn at(&self) -> &'static Location<'static> {
        self.at
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Requested => "cancelled on request",
            Kind::Deadline => "cancelled by its deadline",
            Kind::Sibling => "cancelled because a sibling failed",
            Kind::Dropped => "cancelled because its owner was dropped",
            Kind::Shutdown => "cancelled by shutdown",
        };
        f.write_str(kind)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        write!(f, " (at {})", self.at)
    }
}

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

/// Something ambient is missing: there is no runtime around the caller that has it.
///
/// Names what is missing and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    what: &'static str,
    remedy: &'static str,
}

impl Missing {
    /// `what` is missing, `remedy` says what to do.
    pub const fn new(what: &'static str, remedy: &'static str) -> Self {
        Missing { what, remedy }
    }

    /// What is missing.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} here: {}", self.what, self.remedy)
    }
}

impl std::error::Error for Missing {}
