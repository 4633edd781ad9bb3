//! Bodies as JSON.

use crate::error::{Error, ErrorKind};
use crate::outgoing::Outgoing;
use crate::request::RequestBuilder;
use crate::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl RequestBuilder {
    /// Sets the body to `value` as JSON, and `Content-Type` unless that is set.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.change(|request| {
            request.put_body_back(Outgoing::Bytes(serde_json::to_vec(value)?.into()));
            request
                .headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
            Ok(())
        })
    }
}

impl Response {
    /// Reads the whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and [`Decode`](ErrorKind::Decode) if it is not JSON, or not of
    /// that type.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let url = self.url().clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Decode, &url).with(error))
    }
}
