//! The headers of requests: the session's, until a request has its own.

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// A header map that is copied when it is changed, and has a place for `Host`.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    /// `Host` is there from the beginning, so that it is the first that is sent, and that the copy
    /// of a request need not grow.
    map: Arc<HeaderMap>,
    /// The caller chose what `Host` is.
    has_host: bool,
}

impl Headers {
    pub(crate) fn new(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Headers {
        let place = (HOST, HeaderValue::from_static(""));
        Headers {
            map: Arc::new(HeaderMap::from_iter(std::iter::once(place).chain(headers))),
            has_host: false,
        }
    }

    /// Sets a header, in place of what was there.
    pub(crate) fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.has_host |= name == HOST;
        Arc::make_mut(&mut self.map).insert(name, value);
    }

    /// Sets a header that is not there. Not for `Host`, which is.
    #[cfg(feature = "json")]
    pub(crate) fn insert_if_absent(&mut self, name: HeaderName, value: HeaderValue) {
        if !self.map.contains_key(&name) {
            self.insert(name, value);
        }
    }

    /// Takes headers out, if they are there.
    pub(crate) fn remove(&mut self, names: impl IntoIterator<Item = HeaderName>) {
        for name in names {
            if self.map.contains_key(&name) {
                Arc::make_mut(&mut self.map).remove(name);
            }
        }
    }

    /// What is sent to `host`, unless the caller chose another.
    pub(crate) fn for_host(&self, host: HeaderValue) -> HeaderMap {
        let mut map = HeaderMap::clone(&self.map);
        if !self.has_host {
            // Not `insert`, which makes room first.
            if let Some(place) = map.get_mut(HOST) {
                *place = host;
            }
        }
        map
    }
}
