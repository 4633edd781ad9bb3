//! A connection, as one of its ends has it.

use super::address::Address;
use super::alarm::Alarm;
use super::pipe::Step;
use super::state::{Connection, Later, Shared, State};
use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::Instant;
use pirn_core::budget::poll_spend;
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

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

/// One end of a connection, for both halves.
struct End {
    network: Arc<Shared>,
    connection: u64,
    side: usize,
    local: Address,
    peer: Address,
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

impl End {
    fn with<R>(
        &self,
        act: impl FnOnce(&mut State, &mut Connection, Instant, &mut Later) -> R,
    ) -> R {
        let now = pirn_timer::now();
        self.network.enter(|state, later| {
            let id = self.connection;
            let mut connection = state
                .connections
                .remove(&id)
                .expect("a connection stays until both ends are gone");
            let result = act(state, &mut connection, now, later);
            if connection.gone != [true; 2] {
                state.connections.insert(id, connection);
            }
            result
        })
    }

    fn poll_read(
        &self,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        loop {
            let waker = cx.waker().clone();
            let step = self.with(|_, connection, now, later| {
                let pipe = &mut connection.pipes[1 - self.side];
                if pipe.deserted {
                    return Step::Done(Ok(0));
                }
                let step = pipe.read(now, buf);
                match step {
                    Step::Done(_) => later.wake(&mut pipe.writer),
                    Step::Until(_) => later.keep(&mut pipe.reader, waker),
                }
                step
            });
            match step {
                Step::Done(done) => {
                    alarm.stop();
                    return Poll::Ready(done.map_err(|error| self.about("read from", error)));
                }
                Step::Until(at) => ready!(alarm.poll_until(cx, at)),
            }
        }
    }

    fn poll_write(
        &self,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        loop {
            let waker = cx.waker().clone();
            let step = self.with(|state, connection, now, later| {
                let [from, to] = connection.hosts(self.side);
                let conditions = state.conditions(&from, &to);
                let (buffer, segment) = (conditions.buffer, conditions.segment);
                let pipe = &mut connection.pipes[self.side];
                let room = match pipe.room(now, buffer) {
                    Step::Done(Ok(room)) => room,
                    Step::Until(at) => {
                        later.keep(&mut pipe.writer, waker);
                        return Step::Until(at);
                    }
                    failed => return failed,
                };
                let count = room.min(bytes.len());
                if pipe.deserted {
                    // It arrives, and word comes back that nobody is there.
                    answer_with_reset(state, connection, self.side, now, later);
                    return Step::Done(Ok(count));
                }
                for some in bytes[..count].chunks(segment) {
                    let at = state.arrives(&from, &to, some.len(), now);
                    pipe.send(at, some);
                }
                later.wake(&mut pipe.reader);
                Step::Done(Ok(count))
            });
            match step {
                Step::Done(done) => {
                    alarm.stop();
                    return Poll::Ready(done.map_err(|error| self.about("write to", error)));
                }
                Step::Until(at) => ready!(alarm.poll_until(cx, at)),
            }
        }
    }

    /// Sends the end.
    fn finish(&self) {
        self.with(|state, connection, now, later| {
            let [from, to] = connection.hosts(self.side);
            if !connection.pipes[self.side].finished {
                let at = state.arrives(&from, &to, 0, now);
                let pipe = &mut connection.pipes[self.side];
                pipe.finish(at);
                later.wake(&mut pipe.reader);
                later.wake(&mut pipe.writer);
            }
        });
    }

    /// Reads no more.
    fn desert(&self) {
        self.with(|state, connection, now, later| {
            self.desert_in(state, connection, now, later);
        });
    }

    fn desert_in(
        &self,
        state: &mut State,
        connection: &mut Connection,
        now: Instant,
        later: &mut Later,
    ) {
        let incoming = &mut connection.pipes[1 - self.side];
        later.wake(&mut incoming.reader);
        if incoming.deserted || !incoming.desert() {
            return;
        }
        // What was not read is lost, and the peer is told.
        let [from, to] = connection.hosts(self.side);
        let at = state.arrives(&from, &to, 0, now);
        cut(connection, self.side, at, later);
    }

    fn about(&self, what: &str, error: io::Error) -> io::Error {
        let (local, peer) = (&self.local, &self.peer);
        io::Error::new(
            error.kind(),
            format!("{local} could not {what} {peer}: {error}"),
        )
    }
}

/// The peer of `side`, which wrote to nobody, is told so after the way there and back.
fn answer_with_reset(
    state: &mut State,
    connection: &mut Connection,
    writer: usize,
    now: Instant,
    later: &mut Later,
) {
    if connection.pipes[writer].writer_cut.is_some() {
        return;
    }
    let [from, to] = connection.hosts(writer);
    let at = match state.arrives(&from, &to, 0, now) {
        Instant::NEVER => Instant::NEVER,
        there => there + state.latency(&to, &from),
    };
    cut(connection, 1 - writer, at, later);
}

/// The peer of `side` learns of a reset at that time.
fn cut(connection: &mut Connection, side: usize, at: Instant, later: &mut Later) {
    connection.pipes[1 - side].cut_writer(at);
    connection.pipes[side].cut(at);
    later.wake(&mut connection.pipes[1 - side].writer);
    later.wake(&mut connection.pipes[side].reader);
}

impl Drop for End {
    fn drop(&mut self) {
        self.finish();
        self.with(|state, connection, now, later| {
            self.desert_in(state, connection, now, later);
            connection.gone[self.side] = true;
        });
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
