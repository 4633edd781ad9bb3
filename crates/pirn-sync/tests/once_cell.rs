//! The cell that is filled once: who makes the value, who is handed the turn, who only waits.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{OnceCell, OnceWait, SetError};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Asks<'a, T> = (Pin<Box<dyn Future<Output = &'a T> + Send + 'a>>, Arc<Count>);

/// One who asks for the value and would make it so, polled once.
fn ask<'a, T: Send + Sync>(
    cell: &'a OnceCell<T>,
    init: impl Future<Output = T> + Send + 'a,
) -> Asks<'a, T> {
    let mut asks: Asks<'a, T> = (Box::pin(cell.get_or_init(|| init)), Count::new());
    assert!(poll(&mut asks).is_pending());
    asks
}

fn poll<'a, T>((asks, count): &mut Asks<'a, T>) -> Poll<&'a T> {
    poll_once(asks.as_mut(), &count.waker())
}

fn wakes<T>(asks: &[Asks<'_, T>]) -> Vec<usize> {
    asks.iter().map(|(_, count)| count.wakes()).collect()
}

fn now<F: Future>(future: F) -> F::Output {
    match poll_once(pin!(future), &Count::new().waker()) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn the_value_is_made_once_and_then_shared() {
    let cell = OnceCell::new();
    assert_eq!(cell.get(), None);
    let value = now(cell.get_or_init(|| ready(String::from("made"))));
    let again = now(cell.get_or_init(async || panic!("it is there")));
    assert!(std::ptr::eq(value, again));
    assert!(std::ptr::eq(now(cell.wait()), again));
    assert_eq!(cell.into_inner().as_deref(), Some("made"));
}

#[test]
fn while_one_makes_it_the_others_wait_and_all_are_let_go_at_once() {
    let cell = OnceCell::new();
    let turn = Cell::new(None);
    let mut maker = pin!(cell.get_or_init(|| poll_fn(|_| match turn.take() {
        Some(value) => Poll::Ready(value),
        None => Poll::Pending,
    })));
    let count = Count::new();
    assert!(poll_once(maker.as_mut(), &count.waker()).is_pending());
    let mut asks: Vec<_> = (0..20)
        .map(|_| ask(&cell, async { panic!("made") }))
        .collect();
    let waiter = Count::new();
    let mut waits = [(); 2].map(|()| Box::pin(cell.wait()));
    for wait in &mut waits {
        assert!(poll_once(wait.as_mut(), &waiter.waker()).is_pending());
    }
    assert_eq!(cell.set(1), Err(SetError::Busy(1)));
    turn.set(Some(7));
    assert_eq!(poll_once(maker.as_mut(), &count.waker()), Poll::Ready(&7));
    assert_eq!(wakes(&asks), [1; 20]);
    assert_eq!(waiter.wakes(), 2);
    for asks in &mut asks {
        assert_eq!(poll(asks), Poll::Ready(&7));
    }
    for wait in &mut waits {
        assert_eq!(poll_once(wait.as_mut(), &waiter.waker()), Poll::Ready(&7));
    }
    assert_eq!(cell.set(1), Err(SetError::Full(1)));
}

#[test]
fn who_fails_hands_over_in_order_of_arrival_and_each_makes_it_in_its_own_way() {
    let cell = OnceCell::new();
    assert_eq!(now(cell.get_or_try_init(|| ready(Err("no")))), Err("no"));
    assert_eq!(cell.get(), None);
    let gate = Cell::new(false);
    let mut failing = pin!(cell.get_or_try_init(|| poll_fn(|_| match gate.get() {
        true => Poll::Ready(Err("again")),
        false => Poll::Pending,
    })));
    let count = Count::new();
    assert!(poll_once(failing.as_mut(), &count.waker()).is_pending());
    let mut asks = vec![ask(&cell, ready(1)), ask(&cell, ready(2))];
    gate.set(true);
    assert_eq!(
        poll_once(failing.as_mut(), &count.waker()),
        Poll::Ready(Err("again"))
    );
    assert_eq!(wakes(&asks), [1, 0]);
    // Handed over, so nobody else gets the turn.
    assert_eq!(cell.set(3), Err(SetError::Busy(3)));
    let late = ask(&cell, ready(4));
    assert!(poll(&mut asks[1]).is_pending());
    assert_eq!(poll(&mut asks[0]), Poll::Ready(&1));
    assert_eq!(wakes(&asks), [1, 1]);
    assert_eq!(late.1.wakes(), 1);
    assert_eq!(poll(&mut asks[1]), Poll::Ready(&1));
}

#[test]
fn an_initialiser_that_is_cancelled_hands_over() {
    let cell = OnceCell::new();
    let dropped = Count::new();
    let waker = dropped.waker();
    let cancelled = ask(&cell, async move {
        let _held = CallOnDrop(waker);
        pending().await
    });
    let mut asks = vec![ask(&cell, ready(1)), ask(&cell, ready(2))];
    drop(cancelled);
    assert_eq!((dropped.wakes(), wakes(&asks)), (1, vec![1, 0]));
    // The next leaves after it was handed the turn.
    drop(asks.remove(0));
    assert_eq!(wakes(&asks), [1]);
    assert_eq!(poll(&mut asks[0]), Poll::Ready(&2));
}

/// Wakes as it is dropped.
struct CallOnDrop(Waker);

impl Drop for CallOnDrop {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

#[test]
fn what_the_initialiser_held_is_dropped_before_the_turn_is_handed_over() {
    struct Held<'a>(&'a OnceCell<u8>, &'a Cell<bool>);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.1.set(self.0.set(1) == Err(SetError::Busy(1)));
        }
    }
    let (cell, busy) = (OnceCell::new(), Cell::new(false));
    let mut cancelled = Box::pin(cell.get_or_init(async || {
        let _held = Held(&cell, &busy);
        pending().await
    }));
    assert!(poll_once(cancelled.as_mut(), &Count::new().waker()).is_pending());
    drop(cancelled);
    assert!(busy.get());
    assert_eq!(cell.set(2), Ok(()));
}

#[test]
fn those_in_the_queue_may_leave() {
    let cell = OnceCell::new();
    let maker = ask(&cell, pending());
    let mut asks: Vec<_> = (0..3).map(|value| ask(&cell, ready(value))).collect();
    drop(asks.remove(1));
    drop(asks.remove(0));
    drop(maker);
    assert_eq!(poll(&mut asks[0]), Poll::Ready(&2));
}

#[test]
fn a_panic_hands_over_and_goes_on() {
    let cell = OnceCell::new();
    let mut panics = pin!(cell.get_or_init(async || {
        pirn_core::yield_now().await;
        panic!("not today")
    }));
    let count = Count::new();
    assert!(poll_once(panics.as_mut(), &count.waker()).is_pending());
    let mut asks = [ask(&cell, ready(1))];
    let polled = catch_unwind(AssertUnwindSafe(|| {
        poll_once(panics.as_mut(), &count.waker())
    }));
    let payload = polled.unwrap_err();
    assert_eq!(pirn_core::panic_message(&*payload), "not today");
    assert_eq!(wakes(&asks), [1]);
    assert_eq!(poll(&mut asks[0]), Poll::Ready(&1));
}

#[test]
fn a_panic_of_the_closure_hands_over_too() {
    fn panics() -> std::future::Ready<u8> {
        panic!("not even a future")
    }
    let cell = OnceCell::new();
    let asked = catch_unwind(AssertUnwindSafe(|| {
        now(cell.get_or_init(panics)).to_owned()
    }));
    assert!(asked.is_err());
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn who_only_waits_is_not_handed_the_turn() {
    let cell = OnceCell::new();
    let count = Count::new();
    let mut wait = pin!(cell.wait());
    assert!(poll_once(wait.as_mut(), &count.waker()).is_pending());
    assert!(now(cell.get_or_try_init(|| ready(Err(())))).is_err());
    drop(ask(&cell, pending()));
    assert_eq!(count.wakes(), 0);
    cell.set(1).unwrap();
    assert_eq!(count.wakes(), 1);
    assert_eq!(poll_once(wait.as_mut(), &count.waker()), Poll::Ready(&1));
}

#[test]
fn a_task_that_was_handed_the_turn_in_one_future_may_take_it_in_another() {
    let cell = OnceCell::new();
    let maker = ask(&cell, pending());
    let task = Count::new();
    let mut unpolled = Box::pin(cell.get_or_init(|| ready(1)));
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    drop(maker);
    assert_eq!(task.wakes(), 1);
    let mut awaited = Box::pin(cell.get_or_init(|| ready(2)));
    assert_eq!(poll_once(awaited.as_mut(), &task.waker()), Poll::Ready(&2));
    assert_eq!(poll_once(unpolled.as_mut(), &task.waker()), Poll::Ready(&2));
}

#[test]
fn an_initialiser_that_sets_its_own_cell_has_the_value_back() {
    let cell = OnceCell::new();
    let value = now(cell.get_or_init(async || match cell.set(1) {
        Err(SetError::Busy(value)) => value + 1,
        other => panic!("{other:?}"),
    }));
    assert_eq!(value, &2);
}

#[test]
fn the_owner_of_the_cell_may_change_it_take_the_value_and_fill_it_anew() {
    let mut cell = OnceCell::with_value(1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.take(), Some(2));
    assert!(cell.get_mut().is_none() && cell.get().is_none());
    assert_eq!(cell.take(), None);
    assert_eq!(now(cell.get_or_init(|| ready(3))), &3);
    assert_eq!(cell.into_inner(), Some(3));
    assert_eq!(OnceCell::<u8>::new().into_inner(), None);
}

#[test]
fn the_value_is_dropped_with_the_cell_and_a_refused_one_is_given_back() {
    let value = Arc::new(());
    let cell = OnceCell::new();
    cell.set(Arc::clone(&value)).unwrap();
    let refused = cell.set(Arc::clone(&value)).unwrap_err();
    assert_eq!(Arc::strong_count(&value), 3);
    assert!(Arc::ptr_eq(&refused.into_inner(), &value));
    drop(cell);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn who_is_handed_the_turn_in_a_cancelled_body_passes_it_on() {
    let cell = OnceCell::new();
    let maker = ask(&cell, pending());
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut asks = pin!(cell.get_or_init(|| ready(1)));
        poll_fn(|cx| {
            assert!(clean_up.as_mut().poll(cx).is_pending());
            asks.as_mut().poll(cx)
        })
        .await;
    }));
    let count = Count::new();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    let mut next = ask(&cell, ready(2));
    drop(maker);
    scope.cancel(Cause::requested("enough"));
    assert_eq!(next.1.wakes(), 0);
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    assert_eq!(next.1.wakes(), 1);
    assert_eq!(poll(&mut next), Poll::Ready(&2));
}

#[test]
fn without_budget_nothing_is_made_or_given() {
    let cell = OnceCell::new();
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    let mut asks = pin!(cell.get_or_init(|| ready(1)));
    assert!(poll_once(asks.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), cell.get()), (1, None));
    cell.set(2).unwrap();
    assert!(poll_once(asks.as_mut(), &count.waker()).is_pending());
    assert!(poll_once(pin!(cell.wait()), &count.waker()).is_pending());
    let mut late = pin!(cell.get_or_init(|| ready(3)));
    assert!(poll_once(late.as_mut(), &count.waker()).is_pending());
    assert_eq!(count.wakes(), 4);
    drop(refilled);
    assert_eq!(poll_once(late.as_mut(), &count.waker()), Poll::Ready(&2));
    assert_eq!(poll_once(asks.as_mut(), &count.waker()), Poll::Ready(&2));
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<OnceCell<u8>>() };
    const { crosses::<OnceWait<'static, u8>>() };
    const { crosses::<SetError<u8>>() };
    static CELL: OnceCell<u64> = OnceCell::new();
    let before = format!("{CELL:?}");
    CELL.set(1).unwrap();
    assert_eq!(
        format!("{before} {CELL:?} {:?}", CELL.set(2)),
        "OnceCell(<empty>) OnceCell(1) Err(Full(..))"
    );
    assert_eq!(size_of::<OnceCell<u64>>(), 56);
    assert_eq!(size_of::<OnceWait<'static, u64>>(), 64);
}
