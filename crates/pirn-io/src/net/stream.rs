//! A connection.

use super::address::ToAddress;
use super::connection::{Raw, Wire, sealed::Connected};
use super::listener::failed;
use super::split::{self, ReadHalf, WriteHalf};
use crate::error::Action;
use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A TCP connection.
///
/// Reads and writes through the traits of `futures-io`. One task reads and one writes at a time;
/// [`into_split`](TcpStream::into_split) lets those be two tasks. `close` (of `AsyncWrite`) tells
/// the peer that no more will come. Dropping the stream closes the connection; if received bytes
/// were not read, the peer sees a reset.
///
/// # Cancel safety
///
/// Reads and writes lose nothing when their future is dropped: bytes are taken or given within a
/// poll that returns their count. Combinators over them (`read_exact`, `write_all`) may have moved
/// a part.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_io::{TcpListener, TcpStream};
///
/// # pirn_core::shim::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()).await?;
/// let (mut server, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
///
/// client.write_all(b"ping").await?;
/// let mut bytes = [0; 4];
/// server.read_exact(&mut bytes).await?;
/// assert_eq!(&bytes, b"ping");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpStream {
    wire: Wire<mio::net::TcpStream, SocketAddr>,
}

impl TcpStream {
    /// Connects to `address`.
    ///
    /// A host name is looked up, and its addresses are tried one after another.
    ///
    /// # Errors
    ///
    /// If the name is not found, or no address takes the connection; the error names the address
    /// that was tried last. There is no time limit but the system's, of minutes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the connection up and closes the socket.
    pub async fn connect(address: impl ToAddress) -> io::Result<TcpStream> {
        let target = address.to_target()?;
        poll_fn(poll_spend).await;
        let mut last = None;
        for address in target.addresses().await? {
            match TcpStream::open(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some((address, error)),
            }
        }
        Err(failed(Action::Connect, &target, last))
    }

    async fn open(address: SocketAddr) -> io::Result<TcpStream> {
        let wire = Wire::new(mio::net::TcpStream::connect(address)?, address)?;
        let wire = wire.made().await?;
        Ok(TcpStream { wire })
    }

    /// A connection that is made already.
    pub(super) fn new(io: mio::net::TcpStream, peer: SocketAddr) -> io::Result<TcpStream> {
        let wire = Wire::new(io, peer)?;
        Ok(TcpStream { wire })
    }

    /// Takes over a connection of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If it is not connected, or cannot be made non-blocking or be registered.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        let peer = stream.peer_addr()?;
        TcpStream::new(mio::net::TcpStream::from_std(stream), peer)
    }

    /// Two halves that two tasks may use at once.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        split::split(self)
    }

    /// The address of the other side.
    pub fn peer_addr(&self) -> SocketAddr {
        *self.wire.peer()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.wire
            .about(Action::Configure, self.wire.io().local_addr())
    }

    /// True if small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.wire.about(Action::Configure, self.wire.io().nodelay())
    }

    /// Sends small writes at once, or, as it is to begin with, lets the system gather them.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.wire
            .about(Action::Configure, self.wire.io().set_nodelay(on))
    }

    /// Shuts down reading, writing or both, at once and for all halves.
    ///
    /// After [`Shutdown::Write`] the peer reads the end; what is being sent still arrives. A
    /// reader or writer of this side that waits is woken.
    ///
    /// # Errors
    ///
    /// If the connection is broken.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.wire.shutdown(how)
    }
}

impl Raw for mio::net::TcpStream {
    const SHORT_READ_IS_ALL: bool = true;

    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut &*self, buf)
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Read::read_vectored(&mut &*self, bufs)
    }

    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, buf)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, bufs)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn has_peer(&self) -> io::Result<()> {
        self.peer_addr().map(drop)
    }
}

impl Connected for TcpStream {
    type Io = mio::net::TcpStream;
    type Peer = SocketAddr;

    fn wire(&self) -> &Wire<mio::net::TcpStream, SocketAddr> {
        &self.wire
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll_write_vectored(cx, bufs)
    }

    /// Nothing is kept back, so there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the peer that no more will come.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_close()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("peer", self.wire.peer())
            .finish_non_exhaustive()
    }
}
