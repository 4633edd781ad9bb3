//! Two ends of a connection, none of which runs ahead of the other.

use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::budget::poll_spend;
use pirn_core::shim::{Arc, Mutex};
use pirn_core::wake::{discard, wake};
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// A connection in memory without any buffer: a write waits for a read.
///
/// What is written goes into the buffer of a read that waits for it, as much as fits; so a writer is
/// never further than one read ahead, and a protocol that counts on the other side's buffers hangs
/// in a test and not at a customer's. trio's `lockstep_stream_pair`. For buffers, latency and loss use
/// the in-memory network.
///
/// Ends may be dropped or closed: the reader then finds the end, the writer gets
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe). The streams work on any executor.
///
/// # Cancel safety
///
/// A read that is dropped while it waits may have been given something meanwhile: the next read finds
/// it. A write that is dropped while it waits has written nothing.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_sim::{Sim, lockstep_pair, wait_all_blocked};
///
/// Sim::new().run(async {
///     let (mut client, mut server) = lockstep_pair();
///     let writes = pirn_executor::spawn(async move { client.write_all(b"hello").await });
///     wait_all_blocked().await;
///     assert!(!writes.is_finished()); // nobody reads
///     let mut bytes = [0; 5];
///     server.read_exact(&mut bytes).await.unwrap();
///     assert_eq!(&bytes, b"hello");
///     writes.await.unwrap().unwrap();
/// });
/// ```
pub fn lockstep_pair() -> (LockstepStream, LockstepStream) {
    let (there, back) = (Arc::<Lane>::default(), Arc::<Lane>::default());
    let first = LockstepStream {
        reads: Arc::clone(&back),
        writes: Arc::clone(&there),
    };
    let second = LockstepStream {
        reads: there,
        writes: back,
    };
    (first, second)
}

/// One end of a [`lockstep_pair`].
///
/// # Examples
///
/// ```
/// use futures::AsyncReadExt;
/// use pirn_sim::{LockstepStream, lockstep_pair};
///
/// let (mut here, there): (LockstepStream, _) = lockstep_pair();
/// drop(there);
/// let mut all = Vec::new();
/// assert_eq!(pirn_core::shim::block_on(here.read_to_end(&mut all)).unwrap(), 0);
/// ```
pub struct LockstepStream {
    reads: Arc<Lane>,
    writes: Arc<Lane>,
}

/// One direction.
///
/// | `State` | meaning | set by | cleared by |
/// |---|---|---|---|
/// | `wanted` | a read waits for so many bytes | `read` | `write`; `read` that takes |
/// | `given` | what it is to take | `write` | `read` |
/// | `finished` | nothing comes any more | `finish` | |
/// | `deserted` | nobody reads any more | `desert` | |
#[derive(Default)]
struct Lane(Mutex<State>);

#[derive(Default)]
struct State {
    wanted: usize,
    given: Vec<u8>,
    finished: bool,
    deserted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Lane {
    /// Changes the state by `f`, which says whether the other side has to look again; then wakes it.
    fn change<R>(&self, pick: Side, f: impl FnOnce(&mut State) -> (R, bool)) -> R {
        let mut state = self.0.lock();
        let (result, news) = f(&mut state);
        let other = match pick {
            Side::Reader => &mut state.reader,
            Side::Writer => &mut state.writer,
        };
        let woken = if news { other.take() } else { None };
        drop(state);
        woken.into_iter().for_each(wake);
        result
    }

    fn read(&self, waker: Waker, buf: &mut [u8]) -> Poll<usize> {
        let mut waker = Some(waker);
        let read = self.change(Side::Writer, |state| {
            if buf.is_empty() {
                return (Poll::Ready(0), false);
            }
            if state.given.is_empty() && !state.finished {
                let news = state.wanted == 0;
                state.wanted = buf.len();
                mem::swap(&mut state.reader, &mut waker);
                return (Poll::Pending, news);
            }
            let count = buf.len().min(state.given.len());
            buf[..count].copy_from_slice(&state.given[..count]);
            state.given.drain(..count);
            state.wanted = 0;
            (Poll::Ready(count), state.given.is_empty())
        });
        // That of the poll before, or this one's.
        discard(waker);
        read
    }

    fn write(&self, waker: Waker, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut waker = Some(waker);
        let written = self.change(Side::Reader, |state| {
            if state.finished || state.deserted {
                return (Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())), false);
            }
            if bytes.is_empty() {
                return (Poll::Ready(Ok(0)), false);
            }
            let count = state.wanted.min(bytes.len());
            if count == 0 {
                mem::swap(&mut state.writer, &mut waker);
                return (Poll::Pending, false);
            }
            state.given.extend_from_slice(&bytes[..count]);
            state.wanted = 0;
            (Poll::Ready(Ok(count)), true)
        });
        discard(waker);
        written
    }

    /// Waits until what was given has been taken.
    fn flush(&self, waker: Waker) -> Poll<io::Result<()>> {
        let mut waker = Some(waker);
        let mut state = self.0.lock();
        let is_taken = state.given.is_empty() || state.deserted;
        if !is_taken {
            mem::swap(&mut state.writer, &mut waker);
        }
        drop(state);
        discard(waker);
        match is_taken {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn finish(&self) {
        self.change(Side::Reader, |state| {
            state.finished = true;
            ((), true)
        });
    }

    fn desert(&self) {
        self.change(Side::Writer, |state| {
            state.deserted = true;
            ((), true)
        });
    }
}

/// Who is told.
enum Side {
    Reader,
    Writer,
}

impl AsyncRead for LockstepStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        self.reads.read(cx.waker().clone(), buf).map(Ok)
    }
}

impl AsyncWrite for LockstepStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        self.writes.write(cx.waker().clone(), bytes)
    }

    /// Waits until the other end has read what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writes.flush(cx.waker().clone())
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writes.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LockstepStream {
    fn drop(&mut self) {
        self.writes.finish();
        self.reads.desert();
    }
}

impl fmt::Debug for LockstepStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockstepStream").finish_non_exhaustive()
    }
}
