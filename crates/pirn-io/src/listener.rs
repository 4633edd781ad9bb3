//! What a signal wakes.

use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use mio::net::UnixStream;
use signal_hook::SigId;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::task::{Context, Poll};

/// The handler writes a byte into one end of a socket pair; the reactor watches the other.
pub(crate) struct Listener {
    source: Source<UnixStream>,
    handler: SigId,
}

impl Listener {
    pub(crate) fn new(signal: i32) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        let source = Source::new(reader)?;
        let handler = pipe::register(signal, writer)?;
        Ok(Listener { source, handler })
    }

    /// Takes all that came: several signals before one look are one.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
