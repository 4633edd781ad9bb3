#![doc = include_str!("../README.md")]
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
