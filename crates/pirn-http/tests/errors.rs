//! What goes wrong, and how it is told.

mod support;

use futures::AsyncWriteExt;
use pirn_core::shim::block_on;
use pirn_http::{Error, ErrorKind, Response, Session};
use pirn_io::TcpListener;
use std::error::Error as _;
use support::{answer_and_close, answer_and_stall, response, with_server, with_streams};

fn send(url: &str) -> Result<Response, Error> {
    block_on(Session::new().get(url).send())
}

/// What a GET ends with at a server of that answer.
fn get(answer: &str) -> Result<String, ErrorKind> {
    with_streams(
        |stream| answer_and_close(stream, answer),
        |url| async move {
            let response = Session::new()
                .get(&url)
                .send()
                .await
                .map_err(|e| e.kind())?;
            response.text().await.map_err(|e| e.kind())
        },
    )
}

#[test]
fn a_url_that_is_none_is_named() {
    for url in [
        "",
        "example.org",
        "/path",
        "ftp://example.org/",
        "http://",
        "mailto:a@b",
        "http://a:99999/",
    ] {
        let error = send(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{url}");
        assert_eq!(error.url(), url);
        assert!(
            error
                .to_string()
                .starts_with(&format!("{url}: invalid URL"))
        );
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_an_invalid_request() {
    let session = Session::new();
    let error = block_on(session.get("http://a/").header("a b", "c").send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let error = block_on(session.get("http://a/").header("a", "b\r\nc: d").send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let error = block_on(session.get("http://a/").bearer_auth("a\nb").send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_host_that_is_not_known_is_told_from_one_that_refuses() {
    // Longer than a name can be, so that no name server is asked.
    let error = send(&format!("http://{}.invalid/", "x".repeat(64))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameNotFound);
    assert!(error.source().unwrap().to_string().contains("look up"));

    let gone = block_on(TcpListener::bind("127.0.0.1:0"))
        .unwrap()
        .local_addr();
    let error = send(&format!("http://{gone}/x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        format!("http://{gone}/x: connection refused (check the port, or whether the server runs)")
    );
    assert!(error.source().is_some());
}

#[test]
fn a_password_is_not_shown() {
    let error = send("http://me:secret@127.0.0.1:1/").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert!(error.url().contains("me:***@"));
}

#[test]
fn a_server_that_hangs_up_has_closed_early() {
    assert_eq!(get(""), Err(ErrorKind::ClosedEarly));
    assert_eq!(
        get("HTTP/1.1 200 OK\r\ncontent-le"),
        Err(ErrorKind::ClosedEarly)
    );
    assert_eq!(
        get("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
        Err(ErrorKind::ClosedEarly)
    );
    assert_eq!(
        get("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        Err(ErrorKind::ClosedEarly)
    );
    // Without a length, the end is the end.
    assert_eq!(get("HTTP/1.1 200 OK\r\n\r\nabc"), Ok("abc".into()));
}

#[test]
fn a_server_that_resets_has_closed_early() {
    with_streams(
        |stream| async move {
            // What was sent is not read, so the system resets.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            drop(stream);
        },
        |url| async move {
            let error = Session::new()
                .post(&url)
                .body(vec![0; 1 << 20])
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ClosedEarly);
        },
    );
}

#[test]
fn garbage_is_an_invalid_response() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\u{1}\u{2}\u{3}\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n",
    ] {
        assert_eq!(get(garbage), Err(ErrorKind::InvalidResponse), "{garbage:?}");
    }
}

#[test]
fn a_head_without_end_is_an_invalid_response() {
    with_streams(
        |mut stream| async move {
            support::read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
            while stream.write_all(&[b'x'; 10_000]).await.is_ok() {}
        },
        |url| async move {
            let error = Session::new().get(&url).send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        },
    );
}

#[test]
fn a_body_that_is_not_text_can_be_had_as_bytes() {
    with_streams(
        |stream| {
            answer_and_stall(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=latin1\r\ncontent-length: 0\r\n\r\n",
            )
        },
        |url| async move {
            assert_eq!(
                Session::new()
                    .get(&url)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
                ""
            );
        },
    );
    with_streams(
        |mut stream| async move {
            support::read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=latin1\r\n\r\n\xe9";
            stream.write_all(head).await.unwrap();
            stream.close().await.unwrap();
        },
        |url| async move {
            let session = Session::new();
            let error = session
                .get(&url)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains("charset=latin1"));
            assert_eq!(
                session
                    .get(&url)
                    .send()
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap(),
                b"\xe9"[..]
            );
        },
    );
}

#[test]
fn one_bad_url_does_not_spoil_the_others() {
    with_server(
        |_| async { response(200, "good") },
        |url| async move {
            let session = Session::new();
            let urls = [
                url.as_str(),
                "http://127.0.0.1:1/",
                "no url",
                &url,
                "https://127.0.0.1:1/",
                &url,
            ];
            let fetches = urls.map(|url| {
                let request = session.get(url);
                async move { request.send().await?.text().await }
            });
            let ended = futures::future::join_all(fetches).await;
            let kinds: Vec<_> = ended
                .into_iter()
                .map(|end| end.map_err(|e| e.kind()))
                .collect();
            let good = Ok("good".to_owned());
            assert_eq!(
                kinds,
                [
                    good.clone(),
                    Err(ErrorKind::Refused),
                    Err(ErrorKind::InvalidUrl),
                    good.clone(),
                    Err(ErrorKind::Refused),
                    good
                ]
            );
        },
    );
}
