//! A stream of bytes, written in whole messages.

use futures_io::AsyncWrite;
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// As asyncio's high-water mark.
const LIMIT: usize = 64 * 1024;

/// Writes whole messages, with back-pressure.
///
/// [`write`](Self::write) takes a message into the writer's buffer, and waits only while that holds
/// more than the limit. Nothing else moves what is buffered: [`flush`](Self::flush) before waiting
/// for an answer. (asyncio's writer has the loop send in the background; `drain` there is `flush`
/// here.)
///
/// What is buffered when the writer is dropped is lost: [`close`](Self::close) it.
///
/// # Cancel safety
///
/// A message is taken whole or not at all, and what was taken is sent by whichever `write`,
/// `flush` or `close` comes next: no future that is dropped tears a message.
///
/// # Examples
///
/// ```
/// use pirn_io::streams::StreamWriter;
///
/// # pirn_core::shim::block_on(async {
/// let mut writer = StreamWriter::new(Vec::new());
/// writer.write(b"hello ").await?;
/// writer.write(b"world").await?;
/// assert_eq!((writer.buffered(), writer.get_ref().len()), (11, 0));
/// writer.flush().await?;
/// assert_eq!(writer.get_ref(), b"hello world");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct StreamWriter<W> {
    inner: W,
    /// What is behind `start` was taken and not yet sent.
    bytes: Vec<u8>,
    start: usize,
    limit: usize,
}

impl<W> StreamWriter<W> {
    /// A writer to `inner` that keeps up to 64 KiB.
    pub fn new(inner: W) -> Self {
        StreamWriter::with_limit(inner, LIMIT)
    }

    /// A writer to `inner` in which a [`write`](Self::write) waits while more than `limit` bytes
    /// are kept. One message may go beyond. With 0 each message is sent before the next is taken.
    pub fn with_limit(inner: W, limit: usize) -> Self {
        StreamWriter {
            inner,
            bytes: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// How many bytes were taken and not yet sent.
    pub fn buffered(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The stream.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }
}

impl<W: AsyncWrite + Unpin> StreamWriter<W> {
    /// Takes a message, after sending so much of what was taken before that no more than the limit
    /// is kept.
    ///
    /// # Errors
    ///
    /// The stream's own, of a former message then: this one was not taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it ended: the message was not taken.
    pub async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            ready!(poll_spend(cx));
            self.poll_send(cx, self.limit)
        })
        .await?;
        self.bytes.extend_from_slice(message);
        Ok(())
    }

    /// Sends all that was taken.
    ///
    /// # Errors
    ///
    /// The stream's own. What was not sent stays in the writer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the rest is sent by what comes next.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            ready!(self.poll_send(cx, 0))?;
            Pin::new(&mut self.inner).poll_flush(cx)
        })
        .await
    }

    /// Sends all that was taken, and closes the stream: the peer reads the end.
    ///
    /// # Errors
    ///
    /// The stream's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the stream may be closed or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::streams::StreamWriter;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let mut writer = StreamWriter::new(Vec::new());
    /// writer.write(b"the end").await?;
    /// writer.close().await?;
    /// assert_eq!(writer.get_ref(), b"the end");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            ready!(self.poll_send(cx, 0))?;
            Pin::new(&mut self.inner).poll_close(cx)
        })
        .await
    }

    /// Sends until at most `keep` bytes are kept.
    fn poll_send(&mut self, cx: &mut Context<'_>, keep: usize) -> Poll<io::Result<()>> {
        while self.buffered() > keep {
            let rest = &self.bytes[self.start..];
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if sent == 0 {
                let nothing = "the stream takes no more bytes";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::WriteZero, nothing)));
            }
            self.start += sent;
        }
        // What was sent is given up when it is as much as what is left.
        if self.start >= self.buffered() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: fmt::Debug> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("inner", &self.inner)
            .field("buffered", &self.buffered())
            .field("limit", &self.limit)
            .finish()
    }
}
