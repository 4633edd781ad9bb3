//! One end of a connection, and what it does to both directions.

use super::address::Address;
use super::alarm::Alarm;
use super::pipe::Step;
use super::state::{Connection, GivenUp, Later, Shared, State};
use pirn_core::Instant;
use pirn_core::budget;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// One end of a connection, for both halves.
pub(super) struct End {
    pub(super) network: Arc<Shared>,
    pub(super) connection: u64,
    pub(super) side: usize,
    pub(super) local: Address,
    pub(super) peer: Address,
}

impl End {
    /// For one who may have to wait: then `act` keeps its waker.
    fn with<R>(
        &self,
        cx: &Context<'_>,
        act: impl FnOnce(&mut State, &mut Connection, Instant, &mut Later) -> R,
    ) -> R {
        let now = pirn_timer::now();
        self.at(Some(now), Some(cx.waker().clone()), act)
    }

    /// As `with`, also where there is no clock any more, as a stream is dropped: then it is as late as
    /// it was last.
    fn leaving<R>(
        &self,
        act: impl FnOnce(&mut State, &mut Connection, Instant, &mut Later) -> R,
    ) -> R {
        let clock = pirn_core::context::clock();
        self.at(clock.ok().map(|clock| clock.now()), None, act)
    }

    fn at<R>(
        &self,
        now: Option<Instant>,
        own: Option<Waker>,
        act: impl FnOnce(&mut State, &mut Connection, Instant, &mut Later) -> R,
    ) -> R {
        self.network.enter_as(own, |state, later| {
            let now = now.unwrap_or(state.latest);
            state.latest = now;
            let id = self.connection;
            let mut connection = state
                .connections
                .remove(&id)
                .expect("a connection stays until both ends are gone");
            let result = act(state, &mut connection, now, later);
            if connection.gone == [true; 2] {
                state.end(connection, later);
            } else {
                state.connections.insert(id, connection);
            }
            result
        })
    }

    pub(super) fn poll_read(
        &self,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend_for("bytes of a stream in a `Network`", cx));
        loop {
            let step = self.with(cx, |_, connection, now, later| {
                let pipe = &mut connection.pipes[1 - self.side];
                if pipe.deserted {
                    return Step::Done(Ok(0));
                }
                let step = pipe.read(now, buf);
                match step {
                    Step::Done(_) => later.wake(&mut pipe.writer),
                    Step::Until(_) => later.keep(&mut pipe.reader),
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

    pub(super) fn poll_write(
        &self,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend_for("room in a stream of a `Network`", cx));
        loop {
            let step = self.with(cx, |state, connection, now, later| {
                let [from, to] = connection.hosts(self.side);
                let conditions = state.conditions(&from, &to);
                let (buffer, segment) = (conditions.buffer, conditions.segment);
                let pipe = &mut connection.pipes[self.side];
                let room = match pipe.room(now, buffer) {
                    Step::Done(Ok(room)) => room,
                    Step::Until(at) => {
                        later.keep(&mut pipe.writer);
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
                let mut is_told = false;
                for some in bytes[..count].chunks(segment) {
                    match state.arrives(&from, &to, some.len(), now) {
                        Ok(at) => is_told |= !pipe.send(at, some),
                        Err(GivenUp(at)) => pipe.give_up(at, some.len()),
                    }
                }
                later.wake(&mut pipe.reader);
                settle(connection, self.side, later);
                if is_told {
                    answer_with_reset(state, connection, self.side, now, later);
                }
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
    pub(super) fn finish(&self) {
        self.leaving(|state, connection, now, later| {
            let [from, to] = connection.hosts(self.side);
            if !connection.pipes[self.side].finished {
                let arrives = state.arrives(&from, &to, 0, now);
                let pipe = &mut connection.pipes[self.side];
                pipe.finish(arrives);
                later.wake(&mut pipe.reader);
                later.wake(&mut pipe.writer);
                settle(connection, self.side, later);
            }
        });
    }

    /// Reads no more.
    pub(super) fn desert(&self) {
        self.leaving(|state, connection, now, later| {
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
        let at = state.word_arrives(&from, &to, now);
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

/// Spends the budget; where nobody goes on, says what is waited for.
fn poll_spend_for(what: &'static str, cx: &mut Context<'_>) -> Poll<()> {
    if budget::is_frozen() {
        budget::inspect::say(what);
        return Poll::Pending;
    }
    budget::poll_spend(cx)
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
    let at = match state.word_arrives(&from, &to, now) {
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

/// If what `side` sends is given up, it reads no more from then on either, and who writes to it learns
/// that nobody is there.
fn settle(connection: &mut Connection, side: usize, later: &mut Later) {
    let given_up = connection.pipes[side].given_up;
    let incoming = &mut connection.pipes[1 - side];
    if incoming.reader_gone != given_up {
        incoming.reader_gone = given_up;
        later.wake(&mut incoming.reader);
        later.wake(&mut incoming.writer);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.finish();
        self.leaving(|state, connection, now, later| {
            self.desert_in(state, connection, now, later);
            connection.gone[self.side] = true;
        });
    }
}
