//! The queue: order, limits, cancellation, closing, and work that is done.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use futures::{Sink, SinkExt, StreamExt};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{
    Closed, LifoQueue, PriorityQueue, PutError, Queue, QueueGet, QueueJoin, QueuePut, TryGetError,
    TryPutError,
};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

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
}

#[test]
fn items_come_out_in_the_order_in_which_they_went_in() {
    let queue = Queue::bounded(3);
    pirn_core::shim::block_on(async {
        for round in 0..5 {
            for i in 0..3 {
                queue.put(round * 3 + i).await.unwrap();
            }
            assert!(queue.is_full());
            for i in 0..3 {
                assert_eq!(queue.get().await, Ok(round * 3 + i));
            }
            assert!(queue.is_empty());
        }
    });
}

#[test]
fn it_never_holds_more_than_its_capacity_and_a_put_waits_for_room() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert_eq!(queue.try_put(3), Err(TryPutError::Full(3)));
    let mut puts = Waiting::new([queue.put(3), queue.put(4)]);
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(puts.wakes(), [1, 0]);
    // The place is set aside: neither a try nor a newcomer gets it.
    assert_eq!(
        (queue.len(), queue.try_put(9)),
        (1, Err(TryPutError::Full(9)))
    );
    assert!(poll_once(pin!(queue.put(9)), &Count::new().waker()).is_pending());
    assert!(puts.poll(1).is_pending());
    assert_eq!(puts.poll(0), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(2));
    assert_eq!(puts.poll(1), Poll::Ready(Ok(())));
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(3), Ok(4)));
}

#[test]
fn an_item_is_set_aside_for_the_first_who_waits_and_stays_in_the_queue() {
    let queue = Queue::bounded(4);
    let mut gets = Waiting::new([queue.get(), queue.get()]);
    queue.try_put(1).unwrap();
    assert_eq!(gets.wakes(), [1, 0]);
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    assert!(gets.poll(1).is_pending());
    assert!(poll_once(pin!(queue.get()), &Count::new().waker()).is_pending());
    assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
    assert_eq!(gets.wakes(), [1, 0]);
}

#[test]
fn a_getter_dropped_before_or_after_its_grant_loses_no_item() {
    for (granted, leaver) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let queue = Queue::bounded(4);
        let mut gets = Waiting::new([queue.get(), queue.get(), queue.get()]);
        if granted {
            queue.try_put(1).unwrap();
            queue.try_put(2).unwrap();
        }
        drop(gets.0.remove(leaver));
        if !granted {
            queue.try_put(1).unwrap();
            queue.try_put(2).unwrap();
        }
        assert_eq!(gets.wakes(), [1, 1]);
        assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
        assert_eq!(gets.poll(1), Poll::Ready(Ok(2)));
    }
    let queue = Queue::bounded(1);
    let gets = Waiting::new([queue.get()]);
    queue.try_put(7).unwrap();
    drop(gets);
    assert_eq!(queue.try_get(), Ok(7));
}

#[test]
fn a_putter_that_is_dropped_takes_its_item_along_and_passes_its_place_on() {
    let queue = Queue::bounded(1);
    let dropped = Rc::new(Cell::new(0));
    struct Item(Rc<Cell<u32>>);
    impl Drop for Item {
        fn drop(&mut self) {
            self.0.update(|n| n + 1);
        }
    }
    let item = || Item(Rc::clone(&dropped));
    assert!(queue.try_put(item()).is_ok());
    let mut puts = Waiting::new((0..3).map(|_| queue.put(item())));
    drop(queue.try_get());
    assert_eq!((dropped.get(), puts.wakes()), (1, vec![1, 0, 0]));
    drop(puts.0.remove(0));
    assert_eq!((dropped.get(), puts.wakes()), (2, vec![1, 0]));
    drop(puts.0.remove(1));
    assert!(puts.poll(0).is_ready());
    assert_eq!(dropped.get(), 3);
    drop(puts);
    drop(queue);
    assert_eq!(dropped.get(), 4);
}

#[test]
fn closing_fails_puts_with_their_item_and_lets_the_rest_be_taken() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut puts = Waiting::new([queue.put(2), queue.put(3)]);
    queue.close();
    queue.close();
    assert!(queue.is_closed());
    assert_eq!(puts.wakes(), [1, 1]);
    assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(2))));
    assert_eq!(puts.poll(1), Poll::Ready(Err(PutError(3))));
    assert_eq!(queue.try_put(4), Err(TryPutError::Closed(4)));
    assert_eq!(TryPutError::Closed(4).into_inner(), 4);
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
    let get = poll_once(pin!(queue.get()), &Count::new().waker());
    assert_eq!(get, Poll::Ready(Err(Closed)));
}

#[test]
fn a_putter_that_was_granted_a_place_before_the_close_keeps_its_item() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut puts = Waiting::new([queue.put(2), queue.put(3)]);
    queue.try_get().unwrap();
    queue.close();
    assert_eq!(puts.poll(0), Poll::Ready(Err(PutError(2))));
    drop(puts);
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
}

#[test]
fn closing_wakes_those_who_wait_for_items_once_there_are_none_to_come() {
    let queue = Queue::<u8>::bounded(1);
    let mut gets = Waiting::new([queue.get(), queue.get()]);
    queue.close();
    assert_eq!(gets.wakes(), [1, 1]);
    drop(gets.0.remove(0));
    assert_eq!(gets.poll(0), Poll::Ready(Err(Closed)));

    // One item is set aside as it is closed: the second getter may still get it.
    for first_leaves in [false, true] {
        let queue = Queue::bounded(1);
        let mut gets = Waiting::new([queue.get(), queue.get()]);
        queue.try_put(1).unwrap();
        queue.close();
        assert_eq!(gets.wakes(), [1, 0]);
        if first_leaves {
            drop(gets.0.remove(0));
            assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
        } else {
            assert_eq!(gets.poll(0), Poll::Ready(Ok(1)));
            assert_eq!(gets.poll(1), Poll::Ready(Err(Closed)));
        }
    }
}

#[test]
fn join_waits_until_each_item_is_done() {
    let queue = Queue::bounded(2);
    assert!(poll_once(pin!(queue.join()), &Count::new().waker()).is_ready());
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    let mut joins = Waiting::new([queue.join(), queue.join()]);
    queue.try_get().unwrap();
    queue.try_get().unwrap();
    queue.task_done();
    assert_eq!((queue.unfinished(), joins.wakes()), (1, vec![0, 0]));
    queue.task_done();
    assert_eq!(joins.wakes(), [1, 1]);
    assert!(joins.poll(0).is_ready() && joins.poll(1).is_ready());
}

#[test]
fn task_done_once_too_often_panics_and_counts_nothing() {
    let queue = Queue::bounded(2);
    for _ in 0..3 {
        queue.try_put(()).unwrap();
        queue.try_get().unwrap();
        queue.task_done();
    }
    let payload = catch_unwind(AssertUnwindSafe(|| queue.task_done())).unwrap_err();
    assert_eq!(
        pirn_core::panic_message(&*payload),
        "task_done() was called more often than items were put: 0 are unfinished"
    );
    queue.try_put(()).unwrap();
    queue.task_done();
}

#[test]
fn an_item_may_be_done_before_it_is_taken() {
    let queue = Queue::bounded(2);
    queue.try_put(()).unwrap();
    queue.task_done();
    assert_eq!((queue.len(), queue.unfinished()), (1, 0));
    queue.try_put(()).unwrap();
    queue.try_get().unwrap();
    assert_eq!((queue.len(), queue.unfinished()), (1, 1));
    queue.task_done();
    queue.try_get().unwrap();
    assert_eq!((queue.len(), queue.unfinished()), (0, 0));
    queue.try_put(()).unwrap();
    queue.task_done();
    assert_eq!(queue.close_now(), [()]);
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn a_queue_for_no_item_is_refused() {
    let payload = catch_unwind(|| drop(Queue::<u8>::bounded(0))).unwrap_err();
    assert_eq!(
        pirn_core::panic_message(&*payload),
        "the capacity of a queue is at least 1, and 0 was asked for"
    );
}

#[test]
fn a_task_is_served_in_whichever_of_its_futures_it_polls() {
    let queue = Queue::bounded(1);
    let task = Count::new();
    let mut gets = [queue.get(), queue.get()].map(Box::pin);
    for get in &mut gets {
        assert!(poll_once(get.as_mut(), &task.waker()).is_pending());
    }
    queue.try_put(1).unwrap();
    assert_eq!(
        poll_once(gets[1].as_mut(), &task.waker()),
        Poll::Ready(Ok(1))
    );
    queue.try_put(2).unwrap();
    assert_eq!(
        poll_once(gets[0].as_mut(), &task.waker()),
        Poll::Ready(Ok(2))
    );

    queue.try_put(3).unwrap();
    let mut puts = [4, 5].map(|item| Box::pin(queue.put(item)));
    for put in &mut puts {
        assert!(poll_once(put.as_mut(), &task.waker()).is_pending());
    }
    assert_eq!(queue.try_get(), Ok(3));
    assert!(poll_once(puts[1].as_mut(), &task.waker()).is_ready());
    assert!(poll_once(puts[0].as_mut(), &task.waker()).is_pending());
    assert_eq!(queue.try_get(), Ok(5));
    assert!(poll_once(puts[0].as_mut(), &task.waker()).is_ready());
    // A place that was granted is of no use to a getter of the same task.
    assert_eq!(queue.try_get(), Ok(4));
}

#[test]
fn who_was_told_that_all_is_done_is_not_sent_back_to_wait() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    let task = Count::new();
    let mut told = pin!(queue.join());
    assert!(poll_once(told.as_mut(), &task.waker()).is_pending());
    queue.try_get().unwrap();
    queue.task_done();
    queue.try_put(2).unwrap();
    let mut later = pin!(queue.join());
    assert!(poll_once(later.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(told.as_mut(), &task.waker()).is_ready());
    queue.task_done();
    assert!(poll_once(later.as_mut(), &task.waker()).is_ready());
}

#[test]
fn a_getter_in_a_cancelled_body_leaves_its_item_to_others() {
    let queue = Queue::bounded(1);
    let scope = Scope::detached();
    let task = Count::new();
    let mut body = pin!(scope.run(async {
        let _ = tokio::join!(queue.get(), shield(std::future::pending::<()>()));
    }));
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    queue.try_put(1).unwrap();
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    scope.cancel(Cause::requested("enough"));
    assert!(poll_once(body.as_mut(), &task.waker()).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
}

#[test]
fn without_budget_nothing_moves() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    let mut put = pin!(queue.put(2));
    assert!(poll_once(pin!(queue.get()), &count.waker()).is_pending());
    assert!(poll_once(put.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), queue.len()), (2, 1));
    drop(refilled);
    assert!(poll_once(put.as_mut(), &count.waker()).is_ready());
}

#[test]
fn an_item_may_be_destroyed_where_the_queue_is_used_again() {
    /// Looks at the queue as it is dropped.
    struct Looks(Arc<Queue<Looks>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.0.len();
        }
    }
    let queue = Arc::new(Queue::bounded(1));
    queue.try_put(Looks(Arc::clone(&queue))).unwrap();
    drop(queue.try_put(Looks(Arc::clone(&queue))));
    drop(queue.try_get());
    queue.close();
    drop(queue.try_put(Looks(Arc::clone(&queue))));
}

/// Numbers below the one that is asked for, the same at each run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut seed = 7_u64;
    move |n| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) % n
    }
}

#[test]
fn any_sequence_of_tries_agrees_with_a_plain_deque() {
    let mut next = numbers();
    for capacity in 1..6 {
        let (queue, mut model) = (Queue::bounded(capacity), VecDeque::new());
        for i in 0..5000 {
            if next(2) == 0 {
                let put = queue.try_put(i);
                assert_eq!(put.is_ok(), model.len() < capacity);
                if put.is_ok() {
                    model.push_back(i);
                }
            } else {
                assert_eq!(queue.try_get().ok(), model.pop_front());
            }
            assert_eq!(queue.len(), model.len());
        }
    }
}

/// Who waits, as a plain model has it: in the order of arrival, and what each was granted.
#[derive(Default)]
struct Model {
    items: VecDeque<u64>,
    capacity: usize,
    closed: bool,
    /// By the number of the operation; true for a put.
    waiting: Vec<(u64, bool)>,
    granted: Vec<(u64, bool)>,
}

impl Model {
    fn has(&self, put: bool) -> bool {
        let set_aside = self.granted.iter().filter(|(_, is)| *is == put).count();
        match put {
            true => self.closed || self.items.len() + set_aside < self.capacity,
            false => self.items.len() > set_aside || self.closed && self.items.is_empty(),
        }
    }

    fn is_first(&self, put: bool) -> bool {
        self.waiting.iter().all(|(_, is)| *is != put)
    }

    fn settle(&mut self) {
        for put in [true, false] {
            while let Some(at) = self.waiting.iter().position(|(_, is)| *is == put) {
                if !self.has(put) {
                    break;
                }
                self.granted.push(self.waiting.remove(at));
            }
        }
    }

    /// What the operation does, unless it has to wait.
    fn poll(&mut self, number: u64, put: bool) -> Option<Result<u64, Closed>> {
        let admitted = self.is_first(put) && self.has(put);
        if !self.leave(number) && !admitted {
            self.waiting.push((number, put));
            return None;
        }
        let done = match put {
            true if self.closed => Err(Closed),
            true => {
                self.items.push_back(number);
                Ok(number)
            }
            false => self.items.pop_front().ok_or(Closed),
        };
        self.settle();
        Some(done)
    }

    /// True if it had been granted something, which is not passed on yet.
    fn leave(&mut self, number: u64) -> bool {
        let before = self.granted.len();
        self.granted.retain(|(of, _)| *of != number);
        self.waiting.retain(|(of, _)| *of != number);
        self.granted.len() < before
    }
}

#[test]
fn any_sequence_of_puts_gets_and_leavers_agrees_with_a_plain_model() {
    type Live<'a> = Pin<Box<dyn Future<Output = Result<u64, Closed>> + 'a>>;
    let mut next = numbers();
    for run in 0..200 {
        let capacity = 1 + next(4) as usize;
        let queue = &Queue::bounded(capacity);
        let mut model = Model {
            capacity,
            ..Model::default()
        };
        let mut live: Vec<(u64, bool, Live<'_>, Arc<Count>)> = Vec::new();
        for number in 0..150 {
            let chosen = next(1 + live.len() as u64) as usize;
            let begins = chosen == live.len() || next(2) == 0;
            if begins {
                let put = next(2) == 0;
                let future: Live<'_> = match put {
                    true => Box::pin(async move {
                        queue.put(number).await.map_err(|_| Closed)?;
                        Ok(number)
                    }),
                    false => Box::pin(queue.get()),
                };
                live.push((number, put, future, Count::new()));
            }
            let at = if begins { live.len() - 1 } else { chosen };
            let (of, put, future, count) = &mut live[at];
            let is_waiting = model.waiting.iter().any(|(it, _)| it == of);
            if !begins && next(2) == 0 {
                model.leave(*of);
                model.settle();
                drop(live.swap_remove(at));
            } else if !is_waiting {
                let done = model.poll(*of, *put);
                match poll_once(future.as_mut(), &count.waker()) {
                    Poll::Ready(ready) => {
                        assert_eq!(Some(ready), done);
                        drop(live.swap_remove(at));
                    }
                    Poll::Pending => assert_eq!(None, done),
                }
            }
            if run % 2 == 0 && number == 120 {
                queue.close();
                model.closed = true;
                model.settle();
            }
            if run % 4 == 3 && number == 120 {
                assert!(queue.close_now().into_iter().eq(model.items.drain(..)));
                model.closed = true;
                model.settle();
            }
            let now = queue.statistics();
            let putters = model.waiting.iter().filter(|(_, put)| *put).count();
            let getters = model.waiting.len() - putters;
            assert_eq!(
                (now.len, now.getters, now.putters),
                (model.items.len(), getters, putters)
            );
            for (number, _, _, count) in &live {
                let granted = model.granted.iter().any(|(of, _)| of == number);
                assert_eq!(count.wakes(), usize::from(granted));
            }
        }
    }
}

#[test]
fn any_sequence_of_tries_agrees_with_a_plain_stack() {
    let mut next = numbers();
    for capacity in 1..6 {
        let (queue, mut model) = (LifoQueue::bounded(capacity), Vec::new());
        for i in 0..5000 {
            if next(2) == 0 {
                let put = queue.try_put(i);
                assert_eq!(put.is_ok(), model.len() < capacity);
                if put.is_ok() {
                    model.push(i);
                }
            } else {
                assert_eq!(queue.try_get().ok(), model.pop());
            }
            assert_eq!(queue.len(), model.len());
        }
    }
}

#[test]
fn any_sequence_of_tries_by_priority_agrees_with_a_stable_sort() {
    let mut next = numbers();
    for capacity in 1..6 {
        let (queue, mut model) = (PriorityQueue::bounded(capacity), Vec::new());
        for i in 0..5000 {
            if next(2) == 0 {
                let item = (next(3), i);
                let put = queue.try_put(item);
                assert_eq!(put.is_ok(), model.len() < capacity);
                if put.is_ok() {
                    model.push(item);
                    model.sort_by_key(|&(priority, _)| priority);
                }
            } else {
                let first = (!model.is_empty()).then(|| model.remove(0));
                assert_eq!(queue.try_get().ok(), first);
            }
            assert_eq!(queue.len(), model.len());
        }
    }
}

#[test]
fn a_getter_who_was_granted_an_item_gets_the_one_that_is_then_the_first_by_priority() {
    let queue = PriorityQueue::unbounded();
    let mut getters = Waiting::new([queue.get()]);
    queue.try_put((Reverse(1), "late")).unwrap();
    assert_eq!(getters.wakes(), [1]);
    queue.try_put((Reverse(2), "soon")).unwrap();
    assert_eq!(getters.poll(0), Poll::Ready(Ok((Reverse(2), "soon"))));
    assert_eq!(queue.try_get(), Ok((Reverse(1), "late")));
}

#[test]
fn a_queue_without_a_bound_is_never_full() {
    let queue = Queue::unbounded();
    for i in 0..1000 {
        let mut put = pin!(queue.put(i));
        assert!(poll_once(put.as_mut(), Waker::noop()).is_ready());
    }
    assert!(!queue.is_full());
    assert_eq!(queue.len(), 1000);
}

#[test]
fn many_are_taken_at_once_but_none_that_was_set_aside() {
    let queue = Queue::bounded(8);
    let mut getters = Waiting::new([queue.get(), queue.get()]);
    for i in 0..6 {
        queue.try_put(i).unwrap();
    }
    assert_eq!(getters.wakes(), [1, 1]);
    let mut items = vec![99];
    pirn_core::shim::block_on(async {
        assert_eq!(queue.get_many(&mut items, 0).await, Ok(0));
        assert_eq!(queue.get_many(&mut items, 3).await, Ok(3));
        assert_eq!(queue.get_many(&mut items, 10).await, Ok(1));
    });
    assert_eq!(items, [99, 0, 1, 2, 3]);
    assert_eq!(getters.poll(0), Poll::Ready(Ok(4)));
    assert_eq!(getters.poll(1), Poll::Ready(Ok(5)));
    queue.close();
    let mut rest = pin!(queue.get_many(&mut items, 3));
    assert_eq!(
        poll_once(rest.as_mut(), Waker::noop()),
        Poll::Ready(Err(Closed))
    );
}

#[test]
fn taking_many_makes_room_for_as_many_who_wait() {
    let queue = Queue::bounded(3);
    for i in 0..3 {
        queue.try_put(i).unwrap();
    }
    let putters = Waiting::new([queue.put(3), queue.put(4), queue.put(5)]);
    let mut items = Vec::new();
    let mut many = pin!(queue.get_many(&mut items, 2));
    assert_eq!(poll_once(many.as_mut(), Waker::noop()), Poll::Ready(Ok(2)));
    assert_eq!(putters.wakes(), [1, 1, 0]);
}

#[test]
fn a_reserved_place_is_filled_or_given_up_and_nobody_else_has_it() {
    let queue = Queue::bounded(1);
    let place = pirn_core::shim::block_on(queue.reserve_put()).unwrap();
    assert_eq!(queue.try_put(1), Err(TryPutError::Full(1)));
    let mut putters = Waiting::new([queue.put(2), queue.put(3)]);
    drop(place);
    assert_eq!(putters.wakes(), [1, 0]);
    assert_eq!(putters.poll(0), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(2));
    assert_eq!(putters.poll(1), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(3));
    let place = pirn_core::shim::block_on(queue.reserve_put()).unwrap();
    queue.close();
    assert_eq!(place.put(4), Err(PutError(4)));
    assert!(pirn_core::shim::block_on(queue.reserve_put()).is_err());
}

#[test]
fn a_reserved_item_is_taken_or_left_and_nobody_else_has_it() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    let claim = pirn_core::shim::block_on(queue.reserve_get()).unwrap();
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    let mut getters = Waiting::new([queue.get()]);
    drop(claim);
    assert_eq!(getters.wakes(), [1]);
    assert_eq!(getters.poll(0), Poll::Ready(Ok(1)));
    queue.try_put(2).unwrap();
    let claim = pirn_core::shim::block_on(queue.reserve_get()).unwrap();
    queue.close();
    assert_eq!(claim.get(), Ok(2));
    assert!(pirn_core::shim::block_on(queue.reserve_get()).is_err());
}

#[test]
fn who_is_told_of_the_end_while_it_reserves_is_given_no_permit() {
    let queue: Queue<u8> = Queue::bounded(1);
    let mut getters = Waiting::new([Box::pin(queue.reserve_get())]);
    queue.close();
    assert!(matches!(getters.poll(0), Poll::Ready(Err(Closed))));
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut putters = Waiting::new([Box::pin(queue.reserve_put())]);
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(putters.wakes(), [1]);
    queue.close();
    assert!(matches!(putters.poll(0), Poll::Ready(Err(Closed))));
}

#[test]
fn closing_now_gives_the_items_back_and_ends_every_wait() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    let claim = pirn_core::shim::block_on(queue.reserve_get()).unwrap();
    let mut putters = Waiting::new([queue.put(3)]);
    let mut joins = Waiting::new([queue.join()]);
    assert_eq!(queue.close_now(), [1, 2]);
    assert_eq!((putters.wakes(), joins.wakes()), (vec![1], vec![1]));
    assert_eq!(putters.poll(0), Poll::Ready(Err(PutError(3))));
    assert_eq!(joins.poll(0), Poll::Ready(()));
    assert_eq!(claim.get(), Err(Closed));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
    assert_eq!(queue.close_now(), []);
}

#[test]
fn closing_now_ends_the_wait_of_every_getter_also_of_one_that_had_an_item_set_aside() {
    let queue = Queue::bounded(2);
    let mut getters = Waiting::new([queue.get(), queue.get(), queue.get()]);
    queue.try_put(1).unwrap();
    assert_eq!(getters.wakes(), [1, 0, 0]);
    assert_eq!(queue.close_now(), [1]);
    assert_eq!(getters.wakes(), [1, 1, 1]);
    for i in 0..3 {
        assert_eq!(getters.poll(i), Poll::Ready(Err(Closed)));
    }
}

#[test]
fn items_that_are_out_as_it_closes_now_stay_unfinished() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(queue.close_now(), [2]);
    let mut joins = Waiting::new([queue.join()]);
    queue.task_done();
    assert_eq!(joins.poll(0), Poll::Ready(()));
}

#[test]
fn any_sequence_of_puts_gets_and_dones_counts_what_is_unfinished_as_a_plain_count_does() {
    let mut next = numbers();
    for run in 0..200 {
        let queue = Queue::bounded([1, 3, 8, usize::MAX][run % 4]);
        let (mut inside, mut unfinished) = (0, 0_usize);
        let mut taken: Vec<pirn_sync::QueueItem<'_, u64>> = Vec::new();
        let mut joins = Vec::new();
        for item in 0..200 {
            match next(16) {
                0..=3 => {
                    let put = usize::from(queue.try_put(item).is_ok());
                    (inside, unfinished) = (inside + put, unfinished + put);
                }
                4 => {
                    // The place is given up, or filled.
                    let mut reserve = Box::pin(queue.reserve_put());
                    if let Poll::Ready(Ok(place)) = poll_once(reserve.as_mut(), Waker::noop()) {
                        if next(2) == 0 && place.put(item).is_ok() {
                            (inside, unfinished) = (inside + 1, unfinished + 1);
                        }
                    }
                }
                5..=6 => inside -= usize::from(queue.try_get().is_ok()),
                7 => {
                    let mut items = Vec::new();
                    let mut many = Box::pin(queue.get_many(&mut items, 1 + next(3) as usize));
                    let _ = poll_once(many.as_mut(), Waker::noop());
                    drop(many);
                    inside -= items.len();
                }
                8 => {
                    let mut get = Box::pin(queue.get_item());
                    if let Poll::Ready(Ok(item)) = poll_once(get.as_mut(), Waker::noop()) {
                        inside -= 1;
                        taken.push(item);
                    }
                }
                9 if !taken.is_empty() => {
                    drop(taken.swap_remove(0));
                    unfinished = unfinished.saturating_sub(1);
                }
                // Also of what is still inside.
                10..=13 if unfinished > 0 => {
                    queue.task_done();
                    unfinished -= 1;
                }
                14 => joins.push((Box::pin(queue.join()), Count::new(), false)),
                15 if next(20) == 0 => {
                    assert_eq!(queue.close_now().len(), inside);
                    unfinished = unfinished.saturating_sub(std::mem::take(&mut inside));
                }
                15 if next(20) == 0 => queue.close(),
                _ => {}
            }
            assert_eq!((queue.len(), queue.unfinished()), (inside, unfinished));
            // Who once waited is told once; who comes when all is done need not wait.
            joins.retain_mut(|(join, count, waits)| {
                assert_eq!(count.wakes(), usize::from(*waits && unfinished == 0));
                *waits |= poll_once(join.as_mut(), &count.waker()).is_pending();
                *waits && unfinished > 0
            });
            assert_eq!(queue.statistics().joiners, joins.len());
        }
    }
}

#[test]
fn an_item_counts_as_done_after_it_was_dropped_also_if_its_destructor_panics() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor of the test's");
        }
    }
    let queue = Queue::bounded(1);
    queue.try_put(Panics).unwrap();
    let item = pirn_core::shim::block_on(queue.get_item()).unwrap();
    assert_eq!(queue.unfinished(), 1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(item))).is_err());
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn an_item_may_be_said_to_be_done_and_then_dropped() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut item = pirn_core::shim::block_on(queue.get_item()).unwrap();
    *item += 1;
    queue.task_done();
    assert_eq!(item.into_inner(), 2);
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn the_last_sender_to_go_closes_it_and_the_last_receiver_empties_it() {
    let (sender, receiver) = Queue::bounded(2).split();
    let second = sender.clone();
    sender.try_put(Rc::new(1)).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    drop(second);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_get(), Ok(Rc::new(1)));

    let (sender, receiver) = Queue::bounded(2).split();
    let second = receiver.clone();
    let item = Rc::new(1);
    sender.try_put(Rc::clone(&item)).unwrap();
    drop(receiver);
    assert!(!sender.is_closed());
    drop(second);
    assert_eq!(Rc::strong_count(&item), 1);
    assert_eq!(sender.try_put(item), Err(TryPutError::Closed(Rc::new(1))));
}

#[test]
fn its_stream_ends_and_its_sink_gives_an_item_back_once_it_is_closed() {
    let queue = Queue::bounded(1);
    let mut sink = pin!(queue.sink());
    pirn_core::shim::block_on(async {
        sink.feed(1).await.unwrap();
        assert_eq!(pin!(queue.stream()).next().await, Some(1));
        // The sink has a place from here on.
        futures::future::poll_fn(|cx| sink.as_mut().poll_ready(cx))
            .await
            .unwrap();
        assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
        queue.close();
        assert_eq!(sink.as_mut().start_send(3), Err(PutError(Some(3))));
        assert_eq!(sink.feed(4).await, Err(PutError(None)));
        let mut stream = pin!(queue.stream());
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.next().await, None);
    });
}

#[test]
fn a_sink_that_is_dropped_gives_its_place_up() {
    let queue = Queue::bounded(1);
    {
        let mut sink = pin!(queue.sink());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(sink.as_mut().poll_ready(&mut cx).is_ready());
        assert!(queue.try_put(1).is_err());
    }
    queue.try_put(1).unwrap();
}

#[test]
fn its_statistics_count_who_waits_where() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let putters = Waiting::new([queue.put(2), queue.put(3)]);
    let join = Waiting::new([queue.join()]);
    let now = queue.statistics();
    assert_eq!((now.putters, now.getters, now.joiners), (2, 0, 1));
    assert_eq!((now.len, now.capacity, now.unfinished), (1, 1, 1));
    assert!(!now.is_closed);
    drop((putters, join));
    let now = queue.statistics();
    assert_eq!((now.putters, now.joiners), (0, 0));
}

#[test]
fn many_threads_get_each_item_once() {
    const EACH: usize = 2000;
    let queue = Arc::new(Queue::bounded(3));
    let producers: Vec<_> = (0..2)
        .map(|p| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    for i in 0..EACH {
                        queue.put(p * EACH + i).await.unwrap();
                    }
                });
            })
        })
        .collect();
    let consumers: Vec<_> = (0..2)
        .map(|_| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                pirn_core::shim::block_on(async {
                    let mut got = Vec::new();
                    while let Ok(item) = queue.get().await {
                        got.push(item);
                        queue.task_done();
                    }
                    got
                })
            })
        })
        .collect();
    for producer in producers {
        producer.join().unwrap();
    }
    pirn_core::shim::block_on(queue.join());
    queue.close();
    let mut all: Vec<_> = consumers
        .into_iter()
        .flat_map(|c| c.join().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..2 * EACH).collect::<Vec<_>>());
}

#[test]
fn its_types_cross_threads_if_the_items_do_and_are_small() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Queue<Cell<u8>>>() };
    const { crosses::<QueueGet<'static, Cell<u8>>>() };
    const { crosses::<QueueJoin<'static, Cell<u8>>>() };
    const fn send<T: Send>() {}
    const { send::<QueuePut<'static, Cell<u8>>>() };
    static QUEUE: Queue<u64> = Queue::bounded(4);
    assert_eq!(
        format!("{QUEUE:?}"),
        "Queue { len: 0, capacity: 4, unfinished: 0, is_closed: false }"
    );
    assert_eq!(size_of::<QueueGet<'static, u64>>(), 56);
    assert_eq!(size_of::<QueuePut<'static, u64>>(), 72);
    assert_eq!(size_of::<Queue<u64>>(), 120);
}

#[test]
fn closing_leaves_join_to_wait_for_what_is_to_be_done() {
    let queue = Queue::bounded(2);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    let mut joins = Waiting::new([queue.join()]);
    queue.close();
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(queue.try_get(), Ok(2));
    queue.task_done();
    assert_eq!(joins.wakes(), [0]);
    queue.task_done();
    assert_eq!(joins.poll(0), Poll::Ready(()));
    let once_more = catch_unwind(AssertUnwindSafe(|| queue.task_done()));
    assert!(once_more.is_err());
}

#[test]
fn of_two_getters_that_were_woken_the_one_that_leaves_leaves_its_item_to_a_third() {
    let queue = Queue::bounded(2);
    let mut getters = Waiting::new([queue.get(), queue.get(), queue.get()]);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert_eq!(getters.wakes(), [1, 1, 0]);
    drop(getters.0.remove(0));
    assert_eq!(getters.wakes(), [1, 1]);
    assert_eq!(getters.poll(0), Poll::Ready(Ok(1)));
    assert_eq!(getters.poll(1), Poll::Ready(Ok(2)));
}

#[test]
fn getting_all_at_once_lets_more_putters_in_than_there_are_places() {
    let queue = Queue::bounded(2);
    for i in 0..2 {
        queue.try_put(i).unwrap();
    }
    let mut putters = Waiting::new([queue.put(2), queue.put(3), queue.put(4)]);
    assert_eq!(queue.try_get(), Ok(0));
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(putters.wakes(), [1, 1, 0]);
    assert_eq!(putters.poll(0), Poll::Ready(Ok(())));
    assert_eq!(putters.poll(1), Poll::Ready(Ok(())));
    for i in 2..4 {
        assert_eq!(queue.try_get(), Ok(i));
    }
    assert_eq!(putters.poll(2), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(4));
}

/// A sequence that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// What a waiting future came to.
enum Came<'q, O: pirn_sync::Order<(u8, u32)>> {
    Put(Result<(), u32>),
    Got(Option<u32>),
    PutPermit(Option<pirn_sync::PutPermit<'q, (u8, u32), O>>),
    GetPermit(Option<pirn_sync::GetPermit<'q, (u8, u32), O>>),
}

type Waits<'q, O> = Pin<Box<dyn Future<Output = Came<'q, O>> + 'q>>;

/// Does at random what can be done to a queue, and looks after each step.
struct Mill<'q, O: pirn_sync::Order<(u8, u32)>> {
    queue: &'q pirn_sync::OrderedQueue<(u8, u32), O>,
    tasks: Vec<(Arc<Count>, usize)>,
    waits: Vec<(usize, Waits<'q, O>)>,
    puts: Vec<pirn_sync::PutPermit<'q, (u8, u32), O>>,
    gets: Vec<pirn_sync::GetPermit<'q, (u8, u32), O>>,
    random: Random,
    next: u32,
    inside: std::collections::BTreeSet<u32>,
}

impl<'q, O: pirn_sync::Order<(u8, u32)>> Mill<'q, O> {
    fn item(&mut self) -> (u8, u32) {
        self.next += 1;
        (self.random.below(3) as u8, self.next)
    }

    fn came(&mut self, came: Came<'q, O>) {
        match came {
            Came::Put(Ok(())) => {}
            Came::Put(Err(number)) => assert!(self.inside.remove(&number)),
            Came::Got(Some(number)) => assert!(self.inside.remove(&number)),
            Came::Got(None) => assert!(self.queue.is_closed() && self.queue.is_empty()),
            Came::PutPermit(Some(permit)) => self.puts.push(permit),
            Came::GetPermit(Some(permit)) => self.gets.push(permit),
            Came::PutPermit(None) | Came::GetPermit(None) => assert!(self.queue.is_closed()),
        }
    }

    fn poll(&mut self, i: usize) -> bool {
        let (task, wait) = &mut self.waits[i];
        let waker = self.tasks[*task].0.waker();
        // Now and then there is none left for it.
        let refilled = (self.random.below(8) == 0).then(budget::refill);
        while refilled.is_some()
            && budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready()
        {}
        let polled = poll_once(wait.as_mut(), &waker);
        drop(refilled);
        match polled {
            Poll::Pending => false,
            Poll::Ready(came) => {
                drop(self.waits.swap_remove(i));
                self.came(came);
                true
            }
        }
    }

    fn start(&mut self, wait: Waits<'q, O>) {
        let task = self.random.below(self.tasks.len());
        self.waits.push((task, wait));
        self.poll(self.waits.len() - 1);
    }

    fn step(&mut self) {
        let queue = self.queue;
        match self.random.below(24) {
            0..=2 => {
                let item = self.item();
                if queue.try_put(item).is_ok() {
                    self.inside.insert(item.1);
                }
            }
            3..=5 => {
                if let Ok((_, number)) = queue.try_get() {
                    assert!(self.inside.remove(&number));
                }
            }
            6..=8 => {
                let item = self.item();
                // It counts from now on, as what a dropped future took along does not.
                self.inside.insert(item.1);
                self.start(Box::pin(async move {
                    Came::Put(queue.put(item).await.map_err(|refused| refused.0.1))
                }));
            }
            9..=11 => self.start(Box::pin(async move {
                Came::Got(queue.get().await.ok().map(|(_, number)| number))
            })),
            12 => self.start(Box::pin(async move {
                Came::PutPermit(queue.reserve_put().await.ok())
            })),
            13 => self.start(Box::pin(async move {
                Came::GetPermit(queue.reserve_get().await.ok())
            })),
            14 | 15 if !self.puts.is_empty() => {
                let place = self.random.below(self.puts.len());
                let permit = self.puts.swap_remove(place);
                if self.random.below(2) == 0 {
                    let item = self.item();
                    if permit.put(item).is_ok() {
                        self.inside.insert(item.1);
                    }
                }
            }
            16 | 17 if !self.gets.is_empty() => {
                let place = self.random.below(self.gets.len());
                let permit = self.gets.swap_remove(place);
                if self.random.below(2) == 0 {
                    if let Ok((_, number)) = permit.get() {
                        assert!(self.inside.remove(&number));
                    }
                }
            }
            18 | 19 if !self.waits.is_empty() => {
                let i = self.random.below(self.waits.len());
                drop(self.waits.swap_remove(i));
            }
            20 | 21 if !self.waits.is_empty() => {
                let i = self.random.below(self.waits.len());
                self.poll(i);
            }
            22 => self.quiet(),
            23 => match self.random.below(60) {
                0 => queue.close(),
                1 => {
                    for (_, number) in queue.close_now() {
                        assert!(self.inside.remove(&number));
                    }
                }
                2..=9 => {
                    let mut items = Vec::new();
                    let limit = 1 + self.random.below(3);
                    let mut many = Box::pin(queue.get_many(&mut items, limit));
                    let _ = poll_once(many.as_mut(), Waker::noop());
                    drop(many);
                    for (_, number) in items {
                        assert!(self.inside.remove(&number));
                    }
                }
                _ => {}
            },
            _ => {}
        }
        self.look();
    }

    /// Nobody waits for what is there.
    fn look(&mut self) {
        let now = self.queue.statistics();
        if now.getters > 0 {
            assert_eq!(self.queue.try_get(), Err(TryGetError::Empty));
        }
        if now.putters > 0 {
            assert_eq!(self.queue.try_put((0, 0)), Err(TryPutError::Full((0, 0))));
        }
        assert!(!now.is_closed || now.putters == 0);
        assert!(!now.is_closed || now.len > 0 || now.getters == 0);
        assert!(now.len <= now.capacity);
    }

    /// Polls the tasks that were woken, until none is: whoever is pending then, waits.
    fn quiet(&mut self) {
        loop {
            let woken = (0..self.tasks.len()).find(|&task| {
                let (count, seen) = &self.tasks[task];
                count.wakes() > *seen
            });
            let Some(woken) = woken else { break };
            self.tasks[woken].1 = self.tasks[woken].0.wakes();
            let mut i = 0;
            while i < self.waits.len() {
                let polls = self.waits[i].0 == woken;
                // What took its place is yet to be polled.
                if !(polls && self.poll(i)) {
                    i += 1;
                }
            }
        }
        let now = self.queue.statistics();
        assert_eq!(
            now.getters + now.putters,
            self.waits.len(),
            "a wake was lost"
        );
    }
}

fn mill<O: pirn_sync::Order<(u8, u32)>>(seed: u64, queue: pirn_sync::OrderedQueue<(u8, u32), O>) {
    let tasks = 1 + seed as usize % 4;
    let mut mill = Mill {
        queue: &queue,
        tasks: (0..tasks).map(|_| (Count::new(), 0)).collect(),
        waits: Vec::new(),
        puts: Vec::new(),
        gets: Vec::new(),
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        next: 0,
        inside: Default::default(),
    };
    for _ in 0..400 {
        mill.step();
    }
    mill.quiet();
    mill.puts.clear();
    mill.gets.clear();
    mill.quiet();
    mill.waits.clear();
    for (_, number) in queue.close_now() {
        assert!(mill.inside.remove(&number));
    }
}

#[test]
fn whatever_is_done_nobody_waits_for_what_is_there() {
    let seeds = std::env::var("SEEDS").map_or(60, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let capacity = 1 + seed as usize % 3;
        mill(seed, Queue::bounded(capacity));
        mill(seed, LifoQueue::bounded(capacity));
        mill(seed, PriorityQueue::bounded(capacity));
    }
}
