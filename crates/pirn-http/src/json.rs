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
                .insert_if_absent(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
    /// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\": 1}").unwrap();
    /// # });
    /// # pirn_core::shim::block_on(async {
    /// use std::collections::HashMap;
    ///
    /// let session = pirn_http::Session::new();
    /// let values: HashMap<String, u32> = session.get(url).send().await?.json().await?;
    /// assert_eq!(values["a"], 1);
    /// # Ok::<(), pirn_http::Error>(()) }).unwrap();
    /// ```
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let address = self.address().clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Decode, &address).with(error))
    }
}
