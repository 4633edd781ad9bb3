//! The broadcast channel: order, lag, closing, and where items are cloned and dropped.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use futures::StreamExt;
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::broadcast::{self, Items, Lagged, Receiver, Recv, RecvError, Sender, TryRecvError};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Waiting<'a, T> = (Pin<Box<Recv<'a, T>>>, Arc<Count>);

fn wait<T: Clone + std::fmt::Debug>(receiver: &mut Receiver<T>) -> Waiting<'_, T> {
    let (mut recv, count) = (Box::pin(receiver.recv()), Count::new());
    assert!(poll_once(recv.as_mut(), &count.waker()).is_pending());
    (recv, count)
}

fn now<T: Clone>(receiver: &mut Receiver<T>) -> Poll<Result<T, RecvError>> {
    poll_once(pin!(receiver.recv()), Waker::noop())
}

#[test]
fn every_receiver_sees_every_item_in_order() {
    let (sender, first) = broadcast::channel(4);
    let mut receivers = [first, sender.subscribe(), sender.subscribe()];
    for item in 0..4 {
        assert_eq!(sender.send(item), Ok(3));
    }
    for receiver in &mut receivers {
        assert_eq!(receiver.len(), 4);
        for item in 0..4 {
            assert_eq!(now(receiver), Poll::Ready(Ok(item)));
        }
        assert!(receiver.is_empty() && now(receiver).is_pending());
    }
    assert!(sender.is_empty());
}

#[test]
fn all_who_wait_are_woken_by_an_item() {
    let (sender, _receiver) = broadcast::channel(1);
    let mut receivers: Vec<_> = (0..40).map(|_| sender.subscribe()).collect();
    let mut waiting: Vec<_> = receivers.iter_mut().map(wait).collect();
    assert_eq!(sender.send("item"), Ok(41));
    for (recv, count) in &mut waiting {
        assert_eq!(count.wakes(), 1);
        let told = poll_once(recv.as_mut(), &count.waker());
        assert_eq!(told, Poll::Ready(Ok("item")));
    }
}

#[test]
fn who_is_too_slow_hears_once_how_much_it_missed_and_goes_on() {
    let (sender, mut receiver) = broadcast::channel(3);
    for item in 0..10 {
        sender.send(item).unwrap();
    }
    assert_eq!((sender.len(), receiver.len()), (3, 3));
    assert_eq!(now(&mut receiver), Poll::Ready(Err(RecvError::Lagged(7))));
    for item in 7..10 {
        assert_eq!(receiver.try_recv(), Ok(item));
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));

    // Also who was told of an item, and was overtaken before it polled.
    let (mut recv, count) = wait(&mut receiver);
    for item in 0..4 {
        sender.send(item).unwrap();
    }
    assert_eq!(count.wakes(), 1);
    let told = poll_once(recv.as_mut(), &count.waker());
    assert_eq!(told, Poll::Ready(Err(RecvError::Lagged(1))));
    drop(recv);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn a_thousand_steps_agree_with_a_history_of_all_items() {
    /// A receiver, and the position of what it has to see next.
    type Tracked = (Receiver<u64>, u64);
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for capacity in [1, 2, 3, 7] {
        let (sender, receiver) = broadcast::channel(capacity);
        let mut receivers: Vec<Tracked> = vec![(receiver, 0)];
        let mut sent = 0;
        for _ in 0..1000 {
            let who = random(receivers.len().max(1) as u64) as usize;
            match random(10) {
                0 => receivers.push((sender.subscribe(), sent)),
                1 if receivers.len() > 1 => drop(receivers.swap_remove(who)),
                2..=5 => {
                    assert_eq!(sender.send(sent), Ok(receivers.len()));
                    sent += 1;
                }
                _ => {
                    let (receiver, next) = &mut receivers[who];
                    let first = sent.saturating_sub(capacity as u64);
                    let expected = match *next {
                        next if next < first => Err(TryRecvError::Lagged(first - next)),
                        next if next == sent => Err(TryRecvError::Empty),
                        next => Ok(next),
                    };
                    assert_eq!(receiver.try_recv(), expected);
                    match expected {
                        Ok(_) => *next += 1,
                        Err(_) => *next = (*next).max(first),
                    }
                }
            }
            let first = sent.saturating_sub(capacity as u64);
            let left = |next: u64| (sent - next.max(first)) as usize;
            for (receiver, next) in &receivers {
                assert_eq!(receiver.len(), left(*next));
            }
            let most = receivers.iter().map(|(_, next)| left(*next)).max();
            assert_eq!(Some(sender.len()), most);
        }
    }
}

#[test]
fn a_receiver_sees_what_is_sent_from_its_subscription_on() {
    let (sender, mut early) = broadcast::channel(4);
    sender.send(1).unwrap();
    let mut late = sender.subscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    sender.send(2).unwrap();
    assert_eq!(late.try_recv(), Ok(2));
    assert_eq!((early.try_recv(), early.try_recv()), (Ok(1), Ok(2)));
}

#[test]
fn who_sends_to_nobody_gets_the_item_back() {
    let (sender, receiver) = broadcast::channel(4);
    drop(receiver);
    assert_eq!(sender.send("back"), Err("back"));
    let mut again = sender.subscribe();
    assert_eq!((sender.receivers(), sender.send("there")), (1, Ok(1)));
    assert_eq!(again.try_recv(), Ok("there"));
}

#[test]
fn what_is_left_is_read_and_then_the_end() {
    let (sender, mut receiver) = broadcast::channel(2);
    let other = sender.clone();
    for item in 0..3 {
        sender.send(item).unwrap();
    }
    drop(sender);
    assert!(!receiver.is_closed());
    drop(other);
    assert!(receiver.is_closed());
    assert_eq!(now(&mut receiver), Poll::Ready(Err(RecvError::Lagged(1))));
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(1)));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(now(&mut receiver), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn those_who_wait_are_woken_when_the_last_sender_goes() {
    let (sender, mut first) = broadcast::channel::<u8>(2);
    let mut second = sender.subscribe();
    let mut waiting = [wait(&mut first), wait(&mut second)];
    let other = sender.clone();
    drop(sender);
    assert!(waiting.iter().all(|(_, count)| count.wakes() == 0));
    drop(other);
    for (recv, count) in &mut waiting {
        assert_eq!(count.wakes(), 1);
        let told = poll_once(recv.as_mut(), &count.waker());
        assert_eq!(told, Poll::Ready(Err(RecvError::Closed)));
    }
}

#[test]
fn a_task_that_was_told_in_one_receiver_and_waits_in_another_still_sees_it_in_the_first() {
    let (sender, mut first) = broadcast::channel(2);
    let task = Count::new().waker();
    let mut told = Box::pin(first.recv());
    assert!(poll_once(told.as_mut(), &task).is_pending());
    sender.send(1).unwrap();
    let mut late = sender.subscribe();
    let mut waits = pin!(late.recv());
    for _ in 0..2 {
        assert!(poll_once(waits.as_mut(), &task).is_pending());
    }
    let told = poll_once(told.as_mut(), &task);
    assert_eq!(told, Poll::Ready(Ok(1)));
}

#[test]
fn a_wait_that_is_dropped_takes_no_item() {
    let (sender, mut receiver) = broadcast::channel(2);
    drop(wait(&mut receiver));
    let (recv, count) = wait(&mut receiver);
    sender.send(1).unwrap();
    assert_eq!(count.wakes(), 1);
    drop(recv);
    assert_eq!(receiver.try_recv(), Ok(1));
}

/// Counts its clones and its drops, and looks at the channel in both.
struct Item {
    log: Rc<Log>,
    sender: Weak<Sender<Item>>,
}

#[derive(Default)]
struct Log {
    clones: Cell<u32>,
    drops: Cell<u32>,
    waits: RefCell<Vec<usize>>,
}

impl Item {
    fn look(&self) {
        if let Some(sender) = self.sender.upgrade() {
            self.log.waits.borrow_mut().push(sender.len());
        }
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        self.log.clones.set(self.log.clones.get() + 1);
        self.look();
        Item {
            log: Rc::clone(&self.log),
            sender: Weak::clone(&self.sender),
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.log.drops.set(self.log.drops.get() + 1);
        self.look();
    }
}

#[test]
fn items_are_cloned_for_all_but_the_last_and_dropped_when_nobody_has_still_to_see_them() {
    let log = Rc::new(Log::default());
    let (sender, mut first) = broadcast::channel(2);
    let sender = Rc::new(sender);
    let counts = || (log.clones.take(), log.drops.take());
    let send = || {
        let item = Item {
            log: Rc::clone(&log),
            sender: Rc::downgrade(&sender),
        };
        sender.send(item).is_ok()
    };
    let mut second = sender.subscribe();

    // One clone for two receivers.
    assert!(send());
    drop(first.try_recv());
    assert_eq!((counts(), sender.len()), ((1, 1), 1));
    drop(second.try_recv());
    assert_eq!((counts(), sender.len()), ((0, 1), 0));

    // The sender goes over one that nobody saw.
    assert!(send() && send() && send());
    assert_eq!((counts(), sender.len()), ((0, 1), 2));

    // A receiver that goes leaves those to the other that it has not seen.
    assert_eq!(first.try_recv().err(), Some(TryRecvError::Lagged(1)));
    drop(first.try_recv());
    assert_eq!((counts(), sender.len()), ((1, 1), 2));
    drop(second);
    assert_eq!((counts(), sender.len()), ((0, 1), 1));
    drop(first);
    assert_eq!((counts(), sender.len()), ((0, 1), 0));

    // And nobody is left.
    assert!(!send());
    assert_eq!(counts(), (0, 1));
    assert!(!log.waits.borrow().is_empty());
}

#[test]
fn what_was_not_received_is_dropped_with_the_channel() {
    let log = Rc::new(Log::default());
    let (sender, receiver) = broadcast::channel(2);
    for _ in 0..2 {
        let item = Item {
            log: Rc::clone(&log),
            sender: Weak::new(),
        };
        assert!(sender.send(item).is_ok());
    }
    drop(sender);
    drop(receiver);
    assert_eq!((log.clones.get(), log.drops.get()), (0, 2));
}

#[test]
fn a_clone_that_panics_costs_its_receiver_that_item_and_no_other() {
    #[derive(Debug)]
    struct Shy(u32);
    impl Clone for Shy {
        fn clone(&self) -> Self {
            assert!(self.0 != 1, "not me");
            Shy(self.0)
        }
    }
    let (sender, mut first) = broadcast::channel(2);
    let mut second = sender.subscribe();
    sender.send(Shy(1)).unwrap();
    sender.send(Shy(2)).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| first.try_recv())).is_err());
    assert_eq!(first.try_recv().unwrap().0, 2);
    assert_eq!(second.try_recv().unwrap().0, 1);
    assert_eq!(second.try_recv().unwrap().0, 2);
}

#[test]
fn without_budget_nothing_is_received() {
    let (sender, mut receiver) = broadcast::channel(2);
    sender.send(1).unwrap();
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(receiver.recv()), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 1);
    drop(refilled);
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(1)));
}

#[test]
fn in_a_cancelled_body_nothing_is_received() {
    let (sender, mut receiver) = broadcast::channel(2);
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut recv = pin!(receiver.recv());
        poll_fn(|cx| {
            assert!(recv.as_mut().poll(cx).is_pending());
            clean_up.as_mut().poll(cx)
        })
        .await;
    }));
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    scope.cancel(Cause::requested("enough"));
    sender.send(1).unwrap();
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    drop(run);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn misuse_is_told_with_what_was_asked_for() {
    let message = |misuse: &mut dyn FnMut()| {
        let payload = catch_unwind(AssertUnwindSafe(misuse)).unwrap_err();
        match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
        }
    };
    assert_eq!(
        message(&mut || drop(broadcast::channel::<u8>(0))),
        "the capacity of a broadcast channel is at least 1, and 0 was asked for"
    );
    let (sender, mut receiver) = broadcast::channel(1);
    sender.send(1).unwrap();
    let mut recv = pin!(receiver.recv());
    assert!(poll_once(recv.as_mut(), Waker::noop()).is_ready());
    assert_eq!(
        message(&mut || assert!(poll_once(recv.as_mut(), Waker::noop()).is_pending())),
        "a `Recv` was polled after it was ready"
    );
}

#[test]
fn its_types_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Sender<u8>>() };
    const { crosses::<Receiver<u8>>() };
    const { crosses::<Recv<'static, u8>>() };
    let (sender, mut receiver) = broadcast::channel(1);
    sender.send(1).unwrap();
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "Sender { len: 1, receivers: 1 } Receiver { len: 1, is_closed: false }"
    );
    assert_eq!(format!("{:?}", receiver.recv()), "Recv { .. }");
    assert_eq!(sender.capacity(), 1);
    assert_eq!(RecvError::Lagged(3).to_string(), "3 items were missed");
    assert_eq!(RecvError::Closed.to_string(), "the channel is closed");
    assert_eq!(TryRecvError::Empty.to_string(), "no item is there yet");
}

#[test]
fn its_stream_goes_on_after_a_lag_and_ends_with_the_last_sender() {
    let (sender, mut receiver) = broadcast::channel(2);
    let count = Count::new();
    let next =
        |stream: &mut Pin<Box<Items<'_, i32>>>| poll_once(pin!(stream.next()), &count.waker());
    let mut stream = Box::pin(receiver.stream());
    assert!(next(&mut stream).is_pending());
    for item in 0..4 {
        sender.send(item).unwrap();
    }
    assert_eq!(count.wakes(), 1);
    assert_eq!(next(&mut stream), Poll::Ready(Some(Err(Lagged(2)))));
    assert_eq!(Lagged(2).to_string(), "2 items were missed");
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(2))));
    // Dropping it takes none.
    drop(stream);
    let mut stream = Box::pin(receiver.stream());
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(3))));
    assert!(next(&mut stream).is_pending());
    drop(sender);
    assert_eq!(count.wakes(), 2);
    for _ in 0..2 {
        assert_eq!(next(&mut stream), Poll::Ready(None));
    }
}

#[test]
fn its_stream_goes_on_after_a_clone_that_panics() {
    #[derive(Debug, PartialEq)]
    struct Panics(u32);
    impl Clone for Panics {
        fn clone(&self) -> Self {
            assert!(self.0 > 0, "a clone of the test's");
            Panics(self.0)
        }
    }
    let (sender, mut receiver) = broadcast::channel(2);
    let _other = sender.subscribe();
    sender.send(Panics(0)).unwrap();
    sender.send(Panics(1)).unwrap();
    let mut stream = pin!(receiver.stream());
    let mut next = || poll_once(pin!(stream.next()), Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(&mut next)).is_err());
    assert_eq!(next(), Poll::Ready(Some(Ok(Panics(1)))));
    assert!(next().is_pending());
}
