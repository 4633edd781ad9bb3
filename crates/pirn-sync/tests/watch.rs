//! The watch channel: what is seen, what is skipped, who is woken, and where values are dropped.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use futures::StreamExt;
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::Closed;
use pirn_sync::watch::{self, Changed, Closing, Receiver, Sender};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

type Waiting<'a, T> = (Pin<Box<Changed<'a, T>>>, Arc<Count>);

fn wait<T>(receiver: &mut Receiver<T>) -> Waiting<'_, T> {
    let (mut changed, count) = (Box::pin(receiver.changed()), Count::new());
    assert!(poll_once(changed.as_mut(), &count.waker()).is_pending());
    (changed, count)
}

fn now<T>(receiver: &mut Receiver<T>) -> Poll<Result<Arc<T>, Closed>> {
    poll_once(pin!(receiver.changed()), Waker::noop())
}

#[test]
fn the_first_value_counts_as_seen_and_each_later_one_is_told() {
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!((*receiver.latest(), receiver.has_changed()), (0, false));
    let (mut changed, count) = wait(&mut receiver);
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!(count.wakes(), 1);
    let told = poll_once(changed.as_mut(), &count.waker());
    assert_eq!(told, Poll::Ready(Ok(Arc::new(1))));
    drop(changed);
    assert!(!receiver.has_changed());
    assert!(now(&mut receiver).is_pending());
}

#[test]
fn who_is_late_sees_the_latest_value_and_that_once() {
    let (sender, mut receiver) = watch::channel(0);
    for value in 1..=3 {
        sender.send(value).unwrap();
    }
    assert!(receiver.has_changed());
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(Arc::new(3))));
    assert!(now(&mut receiver).is_pending());

    // Also who was told of one and polls after the next.
    let (mut changed, count) = wait(&mut receiver);
    sender.send(4).unwrap();
    sender.send(5).unwrap();
    assert_eq!(count.wakes(), 1);
    let told = poll_once(changed.as_mut(), &count.waker());
    assert_eq!(told, Poll::Ready(Ok(Arc::new(5))));
    drop(changed);
    assert!(now(&mut receiver).is_pending());
}

#[test]
fn all_who_wait_are_woken_and_each_receiver_sees_for_itself() {
    let (sender, receiver) = watch::channel(0);
    let mut receivers: Vec<_> = (0..40).map(|_| receiver.clone()).collect();
    let mut waiting: Vec<_> = receivers.iter_mut().map(wait).collect();
    sender.send(1).unwrap();
    for (changed, count) in &mut waiting {
        assert_eq!(count.wakes(), 1);
        let told = poll_once(changed.as_mut(), &count.waker());
        assert_eq!(told, Poll::Ready(Ok(Arc::new(1))));
    }
    assert!(receiver.has_changed());
    let mut clone = receiver.clone();
    assert_eq!(now(&mut clone), Poll::Ready(Ok(Arc::new(1))));
    assert!(receiver.has_changed());
}

#[test]
fn a_wait_that_is_dropped_loses_no_value() {
    let (sender, mut receiver) = watch::channel(0);
    drop(wait(&mut receiver));
    let (changed, count) = wait(&mut receiver);
    sender.send(1).unwrap();
    assert_eq!(count.wakes(), 1);
    drop(changed);
    assert!(receiver.has_changed());
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(Arc::new(1))));
}

#[test]
fn a_task_that_was_told_in_one_receiver_and_waits_in_another_still_sees_it_in_the_first() {
    let (sender, mut first) = watch::channel(0);
    let task = Count::new().waker();
    let mut told = Box::pin(first.changed());
    assert!(poll_once(told.as_mut(), &task).is_pending());
    sender.send(1).unwrap();
    let mut late = sender.subscribe();
    let mut waits = pin!(late.changed());
    for _ in 0..2 {
        assert!(poll_once(waits.as_mut(), &task).is_pending());
    }
    let told = poll_once(told.as_mut(), &task);
    assert_eq!(told, Poll::Ready(Ok(Arc::new(1))));
}

#[test]
fn the_last_value_is_seen_and_then_the_end() {
    let (sender, mut receiver) = watch::channel(0);
    let other = sender.clone();
    let (mut changed, count) = wait(&mut receiver);
    drop(sender);
    assert_eq!(count.wakes(), 0);
    other.send(1).unwrap();
    drop(other);
    let told = poll_once(changed.as_mut(), &count.waker());
    assert_eq!(told, Poll::Ready(Ok(Arc::new(1))));
    drop(changed);
    assert!(receiver.is_closed());
    assert_eq!(now(&mut receiver), Poll::Ready(Err(Closed)));
    assert_eq!(*receiver.latest(), 1);

    let (sender, mut receiver) = watch::channel(0);
    let (mut changed, count) = wait(&mut receiver);
    drop(sender);
    assert_eq!(count.wakes(), 1);
    let told = poll_once(changed.as_mut(), &count.waker());
    assert_eq!(told, Poll::Ready(Err(Closed)));
}

#[test]
fn who_sends_to_nobody_gets_the_value_back_and_may_replace_it_all_the_same() {
    let (sender, receiver) = watch::channel("first");
    assert_eq!((sender.receivers(), sender.is_closed()), (1, false));
    drop(receiver);
    assert_eq!((sender.receivers(), sender.is_closed()), (0, true));
    assert_eq!(sender.send("back"), Err("back"));
    assert_eq!(*sender.latest(), "first");
    assert_eq!(*sender.send_replace("second"), "first");
    sender.send_modify(|value| *value = "third");
    let mut late = sender.subscribe();
    assert_eq!((*late.latest(), late.has_changed()), ("third", false));
    sender.send("fourth").unwrap();
    assert_eq!(now(&mut late), Poll::Ready(Ok(Arc::new("fourth"))));
}

#[test]
fn senders_who_wait_are_woken_when_the_last_receiver_goes() {
    let (sender, receiver) = watch::channel(0);
    let other = receiver.clone();
    let (count, left) = (Count::new(), Count::new());
    let mut closed = pin!(sender.closed());
    let mut leaver = Box::pin(sender.closed());
    assert!(poll_once(leaver.as_mut(), &left.waker()).is_pending());
    assert!(poll_once(closed.as_mut(), &count.waker()).is_pending());
    drop(leaver);
    drop(receiver);
    assert_eq!(count.wakes(), 0);
    drop(other);
    assert_eq!((count.wakes(), left.wakes()), (1, 0));
    // Who was told stays told.
    let again = sender.subscribe();
    assert!(poll_once(closed.as_mut(), &count.waker()).is_ready());
    assert!(poll_once(pin!(sender.closed()), Waker::noop()).is_pending());
    drop(again);
    assert!(poll_once(pin!(sender.closed()), Waker::noop()).is_ready());
}

#[test]
fn a_change_that_is_no_change_wakes_nobody() {
    let (sender, mut receiver) = watch::channel(1);
    let (_changed, count) = wait(&mut receiver);
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(count.wakes(), 0);
    assert!(sender.send_if_modified(|value| {
        *value += 1;
        true
    }));
    assert_eq!((count.wakes(), *sender.latest()), (1, 2));
}

#[test]
fn a_change_that_another_value_overtakes_is_made_again_on_that() {
    let (sender, receiver) = watch::channel(1);
    let calls = Cell::new(0);
    sender.send_modify(|value| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            sender.send(10).unwrap();
        }
        *value += 1;
    });
    assert_eq!((calls.get(), *receiver.latest()), (2, 11));
}

#[test]
fn what_a_receiver_keeps_stays_as_it_is_and_keeps_nobody_waiting() {
    let (sender, receiver) = watch::channel(vec![1]);
    let kept = receiver.latest();
    sender.send_modify(|items| items.push(2));
    sender.send(vec![3]).unwrap();
    assert_eq!((&*kept, &*receiver.latest()), (&vec![1], &vec![3]));
}

#[test]
fn clones_drops_and_predicates_may_use_the_channel() {
    /// Uses the channel as it is cloned and as it is dropped.
    struct Busy(u32, Weak<Mutex<Option<Sender<Busy>>>>, Arc<AtomicUsize>);
    impl Busy {
        fn act(&self) {
            // Ordering: Relaxed, one thread.
            self.2.fetch_add(1, Ordering::Relaxed);
            let sender = self.1.upgrade();
            let sender = sender.and_then(|sender| sender.lock().unwrap().clone());
            if let Some(sender) = sender {
                sender.subscribe();
            }
        }
    }
    impl Clone for Busy {
        fn clone(&self) -> Self {
            self.act();
            Busy(self.0, self.1.clone(), Arc::clone(&self.2))
        }
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            self.act();
        }
    }
    let (acts, slot) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let busy = |n| Busy(n, Arc::downgrade(&slot), Arc::clone(&acts));
    let (sender, mut receiver) = watch::channel(busy(0));
    *slot.lock().unwrap() = Some(sender.clone());
    assert!(sender.send(busy(1)).is_ok());
    sender.send_modify(|value| {
        sender.subscribe();
        value.0 += 1;
    });
    let found = poll_once(
        pin!(receiver.wait_for(|value| sender.latest().0 == value.0)),
        Waker::noop(),
    );
    assert!(matches!(found, Poll::Ready(Ok(value)) if value.0 == 2));
    // Ordering: Relaxed, one thread.
    assert_eq!(acts.load(Ordering::Relaxed), 3);
    slot.lock().unwrap().take();
}

#[test]
fn wait_for_looks_at_the_value_that_is_there_and_then_at_each_it_is_told_of() {
    let (sender, mut receiver) = watch::channel(1);
    {
        let there = poll_once(pin!(receiver.wait_for(|n| *n == 1)), Waker::noop());
        assert_eq!(there, Poll::Ready(Ok(Arc::new(1))));
    }
    let (looks, count) = (Cell::new(0), Count::new());
    let mut found = Box::pin(receiver.wait_for(|n| {
        looks.set(looks.get() + 1);
        *n == 3
    }));
    assert!(poll_once(found.as_mut(), &count.waker()).is_pending());
    sender.send(2).unwrap();
    assert_eq!(count.wakes(), 1);
    assert!(poll_once(found.as_mut(), &count.waker()).is_pending());
    sender.send(3).unwrap();
    assert_eq!(count.wakes(), 2);
    let there = poll_once(found.as_mut(), &count.waker());
    assert_eq!((there, looks.get()), (Poll::Ready(Ok(Arc::new(3))), 3));
    drop(found);
    assert!(!receiver.has_changed());
}

#[test]
fn what_a_cancelled_wait_for_has_looked_at_is_still_unseen() {
    let (sender, mut receiver) = watch::channel(1);
    sender.send(2).unwrap();
    assert!(poll_once(pin!(receiver.wait_for(|n| *n == 3)), Waker::noop()).is_pending());
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(Arc::new(2))));
    drop(sender);
    let end = poll_once(pin!(receiver.wait_for(|n| *n == 3)), Waker::noop());
    assert_eq!(end, Poll::Ready(Err(Closed)));
}

#[test]
fn who_waits_for_a_value_keeps_no_former_one_alive() {
    let (sender, mut receiver) = watch::channel(1);
    let first = Arc::downgrade(&receiver.latest());
    let mut found = Box::pin(receiver.wait_for(|n| *n == 3));
    assert!(poll_once(found.as_mut(), Waker::noop()).is_pending());
    sender.send(2).unwrap();
    assert_eq!(first.strong_count(), 0);
}

#[test]
#[should_panic = "a `Changed` was polled after it was ready"]
fn who_polls_after_it_was_ready_is_told_so() {
    let (sender, mut receiver) = watch::channel(0);
    sender.send(1).unwrap();
    let mut changed = pin!(receiver.changed());
    assert!(poll_once(changed.as_mut(), Waker::noop()).is_ready());
    let _ = poll_once(changed.as_mut(), Waker::noop());
}

#[test]
fn without_budget_nothing_is_seen() {
    let (sender, mut receiver) = watch::channel(0);
    sender.send(1).unwrap();
    let (first, second) = (Count::new(), Count::new());
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(receiver.changed()), &first.waker()).is_pending());
    assert!(poll_once(pin!(receiver.wait_for(|_| true)), &second.waker()).is_pending());
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    drop(refilled);
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(Arc::new(1))));
}

#[test]
fn in_a_cancelled_body_nothing_is_seen() {
    let (sender, mut receiver) = watch::channel(0);
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut changed = pin!(receiver.changed());
        poll_fn(|cx| {
            assert!(changed.as_mut().poll(cx).is_pending());
            clean_up.as_mut().poll(cx)
        })
        .await;
    }));
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    scope.cancel(Cause::requested("enough"));
    sender.send(1).unwrap();
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    drop(run);
    assert_eq!(now(&mut receiver), Poll::Ready(Ok(Arc::new(1))));
}

#[test]
fn its_types_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Sender<u8>>() };
    const { crosses::<Receiver<u8>>() };
    const { crosses::<Changed<'static, u8>>() };
    const { crosses::<Closing<'static, u8>>() };
    fn sends<T: Send>(_: &T) {}
    let (sender, mut receiver) = watch::channel(1_u8);
    sends(&receiver.wait_for(|_| true));
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "Sender { latest: 1, receivers: 1 } Receiver { latest: 1, has_changed: false }"
    );
    assert_eq!(format!("{:?}", receiver.changed()), "Changed { .. }");
    assert_eq!(format!("{:?}", sender.closed()), "Closing { .. }");
}

#[test]
fn its_stream_gives_each_unseen_value_once_and_ends_with_the_last_sender() {
    let (sender, mut receiver) = watch::channel(0);
    let count = Count::new();
    let next = |stream: &mut Pin<Box<watch::Changes<'_, i32>>>| {
        poll_once(pin!(stream.next()), &count.waker()).map(|value| value.map(|value| *value))
    };
    let mut stream = Box::pin(receiver.stream());
    assert!(next(&mut stream).is_pending());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(count.wakes(), 1);
    assert_eq!(next(&mut stream), Poll::Ready(Some(2)));
    assert!(next(&mut stream).is_pending());
    sender.send(3).unwrap();
    assert_eq!(count.wakes(), 2);
    // Told of it, and dropped: it stays unseen.
    drop(stream);
    assert!(receiver.has_changed());
    let mut stream = Box::pin(receiver.stream());
    assert_eq!(next(&mut stream), Poll::Ready(Some(3)));
    sender.send(4).unwrap();
    drop(sender);
    assert_eq!(next(&mut stream), Poll::Ready(Some(4)));
    for _ in 0..2 {
        assert_eq!(next(&mut stream), Poll::Ready(None));
    }
    drop(stream);
    assert!(!receiver.has_changed());
}
