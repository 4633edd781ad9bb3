//! Unix sockets.
#![cfg(all(unix, not(loom)))]

mod util;

use futures::future::{join, join_all, try_join};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use pirn_io::net::{UnixDatagram, UnixListener, UnixStream};
use pirn_io::{Action, Failure};
use std::future::Future;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::task::{Context, Poll};
use util::{Count, everywhere, on_own_reactor, temporary};

async fn pair() -> (UnixStream, UnixStream) {
    let path = temporary("unix");
    let listener = UnixListener::bind(&path).unwrap();
    let pair = try_join(UnixStream::connect(&path), listener.accept()).await;
    std::fs::remove_file(&path).unwrap();
    pair.unwrap()
}

#[test]
fn bytes_arrive_in_both_directions_and_the_end_after_them() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"question").await.unwrap();
        client.close().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
    });
}

#[test]
fn more_than_the_buffers_hold_passes_through_halves_in_both_directions() {
    everywhere(|| async {
        let (one, other) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let side = async |stream: UnixStream| {
            let (mut reader, mut writer) = stream.into_split();
            let mut received = Vec::new();
            let sends = async {
                writer.write_all(&sent).await.unwrap();
                writer.close().await.unwrap();
            };
            let ((), count) = join(sends, reader.read_to_end(&mut received)).await;
            assert_eq!(count.unwrap(), sent.len());
            assert!(received == sent);
        };
        join(side(one), side(other)).await;
    });
}

#[test]
fn what_follows_a_passed_descriptor_is_read_without_another_edge() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::io::{IoSlice, Write};
    use std::os::fd::AsFd;
    everywhere(|| async {
        let (mut sender, receiver) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut receiver = UnixStream::from_std(receiver).unwrap();
        // A read ends with the message that carried a descriptor, however much lies behind it.
        let fds = [sender.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = [IoSlice::new(b"with")];
        sendmsg(&sender, &bytes, &mut control, SendFlags::empty()).unwrap();
        sender.write_all(b"behind").unwrap();
        let mut buf = [0; 64];
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 4);
        let mut read = std::pin::pin!(receiver.read(&mut buf));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // No edge tells of it any more.
        assert!(matches!(read.as_mut().poll(&mut cx), Poll::Ready(Ok(6))));
    });
}

#[test]
fn many_connections_are_accepted_by_several_tasks() {
    everywhere(|| async {
        let path = temporary("unix-many");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.path(), Some(&*path));
        let clients = join_all((0..20).map(|_| UnixStream::connect(&path)));
        let accept = || listener.incoming().take(10).collect::<Vec<_>>();
        let (clients, (first, second)) = join(clients, join(accept(), accept())).await;
        std::fs::remove_file(&path).unwrap();
        assert!(clients.iter().all(Result::is_ok));
        assert!(first.iter().chain(&second).all(Result::is_ok));
    });
}

#[test]
fn a_client_of_a_listener_whose_queue_is_full_waits_for_it() {
    everywhere(|| async {
        let path = temporary("unix-full");
        let listener = UnixListener::bind(&path).unwrap();
        // More than the system queues (std asks for 128).
        let clients = join_all((0..200).map(|_| UnixStream::connect(&path)));
        let accepts = listener.incoming().take(200).collect::<Vec<_>>();
        let (clients, accepted) = join(clients, accepts).await;
        std::fs::remove_file(&path).unwrap();
        assert!(clients.iter().all(Result::is_ok));
        assert!(accepted.iter().all(Result::is_ok));
    });
}

#[test]
fn an_accept_that_is_dropped_leaves_the_connection_and_no_waker() {
    on_own_reactor(async {
        let path = temporary("unix-drop");
        let listener = UnixListener::bind(&path).unwrap();
        let (count, waker) = Count::new();
        let mut dropped = listener.accept();
        let polled = std::pin::Pin::new(&mut dropped).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop(dropped);
        let (client, accepted) = join(UnixStream::connect(&path), listener.accept()).await;
        std::fs::remove_file(&path).unwrap();
        assert!(client.is_ok() && accepted.is_ok());
        assert_eq!(count.get(), 0);
    });
}

#[test]
fn errors_name_the_path_and_keep_their_kind() {
    everywhere(|| async {
        let path = temporary("unix-errors");
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let failure = Failure::of(&error).unwrap();
        assert_eq!(failure.action(), Action::Connect);
        assert_eq!(failure.target(), path.display().to_string());

        drop(UnixListener::bind(&path).unwrap());
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(Failure::of(&error).unwrap().action(), Action::Bind);
        std::fs::remove_file(&path).unwrap();

        let long = "x".repeat(200);
        let error = UnixListener::bind(&long).unwrap_err();
        assert!(error.to_string().contains(&long), "{error}");
    });
}

#[test]
fn who_writes_to_a_peer_that_is_gone_is_told_which() {
    everywhere(|| async {
        let path = temporary("unix-gone");
        let listener = UnixListener::bind(&path).unwrap();
        let (client, mut server) = try_join(UnixStream::connect(&path), listener.accept())
            .await
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        drop(client);
        let error = server.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let to = format!("write to a client of {}: ", path.display());
        assert!(error.to_string().starts_with(&to), "{error}");
    });
}

#[test]
fn a_shutdown_wakes_the_reader_of_this_side() {
    on_own_reactor(async {
        let (one, _other) = UnixStream::pair().unwrap();
        let (mut reader, writer) = one.into_split();
        let mut buf = [0; 4];
        let read = reader.read(&mut buf);
        let drops = async { drop(writer) };
        // Only writing ends: the reader goes on.
        let mut read = Box::pin(read);
        drops.await;
        assert!(futures::poll!(&mut read).is_pending());
        drop(read);
        let (mut again, _other) = UnixStream::pair().unwrap();
        again.shutdown(Shutdown::Both).unwrap();
        assert_eq!(again.read(&mut [0; 4]).await.unwrap(), 0);
        again.shutdown(Shutdown::Both).unwrap();
    });
}

#[test]
fn datagrams_keep_their_bounds_and_their_order() {
    everywhere(|| async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let sends = async {
            // More than the queue holds, so that the sender waits.
            for length in 0..200 {
                one.send(&vec![1; length]).await.unwrap();
            }
        };
        let receives = async {
            let mut bytes = [0; 256];
            for length in 0..200 {
                assert_eq!(other.recv(&mut bytes).await.unwrap(), length);
            }
        };
        join(receives, sends).await;
    });
}

#[test]
fn a_datagram_goes_to_a_path_and_says_where_it_came_from() {
    everywhere(|| async {
        let (here, there) = (temporary("dgram-here"), temporary("dgram-there"));
        let one = UnixDatagram::bind(&here).unwrap();
        let other = UnixDatagram::bind(&there).unwrap();
        one.try_send_to(b"hello", &there).unwrap();
        let mut bytes = [0; 16];
        let (length, from) = other.recv_from(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..length], b"hello");
        assert_eq!(from.as_pathname(), Some(&*here));

        let nameless = UnixDatagram::unbound().unwrap();
        nameless.connect(&there).unwrap();
        nameless.send(b"and me").await.unwrap();
        assert!(other.recv_from(&mut bytes).await.unwrap().1.is_unnamed());

        // Nobody reads: in the end the queue is full, which the system does not tell an unconnected
        // sender of.
        let full = loop {
            if let Err(error) = one.try_send_to(&[0; 16], &there) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        drop((one, other));
        std::fs::remove_file(&here).unwrap();
        std::fs::remove_file(&there).unwrap();
        assert!(UnixDatagram::unbound().unwrap().connect(&there).is_err());
    });
}
