//! Unix sockets.

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::{UnixAccept, UnixIncoming, UnixListener};
pub use stream::UnixStream;

use std::fmt;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Who is at the other side, as far as it is known, for errors.
#[derive(Clone, Debug)]
pub enum Peer {
    /// It listens at this path.
    At(Arc<Path>),
    /// It connected to this path.
    To(Arc<Path>),
    /// It has no path.
    Unnamed,
}

impl Peer {
    fn at(path: &Path) -> Self {
        Peer::At(path.into())
    }

    fn of(address: &SocketAddr) -> Self {
        address.as_pathname().map_or(Peer::Unnamed, Peer::at)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::At(path) => path.display().fmt(f),
            Peer::To(path) => write!(f, "a client of {}", path.display()),
            Peer::Unnamed => f.write_str("an unnamed Unix socket"),
        }
    }
}
