//! As much of HTTP as cargo needs.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

/// Longer uploads are refused; the largest of ours is far below.
const LONGEST: usize = 64 << 20;

/// How long one may take to send or receive something.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(body: String) -> Reply {
        Reply::ok("application/json", body.into())
    }

    pub(super) fn text(body: String) -> Reply {
        Reply::ok("text/plain", body.into())
    }

    pub(super) fn bytes(body: Vec<u8>) -> Reply {
        Reply::ok("application/octet-stream", body)
    }

    pub(super) fn missing() -> Reply {
        Reply::refused(404, "there is nothing here")
    }

    /// An error as cargo shows it.
    pub(super) fn refused(status: u16, why: &str) -> Reply {
        let body = serde_json::json!({ "errors": [{ "detail": why }] });
        Reply {
            status,
            ..Reply::json(body.to_string())
        }
    }

    fn ok(kind: &'static str, body: Vec<u8>) -> Reply {
        Reply {
            status: 200,
            kind,
            body,
        }
    }
}

/// Reads requests until there are no more, and sends what `answer` makes of each.
pub(super) fn serve(stream: &TcpStream, answer: impl Fn(&Request) -> Reply) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut from, mut to) = (BufReader::new(stream), stream);
    while let Some(request) = read(&mut from, to)? {
        let reply = answer(&request);
        let head = format!(
            "HTTP/1.1 {} -\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            reply.status,
            reply.kind,
            reply.body.len()
        );
        // In one piece: the other side would wait for the second.
        to.write_all(&[head.as_bytes(), &reply.body].concat())?;
    }
    Ok(())
}

/// `None` if the other side has ended the connection, or sends nothing for long.
fn read(from: &mut impl BufRead, mut to: impl Write) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match from.read_until(b'\n', &mut head) {
            Ok(0) | Err(_) if head.is_empty() => return Ok(None),
            Ok(0) => return Err(bad("the request ends in its head")),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        if head.len() > 64 << 10 {
            return Err(bad("the request's head is too long"));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed
        .parse(&head)
        .map_err(|error| bad(&error.to_string()))?;
    let header = |name: &str| {
        let mut all = parsed.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).into_owned())
    };
    if header("transfer-encoding").is_some() {
        return Err(bad("the request's body comes in chunks"));
    }
    let length = match header("content-length") {
        Some(text) => text.trim().parse().map_err(|_| bad("a strange length"))?,
        None => 0,
    };
    if length > LONGEST {
        return Err(bad("the request is too long"));
    }
    if header("expect").is_some() {
        to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().into(),
        path: parsed.path.unwrap_or_default().into(),
        authorization: header("authorization"),
        body,
    }))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
