//! Channels for one value: in one task, and to and fro between two. The host is tokio's for all.

use std::{fmt::Debug, future::Future};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio},
};

/// Channels that are made at once for the rows of two tasks.
const BATCH: u64 = 512;

/// A channel of one number, as much of it as the rows need.
trait Oneshot: 'static {
    type Sender: Send + 'static;
    type Receiver: Future<Output = Result<u64, Self::Closed>> + Send + Unpin + 'static;
    type Closed: Debug;

    fn new() -> (Self::Sender, Self::Receiver);
    fn send(sender: Self::Sender, value: u64);
}

pub(super) fn rows() -> Vec<Row> {
    let two = "make one, send to a task that waits, receive there";
    vec![
        Row::new(
            "oneshot.same_task",
            "make one, send, receive, alone",
            || {
                vec![
                    same_task::<Pirn>("pirn"),
                    same_task::<TokioOneshot>("tokio"),
                    same_task::<Asyncband>("asyncband"),
                    same_task::<Crossfire>("crossfire"),
                    same_task::<Futures>("futures"),
                    boxes(),
                ]
            },
        ),
        Row::new("oneshot.two_tasks.1", two, || everybody(1)),
        Row::new("oneshot.two_tasks.2", two, || everybody(2)),
    ]
}

fn everybody(workers: usize) -> Vec<Contender> {
    let host = Tokio::with_workers(workers);
    vec![
        two_tasks::<Pirn>("pirn", &host),
        two_tasks::<TokioOneshot>("tokio", &host),
        two_tasks::<Asyncband>("asyncband", &host),
        two_tasks::<Crossfire>("crossfire", &host),
        two_tasks::<Futures>("futures", &host),
    ]
}

fn same_task<O: Oneshot>(name: &'static str) -> Contender {
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            let mut sum = 0;
            for _ in 0..count {
                let (sender, receiver) = O::new();
                O::send(sender, 1);
                sum += receiver.await.expect("it was sent");
            }
            assert_eq!(sum, count);
        });
    })
}

/// What one allocation costs.
fn boxes() -> Contender {
    Contender::timed("bare-box", |count| {
        let mut sum = 0;
        for _ in 0..count {
            sum += std::hint::black_box(Box::new([1_u64; 4]))[0];
        }
        assert_eq!(sum, count);
    })
}

fn two_tasks<O: Oneshot>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let root = host.clone();
        host.run(async move {
            for _ in 0..count.div_ceil(BATCH) {
                let make = || (0..BATCH / 2).map(|_| O::new()).unzip();
                let (asks, asked): (Vec<_>, Vec<_>) = make();
                let (answers, answered): (Vec<_>, Vec<_>) = make();
                let answering = root.spawn(async move {
                    for (asked, answer) in asked.into_iter().zip(answers) {
                        let number = asked.await.expect("it is asked");
                        O::send(answer, number + 1);
                    }
                });
                for (number, (ask, answered)) in (0..).zip(asks.into_iter().zip(answered)) {
                    O::send(ask, number);
                    assert_eq!(answered.await.expect("it is answered"), number + 1);
                }
                answering.await;
            }
        });
    })
}

struct Pirn;

impl Oneshot for Pirn {
    type Sender = pirn_sync::oneshot::Sender<u64>;
    type Receiver = pirn_sync::oneshot::Receiver<u64>;
    type Closed = pirn_sync::Closed;

    fn new() -> (Self::Sender, Self::Receiver) {
        pirn_sync::oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }
}

struct TokioOneshot;

impl Oneshot for TokioOneshot {
    type Sender = tokio::sync::oneshot::Sender<u64>;
    type Receiver = tokio::sync::oneshot::Receiver<u64>;
    type Closed = tokio::sync::oneshot::error::RecvError;

    fn new() -> (Self::Sender, Self::Receiver) {
        tokio::sync::oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }
}

struct Asyncband;

impl Oneshot for Asyncband {
    type Sender = asyncband::oneshot::Sender<u64>;
    type Receiver = asyncband::oneshot::Recv<u64>;
    type Closed = asyncband::oneshot::RecvError;

    fn new() -> (Self::Sender, Self::Receiver) {
        let (sender, receiver) = asyncband::oneshot::channel();
        (sender, receiver.into_future())
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }
}

struct Crossfire;

impl Oneshot for Crossfire {
    type Sender = crossfire::oneshot::TxOneshot<u64>;
    type Receiver = crossfire::oneshot::RxOneshot<u64>;
    type Closed = crossfire::RecvError;

    fn new() -> (Self::Sender, Self::Receiver) {
        crossfire::oneshot::oneshot()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value);
    }
}

struct Futures;

impl Oneshot for Futures {
    type Sender = futures::channel::oneshot::Sender<u64>;
    type Receiver = futures::channel::oneshot::Receiver<u64>;
    type Closed = futures::channel::oneshot::Canceled;

    fn new() -> (Self::Sender, Self::Receiver) {
        futures::channel::oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("the receiver lives");
    }
}
