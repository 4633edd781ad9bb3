//! Where a request goes to.

use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use url::{Position, Url};

/// A scheme, a host and a port: what connections are kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    /// A name, an IPv4 address or an IPv6 address in brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Origin {
    /// Of an http or https URL.
    pub(crate) fn of(url: &Url) -> Result<Origin, &'static str> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err("its scheme is neither http nor https"),
        };
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if !host.is_empty() => Ok(Origin {
                tls,
                host: host.into(),
                port,
            }),
            _ => Err("it names no host"),
        }
    }
}

/// What stands in the request's first line, and in its `Host`.
pub(crate) fn target(url: &Url) -> Result<(Uri, HeaderValue), http::Error> {
    let path: PathAndQuery = url[Position::BeforePath..Position::AfterQuery].parse()?;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    Ok((Uri::from(path), HeaderValue::try_from(host)?))
}
