//! An HTTP client session for any executor, and hyper's runtime traits on pirn.
//!
//! [`Session`] is what aiohttp's `ClientSession` is to asyncio: requests with headers, query and JSON,
//! responses as text, bytes, JSON or a stream of chunks, connections that are kept and used again,
//! limits per host, time limits, redirects, http and https. HTTP is [hyper]'s, TLS is [rustls]'s; the
//! pool, the redirects and the limits are ours.
//!
//! [`rt`] holds hyper's runtime traits for pirn's sockets, clock and spawner, so that hyper's servers
//! run on pirn as well.
//!
//! ```
//! use pirn_http::Session;
//! use std::time::Duration;
//!
//! # use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
//! # pirn_core::shim::block_on(async {
//! # let listener = pirn_io::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! # let base = format!("http://{}", listener.local_addr());
//! # let server = async {
//! #     let (stream, _) = listener.accept().await.unwrap();
//! #     let greet = service_fn(|_: Request<Incoming>| async {
//! #         Ok::<_, hyper::Error>(Response::new("hello".to_owned()))
//! #     });
//! #     http1::Builder::new().serve_connection(pirn_http::rt::Io::new(stream), greet).await.unwrap();
//! # };
//! # let client = async move {
//! let session = Session::builder().timeout(Duration::from_secs(10)).build()?;
//! let response = session.get(format!("{base}/greeting")).query([("lang", "en")]).send().await?;
//! let text = response.error_for_status()?.text().await?;
//! assert_eq!(text, "hello");
//! assert_eq!(session.statistics().connections_opened, 1);
//! # drop(session);
//! # Ok::<(), pirn_http::Error>(()) };
//! # let (result, ()) = futures::future::join(client, server).await; result }).unwrap();
//! ```
//!
//! # What to know
//!
//! - **No task, no thread.** A connection is driven by the request that uses it. A request that is
//!   dropped takes its connection along, so no half-used connection is ever kept; and a session needs
//!   no runtime. The price: idle connections are looked after only as the session is used.
//! - **Fair.** A host gets at most so many requests at once; the others wait, first come, first served.
//! - **Bounded.** 100 connections per host and 100 unused in all, 5 minutes for a request, 30 seconds to
//!   connect, 10 redirects, 64 MiB for a body in one piece, unless set otherwise.
//! - **Errors can be acted on.** [`Error::kind`] says what went wrong; the text names the URL and says
//!   what to do. A status of failure is a response, until
//!   [`error_for_status`](Response::error_for_status) is called.
//! - **A repeat, where it is harmless.** If a kept connection turns out to be closed, the request is sent
//!   once more on a new one, if nothing of it was sent or its method may be repeated.
//! - Redirects to another origin get neither `Authorization` nor `Cookie`.
//!
//! HTTP/2, proxies, cookies and compressed bodies are not there yet.
//!
//! # Features
//!
//! - `tls` (default): https, by rustls with ring. The system's root certificates are trusted, or Mozilla's
//!   where the system has none.
//! - `json` (default): bodies as JSON, by serde.
//!
//! [hyper]: https://docs.rs/hyper
//! [rustls]: https://docs.rs/rustls

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod address;
mod connect;
mod connection;
mod deadlines;
mod error;
mod headers;
#[cfg(feature = "json")]
mod json;
mod outgoing;
mod pool;
mod redirect;
mod request;
mod response;
pub mod rt;
mod session;
mod tls;

pub use bytes::Bytes;
pub use connect::{Connect, Connecting, Transport};
pub use error::{Error, ErrorKind, Limit};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
pub use pool::Statistics;
pub use request::RequestBuilder;
pub use response::{Body, Response};
pub use session::{Session, SessionBuilder};
pub use url::Url;
