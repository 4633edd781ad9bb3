//! The oneshot channel: sending, closing, waiting on either side, and what is dropped when.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, report, shield};
use pirn_sync::Closed;
use pirn_sync::oneshot::{self, Closing, Receiver, Sender, TryRecvError};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// Counts its drops.
struct Item(Rc<Cell<u32>>);

impl Drop for Item {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_value_that_was_sent_is_received() {
    let (sender, receiver) = oneshot::channel();
    assert_eq!(sender.send(1), Ok(()));
    let received = poll_once(pin!(receiver), Waker::noop());
    assert_eq!(received, Poll::Ready(Ok(1)));
}

#[test]
fn a_receiver_that_waits_is_woken_once_by_the_value() {
    let (sender, receiver) = oneshot::channel();
    let (mut receiver, count) = (pin!(receiver), Count::new());
    assert!(poll_once(receiver.as_mut(), &count.waker()).is_pending());
    assert!(poll_once(receiver.as_mut(), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 0);
    sender.send("value").unwrap();
    assert_eq!(count.wakes(), 1);
    let received = poll_once(receiver.as_mut(), &count.waker());
    assert_eq!(received, Poll::Ready(Ok("value")));
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_receiver_that_waits_hears_that_the_sender_is_gone() {
    let (sender, receiver) = oneshot::channel::<u8>();
    let (mut receiver, count) = (pin!(receiver), Count::new());
    assert!(poll_once(receiver.as_mut(), &count.waker()).is_pending());
    drop(sender);
    assert_eq!(count.wakes(), 1);
    let received = poll_once(receiver.as_mut(), &count.waker());
    assert_eq!(received, Poll::Ready(Err(Closed)));
}

#[test]
fn after_another_waker_has_polled_only_that_one_is_woken_and_the_first_is_let_go() {
    let (sender, receiver) = oneshot::channel();
    let (mut receiver, old, new) = (pin!(receiver), Count::new(), Count::new());
    assert!(poll_once(receiver.as_mut(), &old.waker()).is_pending());
    assert!(poll_once(receiver.as_mut(), &new.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1);
    sender.send(()).unwrap();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

#[test]
fn try_recv_tells_not_yet_from_never() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, mut receiver) = oneshot::channel::<u8>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn who_sends_to_nobody_gets_the_value_back() {
    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send("back"), Err("back"));
}

#[test]
fn a_closed_receiver_still_gets_what_was_sent_before_and_nothing_later() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    receiver.close();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
    receiver.close();

    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(sender.send(1), Err(1));

    // Closed while its waker is in place: it does not wait any more.
    let (sender, mut receiver) = oneshot::channel();
    let count = Count::new();
    assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
    receiver.close();
    assert_eq!(sender.send(1), Err(1));
    assert_eq!(count.wakes(), 0);
    let received = poll_once(pin!(&mut receiver), &count.waker());
    assert_eq!(received, Poll::Ready(Err(Closed)));
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn the_sender_that_waits_is_woken_when_the_receiver_is_dropped_or_closes() {
    for close in [false, true] {
        let (mut sender, mut receiver) = oneshot::channel::<u8>();
        let count = Count::new();
        let mut closed = Box::pin(sender.closed());
        assert!(poll_once(closed.as_mut(), &count.waker()).is_pending());
        if close {
            receiver.close();
            assert_eq!(count.wakes(), 1);
        }
        drop(receiver);
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(closed.as_mut(), &count.waker()).is_ready());
        drop(closed);
        assert_eq!(sender.send(1), Err(1));
        assert_eq!(Arc::strong_count(&count), 1);
    }
}

#[test]
fn a_sender_that_no_longer_waits_is_not_woken_and_can_wait_again() {
    let (mut sender, receiver) = oneshot::channel::<u8>();
    let (first, second) = (Count::new(), Count::new());
    assert!(poll_once(pin!(sender.closed()), &first.waker()).is_pending());
    assert_eq!(Arc::strong_count(&first), 1);
    let mut closed = pin!(sender.closed());
    assert!(poll_once(closed.as_mut(), &second.waker()).is_pending());
    drop(receiver);
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert!(poll_once(closed.as_mut(), &second.waker()).is_ready());
}

#[test]
fn a_receiver_polled_by_reference_and_left_alone_loses_nothing() {
    let (sender, mut receiver) = oneshot::channel();
    {
        let by_reference = &mut receiver;
        assert!(poll_once(pin!(by_reference), Waker::noop()).is_pending());
    }
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn a_value_is_dropped_exactly_once_whoever_goes_first() {
    let dropped = Rc::new(Cell::new(0));
    let item = || Item(Rc::clone(&dropped));
    let channel = oneshot::channel::<Item>;

    let (sender, receiver) = channel();
    assert!(sender.send(item()).is_ok());
    drop(receiver);
    assert_eq!(dropped.take(), 1);

    let (sender, receiver) = channel();
    drop(receiver);
    let back = sender.send(item());
    assert_eq!(dropped.get(), 0);
    drop(back);
    assert_eq!(dropped.take(), 1);

    let (sender, mut receiver) = channel();
    assert!(sender.send(item()).is_ok());
    let received = receiver.try_recv();
    drop(receiver);
    assert_eq!(dropped.get(), 0);
    drop(received);
    assert_eq!(dropped.take(), 1);

    let (sender, receiver) = channel();
    drop(sender);
    drop(receiver);
    assert_eq!(dropped.take(), 0);
}

#[test]
fn a_waker_that_receives_as_it_is_woken_gets_the_value() {
    struct Receives(
        std::sync::Mutex<Option<Receiver<u8>>>,
        std::sync::Mutex<Option<u8>>,
    );
    impl std::task::Wake for Receives {
        fn wake(self: Arc<Self>) {
            let receiver = self.0.lock().unwrap().take();
            *self.1.lock().unwrap() = receiver.and_then(|mut receiver| receiver.try_recv().ok());
        }
    }
    let (sender, mut receiver) = oneshot::channel();
    let receives = Arc::new(Receives(None.into(), None.into()));
    let waker = Waker::from(Arc::clone(&receives));
    assert!(poll_once(pin!(&mut receiver), &waker).is_pending());
    *receives.0.lock().unwrap() = Some(receiver);
    sender.send(3).unwrap();
    assert_eq!(*receives.1.lock().unwrap(), Some(3));
}

#[test]
fn a_value_whose_destructor_panics_leaks_no_waker() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the value");
        }
    }
    let (sender, mut receiver) = oneshot::channel::<Bomb>();
    let count = Count::new();
    assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
    assert!(sender.send(Bomb).is_ok());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!((count.wakes(), Arc::strong_count(&count)), (1, 1));
}

#[test]
fn a_waker_that_panics_costs_no_value_and_is_reported() {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &VTABLE),
        |_| panic!("woken"),
        |_| panic!("woken by reference"),
        |_| panic!("dropped"),
    );
    let reports = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    report::set_hook(Some(Arc::new(move |r| {
        sink.lock().unwrap().push(r.to_string())
    })));
    // SAFETY: no function of the vtable looks at the data.
    let waker = std::mem::ManuallyDrop::new(unsafe { Waker::new(std::ptr::null(), &VTABLE) });
    let (sender, mut receiver) = oneshot::channel();
    assert!(poll_once(pin!(&mut receiver), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));

    // Replaced by another.
    let (sender, mut receiver) = oneshot::channel();
    assert!(poll_once(pin!(&mut receiver), &waker).is_pending());
    assert!(poll_once(pin!(&mut receiver), Waker::noop()).is_pending());
    sender.send(2).unwrap();
    assert_eq!(receiver.try_recv(), Ok(2));
    report::set_hook(None);
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 2);
    assert!(reports[0].contains("woken") && reports[1].contains("dropped"));
}

#[test]
fn without_budget_nothing_is_received() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    assert!(poll_once(pin!(&mut receiver), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 1);
    drop(refilled);
    assert!(poll_once(pin!(&mut receiver), &count.waker()).is_ready());
}

#[test]
fn in_a_cancelled_body_nothing_is_received() {
    let (sender, mut receiver) = oneshot::channel();
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        poll_fn(|cx| {
            let received = poll_once(pin!(&mut receiver), cx.waker());
            assert!(received.is_pending());
            clean_up.as_mut().poll(cx)
        })
        .await;
    }));
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    sender.send(1).unwrap();
    scope.cancel(Cause::requested("enough"));
    assert!(poll_once(run.as_mut(), Waker::noop()).is_pending());
    drop(run);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn who_polls_a_receiver_that_is_through_hears_that_there_is_no_more() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    assert!(poll_once(pin!(&mut receiver), Waker::noop()).is_ready());
    let again = poll_once(pin!(&mut receiver), Waker::noop());
    assert_eq!(again, Poll::Ready(Err(Closed)));

    let (sender, mut receiver) = oneshot::channel::<u8>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    let late = poll_once(pin!(&mut receiver), Waker::noop());
    assert_eq!(late, Poll::Ready(Err(Closed)));
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync + Unpin>() {}
    const { crosses::<Sender<Cell<u8>>>() };
    const { crosses::<Receiver<Cell<u8>>>() };
    const { crosses::<Closing<'static, Cell<u8>>>() };
    assert_eq!(size_of::<Sender<[u8; 64]>>(), size_of::<usize>());
    assert_eq!(size_of::<Receiver<[u8; 64]>>(), size_of::<usize>());
    let (mut sender, receiver) = oneshot::channel::<u8>();
    assert_eq!(format!("{:?}", sender.closed()), "Closing { .. }");
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "Sender { is_closed: false } Receiver { .. }"
    );
    assert_eq!(
        TryRecvError::Empty.to_string(),
        "the value was not sent yet"
    );
    assert_eq!(TryRecvError::Closed.to_string(), "the channel is closed");
}

#[test]
fn a_receiver_that_is_dropped_lets_its_waker_go() {
    let (sender, mut receiver) = oneshot::channel::<u8>();
    let task = Count::new();
    assert!(poll_once(pin!(&mut receiver), &task.waker()).is_pending());
    assert_eq!(Arc::strong_count(&task), 2);
    drop(receiver);
    assert_eq!(Arc::strong_count(&task), 1);
    assert_eq!(sender.send(1), Err(1));
}
