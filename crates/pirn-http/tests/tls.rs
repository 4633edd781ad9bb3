//! https, with certificates made for the test.

mod support;

use futures::{AsyncWriteExt, StreamExt};
use hyper::body::Incoming;
use hyper::{Request, Response};
use pirn_http::{ErrorKind, Session};
use pirn_io::tls::Acceptor;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::error::Error;
use support::{response, serve, with_streams};

/// A server's side of TLS, and its certificate as PEM.
fn identity(names: &[&str]) -> (Acceptor, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let acceptor = Acceptor::new(cert.pem(), signing_key.serialize_pem()).unwrap();
    (acceptor, cert.pem())
}

async fn hello(request: Request<Incoming>) -> Response<String> {
    let host = request.headers()["host"].to_str().unwrap();
    response(200, &format!("hello {}", host.split(':').next().unwrap()))
}

/// Runs `client` with the URLs of `localhost` beside a server with that identity.
fn with_tls_server<C, F>(acceptor: &Acceptor, client: C) -> F::Output
where
    C: FnOnce(String) -> F,
    F: Future,
{
    with_streams(
        |stream| async {
            // A client that does not trust us hangs up.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, &hello).await;
            }
        },
        |url| client(url.replace("http://127.0.0.1", "https://localhost")),
    )
}

#[test]
fn a_root_that_was_added_is_trusted() {
    let (acceptor, pem) = identity(&["localhost"]);
    with_tls_server(&acceptor, |url| async move {
        let session = Session::builder()
            .root_certificates_pem(pem)
            .build()
            .unwrap();
        let fetches = (0..10).map(|_| async {
            let text = session
                .get(&url)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            assert_eq!(text, "hello localhost");
        });
        futures::stream::iter(fetches)
            .buffered(2)
            .collect::<()>()
            .await;
        assert_eq!(session.statistics().connections_opened, 2);
    });
}

#[test]
fn an_address_can_have_a_certificate_too() {
    let (acceptor, pem) = identity(&["127.0.0.1"]);
    with_tls_server(&acceptor, |url| async move {
        let session = Session::builder()
            .root_certificates_pem(pem)
            .build()
            .unwrap();
        let url = url.replace("localhost", "127.0.0.1");
        let response = session.get(url).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "hello 127.0.0.1");
    });
}

#[test]
fn an_unknown_root_is_a_tls_error() {
    let (acceptor, _) = identity(&["localhost"]);
    with_tls_server(&acceptor, |url| async move {
        let session = Session::new();
        let error = session.get(&url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().contains(&url));
        assert!(error.source().unwrap().to_string().contains("certificate"));
        assert_eq!(session.statistics().requests_in_flight, 0);
    });
}

#[test]
fn a_certificate_for_another_host_is_a_tls_error() {
    let (acceptor, pem) = identity(&["example.org"]);
    with_tls_server(&acceptor, |url| async move {
        let session = Session::builder()
            .root_certificates_pem(pem)
            .build()
            .unwrap();
        let error = session.get(&url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
    });
}

#[test]
fn a_server_that_does_not_speak_tls_is_a_tls_error() {
    with_streams(
        |mut stream| async move {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            futures::future::pending().await
        },
        |url| async move {
            let session = Session::new();
            let url = url.replace("http://", "https://");
            let error = session.get(&url).send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls);
        },
    );
}

#[test]
fn what_is_no_certificate_is_found_when_the_session_is_built() {
    for pem in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = Session::builder()
            .root_certificates_pem(pem)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{pem:?}");
    }
}
