//! Ctrl-C.

use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use futures_core::Stream;
use mio::net::UnixStream;
use signal_hook::SigId;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::{pipe, unregister};
use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Waits for Ctrl-C (`SIGINT`).
///
/// From the first call on, **the default action, ending the program, is replaced for good**: a
/// Ctrl-C that nobody waits for does nothing. To be interrupted more than once, keep the
/// [`CtrlC`]; what comes between two calls of this function goes unseen.
///
/// # Errors
///
/// The future fails if the system has no descriptors left, or the reactor ended.
///
/// # Cancel safety
///
/// Dropping the future takes its registration back. A signal that came but was not yet received
/// is forgotten.
///
/// # Examples
///
/// ```
/// use pirn_io::ctrl_c;
/// use signal_hook::{consts::SIGINT, low_level::raise};
///
/// # pirn_core::shim::block_on(async {
/// let mut interrupted = ctrl_c();
/// raise(SIGINT)?; // the user types Ctrl-C
/// (&mut interrupted).await?;
/// raise(SIGINT)?; // and once more
/// assert!(interrupted.await.is_ok());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn ctrl_c() -> CtrlC {
    CtrlC(Listener::new().map_err(Some))
}

/// The future of [`ctrl_c`], which may be awaited again and again, and a stream that never ends.
///
/// Signals that come before it is polled count as one.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use pirn_io::signal::{CtrlC, ctrl_c};
///
/// let mut interrupts: CtrlC = ctrl_c();
/// # pirn_core::shim::block_on(async {
/// signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
/// assert!(interrupts.next().await.is_some());
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct CtrlC(Result<Listener, Option<io::Error>>);

/// The handler writes a byte into one end of a socket pair; the reactor watches the other.
struct Listener {
    source: Source<UnixStream>,
    handler: SigId,
}

impl Listener {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        let source = Source::new(reader)?;
        let handler = pipe::register(SIGINT, writer)?;
        Ok(Listener { source, handler })
    }

    /// Takes all that came: several signals before one look are one.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source
            .poll_io(Direction::Read, &mut Waiter::Poller, cx, |mut io| {
                let mut bytes = [0; 64];
                let read = io.read(&mut bytes)?;
                Ok(((), Gave::of(read, bytes.len())))
            })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(listener) => listener.poll(cx),
            Err(error) => Poll::Ready(Err(error
                .take()
                .unwrap_or_else(|| io::Error::other("Ctrl-C is not watched")))),
        }
    }
}

impl Stream for CtrlC {
    type Item = io::Result<()>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.poll(cx))))
    }
}

impl fmt::Debug for CtrlC {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CtrlC").field(&self.0.is_ok()).finish()
    }
}
