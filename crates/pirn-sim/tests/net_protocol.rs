//! A server and twenty clients on a bad network, under a hundred seeds.

use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use pirn_executor::spawn_local;
use pirn_sim::Sim;
use pirn_sim::net::{Conditions, Host, Listener, Network, Stream};
use pirn_timer::{sleep, timeout};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const CLIENTS: usize = 20;
const LINES: usize = 10;

/// What the server has of each client, in the order in which it came.
type Store = Rc<RefCell<BTreeMap<String, Vec<usize>>>>;

/// `put CLIENT NUMBER` is kept, once, and answered with `kept NUMBER`.
async fn serve(stream: Stream, store: Store) -> io::Result<()> {
    let (reads, mut writes) = stream.into_split();
    let mut lines = BufReader::new(reads).lines();
    while let Some(line) = lines.next().await {
        let line = line?;
        let mut words = line.split(' ');
        let (Some("put"), Some(client), Some(number)) = (words.next(), words.next(), words.next())
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let number: usize = number.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        {
            let mut store = store.borrow_mut();
            let kept = store.entry(client.to_owned()).or_default();
            // It may be sent again by a client that did not hear the answer.
            if number == kept.len() {
                kept.push(number);
            }
        }
        writes
            .write_all(format!("kept {number}\n").as_bytes())
            .await?;
    }
    Ok(())
}

async fn listen(listener: Listener, store: Store) {
    while let Ok((stream, _)) = listener.accept().await {
        let store = Rc::clone(&store);
        // A connection that breaks is the client's to make anew.
        spawn_local(async move { drop(serve(stream, store).await) }).detach();
    }
}

/// Sends the lines from the one that was not answered on, until the connection breaks.
async fn send_lines(host: &Host, sent: &mut usize) -> io::Result<()> {
    let stream = host.connect(("server", 80)).await?;
    let (reads, mut writes) = stream.into_split();
    let mut answers = BufReader::new(reads).lines();
    while *sent < LINES {
        let line = format!("put {} {sent}\n", host.name());
        writes.write_all(line.as_bytes()).await?;
        let answer = timeout(500 * MS, answers.next()).await;
        let answer = answer.map_err(|_| io::ErrorKind::TimedOut)?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)??;
        assert_eq!(answer, format!("kept {sent}"));
        *sent += 1;
        sleep(20 * MS).await;
    }
    writes.close().await
}

/// Sends all lines, however often it has to connect. Gives how often that was.
async fn client(host: Host) -> usize {
    let (mut sent, mut connections) = (0, 0);
    loop {
        connections += 1;
        match send_lines(&host, &mut sent).await {
            Ok(()) => return connections,
            Err(_) => sleep(50 * MS).await,
        }
    }
}

/// One that does not send again what was not answered.
async fn careless_client(host: Host) -> usize {
    for number in 0..LINES {
        let Ok(mut stream) = host.connect(("server", 80)).await else {
            continue;
        };
        let line = format!("put {} {number}\n", host.name());
        let _ = stream.write_all(line.as_bytes()).await;
        sleep(100 * MS).await;
    }
    LINES
}

/// Runs twenty clients while hosts are parted, joined, and connections reset. Gives what the server
/// has, and how often clients connected.
fn run<F: Future<Output = usize> + 'static>(
    seed: u64,
    client: fn(Host) -> F,
) -> (BTreeMap<String, Vec<usize>>, usize) {
    Sim::new().seed(seed).run(async move {
        let network = Network::new(seed);
        let line = Conditions::new()
            .latency(MS..=30 * MS)
            .loss(0.02)
            .segment(7);
        network.set_conditions(line);
        let store = Store::default();
        let listener = network.host("server").listen(80).unwrap();
        spawn_local(listen(listener, Rc::clone(&store))).detach();
        let names: Vec<String> = (0..CLIENTS)
            .map(|number| format!("client{number}"))
            .collect();
        let clients: Vec<_> = names
            .iter()
            .map(|name| spawn_local(client(network.host(name))))
            .collect();

        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sleep(100 * MS).await;
        network.part(&["server"], &names[..CLIENTS / 2]);
        sleep(150 * MS).await;
        network.reset(&["server"], &names[CLIENTS / 4..]);
        sleep(1000 * MS).await;
        network.heal();
        sleep(100 * MS).await;
        network.isolate(&["server"]);
        sleep(700 * MS).await;
        network.heal();

        let mut connections = 0;
        for client in clients {
            connections += client.await.unwrap();
        }
        (store.take(), connections)
    })
}

#[test]
fn twenty_clients_lose_no_line_though_hosts_are_parted_and_connections_reset() {
    let all: Vec<usize> = (0..LINES).collect();
    for seed in 0..100 {
        let (store, connections) = run(seed, client);
        assert_eq!(store.len(), CLIENTS, "seed {seed}");
        for (client, kept) in store {
            assert_eq!(kept, all, "seed {seed}, {client}");
        }
        // They had to.
        assert!(connections > 2 * CLIENTS, "seed {seed}: {connections}");
    }
}

#[test]
fn a_run_with_the_same_seed_is_the_same() {
    assert_eq!(run(5, client), run(5, client));
    let connections = |seed| run(seed, client).1;
    assert!((0..10).any(|seed| connections(seed) != connections(5)));
}

#[test]
fn a_client_that_does_not_send_again_loses_lines_and_that_is_seen() {
    let complete = |(store, _): (BTreeMap<String, Vec<usize>>, usize)| {
        store.len() == CLIENTS && store.values().all(|kept| kept.len() == LINES)
    };
    assert!((0..5).all(|seed| !complete(run(seed, careless_client))));
}
