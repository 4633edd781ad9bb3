//! TLS over any stream of bytes, by `rustls` with `ring`.
//!
//! A [`Connector`] is a client's side, an [`Acceptor`] a server's; both make a [`TlsStream`], which
//! reads and writes as what lies under it does. Versions 1.2 and 1.3; no certificates of clients.
//!
//! # Dropping and ending
//!
//! A stream that ends without TLS's own farewell was cut, perhaps by somebody else than the peer:
//! reading it fails with [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof). Close the stream
//! (`close` of `AsyncWriteExt`) to say farewell.

mod acceptor;
mod connector;
mod stream;

pub use acceptor::Acceptor;
pub use connector::{Connector, ConnectorBuilder};
pub use stream::TlsStream;

use futures_rustls::rustls;
use std::io;
use std::sync::Arc;

/// True if TLS itself failed: the certificate, the versions, the protocol.
///
/// # Examples
///
/// ```
/// assert!(!pirn_io::tls::is_tls(&std::io::ErrorKind::TimedOut.into()));
/// ```
pub fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
