//! A connection.

use super::address::ToAddress;
use super::listener::failed;
use super::split::{self, ReadHalf, WriteHalf};
use crate::error::{Action, explain};
use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The most that one try asks for. Systems cut longer requests short (at 2 GiB), which would look
/// like an emptied buffer.
const MOST: usize = 1 << 30;
/// The most slices that one try takes, for the same reason: the systems' limit is 1024.
const MOST_SLICES: usize = 64;

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
    source: Source<mio::net::TcpStream>,
    peer: SocketAddr,
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
        let stream = TcpStream::new(mio::net::TcpStream::connect(address)?, address)?;
        poll_fn(|cx| {
            stream
                .source
                .poll_io(Direction::Write, &mut Waiter::Poller, cx, connected)
        })
        .await?;
        Ok(stream)
    }

    /// A connection that is made already, or is being made.
    pub(super) fn new(io: mio::net::TcpStream, peer: SocketAddr) -> io::Result<TcpStream> {
        let source = Source::new(io)?;
        Ok(TcpStream { source, peer })
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
        self.peer
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.about(Action::Configure, self.source.io().local_addr())
    }

    /// True if small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.about(Action::Configure, self.source.io().nodelay())
    }

    /// Sends small writes at once, or, as it is to begin with, lets the system gather them.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.about(Action::Configure, self.source.io().set_nodelay(on))
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
        match self.source.io().shutdown(how) {
            // The peer was faster, and everything is shut down already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => self.about(Action::Shutdown, result),
        }
    }

    fn about<T>(&self, action: Action, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| explain(action, self.peer, error))
    }

    pub(super) fn poll_reading(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut &mio::net::TcpStream) -> io::Result<usize>,
        asked: usize,
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_io(Direction::Read, &mut Waiter::Poller, cx, |mut io| {
                attempt(&mut io).map(|read| (read, Gave::of(read, asked)))
            })
            .map(|result| self.about(Action::Read, result))
    }

    pub(super) fn poll_writing(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut &mio::net::TcpStream) -> io::Result<usize>,
        asked: usize,
    ) -> Poll<io::Result<usize>> {
        self.source
            .poll_io(Direction::Write, &mut Waiter::Poller, cx, |mut io| {
                attempt(&mut io).map(|written| (written, Gave::of(written, asked)))
            })
            .map(|result| self.about(Action::Write, result))
    }

    pub(super) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let asked = buf.len().min(MOST);
        self.poll_reading(cx, |io| io.read(&mut buf[..asked]), asked)
    }

    pub(super) fn poll_read_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices = bufs.len().min(MOST_SLICES);
        let asked = bufs[..slices].iter().map(|buf| buf.len()).sum();
        self.poll_reading(cx, |io| io.read_vectored(&mut bufs[..slices]), asked)
    }

    pub(super) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let asked = buf.len().min(MOST);
        self.poll_writing(cx, |io| io.write(&buf[..asked]), asked)
    }

    pub(super) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bufs = &bufs[..bufs.len().min(MOST_SLICES)];
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_writing(cx, |io| io.write_vectored(bufs), asked)
    }
}

/// Whether a connection that was begun is made: the system tells of a failure as the socket's
/// pending error, and of success by knowing the peer.
fn connected(io: &mio::net::TcpStream) -> io::Result<((), Gave)> {
    if let Some(error) = io.take_error()? {
        return Err(error);
    }
    match io.peer_addr() {
        Ok(_) => Ok(((), Gave::All)),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_shared(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_vectored_shared(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_shared(cx, bufs)
    }

    /// Nothing is kept back, so there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the peer that no more will come.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(Shutdown::Write))
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
