//! Where a request goes to.

use crate::error::{Error, ErrorKind};
use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use url::{Position, Url};

/// An http or https URL. Clones are the same.
///
/// Most are written as the URL standard would write them: those are not parsed until somebody asks
/// for a [`Url`]. What is in doubt is parsed at once.
#[derive(Clone)]
pub(crate) struct Address(Arc<Inner>);

struct Inner {
    /// As the standard writes it.
    text: Box<str>,
    url: OnceLock<Url>,
    tls: bool,
    port: u16,
    /// What connections are kept for: scheme, host and, unless it is the scheme's own, port. Of a
    /// URL with a user that is not a part of the text.
    origin: Option<Box<str>>,
    /// The host: a name, an IPv4 address or an IPv6 address in brackets.
    host: Range<usize>,
    /// Where the authority ends, and the path begins.
    path: usize,
    /// Where the query ends, or the path without one.
    end: usize,
}

/// What may stand where in a plain URL.
const HOST: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// For each byte, where it may stand as it is.
static PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = if b.is_ascii_lowercase() || b.is_ascii_digit() {
            HOST | PATH | QUERY
        } else if b.is_ascii_uppercase() {
            PATH | QUERY
        } else {
            match b {
                b'.' | b'-' => HOST | PATH | QUERY,
                b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b';'
                | b'=' | b':' | b'@' | b'/' | b'%' => PATH | QUERY,
                b'?' => QUERY,
                _ => 0,
            }
        };
        byte += 1;
    }
    table
};

fn all(text: &[u8], place: u8) -> bool {
    text.iter()
        .all(|byte| PLAIN[usize::from(*byte)] & place != 0)
}

/// True for a name or address that the standard leaves as it is. False where that takes more than
/// a look.
fn is_plain_host(host: &[u8]) -> bool {
    if !all(host, HOST) {
        return false;
    }
    let mut last: &[u8] = b"";
    for label in host.split(|byte| *byte == b'.') {
        let (Some(first), Some(end)) = (label.first(), label.last()) else {
            return false;
        };
        // Punycode has two hyphens.
        if *first == b'-' || *end == b'-' || label.windows(2).any(|two| two == b"--") {
            return false;
        }
        last = label;
    }
    // A name that ends in a number is an address.
    last[0].is_ascii_lowercase() || is_plain_ipv4(host)
}

fn is_plain_ipv4(host: &[u8]) -> bool {
    let mut count = 0;
    let is_plain = host.split(|byte| *byte == b'.').all(|part| {
        count += 1;
        number(part).is_some_and(|number| number <= 255)
    });
    is_plain && count == 4
}

/// A decimal number without leading zeros.
fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 5 || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

/// True for a path that has no segments of dots, which the standard resolves.
fn is_plain_path(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&byte| {
        // A dot at the beginning of a segment, or an encoded one anywhere, is looked at closely.
        let is_plain = PLAIN[usize::from(byte)] & PATH != 0
            && !(byte == b'.' && before == b'/')
            && !(byte == b'2' && before == b'%');
        before = byte;
        is_plain
    })
}

impl Address {
    /// Of what somebody wrote.
    pub(crate) fn parse(text: &str) -> Result<Address, Error> {
        if let Some(address) = Address::plain(text) {
            return Ok(address);
        }
        let url = Url::parse(text)
            .map_err(|error| Error::named(ErrorKind::InvalidUrl, text).with(error))?;
        Address::of(url)
            .map_err(|(url, why)| Error::named(ErrorKind::InvalidUrl, redacted(&url)).because(why))
    }

    /// Of a URL that the standard writes as it is written here.
    fn plain(text: &str) -> Option<Address> {
        let (tls, rest) = match text.strip_prefix("http://") {
            Some(rest) => (false, rest),
            None => (true, text.strip_prefix("https://")?),
        };
        let scheme = text.len() - rest.len();
        let path = scheme + rest.find('/')?;
        let authority = &text.as_bytes()[scheme..path];
        let (host, port) = match authority.iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let port = number(&authority[colon + 1..])?;
                let port = u16::try_from(port)
                    .ok()
                    .filter(|port| *port != own_port(tls))?;
                (&authority[..colon], port)
            }
            None => (authority, own_port(tls)),
        };
        let query = text[path..].find('?').map_or(text.len(), |at| path + at);
        let bytes = text.as_bytes();
        if !is_plain_host(host)
            || !is_plain_path(&bytes[path..query])
            || !all(&bytes[query..], QUERY)
        {
            return None;
        }
        Some(Address(Arc::new(Inner {
            text: text.into(),
            url: OnceLock::new(),
            tls,
            port,
            origin: None,
            host: scheme..scheme + host.len(),
            path,
            end: text.len(),
        })))
    }

    /// Of any URL; or back, with what is wrong with it.
    pub(crate) fn of(url: Url) -> Result<Address, (Url, &'static str)> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err((url, "its scheme is neither http nor https")),
        };
        let port = match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if !host.is_empty() => port,
            _ => return Err((url, "it names no host")),
        };
        let at = |position| url[..position].len();
        let scheme = at(Position::AfterScheme) + "://".len();
        let host = at(Position::BeforeHost)..at(Position::AfterHost);
        let (path, end) = (at(Position::BeforePath), at(Position::AfterQuery));
        let bare = || {
            format!(
                "{}{}",
                &url.as_str()[..scheme],
                &url.as_str()[host.start..path]
            )
        };
        Ok(Address(Arc::new(Inner {
            text: url.as_str().into(),
            tls,
            port,
            origin: (host.start != scheme).then(|| bare().into()),
            host,
            path,
            end,
            url: OnceLock::from(url),
        })))
    }

    /// The text, with its password.
    pub(crate) fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The text, without its password.
    pub(crate) fn redacted(&self) -> String {
        match self.0.origin {
            Some(_) => redacted(self.url()),
            None => self.as_str().to_owned(),
        }
    }

    /// The URL.
    pub(crate) fn url(&self) -> &Url {
        let parse = || match Url::parse(&self.0.text) {
            Ok(url) => url,
            Err(error) => unreachable!("`{}` is as the standard writes it: {error}", self.0.text),
        };
        self.0.url.get_or_init(parse)
    }

    /// User name and password, if there is either.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.0.origin.as_ref()?;
        let url = self.url();
        let pair = (url.username(), url.password().unwrap_or(""));
        (pair != ("", "")).then_some(pair)
    }

    /// What connections are kept for: scheme, host and port, written in one way only.
    pub(crate) fn origin(&self) -> &str {
        match &self.0.origin {
            Some(origin) => origin,
            None => &self.0.text[..self.0.path],
        }
    }

    /// True if it is https.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// A name, an IPv4 address or an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.0.text[self.0.host.clone()]
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    /// What stands in the request's first line, and in its `Host`.
    pub(crate) fn target(&self) -> Result<(Uri, HeaderValue), http::Error> {
        let Inner {
            text,
            host,
            path,
            end,
            ..
        } = &*self.0;
        let target = PathAndQuery::try_from(&text[*path..*end])?;
        Ok((
            Uri::from(target),
            HeaderValue::try_from(&text[host.start..*path])?,
        ))
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redacted().fmt(f)
    }
}

fn own_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// The URL without its password.
fn redacted(url: &Url) -> String {
    if url.password().is_none() {
        return url.as_str().to_owned();
    }
    let mut url = url.clone();
    // It fails for URLs that cannot have a password.
    let _ = url.set_password(Some("***"));
    url.into()
}
