//! What an I/O error was about.

use pirn_core::context;
use std::error::Error;
use std::fmt;
use std::io;

/// What was being done when an operation failed.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_io::Action::Connect.to_string(), "connect to");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Finding the addresses of a host.
    Lookup,
    /// Connecting to an address.
    Connect,
    /// Listening at an address.
    Bind,
    /// Accepting a connection at an address.
    Accept,
    /// Reading from a peer or a file.
    Read,
    /// Writing to a peer or a file.
    Write,
    /// Shutting a connection down.
    Shutdown,
    /// Asking or setting a socket's property.
    Configure,
    /// Opening a file.
    Open,
    /// Creating a file or folder.
    Create,
    /// Removing a file or folder.
    Remove,
    /// Renaming a file or folder.
    Rename,
    /// Asking for a file's metadata.
    Inspect,
    /// Starting a program.
    Start,
    /// Waiting for a program's end.
    Wait,
    /// Sending a signal to a program.
    Signal,
}

/// What stands in an [`io::Error`] of this crate: what was being done, to what, and what the
/// system said.
///
/// The error's kind is the system's. So an error reads
/// `connect to 127.0.0.1:1: Connection refused (os error 111)`.
///
/// # Examples
///
/// ```
/// use pirn_io::{Action, Failure};
///
/// # pirn_core::shim::block_on(async {
/// let error = pirn_io::fs::read("/no/such/file").await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// let failure = Failure::of(&error).unwrap();
/// assert_eq!(failure.action(), Action::Read);
/// assert_eq!(failure.target(), "/no/such/file");
/// # });
/// ```
#[derive(Debug)]
pub struct Failure {
    action: Action,
    target: String,
    source: io::Error,
}

impl Failure {
    /// What `error` was about, if it is of this crate.
    pub fn of(error: &io::Error) -> Option<&Failure> {
        error.get_ref()?.downcast_ref()
    }

    /// What was being done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// To what: an address, a host and port, or a path.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What the system said.
    pub fn system(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Lookup => "look up",
            Action::Connect => "connect to",
            Action::Bind => "listen at",
            Action::Accept => "accept at",
            Action::Read => "read from",
            Action::Write => "write to",
            Action::Shutdown => "shut down",
            Action::Configure => "configure",
            Action::Open => "open",
            Action::Create => "create",
            Action::Remove => "remove",
            Action::Rename => "rename",
            Action::Inspect => "inspect",
            Action::Start => "start",
            Action::Wait => "wait for",
            Action::Signal => "send a signal to",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.action, self.target, self.source)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// An error in a simulation, whose programs have no `what` of the system's.
pub(crate) fn needs_system(what: &'static str) -> io::Result<()> {
    context::system(what).map_err(|missing| io::Error::new(io::ErrorKind::Unsupported, missing))
}

/// Says what an error was about, keeping its kind. What already says so stays as it is.
#[cold]
pub(crate) fn explain(action: Action, target: impl fmt::Display, source: io::Error) -> io::Error {
    if Failure::of(&source).is_some() {
        return source;
    }
    io::Error::new(
        source.kind(),
        Failure {
            action,
            target: target.to_string(),
            source,
        },
    )
}
