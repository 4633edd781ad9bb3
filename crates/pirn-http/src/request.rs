//! A request, as it is made.

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::headers::Headers;
use crate::outgoing::{BoxError, Outgoing};
use crate::response::Response;
use crate::session::{Session, Timeouts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method};
use std::fmt;
use std::time::Duration;

/// A request that is being put together. From [`Session::get`] and its like.
///
/// What is wrong with it is told by [`send`](Self::send).
///
/// # Examples
///
/// ```
/// use pirn_http::{ErrorKind, Session};
///
/// # pirn_core::shim::block_on(async {
/// let request = Session::new()
///     .get("http://127.0.0.1:1/search")
///     .query([("q", "cats & dogs")])
///     .header("accept", "text/plain");
/// let error = request.send().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Refused);
/// assert_eq!(error.url(), "http://127.0.0.1:1/search?q=cats+%26+dogs");
/// # });
/// ```
#[must_use = "a request is not sent until `send` is called and awaited"]
pub struct RequestBuilder {
    session: Session,
    request: Result<Request, Error>,
}

pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) address: Address,
    pub(crate) headers: Headers,
    pub(crate) timeouts: Timeouts,
    body: Outgoing,
}

impl RequestBuilder {
    pub(crate) fn new(session: Session, request: Result<Request, Error>) -> RequestBuilder {
        RequestBuilder { session, request }
    }

    /// Sets a header, in place of the session's default.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.change(|request| {
            let name = name.try_into().map_err(Into::into)?;
            let value = value.try_into().map_err(Into::into)?;
            request.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sets `Authorization: Bearer …`. Redirects to another host do not get it.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.change(|request| request.authorize(format!("Bearer {token}")))
    }

    /// Sets `Authorization: Basic …`, as a user name and password in the URL do. Redirects to
    /// another host do not get it.
    pub fn basic_auth(self, user: impl fmt::Display, password: impl fmt::Display) -> Self {
        self.change(|request| request.authorize(basic(user, password)))
    }

    /// Adds pairs to the URL's query, encoded as forms are.
    pub fn query<K, V>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        self.change(|request| {
            let mut pairs = pairs.into_iter().peekable();
            if pairs.peek().is_some() {
                let mut url = request.address.url().clone();
                url.query_pairs_mut().extend_pairs(pairs);
                request.address = Address::of(url).map_err(|(_, why)| why)?;
            }
            Ok(())
        })
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.change(|request| {
            request.body = Outgoing::Bytes(body.into());
            Ok(())
        })
    }

    /// Sets a body that is made as it is sent, of the given length, or in chunks if that is not
    /// known. It can be sent once only: a redirect that wants it again is an error.
    pub fn body_stream<S, E>(self, chunks: S, length: Option<u64>) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.change(|request| {
            request.body = Outgoing::stream(chunks, length);
            Ok(())
        })
    }

    /// How long this request may take, in place of the session's
    /// [`timeout`](crate::SessionBuilder::timeout).
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.change(|request| {
            request.timeouts.total = limit.into();
            Ok(())
        })
    }

    /// Sends it, follows redirects, and returns the response when its head has come.
    ///
    /// A status of failure is a response like another; see
    /// [`error_for_status`](Response::error_for_status). If a connection that was kept turns out
    /// to be closed, the request is sent once more on a new one, unless the server may have acted
    /// on it already and its method is not one that may be repeated.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`] but those of a body and a status.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that it was using; none goes back to the session
    /// half used. The server may or may not have acted on the request. A request that was waiting
    /// for its turn leaves the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// # std::thread::spawn(move || {
    /// #     use std::io::{Read, Write};
    /// #     let (mut stream, _) = listener.accept().unwrap();
    /// #     let _ = stream.read(&mut [0; 1000]).unwrap();
    /// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    /// # });
    /// # pirn_core::shim::block_on(async {
    /// let session = pirn_http::Session::new();
    /// let response = session.get(url).header("accept", "text/plain").send().await?;
    /// assert_eq!(response.status(), 200);
    /// assert_eq!(response.content_length(), Some(5));
    /// # Ok::<(), pirn_http::Error>(()) }).unwrap();
    /// ```
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.request?;
        self.session.execute(request).await
    }

    pub(crate) fn change(
        mut self,
        change: impl FnOnce(&mut Request) -> Result<(), BoxError>,
    ) -> Self {
        if let Ok(request) = &mut self.request {
            if let Err(error) = change(request) {
                let error = Error::new(ErrorKind::InvalidRequest, &request.address).with(error);
                self.request = Err(error);
            }
        }
        self
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => f
                .debug_struct("RequestBuilder")
                .field("method", &request.method)
                .field("url", &request.address.as_str())
                .finish_non_exhaustive(),
            Err(error) => f.debug_tuple("RequestBuilder").field(error).finish(),
        }
    }
}

impl Request {
    pub(crate) fn new(
        method: Method,
        url: &str,
        headers: Headers,
        timeouts: Timeouts,
    ) -> Result<Request, Error> {
        let address = Address::parse(url)?;
        Ok(Request {
            method,
            address,
            headers,
            timeouts,
            body: Outgoing::Empty,
        })
    }

    /// As hyper takes it.
    pub(crate) fn prepare(&mut self) -> Result<http::Request<Outgoing>, Error> {
        if self.body.is_spent() {
            return Err(Error::new(ErrorKind::InvalidRedirect, &self.address)
                .because("the body was a stream, which cannot be sent again"));
        }
        let (target, host) = self
            .address
            .target()
            .map_err(|error| Error::new(ErrorKind::InvalidUrl, &self.address).with(error))?;
        let mut request = http::Request::new(self.body.take());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target;
        *request.headers_mut() = self.headers.for_host(host);
        let headers = request.headers_mut();
        if let Some((user, password)) = self.address.credentials() {
            if !headers.contains_key(AUTHORIZATION) {
                if let Ok(value) = secret(basic(decoded(user), decoded(password))) {
                    headers.insert(AUTHORIZATION, value);
                }
            }
        }
        Ok(request)
    }

    /// True if the server may get it twice without harm.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && !self.body.is_spent()
    }

    pub(crate) fn put_body_back(&mut self, body: Outgoing) {
        self.body = body;
    }

    pub(crate) fn drop_body(&mut self) {
        self.body = Outgoing::Empty;
    }

    fn authorize(&mut self, credentials: String) -> Result<(), BoxError> {
        self.headers.insert(AUTHORIZATION, secret(credentials)?);
        Ok(())
    }
}

fn basic(user: impl fmt::Display, password: impl fmt::Display) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A header value that is not shown in debug output.
fn secret(text: String) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A part of a URL without its percent encoding.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part)
        .decode_utf8_lossy()
        .into_owned()
}
