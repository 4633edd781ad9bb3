//! A connection.

use super::Peer;
use crate::blocking::run_io;
use crate::error::{Action, explain};
use crate::net::connection::{Raw, Wire, sealed::Connected};
use crate::net::split::{self, ReadHalf, WriteHalf};
use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connection over a Unix socket, between processes of one machine.
///
/// It is used as a [`TcpStream`](crate::TcpStream) is.
///
/// # Cancel safety
///
/// Reads and writes lose nothing when their future is dropped: bytes are taken or given within a
/// poll that returns their count.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_io::net::UnixStream;
///
/// # pirn_core::shim::block_on(async {
/// let (mut one, mut other) = UnixStream::pair()?;
/// one.write_all(b"ping").await?;
/// let mut bytes = [0; 4];
/// other.read_exact(&mut bytes).await?;
/// assert_eq!(&bytes, b"ping");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixStream {
    wire: Wire<mio::net::UnixStream, Peer>,
}

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// If the listener has more unaccepted connections than the system queues, this waits for it,
    /// on the blocking pool.
    ///
    /// # Errors
    ///
    /// If nobody listens there, or the path may not be used; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the connection up and closes the socket; one that waits for a
    /// full listener does so in the pool, unheard.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::net::{UnixListener, UnixStream};
    ///
    /// # pirn_core::shim::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("pirn-io-connect-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// assert!(UnixStream::connect(&path).await.is_ok());
    /// drop(listener);
    /// let nobody = UnixStream::connect(&path).await.unwrap_err();
    /// assert_eq!(nobody.kind(), std::io::ErrorKind::ConnectionRefused);
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        let path = path.as_ref();
        poll_fn(poll_spend).await;
        let connected = async {
            match mio::net::UnixStream::connect(path) {
                // The queue is full: the system has not begun, and will not tell when there is room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let path = path.to_owned();
                    let connect = move || std::os::unix::net::UnixStream::connect(path);
                    UnixStream::from_std(run_io("connect", connect).await?)
                }
                begun => {
                    let wire = Wire::new(begun?, Peer::at(path))?.made().await?;
                    Ok(UnixStream { wire })
                }
            }
        };
        connected
            .await
            .map_err(|error| explain(Action::Connect, path.display(), error))
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = mio::net::UnixStream::pair()?;
        let unnamed = |io| UnixStream::new(io, Peer::Unnamed);
        Ok((unnamed(one)?, unnamed(other)?))
    }

    pub(super) fn new(io: mio::net::UnixStream, peer: Peer) -> io::Result<UnixStream> {
        let wire = Wire::new(io, peer)?;
        Ok(UnixStream { wire })
    }

    /// Takes over a connection of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If it is not connected, or cannot be made non-blocking or be registered.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        let peer = Peer::of(&stream.peer_addr()?);
        UnixStream::new(mio::net::UnixStream::from_std(stream), peer)
    }

    /// Two halves that two tasks may use at once.
    pub fn into_split(self) -> (ReadHalf<UnixStream>, WriteHalf<UnixStream>) {
        split::split(self)
    }

    /// The address of the other side; a client usually has none.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let address = self.wire.io().peer_addr();
        self.wire.about(Action::Configure, address)
    }

    /// The address of this side; a client usually has none.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.wire.io().local_addr();
        self.wire.about(Action::Configure, address)
    }

    /// Shuts down reading, writing or both, at once and for all halves.
    ///
    /// After [`Shutdown::Write`] the peer reads the end; what is being sent still arrives.
    ///
    /// # Errors
    ///
    /// If the connection is broken.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.wire.shutdown(how)
    }
}

impl Raw for mio::net::UnixStream {
    /// A read ends with what carried a descriptor or another sender's credentials, whatever lies
    /// behind it.
    const SHORT_READ_IS_ALL: bool = false;

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

impl Connected for UnixStream {
    type Io = mio::net::UnixStream;
    type Peer = Peer;

    fn wire(&self) -> &Wire<mio::net::UnixStream, Peer> {
        &self.wire
    }
}

impl AsyncRead for UnixStream {
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

impl AsyncWrite for UnixStream {
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

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixStream")
            .field("peer", self.wire.peer())
            .finish_non_exhaustive()
    }
}
