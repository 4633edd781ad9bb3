//! One HTTP/1 connection.

use crate::connect::Transport;
use crate::outgoing::Outgoing;
use crate::rt::Io;
use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

type Driver = http1::Connection<Io<Watched>, Outgoing>;

/// A connection, driven by whoever uses it: there is no task beside the request's own. So a request
/// that is dropped takes its connection along, and an idle one costs nothing but its socket.
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    /// Until hyper is through with it.
    driver: Option<Driver>,
    /// Why hyper is through with it, where it told nobody else.
    failure: Option<hyper::Error>,
    progress: Progress,
}

impl Connection {
    pub(crate) async fn start(stream: Box<dyn Transport>) -> hyper::Result<Connection> {
        let progress = Progress::default();
        let watched = Watched {
            stream,
            progress: progress.clone(),
        };
        let (sender, driver) = http1::handshake(Io::new(watched)).await?;
        Ok(Connection {
            sender,
            driver: Some(driver),
            failure: None,
            progress,
        })
    }

    /// True if the next request can be sent on it, as far as one can see: what the server does at
    /// this moment shows later.
    pub(crate) fn is_reusable(&mut self) -> bool {
        // Nobody is to be woken for it while it is idle.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Changes with every byte that moves.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.get()
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) fn poll_head<F: Future>(
        &mut self,
        response: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.drive(cx);
        response.poll(cx)
    }

    /// Gives a request to hyper, which sends it when it is [polled](Self::poll_head).
    pub(crate) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<>
    {
        self.sender.try_send_request(request)
    }

    /// The next frame of the body of its response.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_pending() {
            // Now hyper knows that more is wanted.
            self.drive(cx);
            frame = Pin::new(body).poll_frame(cx);
        }
        match ready!(frame) {
            // The driver knows better than the body why there is no more.
            Some(Err(error)) => Poll::Ready(Some(Err(self.failure.take().unwrap_or(error)))),
            frame => Poll::Ready(frame),
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(driver) = &mut self.driver else {
            return;
        };
        if let Poll::Ready(ended) = Pin::new(driver).poll(cx) {
            self.driver = None;
            self.failure = ended.err();
        }
    }
}

/// How many reads and writes have moved something.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<AtomicU64>);

impl Progress {
    fn get(&self) -> u64 {
        // Ordering: Relaxed, a number that publishes nothing; the connection and its stream are
        // used by one task.
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, moved: &Poll<io::Result<usize>>) {
        if matches!(moved, Poll::Ready(Ok(1..))) {
            // Ordering: Relaxed, as in `get`.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The stream, under watch for progress.
struct Watched {
    stream: Box<dyn Transport>,
    progress: Progress,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.progress.note(&moved);
        moved
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress.note(&moved);
        moved
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress.note(&moved);
        moved
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
