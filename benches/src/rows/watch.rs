//! Channels that keep the latest value: one sender, and one receiver that sees each. The host is
//! tokio's for all.

use std::future::Future;

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio, yield_now},
};

/// A channel of the latest number, as much of it as the row needs.
trait Watch: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn new() -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, value: u64);

    /// Waits for a number that is not yet seen, and looks at it.
    fn changed(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let about = "send, wake the receiver, look at the value; the sender yields in between";
    vec![Row::new("watch.send_changed.1", about, || {
        let host = Tokio::with_workers(1);
        vec![
            contender::<Pirn>("pirn", &host),
            contender::<TokioWatch>("tokio", &host),
            contender::<Asyncband>("asyncband", &host),
        ]
    })]
}

fn contender<W: Watch>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let root = host.clone();
        host.run(async move {
            let (sender, mut receiver) = W::new();
            let sees = root.spawn(async move {
                for value in 1..=count {
                    assert_eq!(W::changed(&mut receiver).await, value);
                }
            });
            // It waits from here on.
            yield_now().await;
            for value in 1..=count {
                W::send(&sender, value);
                yield_now().await;
            }
            sees.await;
        });
    })
}

struct Pirn;

impl Watch for Pirn {
    type Sender = pirn_sync::watch::Sender<u64>;
    type Receiver = pirn_sync::watch::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        pirn_sync::watch::channel(0)
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }

    async fn changed(receiver: &mut Self::Receiver) -> u64 {
        *receiver.changed().await.expect("the sender lives")
    }
}

struct TokioWatch;

impl Watch for TokioWatch {
    type Sender = tokio::sync::watch::Sender<u64>;
    type Receiver = tokio::sync::watch::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        tokio::sync::watch::channel(0)
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }

    async fn changed(receiver: &mut Self::Receiver) -> u64 {
        receiver.changed().await.expect("the sender lives");
        *receiver.borrow_and_update()
    }
}

struct Asyncband;

impl Watch for Asyncband {
    type Sender = asyncband::watch::Sender<u64>;
    type Receiver = asyncband::watch::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        asyncband::watch::channel(0)
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }

    async fn changed(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("the sender lives")
    }
}
