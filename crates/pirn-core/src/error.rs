//! The vocabulary of endings: why a scope was cancelled, how a task ended, what is missing.

use alloc::borrow::Cow;
use core::fmt;
use core::panic::Location;

#[cfg(feature = "std")]
mod join_error;

#[cfg(feature = "std")]
pub use join_error::{JoinError, Panic, Payload, panic_message};

/// What sort of event cancelled a scope: a part of its [`Cause`].
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

/// Something ambient is missing: there is no runtime around the caller that has it.
///
/// Names what is missing and what to do about it.
///
/// # Examples
///
/// ```
/// use pirn_core::Missing;
///
/// let missing = Missing::new("clock", "run inside a runtime");
/// assert_eq!(missing.what(), "clock");
/// assert_eq!(missing.to_string(), "there is no clock here: run inside a runtime");
/// ```
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

impl core::error::Error for Missing {}
