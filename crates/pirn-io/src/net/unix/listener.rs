//! A socket that takes connections.

use super::{Peer, UnixStream};
use crate::error::{Action, explain, needs_system};
use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A Unix socket that takes connections.
///
/// Any number of tasks may accept at once. Dropping the listener closes it; connections that were
/// not accepted are reset. Its path stays in the file system until it is removed, and cannot be
/// bound again before.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt, future};
/// use pirn_io::net::{UnixListener, UnixStream};
///
/// # pirn_core::shim::block_on(async {
/// # let path = std::env::temp_dir().join(format!("pirn-io-doc-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let (client, accepted) = future::try_join(UnixStream::connect(&path), listener.accept()).await?;
/// let (mut client, mut server) = (client, accepted);
/// server.write_all(b"hello").await?;
/// drop(server);
/// let mut text = String::new();
/// client.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    source: Source<mio::net::UnixListener>,
    path: Option<Arc<Path>>,
}

impl UnixListener {
    /// Listens at `path`, which must not exist.
    ///
    /// # Errors
    ///
    /// If it exists, also where the listener that made it is gone
    /// ([`AddrInUse`](io::ErrorKind::AddrInUse)): remove it first if nobody uses it. Or if it may
    /// not be made there, or is longer than the system takes (about 100 bytes).
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        // Before there is a file.
        needs_system("socket")?;
        let path = path.as_ref();
        std::os::unix::net::UnixListener::bind(path)
            .and_then(UnixListener::from_std)
            .map_err(|error| explain(Action::Bind, path.display(), error))
    }

    /// Takes over a listener of `std`, making it non-blocking.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking or be registered.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        let path = listener.local_addr()?.as_pathname().map(Arc::from);
        let source = Source::new(mio::net::UnixListener::from_std(listener))?;
        Ok(UnixListener { source, path })
    }

    /// The path that it listens at, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Waits for a connection and takes it.
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
    pub fn accept(&self) -> UnixAccept<'_> {
        UnixAccept {
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
    /// use pirn_io::net::{UnixListener, UnixStream};
    ///
    /// # pirn_core::shim::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("pirn-io-incoming-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// let _client = UnixStream::connect(&path).await?;
    /// assert!(listener.incoming().next().await.unwrap().is_ok());
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming {
            accept: self.accept(),
        }
    }

    fn poll_accept(
        &self,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<UnixStream>> {
        let accepted = ready!(self.source.poll_io(Direction::Read, waiter, cx, |io| {
            io.accept().map(|(io, _)| (io, Gave::All))
        }));
        let peer = || self.path.clone().map_or(Peer::Unnamed, Peer::To);
        let stream = accepted.and_then(|io| UnixStream::new(io, peer()));
        Poll::Ready(stream.map_err(|error| {
            let at = self.path.clone().map_or(Peer::Unnamed, Peer::At);
            explain(Action::Accept, at, error)
        }))
    }
}

/// The future of [`UnixListener::accept`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct UnixAccept<'a> {
    listener: &'a UnixListener,
    waiter: Waiter,
}

impl Future for UnixAccept<'_> {
    type Output = io::Result<UnixStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let UnixAccept { listener, waiter } = &mut *self;
        listener.poll_accept(waiter, cx)
    }
}

impl Drop for UnixAccept<'_> {
    fn drop(&mut self) {
        let UnixAccept { listener, waiter } = self;
        listener.source.leave(Direction::Read, waiter);
    }
}

/// The stream of [`UnixListener::incoming`].
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    accept: UnixAccept<'a>,
}

impl Stream for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.accept).poll(cx).map(Some)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixListener")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
