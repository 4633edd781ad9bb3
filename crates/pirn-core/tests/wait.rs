//! The wait list: queues, grants, cancellation, wakers of every temper, and claims.

#[path = "loom/count.rs"]
mod count;
#[path = "loom/offers.rs"]
mod offers;
#[path = "loom/tokens.rs"]
mod tokens;

use count::Count;
use offers::Offers;
use pirn_core::wait::{Door, Policy, WaitList, Waiter};
use pirn_core::wake::WakeBatch;
use pirn_core::{Cause, Scope, budget, shield};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use tokens::{Granted, Take, Tokens, poll_and_drop, poll_once};

/// Waiters, each with a task of its own, queued in order.
fn queue(tokens: &Tokens, n: usize) -> Vec<(Pin<Box<Take<'_>>>, Arc<Count>)> {
    (0..n)
        .map(|_| {
            let mut waiter = Box::pin(tokens.take());
            let count = Count::new();
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
            (waiter, count)
        })
        .collect()
}

fn wakes(waiters: &[(Pin<Box<Take<'_>>>, Arc<Count>)]) -> Vec<usize> {
    waiters.iter().map(|(_, count)| count.wakes()).collect()
}

#[test]
fn tokens_go_to_waiters_in_order_of_arrival() {
    let tokens = Tokens::new(0);
    let mut waiters = queue(&tokens, 4);
    tokens.add(2);
    assert_eq!(wakes(&waiters), [1, 1, 0, 0]);
    assert!(poll_and_drop(&tokens, &Count::new().waker()).is_pending());
    for (i, (waiter, count)) in waiters.iter_mut().enumerate() {
        assert_eq!(poll_once(waiter.as_mut(), &count.waker()).is_ready(), i < 2);
    }
    assert!(tokens.has_waiting());
}

#[test]
fn a_waiter_may_be_dropped_in_every_state() {
    let tokens = Tokens::new(0);
    // Idle.
    drop(tokens.take());
    // Waiting: the only one, the first, one in the middle, the last.
    drop(queue(&tokens, 1));
    for leaver in 0..3 {
        let mut waiters = queue(&tokens, 3);
        waiters.remove(leaver);
        tokens.add(2);
        assert_eq!(wakes(&waiters), [1, 1]);
        for (waiter, count) in &mut waiters {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
        // Idle again, after it took.
        drop(waiters);
        assert_eq!(tokens.left(), 0);
    }
    // Granted: the token goes to the next, and when nobody waits back into the counter.
    let mut waiters = queue(&tokens, 2);
    tokens.add(1);
    assert_eq!(wakes(&waiters), [1, 0]);
    waiters.remove(0);
    assert_eq!(wakes(&waiters), [1]);
    waiters.remove(0);
    assert_eq!(tokens.left(), 1);
    assert!(!tokens.has_waiting());
}

#[test]
fn the_newest_waker_is_woken_and_the_old_one_is_let_go() {
    let tokens = Tokens::new(0);
    let mut waiter = pin!(tokens.take());
    let (old, new) = (Count::new(), Count::new());
    assert!(poll_once(waiter.as_mut(), &old.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 2);
    assert!(poll_once(waiter.as_mut(), &new.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1);
    tokens.add(1);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert_eq!(Arc::strong_count(&new), 1);
    assert_eq!(
        poll_once(waiter.as_mut(), &new.waker()),
        Poll::Ready(Granted::Token)
    );
}

#[test]
fn a_waker_that_does_not_know_its_own_clone_is_woken_all_the_same() {
    // Each clone has a vtable of its own, so `will_wake` is always false.
    fn raw(count: *const ()) -> RawWaker {
        // Kept, and so not leaked.
        static VTABLES: Mutex<Vec<&'static RawWakerVTable>> = Mutex::new(Vec::new());
        let vtable: &_ = Box::leak(Box::new(RawWakerVTable::new(raw_clone, wake, wake, free)));
        VTABLES.lock().unwrap().push(vtable);
        RawWaker::new(count, vtable)
    }
    unsafe fn raw_clone(count: *const ()) -> RawWaker {
        raw(count)
    }
    unsafe fn wake(count: *const ()) {
        // SAFETY: the test's counter outlives its wakers.
        unsafe { &*count.cast::<std::cell::Cell<usize>>() }.update(|n| n + 1);
    }
    unsafe fn free(_: *const ()) {}
    let count = std::cell::Cell::new(0_usize);
    // SAFETY: the vtable's functions do what their contract says; nothing leaves this thread.
    let waker = unsafe { Waker::from_raw(raw(std::ptr::from_ref(&count).cast())) };
    let tokens = Tokens::new(0);
    let mut waiter = pin!(tokens.take());
    for _ in 0..3 {
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
    }
    tokens.add(1);
    assert_eq!(count.get(), 1);
    assert!(poll_once(waiter.as_mut(), &waker).is_ready());
}

#[test]
fn a_call_to_more_than_a_batch_wakes_all_in_order_and_no_newcomer() {
    /// Notes its name, and comes back to wait again as it is woken.
    struct Note(usize, Arc<Tokens>, Arc<Mutex<Vec<usize>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.2.lock().unwrap().push(self.0);
            assert!(poll_and_drop(&self.1, &Count::new().waker()).is_pending());
        }
    }
    const N: usize = 3 * WakeBatch::CAPACITY + 1;
    let tokens = Arc::new(Tokens::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiters: Vec<_> = (0..N)
        .map(|i| {
            let waker = Arc::new(Note(i, Arc::clone(&tokens), Arc::clone(&order))).into();
            let mut waiter = Box::pin(tokens.take());
            assert!(poll_once(waiter.as_mut(), &waker).is_pending());
            waiter
        })
        .collect();
    tokens.call_all();
    assert_eq!(*order.lock().unwrap(), (0..N).collect::<Vec<_>>());
    for waiter in &mut waiters {
        assert_eq!(
            poll_once(waiter.as_mut(), Waker::noop()),
            Poll::Ready(Granted::Call)
        );
    }
}

#[test]
fn a_waker_may_drop_waiters_that_are_being_woken() {
    type Slot = Arc<Mutex<Vec<Pin<Box<Take<'static>>>>>>;
    struct Clear(Slot);
    impl Wake for Clear {
        fn wake(self: Arc<Self>) {
            let waiters = std::mem::take(&mut *self.0.lock().unwrap());
            drop(waiters);
        }
    }
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::new(0));
    let tokens: &'static Tokens = &TOKENS;
    let slot = Slot::default();
    let waker = Arc::new(Clear(Arc::clone(&slot))).into();
    for _ in 0..2 * WakeBatch::CAPACITY + 3 {
        let mut waiter = Box::pin(tokens.take());
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
        slot.lock().unwrap().push(waiter);
    }
    let late = Count::new();
    let mut last = Box::pin(tokens.take());
    assert!(poll_once(last.as_mut(), &late.waker()).is_pending());
    tokens.add(1);
    // The first was granted, and its waker dropped all but the last, to whom the token went.
    assert_eq!(late.wakes(), 1);
    assert!(poll_once(last.as_mut(), &late.waker()).is_ready());
    assert!(!tokens.has_waiting());

    for _ in 0..2 * WakeBatch::CAPACITY + 3 {
        let mut waiter = Box::pin(tokens.take());
        assert!(poll_once(waiter.as_mut(), &waker).is_pending());
        slot.lock().unwrap().push(waiter);
    }
    tokens.call_all();
    assert!(slot.lock().unwrap().is_empty());
    assert!(!tokens.has_waiting());
}

#[test]
fn a_panicking_waker_does_not_keep_the_others_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a waker's panic"));
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                std::panic::resume_unwind(Box::new("a waker's destructor's panic"));
            }
        }
    }
    pirn_core::report::set_hook(Some(Arc::new(|_| {})));
    let tokens = Tokens::new(0);
    let mut bad = Box::pin(tokens.take());
    assert!(poll_once(bad.as_mut(), &Arc::new(Panics).into()).is_pending());
    let good = queue(&tokens, 2);
    tokens.call_all();
    assert_eq!(wakes(&good), [1, 1]);
    drop((bad, good));

    let mut bad = Box::pin(tokens.take());
    let waker: Waker = Arc::new(Panics).into();
    assert!(poll_once(bad.as_mut(), &waker).is_pending());
    drop(waker);
    // Replaced, or dropped with its waiter: the panic goes to the hook.
    assert!(poll_once(bad.as_mut(), &Count::new().waker()).is_pending());
    drop(bad);
    assert!(!tokens.has_waiting());
}

#[test]
fn a_grant_goes_to_whichever_future_its_task_polls_first() {
    let tokens = Tokens::new(0);
    let (task, other) = (Count::new(), Count::new());
    let mut unpolled = Box::pin(tokens.take());
    let mut strange = Box::pin(tokens.take());
    let mut awaited = Box::pin(tokens.take());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
    tokens.add(1);
    assert_eq!((task.wakes(), other.wakes()), (1, 0));
    // A stranger cannot claim it; another future of the task can, whether it waited or is new.
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_ready());
    drop(strange);
    tokens.add(1);
    assert_eq!(task.wakes(), 2);
    assert!(poll_and_drop(&tokens, &task.waker()).is_ready());
    assert_eq!(tokens.left(), 0);
    drop(unpolled);
    assert!(!tokens.has_waiting());
}

#[test]
fn a_task_whose_grant_was_claimed_waits_where_the_claimer_did() {
    let tokens = Tokens::new(0);
    let (task, others) = (Count::new(), Count::new());
    let owners = [&task, &others, &task, &others];
    let mut waiters = owners.map(|_| Box::pin(tokens.take()));
    for (waiter, owner) in waiters.iter_mut().zip(owners) {
        assert!(poll_once(waiter.as_mut(), &owner.waker()).is_pending());
    }
    let [unpolled, before, claimer, behind] = waiters;
    tokens.add(1);
    assert!(poll_once({ claimer }.as_mut(), &task.waker()).is_ready());
    for (mut waiter, owner) in [(before, &others), (unpolled, &task), (behind, &others)] {
        let woken = owner.wakes();
        tokens.add(1);
        assert_eq!(owner.wakes(), woken + 1);
        assert!(poll_once(waiter.as_mut(), &owner.waker()).is_ready());
    }
}

#[test]
fn a_task_that_keeps_one_waiter_and_asks_again_and_again_does_not_starve_others() {
    let tokens = Tokens::new(0);
    let (task, other) = (Count::new(), Count::new());
    let mut kept = pin!(tokens.take());
    assert!(poll_once(kept.as_mut(), &task.waker()).is_pending());
    let mut strange = pin!(tokens.take());
    assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
    let mut overtaken = 0;
    loop {
        let mut again = pin!(tokens.take());
        assert!(poll_once(again.as_mut(), &task.waker()).is_pending());
        tokens.add(1);
        if poll_once(strange.as_mut(), &other.waker()).is_ready() {
            break;
        }
        assert!(poll_once(again.as_mut(), &task.waker()).is_ready());
        overtaken += 1;
        assert!(overtaken < 2, "once, for the one that was kept");
    }
    // And the task does not hang.
    tokens.add(1);
    assert!(poll_and_drop(&tokens, &task.waker()).is_ready());
}

#[test]
fn after_a_claim_that_was_not_enough_the_newest_waker_is_registered() {
    /// Wants several, and believes that any grant is enough for anybody.
    struct Greedy;
    impl Policy<1> for Greedy {
        type State = usize;
        type Want = usize;
        fn admit(_: &mut Door<'_, Self>, _: usize, _: usize) -> Option<usize> {
            None
        }
        fn put_back(door: &mut Door<'_, Self>, _: usize, granted: usize) {
            *door.state() += granted;
        }
        fn settle(door: &mut Door<'_, Self>, queue: usize) {
            while let Some(want) = door.head(queue).filter(|want| *want <= *door.state()) {
                *door.state() -= want;
                door.grant_head(queue, want);
            }
        }
    }
    let list = WaitList::new(Greedy, 0);
    let add = |count| {
        list.enter(|door| {
            *door.state() += count;
            Greedy::settle(door, 0);
        });
    };
    let poll = |waiter: Pin<&mut Waiter<'_, Greedy>>, count: &Arc<Count>| {
        waiter.poll_grant(&mut Context::from_waker(&count.waker()), |_, n| n)
    };
    let (old, new) = (Count::new(), Count::new());
    let mut small = pin!(Waiter::new(&list, 0, 1));
    let mut large = pin!(Waiter::new(&list, 0, 5));
    assert!(poll(small.as_mut(), &new).is_pending());
    assert!(poll(large.as_mut(), &old).is_pending());
    add(1);
    assert_eq!(new.wakes(), 1);
    // The second moves to the task of the first.
    assert!(poll(large.as_mut(), &new).is_pending());
    add(4);
    assert_eq!((old.wakes(), new.wakes()), (0, 2));
    assert_eq!(poll(large.as_mut(), &new), Poll::Ready(5));
    assert_eq!(Arc::strong_count(&old), 1);
}

#[test]
fn a_waiter_in_a_cancelled_body_leaves_the_queue_and_hands_its_token_on() {
    for granted_first in [false, true] {
        let tokens = Tokens::new(0);
        let scope = Scope::detached();
        let count = Count::new();
        let mut body = pin!(scope.run(async {
            let mut take = pin!(tokens.take());
            let mut clean_up = pin!(shield(pending::<()>()));
            poll_fn(|cx| {
                assert!(take.as_mut().poll(cx).is_pending());
                clean_up.as_mut().poll(cx)
            })
            .await;
        }));
        assert!(poll_once(body.as_mut(), &count.waker()).is_pending());
        let (mut other, woken) = (pin!(tokens.take()), Count::new());
        assert!(poll_once(other.as_mut(), &woken.waker()).is_pending());
        if granted_first {
            tokens.add(1);
        }
        scope.cancel(Cause::requested("enough"));
        assert!(poll_once(body.as_mut(), &count.waker()).is_pending());
        if !granted_first {
            tokens.add(1);
        }
        assert_eq!(woken.wakes(), 1);
        assert!(poll_once(other.as_mut(), &woken.waker()).is_ready());
        // It does not come back.
        assert!(poll_once(body.as_mut(), &count.waker()).is_pending());
        assert!(!tokens.has_waiting());
    }
}

#[test]
fn polls_with_a_waker_without_data_are_not_taken_for_one_task() {
    // As `Waker::noop`, whose clones may have one of several vtables.
    const NO_DATA: RawWaker = RawWaker::new(std::ptr::null(), &VTABLE);
    static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| NO_DATA, |_| {}, |_| {}, |_| {});
    // SAFETY: the vtable's functions do nothing, which is right for a waker without data.
    let waker = unsafe { Waker::from_raw(NO_DATA) };
    let tokens = Tokens::new(0);
    let mut waiter = pin!(tokens.take());
    assert!(poll_once(waiter.as_mut(), &waker).is_pending());
    tokens.add(1);
    assert!(poll_and_drop(&tokens, &waker).is_pending());
    assert!(poll_once(waiter.as_mut(), &waker).is_ready());
}

#[test]
fn a_grant_that_was_claimed_by_mistake_reaches_its_owner_at_its_next_poll() {
    // A future that was granted moves to a new task; then a stranger polls with the waker of the
    // old one, as if the old task's address had been given to it.
    let tokens = Tokens::new(0);
    let (address, new_task) = (Count::new(), Count::new());
    let mut moved = Box::pin(tokens.take());
    assert!(poll_once(moved.as_mut(), &address.waker()).is_pending());
    tokens.add(1);
    assert!(poll_and_drop(&tokens, &address.waker()).is_ready());
    // What the claim left behind registers its own waker where the claimer was.
    assert!(poll_once(moved.as_mut(), &new_task.waker()).is_pending());
    let behind = queue(&tokens, 1);
    tokens.add(1);
    assert_eq!((new_task.wakes(), behind[0].1.wakes()), (1, 0));
    assert!(poll_once(moved.as_mut(), &new_task.waker()).is_ready());
}

#[test]
fn a_call_is_not_claimed() {
    let tokens = Tokens::new(0);
    let task = Count::new();
    let mut called = Box::pin(tokens.take());
    assert!(poll_once(called.as_mut(), &task.waker()).is_pending());
    tokens.call_all();
    assert!(poll_and_drop(&tokens, &task.waker()).is_pending());
    assert!(poll_once(called.as_mut(), &task.waker()).is_ready());
}

#[test]
fn without_budget_a_grant_stays_and_the_task_is_woken_again() {
    let tokens = Tokens::new(0);
    let mut waiters = queue(&tokens, 1);
    tokens.add(1);
    let (waiter, count) = &mut waiters[0];
    {
        let _refilled = budget::refill();
        let mut cx = Context::from_waker(Waker::noop());
        while budget::poll_spend(&mut cx).is_ready() {}
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        assert_eq!(count.wakes(), 2);
    }
    assert_eq!(tokens.left(), 0);
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
}

#[test]
fn a_waiter_that_took_is_a_newcomer_again() {
    let tokens = Tokens::new(1);
    let mut waiter = pin!(tokens.take());
    let count = Count::new();
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    tokens.add(1);
    assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
}

#[test]
fn its_types_are_small_and_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<Tokens>() };
    const { crosses::<Take<'static>>() };
    // A lock, two list heads and the state.
    assert_eq!(size_of::<Tokens>(), 8 + 2 * 8 + 8);
    // A reference, two links, the queue's number and what is wanted, a waker with its state.
    assert_eq!(size_of::<Take<'static>>(), 8 + 16 + 8 + 24);
}

#[test]
fn a_policy_that_panics_leaves_no_node_in_a_ring_that_is_gone() {
    thread_local! { static PANICS: Cell<bool> = const { Cell::new(false) }; }
    struct Panics;
    impl Policy<1> for Panics {
        type State = u32;
        type Want = ();
        fn admit(_: &mut Door<'_, Self, 1>, _: usize, (): ()) -> Option<()> {
            None
        }
        fn put_back(_: &mut Door<'_, Self, 1>, _: usize, (): ()) {}
        fn settle(_: &mut Door<'_, Self, 1>, _: usize) {}
        fn transfers(_: usize, (): ()) -> bool {
            assert!(!PANICS.get(), "a policy that panics");
            true
        }
    }
    let list = WaitList::new(Panics, 0);
    let mut waiters: Vec<_> = (0..3)
        .map(|_| Box::pin(Waiter::new(&list, 0, ())))
        .collect();
    let mut cx = Context::from_waker(Waker::noop());
    for waiter in &mut waiters {
        assert!(waiter.as_mut().poll_grant(&mut cx, |_, ()| ()).is_pending());
    }
    PANICS.set(true);
    let entered = catch_unwind(AssertUnwindSafe(|| {
        list.enter(|door| while door.grant_head(0, ()) {})
    }));
    PANICS.set(false);
    assert!(entered.is_err());
    // AddressSanitizer sees it if one of them is.
    drop(waiters);
}

#[test]
fn those_whose_grants_were_revoked_wait_in_their_order_before_all_others() {
    let offers = Offers::new();
    let counts: Vec<_> = (0..4).map(|_| Count::new()).collect();
    let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(offers.take())).collect();
    for (waiter, count) in waiters.iter_mut().zip(&counts) {
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    }
    let wakes = || counts.iter().map(|count| count.wakes()).collect::<Vec<_>>();
    for _ in 0..3 {
        offers.offer();
    }
    assert_eq!(wakes(), [1, 1, 1, 0]);
    assert!(offers.withdraw() && offers.withdraw());
    assert_eq!(offers.revoked(), 2);
    // The third looks, and has a waker again; the second has not looked since it was woken.
    assert!(poll_once(waiters[2].as_mut(), &counts[2].waker()).is_pending());
    assert_eq!(offers.revoked(), 1);
    offers.offer();
    assert_eq!((wakes(), offers.revoked()), (vec![1, 1, 1, 0], 0));
    offers.offer();
    assert_eq!(wakes(), [1, 1, 2, 0]);
    assert!(poll_once(waiters[3].as_mut(), &counts[3].waker()).is_pending());
    for i in [2, 1, 0] {
        assert!(poll_once(waiters[i].as_mut(), &counts[i].waker()).is_ready());
    }
    assert!(!offers.withdraw());
    assert!(offers.revoke_none());
}

#[test]
fn one_whose_grant_was_revoked_may_leave() {
    let offers = Offers::new();
    let counts = [(); 2].map(|()| Count::new());
    let mut waiters: Vec<_> = (0..2).map(|_| Box::pin(offers.take())).collect();
    for (waiter, count) in waiters.iter_mut().zip(&counts) {
        assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
    }
    offers.offer();
    assert!(offers.withdraw());
    drop(waiters.remove(0));
    assert_eq!(offers.revoked(), 0);
    offers.offer();
    assert_eq!(counts[1].wakes(), 1);
    assert!(poll_once(waiters[0].as_mut(), &counts[1].waker()).is_ready());
}

#[test]
fn a_task_that_polls_another_after_a_grant_was_revoked_has_its_place_there() {
    // How many strangers wait between the two.
    for between in 0..3 {
        let offers = Offers::new();
        let (task, other) = (Count::new(), Count::new());
        let take = |count: &Arc<Count>| {
            let mut waiter = Box::pin(offers.take());
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
            waiter
        };
        let mut unpolled = take(&task);
        let mut strangers: Vec<_> = (0..between).map(|_| take(&other)).collect();
        let mut awaited = take(&task);
        let mut last = take(&other);
        offers.offer();
        assert!(offers.withdraw());
        assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
        // They do not change places again.
        assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
        offers.offer();
        assert_eq!((task.wakes(), other.wakes()), (2, 0));
        assert!(poll_once(awaited.as_mut(), &task.waker()).is_ready());
        for (i, stranger) in strangers.iter_mut().enumerate() {
            offers.offer();
            assert_eq!(other.wakes(), i + 1);
            assert!(poll_once(stranger.as_mut(), &other.waker()).is_ready());
        }
        assert_eq!(offers.revoked(), 1);
        offers.offer();
        assert!(poll_once(last.as_mut(), &other.waker()).is_pending());
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
        assert_eq!(offers.revoked(), 0);
    }
}

#[test]
fn a_grant_after_a_revoked_one_is_claimed_by_the_future_that_the_task_polls() {
    let offers = Offers::new();
    let task = Count::new();
    let mut unpolled = Box::pin(offers.take());
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
    offers.offer();
    assert!(offers.withdraw());
    offers.offer();
    assert_eq!(task.wakes(), 1);
    let mut awaited = Box::pin(offers.take());
    assert!(poll_once(awaited.as_mut(), &task.waker()).is_ready());
    offers.offer();
    assert_eq!(task.wakes(), 2);
    assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
}
