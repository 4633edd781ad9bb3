//! TLS between two ends in one process, with certificates made for the test.
#![cfg(not(loom))]

mod util;

use futures::future::{join, try_join};
use futures::{AsyncReadExt, AsyncWriteExt};
use pirn_io::net::UnixStream;
use pirn_io::tls::{Acceptor, Connector, TlsStream, is_tls};
use pirn_io::{TcpListener, TcpStream};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::io::{self, ErrorKind};
use util::everywhere;

/// A server's certificate and key.
fn identity(name: &str) -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn trusting(pem: &str) -> Connector {
    let builder = Connector::builder().only_root_certificates_pem(pem);
    builder.build().unwrap()
}

async fn pair(
    acceptor: &Acceptor,
    connector: &Connector,
    host: &str,
) -> (
    io::Result<TlsStream<UnixStream>>,
    io::Result<TlsStream<UnixStream>>,
) {
    let (one, other) = UnixStream::pair().unwrap();
    join(acceptor.accept(one), connector.connect(host, other)).await
}

#[test]
fn bytes_go_both_ways_over_tcp_and_the_farewell_is_read_as_the_end() {
    everywhere(|| async {
        let (pem, key) = identity("localhost");
        let acceptor = Acceptor::new(&pem, key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = async {
            let (stream, _) = listener.accept().await?;
            let mut stream = acceptor.accept(stream).await?;
            let mut asked = vec![0; 200_000];
            stream.read_exact(&mut asked).await?;
            asked.reverse();
            stream.write_all(&asked).await?;
            stream.close().await
        };
        let sent: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let client = async {
            let stream = TcpStream::connect(listener.local_addr()).await?;
            let mut stream = trusting(&pem).connect("localhost", stream).await?;
            assert_eq!(stream.get_ref().peer_addr(), listener.local_addr());
            stream.write_all(&sent).await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        let ((), mut answer) = try_join(server, client).await.unwrap();
        answer.reverse();
        assert!(answer == sent);
    });
}

#[test]
fn a_stream_that_is_cut_without_farewell_is_an_error() {
    everywhere(|| async {
        let (pem, key) = identity("localhost");
        let acceptor = Acceptor::new(&pem, key).unwrap();
        let (server, client) = pair(&acceptor, &trusting(&pem), "localhost").await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        server.write_all(b"half of").await.unwrap();
        server.flush().await.unwrap();
        drop(server);
        let mut text = Vec::new();
        let error = client.read_to_end(&mut text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(text, b"half of");
    });
}

#[test]
fn who_is_not_trusted_or_is_another_host_is_refused() {
    everywhere(|| async {
        let (pem, key) = identity("localhost");
        let acceptor = Acceptor::new(&pem, key).unwrap();
        let (server, client) = pair(&acceptor, &trusting(&pem), "other.example").await;
        assert!(is_tls(&client.unwrap_err()));
        assert!(is_tls(&server.unwrap_err()), "the server is told");

        let (stranger, _) = identity("localhost");
        let (_, client) = pair(&acceptor, &trusting(&stranger), "localhost").await;
        let error = client.unwrap_err();
        assert!(is_tls(&error));
        assert!(error.to_string().contains("certificate"), "{error}");

        // The system's roots do not hold it either.
        let (_, client) = pair(&acceptor, &Connector::default(), "localhost").await;
        assert!(is_tls(&client.unwrap_err()));
    });
}

#[test]
fn a_peer_that_speaks_something_else_is_refused() {
    everywhere(|| async {
        let (pem, key) = identity("localhost");
        let acceptor = Acceptor::new(&pem, key).unwrap();
        let (one, mut other) = UnixStream::pair().unwrap();
        let speaks = async {
            other.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            // What the server says to that.
            let _ = other.read(&mut [0; 100]).await;
        };
        let (accepted, ()) = join(acceptor.accept(one), speaks).await;
        assert!(is_tls(&accepted.unwrap_err()));
    });
}

#[test]
fn the_best_protocol_of_both_is_chosen() {
    everywhere(|| async {
        let (pem, key) = identity("localhost");
        let acceptor = Acceptor::with_protocols(&pem, key, &[b"two", b"one"]).unwrap();
        let builder = Connector::builder().only_root_certificates_pem(pem.as_str());
        let connector = builder.protocols(&[b"one", b"two"]).build().unwrap();
        let (server, client) = pair(&acceptor, &connector, "localhost").await;
        assert_eq!(server.unwrap().protocol(), Some(&b"two"[..]));
        assert_eq!(client.unwrap().protocol(), Some(&b"two"[..]));
        let (server, _) = pair(&acceptor, &trusting(&pem), "localhost").await;
        assert_eq!(server.unwrap().protocol(), None);
    });
}

#[test]
fn what_is_no_certificate_key_or_name_is_said_so() {
    let (pem, key) = identity("localhost");
    let refused = |error: io::Error| {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    };
    let none = refused(Acceptor::new("", &key).unwrap_err());
    assert_eq!(none, "the certificates: there is none");
    let no_key = refused(Acceptor::new(&pem, "").unwrap_err());
    assert!(no_key.starts_with("the private key: "), "{no_key}");
    let (_, other) = identity("localhost");
    refused(Acceptor::new(&pem, other).unwrap_err());
    let builder = Connector::builder().root_certificates_pem(key);
    refused(builder.build().unwrap_err());
    everywhere(|| async {
        let (_one, other) = UnixStream::pair().unwrap();
        let unnamed = Connector::default().connect("not a name", other).await;
        assert_eq!(unnamed.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}
