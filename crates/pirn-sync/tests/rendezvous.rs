//! The rendezvous: items from hand to hand, those who leave on either side, and turns that come back.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use futures::{Sink, SinkExt, StreamExt};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{
    Closed, PutError, Rendezvous, RendezvousGet, RendezvousPut, TryGetError, block_on,
};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Futures that wait, each of a task of its own.
struct Waiting<F>(Vec<(Pin<Box<F>>, Arc<Count>)>);

impl<F: Future<Output: std::fmt::Debug>> Waiting<F> {
    fn new(futures: impl IntoIterator<Item = F>) -> Self {
        let start = |future: F| {
            let (mut future, count) = (Box::pin(future), Count::new());
            assert!(poll_once(future.as_mut(), &count.waker()).is_pending());
            (future, count)
        };
        Waiting(futures.into_iter().map(start).collect())
    }

    fn wakes(&self) -> Vec<usize> {
        self.0.iter().map(|(_, count)| count.wakes()).collect()
    }

    fn poll(&mut self, i: usize) -> Poll<F::Output> {
        let (future, count) = &mut self.0[i];
        poll_once(future.as_mut(), &count.waker())
    }

    fn leave(&mut self, i: usize) {
        drop(self.0.remove(i));
    }
}

/// An item that counts how many of its kind were dropped.
struct Item(Rc<Cell<u32>>);

impl Drop for Item {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_put_is_done_only_when_a_getter_has_taken_the_item() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new([place.put(1), place.put(2)]);
    assert!(puts.poll(0).is_pending());
    assert_eq!(place.try_get(), Ok(1));
    assert_eq!(puts.wakes(), [1, 0]);
    assert_eq!(puts.poll(0), Poll::Ready(Ok(())));
    assert!(puts.poll(1).is_pending());

    let mut gets = Waiting::new([]);
    assert_eq!(place.try_get(), Ok(2));
    gets.0.extend(Waiting::new([place.get(), place.get()]).0);
    let mut third = Waiting::new([place.put(3)]);
    assert_eq!(gets.wakes(), [1, 0]);
    // Granted, but not taken.
    assert!(third.poll(0).is_pending());
    assert_eq!(gets.poll(0), Poll::Ready(Ok(3)));
    assert_eq!(third.wakes(), [1]);
    assert_eq!(third.poll(0), Poll::Ready(Ok(())));
    assert!(gets.poll(1).is_pending());
}

#[test]
fn items_go_in_the_order_of_arrival_on_both_sides() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new((0..3).map(|i| place.put(i)));
    for i in 0..3 {
        assert_eq!(block_on(place.get()), Ok(i));
        assert!(puts.poll(i).is_ready());
    }
    let mut gets = Waiting::new((0..3).map(|_| place.get()));
    let _puts = Waiting::new((0..2).map(|i| place.put(i)));
    assert_eq!(gets.wakes(), [1, 1, 0]);
    // Whose turn it is may poll in any order: there is an item for each.
    assert!(gets.poll(2).is_pending());
    assert_eq!(gets.poll(1), Poll::Ready(Ok(0)));
    assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
}

#[test]
fn nobody_overtakes_a_getter_that_waits_or_was_woken() {
    let place = Rendezvous::new();
    let mut gets = Waiting::new([place.get()]);
    let _put = Waiting::new([place.put(1)]);
    assert_eq!(place.try_get(), Err(TryGetError::Empty));
    let mut late = Waiting::new([place.get()]);
    let _second = Waiting::new([place.put(2)]);
    assert_eq!(place.try_get(), Err(TryGetError::Empty));
    assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
    assert_eq!(late.poll(0), Poll::Ready(Ok(2)));
}

#[test]
fn a_putter_that_leaves_takes_its_item_along() {
    for leaver in 0..3 {
        let dropped = Rc::new(Cell::new(0));
        let place = Rendezvous::new();
        let mut puts = Waiting::new((0..3).map(|_| place.put(Item(Rc::clone(&dropped)))));
        puts.leave(leaver);
        assert_eq!(dropped.get(), 1);
        assert_eq!(place.statistics().putters, 2);
        for i in 0..2 {
            assert!(place.try_get().is_ok());
            assert_eq!(dropped.get(), 2 + i);
            assert!(matches!(puts.poll(i as usize), Poll::Ready(Ok(()))));
        }
        assert!(matches!(place.try_get(), Err(TryGetError::Empty)));
        drop(puts);
        assert_eq!(dropped.get(), 3);
    }
    // Never polled.
    let dropped = Rc::new(Cell::new(0));
    drop(Rendezvous::new().put(Item(Rc::clone(&dropped))));
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_putter_that_leaves_after_its_item_was_taken_changes_nothing() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new([place.put(1), place.put(2)]);
    assert_eq!(place.try_get(), Ok(1));
    puts.leave(0);
    assert_eq!(place.try_get(), Ok(2));
    assert!(puts.poll(0).is_ready());
}

#[test]
fn a_getter_that_leaves_takes_no_item_and_hands_its_turn_on() {
    for (granted, leaver) in [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1)] {
        let place = Rendezvous::new();
        let mut gets = Waiting::new((0..3).map(|_| place.get()));
        let mut puts = Waiting::new([]);
        if granted {
            puts = Waiting::new([place.put(1), place.put(2)]);
        }
        gets.leave(leaver);
        if !granted {
            puts = Waiting::new([place.put(1), place.put(2)]);
        }
        assert_eq!(gets.wakes(), [1, 1]);
        assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
        assert_eq!(gets.poll(1), Poll::Ready(Ok(2)));
        assert!(puts.poll(0).is_ready() && puts.poll(1).is_ready());
    }
    let place = Rendezvous::new();
    let gets = Waiting::new([place.get()]);
    let mut put = Waiting::new([place.put(7)]);
    drop(gets);
    assert!(put.poll(0).is_pending());
    assert_eq!(place.try_get(), Ok(7));
}

#[test]
fn a_getter_whose_putter_left_waits_again_before_all_others() {
    let place = Rendezvous::new();
    let mut gets = Waiting::new((0..3).map(|_| place.get()));
    let mut puts = Waiting::new([place.put(1), place.put(2)]);
    assert_eq!(gets.wakes(), [1, 1, 0]);
    puts.leave(0);
    // The first keeps its turn; the second was woken for nothing.
    assert!(gets.poll(1).is_pending());
    assert!(gets.poll(2).is_pending());
    assert_eq!(gets.poll(0), Poll::Ready(Ok(2)));
    // It has a waker again, and is the next.
    let mut put = Waiting::new([place.put(3)]);
    assert_eq!(gets.wakes(), [1, 2, 0]);
    assert!(gets.poll(2).is_pending());
    assert_eq!(gets.poll(1), Poll::Ready(Ok(3)));
    assert!(put.poll(0).is_ready());
}

#[test]
fn a_getter_that_was_woken_and_has_not_looked_is_not_woken_again() {
    let place = Rendezvous::new();
    let mut gets = Waiting::new([place.get(), place.get()]);
    for _ in 0..3 {
        let put = Waiting::new([place.put(1)]);
        assert_eq!(gets.wakes(), [1, 0]);
        drop(put);
    }
    let mut put = Waiting::new([place.put(2)]);
    assert_eq!(gets.wakes(), [1, 0]);
    assert!(gets.poll(1).is_pending());
    assert_eq!(gets.poll(0), Poll::Ready(Ok(2)));
    assert!(put.poll(0).is_ready());
}

#[test]
fn a_getter_may_leave_after_its_putter_left() {
    let place = Rendezvous::new();
    let mut gets = Waiting::new((0..2).map(|_| place.get()));
    drop(Waiting::new([place.put(1)]));
    gets.leave(0);
    assert_eq!(gets.wakes(), [0]);
    let _put = Waiting::new([place.put(2)]);
    assert_eq!(gets.wakes(), [1]);
    assert_eq!(gets.poll(0), Poll::Ready(Ok(2)));
}

#[test]
fn a_task_is_served_in_whichever_of_its_getters_it_polls() {
    let place = Rendezvous::new();
    let task = Count::new();
    let mut gets = [place.get(), place.get()].map(Box::pin);
    for get in &mut gets {
        assert!(poll_once(get.as_mut(), &task.waker()).is_pending());
    }
    let mut put = Waiting::new([place.put(1)]);
    let second = poll_once(gets[1].as_mut(), &task.waker());
    assert_eq!(second, Poll::Ready(Ok(1)));
    assert!(put.poll(0).is_ready());
    let woken = task.wakes();
    let _put = Waiting::new([place.put(2)]);
    assert_eq!(task.wakes(), woken + 1);
    let first = poll_once(gets[0].as_mut(), &task.waker());
    assert_eq!(first, Poll::Ready(Ok(2)));
}

#[test]
fn a_task_that_lost_its_turn_is_woken_for_the_getter_that_it_polls() {
    for polled_before in [false, true] {
        let place = Rendezvous::new();
        let task = Count::new();
        let mut unpolled = Box::pin(place.get());
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
        let mut strangers = Waiting::new([place.get()]);
        let mut awaited = Box::pin(place.get());
        if polled_before {
            assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
        }
        drop(Waiting::new([place.put(1)]));
        assert_eq!(task.wakes(), 1);
        // That wake-up is used up for the other one, which has the first one's place from now on.
        assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
        let mut puts = Waiting::new([place.put(2)]);
        assert_eq!((task.wakes(), strangers.wakes()), (2, vec![0]));
        assert_eq!(
            poll_once(awaited.as_mut(), &task.waker()),
            Poll::Ready(Ok(2))
        );
        assert!(puts.poll(0).is_ready());
        // And the first one has its place, behind the stranger.
        let _puts = Waiting::new([place.put(3), place.put(4)]);
        assert_eq!(strangers.poll(0), Poll::Ready(Ok(3)));
        assert_eq!(
            poll_once(unpolled.as_mut(), &task.waker()),
            Poll::Ready(Ok(4))
        );
    }
}

#[test]
fn closing_gives_putters_their_items_back_and_tells_getters() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new([place.put(1), place.put(2)]);
    place.close();
    place.close();
    assert!(place.is_closed());
    assert_eq!(puts.wakes(), [1, 1]);
    assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(1))));
    puts.leave(0);
    assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(2))));
    assert_eq!(place.try_get(), Err(TryGetError::Closed));
    assert_eq!(block_on(place.get()), Err(Closed));
    assert_eq!(block_on(place.put(3)), Err(PutError(3)));
    assert_eq!(block_on(place.get_many(&mut Vec::new(), 2)), Err(Closed));

    let place = Rendezvous::<u8>::new();
    let mut gets = Waiting::new([place.get(), place.get(), place.get()]);
    place.close();
    assert_eq!(gets.wakes(), [1, 1, 1]);
    gets.leave(0);
    assert_eq!(gets.poll(1), Poll::Ready(Err(Closed)));
    assert_eq!(gets.poll(0), Poll::Ready(Err(Closed)));
}

#[test]
fn closing_reaches_both_who_are_about_to_meet() {
    for first_leaves in [false, true] {
        let place = Rendezvous::new();
        let mut gets = Waiting::new([place.get(), place.get()]);
        let mut puts = Waiting::new([place.put(1), place.put(2)]);
        puts.leave(1);
        place.close();
        assert_eq!(gets.wakes(), [1, 1]);
        if first_leaves {
            gets.leave(0);
        } else {
            assert_eq!(gets.poll(0), Poll::Ready(Err(Closed)));
        }
        let last = gets.0.len() - 1;
        assert_eq!(gets.poll(last), Poll::Ready(Err(Closed)));
        assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(1))));
    }
}

#[test]
fn a_put_whose_item_was_taken_before_the_close_is_done() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new([place.put(1)]);
    assert_eq!(place.try_get(), Ok(1));
    place.close();
    assert_eq!(puts.poll(0), Poll::Ready(Ok(())));
    let again = catch_unwind(AssertUnwindSafe(|| puts.poll(0))).unwrap_err();
    assert_eq!(
        pirn_core::panic_message(&*again),
        "a `Put` was polled after it was done"
    );
}

#[test]
fn all_that_is_offered_is_taken_at_once_but_for_what_others_are_to_have() {
    let place = Rendezvous::new();
    let mut puts = Waiting::new((0..5).map(|i| place.put(i)));
    let mut items = Vec::new();
    assert_eq!(block_on(place.get_many(&mut items, 0)), Ok(0));
    assert_eq!(block_on(place.get_many(&mut items, 3)), Ok(3));
    assert_eq!(items, [0, 1, 2]);
    assert_eq!(puts.wakes(), [1, 1, 1, 0, 0]);
    assert!((0..3).all(|i| puts.poll(i).is_ready()));
    assert_eq!(block_on(place.get_many(&mut items, 9)), Ok(2));

    let mut many = Box::pin(place.get_many(&mut items, 9));
    let count = Count::new();
    assert!(poll_once(many.as_mut(), &count.waker()).is_pending());
    let mut get = Waiting::new([place.get()]);
    let _puts = Waiting::new((5..8).map(|i| place.put(i)));
    // One is for the getter that came after it.
    assert_eq!(poll_once(many.as_mut(), &count.waker()), Poll::Ready(Ok(2)));
    assert_eq!(get.poll(0), Poll::Ready(Ok(7)));
    drop(many);
    assert_eq!(items, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn its_sides_close_it_as_the_last_one_goes() {
    let (sender, receiver) = Rendezvous::<u8>::new().split();
    let second = sender.clone();
    drop(sender);
    assert!(!receiver.is_closed());
    drop(second);
    assert_eq!(receiver.try_get(), Err(TryGetError::Closed));

    let (sender, receiver) = Rendezvous::new().split();
    let mut puts = Waiting::new([sender.put(1)]);
    let second = receiver.clone();
    drop(receiver);
    assert_eq!(puts.wakes(), [0]);
    drop(second);
    assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(1))));
}

#[test]
fn its_stream_ends_and_its_sink_holds_one_item() {
    let place = Rendezvous::new();
    let task = Count::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut sink = pin!(place.sink());
    assert_eq!(sink.as_mut().poll_ready(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(sink.as_mut().poll_flush(&mut cx), Poll::Ready(Ok(())));
    sink.as_mut().start_send(1).unwrap();
    // Not on offer before it is flushed, or polled for the next.
    assert_eq!(place.try_get(), Err(TryGetError::Empty));
    let waker = task.waker();
    let mut cx = Context::from_waker(&waker);
    assert!(sink.as_mut().poll_ready(&mut cx).is_pending());
    let too_early = catch_unwind(AssertUnwindSafe(|| sink.as_mut().start_send(2))).unwrap_err();
    assert_eq!(
        pirn_core::panic_message(&*too_early),
        "`start_send` was called before `poll_ready` was ready"
    );
    let mut stream = pin!(place.stream());
    assert_eq!(block_on(stream.next()), Some(1));
    assert_eq!(task.wakes(), 1);
    assert_eq!(sink.as_mut().poll_close(&mut cx), Poll::Ready(Ok(())));
    // A future that sends may be dropped: the item stays on offer.
    {
        let mut send = pin!(sink.send(3));
        assert!(poll_once(send.as_mut(), &task.waker()).is_pending());
    }
    assert_eq!(place.try_get(), Ok(3));
    block_on(sink.feed(4)).unwrap();
    place.close();
    assert_eq!(block_on(sink.flush()), Err(PutError(Some(4))));
    assert_eq!(block_on(sink.flush()), Ok(()));
    assert_eq!(block_on(sink.send(5)), Err(PutError(Some(5))));
    assert_eq!(block_on(stream.next()), None);
}

#[test]
fn a_sink_that_is_dropped_takes_its_item_back() {
    let place = Rendezvous::new();
    {
        let mut sink = pin!(place.sink());
        sink.as_mut().start_send(1).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(sink.as_mut().poll_flush(&mut cx).is_pending());
        assert_eq!(place.statistics().putters, 1);
    }
    assert_eq!(place.try_get(), Err(TryGetError::Empty));
}

/// Runs `f` in a poll of a body that was cancelled, outside of its regions.
fn in_a_cancelled_body(mut f: impl FnMut(&mut Context<'_>)) {
    let scope = Scope::detached();
    let mut region = pin!(shield(pending::<()>()));
    let body = poll_fn(|cx| {
        let cancelled = scope.cause().is_some();
        assert!(region.as_mut().poll(cx).is_pending());
        if cancelled {
            f(cx);
        }
        Poll::<()>::Pending
    });
    let mut run = pin!(scope.run(body));
    let count = Count::new();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    scope.cancel(Cause::requested("enough"));
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
}

#[test]
fn in_a_cancelled_body_both_leave_their_lines_and_what_was_taken_is_done() {
    let place = Rendezvous::new();
    let task = Count::new();
    // A putter that waits, one whose item was taken, and a getter that was granted.
    let (mut taken, mut put) = (Box::pin(place.put(0)), Box::pin(place.put(1)));
    assert!(poll_once(taken.as_mut(), &task.waker()).is_pending());
    assert_eq!(place.try_get(), Ok(0));
    let mut get = Box::pin(place.get());
    assert!(poll_once(get.as_mut(), &task.waker()).is_pending());
    let mut others = Waiting::new([place.get()]);
    assert!(poll_once(put.as_mut(), &task.waker()).is_pending());
    in_a_cancelled_body(|cx| {
        assert!(get.as_mut().poll(cx).is_pending());
        assert_eq!(others.wakes(), [1]);
        assert!(put.as_mut().poll(cx).is_pending());
        for _ in 0..2 {
            assert!(taken.as_mut().poll(cx).is_pending());
        }
    });
    assert!(others.poll(0).is_pending());
    others.leave(0);
    let now = place.statistics();
    assert_eq!((now.putters, now.getters), (0, 0));
    // Outside of it they go on, if anybody polls them.
    assert!(poll_once(taken.as_mut(), &task.waker()).is_ready());
    assert!(poll_once(put.as_mut(), &task.waker()).is_pending());
    assert_eq!(poll_once(get.as_mut(), &task.waker()), Poll::Ready(Ok(1)));
    assert!(poll_once(put.as_mut(), &task.waker()).is_ready());
}

#[test]
fn without_budget_nothing_moves() {
    let place = Rendezvous::new();
    let count = Count::new();
    let (mut put, mut get) = (Box::pin(place.put(1)), Box::pin(place.get()));
    let spend = || {
        let refilled = budget::refill();
        while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
        refilled
    };
    let refilled = spend();
    assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), place.statistics().putters), (2, 0));
    drop(refilled);
    assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 3);
    // The getter is granted, and keeps its grant.
    let refilled = spend();
    assert!(poll_once(get.as_mut(), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 4);
    drop(refilled);
    // If its putter leaves then, it waits; and is not forgotten.
    drop(put);
    let mut put = Box::pin(place.put(2));
    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
    assert_eq!(poll_once(get.as_mut(), &count.waker()), Poll::Ready(Ok(2)));
    let refilled = spend();
    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
    drop(refilled);
    assert!(poll_once(put.as_mut(), &count.waker()).is_ready());
}

#[test]
fn a_waker_that_panics_does_not_keep_others_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the test's");
        }
    }
    let place = Rendezvous::new();
    let mut first = Box::pin(place.put(1));
    assert!(poll_once(first.as_mut(), &Arc::new(Panics).into()).is_pending());
    let mut puts = Waiting::new([place.put(2), place.put(3)]);
    place.close();
    assert_eq!(puts.wakes(), [1, 1]);
    assert_eq!(puts.poll(1), Poll::Ready(Err(PutError(3))));

    let place = Rendezvous::new();
    let mut first = Box::pin(place.get());
    assert!(poll_once(first.as_mut(), &Arc::new(Panics).into()).is_pending());
    let mut gets = Waiting::new([place.get()]);
    let mut puts = Waiting::new([place.put(1), place.put(2)]);
    assert_eq!(gets.wakes(), [1]);
    puts.leave(0);
    assert!(gets.poll(0).is_pending());
    drop(first);
    assert_eq!(gets.wakes(), [2]);
    assert_eq!(gets.poll(0), Poll::Ready(Ok(2)));
    assert!(puts.poll(0).is_ready());
}

#[test]
fn its_statistics_count_who_waits_where() {
    let place = Rendezvous::new();
    let puts = Waiting::new([place.put(1), place.put(2)]);
    let now = place.statistics();
    assert_eq!((now.putters, now.getters, now.is_closed), (2, 0, false));
    drop(puts);
    let gets = Waiting::new([place.get()]);
    let now = place.statistics();
    assert_eq!((now.putters, now.getters), (0, 1));
    drop(gets);
    assert_eq!(format!("{place:?}"), "Rendezvous { is_closed: false, .. }");
}

#[test]
fn its_types_cross_threads_if_the_items_do_and_are_small() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Rendezvous<Cell<u8>>>() };
    const { crosses::<RendezvousGet<'static, Cell<u8>>>() };
    const { crosses::<RendezvousPut<'static, Cell<u8>>>() };
    static PLACE: Rendezvous<u64> = Rendezvous::new();
    assert!(!PLACE.is_closed());
    assert_eq!(size_of::<RendezvousGet<'static, u64>>(), 64);
    assert_eq!(size_of::<RendezvousPut<'static, u64>>(), 96);
    assert_eq!(size_of::<Rendezvous<u64>>(), 64);
}

/// A sequence that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// What is said of a rendezvous, without a thought for how it is done: two lines, in which a getter
/// may go on if as many putters wait as getters up to it; and which task is owed a wake-up.
#[derive(Default)]
struct Naive {
    /// Number, task, and whether it was woken since its last poll.
    getters: Vec<(usize, usize, bool)>,
    /// Number, which is the item as well.
    putters: Vec<usize>,
    wakes: [usize; TASKS],
}

const TASKS: usize = 3;

impl Naive {
    /// Wakes the tasks of those who may go on.
    fn settle(&mut self) {
        for (_, task, woken) in self.getters.iter_mut().take(self.putters.len()) {
            self.wakes[*task] += usize::from(!*woken);
            *woken = true;
        }
    }

    /// The item that a getter gets at this poll.
    fn poll(&mut self, number: usize, task: usize) -> Option<usize> {
        let place = |naive: &Naive| naive.getters.iter().position(|getter| getter.0 == number);
        let mut at = place(self).unwrap_or_else(|| {
            self.getters.push((number, task, false));
            self.getters.len() - 1
        });
        self.getters[at].2 = false;
        let may = self.putters.len();
        if at >= may {
            // Another of the task may go on: they change places, and the other one has a waker.
            let other = self.getters[..may]
                .iter()
                .rposition(|getter| getter.1 == task);
            if let Some(other) = other {
                self.getters.swap(at, other);
                self.getters[at].2 = false;
                at = other;
            } else if let Some(other) = self.getters[..at]
                .iter()
                .position(|getter| getter.1 == task && getter.2)
            {
                self.getters.swap(at, other);
                at = other;
            }
        }
        (at < may).then(|| {
            self.getters.remove(at);
            self.putters.remove(0)
        })
    }
}

#[test]
fn it_does_what_two_plain_lines_would_do() {
    type Getter<'a> = (usize, usize, Pin<Box<RendezvousGet<'a, usize>>>);
    type Putter<'a> = (usize, Arc<Count>, Pin<Box<RendezvousPut<'a, usize>>>);
    for seed in 0..400 {
        let mut random = Random(seed);
        let place = Rendezvous::new();
        let mut naive = Naive::default();
        let tasks: [_; TASKS] = std::array::from_fn(|_| Count::new());
        let mut gets: Vec<Getter<'_>> = Vec::new();
        let mut puts: Vec<Putter<'_>> = Vec::new();
        for number in 0..120 {
            let is_new = random.below(2) == 0;
            match random.below(9) {
                0..2 => {
                    let (mut put, count) = (Box::pin(place.put(number)), Count::new());
                    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
                    puts.push((number, count, put));
                    naive.putters.push(number);
                }
                2..6 if is_new || gets.is_empty() => {
                    let task = random.below(TASKS);
                    gets.push((number, task, Box::pin(place.get())));
                    let (_, _, get) = gets.last_mut().unwrap();
                    let got = poll_once(get.as_mut(), &tasks[task].waker());
                    let got = got.map(|got| got.expect("it is not closed"));
                    assert_eq!(got, to_poll(naive.poll(number, task)), "seed {seed}");
                    if got.is_ready() {
                        gets.pop();
                    }
                }
                2..6 => {
                    let at = random.below(gets.len());
                    let (number, task, get) = &mut gets[at];
                    let got = poll_once(get.as_mut(), &tasks[*task].waker());
                    let got = got.map(|got| got.expect("it is not closed"));
                    assert_eq!(got, to_poll(naive.poll(*number, *task)), "seed {seed}");
                    if got.is_ready() {
                        drop(gets.remove(at));
                    }
                }
                6 if !gets.is_empty() => {
                    let (number, ..) = gets.remove(random.below(gets.len()));
                    naive.getters.retain(|getter| getter.0 != number);
                }
                7 if !puts.is_empty() => {
                    let (number, ..) = puts.remove(random.below(puts.len()));
                    naive.putters.retain(|&item| item != number);
                }
                8 => {
                    let may = naive.getters.len() < naive.putters.len();
                    let item = may.then(|| naive.putters.remove(0));
                    assert_eq!(place.try_get().ok(), item, "seed {seed}");
                }
                _ => {}
            }
            naive.settle();
            let woken: Vec<_> = tasks.iter().map(|task| task.wakes()).collect();
            assert_eq!(woken, naive.wakes, "seed {seed}");
            for (number, count, _) in &puts {
                let taken = !naive.putters.contains(number);
                assert_eq!(count.wakes(), usize::from(taken), "seed {seed}");
            }
            puts.retain_mut(|(number, count, put)| {
                let done =
                    random.below(3) == 0 && poll_once(put.as_mut(), &count.waker()).is_ready();
                assert!(!done || !naive.putters.contains(number), "seed {seed}");
                !done
            });
            let now = place.statistics();
            assert_eq!(now.putters, naive.putters.len(), "seed {seed}");
        }
    }
}

fn to_poll<T>(value: Option<T>) -> Poll<T> {
    value.map_or(Poll::Pending, Poll::Ready)
}

#[test]
fn a_getter_whose_turn_came_back_keeps_its_place_for_a_task_that_does_not_come() {
    let place = Rendezvous::new();
    let (t, u, p) = (Count::new(), Count::new(), Count::new());
    let (mut a, mut b) = (Box::pin(place.get()), Box::pin(place.get()));
    assert!(poll_once(a.as_mut(), &t.waker()).is_pending());
    assert!(poll_once(b.as_mut(), &u.waker()).is_pending());
    let mut put = Box::pin(place.put(1));
    assert!(poll_once(put.as_mut(), &p.waker()).is_pending());
    drop(put);
    let mut put = Box::pin(place.put(2));
    assert!(poll_once(put.as_mut(), &p.waker()).is_pending());
    assert!(poll_once(b.as_mut(), &u.waker()).is_pending());
    assert!(place.try_get().is_err());
    assert_eq!((t.wakes(), u.wakes()), (1, 0));
    drop(a);
    assert_eq!(poll_once(b.as_mut(), &u.waker()), Poll::Ready(Ok(2)));
}
