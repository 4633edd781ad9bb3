//! The session: what requests are made with.

use crate::address::Address;
use crate::connect::{Connect, Tcp};
use crate::connection::Connection;
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorKind, Limit};
use crate::headers::Headers;
use crate::pool::{Capacity, Lease, Pool, Statistics};
use crate::redirect;
use crate::request::{Request, RequestBuilder};
use crate::response::Response;
use crate::tls::{Roots, Tls};
use http::header::{ACCEPT, LOCATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use hyper::body::Incoming;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// A client of HTTP/1.1 servers, which keeps connections to be used again.
///
/// Make one and use it for everything. Clones are the same session. It starts no task and no
/// thread: a connection is driven by the request that uses it, so a request that is dropped takes
/// its connection along, and a session works on any executor.
///
/// Idle connections are looked after as the session is used: those whose time is over are closed
/// with the next request, or by [`close_idle`](Self::close_idle). All are closed when the last
/// clone is dropped; responses that are still being read go on.
///
/// # Fairness
///
/// Requests wait for their turn at a host first come, first served.
///
/// # Examples
///
/// ```
/// use pirn_http::Session;
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let session = Session::builder()
///     .timeout(Duration::from_secs(10))
///     .max_connections_per_host(20)
///     .build()?;
/// let error = session.get("http://127.0.0.1:1/").send().await.unwrap_err();
/// assert_eq!(error.kind(), pirn_http::ErrorKind::Refused);
/// # Ok::<(), pirn_http::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    connect: Box<dyn Connect>,
    tls: Tls,
    headers: Headers,
    timeouts: Timeouts,
    redirects: u32,
    max_body_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) total: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) read: Option<Duration>,
}

/// What a session is made of. From [`Session::builder`].
///
/// # Examples
///
/// ```
/// use pirn_http::{ErrorKind, Session};
///
/// let session = Session::builder().default_header("accept", "application/json").build();
/// assert!(session.is_ok());
///
/// let error = Session::builder().default_header("a header", "").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionBuilder {
    capacity: Capacity,
    connect: Box<dyn Connect>,
    pub(crate) roots: Roots,
    headers: Headers,
    timeouts: Timeouts,
    redirects: u32,
    max_body_bytes: u64,
    error: Option<Error>,
}

impl Session {
    /// A session as it comes.
    pub fn new() -> Session {
        match Session::builder().build() {
            Ok(session) => session,
            Err(error) => unreachable!("nothing was configured: {error}"),
        }
    }

    /// A session made to measure.
    pub fn builder() -> SessionBuilder {
        SessionBuilder {
            capacity: Capacity {
                per_host: 100,
                idle: 100,
                idle_per_host: 100,
                idle_timeout: Some(Duration::from_secs(90)),
            },
            connect: Box::new(Tcp),
            roots: Roots::default(),
            headers: Headers::new([
                (
                    USER_AGENT,
                    HeaderValue::from_static(concat!("pirn-http/", env!("CARGO_PKG_VERSION"))),
                ),
                (ACCEPT, HeaderValue::from_static("*/*")),
            ]),
            timeouts: Timeouts {
                total: Some(Duration::from_secs(300)),
                connect: Some(Duration::from_secs(30)),
                read: None,
            },
            redirects: 10,
            max_body_bytes: 64 << 20,
            error: None,
        }
    }

    /// A request with the method GET.
    ///
    /// An invalid URL is an error of [`send`](RequestBuilder::send).
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A request with the method POST; otherwise as [`get`](Self::get).
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A request with the method PUT; otherwise as [`get`](Self::get).
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A request with the method DELETE; otherwise as [`get`](Self::get).
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// A request with the method HEAD; otherwise as [`get`](Self::get).
    pub fn head(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A request with any method; otherwise as [`get`](Self::get).
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let headers = self.0.headers.clone();
        let request = Request::new(method, url.as_ref(), headers, self.0.timeouts);
        RequestBuilder::new(self.clone(), request)
    }

    /// What it has done and is doing.
    pub fn statistics(&self) -> Statistics {
        self.0.pool.statistics()
    }

    /// Closes the connections that are open and unused.
    pub fn close_idle(&self) {
        self.0.pool.close_idle();
    }

    /// Sends a request, and what it is redirected to, until there is a response to be had.
    pub(crate) async fn execute(&self, mut request: Request) -> Result<Response, Error> {
        let mut deadlines = Deadlines::start(request.timeouts.total);
        let mut visited: Vec<Address> = Vec::new();
        loop {
            let (lease, response) = self.exchange(&mut request, &mut deadlines).await?;
            let next = match self.0.redirects {
                0 => None,
                _ => redirect::next(
                    response.status(),
                    &request.method,
                    &request.address,
                    response.headers().get(LOCATION),
                )
                .map_err(|why| {
                    Error::new(ErrorKind::InvalidRedirect, &request.address).because(why)
                })?,
            };
            let response = Response::new(
                response,
                request.address.clone(),
                lease,
                deadlines,
                request.timeouts.read,
                self.0.max_body_bytes,
            );
            let Some(next) = next else {
                return Ok(response);
            };
            // The body, if it is there already, is not looked at, and the connection is kept.
            deadlines = response.into_deadlines();

            visited.push(std::mem::replace(
                &mut request.address,
                next.address.clone(),
            ));
            let from = &visited[visited.len() - 1];
            if visited.len() > self.0.redirects as usize {
                let limit = self.0.redirects;
                let error = Error::new(ErrorKind::TooManyRedirects { limit }, from);
                return Err(match visited.contains(&next.address) {
                    true => error.because(format!("in a circle, by {}", next.address.as_str())),
                    false => error,
                });
            }
            redirect::strip(&mut request.headers, from, &next);
            request.method = next.method;
            if !next.keeps_body {
                request.drop_body();
            }
        }
    }

    /// One request and the head of its response.
    async fn exchange(
        &self,
        request: &mut Request,
        deadlines: &mut Deadlines,
    ) -> Result<(Lease, http::Response<Incoming>), Error> {
        let mut lease = deadlines
            .within(self.0.pool.lease(&request.address))
            .await
            .map_err(|kind| Error::new(kind, &request.address))?;

        let mut is_retry = false;
        loop {
            // One that was idle may be dying as it is used. So that this happens once only, the
            // second try has a new one.
            let reused = !is_retry && lease.use_idle().is_some();
            if !reused {
                deadlines.begin(Limit::Connect, request.timeouts.connect);
                let connection = deadlines
                    // Boxed: it is rare, and larger than all the rest.
                    .within(Box::pin(self.open(&request.address)))
                    .await
                    .map_err(|kind| Error::new(kind, &request.address))??;
                lease.use_new(connection);
            }
            let Some(connection) = lease.connection() else {
                unreachable!("the lease was just given a connection");
            };
            let mut response = pin!(connection.send(request.prepare()?));
            deadlines.begin(Limit::Read, request.timeouts.read);
            let head = poll_fn(|cx| match connection.poll_head(response.as_mut(), cx) {
                Poll::Ready(head) => Poll::Ready(Ok(head)),
                Poll::Pending => deadlines.poll(connection.progress(), cx).map(Err),
            });
            let head = head
                .await
                .map_err(|kind| Error::new(kind, &request.address))?;
            let mut failed = match head {
                Ok(response) => {
                    deadlines.end();
                    return Ok((lease, response));
                }
                Err(failed) => failed,
            };
            lease.close();
            let unsent = failed.take_message();
            let was_sent = unsent.is_none();
            if let Some(unsent) = unsent {
                request.put_body_back(unsent.into_body());
            }
            let error = Error::exchanging(failed.into_error(), &request.address);
            let may_repeat = !was_sent || request.is_repeatable();
            if !reused || !error.is_closed() || !may_repeat {
                return Err(error);
            }
            is_retry = true;
        }
    }

    async fn open(&self, address: &Address) -> Result<Box<Connection>, Error> {
        let connect = self.0.connect.connect(address.host(), address.port());
        let mut stream = connect
            .await
            .map_err(|error| Error::connecting(error, address))?;
        if address.is_tls() {
            let secured = self.0.tls.lay_over(stream, address.host());
            stream = secured
                .await
                .map_err(|error| Error::new(ErrorKind::Tls, address).with(error))?;
        }
        Connection::start(stream)
            .await
            .map(Box::new)
            .map_err(|error| Error::exchanging(error, address))
    }
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

impl SessionBuilder {
    /// How long a request may take, from [`send`](RequestBuilder::send) to the end of the body, all
    /// redirects included; `None` for as long as it takes. 5 minutes unless set.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeouts.total = limit.into();
        self
    }

    /// How long it may take to make a connection: lookup, TCP and TLS. 30 seconds unless set.
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeouts.connect = limit.into();
        self
    }

    /// How long a server may take for the next bytes: while a request is sent and its response is
    /// read, as long as somebody waits for it. Not limited unless set.
    pub fn read_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeouts.read = limit.into();
        self
    }

    /// How many redirects are followed; one more is an error. With 0 none is followed, and the
    /// response is as the server sent it. 10 unless set.
    pub fn max_redirects(mut self, limit: u32) -> Self {
        self.redirects = limit;
        self
    }

    /// How many requests one host gets at once; further ones wait. 100 unless set, and at least 1.
    pub fn max_connections_per_host(mut self, limit: usize) -> Self {
        self.capacity.per_host = limit.clamp(1, pirn_sync::Semaphore::MAX_PERMITS);
        self
    }

    /// How many unused connections are kept, over all hosts; with 0, none. 100 unless set.
    pub fn max_idle(mut self, limit: usize) -> Self {
        self.capacity.idle = limit;
        self
    }

    /// How many unused connections are kept for one host; with 0, none. 100 unless set.
    pub fn max_idle_per_host(mut self, limit: usize) -> Self {
        self.capacity.idle_per_host = limit;
        self
    }

    /// How long an unused connection is kept. 90 seconds unless set.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.capacity.idle_timeout = limit.into();
        self
    }

    /// How long a body [`bytes`](crate::Response::bytes), [`text`](crate::Response::text) and
    /// `json` take; [`chunk`](crate::Response::chunk) takes any. 64 MiB unless set.
    pub fn max_body_bytes(mut self, limit: u64) -> Self {
        self.max_body_bytes = limit;
        self
    }

    /// A header for every request that does not set it itself. `User-Agent` and `Accept` are set
    /// unless they are set here.
    pub fn default_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let pair = (name.try_into().map_err(Into::into))
            .and_then(|name| Ok((name, value.try_into().map_err(Into::into)?)));
        match pair {
            Ok((name, value)) => self.headers.insert(name, value),
            Err(error) => {
                self.fail(Error::named(ErrorKind::InvalidConfig, "a default header").with(error))
            }
        }
        self
    }

    /// Another way to reach hosts than TCP.
    pub fn connect_with(mut self, connect: impl Connect) -> Self {
        self.connect = Box::new(connect);
        self
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a header or a certificate is not valid.
    pub fn build(self) -> Result<Session, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let tls = Tls::new(self.roots).map_err(|error| {
            Error::named(ErrorKind::InvalidConfig, "a root certificate").with(error)
        })?;
        Ok(Session(Arc::new(Inner {
            pool: Arc::new(Pool::new(self.capacity)),
            connect: self.connect,
            tls,
            headers: self.headers,
            timeouts: self.timeouts,
            redirects: self.redirects,
            max_body_bytes: self.max_body_bytes,
        })))
    }

    /// Keeps the first error for `build`.
    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("capacity", &self.capacity)
            .field("timeouts", &self.timeouts)
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}
