//! Requests and responses.

mod support;

use futures::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::{Request, Response};
use pirn_http::{Bytes, ErrorKind, Session};
use support::{body_of, response, with_server};

/// Sends back what it got: method and target, headers, body.
async fn echo(request: Request<Incoming>) -> Response<String> {
    let mut answer = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        answer += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    answer += "\n";
    answer += &body_of(request).await;
    response(200, &answer)
}

#[test]
fn each_method_reaches_the_server_with_its_body() {
    with_server(echo, |url| async move {
        let session = Session::new();
        let get = session.get(&url).send().await.unwrap();
        assert!(get.text().await.unwrap().starts_with("GET /\n"));
        let post = session.post(&url).body("new").send().await.unwrap();
        let text = post.text().await.unwrap();
        assert!(text.starts_with("POST /\n") && text.ends_with("\n\nnew"));
        assert!(text.contains("content-length: 3\n"));
        let put = session.put(&url).body(vec![b'x'; 3]).send().await.unwrap();
        let text = put.text().await.unwrap();
        assert!(text.starts_with("PUT /\n") && text.ends_with("\n\nxxx"));
        let delete = session.delete(&url).send().await.unwrap();
        assert!(delete.text().await.unwrap().starts_with("DELETE /\n"));
        let head = session.head(&url).send().await.unwrap();
        assert!(head.content_length().unwrap() > 0);
        assert_eq!(head.bytes().await.unwrap(), "");
        assert_eq!(session.statistics().connections_opened, 1);
    });
}

#[test]
fn headers_of_the_request_take_the_place_of_the_sessions() {
    with_server(echo, |url| async move {
        let session = Session::builder()
            .default_header("x-a", "session")
            .default_header("x-b", "session")
            .build()
            .unwrap();
        let request = session.get(&url).header("x-b", "request");
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains("x-a: session\n"));
        assert!(text.contains("x-b: request\n"));
        assert!(text.contains("accept: */*\n"));
        assert!(text.contains("user-agent: pirn-http/"));
        assert!(text.contains(&format!("host: {}\n", &url["http://".len()..])));
    });
}

#[test]
fn credentials_go_by_header_or_url() {
    with_server(echo, |url| async move {
        let session = Session::new();
        let text = |request: pirn_http::RequestBuilder| async {
            request.send().await.unwrap().text().await.unwrap()
        };
        assert!(
            text(session.get(&url).bearer_auth("abc"))
                .await
                .contains("authorization: Bearer abc\n")
        );
        let basic = "authorization: Basic bWU6YSBi\n"; // me:a b
        assert!(
            text(session.get(&url).basic_auth("me", "a b"))
                .await
                .contains(basic)
        );
        let inside = url.replace("http://", "http://me:a%20b@");
        let got = text(session.get(inside)).await;
        assert!(got.contains(basic) && !got.contains("me:"));
    });
}

#[test]
fn a_query_is_added_to_the_urls() {
    with_server(echo, |url| async move {
        let session = Session::new();
        let request = session
            .get(format!("{url}/find?a=1#fragment"))
            .query([("b", "x & y"), ("c", "ü")])
            .query(Vec::<(String, String)>::new());
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.starts_with("GET /find?a=1&b=x+%26+y&c=%C3%BC\n"));
    });
}

#[test]
fn a_streamed_body_goes_in_chunks_or_with_its_length() {
    with_server(echo, |url| async move {
        let session = Session::new();
        let chunks = || {
            futures::stream::iter(["ab", "", "cd"]).map(|c| Ok::<_, std::io::Error>(Bytes::from(c)))
        };
        let text = session.post(&url).body_stream(chunks(), None).send().await;
        let text = text.unwrap().text().await.unwrap();
        assert!(text.contains("transfer-encoding: chunked\n") && text.ends_with("\n\nabcd"));
        let text = session
            .post(&url)
            .body_stream(chunks(), Some(4))
            .send()
            .await;
        let text = text.unwrap().text().await.unwrap();
        assert!(text.contains("content-length: 4\n") && text.ends_with("\n\nabcd"));
    });
}

#[test]
fn an_error_of_a_streamed_body_is_an_invalid_request() {
    with_server(echo, |url| async move {
        let session = Session::new();
        let chunks =
            futures::stream::iter([Ok(Bytes::from("ab")), Err(std::io::Error::other("no more"))]);
        let error = session
            .post(&url)
            .body_stream(chunks, None)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(session.statistics().requests_in_flight, 0);
        assert_eq!(session.statistics().connections_idle, 0);
    });
}

#[test]
fn a_body_comes_in_chunks_as_a_stream_and_in_one_piece() {
    let long = "0123456789".repeat(50_000);
    let expected = long.clone();
    with_server(
        |_| async { response(200, &long) },
        |url| async move {
            let session = Session::new();
            let mut by_chunk = session.get(&url).send().await.unwrap();
            let mut all = Vec::new();
            while let Some(chunk) = by_chunk.chunk().await.unwrap() {
                assert!(!chunk.is_empty());
                all.extend_from_slice(&chunk);
            }
            assert!(by_chunk.chunk().await.unwrap().is_none());
            assert_eq!(all, expected.as_bytes());

            let mut stream = session.get(&url).send().await.unwrap().into_body();
            let mut length = 0;
            while let Some(chunk) = stream.next().await {
                length += chunk.unwrap().len();
            }
            assert_eq!(length, expected.len());
            assert_eq!(
                session
                    .get(&url)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
                expected
            );
            assert_eq!(session.statistics().connections_opened, 1);
        },
    );
}

#[test]
fn a_body_beyond_the_limit_is_refused_in_one_piece_only() {
    with_server(
        |_| async { response(200, "0123456789") },
        |url| async move {
            let session = Session::builder().max_body_bytes(9).build().unwrap();
            let error = session
                .get(&url)
                .send()
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 9 });
            let chunk = session
                .get(&url)
                .send()
                .await
                .unwrap()
                .chunk()
                .await
                .unwrap();
            assert_eq!(chunk.unwrap(), "0123456789");
        },
    );
}

#[test]
fn a_status_of_failure_is_a_response_until_asked() {
    with_server(
        |_| async { response(500, "sorry") },
        |url| async move {
            let session = Session::new();
            let response = session.get(&url).send().await.unwrap();
            assert_eq!(response.status(), 500);
            let error = response.error_for_status().unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::Status(pirn_http::StatusCode::INTERNAL_SERVER_ERROR)
            );
            assert_eq!(error.url(), format!("{url}/"));
            assert_eq!(
                session
                    .get(&url)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
                "sorry"
            );
        },
    );
}

#[test]
fn many_requests_at_once_each_get_their_own_answer() {
    with_server(
        |request| async move { response(200, request.uri().path()) },
        |url| async move {
            let session = Session::builder()
                .max_connections_per_host(7)
                .build()
                .unwrap();
            let fetches = (0..100).map(|n| {
                let request = session.get(format!("{url}/{n}"));
                async move {
                    let text = request.send().await.unwrap().text().await.unwrap();
                    assert_eq!(text, format!("/{n}"));
                }
            });
            futures::future::join_all(fetches).await;
            let statistics = session.statistics();
            assert_eq!(statistics.max_requests_in_flight, 7);
            assert_eq!(statistics.connections_opened, 7);
            assert_eq!(statistics.requests_in_flight, 0);
        },
    );
}

#[test]
fn a_session_works_on_tokio_and_between_threads() {
    with_server(
        |_| async { response(200, "hello") },
        |url| {
            let (send, receive) = futures::channel::oneshot::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let texts = runtime.block_on(async {
                    let session = Session::new();
                    let tasks = (0..10).map(|_| {
                        let request = session.get(&url);
                        tokio::spawn(async move { request.send().await?.text().await })
                    });
                    futures::future::join_all(tasks).await
                });
                send.send(texts).unwrap();
            });
            async move {
                for text in receive.await.unwrap() {
                    assert_eq!(text.unwrap().unwrap(), "hello");
                }
            }
        },
    );
}

#[test]
fn futures_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Send + Sync>() {}
    is_sync::<Session>();
    is_sync::<pirn_http::Error>();
    let session = Session::new();
    is_send(&session.get("http://a/").send());
    is_send(&async {
        let mut response = session.get("http://a/").send().await?;
        response.chunk().await?;
        response.text().await
    });
}

#[test]
fn a_streamed_body_that_another_thread_feeds_arrives_whole() {
    const CHUNKS: usize = 20_000;
    with_server(echo, |url| async move {
        let (mut feed, chunks) = futures::channel::mpsc::channel(0);
        // Each chunk is sent as soon as the one before was taken: just when the request, which found
        // no other, is about to wait.
        let feeder = std::thread::spawn(move || {
            for _ in 0..CHUNKS {
                let chunk = Ok::<_, std::io::Error>(Bytes::from_static(b"x"));
                pirn_core::shim::block_on(feed.send(chunk)).unwrap();
            }
        });
        let session = Session::new();
        let sent = session.post(&url).body_stream(chunks, None).send().await;
        let text = sent.unwrap().text().await.unwrap();
        assert!(text.ends_with(&"x".repeat(CHUNKS)));
        feeder.join().unwrap();
    });
}
