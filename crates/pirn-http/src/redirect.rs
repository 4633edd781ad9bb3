//! Where a redirect leads, and what goes along.

use crate::address::Address;
use crate::headers::Headers;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderValue, Method, StatusCode};

/// The next request of a chain.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) address: Address,
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
    from: &Address,
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
        .url()
        .join(location)
        .map_err(|error| format!("its `Location` is `{location}`: {error}"))?;
    if url.fragment().is_none() {
        url.set_fragment(from.url().fragment());
    }
    let address =
        Address::of(url).map_err(|(_, why)| format!("its `Location` is `{location}`: {why}"))?;
    Ok(Some(Next {
        address,
        method: if becomes_get {
            Method::GET
        } else {
            method.clone()
        },
        keeps_body: !becomes_get,
    }))
}

/// Takes out what must not go to where the redirect leads.
pub(crate) fn strip(headers: &mut Headers, from: &Address, next: &Next) {
    if !next.keeps_body {
        headers.remove([
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LENGTH,
            CONTENT_LOCATION,
            CONTENT_TYPE,
            TRANSFER_ENCODING,
        ]);
    }
    if from.origin() != next.address.origin() {
        headers.remove([AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION]);
    }
}
