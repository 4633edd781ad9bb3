//! A socket that takes connections.

use super::address::{Target, ToAddress};
use super::stream::TcpStream;
use crate::error::{Action, explain};
use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use futures_core::Stream;
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A socket that takes TCP connections.
///
/// Any number of tasks may accept at once; an edge wakes them all, and each takes what it finds.
/// Dropping the listener closes it; connections that were not accepted are reset.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt, future};
/// use pirn_io::{TcpListener, TcpStream};
///
/// # pirn_core::shim::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let server = async {
///     let (mut stream, _peer) = listener.accept().await?;
///     stream.write_all(b"hello").await?;
///     stream.close().await
/// };
/// let client = async {
///     let mut text = String::new();
///     TcpStream::connect(listener.local_addr()).await?.read_to_string(&mut text).await?;
///     Ok(text)
/// };
/// let ((), text) = future::try_join(server, client).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    source: Source<mio::net::TcpListener>,
    local: SocketAddr,
}

impl TcpListener {
    /// Listens at `address`; port 0 lets the system choose.
    ///
    /// A host name is looked up, and the first of its addresses that can be bound is taken. On
    /// Unix the address may be taken again at once after a former listener ended
    /// (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// If the address is in use, is not this machine's or may not be bound, or the name is not
    /// found; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind but, at most, a lookup in the blocking pool.
    pub async fn bind(address: impl ToAddress) -> io::Result<TcpListener> {
        let target = address.to_target()?;
        poll_fn(poll_spend).await;
        let mut last = None;
        for address in target.addresses().await? {
            // std's bind is used for its longer queue of unaccepted connections.
            match std::net::TcpListener::bind(address).and_then(TcpListener::from_std) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some((address, error)),
            }
        }
        Err(failed(Action::Bind, &target, last))
    }

    /// Takes over a listener of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made non-blocking or be registered.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let source = Source::new(mio::net::TcpListener::from_std(listener))?;
        Ok(TcpListener { source, local })
    }

    /// The address that it listens at, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a connection and takes it, with the peer's address.
    ///
    /// A connection that its peer gave up before it was taken is skipped.
    ///
    /// # Errors
    ///
    /// If the system is out of descriptors or memory. The listener stays usable, and the
    /// connection waits: pause before the next accept.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection: whatever was not returned waits for the next
    /// accept.
    pub fn accept(&self) -> Accept<'_> {
        Accept {
            listener: self,
            waiter: Waiter::Fresh,
        }
    }

    /// The connections as a stream, which never ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream loses no connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_io::{TcpListener, TcpStream};
    ///
    /// # pirn_core::shim::block_on(async {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()).await?;
    /// let accepted = listener.incoming().next().await.unwrap()?;
    /// assert_eq!(accepted.peer_addr(), client.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            accept: self.accept(),
        }
    }

    fn poll_accept(
        &self,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            let accepted = ready!(self.source.poll_io(Direction::Read, waiter, cx, |io| {
                io.accept().map(|accepted| (accepted, Gave::All))
            }));
            match accepted {
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                result => {
                    return Poll::Ready(
                        result
                            .and_then(|(io, peer)| Ok((TcpStream::new(io, peer)?, peer)))
                            .map_err(|error| explain(Action::Accept, self.local, error)),
                    );
                }
            }
        }
    }
}

/// The error of the last address tried, naming the target and, where it was a name, the address.
pub(super) fn failed(
    action: Action,
    target: &Target,
    last: Option<(SocketAddr, io::Error)>,
) -> io::Error {
    match (target, last) {
        (Target::Address(_), Some((_, error))) => explain(action, target, error),
        (Target::Name(..), Some((address, error))) => {
            explain(action, format_args!("{target} ({address})"), error)
        }
        (_, None) => explain(action, target, io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// The future of [`TcpListener::accept`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    waiter: Waiter,
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Accept { listener, waiter } = &mut *self;
        listener.poll_accept(waiter, cx)
    }
}

impl Drop for Accept<'_> {
    fn drop(&mut self) {
        let Accept { listener, waiter } = self;
        listener.source.leave(Direction::Read, waiter);
    }
}

/// The stream of [`TcpListener::incoming`].
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct Incoming<'a> {
    accept: Accept<'a>,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(Pin::new(&mut self.accept).poll(cx));
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
