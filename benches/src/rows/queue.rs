//! Bounded queues: one producer and one consumer, four and one, four and four; capacities 1, 16 and
//! 1024; and one and one with a capacity of 0, where a put is done when the item was taken. The host
//! is tokio's for all.

use std::{future::Future, hint::black_box, sync::Arc};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio},
};

/// A bounded queue of numbers, as much of it as the rows need.
trait Queue: 'static {
    type Sender: Clone + Send + 'static;
    type Receiver: Send + 'static;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, item: u64) -> impl Future<Output = ()> + Send;
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for workers in [1, 2] {
        rows.push(Row::new(
            format!("queue.spsc.0.{workers}"),
            "one item from hand to hand",
            move || everybody_from_hand_to_hand(workers),
        ));
    }
    for (kind, producers) in [("spsc", 1), ("mpsc4", 4)] {
        for capacity in [1, 16, 1024] {
            for workers in [1, 2] {
                rows.push(Row::new(
                    format!("queue.{kind}.{capacity}.{workers}"),
                    "one item through the queue",
                    move || everybody(producers, capacity, workers),
                ));
            }
        }
    }
    for capacity in [16, 1024] {
        rows.push(Row::new(
            format!("queue.mpmc4x4.{capacity}.2"),
            "one item through the queue",
            move || everybody_mpmc(capacity),
        ));
    }
    rows
}

fn everybody(producers: u64, capacity: usize, workers: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        contender::<Pirn>("pirn", producers, capacity, &host),
        contender::<TokioQueue>("tokio", producers, capacity, &host),
        contender::<Kanal>("kanal", producers, capacity, &host),
        contender::<Tachyonix>("tachyonix", producers, capacity, &host),
        contender::<Crossfire>("crossfire-mpsc", producers, capacity, &host),
        contender::<Asyncband>("asyncband-mpsc", producers, capacity, &host),
    ]
}

/// Of the others above, those that have a capacity of 0: crossfire's and tachyonix's do not, nor does
/// tokio's.
fn everybody_from_hand_to_hand(workers: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        contender::<Rendezvous>("pirn", 1, 0, &host),
        contender::<Kanal>("kanal", 1, 0, &host),
        contender::<Intrusive>("futures-intrusive", 1, 0, &host),
    ]
}

fn everybody_mpmc(capacity: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(2);
    vec![
        mpmc::<Pirn>("pirn", capacity, &host),
        mpmc::<Kanal>("kanal", capacity, &host),
        mpmc::<CrossfireMpmc>("crossfire-mpmc", capacity, &host),
        mpmc::<AsyncbandMpmc>("asyncband-mpmc", capacity, &host),
    ]
}

fn contender<Q: Queue>(
    name: &'static str,
    producers: u64,
    capacity: usize,
    host: &Tokio,
) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(producers);
        let root = host.clone();
        host.run(async move {
            let (sender, mut receiver) = Q::new(capacity);
            let tasks: Vec<_> = (0..producers)
                .map(|_| {
                    let sender = sender.clone();
                    root.spawn(async move {
                        for item in 0..each {
                            Q::send(&sender, item).await;
                        }
                    })
                })
                .collect();
            for _ in 0..each * producers {
                black_box(Q::receive(&mut receiver).await);
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

fn mpmc<Q>(name: &'static str, capacity: usize, host: &Tokio) -> Contender
where
    Q: Queue,
    Q::Receiver: Clone,
{
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(4);
        let root = host.clone();
        host.run(async move {
            let (sender, receiver) = Q::new(capacity);
            let producers = [(); 4].map(|()| {
                let sender = sender.clone();
                root.spawn(async move {
                    for item in 0..each {
                        Q::send(&sender, item).await;
                    }
                })
            });
            let consumers = [(); 4].map(|()| {
                let mut receiver = receiver.clone();
                root.spawn(async move {
                    let mut sum = 0;
                    for _ in 0..each {
                        sum += Q::receive(&mut receiver).await;
                    }
                    sum
                })
            });
            for producer in producers {
                producer.await;
            }
            let mut sum = 0;
            for consumer in consumers {
                sum += consumer.await;
            }
            assert_eq!(sum, (0..each).sum::<u64>() * 4);
        });
    })
}

struct Pirn;

impl Queue for Pirn {
    type Sender = Arc<pirn_sync::Queue<u64>>;
    type Receiver = Arc<pirn_sync::Queue<u64>>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(pirn_sync::Queue::bounded(capacity));
        (Arc::clone(&queue), queue)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.put(item).await.expect("nobody closes it");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("nobody closes it")
    }
}

struct Rendezvous;

impl Queue for Rendezvous {
    type Sender = Arc<pirn_sync::Rendezvous<u64>>;
    type Receiver = Arc<pirn_sync::Rendezvous<u64>>;

    fn new(_: usize) -> (Self::Sender, Self::Receiver) {
        let place = Arc::new(pirn_sync::Rendezvous::new());
        (Arc::clone(&place), place)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.put(item).await.expect("nobody closes it");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("nobody closes it")
    }
}

struct Intrusive;

impl Queue for Intrusive {
    type Sender = futures_intrusive::channel::shared::Sender<u64>;
    type Receiver = futures_intrusive::channel::shared::Receiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        futures_intrusive::channel::shared::channel(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.receive().await.expect("a sender lives")
    }
}

struct TokioQueue;

impl Queue for TokioQueue {
    type Sender = tokio::sync::mpsc::Sender<u64>;
    type Receiver = tokio::sync::mpsc::Receiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct Kanal;

impl Queue for Kanal {
    type Sender = kanal::AsyncSender<u64>;
    type Receiver = kanal::AsyncReceiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        kanal::bounded_async(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct Tachyonix;

impl Queue for Tachyonix {
    type Sender = tachyonix::Sender<u64>;
    type Receiver = tachyonix::Receiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        tachyonix::channel(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct Crossfire;

impl Queue for Crossfire {
    type Sender = crossfire::MAsyncTx<crossfire::mpsc::Array<u64>>;
    type Receiver = crossfire::AsyncRx<crossfire::mpsc::Array<u64>>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        crossfire::mpsc::bounded_async(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct Asyncband;

impl Queue for Asyncband {
    type Sender = asyncband::mpsc::BoundedSender<u64>;
    type Receiver = asyncband::mpsc::BoundedReceiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        asyncband::mpsc::bounded(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct CrossfireMpmc;

impl Queue for CrossfireMpmc {
    type Sender = crossfire::MAsyncTx<crossfire::mpmc::Array<u64>>;
    type Receiver = crossfire::MAsyncRx<crossfire::mpmc::Array<u64>>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        crossfire::mpmc::bounded_async(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receivers live");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}

struct AsyncbandMpmc;

impl Queue for AsyncbandMpmc {
    type Sender = asyncband::mpmc::BoundedSender<u64>;
    type Receiver = asyncband::mpmc::BoundedReceiver<u64>;

    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        asyncband::mpmc::bounded(capacity)
    }

    async fn send(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receivers live");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender lives")
    }
}
