//! Where a redirect leads, and what goes along.

use crate::origin::Origin;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

/// The next request of a chain.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) keeps_body: bool,
}

/// What a response asks for: `None` if it is no redirect. As the Fetch standard has it:
///
/// | status | method | next |
/// | --- | --- | --- |
/// | 301, 302 | POST | GET without the body |
/// | 301, 302 | another | the same, with the body |
/// | 303 | GET, HEAD | the same |
/// | 303 | another | GET without the body |
/// | 307, 308 | any | the same, with the body |
pub(crate) fn next(
    status: StatusCode,
    method: &Method,
    from: &Url,
    location: Option<&HeaderValue>,
) -> Result<Option<Next>, String> {
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
        StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return Ok(None),
    };
    let Some(location) = location else {
        return Ok(None);
    };
    let location = std::str::from_utf8(location.as_bytes())
        .map_err(|_| "its `Location` is not UTF-8".to_owned())?;
    let mut url = from
        .join(location)
        .map_err(|error| format!("its `Location` is `{location}`: {error}"))?;
    Origin::of(&url).map_err(|why| format!("its `Location` is `{location}`: {why}"))?;
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    Ok(Some(Next {
        url,
        method: if becomes_get {
            Method::GET
        } else {
            method.clone()
        },
        keeps_body: !becomes_get,
    }))
}

/// Takes out what must not go to where the redirect leads.
pub(crate) fn strip(headers: &mut HeaderMap, from: &Url, next: &Next) {
    if !next.keeps_body {
        for name in [
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LENGTH,
            CONTENT_LOCATION,
            CONTENT_TYPE,
            TRANSFER_ENCODING,
        ] {
            headers.remove(name);
        }
    }
    if from.origin() != next.url.origin() {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
    }
}
