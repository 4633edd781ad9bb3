//! What connections of all kinds have in common.

use crate::error::{Action, explain};
use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use std::fmt::Display;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::task::{Context, Poll};

/// The most that one try asks for. Systems cut longer requests short (at 2 GiB), which would look
/// like an emptied buffer.
const MOST: usize = 1 << 30;
/// The most slices that one try takes, for the same reason: the systems' limit is 1024.
const MOST_SLICES: usize = 64;

/// A kind of connection that can be split into halves: [`TcpStream`](super::TcpStream) and, on
/// Unix, [`UnixStream`](super::UnixStream).
///
/// It is implemented for these and no others.
///
/// # Examples
///
/// ```
/// use futures::AsyncReadExt;
/// use pirn_io::net::{Connection, ReadHalf};
///
/// async fn count(mut half: ReadHalf<impl Connection>) -> std::io::Result<usize> {
///     half.read_to_end(&mut Vec::new()).await
/// }
///
/// # pirn_core::shim::block_on(async {
/// let listener = pirn_io::TcpListener::bind("127.0.0.1:0").await?;
/// let client = pirn_io::TcpStream::connect(listener.local_addr()).await?;
/// drop(listener.accept().await?);
/// assert_eq!(count(client.into_split().0).await?, 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait Connection: sealed::Connected {}

impl<C: sealed::Connected> Connection for C {}

pub(super) mod sealed {
    use super::Wire;
    use std::fmt::Display;

    /// What both halves use.
    pub trait Connected {
        type Io: super::Raw;
        type Peer: Display;

        fn wire(&self) -> &Wire<Self::Io, Self::Peer>;
    }
}

/// The system's calls.
pub trait Raw: mio::event::Source {
    /// A read that gave less than was asked for has emptied the socket.
    const SHORT_READ_IS_ALL: bool;

    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// Fails as long as there is no peer.
    fn has_peer(&self) -> io::Result<()>;
}

/// A registered connection, and who is at the other side, for errors.
pub struct Wire<S: mio::event::Source, P> {
    source: Source<S>,
    peer: P,
}

impl<S: Raw, P: Display> Wire<S, P> {
    pub(super) fn new(io: S, peer: P) -> io::Result<Self> {
        let source = Source::new(io)?;
        Ok(Wire { source, peer })
    }

    pub(super) fn io(&self) -> &S {
        self.source.io()
    }

    pub(super) fn peer(&self) -> &P {
        &self.peer
    }

    pub(super) fn about<T>(&self, action: Action, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| explain(action, &self.peer, error))
    }

    /// Waits until the connection that was begun is made, or the system says why not.
    pub(super) async fn made(self) -> io::Result<Self> {
        poll_fn(|cx| {
            self.source
                .poll_io(Direction::Write, &mut Waiter::Poller, cx, |io| {
                    // The system tells of a failure as the socket's pending error, and of success
                    // by knowing the peer.
                    if let Some(error) = io.take_error()? {
                        return Err(error);
                    }
                    match io.has_peer() {
                        Ok(()) => Ok(((), Gave::All)),
                        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                            Err(io::ErrorKind::WouldBlock.into())
                        }
                        Err(error) => Err(error),
                    }
                })
        })
        .await?;
        Ok(self)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.io().shutdown(how) {
            // The peer was faster, and everything is shut down already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => self.about(Action::Shutdown, result),
        }
    }

    fn poll(
        &self,
        action: Action,
        cx: &mut Context<'_>,
        asked: usize,
        mut attempt: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let direction = match action {
            Action::Read => Direction::Read,
            _ => Direction::Write,
        };
        self.source
            .poll_io(direction, &mut Waiter::Poller, cx, |io| {
                let count = attempt(io)?;
                let gave = match direction {
                    Direction::Read if !S::SHORT_READ_IS_ALL => Gave::All,
                    _ => Gave::of(count, asked),
                };
                Ok((count, gave))
            })
            .map(|result| self.about(action, result))
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let asked = buf.len().min(MOST);
        self.poll(Action::Read, cx, asked, |io| io.read(&mut buf[..asked]))
    }

    pub(super) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices = bufs.len().min(MOST_SLICES);
        let asked = bufs[..slices].iter().map(|buf| buf.len()).sum();
        self.poll(Action::Read, cx, asked, |io| {
            io.read_vectored(&mut bufs[..slices])
        })
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let asked = buf.len().min(MOST);
        self.poll(Action::Write, cx, asked, |io| io.write(&buf[..asked]))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bufs = &bufs[..bufs.len().min(MOST_SLICES)];
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        self.poll(Action::Write, cx, asked, |io| io.write_vectored(bufs))
    }

    /// Nothing is kept back, so there is nothing to flush. Closing tells the peer that no more
    /// will come.
    pub(super) fn poll_close(&self) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(Shutdown::Write))
    }
}
