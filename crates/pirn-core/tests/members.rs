//! The set of futures that one task polls, by hand.

mod support;

use pirn_core::Members;
use pirn_core::budget::{self, BUDGET};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use support::Counter;

/// What members did and who wakes them: shared by the test and its members.
#[derive(Default)]
struct Desk {
    polls: RefCell<Vec<usize>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    ready: RefCell<Vec<bool>>,
    dropped: Cell<usize>,
}

/// Ends when the desk says so.
struct Member {
    number: usize,
    desk: Rc<Desk>,
}

impl Future for Member {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let (number, desk) = (self.number, &self.desk);
        desk.polls.borrow_mut().push(number);
        desk.wakers.borrow_mut()[number] = Some(cx.waker().clone());
        match desk.ready.borrow()[number] {
            true => Poll::Ready(number * 10),
            false => Poll::Pending,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.desk.dropped.set(self.desk.dropped.get() + 1);
    }
}

impl Desk {
    fn member(self: &Rc<Self>) -> Member {
        let number = self.ready.borrow().len();
        self.ready.borrow_mut().push(false);
        self.wakers.borrow_mut().push(None);
        Member {
            number,
            desk: Rc::clone(self),
        }
    }

    fn end(&self, number: usize) {
        self.ready.borrow_mut()[number] = true;
        self.wake(number);
    }

    fn wake(&self, number: usize) {
        let waker = self.wakers.borrow()[number].clone();
        waker.unwrap().wake();
    }

    fn polls(&self) -> Vec<usize> {
        self.polls.take()
    }
}

fn set(members: usize) -> (Members<Member>, Rc<Desk>) {
    let desk = Rc::new(Desk::default());
    let mut set = Members::with_capacity(members);
    for key in 0..members {
        assert_eq!(set.push(desk.member()), key);
    }
    (set, desk)
}

fn pass(set: &mut Members<Member>, waker: &Waker) -> (Poll<()>, Vec<(usize, usize)>) {
    let mut ended = Vec::new();
    let mut cx = Context::from_waker(waker);
    let polled = set.poll_all(&mut cx, |key, value| ended.push((key, value)));
    (polled, ended)
}

#[test]
fn all_are_polled_at_first_and_then_those_who_were_woken() {
    let (mut set, desk) = set(200);
    let (counter, waker) = Counter::new();
    assert!(pass(&mut set, &waker).0.is_pending());
    assert_eq!(desk.polls(), (0..200).collect::<Vec<_>>());
    assert_eq!(counter.wakes(), 0);

    for number in [150, 3, 64, 3] {
        desk.wake(number);
    }
    assert_eq!(counter.wakes(), 1);
    assert!(pass(&mut set, &waker).0.is_pending());
    assert_eq!(desk.polls(), [3, 64, 150]);
    assert!(pass(&mut set, &waker).0.is_pending());
    assert_eq!(desk.polls(), []);
}

#[test]
fn what_members_give_comes_with_their_keys_and_they_are_dropped_at_once() {
    let (mut set, desk) = set(3);
    desk.ready.borrow_mut()[1] = true;
    let (polled, ended) = pass(&mut set, Waker::noop());
    assert!(polled.is_pending());
    assert_eq!(ended, [(1, 10)]);
    assert_eq!((set.len(), desk.dropped.get()), (2, 1));
    desk.end(2);
    desk.end(0);
    let (polled, ended) = pass(&mut set, Waker::noop());
    assert!(polled.is_ready());
    assert_eq!(ended, [(0, 0), (2, 20)]);
    assert!(set.is_empty());
}

#[test]
fn an_empty_set_is_done() {
    let (mut set, _) = set(0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(set.poll_all(&mut cx, |_, _| ()).is_ready());
    assert!(matches!(set.poll_next(&mut cx), Poll::Ready(None)));
}

#[test]
fn one_that_wakes_itself_waits_for_the_next_pass() {
    let polls = Cell::new(0);
    let mut set = Members::new();
    for _ in 0..3 {
        set.push(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
    }
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    for round in 1..4 {
        assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
        assert_eq!((polls.get(), counter.wakes()), (round * 3, round));
    }
}

#[test]
fn who_is_due_after_a_pass_that_went_around_has_the_task_woken_once() {
    for (first, yields) in [(0, 1), (0, 129), (70, 3), (70, 69), (70, 71), (70, 129)] {
        let (started, awake) = (Cell::new(false), Cell::new(false));
        let (shown, polls) = (RefCell::new(None), Cell::new(0));
        let mut set = Members::with_capacity(130);
        for number in 0..130 {
            let (started, awake, shown, polls) = (&started, &awake, &shown, &polls);
            set.push(poll_fn(move |cx| {
                if number == yields {
                    polls.set(polls.get() + 1);
                    *shown.borrow_mut() = Some(cx.waker().clone());
                    if awake.get() {
                        cx.waker().wake_by_ref();
                    }
                }
                match number == first && started.get() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
        }
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        assert!(set.poll_next(&mut cx).is_pending());
        started.set(true);
        set.mark_all();
        // It is broken off at the member after which the next begins.
        assert_eq!(set.poll_next(&mut cx), Poll::Ready(Some((first, ()))));
        awake.set(true);
        shown.borrow().as_ref().unwrap().wake_by_ref();
        let before = (polls.get(), counter.wakes());
        assert!(set.poll_next(&mut cx).is_pending());
        assert_eq!((polls.get(), counter.wakes()), (before.0 + 1, before.1 + 1));
        awake.set(false);
        for _ in 0..2 {
            assert!(set.poll_next(&mut cx).is_pending());
            assert_eq!((polls.get(), counter.wakes()), (before.0 + 2, before.1 + 1));
        }
    }
}

#[test]
fn a_new_member_is_polled_in_the_next_pass() {
    let (mut set, desk) = set(70);
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    desk.polls();
    assert!(set.push(desk.member()) >= 70);
    desk.wake(0);
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    assert_eq!(desk.polls(), [0, 70]);
}

#[test]
fn a_pass_that_was_broken_off_goes_on_behind_the_member_at_which_it_was() {
    let (mut set, desk) = set(130);
    desk.ready.borrow_mut()[65] = true;
    desk.ready.borrow_mut()[66] = true;
    let mut cx = Context::from_waker(Waker::noop());
    let one = |key, value| ControlFlow::Break((key, value));
    assert_eq!(set.poll_until(&mut cx, one), Poll::Ready(Some((65, 650))));
    assert_eq!(desk.polls(), (0..66).collect::<Vec<_>>());
    desk.wake(0);
    assert_eq!(set.poll_until(&mut cx, one), Poll::Ready(Some((66, 660))));
    assert_eq!(desk.polls(), [66]);
    assert_eq!(set.poll_until(&mut cx, one), Poll::Pending);
    assert_eq!(desk.polls(), (67..130).chain([0]).collect::<Vec<_>>());
}

#[test]
fn always_ready_members_do_not_keep_the_others_from_their_turn() {
    let mut set = Members::new();
    for number in 0..2 {
        set.push(std::future::ready(number));
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut turns = [0; 2];
    for _ in 0..20 {
        let Poll::Ready(Some((_, number))) = set.poll_next(&mut cx) else {
            unreachable!("one is ready")
        };
        turns[number] += 1;
        set.push(std::future::ready(number));
    }
    assert_eq!(turns, [10, 10]);
}

#[test]
fn members_of_which_each_would_spend_the_whole_budget_have_it_in_turn() {
    let spent = [const { Cell::new(0) }; 70];
    let mut set = Members::new();
    for (key, spent) in spent.iter().enumerate() {
        set.push(poll_fn(move |cx| -> Poll<()> {
            if key % 10 != 3 {
                return Poll::Pending; // it sleeps
            }
            loop {
                ready!(budget::poll_spend(cx));
                spent.set(spent.get() + 1);
            }
        }));
    }
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    for turn in 1..=21 {
        let _refilled = budget::refill();
        assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
        assert_eq!(counter.wakes(), turn);
    }
    for (key, spent) in spent.iter().enumerate() {
        let turns = if key % 10 == 3 { 3 } else { 0 };
        assert_eq!(spent.get(), turns * BUDGET, "{key}");
    }
}

#[test]
fn members_that_spend_a_little_have_their_turn_in_order_whatever_the_budget() {
    let served = RefCell::new(Vec::new());
    let mut set = Members::with_capacity(300);
    for key in 0..300 {
        let served = &served;
        set.push(poll_fn(move |cx| {
            ready!(budget::poll_spend(cx));
            served.borrow_mut().push(key);
            Poll::Ready(())
        }));
    }
    let mut cx = Context::from_waker(Waker::noop());
    for turn in 0..3 {
        let _refilled = budget::refill();
        assert_eq!(set.poll_all(&mut cx, |_, ()| ()).is_ready(), turn == 2);
    }
    assert_eq!(served.take(), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_pass_ends_with_the_budget_so_that_many_who_are_ready_at_once_cost_a_poll_each() {
    const ALL: usize = 10_000;
    let polls = Cell::new(0);
    let mut set = Members::new();
    for _ in 0..ALL {
        set.push(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            budget::poll_spend(cx)
        }));
    }
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    let mut turns = 0;
    loop {
        turns += 1;
        let _refilled = budget::refill();
        match set.poll_all(&mut cx, |_, ()| ()) {
            Poll::Ready(()) => break,
            Poll::Pending => assert_eq!(counter.wakes(), turns),
        }
    }
    assert_eq!((polls.get(), turns), (ALL, ALL.div_ceil(BUDGET as usize)));
}

#[test]
fn where_the_budget_was_spent_before_the_pass_each_has_its_turn_all_the_same() {
    let (mut set, desk) = set(300);
    let mut cx = Context::from_waker(Waker::noop());
    let _refilled = budget::refill();
    while budget::poll_spend(&mut cx).is_ready() {}
    assert!(set.poll_all(&mut cx, |_, _| ()).is_pending());
    assert_eq!(desk.polls().len(), 300);
}

#[test]
fn the_waker_of_the_last_pass_is_the_one_that_is_woken() {
    let (mut set, desk) = set(1);
    let (first, first_waker) = Counter::new();
    let (second, second_waker) = Counter::new();
    assert!(pass(&mut set, &first_waker).0.is_pending());
    assert!(pass(&mut set, &second_waker).0.is_pending());
    desk.wake(0);
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

#[test]
fn a_slot_is_used_again_and_a_stale_wake_costs_one_poll() {
    let (mut set, desk) = set(3);
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    let stale = desk.wakers.borrow()[1].clone().unwrap();
    desk.end(1);
    assert_eq!(pass(&mut set, Waker::noop()).1, [(1, 10)]);
    assert_eq!(set.push(desk.member()), 1);
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    desk.polls();
    stale.wake();
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    assert_eq!(desk.polls(), [3]);
}

#[test]
fn a_member_is_found_and_removed_by_its_key() {
    let (mut set, desk) = set(100);
    assert_eq!(set.get_mut(99).unwrap().number, 99);
    assert!(set.get_mut(100).is_none());
    assert!(set.get_mut(100_000).is_none());
    assert!(set.remove(70) && !set.remove(70) && !set.remove(1000));
    assert_eq!((set.len(), desk.dropped.get()), (99, 1));
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    assert!(!desk.polls().contains(&70));
    set.retain(|key, member| {
        assert_eq!(member.number, key);
        key % 2 == 0
    });
    assert_eq!((set.len(), desk.dropped.get()), (49, 51));
}

#[test]
fn all_are_polled_again_when_they_are_marked() {
    let (mut set, desk) = set(70);
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    desk.polls();
    assert!(set.remove(3));
    set.mark_all();
    assert!(pass(&mut set, Waker::noop()).0.is_pending());
    assert_eq!(
        desk.polls(),
        (0..70).filter(|n| *n != 3).collect::<Vec<_>>()
    );
}

#[test]
fn a_set_without_a_size_grows_and_its_members_stay_where_they_are() {
    let mut set = Members::new();
    let keys: Vec<usize> = (0..9000)
        .map(|_| set.push(std::future::pending::<()>()))
        .collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 9000);
    let places: Vec<_> = keys
        .iter()
        .map(|key| &raw const *set.get_mut(*key).unwrap())
        .collect();
    set.push(std::future::pending());
    let again = keys
        .iter()
        .map(|key| &raw const *set.get_mut(*key).unwrap());
    assert!(again.eq(places));
}

#[test]
fn a_panic_leaves_the_others_in_order() {
    let polled = Cell::new(0);
    let mut set = Members::with_capacity(3);
    for number in 0..3 {
        let polled = &polled;
        set.push(poll_fn(move |_| {
            polled.set(polled.get() + 1);
            assert!(number != 1, "one");
            Poll::Ready(number)
        }));
    }
    let mut cx = Context::from_waker(Waker::noop());
    let pass = catch_unwind(AssertUnwindSafe(|| set.poll_all(&mut cx, |_, _| ())));
    assert!(pass.is_err());
    assert_eq!((set.len(), polled.get()), (2, 2));
    assert!(
        set.poll_all(&mut cx, |_, number| assert_eq!(number, 2))
            .is_pending()
    );
    assert!(set.remove(1));
    assert!(set.poll_all(&mut cx, |_, _| ()).is_ready());
}

#[test]
fn a_destructor_that_panics_does_not_keep_the_others_from_being_dropped() {
    struct Loud(Rc<Cell<usize>>, usize);
    impl Future for Loud {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            match self.1 {
                70 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(![2, 70].contains(&self.1), "loud");
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let mut set = Members::with_capacity(100);
    for number in 0..100 {
        set.push(Loud(Rc::clone(&dropped), number));
    }
    let mut cx = Context::from_waker(Waker::noop());
    let pass = catch_unwind(AssertUnwindSafe(|| set.poll_all(&mut cx, |_, ()| ())));
    assert!(pass.is_err());
    assert_eq!((set.len(), dropped.get()), (99, 1));
    assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(move || drop(set))).is_err());
    assert_eq!(dropped.get(), 100);
}

#[test]
fn nobody_is_woken_by_the_members_of_a_set_that_is_gone() {
    let (mut set, desk) = set(2);
    let (counter, waker) = Counter::new();
    assert!(pass(&mut set, &waker).0.is_pending());
    drop(set);
    assert_eq!(desk.dropped.get(), 2);
    desk.wake(1);
    assert_eq!(counter.wakes(), 0);
    assert_eq!(std::sync::Arc::strong_count(&counter), 2);
}

#[test]
fn members_of_every_size_and_alignment_have_a_place() {
    #[repr(align(256))]
    struct Wide(u8);
    impl Future for Wide {
        type Output = u8;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
            assert_eq!((&raw const *self).addr() % 256, 0);
            Poll::Ready(self.0)
        }
    }
    let mut set = Members::with_capacity(3);
    for number in 0..3 {
        set.push(Wide(number));
    }
    let (mut cx, mut sum) = (Context::from_waker(Waker::noop()), 0);
    assert!(set.poll_all(&mut cx, |_, number| sum += number).is_ready());
    assert_eq!(sum, 3);

    let mut none = Members::new();
    for _ in 0..500 {
        none.push(std::future::ready(()));
    }
    let mut ended = 0;
    assert!(none.poll_all(&mut cx, |_, ()| ended += 1).is_ready());
    assert_eq!(ended, 500);
}

#[test]
fn a_set_is_send_where_its_members_are() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    is_send_and_sync(&Members::<std::future::Ready<Cell<u8>>>::new());
}

#[test]
fn after_a_panic_wakes_still_reach_the_task() {
    let shown = RefCell::new(None);
    let mut set = Members::with_capacity(2);
    for panics in [false, true] {
        let shown = &shown;
        set.push(poll_fn(move |cx| {
            assert!(!panics, "it panics");
            *shown.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
    }
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    let pass = catch_unwind(AssertUnwindSafe(|| set.poll_all(&mut cx, |_, ()| ())));
    assert!(pass.is_err() && set.remove(1));
    assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
    assert_eq!(counter.wakes(), 0);
    shown.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_member_that_wakes_one_of_its_chunk_or_of_another_wakes_the_task() {
    for to in [1, 70] {
        let wakers = RefCell::new(vec![None; 71]);
        let polls = Cell::new(0);
        let mut set = Members::with_capacity(71);
        for number in 0..71 {
            let (wakers, polls) = (&wakers, &polls);
            set.push(poll_fn(move |cx| {
                wakers.borrow_mut()[number] = Some(cx.waker().clone());
                if number == to {
                    polls.set(polls.get() + 1);
                }
                let woken: Option<Waker> = wakers.borrow()[to].clone();
                if let (0, Some(woken)) = (number, woken) {
                    woken.wake();
                }
                Poll::<()>::Pending
            }));
        }
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
        let first = wakers.borrow()[0].clone().unwrap();
        first.wake();
        let mut passes = 0;
        while counter.wakes() > passes {
            passes = counter.wakes();
            assert!(set.poll_all(&mut cx, |_, ()| ()).is_pending());
        }
        assert_eq!(polls.get(), 2);
    }
}
