//! Datagrams.

use super::Peer;
use crate::error::{Action, explain, needs_system};
use crate::net::datagram::turn;
use crate::net::udp::whole;
use crate::reactor::Source;
use crate::reactor::readiness::Direction;
use std::fmt;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// A Unix socket of datagrams, between processes of one machine.
///
/// Datagrams arrive whole and in order; one that is larger than the receiver's buffer is cut to
/// it. A [`send`](Self::send) waits while the receiver's queue is full. Any number of tasks may send and receive
/// at once through `&self`.
///
/// # Cancel safety
///
/// Dropping the future of a send or receive loses nothing: a datagram is taken or given within the
/// poll that returns.
///
/// # Examples
///
/// ```
/// use pirn_io::net::UnixDatagram;
///
/// # pirn_core::shim::block_on(async {
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"ping").await?;
/// let mut bytes = [0; 16];
/// assert_eq!(other.recv(&mut bytes).await?, 4);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    source: Source<mio::net::UnixDatagram>,
}

impl UnixDatagram {
    /// A socket at `path`, which must not exist, and stays until it is removed.
    ///
    /// # Errors
    ///
    /// If it exists ([`AddrInUse`](io::ErrorKind::AddrInUse)) or may not be made there.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        // Before there is a file.
        needs_system("socket")?;
        let path = path.as_ref();
        mio::net::UnixDatagram::bind(path)
            .and_then(UnixDatagram::new)
            .map_err(|error| explain(Action::Bind, path.display(), error))
    }

    /// A socket without a path, which can send, and can receive once it is
    /// [connected](Self::connect) to one that is connected to it.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::new(mio::net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = mio::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::new(one)?, UnixDatagram::new(other)?))
    }

    /// Takes over a socket of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking or be registered.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        UnixDatagram::new(mio::net::UnixDatagram::from_std(socket))
    }

    fn new(io: mio::net::UnixDatagram) -> io::Result<UnixDatagram> {
        let source = Source::new(io)?;
        Ok(UnixDatagram { source })
    }

    /// Makes the socket at `path` the only peer of [`send`](Self::send) and [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let connected = self.source.io().connect(path);
        connected.map_err(|error| explain(Action::Connect, path.display(), error))
    }

    /// The address of this side; without a path if it was not bound.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.about(Action::Configure, self.source.io().local_addr())
    }

    /// Sends one datagram to the socket at `path`, without waiting: for a socket that it is not
    /// connected to, the system does not tell when there is room. To wait, use
    /// [`connect`](Self::connect) and [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// If there is none, or its queue is full ([`WouldBlock`](io::ErrorKind::WouldBlock)), or the
    /// datagram is too large.
    pub fn try_send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let sent = self.source.io().send_to(bytes, path);
        whole(bytes, sent).map_err(|error| explain(Action::Write, path.display(), error))
    }

    /// Receives one datagram, and the address that it came from. What does not fit into `buf` is
    /// lost.
    ///
    /// # Errors
    ///
    /// If the socket is neither bound nor connected.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::net::UnixDatagram;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"ping").await?;
    /// let mut bytes = [0; 16];
    /// let (length, from) = other.recv_from(&mut bytes).await?;
    /// assert_eq!(&bytes[..length], b"ping");
    /// assert!(from.is_unnamed());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = turn(&self.source, Direction::Read, |io| io.recv_from(buf));
        self.about(Action::Read, received.await)
    }

    /// Sends one datagram to the peer that the socket was [connected](Self::connect) to.
    ///
    /// # Errors
    ///
    /// If it was not, the peer is gone, or the datagram is too large.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was sent.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = turn(&self.source, Direction::Write, |io| io.send(bytes));
        self.about(Action::Write, whole(bytes, sent.await))
    }

    /// Receives one datagram. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// If the socket is neither bound nor connected.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was taken.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let received = turn(&self.source, Direction::Read, |io| io.recv(buf));
        self.about(Action::Read, received.await)
    }

    fn about<T>(&self, action: Action, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let peer = self.source.io().peer_addr();
            let peer = peer.or_else(|_| self.source.io().local_addr());
            explain(
                action,
                peer.map_or(Peer::Unnamed, |at| Peer::of(&at)),
                error,
            )
        })
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixDatagram").finish_non_exhaustive()
    }
}
