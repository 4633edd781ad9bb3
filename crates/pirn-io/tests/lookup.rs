//! Names.
#![cfg(not(loom))]

mod util;

use futures::future::try_join;
use pirn_io::{Action, Failure, TcpListener, TcpStream, lookup};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use util::everywhere;

#[test]
fn localhost_is_found() {
    everywhere(|| async {
        let found = lookup("localhost", 7).await.unwrap();
        assert!(
            found
                .iter()
                .all(|each| each.ip().is_loopback() && each.port() == 7)
        );
    });
}

#[test]
fn a_name_that_is_not_there_is_named() {
    everywhere(|| async {
        for error in [
            lookup("no-such-host.invalid", 80).await.unwrap_err(),
            TcpStream::connect(("no-such-host.invalid", 80))
                .await
                .unwrap_err(),
            TcpStream::connect("no-such-host.invalid:80")
                .await
                .unwrap_err(),
            TcpListener::bind("no-such-host.invalid:80")
                .await
                .unwrap_err(),
        ] {
            let failure = Failure::of(&error).unwrap();
            assert_eq!(failure.action(), Action::Lookup);
            assert_eq!(failure.target(), "no-such-host.invalid");
            let start = "look up no-such-host.invalid: ";
            assert!(error.to_string().starts_with(start), "{error}");
        }
    });
}

#[test]
fn each_address_of_a_name_is_tried() {
    everywhere(|| async {
        // Where `localhost` has an IPv6 address too, that one is refused.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().port();
        let connect = TcpStream::connect(("localhost", port));
        let (stream, _) = try_join(connect, listener.accept()).await.unwrap();
        assert_eq!(stream.peer_addr(), listener.local_addr());
    });
}

#[test]
fn a_refusal_names_the_host_and_the_address_that_was_tried_last() {
    everywhere(|| async {
        let error = TcpStream::connect("localhost:1").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.starts_with("connect to localhost:1 ("), "{text}");
    });
}

#[test]
fn literal_addresses_are_not_looked_up() {
    everywhere(|| async {
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        let four = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        assert_eq!(lookup("::1", 9).await.unwrap(), [six]);
        assert_eq!(lookup("127.0.0.1", 9).await.unwrap(), [four]);
        let error = TcpStream::connect(("[::1]", 1)).await.unwrap_err();
        assert!(
            error.to_string().starts_with("connect to [::1]:1: "),
            "{error}"
        );
    });
}
