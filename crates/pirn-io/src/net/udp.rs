//! UDP.

use super::address::ToAddress;
use super::datagram::turn;
use super::listener::failed;
use crate::error::{Action, explain};
use crate::reactor::Source;
use crate::reactor::readiness::Direction;
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP socket.
///
/// Datagrams may be lost, doubled or reordered on their way, and one is read whole or cut to the
/// buffer: give room for the largest that is expected; 65,535 bytes hold any. Any number of tasks
/// may send and receive at once through `&self`; each datagram goes to one of them. For a stream
/// of bytes in order use [`TcpStream`](super::TcpStream).
///
/// # Cancel safety
///
/// Dropping the future of a send or receive loses nothing: a datagram is taken or given within the
/// poll that returns.
///
/// # Examples
///
/// ```
/// use pirn_io::net::UdpSocket;
///
/// # pirn_core::shim::block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"ping", server.local_addr()).await?;
///
/// let mut bytes = [0; 1500];
/// let (length, peer) = server.recv_from(&mut bytes).await?;
/// assert_eq!(&bytes[..length], b"ping");
/// assert_eq!(peer, client.local_addr());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    source: Source<mio::net::UdpSocket>,
    local: SocketAddr,
}

impl UdpSocket {
    /// A socket at `address`; port 0 lets the system choose.
    ///
    /// A host name is looked up, and the first of its addresses that can be bound is taken.
    ///
    /// # Errors
    ///
    /// If the address is in use, is not this machine's or may not be bound, or the name is not
    /// found; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind but, at most, a lookup in the blocking pool.
    pub async fn bind(address: impl ToAddress) -> io::Result<UdpSocket> {
        let target = address.to_target()?;
        poll_fn(poll_spend).await;
        let mut last = None;
        for address in target.addresses().await? {
            match mio::net::UdpSocket::bind(address).and_then(UdpSocket::new) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some((address, error)),
            }
        }
        Err(failed(Action::Bind, &target, last))
    }

    fn new(io: mio::net::UdpSocket) -> io::Result<UdpSocket> {
        let local = io.local_addr()?;
        let source = Source::new(io)?;
        Ok(UdpSocket { source, local })
    }

    /// Takes over a socket of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking or be registered.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        UdpSocket::new(mio::net::UdpSocket::from_std(socket))
    }

    /// Makes `address` the only peer: [`send`](Self::send) goes there, and what others send is
    /// dropped by the system. May be called again with another.
    ///
    /// A host name is looked up, and the first of its addresses that the system takes is used.
    ///
    /// # Errors
    ///
    /// If the name is not found or the system has no way to the address. That nobody listens there
    /// is known, if at all, only by the error of a later send or receive.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the socket as it was, or connected.
    pub async fn connect(&self, address: impl ToAddress) -> io::Result<()> {
        let target = address.to_target()?;
        poll_fn(poll_spend).await;
        let mut last = None;
        for address in target.addresses().await? {
            match self.source.io().connect(address) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some((address, error)),
            }
        }
        Err(failed(Action::Connect, &target, last))
    }

    /// The address of this side, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The peer that the socket was [connected](Self::connect) to.
    ///
    /// # Errors
    ///
    /// If it was not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.about(Action::Configure, self.source.io().peer_addr())
    }

    /// Sends one datagram to `peer`. To a host name, look it [up](super::lookup) once and keep
    /// the address.
    ///
    /// # Errors
    ///
    /// If the datagram is too large, or the system has no way to the peer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was sent.
    pub async fn send_to(&self, bytes: &[u8], peer: SocketAddr) -> io::Result<()> {
        let sent = turn(&self.source, Direction::Write, |io| io.send_to(bytes, peer));
        whole(bytes, sent.await).map_err(|error| explain(Action::Write, peer, error))
    }

    /// Receives one datagram, and the address that it came from. What does not fit into `buf` is
    /// lost.
    ///
    /// # Errors
    ///
    /// On some systems, if what was sent before found nobody.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was taken.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = turn(&self.source, Direction::Read, |io| io.recv_from(buf));
        self.about(Action::Read, received.await)
    }

    /// As [`recv_from`](Self::recv_from), and leaves the datagram to the next receive.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    ///
    /// Nothing is taken in any case.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::net::UdpSocket;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// client.send_to(b"ping", server.local_addr()).await?;
    /// let mut bytes = [0; 16];
    /// assert_eq!(server.peek_from(&mut bytes).await?, (4, client.local_addr()));
    /// assert_eq!(server.recv_from(&mut bytes).await?, (4, client.local_addr())); // still there
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let seen = turn(&self.source, Direction::Read, |io| io.peek_from(buf));
        self.about(Action::Read, seen.await)
    }

    /// Sends one datagram to the peer that the socket was [connected](Self::connect) to.
    ///
    /// # Errors
    ///
    /// If it was not, or the datagram is too large, or a former one found nobody
    /// ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused)).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was sent.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = turn(&self.source, Direction::Write, |io| io.send(bytes));
        self.about(Action::Write, whole(bytes, sent.await))
    }

    /// Receives one datagram from the peer that the socket was [connected](Self::connect) to. What
    /// does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// If it was not connected, or a former datagram found nobody
    /// ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused)).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: nothing was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::net::UdpSocket;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// one.connect(other.local_addr()).await?;
    /// other.connect(one.local_addr()).await?;
    /// one.send(b"yes").await?;
    /// let mut bytes = [0; 8];
    /// assert_eq!(other.recv(&mut bytes).await?, 3);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let received = turn(&self.source, Direction::Read, |io| io.recv(buf));
        self.about(Action::Read, received.await)
    }

    /// Lets datagrams go to a broadcast address, or no longer.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.about(Action::Configure, self.source.io().set_broadcast(on))
    }

    /// Over how many routers a datagram may go.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.about(Action::Configure, self.source.io().set_ttl(hops))
    }

    /// Receives what is sent to the group too, over the interface with this address
    /// ([`Ipv4Addr::UNSPECIFIED`]: any).
    ///
    /// # Errors
    ///
    /// If the address is no group's, or there is no such interface.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let joined = self.source.io().join_multicast_v4(&group, &interface);
        self.about(Action::Configure, joined)
    }

    /// Ends what [`join_multicast_v4`](Self::join_multicast_v4) began.
    ///
    /// # Errors
    ///
    /// If it was not joined.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let left = self.source.io().leave_multicast_v4(&group, &interface);
        self.about(Action::Configure, left)
    }

    /// Receives what is sent to the group too, over the interface with this index (0: any).
    ///
    /// # Errors
    ///
    /// If the address is no group's, or there is no such interface.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        let joined = self.source.io().join_multicast_v6(&group, interface);
        self.about(Action::Configure, joined)
    }

    /// Ends what [`join_multicast_v6`](Self::join_multicast_v6) began.
    ///
    /// # Errors
    ///
    /// If it was not joined.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        let left = self.source.io().leave_multicast_v6(&group, interface);
        self.about(Action::Configure, left)
    }

    fn about<T>(&self, action: Action, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let peer = self.source.io().peer_addr().unwrap_or(self.local);
            explain(action, peer, error)
        })
    }
}

/// A datagram is sent whole or not at all.
pub(super) fn whole(bytes: &[u8], sent: io::Result<usize>) -> io::Result<()> {
    match sent {
        Ok(count) if count < bytes.len() => Err(io::Error::new(
            io::ErrorKind::WriteZero,
            format!("{count} of the datagram's {} bytes were sent", bytes.len()),
        )),
        result => result.map(drop),
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
