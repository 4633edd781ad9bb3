//! Channels.

use super::*;
use pirn_sync::{broadcast, oneshot, watch};

struct ByOneshot {
    sender: Outside<oneshot::Sender<usize>>,
    receiver: RefCell<Option<oneshot::Receiver<usize>>>,
}

impl Subject for ByOneshot {
    type Held<'a> = ();

    async fn wait(&self, who: usize) {
        let mut receiver = Lent::of(&self.receiver);
        let received = (&mut *receiver).await;
        // Those who come after the value was received hear that there is no other.
        assert!(received.is_ok() || who > 0);
    }

    fn serve(&self, number: usize) {
        if let Some(sender) = self.sender.take() {
            sender.send(number).unwrap();
        }
    }
}

struct ByOneshotClosed {
    sender: RefCell<Option<oneshot::Sender<usize>>>,
    receiver: Outside<oneshot::Receiver<usize>>,
}

impl Subject for ByOneshotClosed {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        Lent::of(&self.sender).closed().await;
    }

    fn serve(&self, _: usize) {
        self.receiver.take();
    }
}

#[test]
fn a_oneshot_loses_nothing_whoever_is_cancelled() {
    let rules = || Rules::gate().one_at_a_time();
    let make = || {
        let (sender, receiver) = oneshot::channel();
        (RefCell::new(Some(sender)), RefCell::new(Some(receiver)))
    };
    examine("oneshot::Receiver", rules(), || {
        let (sender, receiver) = make();
        ByOneshot { sender, receiver }
    });
    examine("oneshot::Sender::closed", rules(), || {
        let (sender, receiver) = make();
        ByOneshotClosed { sender, receiver }
    });
}

/// Each waiter has a receiver of its own, those who come at the end too.
const RECEIVERS: usize = 16;

type Receivers<T> = Vec<RefCell<Option<T>>>;

struct ByWatch {
    sender: Outside<watch::Sender<usize>>,
    receivers: Receivers<watch::Receiver<usize>>,
}

impl ByWatch {
    fn send(&self, value: usize) {
        let sender = self.sender.borrow();
        sender.as_ref().unwrap().send(value).unwrap();
    }
}

impl Subject for ByWatch {
    /// Whether there were news.
    type Held<'a> = bool;

    async fn wait(&self, who: usize) -> bool {
        let mut receiver = Lent::of(&self.receivers[who]);
        match receiver.changed().await {
            Ok(latest) => latest == receiver.latest(),
            Err(_) => false,
        }
    }

    fn serve(&self, number: usize) {
        self.send(number);
    }

    fn close(&self) {
        self.sender.take();
    }

    fn is_end(&self, news: &bool) -> bool {
        !news
    }
}

/// Those who wait until nobody watches.
struct ByWatchClosed(watch::Sender<usize>, Outside<watch::Receiver<usize>>);

impl Subject for ByWatchClosed {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        self.0.closed().await;
    }

    fn serve(&self, _: usize) {
        self.1.take();
    }
}

/// All wait for the third value.
struct ByWatchFor(ByWatch);

impl Subject for ByWatchFor {
    type Held<'a> = ();

    async fn wait(&self, who: usize) {
        let mut receiver = Lent::of(&self.0.receivers[who]);
        let found = receiver.wait_for(|value| *value == 100).await.unwrap();
        assert_eq!(*found, 100);
    }

    fn serve(&self, _: usize) {
        self.0.send(7);
        self.0.send(100);
    }
}

#[test]
fn news_of_a_watch_reaches_the_others_whoever_is_cancelled() {
    let make = || {
        let (sender, receiver) = watch::channel(usize::MAX);
        let receivers = (0..RECEIVERS).map(|_| RefCell::new(Some(receiver.clone())));
        ByWatch {
            sender: RefCell::new(Some(sender)),
            receivers: receivers.collect(),
        }
    };
    examine("watch::Receiver::changed", Rules::gate(), make);
    examine(
        "watch::Receiver::changed, ended",
        Rules::gate().closes(),
        make,
    );
    examine("watch::Receiver::wait_for", Rules::gate(), || {
        ByWatchFor(make())
    });
    examine("watch::Sender::closed", Rules::gate(), || {
        let (sender, receiver) = watch::channel(0);
        ByWatchClosed(sender, RefCell::new(Some(receiver)))
    });
}

/// Each receiver sees each item; one who comes and goes and comes again is one receiver.
struct ByBroadcast {
    sender: broadcast::Sender<usize>,
    receivers: Receivers<broadcast::Receiver<usize>>,
}

impl Subject for ByBroadcast {
    type Held<'a> = ();

    async fn wait(&self, who: usize) {
        let mut receiver = Lent::of(&self.receivers[who]);
        // Nobody has received by this receiver, so the first item is there.
        assert_eq!(receiver.recv().await, Ok(0));
    }

    fn serve(&self, number: usize) {
        self.sender.send(number).unwrap();
    }
}

/// One receiver, of which each wait that is not cancelled has the next item.
struct ByBroadcastOne {
    sender: broadcast::Sender<usize>,
    receiver: RefCell<Option<broadcast::Receiver<usize>>>,
}

impl Subject for ByBroadcastOne {
    type Held<'a> = usize;

    async fn wait(&self, _: usize) -> usize {
        let mut receiver = Lent::of(&self.receiver);
        receiver.recv().await.unwrap()
    }

    fn serve(&self, number: usize) {
        self.sender.send(number).unwrap();
    }

    fn left(&self) -> Option<usize> {
        Some(Lent::of(&self.receiver).len())
    }

    fn numbers(&self, item: &usize) -> Vec<usize> {
        vec![*item]
    }
}

#[test]
fn an_item_of_a_broadcast_reaches_the_others_whoever_is_cancelled() {
    examine("broadcast::Receiver::recv", Rules::gate(), || {
        let (sender, receiver) = broadcast::channel(32);
        let receivers = (0..RECEIVERS).map(|_| RefCell::new(Some(sender.subscribe())));
        let receivers = receivers.collect();
        drop(receiver);
        ByBroadcast { sender, receivers }
    });
    let rules = Rules::items().one_at_a_time();
    examine("broadcast::Receiver::recv, one", rules, || {
        let (sender, receiver) = broadcast::channel(64);
        ByBroadcastOne {
            sender,
            receiver: RefCell::new(Some(receiver)),
        }
    });
}
