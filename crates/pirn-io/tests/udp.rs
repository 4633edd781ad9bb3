//! UDP over loopback.
#![cfg(not(loom))]

mod util;

use futures::future::{join, select};
use pirn_io::net::UdpSocket;
use pirn_io::{Action, Failure};
use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::task::Context;
use util::{Count, everywhere, on_own_reactor};

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

#[test]
fn datagrams_keep_their_bounds_and_say_where_they_came_from() {
    everywhere(|| async {
        let (one, other) = (socket().await, socket().await);
        for length in [0, 1, 1400, 9000] {
            let sent = vec![7; length];
            one.send_to(&sent, other.local_addr()).await.unwrap();
            let mut bytes = [0; 10_000];
            let (received, from) = other.recv_from(&mut bytes).await.unwrap();
            assert_eq!(bytes[..received], sent);
            assert_eq!(from, one.local_addr());
        }
    });
}

#[test]
fn a_receive_that_waits_is_woken() {
    everywhere(|| async {
        let (one, other) = (socket().await, socket().await);
        let mut bytes = [0; 16];
        let receives = other.recv_from(&mut bytes);
        let sends = one.send_to(b"late", other.local_addr());
        let (received, sent) = join(receives, sends).await;
        sent.unwrap();
        assert_eq!(received.unwrap(), (4, one.local_addr()));
    });
}

#[test]
fn two_who_receive_at_once_get_one_datagram_each() {
    everywhere(|| async {
        let (one, other) = (socket().await, socket().await);
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let both = join(other.recv_from(&mut first), other.recv_from(&mut second));
        let sends = async {
            one.send_to(b"a", other.local_addr()).await.unwrap();
            one.send_to(b"b", other.local_addr()).await.unwrap();
        };
        let ((one, two), ()) = join(both, sends).await;
        assert_eq!((one.unwrap().0, two.unwrap().0), (1, 1));
        let mut got = [first[0], second[0]];
        got.sort_unstable();
        assert_eq!(&got, b"ab");
    });
}

#[test]
fn a_receive_that_is_dropped_takes_nothing_and_leaves_no_waker() {
    on_own_reactor(async {
        let (one, other) = (socket().await, socket().await);
        let (count, waker) = Count::new();
        let mut bytes = [0; 8];
        let mut dropped = Box::pin(other.recv(&mut bytes));
        let mut cx = Context::from_waker(&waker);
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
        drop(dropped);
        one.send_to(b"kept", other.local_addr()).await.unwrap();
        let mut bytes = [0; 8];
        assert_eq!(other.recv(&mut bytes).await.unwrap(), 4);
        assert_eq!(count.get(), 0);
    });
}

#[test]
fn a_peek_leaves_the_datagram_and_a_small_buffer_cuts_it() {
    everywhere(|| async {
        let (one, other) = (socket().await, socket().await);
        one.send_to(b"whole", other.local_addr()).await.unwrap();
        let mut bytes = [0; 16];
        assert_eq!(other.peek_from(&mut bytes).await.unwrap().0, 5);
        let mut small = [0; 2];
        assert_eq!(other.recv(&mut small).await.unwrap(), 2);
        let next = pin!(other.recv(&mut bytes));
        let nothing = pin!(pirn_core::yield_now());
        assert!(matches!(
            select(next, nothing).await,
            futures::future::Either::Right(_)
        ));
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    everywhere(|| async {
        let (one, other, stranger) = (socket().await, socket().await, socket().await);
        assert_eq!(one.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        one.connect(other.local_addr()).await.unwrap();
        assert_eq!(one.peer_addr().unwrap(), other.local_addr());
        stranger.send_to(b"no", one.local_addr()).await.unwrap();
        other.send_to(b"yes", one.local_addr()).await.unwrap();
        let mut bytes = [0; 8];
        assert_eq!(one.recv(&mut bytes).await.unwrap(), 3);
        assert_eq!(&bytes[..3], b"yes");
    });
}

#[test]
fn errors_name_the_peer_and_keep_their_kind() {
    everywhere(|| async {
        let one = socket().await;
        let peer = one.local_addr();
        let error = one.send_to(&[0; 70_000], peer).await.unwrap_err();
        let failure = Failure::of(&error).unwrap();
        assert_eq!(failure.action(), Action::Write);
        assert_eq!(failure.target(), peer.to_string());

        let error = one.send(b"to nobody").await.unwrap_err();
        assert!(error.to_string().starts_with("write to "), "{error}");

        let error = UdpSocket::bind(peer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("listen at {peer}")));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_connected_socket_is_told_that_nobody_is_there() {
    everywhere(|| async {
        let (one, other) = (socket().await, socket().await);
        one.connect(other.local_addr()).await.unwrap();
        drop(other);
        one.send(b"hello?").await.unwrap();
        let error = one.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn options_reach_the_system() {
    on_own_reactor(async {
        let one = socket().await;
        one.set_broadcast(true).unwrap();
        one.set_ttl(3).unwrap();
        let group = Ipv4Addr::new(224, 0, 0, 251);
        let interface = Ipv4Addr::UNSPECIFIED;
        let error = one
            .join_multicast_v4(Ipv4Addr::LOCALHOST, interface)
            .unwrap_err();
        assert_eq!(Failure::of(&error).unwrap().action(), Action::Configure);
        // Not every machine has an interface for groups.
        if one.join_multicast_v4(group, interface).is_ok() {
            one.leave_multicast_v4(group, interface).unwrap();
        }
        assert!(one.leave_multicast_v4(group, interface).is_err());
        assert!(one.join_multicast_v6(Ipv6Addr::LOCALHOST, 0).is_err());
        assert!(one.leave_multicast_v6(Ipv6Addr::LOCALHOST, 0).is_err());
    });
}

#[test]
fn a_socket_of_std_is_taken_over() {
    everywhere(|| async {
        let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let one = UdpSocket::from_std(std).unwrap();
        one.send_to(b"me", one.local_addr()).await.unwrap();
        assert_eq!(one.recv(&mut [0; 8]).await.unwrap(), 2);
    });
}
