//! What can go wrong with a request.

use crate::address::Address;
use crate::tls;
use http::StatusCode;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a request gave no response, or not the one that was wanted.
///
/// [`kind`](Self::kind) says what a program can act on. The text names the URL, without its
/// password, and says what to do; [`source`](StdError::source) is the cause underneath, where there
/// is one.
///
/// # Examples
///
/// ```
/// use pirn_http::{ErrorKind, Session};
///
/// # pirn_core::shim::block_on(async {
/// let error = Session::new().get("htp://example.org/").send().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidUrl);
/// assert!(error.to_string().contains("htp://example.org/"));
/// # });
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    url: String,
    /// What the kind does not say.
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What sort of thing went wrong.
///
/// Its text is a few words, fit for a table.
///
/// # Examples
///
/// ```
/// use pirn_http::ErrorKind;
///
/// assert_eq!(ErrorKind::NameNotFound.to_string(), "name not found");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL cannot be parsed, has no host, or is neither http nor https.
    InvalidUrl,
    /// A header, a query or a body of the request cannot be sent: it was not valid, or it could
    /// not be made.
    InvalidRequest,
    /// What the session was built with is of no use, such as a certificate that is none.
    InvalidConfig,
    /// The host name was not found, or no name server answered.
    NameNotFound,
    /// The host refused the connection: nothing listens at that port.
    Refused,
    /// No connection came about, for another reason.
    Connect,
    /// TLS failed: most often, the certificate is not trusted or is for another host.
    Tls,
    /// A time limit was over.
    Timeout {
        /// Which one.
        limit: Limit,
        /// How long it was.
        after: Duration,
    },
    /// The server closed the connection before its response was complete.
    ClosedEarly,
    /// The server sent something that is not HTTP.
    InvalidResponse,
    /// The connection failed while it was used, in another way than by being closed.
    Connection,
    /// The response redirected to a place that cannot be followed.
    InvalidRedirect,
    /// There were more redirects than allowed.
    TooManyRedirects {
        /// How many are allowed.
        limit: u32,
    },
    /// The response has the status of a failure; from
    /// [`error_for_status`](crate::Response::error_for_status).
    Status(StatusCode),
    /// The body is longer than the session takes in one piece.
    BodyTooLarge {
        /// How many bytes it takes.
        limit: u64,
    },
    /// The body is not what it was asked for as: not UTF-8, or not the JSON of that type.
    Decode,
}

/// Which time limit.
///
/// # Examples
///
/// ```
/// use pirn_http::{ErrorKind, Limit};
/// use std::time::Duration;
///
/// let kind = ErrorKind::Timeout { limit: Limit::Read, after: Duration::from_secs(2) };
/// assert_eq!(kind.to_string(), "read timeout after 2s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// That of the whole request, from `send` to the end of the body.
    Total,
    /// That of making the connection: lookup, TCP and TLS.
    Connect,
    /// That of waiting for the next bytes of the response.
    Read,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, address: &Address) -> Error {
        Error::named(kind, address.redacted())
    }

    /// An error about what is not a URL, or not known as one.
    #[cold]
    pub(crate) fn named(kind: ErrorKind, url: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            url: url.into(),
            detail: None,
            source: None,
        }))
    }

    pub(crate) fn because(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    pub(crate) fn with(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Of a connection that could not be made.
    #[cold]
    pub(crate) fn connecting(error: io::Error, address: &Address) -> Error {
        let lookup =
            pirn_io::Failure::of(&error).is_some_and(|f| f.action() == pirn_io::Action::Lookup);
        let kind = match error.kind() {
            _ if lookup => ErrorKind::NameNotFound,
            io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
            _ => ErrorKind::Connect,
        };
        Error::new(kind, address).with(error)
    }

    /// Of an exchange on a connection.
    #[cold]
    pub(crate) fn exchanging(error: hyper::Error, address: &Address) -> Error {
        Error::new(kind_of(&error), address).with(error)
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The URL that it went wrong with: after redirects, the last one. A password in it is
    /// hidden.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// True if a time limit was over, whichever.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout { .. })
    }

    /// The status, if it is of a response whose status was a failure.
    pub fn status(&self) -> Option<StatusCode> {
        match self.0.kind {
            ErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// True if the peer went away without having answered: on a connection that was used before,
    /// that is nobody's fault.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind == ErrorKind::ClosedEarly
    }
}

fn kind_of(error: &hyper::Error) -> ErrorKind {
    if error.is_parse() {
        return ErrorKind::InvalidResponse;
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return ErrorKind::ClosedEarly;
    }
    if error.is_user() {
        return ErrorKind::InvalidRequest;
    }
    match find::<io::Error>(error) {
        Some(io) => kind_of_io(io),
        None => ErrorKind::InvalidResponse,
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    if tls::is_tls(error) {
        return ErrorKind::Tls;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => ErrorKind::ClosedEarly,
        // What hyper says of a chunk that is none.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ErrorKind::InvalidResponse,
        _ => ErrorKind::Connection,
    }
}

/// The first error of type `T` underneath.
fn find<T: StdError + 'static>(error: &hyper::Error) -> Option<&T> {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.into_iter().find_map(|error| error.downcast_ref())
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::InvalidUrl => f.write_str("invalid URL"),
            ErrorKind::InvalidRequest => f.write_str("invalid request"),
            ErrorKind::InvalidConfig => f.write_str("invalid configuration"),
            ErrorKind::NameNotFound => f.write_str("name not found"),
            ErrorKind::Refused => f.write_str("connection refused"),
            ErrorKind::Connect => f.write_str("connection failed"),
            ErrorKind::Tls => f.write_str("TLS failed"),
            ErrorKind::Timeout { limit, after } => write!(f, "{limit} timeout after {after:?}"),
            ErrorKind::ClosedEarly => f.write_str("closed early"),
            ErrorKind::InvalidResponse => f.write_str("invalid response"),
            ErrorKind::Connection => f.write_str("connection broken"),
            ErrorKind::InvalidRedirect => f.write_str("invalid redirect"),
            ErrorKind::TooManyRedirects { limit } => write!(f, "more than {limit} redirects"),
            ErrorKind::Status(status) => write!(f, "status {status}"),
            ErrorKind::BodyTooLarge { limit } => write!(f, "body of more than {limit} bytes"),
            ErrorKind::Decode => f.write_str("unexpected body"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Total => "total",
            Limit::Connect => "connect",
            Limit::Read => "read",
        })
    }
}

impl ErrorKind {
    /// What to do about it.
    fn advice(&self) -> &'static str {
        match self {
            ErrorKind::InvalidUrl => "give an absolute URL that begins with http:// or https://",
            ErrorKind::InvalidRequest => "correct the header, query or body",
            ErrorKind::InvalidConfig => "correct what the session is built with",
            ErrorKind::NameNotFound => "check the host's spelling, or the network",
            ErrorKind::Refused => "check the port, or whether the server runs",
            ErrorKind::Connect => "check the address, or the network",
            ErrorKind::Tls => "check the certificate, or add its root to the session",
            ErrorKind::Timeout {
                limit: Limit::Total,
                ..
            } => "try again, or set a longer `timeout`",
            ErrorKind::Timeout {
                limit: Limit::Connect,
                ..
            } => "check the address, or set a longer `connect_timeout`",
            ErrorKind::Timeout {
                limit: Limit::Read, ..
            } => "the server stalls: try again, or set a longer `read_timeout`",
            ErrorKind::ClosedEarly => "the server hung up: try again",
            ErrorKind::InvalidResponse => "check that this port speaks HTTP",
            ErrorKind::Connection => "try again, or check the network",
            ErrorKind::InvalidRedirect => "the server's `Location` is at fault",
            ErrorKind::TooManyRedirects { .. } => {
                "the server is at fault, or raise `max_redirects`"
            }
            ErrorKind::Status(status) if status.is_server_error() => {
                "the server failed: try again later"
            }
            ErrorKind::Status(_) => "check the URL and what is sent",
            ErrorKind::BodyTooLarge { .. } => {
                "take it chunk by chunk, or set a larger `max_body_bytes`"
            }
            ErrorKind::Decode => "look at it with `bytes()`",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind, url, detail, ..
        } = &*self.0;
        write!(f, "{url}: {kind}")?;
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        write!(f, " ({})", kind.advice())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("url", &self.0.url)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
