//! A stream of bytes, read in pieces of a known kind.

use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncRead};
use pirn_core::budget::poll_spend;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::string::FromUtf8Error;
use std::task::{Context, Poll, ready};

/// How much is asked for at once.
const CHUNK: usize = 8 * 1024;
/// As asyncio's.
const LIMIT: usize = 64 * 1024;

/// Reads lines, frames and whatever ends with a separator.
///
/// A piece may be as long as the limit, 64 KiB unless [said otherwise](Self::with_limit): a peer
/// that sends no newline costs no more memory than that.
///
/// For plain reads, and for what `futures` offers over a buffered reader, it is an [`AsyncRead`]
/// and [`AsyncBufRead`] too.
///
/// # Cancel safety
///
/// What was read stays in the reader until an operation returns it: a future that is dropped loses
/// nothing, and the next one begins where it began.
///
/// # Examples
///
/// ```
/// use pirn_io::streams::StreamReader;
///
/// # pirn_core::shim::block_on(async {
/// let mut reader = StreamReader::new(&b"two\r\nlines\n\x05frame"[..]);
/// assert_eq!(reader.read_line().await?.as_deref(), Some("two"));
/// assert_eq!(reader.read_line().await?.as_deref(), Some("lines"));
/// let length = reader.read_exact(1).await?[0];
/// assert_eq!(reader.read_exact(length.into()).await?, b"frame");
/// # Ok::<(), pirn_io::streams::ReadError>(()) }).unwrap();
/// ```
pub struct StreamReader<R> {
    inner: R,
    /// What is between `start` and `end` was read and not yet returned.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    limit: usize,
}

/// Why a piece could not be read. The bytes that are there stay in the reader.
///
/// # Examples
///
/// ```
/// use pirn_io::streams::{ReadError, StreamReader};
///
/// # pirn_core::shim::block_on(async {
/// let mut reader = StreamReader::new(&b"short"[..]);
/// let error = reader.read_exact(8).await.unwrap_err();
/// assert_eq!(error.to_string(), "the stream ended after 5 of 8 bytes");
/// assert_eq!(reader.read_exact(5).await.unwrap(), b"short");
/// # });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended before the piece did.
    Ended {
        /// How many bytes are there.
        read: usize,
        /// How many were wanted, if that is known.
        wanted: Option<usize>,
    },
    /// No separator came within this many bytes.
    TooLong(usize),
    /// A line is not UTF-8. The line is here, and no longer in the reader.
    NotText(FromUtf8Error),
    /// The stream failed.
    Io(io::Error),
}

impl<R> StreamReader<R> {
    /// A reader of `inner`, whose pieces may be 64 KiB long.
    pub fn new(inner: R) -> Self {
        StreamReader::with_limit(inner, LIMIT)
    }

    /// A reader of `inner` in which a line, or what ends with a separator, may have at most `limit`
    /// bytes, the separator included.
    ///
    /// # Panics
    ///
    /// If `limit` is 0: nothing could be read.
    #[track_caller]
    pub fn with_limit(inner: R, limit: usize) -> Self {
        assert!(limit > 0, "a StreamReader needs a limit of at least 1 byte");
        StreamReader {
            inner,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            limit,
        }
    }

    /// What was read and not yet returned.
    pub fn buffered(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The stream, and what was read from it and not yet returned.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        let rest = self.buffered().to_vec();
        (self.inner, rest)
    }

    /// The stream.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.buffered()[..count].to_vec();
        self.discard(count);
        taken
    }

    /// Drops up to `count` bytes of what is [buffered](Self::buffered).
    pub fn discard(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for more behind what is there.
    fn room(&mut self) -> Range<usize> {
        // What was returned is given up when it is as much as what is left: so each byte is moved
        // at most once for one that was returned.
        if self.start > 0 && self.start >= self.end - self.start {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < self.end + CHUNK {
            self.bytes.resize(self.end + CHUNK, 0);
        }
        self.end..self.bytes.len()
    }
}

impl<R: AsyncRead + Unpin> StreamReader<R> {
    /// Reads `count` bytes. They may be more than the limit.
    ///
    /// # Errors
    ///
    /// [`ReadError::Ended`] if the stream ends before, or the stream's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn read_exact(&mut self, count: usize) -> Result<Vec<u8>, ReadError> {
        poll_fn(|cx| self.poll_piece(cx, |bytes| (bytes.len() >= count).then_some(count)))
            .await
            .and_then(|found| match found {
                Some(count) => Ok(self.take(count)),
                None => Err(self.short(Some(count))),
            })
    }

    /// Reads up to and including the next `separator`.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLong`] if none comes within the limit; [`ReadError::Ended`] if the stream
    /// ends without one, also if nothing is left; or the stream's own.
    ///
    /// # Panics
    ///
    /// If `separator` is empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # pirn_core::shim::block_on(async {
    /// let mut reader = pirn_io::streams::StreamReader::new(&b"head\r\n\r\nbody"[..]);
    /// assert_eq!(reader.read_until(b"\r\n\r\n").await?, b"head\r\n\r\n");
    /// assert_eq!(reader.buffered(), b"body");
    /// # Ok::<(), pirn_io::streams::ReadError>(()) }).unwrap();
    /// ```
    pub async fn read_until(&mut self, separator: &[u8]) -> Result<Vec<u8>, ReadError> {
        assert!(
            !separator.is_empty(),
            "`read_until` needs a separator of at least 1 byte"
        );
        match self.find(separator).await? {
            Some(end) => Ok(self.take(end)),
            None => Err(self.short(None)),
        }
    }

    /// Reads one line, without its end (`\n` or `\r\n`); `None` after the last. A last line needs
    /// no end.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLong`] if it is longer than the limit; [`ReadError::NotText`] if it is not
    /// UTF-8; or the stream's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn read_line(&mut self) -> Result<Option<String>, ReadError> {
        let mut line = match self.find(b"\n").await? {
            Some(end) => self.take(end),
            None if self.buffered().is_empty() => return Ok(None),
            None => self.take(self.buffered().len()),
        };
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        String::from_utf8(line)
            .map(Some)
            .map_err(ReadError::NotText)
    }

    /// The lines as a stream, each as [`read_line`](Self::read_line) gives it. It ends after the
    /// last line, or after an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::TryStreamExt;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let reader = pirn_io::streams::StreamReader::new(&b"a\nb\n"[..]);
    /// let lines: Vec<String> = reader.lines().try_collect().await?;
    /// assert_eq!(lines, ["a", "b"]);
    /// # Ok::<(), pirn_io::streams::ReadError>(()) }).unwrap();
    /// ```
    pub fn lines(self) -> Lines<R> {
        Lines { reader: Some(self) }
    }

    /// Finds where the piece that ends with `separator` ends; None if the stream does first.
    async fn find(&mut self, separator: &[u8]) -> Result<Option<usize>, ReadError> {
        let limit = self.limit;
        let mut looked = 0;
        let found = poll_fn(|cx| {
            self.poll_piece(cx, |bytes| {
                // The separator may have begun in what was looked at.
                let from = looked;
                looked = bytes.len().saturating_sub(separator.len() - 1);
                let found = position(&bytes[from..], separator);
                match found.map(|at| from + at + separator.len()) {
                    Some(end) => Some(end),
                    None => (bytes.len() >= limit).then_some(limit + 1),
                }
            })
        })
        .await?;
        match found {
            Some(end) if end > limit => Err(ReadError::TooLong(limit)),
            found => Ok(found),
        }
    }

    /// Reads until `whole` says how long the piece is; None if the stream ends first.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        mut whole: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Poll<Result<Option<usize>, ReadError>> {
        // Before the look, which is not repeated.
        ready!(poll_spend(cx));
        loop {
            if let Some(count) = whole(self.buffered()) {
                return Poll::Ready(Ok(Some(count)));
            }
            if self.ended {
                return Poll::Ready(Ok(None));
            }
            ready!(self.poll_more(cx)).map_err(ReadError::Io)?;
        }
    }

    /// Reads something more, or finds the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = self.room();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut self.bytes[room]))?;
        self.end += read;
        self.ended = read == 0;
        Poll::Ready(Ok(()))
    }

    fn short(&self, wanted: Option<usize>) -> ReadError {
        ReadError::Ended {
            read: self.end - self.start,
            wanted,
        }
    }
}

fn position(bytes: &[u8], separator: &[u8]) -> Option<usize> {
    match separator {
        [byte] => bytes.iter().position(|each| each == byte),
        _ => bytes
            .windows(separator.len())
            .position(|window| window == separator),
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for StreamReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Nothing is there, and there is room for much: the buffer would only be in the way.
        if self.buffered().is_empty() && buf.len() >= CHUNK && !self.ended {
            let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            self.ended = read == 0;
            return Poll::Ready(Ok(read));
        }
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.discard(count);
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for StreamReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.buffered().is_empty() && !this.ended {
            ready!(this.poll_more(cx))?;
        } else {
            ready!(poll_spend(cx));
        }
        Poll::Ready(Ok(this.buffered()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.discard(count);
    }
}

/// The stream of [`StreamReader::lines`].
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct Lines<R> {
    /// None after the end.
    reader: Option<StreamReader<R>>,
}

impl<R: AsyncRead + Unpin> Stream for Lines<R> {
    type Item = Result<String, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reader) = &mut self.reader else {
            return Poll::Ready(None);
        };
        // The future keeps nothing that the reader does not keep.
        let line = ready!(std::pin::pin!(reader.read_line()).as_mut().poll(cx)).transpose();
        if !matches!(line, Some(Ok(_))) {
            self.reader = None;
        }
        Poll::Ready(line)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Ended {
                read,
                wanted: Some(wanted),
            } => write!(f, "the stream ended after {read} of {wanted} bytes"),
            ReadError::Ended { read, wanted: None } => {
                write!(f, "the stream ended after {read} bytes without a separator")
            }
            ReadError::TooLong(limit) => write!(f, "no separator within {limit} bytes"),
            ReadError::NotText(error) => write!(f, "the line is not text: {error}"),
            ReadError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::NotText(error) => Some(error),
            ReadError::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> io::Error {
        let kind = match error {
            ReadError::Io(error) => return error,
            ReadError::Ended { .. } => io::ErrorKind::UnexpectedEof,
            ReadError::TooLong(_) | ReadError::NotText(_) => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl<R: fmt::Debug> fmt::Debug for StreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("inner", &self.inner)
            .field("buffered", &self.buffered().len())
            .field("limit", &self.limit)
            .field("ended", &self.ended)
            .finish()
    }
}
