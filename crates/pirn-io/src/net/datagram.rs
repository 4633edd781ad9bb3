//! What sockets of datagrams have in common.

use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Tries `attempt` until it succeeds or fails, beside any number of others that do the same.
pub(super) async fn turn<S, T>(
    source: &Source<S>,
    direction: Direction,
    attempt: impl FnMut(&S) -> io::Result<T> + Unpin,
) -> io::Result<T>
where
    S: mio::event::Source,
{
    Turn {
        source,
        direction,
        waiter: Waiter::Fresh,
        attempt,
    }
    .await
}

struct Turn<'a, S: mio::event::Source, F> {
    source: &'a Source<S>,
    direction: Direction,
    waiter: Waiter,
    attempt: F,
}

impl<S, T, F> Future for Turn<'_, S, F>
where
    S: mio::event::Source,
    F: FnMut(&S) -> io::Result<T> + Unpin,
{
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        // A datagram says nothing of the next one.
        this.source
            .poll_io(this.direction, &mut this.waiter, cx, |io| {
                (this.attempt)(io).map(|given| (given, Gave::All))
            })
    }
}

impl<S: mio::event::Source, F> Drop for Turn<'_, S, F> {
    fn drop(&mut self) {
        self.source.leave(self.direction, &mut self.waiter);
    }
}
