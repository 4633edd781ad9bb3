//! Redirects: where they lead, and what goes along.

mod support;

use hyper::Response;
use pirn_core::shim::block_on;
use pirn_http::{Bytes, ErrorKind, Method, Session};
use support::script::Act::Reply;
use support::script::Script;
use support::{body_of, with_server};

fn to(status: u16, location: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .header("location", location)
        .body("over there".to_owned())
        .unwrap()
}

#[test]
fn method_and_body_go_along_as_the_status_says() {
    let server = |request: hyper::Request<hyper::body::Incoming>| async move {
        match request.uri().path().trim_start_matches('/').parse() {
            Ok(status) => to(status, "/end"),
            Err(_) => {
                let head = format!(
                    "{} {}",
                    request.method(),
                    request.headers().contains_key("content-type")
                );
                support::response(200, &format!("{head} {}", body_of(request).await))
            }
        }
    };
    with_server(server, |url| async move {
        let session = Session::new();
        let send = async |method: Method, status: u16| {
            let request = session
                .request(method, format!("{url}/{status}"))
                .header("content-type", "text/plain")
                .body("body");
            request.send().await.unwrap().text().await.unwrap()
        };
        for (status, method, end) in [
            (301, Method::POST, "GET false "),
            (302, Method::POST, "GET false "),
            (303, Method::POST, "GET false "),
            (307, Method::POST, "POST true body"),
            (308, Method::POST, "POST true body"),
            (301, Method::PUT, "PUT true body"),
            (302, Method::DELETE, "DELETE true body"),
            (303, Method::PUT, "GET false "),
            (303, Method::GET, "GET true body"),
            (307, Method::GET, "GET true body"),
        ] {
            assert_eq!(send(method.clone(), status).await, end, "{status} {method}");
        }
        assert_eq!(session.statistics().connections_opened, 1);
    });
}

#[test]
fn a_location_is_taken_as_seen_from_where_it_was() {
    let server = |request: hyper::Request<hyper::body::Incoming>| async move {
        match request.uri().path() {
            "/a/b/start" => to(302, "../next?q=1"),
            path => support::response(200, path),
        }
    };
    with_server(server, |url| async move {
        let session = Session::new();
        let response = session
            .get(format!("{url}/a/b/start#part"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.url().as_str(), format!("{url}/a/next?q=1#part"));
        assert_eq!(response.text().await.unwrap(), "/a/next");
    });
}

#[test]
fn secrets_do_not_go_to_another_origin() {
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://b/\r\ncontent-length: 0\r\n\r\n";
    let within = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let end = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let script = Script::new([vec![Reply(within), Reply(elsewhere)], vec![Reply(end)]]);
    let session = Session::builder()
        .connect_with(script.clone())
        .default_header("cookie", "a=b")
        .build()
        .unwrap();
    let request = session
        .get("http://a/")
        .bearer_auth("secret")
        .header("x-other", "1");
    block_on(request.send()).unwrap();
    let requests = script.log().requests;
    assert!(requests[0].contains("authorization: Bearer secret"));
    assert!(requests[1].contains("authorization: Bearer secret"));
    assert!(requests[1].contains("cookie: a=b"));
    assert!(!requests[2].contains("secret") && !requests[2].contains("cookie"));
    assert!(requests[2].contains("x-other: 1"));
    assert!(requests[2].contains("host: b"));
}

#[test]
fn a_circle_ends_at_the_limit_with_an_error_that_says_so() {
    let circle = |request: hyper::Request<hyper::body::Incoming>| async move {
        to(
            302,
            if request.uri().path() == "/a" {
                "/b"
            } else {
                "/a"
            },
        )
    };
    with_server(circle, |url| async move {
        let session = Session::builder().max_redirects(3).build().unwrap();
        let error = session.get(format!("{url}/a")).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyRedirects { limit: 3 });
        assert!(error.to_string().contains("in a circle"), "{error}");
        assert_eq!(session.statistics().requests_in_flight, 0);
    });
}

#[test]
fn the_limit_counts_redirects() {
    let countdown = |request: hyper::Request<hyper::body::Incoming>| async move {
        match request.uri().path()[1..].parse::<u32>().unwrap() {
            0 => support::response(200, "done"),
            n => to(302, &format!("/{}", n - 1)),
        }
    };
    with_server(countdown, |url| async move {
        let session = Session::builder().max_redirects(3).build().unwrap();
        let three = session.get(format!("{url}/3")).send().await.unwrap();
        assert_eq!(three.text().await.unwrap(), "done");
        let error = session.get(format!("{url}/4")).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyRedirects { limit: 3 });
        assert!(!error.to_string().contains("in a circle"));

        let none = Session::builder().max_redirects(0).build().unwrap();
        let response = none.get(format!("{url}/3")).send().await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(response.header("location"), Some("/2"));
        assert_eq!(response.text().await.unwrap(), "over there");
    });
}

#[test]
fn a_place_that_cannot_be_followed_is_an_error() {
    for location in ["http://", "ftp://host/"] {
        with_server(
            move |_| async move { to(302, location) },
            |url| async move {
                let error = Session::new().get(&url).send().await.unwrap_err();
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::InvalidRedirect),
                    "{location}: {kind}"
                );
            },
        );
    }
}

#[test]
fn a_redirect_without_a_place_is_a_response() {
    with_server(
        |_| async { support::response(302, "somewhere") },
        |url| async move {
            let response = Session::new().get(&url).send().await.unwrap();
            assert_eq!(response.status(), 302);
        },
    );
}

#[test]
fn a_streamed_body_cannot_go_along() {
    with_server(
        |request| async move {
            body_of(request).await;
            to(307, "/next")
        },
        |url| async move {
            let session = Session::new();
            let chunks = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from("once"))]);
            let request = session.post(&url).body_stream(chunks, None);
            let error = request.send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRedirect);
            assert!(error.to_string().contains("stream"));
        },
    );
}
