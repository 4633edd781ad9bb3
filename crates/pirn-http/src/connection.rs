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
use pirn_core::shim::Mutex;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

type Driver = http1::Connection<Io<Watched>, Outgoing>;

/// A connection, driven by whoever uses it: there is no task beside the request's own. So a request
/// that is dropped takes its connection along, and an idle one costs nothing but its socket.
///
/// hyper is polled only when there is something for it to do: when it was woken, or was given
/// something by us.
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    /// Until hyper is through with it.
    driver: Option<Driver>,
    /// Why hyper is through with it, where it told nobody else.
    failure: Option<hyper::Error>,
    /// hyper was given something that it has not looked at.
    due: bool,
    watch: Arc<Watch>,
    /// What the driver is polled with.
    driver_ear: (Arc<Ear>, Waker),
    /// What the response and its body are polled with.
    ends_ear: (Arc<Ear>, Waker),
}

impl Connection {
    pub(crate) async fn start(stream: Box<dyn Transport>) -> hyper::Result<Connection> {
        let watch = Arc::new(Watch::default());
        let watched = Watched {
            stream,
            waker: Waker::from(Arc::clone(&watch)),
            watch: Arc::clone(&watch),
        };
        let (sender, driver) = http1::handshake(Io::new(watched)).await?;
        Ok(Connection {
            sender,
            driver: Some(driver),
            failure: None,
            due: true,
            driver_ear: Ear::on(&watch),
            ends_ear: Ear::on(&watch),
            watch,
        })
    }

    /// True if the next request can be sent on it, as far as one can see: what the server does at
    /// this moment shows later.
    pub(crate) fn is_reusable(&mut self) -> bool {
        // Nobody is to be woken for it while it is idle.
        let stirred = self.watch.leave();
        if stirred || self.due || !self.sender.is_ready() {
            self.drive();
        }
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Changes with every byte that moves.
    pub(crate) fn progress(&self) -> u64 {
        self.watch.progress()
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) fn poll_head<F: Future>(
        &mut self,
        response: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.go_on(cx);
        self.poll_end(|cx| response.poll(cx))
    }

    /// Gives a request to hyper, which sends it when it is [polled](Self::poll_head).
    pub(crate) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<>
    {
        self.due = true;
        self.driver_ear.0.close();
        let response = self.sender.try_send_request(request);
        self.driver_ear.0.open();
        response
    }

    /// The next frame of the body of its response.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut frame = self.poll_end(|cx| Pin::new(&mut *body).poll_frame(cx));
        if frame.is_pending() {
            // Now hyper knows that more is wanted.
            self.due = true;
            self.go_on(cx);
            frame = self.poll_end(|cx| Pin::new(body).poll_frame(cx));
        }
        match ready!(frame) {
            // The driver knows better than the body why there is no more.
            Some(Err(error)) => Poll::Ready(Some(Err(self.failure.take().unwrap_or(error)))),
            frame => Poll::Ready(frame),
        }
    }

    /// Drives it if there is something to do; if not, the task is woken when there is.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        if self.watch.enter(cx.waker()) || self.due {
            self.drive();
        }
    }

    /// Polls the driver's counterpart: where that is pending, the driver was or will be polled.
    fn poll_end<T>(&mut self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.driver_ear.0.close();
        let polled = poll(&mut Context::from_waker(&self.ends_ear.1));
        self.driver_ear.0.open();
        polled
    }

    fn drive(&mut self) {
        // In a cancelled body the stream gives nothing, and remembers nobody: what was asked is due.
        self.due = pirn_core::budget::is_frozen();
        let Some(driver) = &mut self.driver else {
            return;
        };
        self.ends_ear.0.close();
        let polled = Pin::new(driver).poll(&mut Context::from_waker(&self.driver_ear.1));
        self.ends_ear.0.open();
        if let Poll::Ready(ended) = polled {
            self.driver = None;
            self.failure = ended.err();
        }
    }
}

/// What is known of a connection without asking hyper.
///
/// | field | meaning | who sets | who clears |
/// | --- | --- | --- | --- |
/// | `stirred` | there is something for hyper's driver to do | `stir` | `enter`, `leave`, before it is polled |
/// | `user` | the task to be woken | `enter` | `stir`, `leave` |
///
/// `enter` looks at `stirred` and puts the task in under one lock: what stirs before it is seen by
/// it, what stirs after it wakes the task. While the connection is idle there is no `user`, and it
/// is only noted: the server closed it, for one.
///
/// As a waker it is what the stream is polled with.
#[derive(Default)]
struct Watch {
    state: Mutex<State>,
    /// How many reads and writes have moved something.
    progress: AtomicU64,
}

#[derive(Default)]
struct State {
    stirred: bool,
    user: Option<Waker>,
}

impl Watch {
    /// Has `user` woken by what stirs hyper from now on. True if something did before.
    fn enter(&self, user: &Waker) -> bool {
        let mut state = self.state.lock();
        if matches!(&state.user, Some(former) if former.will_wake(user)) {
            return std::mem::take(&mut state.stirred);
        }
        drop(state);
        // A waker's clone and drop are user code: both happen with the lock released.
        let user = user.clone();
        let mut state = self.state.lock();
        let stirred = std::mem::take(&mut state.stirred);
        let former = state.user.replace(user);
        drop(state);
        pirn_core::wake::discard(former);
        stirred
    }

    /// Has nobody woken from now on. True if something stirred hyper before.
    fn leave(&self) -> bool {
        let mut state = self.state.lock();
        let stirred = std::mem::take(&mut state.stirred);
        let former = state.user.take();
        drop(state);
        pirn_core::wake::discard(former);
        stirred
    }

    fn stir(&self) {
        let mut state = self.state.lock();
        state.stirred = true;
        let user = state.user.take();
        drop(state);
        if let Some(user) = user {
            user.wake();
        }
    }

    fn progress(&self) -> u64 {
        // Ordering: Relaxed, a number that publishes nothing; the connection and its stream are
        // used by one task.
        self.progress.load(Ordering::Relaxed)
    }

    fn note(&self, moved: &Poll<io::Result<usize>>) {
        if matches!(moved, Poll::Ready(Ok(1..))) {
            // Ordering: Relaxed, as in `progress`.
            self.progress.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stir();
    }
}

/// The waker for one side of what hyper has inside: its driver, or the ends that it hands out, the
/// response and its body.
///
/// The sides wake each other, which is no news to the task while it polls one and will look at the
/// other: then the ear is closed to the thread that polls. Other threads are always heard: a body
/// that is streamed may be woken by any, at any time.
struct Ear {
    watch: Arc<Watch>,
    /// The [`thread_mark`] of the thread that is not listened to; 0 for none.
    closed_to: AtomicUsize,
}

/// A number that no other thread has, while this one lives. It is not 0.
fn thread_mark() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

impl Ear {
    fn on(watch: &Arc<Watch>) -> (Arc<Ear>, Waker) {
        let ear = Arc::new(Ear {
            watch: Arc::clone(watch),
            closed_to: AtomicUsize::new(0),
        });
        (Arc::clone(&ear), Waker::from(ear))
    }

    fn close(&self) {
        // Ordering: Relaxed, as in `wake_by_ref`.
        self.closed_to.store(thread_mark(), Ordering::Relaxed);
    }

    fn open(&self) {
        // Ordering: Relaxed, as in `wake_by_ref`.
        self.closed_to.store(0, Ordering::Relaxed);
    }
}

impl Wake for Ear {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Relaxed, about what this thread is doing itself: its own mark is there only if it
        // stored it, and has not opened the ear since.
        if self.closed_to.load(Ordering::Relaxed) != thread_mark() {
            self.watch.stir();
        }
    }
}

/// The stream, under watch for progress, and for what it wakes for.
struct Watched {
    stream: Box<dyn Transport>,
    watch: Arc<Watch>,
    /// `watch` as a waker.
    waker: Waker,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved =
            Pin::new(&mut this.stream).poll_read(&mut Context::from_waker(&this.waker), buf);
        this.watch.note(&moved);
        moved
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved =
            Pin::new(&mut this.stream).poll_write(&mut Context::from_waker(&this.waker), buf);
        this.watch.note(&moved);
        moved
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved = Pin::new(&mut this.stream)
            .poll_write_vectored(&mut Context::from_waker(&this.waker), bufs);
        this.watch.note(&moved);
        moved
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream).poll_flush(&mut Context::from_waker(&this.waker))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream).poll_close(&mut Context::from_waker(&this.waker))
    }
}
