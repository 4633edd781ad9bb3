//! Streams of bytes, for hyper.

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A stream with the traits of `futures-io` as one with hyper's.
///
/// hyper lends memory that is not initialised, `futures-io` wants memory that is. So bytes are read
/// into a buffer of the thread and copied: for what arrives on a socket in one piece that costs
/// less than to write zeros over all that hyper lends. For bodies of 100 kB and more the copy is
/// about a tenth of the work of receiving them.
///
/// # Examples
///
/// ```
/// use pirn_http::rt::Io;
///
/// let stream = futures::io::Cursor::new(vec![1, 2, 3]);
/// let io = Io::new(stream);
/// assert_eq!(io.get_ref().position(), 0);
/// ```
#[derive(Debug)]
pub struct Io<T>(T);

impl<T> Io<T> {
    /// Wraps `stream`.
    pub fn new(stream: T) -> Self {
        Io(stream)
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsyncRead + Unpin> Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = Scratch::take();
        let most = buf.remaining().min(Scratch::LEN);
        let into = &mut scratch.0[..most];
        let read = ready!(Pin::new(&mut self.get_mut().0).poll_read(cx, into))?;
        match into.get(..read) {
            Some(bytes) => buf.put_slice(bytes),
            None => return Poll::Ready(Err(io::Error::other("more was read than asked for"))),
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Write for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_close(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The thread's buffer, for the length of one read. A read inside a read makes one of its own.
struct Scratch(Box<[u8]>);

impl Scratch {
    /// hyper lends some 400 KiB at most. What is never used of it, the system never hands out.
    const LEN: usize = 512 * 1024;

    fn take() -> Scratch {
        let kept = SCRATCH.try_with(Cell::take).ok().flatten();
        Scratch(kept.unwrap_or_else(|| vec![0; Scratch::LEN].into()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // A thread whose locals are gone keeps nothing.
        let _ = SCRATCH.try_with(|slot| slot.set(Some(buffer)));
    }
}
