//! A response: its head, and its body as it comes.

use crate::address::Address;
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorKind, Limit};
use crate::pool::Lease;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::header::{AsHeaderName, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use url::Url;

/// A response whose head has come, and whose body may still be on its way.
///
/// Read the body to its end, and the connection goes back to the session. A response that is
/// dropped before closes its connection, unless all of the body was there already. One that is kept
/// and not read keeps its connection from others.
///
/// # Examples
///
/// ```
/// # use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
/// # pirn_core::shim::block_on(async {
/// # let listener = pirn_io::TcpListener::bind("127.0.0.1:0").await.unwrap();
/// # let url = format!("http://{}/page", listener.local_addr());
/// # let server = async {
/// #     let (stream, _) = listener.accept().await.unwrap();
/// #     let answer = service_fn(|_: Request<Incoming>| async move {
/// #         let answer = hyper::Response::builder().status(404).header("server", "tin");
/// #         answer.body("no such page".to_owned())
/// #     });
/// #     http1::Builder::new().serve_connection(pirn_http::rt::Io::new(stream), answer).await.unwrap();
/// # };
/// # let client = async {
/// # let session = pirn_http::Session::new();
/// let mut response = session.get(url).send().await?;
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.header("server"), Some("tin"));
/// let mut length = 0;
/// while let Some(chunk) = response.chunk().await? {
///     length += chunk.len();
/// }
/// assert_eq!(length, 12);
/// assert_eq!(response.error_for_status().unwrap_err().status().unwrap(), 404);
/// # drop(session);
/// # Ok::<(), pirn_http::Error>(()) };
/// # let (result, ()) = futures::future::join(client, server).await; result }).unwrap();
/// ```
pub struct Response {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Body,
}

/// The body of a [`Response`], as a stream. From [`Response::into_body`].
///
/// It ends with its first error.
///
/// # Cancel safety
///
/// A chunk is taken from it by the poll that returns it, so nothing is lost between two polls.
/// Dropping the body closes the connection, unless all of it was there already.
///
/// # Examples
///
/// ```
/// use futures::TryStreamExt;
/// use pirn_http::Body;
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # let url = format!("http://{}/", listener.local_addr().unwrap());
/// # std::thread::spawn(move || {
/// #     use std::io::{Read, Write};
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     let _ = stream.read(&mut [0; 1000]).unwrap();
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
/// # });
/// # pirn_core::shim::block_on(async {
/// # let session = pirn_http::Session::new();
/// let body: Body = session.get(url).send().await?.into_body();
/// let length = body.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await?;
/// assert_eq!(length, 5);
/// # Ok::<(), pirn_http::Error>(()) }).unwrap();
/// ```
pub struct Body {
    address: Address,
    /// Until the end, or an error.
    incoming: Option<Incoming>,
    /// As long as `incoming`, and shorter where the response ended with its head.
    lease: Option<Lease>,
    deadlines: Deadlines,
    read_timeout: Option<Duration>,
    waits: bool,
    max_bytes: u64,
}

/// The most that is allocated because a server says that so much will come.
const MOST_AT_ONCE: u64 = 1 << 20;

/// How long the body will be, as the server says.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Response {
    pub(crate) fn new(
        response: http::Response<Incoming>,
        address: Address,
        lease: Lease,
        deadlines: Deadlines,
        read_timeout: Option<Duration>,
        max_bytes: u64,
    ) -> Response {
        let (head, incoming) = response.into_parts();
        let mut body = Body {
            address,
            incoming: Some(incoming),
            lease: Some(lease),
            deadlines,
            read_timeout,
            waits: false,
            max_bytes,
        };
        if body.incoming.as_ref().is_some_and(Incoming::is_end_stream) {
            body.let_go();
        }
        Response {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header, if it is there and is text. Of several with the name, the first.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where the response came from: after redirects, the last URL.
    pub fn url(&self) -> &Url {
        self.body.address.url()
    }

    #[cfg(feature = "json")]
    pub(crate) fn address(&self) -> &Address {
        &self.body.address
    }

    /// How long the body is, if the server said so.
    pub fn content_length(&self) -> Option<u64> {
        announced(&self.headers)
    }

    /// The response, unless its status is that of a failure: 400 or more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`]; the response is dropped.
    pub fn error_for_status(self) -> Result<Response, Error> {
        if self.status.is_client_error() || self.status.is_server_error() {
            return Err(Error::new(
                ErrorKind::Status(self.status),
                &self.body.address,
            ));
        }
        Ok(self)
    }

    /// Waits for the next part of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// A [`Timeout`](ErrorKind::Timeout), or [`ClosedEarly`](ErrorKind::ClosedEarly) and the other
    /// kinds of a connection that fails. After an error the body has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the next call goes on where it was.
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
    /// # let session = pirn_http::Session::new();
    /// let mut response = session.get(url).send().await?;
    /// let mut body = Vec::new();
    /// while let Some(chunk) = response.chunk().await? {
    ///     body.extend_from_slice(&chunk);
    /// }
    /// assert_eq!(body, b"hello");
    /// # Ok::<(), pirn_http::Error>(()) }).unwrap();
    /// ```
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.body.poll_chunk(cx)).await.transpose()
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`BodyTooLarge`](ErrorKind::BodyTooLarge).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
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
    /// # let session = pirn_http::Session::new();
    /// let bytes = session.get(url).send().await?.bytes().await?;
    /// assert_eq!(bytes, "hello");
    /// # Ok::<(), pirn_http::Error>(()) }).unwrap();
    /// ```
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        self.body.collect(&self.headers).await
    }

    /// Reads the whole body as text in UTF-8.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and [`Decode`](ErrorKind::Decode) if it is not UTF-8.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
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
    /// # let session = pirn_http::Session::new();
    /// let text = session.get(url).send().await?.text().await?;
    /// assert_eq!(text, "hello");
    /// # Ok::<(), pirn_http::Error>(()) }).unwrap();
    /// ```
    pub async fn text(mut self) -> Result<String, Error> {
        let bytes = self.body.collect(&self.headers).await?;
        String::from_utf8(bytes.into()).map_err(|error| {
            let error = Error::new(ErrorKind::Decode, &self.body.address).with(error);
            match self.header(http::header::CONTENT_TYPE) {
                Some(kind) => error.because(format!("not UTF-8, but `{kind}`")),
                None => error.because("not UTF-8"),
            }
        })
    }

    /// The body as a stream, without the head.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Drops the body, and gives the time that is left to another exchange.
    pub(crate) fn into_deadlines(mut self) -> Deadlines {
        let deadlines = std::mem::replace(&mut self.body.deadlines, Deadlines::start(None));
        drop(self);
        deadlines
    }
}

impl Body {
    /// The next part, as [`Response::chunk`].
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let (Some(incoming), Some(lease)) = (&mut self.incoming, &mut self.lease) else {
                return Poll::Ready(None);
            };
            let Some(connection) = lease.connection() else {
                return Poll::Ready(None);
            };
            match connection.poll_frame(incoming, cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waits = false;
                    // Trailers are skipped.
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    if incoming.is_end_stream() {
                        self.let_go();
                    }
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(
                        self.fail(Error::exchanging(error, &self.address))
                    )));
                }
                Poll::Ready(None) => {
                    self.let_go();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if !self.waits {
                        self.waits = true;
                        self.deadlines.begin(Limit::Read, self.read_timeout);
                    }
                    let progress = connection.progress();
                    return self
                        .deadlines
                        .poll(progress, cx)
                        .map(|kind| Some(Err(self.fail(Error::new(kind, &self.address)))));
                }
            }
        }
    }

    async fn collect(&mut self, headers: &HeaderMap) -> Result<Bytes, Error> {
        let limit = self.max_bytes;
        // A body that comes in one piece is not copied.
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(chunk) = poll_fn(|cx| self.poll_chunk(cx)).await.transpose()? {
            if (first.len() + all.len() + chunk.len()) as u64 > limit {
                let error = Error::new(ErrorKind::BodyTooLarge { limit }, &self.address);
                return Err(self.fail(error));
            }
            if first.is_empty() && all.is_empty() {
                first = chunk;
                continue;
            }
            if all.is_empty() {
                let announced = announced(headers).unwrap_or(0).min(MOST_AT_ONCE) as usize;
                all.reserve(announced.max(first.len() + chunk.len()));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    /// Ends the body with an error, and closes the connection.
    fn fail(&mut self, error: Error) -> Error {
        self.lease = None;
        self.incoming = None;
        error
    }

    /// Gives the connection back, as far as the body has been read.
    fn let_go(&mut self) {
        self.incoming = None;
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.let_go();
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("url", &self.body.address.as_str())
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("url", &self.address.as_str())
            .field("has_ended", &self.incoming.is_none())
            .finish_non_exhaustive()
    }
}
