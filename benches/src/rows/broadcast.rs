//! Channels where each receiver sees all: bursts of one sender to eight receivers. The host is
//! tokio's for all.

use std::future::Future;

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio, yield_now},
};

const RECEIVERS: usize = 8;
/// Items that are sent before the receivers run.
const BURST: u64 = 16;
/// Nobody ever lags.
const CAPACITY: usize = 64;

/// A broadcast channel of numbers, as much of it as the row needs.
trait Broadcast: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn new(capacity: usize) -> Self::Sender;
    fn subscribe(sender: &Self::Sender) -> Self::Receiver;
    fn send(sender: &Self::Sender, item: u64);
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let about = "one item to each of 8 receivers, in bursts of 16";
    vec![Row::new("broadcast.8_receivers.1", about, || {
        let host = Tokio::with_workers(1);
        vec![
            contender::<Pirn>("pirn", &host),
            contender::<TokioBroadcast>("tokio", &host),
            contender::<Asyncband>("asyncband", &host),
        ]
    })]
}

fn contender<B: Broadcast>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let items = count.next_multiple_of(BURST);
        let root = host.clone();
        host.run(async move {
            let sender = B::new(CAPACITY);
            let tasks: Vec<_> = (0..RECEIVERS)
                .map(|_| {
                    let mut receiver = B::subscribe(&sender);
                    root.spawn(async move {
                        for item in 0..items {
                            assert_eq!(B::receive(&mut receiver).await, item);
                        }
                    })
                })
                .collect();
            for item in 0..items {
                if item % BURST == 0 {
                    // There is one thread: they see all there is, and wait.
                    yield_now().await;
                }
                B::send(&sender, item);
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

struct Pirn;

impl Broadcast for Pirn {
    type Sender = pirn_sync::broadcast::Sender<u64>;
    type Receiver = pirn_sync::broadcast::Receiver<u64>;

    fn new(capacity: usize) -> Self::Sender {
        pirn_sync::broadcast::channel(capacity).0
    }

    fn subscribe(sender: &Self::Sender) -> Self::Receiver {
        sender.subscribe()
    }

    fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).expect("the receivers live");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("nobody lags")
    }
}

struct TokioBroadcast;

impl Broadcast for TokioBroadcast {
    type Sender = tokio::sync::broadcast::Sender<u64>;
    type Receiver = tokio::sync::broadcast::Receiver<u64>;

    fn new(capacity: usize) -> Self::Sender {
        tokio::sync::broadcast::channel(capacity).0
    }

    fn subscribe(sender: &Self::Sender) -> Self::Receiver {
        sender.subscribe()
    }

    fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).expect("the receivers live");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("nobody lags")
    }
}

/// Its sender would wait and not drop what is old; here it never has to.
struct Asyncband;

impl Broadcast for Asyncband {
    type Sender = asyncband::broadcast::mpmc::BoundedSender<u64>;
    type Receiver = asyncband::broadcast::mpmc::BoundedReceiver<u64>;

    fn new(capacity: usize) -> Self::Sender {
        asyncband::broadcast::mpmc::bounded(capacity).0
    }

    fn subscribe(sender: &Self::Sender) -> Self::Receiver {
        sender.subscribe()
    }

    fn send(sender: &Self::Sender, item: u64) {
        sender.try_send(item).expect("there is room");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("the sender lives")
    }
}
