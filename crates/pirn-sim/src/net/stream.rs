//! A connection, as one of its ends has it.

use super::address::Address;
use super::alarm::Alarm;
use super::end::End;
use super::state::Shared;
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One end of a connection in a [`Network`](super::Network): bytes both ways, in order.
///
/// Reads and writes through the traits of `futures-io`, as pirn-io's `TcpStream`. One task reads and
/// one writes at a time; [`into_split`](Self::into_split) lets those be two tasks.
///
/// `close` (of `AsyncWrite`) tells the peer that no more will come; it can go on sending. Dropping the
/// stream closes it both ways. If it was sent bytes that were not read, or is sent more afterwards, the
/// peer sees a reset, when word of it has come.
///
/// # Cancel safety
///
/// Reads and writes lose nothing when their future is dropped: bytes are taken or given within a poll
/// that returns their count. Combinators over them (`read_exact`, `write_all`) may have moved a part.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_sim::{Sim, net::Network};
///
/// Sim::new().run(async {
///     let network = Network::new(1);
///     let listener = network.host("server").listen(80)?;
///     let mut client = network.host("client").connect(("server", 80)).await?;
///     let (mut server, _) = listener.accept().await?;
///
///     client.write_all(b"ping").await?;
///     client.close().await?;
///     let mut heard = String::new();
///     server.read_to_string(&mut heard).await?;
///     assert_eq!(heard, "ping");
///     // The other direction is open still.
///     server.write_all(b"pong").await?;
///     drop(server);
///     client.read_to_string(&mut heard).await?;
///     assert_eq!(heard, "pingpong");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct Stream {
    reads: ReadHalf,
    writes: WriteHalf,
}

/// The half of a [`Stream`] that reads.
///
/// Dropping both halves closes the connection.
///
/// # Examples
///
/// See [`Stream::into_split`].
pub struct ReadHalf {
    end: Arc<End>,
    alarm: Alarm,
}

/// The half of a [`Stream`] that writes. Dropping it tells the peer that no more will come.
///
/// # Examples
///
/// See [`Stream::into_split`].
pub struct WriteHalf {
    end: Arc<End>,
    alarm: Alarm,
}

impl Stream {
    pub(super) fn new(
        network: &Arc<Shared>,
        connection: u64,
        side: usize,
        [local, peer]: [&Address; 2],
    ) -> Stream {
        let end = Arc::new(End {
            network: Arc::clone(network),
            connection,
            side,
            local: local.clone(),
            peer: peer.clone(),
        });
        Stream {
            reads: ReadHalf {
                end: Arc::clone(&end),
                alarm: Alarm::new(),
            },
            writes: WriteHalf {
                end,
                alarm: Alarm::new(),
            },
        }
    }

    /// Two halves that two tasks may use at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{AsyncReadExt, AsyncWriteExt};
    /// use pirn_sim::{Sim, net::Network};
    ///
    /// Sim::new().run(async {
    ///     let network = Network::new(1);
    ///     let listener = network.host("server").listen(80)?;
    ///     let client = network.host("client").connect(("server", 80)).await?;
    ///     let (server, _) = listener.accept().await?;
    ///     // It sends back what it reads, until the end.
    ///     let (mut reads, mut writes) = server.into_split();
    ///     pirn_executor::spawn(async move { futures::io::copy(&mut reads, &mut writes).await })
    ///         .detach();
    ///
    ///     let (mut reads, mut writes) = client.into_split();
    ///     writes.write_all(b"there and back").await?;
    ///     drop(writes);
    ///     let mut heard = String::new();
    ///     reads.read_to_string(&mut heard).await?;
    ///     assert_eq!(heard, "there and back");
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        (self.reads, self.writes)
    }

    /// The address of the other side.
    pub fn peer_addr(&self) -> &Address {
        &self.reads.end.peer
    }

    /// The address of this side.
    pub fn local_addr(&self) -> &Address {
        &self.reads.end.local
    }

    /// Shuts down reading, writing or both.
    ///
    /// After [`Shutdown::Write`] the peer reads the end; what is being sent still arrives. After
    /// [`Shutdown::Read`] what arrives is answered with a reset.
    ///
    /// # Errors
    ///
    /// None; it gives a `Result` as the shutdown of a real socket does.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let end = &self.reads.end;
        if how != Shutdown::Read {
            end.finish();
        }
        if how != Shutdown::Write {
            end.desert();
        }
        Ok(())
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        self.end.finish();
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let ReadHalf { end, alarm } = &mut *self;
        end.poll_read(alarm, cx, buf)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let WriteHalf { end, alarm } = &mut *self;
        end.poll_write(alarm, cx, buf)
    }

    /// Nothing is kept back, so there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.finish();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reads).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writes).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_flush(cx)
    }

    /// Tells the peer that no more will come.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_close(cx)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("local", self.local_addr())
            .field("peer", self.peer_addr())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf")
            .field("peer", &self.end.peer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf")
            .field("peer", &self.end.peer)
            .finish_non_exhaustive()
    }
}
