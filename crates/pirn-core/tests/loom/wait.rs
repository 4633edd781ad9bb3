//! Models of the wait list.

use crate::count::Count;
use crate::offers::Offers;
use crate::tokens::{Granted, Tokens, poll_and_drop, poll_once};
use pirn_core::shim::{self, Arc, UnsafeCell, block_on, thread};
use std::pin::pin;

#[test]
fn the_shim_is_plugged_in() {
    shim::model_must_fail(|| {
        struct Race(UnsafeCell<i32>);
        // SAFETY: there is none, on purpose: two threads write, and loom must say so.
        unsafe impl Sync for Race {}
        let race = Arc::new(Race(UnsafeCell::new(0)));
        let write = |race: &Race| {
            // SAFETY: as above.
            race.0.with_mut(|cell| unsafe { *cell += 1 });
        };
        let thread = {
            let race = Arc::clone(&race);
            thread::spawn(move || write(&race))
        };
        write(&race);
        thread.join().unwrap();
    });
}

#[test]
fn a_token_reaches_the_one_who_waits() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let thread = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || block_on(tokens.take()))
        };
        tokens.add(1);
        assert_eq!(thread.join().unwrap(), Granted::Token);
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn two_tokens_reach_two_who_wait() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let threads = [(); 2].map(|()| {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || block_on(tokens.take()))
        });
        tokens.add(1);
        tokens.add(1);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Granted::Token);
        }
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn a_head_cancelled_while_it_is_granted_passes_its_token_on() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let count = Count::new();
        let mut head = Box::pin(tokens.take());
        assert!(poll_once(head.as_mut(), &count.waker()).is_pending());
        let second = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || block_on(tokens.take()))
        };
        let adder = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.add(1))
        };
        drop(head);
        adder.join().unwrap();
        assert_eq!(second.join().unwrap(), Granted::Token);
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn one_cancelled_in_the_middle_while_tokens_come_leaves_the_others_theirs() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut waiters = [tokens.take(), tokens.take(), tokens.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        let adder = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.add(2))
        };
        let [first, middle, last] = waiters;
        drop(middle);
        adder.join().unwrap();
        assert!(counts[0].wakes() == 1 && counts[2].wakes() == 1);
        for (mut waiter, count) in [(first, &counts[0]), (last, &counts[2])] {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn one_that_polls_once_and_leaves_neither_keeps_nor_loses_a_token() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let passer = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || poll_and_drop(&tokens, &Count::new().waker()).is_ready())
        };
        let waiter = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || block_on(tokens.take()))
        };
        tokens.add(1);
        if passer.join().unwrap() {
            tokens.add(1);
        }
        assert_eq!(waiter.join().unwrap(), Granted::Token);
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let (old, new) = (Count::new(), Count::new());
        let mut waiter = pin!(tokens.take());
        assert!(poll_once(waiter.as_mut(), &old.waker()).is_pending());
        let adder = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.add(1))
        };
        let ready = poll_once(waiter.as_mut(), &new.waker()).is_ready();
        adder.join().unwrap();
        assert!(
            ready || new.wakes() == 1,
            "pending, and its waker was not woken"
        );
        if !ready {
            assert_eq!(old.wakes(), 0);
            assert!(poll_once(waiter.as_mut(), &new.waker()).is_ready());
        }
    });
}

#[test]
fn a_call_to_all_reaches_those_who_wait_and_no_newcomer() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut waiters = [tokens.take(), tokens.take(), tokens.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        let caller = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.call_all())
        };
        // One of them takes its call, or leaves, while the caller still holds the others' wakers.
        let [first, second, third] = waiters;
        drop(third);
        let late = Count::new();
        let mut newcomer = Box::pin(tokens.take());
        let early_second = {
            let mut second = second;
            let ready = poll_once(second.as_mut(), &counts[1].waker()).is_ready();
            (!ready).then_some(second)
        };
        let before = tokens.has_waiting();
        assert!(poll_once(newcomer.as_mut(), &late.waker()).is_pending());
        caller.join().unwrap();
        if !before {
            // The call had been made.
            assert_eq!(late.wakes(), 0);
            assert!(tokens.has_waiting());
        }
        let mut first = first;
        assert!(poll_once(first.as_mut(), &counts[0].waker()).is_ready());
        if let Some(mut second) = early_second {
            assert_eq!(counts[1].wakes(), 1);
            assert!(poll_once(second.as_mut(), &counts[1].waker()).is_ready());
        }
    });
}

#[test]
fn two_calls_to_all_at_once_wake_everyone_once() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut waiters = [tokens.take(), tokens.take(), tokens.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        let caller = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.call_all())
        };
        tokens.call_all();
        caller.join().unwrap();
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert_eq!(count.wakes(), 1);
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_ready());
        }
    });
}

#[test]
fn a_grant_is_claimed_by_another_future_of_its_task() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = Box::pin(tokens.take());
        let mut awaited = Box::pin(tokens.take());
        assert!(poll_once(unpolled.as_mut(), &waker).is_pending());
        assert!(poll_once(awaited.as_mut(), &waker).is_pending());
        let adder = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.add(1))
        };
        // The task polls only the second one, at once and whenever it was woken.
        let mut ready = poll_once(awaited.as_mut(), &waker).is_ready();
        adder.join().unwrap();
        if !ready {
            assert!(task.wakes() >= 1);
            ready = poll_once(awaited.as_mut(), &waker).is_ready();
        }
        assert!(ready);
        drop(awaited);
        // The first waits where the second did.
        let woken = task.wakes();
        tokens.add(1);
        assert_eq!(task.wakes(), woken + 1);
        assert!(poll_once(unpolled.as_mut(), &waker).is_ready());
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn a_grant_is_claimed_while_its_owner_is_dropped_elsewhere() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(1));
        let task = Count::new();
        let other = Count::new();
        assert!(poll_and_drop(&tokens, &task.waker()).is_ready());
        // The future and, dropped after it, what it borrows.
        struct Owned {
            take: std::pin::Pin<Box<crate::tokens::Take<'static>>>,
            _tokens: Arc<Tokens>,
        }
        // SAFETY: `Owned` drops the future before the tokens that it borrows.
        let list: &'static Tokens = unsafe { &*Arc::as_ptr(&tokens) };
        let mut owner = Owned {
            take: Box::pin(list.take()),
            _tokens: Arc::clone(&tokens),
        };
        assert!(poll_once(owner.take.as_mut(), &task.waker()).is_pending());
        let mut third = Box::pin(tokens.take());
        assert!(poll_once(third.as_mut(), &other.waker()).is_pending());
        tokens.add(1);
        let dropper = thread::spawn(move || drop(owner));
        let mut second = Box::pin(tokens.take());
        let ready = poll_once(second.as_mut(), &task.waker()).is_ready();
        dropper.join().unwrap();
        // The one token went to exactly one of the task's second future and the stranger.
        assert_eq!(ready, other.wakes() == 0);
        assert_eq!(poll_once(third.as_mut(), &other.waker()).is_ready(), !ready);
        assert_eq!(tokens.left(), 0);
    });
}

/// A value that is written before a grant and read after it, by somebody who polls unasked: so the
/// waker publishes nothing.
fn who_polls_unasked_and_is_served_sees_what_came_before(
    serve: impl Fn(&Tokens) + Send + Sync + Copy + 'static,
) {
    struct Shared {
        tokens: Tokens,
        value: UnsafeCell<u32>,
    }
    // SAFETY: the value is read only by who was granted what its writer gave after writing it; that
    // this orders the two is what the model checks.
    unsafe impl Sync for Shared {}
    shim::model(move || {
        let shared = Arc::new(Shared {
            tokens: Tokens::new(0),
            value: UnsafeCell::new(0),
        });
        let count = Count::new();
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut take = pin!(shared.tokens.take());
                for _ in 0..2 {
                    if poll_once(take.as_mut(), &count.waker()).is_ready() {
                        // SAFETY: see above.
                        return shared.value.with(|value| unsafe { *value });
                    }
                }
                1
            })
        };
        // SAFETY: see above.
        shared.value.with_mut(|value| unsafe { *value = 1 });
        serve(&shared.tokens);
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn who_takes_a_grant_without_the_lock_sees_what_came_before_it() {
    who_polls_unasked_and_is_served_sees_what_came_before(|tokens| tokens.add(1));
}

#[test]
fn who_takes_what_is_its_own_without_the_lock_sees_what_came_before_it() {
    who_polls_unasked_and_is_served_sees_what_came_before(Tokens::call_all);
}

#[test]
fn a_grant_that_is_taken_and_claimed_at_once_goes_to_one_of_them() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let (task, other) = (Count::new(), Count::new());
        // SAFETY: the thread that has the future also has the tokens, and drops them after it.
        let list: &'static Tokens = unsafe { &*Arc::as_ptr(&tokens) };
        let mut moved = Box::pin(list.take());
        assert!(poll_once(moved.as_mut(), &task.waker()).is_pending());
        tokens.add(1);
        let taker = {
            let (tokens, waker) = (Arc::clone(&tokens), other.waker());
            thread::spawn(move || {
                let taken = poll_once(moved.as_mut(), &waker).is_ready();
                (taken, moved, tokens)
            })
        };
        let mut second = Box::pin(tokens.take());
        let claimed = poll_once(second.as_mut(), &task.waker()).is_ready();
        let (taken, mut moved, _tokens) = taker.join().unwrap();
        assert!(taken != claimed);
        // Whoever has not got it waits for the next.
        tokens.add(1);
        let served = match taken {
            true => poll_once(second.as_mut(), &task.waker()),
            false => poll_once(moved.as_mut(), &other.waker()),
        };
        assert!(served.is_ready());
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn a_grant_that_is_dropped_as_the_next_one_comes_is_not_lost() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut waiters = [tokens.take(), tokens.take(), tokens.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        tokens.add(1);
        let adder = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.add(1))
        };
        let [mut first, second, mut third] = waiters;
        // The first takes, perhaps without the lock, while the second is granted and goes.
        assert!(poll_once(first.as_mut(), &counts[0].waker()).is_ready());
        drop(second);
        adder.join().unwrap();
        assert_eq!(counts[2].wakes(), 1);
        assert!(poll_once(third.as_mut(), &counts[2].waker()).is_ready());
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn those_whose_grants_are_revoked_are_served_by_later_offers() {
    shim::model(|| {
        let offers = Arc::new(Offers::new());
        let takers = [(); 2].map(|()| {
            let offers = Arc::clone(&offers);
            thread::spawn(move || block_on(offers.take()))
        });
        offers.offer();
        if offers.withdraw() {
            offers.offer();
        }
        offers.offer();
        for taker in takers {
            taker.join().unwrap();
        }
        assert!(!offers.withdraw());
        assert_eq!(offers.revoked(), 0);
    });
}

#[test]
fn one_whose_grant_is_revoked_as_it_polls_has_it_or_is_woken_for_the_next() {
    shim::model(|| {
        let offers = Arc::new(Offers::new());
        let counts = [Count::new(), Count::new()];
        let mut waiters = [offers.take(), offers.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        offers.offer();
        let withdrawer = {
            let offers = Arc::clone(&offers);
            thread::spawn(move || {
                let withdrawn = offers.withdraw();
                offers.offer();
                withdrawn
            })
        };
        let [mut first, mut second] = waiters;
        let mut served = 0;
        let mut woken = 1;
        if poll_once(first.as_mut(), &counts[0].waker()).is_ready() {
            served += 1;
        }
        let withdrawn = withdrawer.join().unwrap();
        if served == 0 {
            // It looked while nothing was offered, or it would have been served.
            woken += 1;
            assert_eq!(counts[0].wakes(), woken);
            assert!(poll_once(first.as_mut(), &counts[0].waker()).is_ready());
        }
        // The second has the other offer, if the first took one before it was withdrawn.
        assert_eq!(counts[1].wakes(), usize::from(!withdrawn));
        let ready = poll_once(second.as_mut(), &counts[1].waker()).is_ready();
        assert_eq!(ready, !withdrawn);
    });
}

#[test]
fn a_task_whose_grant_is_revoked_is_woken_for_the_future_that_it_polls() {
    shim::model(|| {
        let offers = Arc::new(Offers::new());
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = Box::pin(offers.take());
        assert!(poll_once(unpolled.as_mut(), &waker).is_pending());
        let stranger = Count::new();
        let mut other = Box::pin(offers.take());
        assert!(poll_once(other.as_mut(), &stranger.waker()).is_pending());
        offers.offer();
        let withdrawer = {
            let offers = Arc::clone(&offers);
            thread::spawn(move || {
                let withdrawn = offers.withdraw();
                offers.offer();
                withdrawn
            })
        };
        // The task polls only this one, at once and whenever it was woken.
        let mut awaited = Box::pin(offers.take());
        let mut ready = poll_once(awaited.as_mut(), &waker).is_ready();
        let early = ready;
        let withdrawn = withdrawer.join().unwrap();
        if !ready {
            assert_eq!(task.wakes(), 2);
            ready = poll_once(awaited.as_mut(), &waker).is_ready();
        }
        assert!(ready);
        // What is left, if the first offer was taken, is the stranger's.
        assert!(withdrawn || early);
        assert_eq!(stranger.wakes(), usize::from(!withdrawn));
    });
}

#[test]
fn one_who_leaves_as_its_grant_is_revoked_leaves_the_next_offer_to_others() {
    shim::model(|| {
        let offers = Arc::new(Offers::new());
        let counts = [Count::new(), Count::new()];
        let mut waiters = [offers.take(), offers.take()].map(Box::pin);
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert!(poll_once(waiter.as_mut(), &count.waker()).is_pending());
        }
        offers.offer();
        let withdrawer = {
            let offers = Arc::clone(&offers);
            thread::spawn(move || {
                assert!(offers.withdraw());
                offers.offer();
            })
        };
        let [first, mut second] = waiters;
        drop(first);
        withdrawer.join().unwrap();
        assert!(counts[1].wakes() >= 1);
        assert!(poll_once(second.as_mut(), &counts[1].waker()).is_ready());
        assert_eq!(offers.revoked(), 0);
    });
}
