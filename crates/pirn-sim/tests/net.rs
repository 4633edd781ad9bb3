//! The network in memory.

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use pirn_executor::{spawn, spawn_local};
use pirn_sim::Sim;
use pirn_sim::net::{Conditions, Datagrams, Listener, Network, Stream};
use pirn_timer::{now, sleep, timeout};
use std::io::{ErrorKind, Result};
use std::net::Shutdown;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// The virtual time, in milliseconds.
fn at() -> u64 {
    now().as_nanos() / 1_000_000
}

struct Pair {
    network: Network,
    listener: Listener,
    client: Stream,
    server: Stream,
}

/// A client and a server that are connected, a millisecond from each other.
async fn pair() -> Pair {
    pair_under(Conditions::new()).await
}

async fn pair_under(conditions: Conditions) -> Pair {
    let network = Network::new(1);
    network.set_conditions(conditions);
    let listener = network.host("server").listen(80).unwrap();
    let client = network
        .host("client")
        .connect(("server", 80))
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    Pair {
        network,
        listener,
        client,
        server,
    }
}

/// Reads so many bytes.
async fn read(stream: &mut Stream, count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn kind_of_read(stream: &mut Stream) -> ErrorKind {
    stream.read(&mut [0; 8]).await.unwrap_err().kind()
}

#[test]
fn what_is_written_arrives_once_the_latency_has_passed() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair_under(Conditions::new().latency(7 * MS..=7 * MS)).await;
        let written = at();
        client.write_all(b"hello").await.unwrap();
        assert_eq!(at(), written);
        assert!(server.read(&mut [0; 8]).now_or_never().is_none());
        assert_eq!(read(&mut server, 5).await.unwrap(), b"hello");
        assert_eq!(at(), written + 7);
    });
}

#[test]
fn a_writer_that_waits_for_room_goes_on_when_the_buffer_grows() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            server: _server,
            ..
        } = pair_under(Conditions::new().buffer(10)).await;
        let writes = spawn(async move {
            client.write_all(&[1; 15]).await.unwrap();
            client.write_all(&[1; 5]).await.unwrap();
            at()
        });
        sleep(MS).await;
        assert!(!writes.is_finished());
        network.set_conditions(Conditions::new().buffer(15));
        sleep(MS).await;
        assert!(!writes.is_finished());
        network.set_conditions_between("server", "client", Conditions::new().buffer(20));
        let grown = at();
        assert_eq!(writes.await.unwrap(), grown);
    });
}

#[test]
fn a_deadlock_says_who_waits_for_bytes_and_who_for_room() {
    let deadlock = Sim::new().try_run(async {
        let Pair {
            mut client,
            server,
            network: _network,
            ..
        } = pair_under(Conditions::new().buffer(10)).await;
        let (mut reads, mut writes) = server.into_split();
        spawn(async move { drop(reads.read(&mut [0; 8]).await) }).detach();
        spawn(async move { drop(writes.write_all(&[1; 11]).await) }).detach();
        sleep(MS).await;
        client.write_all(b"").await.unwrap();
        std::future::pending::<()>().await;
    });
    let deadlock = deadlock.unwrap_err();
    let [_, reads, writes] = deadlock.tasks() else {
        panic!("{deadlock}");
    };
    let bytes = "bytes of a stream in a `Network`";
    assert_eq!(reads.waits_for(), [bytes]);
    let room = "room in a stream of a `Network`";
    assert_eq!(writes.waits_for(), [room]);
}

#[test]
fn to_connect_takes_the_way_there_and_back() {
    Sim::new().run(async {
        let Pair {
            client,
            server,
            listener,
            ..
        } = pair_under(Conditions::new().latency(5 * MS..=5 * MS)).await;
        assert_eq!(at(), 10);
        assert_eq!(client.local_addr(), server.peer_addr());
        assert_eq!(client.peer_addr(), listener.local_addr());
    });
}

/// What arrived when, of ten lines that were written one after the other.
fn arrivals(seed: u64) -> Vec<(u64, u8)> {
    Sim::new().run(async {
        let network = Network::new(seed);
        network.set_conditions(Conditions::new().latency(MS..=50 * MS).loss(0.2).segment(1));
        let listener = network.host("server").listen(80).unwrap();
        let mut client = network
            .host("client")
            .connect(("server", 80))
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"0123456789").await.unwrap();
        drop(client);
        let mut arrived = Vec::new();
        let mut buf = [0; 16];
        loop {
            let count = server.read(&mut buf).await.unwrap();
            if count == 0 {
                return arrived;
            }
            let now = now().as_nanos();
            arrived.extend(buf[..count].iter().map(|byte| (now, *byte)));
        }
    })
}

#[test]
fn a_stream_keeps_its_order_and_loses_nothing_on_a_bad_line() {
    for seed in 0..20 {
        let bytes: Vec<u8> = arrivals(seed).into_iter().map(|(_, byte)| byte).collect();
        assert_eq!(bytes, b"0123456789");
    }
}

#[test]
fn the_same_seed_gives_the_same_network_and_seeds_differ() {
    assert_eq!(arrivals(3), arrivals(3));
    assert!((0..20).any(|seed| arrivals(seed) != arrivals(3)));
}

#[test]
fn a_segment_that_is_lost_comes_after_its_retransmission() {
    let slow = (0..20).filter(|seed| arrivals(*seed).last().unwrap().0 > 200_000_000);
    assert!(slow.count() > 5);
}

#[test]
fn a_writer_waits_while_the_buffer_is_full_and_goes_on_as_it_is_read() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair_under(Conditions::new().buffer(10)).await;
        assert_eq!(client.write(&[1; 16]).await.unwrap(), 10);
        assert!(client.write(&[2; 16]).now_or_never().is_none());
        let writes = async { client.write(&[2; 16]).await.unwrap() };
        let reads = async { read(&mut server, 4).await.unwrap() };
        let (written, _) = futures::join!(writes, reads);
        assert_eq!(written, 4);
    });
}

#[test]
fn a_line_takes_time_for_each_byte_and_streams_share_it() {
    Sim::new().run(async {
        let conditions = Conditions::new().bandwidth(10_000).buffer(1 << 20);
        let Pair {
            network,
            listener,
            mut client,
            mut server,
        } = pair_under(conditions).await;
        let mut second = network
            .host("client")
            .connect(("server", 80))
            .await
            .unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        let begun = at();
        client.write_all(&[0; 10_000]).await.unwrap();
        second.write_all(&[0; 5_000]).await.unwrap();
        // The other direction is free.
        server.write_all(b"!").await.unwrap();
        read(&mut client, 1).await.unwrap();
        assert_eq!(at(), begun + 1);
        read(&mut server, 10_000).await.unwrap();
        assert_eq!(at(), begun + 1001);
        read(&mut other, 5_000).await.unwrap();
        assert_eq!(at(), begun + 1501);
    });
}

#[test]
fn the_end_comes_after_what_was_written_and_the_other_direction_stays_open() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        client.write_all(b"last words").await.unwrap();
        client.close().await.unwrap();
        let error = client.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
        server.write_all(b"answer").await.unwrap();
        assert_eq!(read(&mut client, 6).await.unwrap(), b"answer");
        drop(server);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn who_drops_a_stream_with_bytes_unread_resets_it() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        server.write_all(b"never read").await.unwrap();
        client.write_all(b"on the way").await.unwrap();
        sleep(5 * MS).await;
        drop(client);
        let dropped = at();
        assert!(server.read(&mut [0; 4]).now_or_never().unwrap().is_ok());
        sleep(MS).await;
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
        let error = server.write(b"?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(error.to_string().contains("client:"), "{error}");
        assert_eq!(at(), dropped + 1);
    });
}

#[test]
fn who_writes_to_one_that_is_gone_learns_it_after_the_way_there_and_back() {
    Sim::new().run(async {
        let Pair {
            mut client, server, ..
        } = pair().await;
        drop(server);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        let before = at();
        client.write_all(b"anybody?").await.unwrap();
        sleep(MS).await;
        client.write_all(b"hello?").await.unwrap();
        sleep(MS).await;
        let error = client.write(b"?").await.unwrap_err();
        assert_eq!(
            (error.kind(), at()),
            (ErrorKind::ConnectionReset, before + 2)
        );
    });
}

#[test]
fn a_writer_that_waits_for_room_learns_that_the_reader_is_gone() {
    Sim::new().run(async {
        let Pair {
            mut client, server, ..
        } = pair_under(Conditions::new().buffer(4)).await;
        client.write_all(b"full").await.unwrap();
        let writes = async { client.write(b"!").await.unwrap_err().kind() };
        let goes = async {
            sleep(10 * MS).await;
            drop(server);
        };
        let (kind, ()) = futures::join!(writes, goes);
        assert_eq!(kind, ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reader_that_waits_learns_of_the_end() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        let mut buf = [0; 1];
        let ends = async {
            sleep(10 * MS).await;
            client.close().await.unwrap();
        };
        let (count, ()) = futures::join!(server.read(&mut buf), ends);
        assert_eq!((count.unwrap(), at()), (0, 13));
    });
}

#[test]
fn a_reader_that_waits_learns_of_a_reset() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        client.write_all(b"unread").await.unwrap();
        let shuts = async {
            sleep(10 * MS).await;
            server.shutdown(Shutdown::Read).unwrap();
        };
        let (kind, ()) = futures::join!(kind_of_read(&mut client), shuts);
        assert_eq!((kind, at()), (ErrorKind::ConnectionReset, 13));
        // The direction that was not shut down is cut as well.
        server.write_all(b"lost").await.unwrap();
        let at_the_way = client.read(&mut [0; 4]).await;
        assert!(at_the_way.is_err());
    });
}

#[test]
fn a_reader_that_waits_for_bytes_on_the_way_learns_of_a_reset_before_they_come() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        client.write_all(b"unread").await.unwrap();
        sleep(5 * MS).await;
        let slow = Conditions::new().latency(100 * MS..=100 * MS);
        network.set_conditions(slow);
        server.write_all(b"on the way").await.unwrap();
        network.set_conditions(Conditions::new());
        server.shutdown(Shutdown::Read).unwrap();
        let begun = at();
        assert_eq!(kind_of_read(&mut client).await, ErrorKind::ConnectionReset);
        assert_eq!(at(), begun + 1);
    });
}

#[test]
fn a_segment_may_be_lost_again_and_waits_twice_as_long_then() {
    Sim::new().run(async {
        let conditions = Conditions::new().loss(0.5).segment(1);
        let Pair {
            mut client,
            mut server,
            ..
        } = pair_under(conditions).await;
        let mut times = Vec::new();
        for _ in 0..20 {
            let begun = at();
            client.write_all(b"!").await.unwrap();
            read(&mut server, 1).await.unwrap();
            times.push(at() - begun);
        }
        // 200 ms, then 400 more, then 800 more, and so on, and the way itself.
        for time in &times {
            assert!(
                (0..30).any(|lost| *time == 200 * ((1 << lost) - 1) + 1),
                "{time}"
            );
        }
        assert!(times.contains(&1) && times.contains(&201) && times.contains(&601));
    });
}

#[test]
fn who_shuts_reading_down_reads_the_end_and_answers_with_a_reset() {
    Sim::new().run(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        client.write_all(b"one way").await.unwrap();
        assert_eq!(read(&mut server, 7).await.unwrap(), b"one way");
        server.write_all(b"no").await.unwrap();
        sleep(2 * MS).await;
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_half_that_is_dropped_ends_its_direction_alone() {
    Sim::new().run(async {
        let Pair {
            client, mut server, ..
        } = pair().await;
        let (mut reads, writes) = client.into_split();
        drop(writes);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        server.write_all(b"!").await.unwrap();
        reads.read_exact(&mut [0]).await.unwrap();
        drop(reads);
        server.write_all(b"?").await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        sleep(2 * MS).await;
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
    });
}

#[test]
fn who_connects_to_nobody_is_told_why() {
    Sim::new().run(async {
        let network = Network::new(1);
        let client = network.host("client");
        let error = client.connect(("nowhere", 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        network.host("server");
        let error = client.connect(("server", 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            error.to_string(),
            "client could not connect to server:1: nobody listens there"
        );
        let begun = at();
        network.part(&["client"], &["server"]);
        let error = client.connect(("server", 1)).await.unwrap_err();
        assert_eq!((error.kind(), at()), (ErrorKind::TimedOut, begun + 30_000));
    });
}

#[test]
fn a_port_is_taken_once_and_free_again() {
    Sim::new().run(async {
        let host = Network::new(1).host("server");
        let listener = host.listen(80).unwrap();
        assert_eq!(host.listen(80).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert!(host.listen(80).is_ok());
        let (one, other) = (host.listen(0).unwrap(), host.listen(0).unwrap());
        assert_ne!(one.local_addr(), other.local_addr());
        let socket = host.bind(80).unwrap();
        assert_eq!(host.bind(80).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(socket);
    });
}

#[test]
fn connections_that_were_not_accepted_end_with_the_listener() {
    Sim::new().run(async {
        let network = Network::new(1);
        let listener = network.host("server").listen(80).unwrap();
        let mut client = network
            .host("client")
            .connect(("server", 80))
            .await
            .unwrap();
        drop(listener);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_client_beyond_those_who_may_wait_tries_again() {
    Sim::new().run(async {
        let network = Network::new(1);
        let listener = network.host("server").listen(80).unwrap();
        let client = network.host("client");
        let mut clients = Vec::new();
        for _ in 0..128 {
            clients.push(client.connect(("server", 80)).await.unwrap());
        }
        let next = client.connect(("server", 80));
        let (next, accepted) = futures::join!(next, async {
            sleep(100 * MS).await;
            listener.accept().await
        });
        assert!(next.is_ok() && accepted.is_ok());
        assert!(at() > 200);
    });
}

#[test]
fn one_who_stops_connecting_leaves_a_connection_that_ends() {
    Sim::new().run(async {
        let network = Network::new(1);
        network.set_conditions(Conditions::new().latency(10 * MS..=10 * MS));
        let listener = network.host("server").listen(80).unwrap();
        let client = network.host("client");
        assert!(
            timeout(15 * MS, client.connect(("server", 80)))
                .await
                .is_err()
        );
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn what_is_on_the_way_as_hosts_are_parted_arrives_after_they_are_joined() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair_under(Conditions::new().latency(10 * MS..=10 * MS)).await;
        client.write_all(b"a").await.unwrap();
        sleep(12 * MS).await;
        client.write_all(b"b").await.unwrap();
        sleep(5 * MS).await;
        network.part(&["server", "other"], &["client"]);
        client.write_all(b"c").await.unwrap();
        client.close().await.unwrap();
        // The first has arrived before.
        assert_eq!(read(&mut server, 1).await.unwrap(), b"a");
        assert!(timeout(1000 * MS, server.read(&mut [0])).await.is_err());
        let healed = at();
        network.heal();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&rest[..], at()), (&b"bc"[..], healed + 10));
    });
}

#[test]
fn a_reader_that_waits_goes_on_as_hosts_are_joined() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        network.isolate(&["client"]);
        client.write_all(b"!").await.unwrap();
        let heals = async {
            sleep(100 * MS).await;
            network.heal();
        };
        let (bytes, ()) = futures::join!(read(&mut server, 1), heals);
        assert_eq!(bytes.unwrap(), b"!");
    });
}

#[test]
fn hosts_on_the_same_side_reach_each_other() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        network.host("third");
        network.isolate(&["client", "server"]);
        network.part(&["third"], &["client"]);
        client.write_all(b"!").await.unwrap();
        assert_eq!(read(&mut server, 1).await.unwrap(), b"!");
    });
}

#[test]
fn one_who_connects_to_a_parted_host_waits_until_they_are_joined() {
    Sim::new().run(async {
        let network = Network::new(1);
        let _listener = network.host("server").listen(80).unwrap();
        let client = network.host("client");
        network.isolate(&["server"]);
        let heals = async {
            sleep(5000 * MS).await;
            network.heal();
        };
        let (stream, ()) = futures::join!(client.connect(("server", 80)), heals);
        assert!(stream.is_ok());
        assert_eq!(at(), 5002);
    });
}

#[test]
fn word_of_a_reset_waits_until_hosts_are_joined() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        server.write_all(b"unread").await.unwrap();
        sleep(2 * MS).await;
        network.isolate(&["server"]);
        drop(client.write(b"").await);
        drop(client);
        assert!(timeout(1000 * MS, server.read(&mut [0])).await.is_err());
        network.heal();
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
    });
}

#[test]
fn connections_that_are_reset_fail_at_both_ends_and_others_go_on() {
    Sim::new().run(async {
        let Pair {
            network,
            listener,
            mut client,
            mut server,
        } = pair().await;
        let mut other = network.host("other").connect(("server", 80)).await.unwrap();
        let (mut served, _) = listener.accept().await.unwrap();
        client.write_all(b"lost").await.unwrap();
        network.reset(&["client"], &["server"]);
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
        assert_eq!(kind_of_read(&mut client).await, ErrorKind::ConnectionReset);
        assert!(client.write(b"?").await.is_err());
        other.write_all(b"!").await.unwrap();
        assert_eq!(read(&mut served, 1).await.unwrap(), b"!");
    });
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    Sim::new().run(async {
        let conditions = Conditions::new().latency(MS..=20 * MS).segment(3);
        let Pair {
            mut client,
            mut server,
            ..
        } = pair_under(conditions).await;
        let text: Vec<u8> = (0..200).collect();
        client.write_all(&text).await.unwrap();
        client.close().await.unwrap();
        let mut heard = Vec::new();
        let mut buf = [0; 2];
        let (mut ended, mut dropped) = (false, 0);
        while !ended {
            match timeout(MS / 2, server.read(&mut buf)).await {
                Ok(count) => {
                    let count = count.unwrap();
                    heard.extend_from_slice(&buf[..count]);
                    ended = count == 0;
                }
                Err(_) => dropped += 1,
            }
        }
        assert_eq!(heard, text);
        assert!(dropped > 5);
    });
}

#[test]
fn one_who_waits_for_what_never_comes_is_a_deadlock() {
    let ended = Sim::new().try_run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        client.write_all(b"!").await.unwrap();
        network.isolate(&["client"]);
        read(&mut server, 1).await
    });
    assert!(ended.is_err());
}

#[test]
fn two_who_accept_are_both_served() {
    Sim::new().run(async {
        let network = Network::new(1);
        let listener = std::rc::Rc::new(network.host("server").listen(80).unwrap());
        let acceptors = [0, 1].map(|_| {
            let listener = listener.clone();
            spawn_local(async move { listener.accept().await.unwrap().1 })
        });
        // One who leaves takes none with it.
        assert!(listener.accept().now_or_never().is_none());
        let client = network.host("client");
        let first = client.connect(("server", 80)).await.unwrap();
        let second = client.connect(("server", 80)).await.unwrap();
        let [one, other] = acceptors;
        let mut served = [one.await.unwrap(), other.await.unwrap()];
        served.sort();
        assert_eq!(
            served,
            [first.local_addr().clone(), second.local_addr().clone()]
        );
    });
}

#[test]
fn a_network_works_by_the_real_clock_too() {
    let heard = futures::executor::block_on(async {
        let Pair {
            mut client,
            mut server,
            ..
        } = pair().await;
        client.write_all(b"real").await.unwrap();
        read(&mut server, 4).await
    });
    assert_eq!(heard.unwrap(), b"real");
}

#[test]
fn what_outlives_its_run_can_be_dropped() {
    let (mut kept, client) = Sim::new().run(async {
        let Pair {
            mut client,
            server,
            listener,
            network,
        } = pair().await;
        client.write_all(b"unread").await.unwrap();
        sleep(5 * MS).await;
        ((server, listener, network), client)
    });
    drop(client);
    kept.0 = Sim::new().run(async { kept.0 });
    drop(kept);
}

// Datagrams.

fn sockets(conditions: Conditions) -> (Network, Datagrams, Datagrams) {
    let network = Network::new(1);
    network.set_conditions(conditions);
    let (from, to) = (network.host("a").bind(1), network.host("b").bind(2));
    (network, from.unwrap(), to.unwrap())
}

/// Sends so many, and gives those that come within a second.
async fn exchange(from: &Datagrams, to: &Datagrams, count: u8) -> Vec<u8> {
    for number in 0..count {
        assert_eq!(from.send_to(&[number], to.local_addr()).await.unwrap(), 1);
    }
    drain(to).await
}

async fn drain(to: &Datagrams) -> Vec<u8> {
    let mut arrived = Vec::new();
    let mut buf = [0; 4];
    while let Ok(received) = timeout(1000 * MS, to.recv_from(&mut buf)).await {
        let (count, from) = received.unwrap();
        assert_eq!((count, from.host()), (1, "a"));
        arrived.push(buf[0]);
    }
    arrived
}

#[test]
fn datagrams_of_one_latency_come_in_order() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new());
        assert!(exchange(&from, &to, 50).await.into_iter().eq(0..50));
    });
}

#[test]
fn datagrams_of_several_latencies_overtake_each_other_and_all_come() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new().latency(MS..=100 * MS));
        let mut arrived = exchange(&from, &to, 50).await;
        assert!(!arrived.is_sorted());
        arrived.sort_unstable();
        assert!(arrived.into_iter().eq(0..50));
    });
}

#[test]
fn datagrams_are_lost_as_often_as_it_was_said() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new().loss(0.25));
        let arrived = exchange(&from, &to, 200).await.len();
        assert!((120..180).contains(&arrived), "{arrived}");
    });
}

#[test]
fn datagrams_on_the_way_are_lost_as_hosts_are_parted() {
    Sim::new().run(async {
        let (network, from, to) = sockets(Conditions::new().latency(10 * MS..=10 * MS));
        from.send_to(&[1], ("b", 2)).await.unwrap();
        sleep(10 * MS).await;
        from.send_to(&[2], ("b", 2)).await.unwrap();
        sleep(5 * MS).await;
        network.part(&["a"], &["b"]);
        from.send_to(&[3], ("b", 2)).await.unwrap();
        network.heal();
        from.send_to(&[4], ("b", 2)).await.unwrap();
        assert_eq!(drain(&to).await, [1, 4]);
    });
}

#[test]
fn datagrams_beyond_the_buffer_are_lost_and_it_empties_as_they_are_received() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new().buffer(10));
        assert_eq!(exchange(&from, &to, 50).await.len(), 10);
        assert_eq!(exchange(&from, &to, 5).await.len(), 5);
    });
}

#[test]
fn datagrams_that_were_lost_on_the_way_leave_room() {
    Sim::new().run(async {
        let (network, from, to) = sockets(Conditions::new().buffer(2));
        from.send_to(&[1], ("b", 2)).await.unwrap();
        from.send_to(&[2], ("b", 2)).await.unwrap();
        network.isolate(&["a"]);
        network.heal();
        assert_eq!(exchange(&from, &to, 2).await, [0, 1]);
    });
}

#[test]
fn one_who_waits_for_a_datagram_has_it_as_it_arrives() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new());
        let mut buf = [0; 1];
        let sends = async {
            sleep(10 * MS).await;
            from.send_to(&[7], ("b", 2)).await.unwrap();
        };
        let (received, ()) = futures::join!(to.recv_from(&mut buf), sends);
        assert_eq!(&received.unwrap().1, from.local_addr());
        assert_eq!((buf, at()), ([7], 11));
    });
}

#[test]
fn a_datagram_goes_to_somebody_or_nobody_and_is_cut_where_it_does_not_fit() {
    Sim::new().run(async {
        let (_network, from, to) = sockets(Conditions::new());
        from.send_to(b"nobody", ("b", 3)).await.unwrap();
        let error = from.send_to(b"?", ("c", 3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = from.send_to(&[0; 70_000], ("b", 2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        from.send_to(b"long", ("b", 2)).await.unwrap();
        from.send_to(b"next", ("b", 2)).await.unwrap();
        let mut buf = [0; 2];
        for expected in [b"lo", b"ne"] {
            assert_eq!(to.recv_from(&mut buf).await.unwrap().0, 2);
            assert_eq!(&buf, expected);
        }
    });
}

#[test]
fn a_stream_may_be_used_by_a_task_on_any_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    Sim::new().run(async {
        let Pair {
            client,
            server,
            network,
            ..
        } = is_send(pair()).await;
        let (mut client, mut server) = (is_send(client), is_send(server));
        spawn(async move { client.write_all(b"!").await }).detach();
        read(&mut server, 1).await.unwrap();
        is_send(network);
    });
}

#[test]
fn a_host_whose_ports_are_all_in_use_says_so_and_has_them_again() {
    Sim::new().run(async {
        let network = Network::new(1);
        let listener = network.host("server").listen(80).unwrap();
        let client = network.host("client");
        let mut sockets = Vec::new();
        for port in 49_152..65_534 {
            sockets.push(client.bind(port).unwrap());
        }
        // Two are left: one is given to a connection, and one to somebody who is still to connect.
        let stream = client.connect(("server", 80)).await.unwrap();
        assert!(stream.local_addr().port() >= 65_534);
        let mut connecting = Box::pin(client.connect(("server", 80)));
        assert!(futures::poll!(connecting.as_mut()).is_pending());
        let error = client.connect(("server", 80)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        assert_eq!(
            error.to_string(),
            "client could not connect to server:80: client has no free port: its 16384 are in use"
        );
        for error in [client.listen(0).unwrap_err(), client.bind(0).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        }
        assert!(client.listen(81).is_ok(), "none of them");
        drop(connecting);
        drop(client.connect(("server", 80)).await.unwrap());
        let (theirs, _) = listener.accept().await.unwrap();
        // The second is accepted by nobody: its port is free with the listener.
        assert!(client.bind(0).is_err());
        drop(listener);
        drop(client.bind(0).unwrap());
        // The first is free once both ends are gone.
        let held = client.bind(0).unwrap();
        drop(stream);
        assert!(client.bind(0).is_err());
        drop(theirs);
        assert!(client.bind(0).is_ok());
        drop(held);
    });
}

#[test]
fn connections_beside_do_not_make_another_one_dear() {
    Sim::new().run(async {
        let network = Network::new(1);
        let (client, server) = (network.host("client"), network.host("server"));
        let listener = server.listen(80).unwrap();
        let mut streams = Vec::new();
        for _ in 0..16_384 {
            let stream = client.connect(("server", 80)).await.unwrap();
            streams.push((stream, listener.accept().await.unwrap()));
        }
        let error = client.connect(("server", 80)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

/// Loses all but one in a million.
fn hopeless() -> Conditions {
    Conditions::new().loss(0.999_999)
}

/// Fifteen times again, after 0.2 s, 0.4 s and so on up to two minutes, and once more so long.
const GIVEN_UP: u64 = 924_600;

#[test]
fn what_is_lost_each_time_ends_the_connection_for_who_sent_it() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        server.write_all(b"early").await.unwrap();
        network.set_conditions(hopeless());
        let written = at();
        client.write_all(b"hello").await.unwrap();
        assert_eq!(read(&mut client, 5).await.unwrap(), b"early");
        assert_eq!(kind_of_read(&mut client).await, ErrorKind::TimedOut);
        assert_eq!(at(), written + GIVEN_UP);
        let error = client.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // The other side is not told, until it sends something.
        network.set_conditions(Conditions::new());
        assert!(server.read(&mut [0; 8]).now_or_never().is_none());
        server.write_all(b"still there?").await.unwrap();
        assert_eq!(kind_of_read(&mut server).await, ErrorKind::ConnectionReset);
        assert_eq!(at(), written + GIVEN_UP + 2);
    });
}

#[test]
fn writers_that_wait_for_room_learn_that_the_connection_was_given_up() {
    Sim::new().run(async {
        let Pair {
            network,
            mut client,
            mut server,
            ..
        } = pair().await;
        server.write_all(&[1; 10]).await.unwrap();
        network.set_conditions(hopeless().buffer(10));
        let written = at();
        client.write_all(&[1; 10]).await.unwrap();
        network.set_conditions(Conditions::new().buffer(10));
        let (ours, theirs) = futures::join!(
            async { client.write(&[2]).await.unwrap_err().kind() },
            async {
                assert_eq!(server.write(&[2]).await.unwrap(), 1);
                (kind_of_read(&mut server).await, at())
            }
        );
        assert_eq!(ours, ErrorKind::TimedOut);
        let told = written + GIVEN_UP + 2;
        assert_eq!(theirs, (ErrorKind::ConnectionReset, told));
    });
}

#[test]
fn who_connects_gives_up_where_each_try_is_lost() {
    Sim::new().run(async {
        let network = Network::new(1);
        network.set_conditions(hopeless().patience(Duration::MAX));
        let _listener = network.host("server").listen(80).unwrap();
        let error = network.host("client").connect(("server", 80)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(at(), GIVEN_UP);
    });
}

/// What comes of 20 kB on a line that loses nine in ten: how many bytes arrived, or why they did not; and
/// when.
fn sent_on_a_bad_line(seed: u64) -> (Result<usize>, u64) {
    Sim::new().run(async {
        let network = Network::new(seed);
        let listener = network.host("server").listen(80).unwrap();
        let client = network.host("client");
        let mut client = client.connect(("server", 80)).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        network.set_conditions(Conditions::new().loss(0.9));
        client.write_all(&[7; 20_000]).await.unwrap();
        client.close().await.unwrap();
        let (mut all, mut buf) = (Vec::new(), [0]);
        let ended = futures::select_biased! {
            read = server.read_to_end(&mut all).fuse() => read,
            // The server sends nothing: it is the end of the wait.
            read = client.read(&mut buf).fuse() => read,
        };
        (ended, at())
    })
}

#[test]
fn a_very_bad_line_takes_minutes_and_either_brings_all_or_fails() {
    let all: Vec<_> = (0..100).map(sent_on_a_bad_line).collect();
    let arrived = all.iter().filter(|(ended, _)| ended.is_ok()).count();
    assert!((1..50).contains(&arrived), "{arrived}");
    for (ended, at) in all {
        match ended {
            Ok(bytes) => assert_eq!(bytes, 20_000),
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        }
        assert!(at <= GIVEN_UP + 2, "{at}");
    }
}
