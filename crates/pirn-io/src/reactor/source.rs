//! One registered source: try first, wait for an edge, try again.

use super::readiness::{Direction, Readiness, Waiter};
use super::{Handle, gone};
use mio::{Interest, Token};
use pirn_core::budget::poll_spend;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// True where the system's events are edges of its own (epoll, kqueue): there a short read or
/// write has emptied or filled the buffer, and the next change is a new edge. Elsewhere mio
/// imitates edges and re-arms only after a try that found nothing.
const SHORT_IS_DRAINED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

/// How much of what was asked for a try gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gave {
    /// All, or nothing can be said: the next try may give more.
    All,
    /// Less: the next try would find nothing.
    Less,
}

impl Gave {
    pub(crate) fn of(given: usize, asked: usize) -> Gave {
        // Zero says nothing: it is the end, or an empty buffer.
        if 0 < given && given < asked {
            Gave::Less
        } else {
            Gave::All
        }
    }
}

/// A source and its registration.
pub(crate) struct Source<S: mio::event::Source> {
    io: S,
    readiness: Arc<Readiness>,
    key: usize,
    reactor: Handle,
}

impl<S: mio::event::Source> Source<S> {
    /// Registers `io` with the current reactor.
    pub(crate) fn new(io: S) -> io::Result<Self> {
        Source::on(Handle::current()?, io)
    }

    fn on(reactor: Handle, mut io: S) -> io::Result<Self> {
        let readiness = Arc::new(Readiness::new());
        let key = {
            let mut sources = reactor.0.sources.lock();
            if sources.gone {
                return Err(gone());
            }
            sources
                .slab
                .insert(Arc::clone(&readiness))
                .map_err(|_| io::Error::other("the reactor has no room for another source"))?
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = reactor.0.registry.register(&mut io, Token(key), both) {
            reactor.0.sources.lock().slab.remove(key);
            return Err(error);
        }
        Ok(Source {
            io,
            readiness,
            key,
            reactor,
        })
    }

    pub(crate) fn io(&self) -> &S {
        &self.io
    }

    /// Tries `attempt` until it gives something or fails, waiting for an edge in between.
    ///
    /// `waiter` says who waits; see [`Waiter`].
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&S) -> io::Result<(T, Gave)>,
    ) -> Poll<io::Result<T>> {
        loop {
            let tick = ready!(self.readiness.poll_ready(direction, waiter, cx))
                .map_err(|_: super::readiness::Gone| gone())?;
            ready!(poll_spend(cx));
            match attempt(&self.io) {
                Ok((value, gave)) => {
                    if SHORT_IS_DRAINED && gave == Gave::Less {
                        self.readiness.drained(direction, tick);
                    }
                    return Poll::Ready(Ok(value));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.readiness.exhausted(direction, tick),
                    io::ErrorKind::Interrupted => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Takes the waker of a future that is dropped back.
    pub(crate) fn leave(&self, direction: Direction, waiter: &mut Waiter) {
        self.readiness.leave(direction, waiter);
    }
}

impl<S: mio::event::Source> Drop for Source<S> {
    fn drop(&mut self) {
        // Before the descriptor is closed, so that no copy of it keeps reporting. It fails only
        // where the registration is gone already.
        let _ = self.reactor.0.registry.deregister(&mut self.io);
        let readiness = self.reactor.0.sources.lock().slab.remove(self.key);
        drop(readiness); // its wakers are user code: after unlocking
    }
}
