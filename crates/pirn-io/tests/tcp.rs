//! TCP over loopback: data, ends, errors, cancelling.
#![cfg(not(loom))]

mod util;

use futures::future::{join, join_all, select, try_join};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use pirn_io::{Action, Failure, TcpListener, TcpStream};
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::pin;
use std::task::{Context, Poll};
use util::{Count, everywhere, on_own_reactor};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr());
    let (client, accepted) = try_join(client, listener.accept()).await.unwrap();
    (client, accepted.0)
}

#[test]
fn bytes_arrive_in_both_directions() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"question").await.unwrap();
        let mut bytes = [0; 8];
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"question");
        server.write_all(b"answer").await.unwrap();
        let mut bytes = [0; 6];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"answer");
    });
}

#[test]
fn the_end_is_read_once_the_peer_closes_its_half_and_the_other_half_still_carries() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"all").await.unwrap();
        client.close().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "all");
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "the end stays");
        server.write_all(b"thanks").await.unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "thanks");
    });
}

#[test]
fn data_and_the_end_in_one_edge_are_both_read_with_a_short_read_in_between() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        let mut large = [0; 1024];
        // The server waits, so that the edge finds it without readiness of its own.
        let waits = server.read(&mut large);
        let speaks = async {
            client.write_all(b"last words").await.unwrap();
            drop(client);
        };
        let (read, ()) = join(waits, speaks).await;
        assert_eq!(read.unwrap(), 10);
        assert_eq!(server.read(&mut large).await.unwrap(), 0);
    });
}

#[test]
fn more_than_the_buffers_hold_passes_when_both_sides_move() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        let sent: Vec<u8> = (0..8_000_000_u32).map(|i| (i % 251) as u8).collect();
        let send = async {
            client.write_all(&sent).await.unwrap();
            client.close().await.unwrap();
        };
        let mut received = Vec::new();
        let ((), count) = join(send, server.read_to_end(&mut received)).await;
        assert_eq!(count.unwrap(), sent.len());
        assert!(received == sent);
    });
}

#[test]
fn slices_are_gathered_and_scattered_also_more_than_one_try_takes() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        let pieces: Vec<[u8; 2]> = (0..200_u8).map(|i| [i, i]).collect();
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut written = client.write_vectored(&slices).await.unwrap();
        assert!(written >= 2);
        let flat: Vec<u8> = pieces.concat();
        while written < flat.len() {
            written += client.write(&flat[written..]).await.unwrap();
        }
        let (mut first, mut second) = ([0; 3], [0; 397]);
        let count = server
            .read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)])
            .await
            .unwrap();
        assert!(count > 3);
        server.read_exact(&mut second[count - 3..]).await.unwrap();
        assert_eq!([&first[..], &second[..]].concat(), flat);
    });
}

#[test]
fn a_refused_connection_names_the_address_and_keeps_its_kind() {
    everywhere(|| async {
        let free = "127.0.0.1:1"; // reserved, and served nowhere
        let error = TcpStream::connect(free).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(
            error
                .to_string()
                .starts_with(&format!("connect to {free}: ")),
            "{error}"
        );
        let failure = Failure::of(&error).unwrap();
        assert_eq!(failure.action(), Action::Connect);
        assert_eq!(failure.target(), free);
        assert!(failure.system().raw_os_error().is_some());
    });
}

#[test]
fn an_address_in_use_is_named() {
    everywhere(|| async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = TcpListener::bind(taken.local_addr()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let start = format!("listen at {}: ", taken.local_addr());
        assert!(error.to_string().starts_with(&start), "{error}");
    });
}

#[test]
fn an_address_can_be_taken_again_at_once() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let client = TcpStream::connect(address);
        let (client, accepted) = try_join(client, listener.accept()).await.unwrap();
        drop((accepted, listener)); // the server closes first: its side lingers
        drop(client);
        assert!(TcpListener::bind(address).await.is_ok());
    });
}

#[test]
fn a_reset_by_the_peer_is_an_error_that_names_it() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"unread").await.unwrap();
        let mut one = [0; 1];
        server.read_exact(&mut one).await.unwrap();
        drop(server); // with bytes unread: that resets
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let start = format!("read from {}: ", client.peer_addr());
        assert!(error.to_string().starts_with(&start), "{error}");
        let error = loop {
            match client.write(b"anyone?").await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(
            error.to_string().starts_with("write to 127.0.0.1:"),
            "{error}"
        );
    });
}

#[test]
fn a_reset_wakes_a_writer_that_waits() {
    on_own_reactor(async {
        let (mut client, server) = pair().await;
        let full = vec![7; 1 << 20];
        let write = async {
            loop {
                if let Err(error) = client.write_all(&full).await {
                    return error;
                }
            }
        };
        let mut write = pin!(write);
        // Fill the buffers until the write waits.
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(write.as_mut().poll(&mut cx).is_pending());
        drop(server);
        let error = write.await;
        assert!(
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ),
            "{error}"
        );
    });
}

#[test]
fn several_tasks_may_accept_from_one_listener() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let accepts = join_all((0..4).map(|_| listener.accept()));
        let connects = join_all((0..4).map(|_| TcpStream::connect(listener.local_addr())));
        let (accepted, connected) = join(accepts, connects).await;
        assert!(accepted.iter().all(|each| each.is_ok()));
        assert!(connected.iter().all(|each| each.is_ok()));
    });
}

#[test]
fn a_dropped_accept_loses_no_connection() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        {
            let (_, waker) = Count::new();
            let mut accept = pin!(listener.accept());
            let polled = accept.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        let client = TcpStream::connect(listener.local_addr()).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn the_incoming_stream_gives_each_connection() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = join_all((0..3).map(|_| TcpStream::connect(listener.local_addr())));
        let (peers, _clients) = join(
            listener
                .incoming()
                .take(3)
                .map(|stream| stream.unwrap().peer_addr())
                .collect::<Vec<_>>(),
            connect,
        )
        .await;
        assert_eq!(peers.len(), 3);
    });
}

#[test]
fn the_halves_work_in_two_tasks_and_the_write_halfs_drop_is_the_end() {
    everywhere(|| async {
        let (client, server) = pair().await;
        let (mut reader, mut writer) = client.into_split();
        let (mut theirs, mut back) = server.into_split();
        let send = async move {
            for i in 0..1000_u32 {
                writer.write_all(&i.to_be_bytes()).await.unwrap();
            }
        };
        let echo = async move {
            futures::io::copy(&mut theirs, &mut back).await.unwrap();
        };
        let receive = async {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes.len(), 4000);
        };
        join(join(send, echo), receive).await;
    });
}

#[test]
fn the_peers_end_wakes_a_reader_that_waits() {
    everywhere(|| async {
        let (mut reader, server) = pair().await;
        let mut buffer = [0; 8];
        let mut read = pin!(reader.read(&mut buffer));
        let (_, waker) = Count::new();
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(server);
        assert_eq!(read.await.unwrap(), 0);
    });
}

#[test]
fn nodelay_can_be_set() {
    everywhere(|| async {
        let (client, _server) = pair().await;
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        client.shutdown(Shutdown::Both).unwrap();
        client.shutdown(Shutdown::Both).unwrap();
    });
}

#[test]
fn what_is_not_an_address_is_named() {
    everywhere(|| async {
        for wrong in ["nonsense", "host:99999", ":80"] {
            let error = TcpStream::connect(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    });
}

#[test]
fn reading_and_writing_spend_the_budget() {
    on_own_reactor(async {
        let (mut client, mut server) = pair().await;
        client.write_all(&[1; 1000]).await.unwrap();
        let mut first = [0; 1];
        server.read_exact(&mut first).await.unwrap();
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        let refilled = pirn_core::budget::refill();
        let mut read = 0;
        loop {
            let mut byte = [0; 1];
            match pin!(server.read(&mut byte)).poll(&mut cx) {
                Poll::Ready(result) => read += result.unwrap(),
                Poll::Pending => break,
            }
        }
        drop(refilled);
        assert_eq!(read as u32, pirn_core::budget::BUDGET);
        assert_eq!(count.get(), 1, "it woke itself");
    });
}

#[test]
fn many_connections_echo_random_chunks_and_every_byte_arrives() {
    everywhere(|| async {
        const CONNECTIONS: usize = 32;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            listener
                .incoming()
                .take(CONNECTIONS)
                .for_each_concurrent(None, |stream| async {
                    let mut stream = stream.unwrap();
                    let mut random = fastrand::Rng::with_seed(u64::from(stream.peer_addr().port()));
                    let mut buffer = vec![0; 4096];
                    loop {
                        let room = random.usize(1..=buffer.len());
                        match stream.read(&mut buffer[..room]).await.unwrap() {
                            0 => break,
                            count => stream.write_all(&buffer[..count]).await.unwrap(),
                        }
                    }
                    stream.close().await.unwrap();
                });
        let address = listener.local_addr();
        let clients = join_all((0..CONNECTIONS).map(|seed| async move {
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let mut sent = vec![0; random.usize(1..60_000)];
            random.fill(&mut sent);
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut reader, mut writer) = stream.into_split();
            let send = async {
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let count = random.usize(1..=rest.len().min(5000));
                    writer.write_all(&rest[..count]).await.unwrap();
                    rest = &rest[count..];
                }
                writer.close().await.unwrap();
            };
            let mut received = Vec::new();
            let (read, ()) = join(reader.read_to_end(&mut received), send).await;
            assert_eq!(read.unwrap(), sent.len());
            assert!(received == sent, "connection {seed}");
        }));
        join(server, clients).await;
    });
}

#[test]
fn a_dropped_connect_closes_its_socket() {
    on_own_reactor(async {
        let reactor = pirn_io::Handle::current().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = pin!(TcpStream::connect(listener.local_addr()));
        drop(select(connect, futures::future::ready(())).await);
        assert_eq!(reactor.sources(), 1, "the listener alone");
    });
}
