//! A connection in two halves.

use super::connection::Connection;
use super::stream::TcpStream;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The half of a connection that reads. Made by [`TcpStream::into_split`] and its like.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// # use pirn_io::{TcpListener, TcpStream};
/// # pirn_core::shim::block_on(async {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()).await?;
/// # let (server, _) = listener.accept().await?;
/// let (mut reader, _writer) = client.into_split();
/// drop(server);
/// let mut bytes = Vec::new();
/// assert_eq!(reader.read_to_end(&mut bytes).await?, 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct ReadHalf<C = TcpStream> {
    stream: Arc<C>,
}

/// The half of a connection that writes. Made by [`TcpStream::into_split`] and its like.
///
/// Dropping it tells the peer that no more will come, as closing it does.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// # use pirn_io::{TcpListener, TcpStream};
/// # pirn_core::shim::block_on(async {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()).await?;
/// # let (mut server, _) = listener.accept().await?;
/// let (_reader, mut writer) = client.into_split();
/// writer.write_all(b"done").await?;
/// drop(writer);
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "done");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct WriteHalf<C: Connection = TcpStream> {
    stream: Arc<C>,
}

pub(super) fn split<C: Connection>(stream: C) -> (ReadHalf<C>, WriteHalf<C>) {
    let stream = Arc::new(stream);
    let reader = ReadHalf {
        stream: Arc::clone(&stream),
    };
    (reader, WriteHalf { stream })
}

impl ReadHalf {
    /// The address of the other side.
    pub fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr()
    }
}

impl WriteHalf {
    /// The address of the other side.
    pub fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr()
    }
}

impl<C: Connection> AsyncRead for ReadHalf<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.wire().poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.wire().poll_read_vectored(cx, bufs)
    }
}

impl<C: Connection> AsyncWrite for WriteHalf<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.wire().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.wire().poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.wire().poll_close()
    }
}

impl<C: Connection> Drop for WriteHalf<C> {
    fn drop(&mut self) {
        // A connection that is broken needs no telling.
        let _ = self.stream.wire().poll_close();
    }
}
