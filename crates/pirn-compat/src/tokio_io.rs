//! Streams of bytes, between `futures-io`'s traits and tokio's.

use ::tokio::io::{self as tokio_io, ReadBuf};
use ::tokio::task::coop::poll_proceed;
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;
use pirn_core::budget::{is_frozen, poll_spend};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A stream with the traits of `futures-io`, pirn's own for one, as one with tokio's.
    ///
    /// For libraries that are written against tokio's traits and are handed their stream:
    /// `tokio_postgres::Config::connect_raw`, codecs, `tokio::io::copy`. The stream stays what it was:
    /// it needs no tokio runtime, and waits in pirn's reactor.
    ///
    /// It does the same as `Compat` of tokio-util, and three things beside: writes of several pieces
    /// reach the stream as one, in a tokio task reading and writing spends tokio's budget, so that a
    /// stream which is always ready does not keep the others waiting, and a stream that says it has
    /// read more than it was asked for is an error and no panic. For seeking take tokio-util's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is kept between polls: it is as safe as the stream inside. Ours lose nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::ForTokio;
    /// use pirn_io::{TcpListener, TcpStream};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// pirn::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut client = ForTokio::new(TcpStream::connect(listener.local_addr()).await?);
    ///     let mut server = ForTokio::new(listener.accept().await?.0);
    ///     client.write_u32(7).await?; // tokio's
    ///     assert_eq!(server.read_u32().await?, 7);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[derive(Clone, Copy, Debug, Default)]
    pub struct ForTokio<T> {
        #[pin]
        stream: T,
    }
}

pin_project! {
    /// A stream with tokio's traits as one with those of `futures-io`, which pirn's readers, writers
    /// and sessions take.
    ///
    /// It does the same as `Compat` of tokio-util, and is one of our leaves besides: reading and
    /// writing spends the [budget](pirn_core::budget) of pirn's task, and in a cancelled body that is
    /// polled for its clean-up's sake the stream stays pending.
    ///
    /// A socket of tokio's itself, rather than something over one, also needs tokio's reactor: see
    /// `TokioContext`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is kept between polls but whether the budget was spent: it is as safe as the stream
    /// inside. tokio's lose nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::AsyncReadExt;
    /// use pirn_compat::FromTokio;
    ///
    /// pirn::run(async {
    ///     let (theirs, mut ours) = tokio::io::duplex(64);
    ///     tokio::io::AsyncWriteExt::write_all(&mut ours, b"weft").await.unwrap();
    ///     drop(ours);
    ///     let mut text = String::new();
    ///     FromTokio::new(theirs).read_to_string(&mut text).await.unwrap();
    ///     assert_eq!(text, "weft");
    /// });
    /// ```
    #[derive(Clone, Copy, Debug, Default)]
    pub struct FromTokio<T> {
        #[pin]
        stream: T,
        reads: Spent,
        writes: Spent,
    }
}

/// Whether a unit was spent already for what is to be given next.
///
/// It is spent before the stream is asked, once for each success. A stream that is asked again and
/// again in vain costs nothing more: else, of several hundred in one task, the last would never be
/// asked.
#[derive(Clone, Copy, Debug, Default)]
struct Spent(bool);

impl<T> ForTokio<T> {
    /// Wraps `stream`.
    pub fn new(stream: T) -> Self {
        ForTokio { stream }
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.stream
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.stream
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> T {
        self.stream
    }
}

impl<T> FromTokio<T> {
    /// Wraps `stream`.
    pub fn new(stream: T) -> Self {
        FromTokio {
            stream,
            reads: Spent(false),
            writes: Spent(false),
        }
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.stream
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.stream
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> T {
        self.stream
    }
}

impl<T: AsyncRead> tokio_io::AsyncRead for ForTokio<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let budget = ready!(poll_proceed(cx));
        // What was never written may not be lent: these are zeros, written once for each buffer.
        let into = buf.initialize_unfilled();
        let most = into.len();
        let read = ready!(self.project().stream.poll_read(cx, into));
        budget.made_progress();
        match read? {
            read if read <= most => buf.advance(read),
            _ => return Poll::Ready(Err(io::Error::other("more was read than asked for"))),
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncBufRead> tokio_io::AsyncBufRead for ForTokio<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let budget = ready!(poll_proceed(cx));
        let filled = ready!(self.project().stream.poll_fill_buf(cx));
        budget.made_progress();
        Poll::Ready(filled)
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.project().stream.consume(bytes);
    }
}

impl<T: AsyncWrite> tokio_io::AsyncWrite for ForTokio<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let budget = ready!(poll_proceed(cx));
        let written = ready!(self.project().stream.poll_write(cx, buf));
        budget.made_progress();
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_close(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let budget = ready!(poll_proceed(cx));
        let written = ready!(self.project().stream.poll_write_vectored(cx, bufs));
        budget.made_progress();
        Poll::Ready(written)
    }

    /// `futures-io` does not tell; its sockets gather, and what does not takes the first piece.
    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl<T: tokio_io::AsyncRead> AsyncRead for FromTokio<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        ready!(this.reads.poll_spend(cx));
        let mut buf = ReadBuf::new(buf);
        let read = ready!(this.stream.poll_read(cx, &mut buf));
        *this.reads = Spent(false);
        Poll::Ready(read.map(|()| buf.filled().len()))
    }
}

impl<T: tokio_io::AsyncBufRead> AsyncBufRead for FromTokio<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.project();
        ready!(this.reads.poll_spend(cx));
        let filled = ready!(this.stream.poll_fill_buf(cx));
        *this.reads = Spent(false);
        Poll::Ready(filled)
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.project().stream.consume(bytes);
    }
}

impl<T: tokio_io::AsyncWrite> AsyncWrite for FromTokio<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        ready!(this.writes.poll_spend(cx));
        let written = ready!(this.stream.poll_write(cx, buf));
        *this.writes = Spent(false);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        ready!(this.writes.poll_spend(cx));
        let written = ready!(this.stream.poll_write_vectored(cx, bufs));
        *this.writes = Spent(false);
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        ready!(this.writes.poll_spend(cx));
        let flushed = ready!(this.stream.poll_flush(cx));
        *this.writes = Spent(false);
        Poll::Ready(flushed)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        ready!(this.writes.poll_spend(cx));
        let closed = ready!(this.stream.poll_shutdown(cx));
        *this.writes = Spent(false);
        Poll::Ready(closed)
    }
}

impl Spent {
    fn poll_spend(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Where the budget is frozen, asking for a unit is what says so to who looks on.
        if !self.0 || is_frozen() {
            ready!(poll_spend(cx));
            self.0 = true;
        }
        Poll::Ready(())
    }
}
