//! The limiter: totals that change, borrowers, order, cancellation, and whose a token is.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{
    AlreadyBorrowed, CapacityLimiter, LimiterStatistics, LimiterToken, TryBorrowError,
};
use std::future::{Future, pending, poll_fn};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Borrowed<'a> = Result<LimiterToken<'a, u32>, AlreadyBorrowed<u32>>;
type Asks<'a> = (
    Pin<Box<dyn Future<Output = Borrowed<'a>> + Send + 'a>>,
    Arc<Count>,
);

/// Those who ask for a token each and wait, each a task of its own.
fn queue(
    limiter: &CapacityLimiter<u32>,
    borrowers: impl IntoIterator<Item = u32>,
) -> Vec<Asks<'_>> {
    let asks = borrowers.into_iter().map(|borrower| {
        let mut asks: Asks<'_> = (
            Box::pin(limiter.acquire_on_behalf_of(borrower)),
            Count::new(),
        );
        assert!(poll_once(asks.0.as_mut(), &asks.1.waker()).is_pending());
        asks
    });
    asks.collect()
}

fn wakes(asks: &[Asks<'_>]) -> Vec<usize> {
    asks.iter().map(|(_, count)| count.wakes()).collect()
}

fn take<'a>((asks, count): &mut Asks<'a>) -> LimiterToken<'a, u32> {
    match poll_once(asks.as_mut(), &count.waker()) {
        Poll::Ready(Ok(token)) => token,
        other => panic!("not granted: {other:?}"),
    }
}

fn numbers(limiter: &CapacityLimiter<u32>) -> (usize, usize, usize) {
    let LimiterStatistics {
        total,
        borrowed,
        waiting,
        ..
    } = limiter.statistics();
    assert_eq!(limiter.total(), total);
    assert_eq!((limiter.borrowed(), limiter.waiting()), (borrowed, waiting));
    (total, borrowed, waiting)
}

#[test]
fn tokens_go_to_borrowers_in_order_of_arrival() {
    let limiter = CapacityLimiter::new(1);
    let held = limiter.try_acquire_on_behalf_of(0).unwrap();
    let mut asks = queue(&limiter, [1, 2, 3]);
    assert_eq!(numbers(&limiter), (1, 1, 3));
    drop(held);
    assert_eq!(wakes(&asks), [1, 0, 0]);
    // Granted and not taken: it is out, and nobody overtakes.
    assert_eq!(numbers(&limiter), (1, 1, 2));
    assert_eq!(
        limiter.try_acquire_on_behalf_of(4).unwrap_err(),
        TryBorrowError::NoTokens(4)
    );
    let token = take(&mut asks[0]);
    assert_eq!(token.borrower(), &1);
    assert!(std::ptr::eq(token.limiter(), &limiter));
    drop(token);
    drop(take(&mut asks[1]));
    drop(take(&mut asks[2]));
    assert_eq!(numbers(&limiter), (1, 0, 0));
}

#[test]
fn a_borrower_who_has_a_token_or_asks_for_one_is_refused_another() {
    let limiter = CapacityLimiter::new(2);
    let token = limiter.try_acquire_on_behalf_of(1).unwrap();
    let refused = |borrower| {
        let tried = limiter.try_acquire_on_behalf_of(borrower).unwrap_err();
        assert_eq!(tried, TryBorrowError::AlreadyBorrowed(borrower));
        let asked = poll_once(
            pin!(limiter.acquire_on_behalf_of(borrower)),
            &Count::new().waker(),
        );
        matches!(asked, Poll::Ready(Err(AlreadyBorrowed(b))) if b == borrower)
    };
    assert!(refused(1));
    let other = limiter.try_acquire_on_behalf_of(2).unwrap();
    let asks = queue(&limiter, [3]);
    assert!(refused(3) && refused(2));
    assert_eq!(numbers(&limiter), (2, 2, 1));
    // Who has given its token back, or asks no more, may ask again.
    drop((token, asks));
    drop(limiter.try_acquire_on_behalf_of(3).unwrap());
    drop(limiter.try_acquire_on_behalf_of(1).unwrap());
    drop(other);
    assert_eq!(numbers(&limiter), (2, 0, 0));
}

#[test]
fn a_future_that_was_never_polled_asks_for_nothing() {
    let limiter = CapacityLimiter::new(1);
    let asks = limiter.acquire_on_behalf_of(1);
    assert!(limiter.try_acquire_on_behalf_of(1).is_ok());
    drop(asks);
}

#[test]
fn a_higher_total_lets_exactly_as_many_in() {
    let limiter = CapacityLimiter::new(0);
    let mut asks = queue(&limiter, 0..5);
    limiter.set_total(2);
    assert_eq!(wakes(&asks), [1, 1, 0, 0, 0]);
    limiter.set_total(3);
    assert_eq!(wakes(&asks), [1, 1, 1, 0, 0]);
    limiter.set_total(usize::MAX);
    assert_eq!(wakes(&asks), [1; 5]);
    let tokens: Vec<_> = asks.iter_mut().map(take).collect();
    assert_eq!(limiter.available(), usize::MAX - 5);
    drop(tokens);
}

#[test]
fn below_what_is_out_nobody_gets_in_until_enough_came_back() {
    let limiter = CapacityLimiter::new(4);
    let mut tokens: Vec<_> = (0..4)
        .map(|me| limiter.try_acquire_on_behalf_of(me).unwrap())
        .collect();
    limiter.set_total(2);
    assert_eq!((numbers(&limiter), limiter.available()), ((2, 4, 0), 0));
    let asks = queue(&limiter, [4, 5]);
    tokens.truncate(2);
    assert_eq!(wakes(&asks), [0, 0]);
    assert_eq!(numbers(&limiter), (2, 2, 2));
    tokens.truncate(1);
    assert_eq!(wakes(&asks), [1, 0]);
    assert_eq!(numbers(&limiter), (2, 2, 1));
}

#[test]
fn who_leaves_the_queue_or_was_granted_and_leaves_passes_it_on() {
    let limiter = CapacityLimiter::new(0);
    let mut asks = queue(&limiter, 0..4);
    drop(asks.remove(1));
    limiter.set_total(1);
    assert_eq!(wakes(&asks), [1, 0, 0]);
    drop(asks.remove(0));
    assert_eq!(wakes(&asks), [1, 0]);
    assert_eq!(take(&mut asks[0]).borrower(), &2);
}

#[test]
fn who_was_granted_and_leaves_while_too_many_are_out_wakes_nobody() {
    let limiter = CapacityLimiter::new(1);
    let held = limiter.try_acquire_on_behalf_of(0).unwrap();
    let mut asks = queue(&limiter, [1, 2]);
    limiter.set_total(2);
    limiter.set_total(1);
    drop(asks.remove(0));
    assert_eq!((wakes(&asks), numbers(&limiter)), (vec![0], (1, 1, 1)));
    drop(held);
    assert_eq!(wakes(&asks), [1]);
}

#[test]
fn a_task_gets_its_token_by_the_future_that_it_polls_also_after_the_total_was_lowered() {
    for lowered in [false, true] {
        let limiter = CapacityLimiter::new(2);
        let held = [10, 11].map(|me| limiter.try_acquire_on_behalf_of(me).unwrap());
        let task = Count::new();
        let mut unpolled = Box::pin(limiter.acquire_on_behalf_of(1));
        let mut awaited = Box::pin(limiter.acquire_on_behalf_of(2));
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
        assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
        let [first, second] = held;
        drop(first);
        assert_eq!(task.wakes(), 1);
        if lowered {
            limiter.set_total(1);
            assert!(poll_once(awaited.as_mut(), &task.waker()).is_pending());
            drop(second);
            assert_eq!(task.wakes(), 2);
        }
        let Poll::Ready(Ok(token)) = poll_once(awaited.as_mut(), &task.waker()) else {
            panic!("the task was granted a token");
        };
        assert_eq!(token.borrower(), &2);
        drop(token);
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
    }
}

#[test]
fn who_is_woken_as_another_leaves_may_ask_for_its_borrower() {
    struct Asks(Arc<CapacityLimiter<u32>>, Arc<Count>);
    impl std::task::Wake for Asks {
        fn wake(self: Arc<Self>) {
            let mut asks = pin!(self.0.acquire_on_behalf_of(0));
            assert!(poll_once(asks.as_mut(), &self.1.waker()).is_pending());
            self.1.waker().wake();
        }
    }
    // One leaves as its future is dropped after the grant, the other as it gives its token back.
    for take_it in [false, true] {
        let limiter = Arc::new(CapacityLimiter::new(0));
        let mut leaves = queue(&limiter, [0]);
        limiter.set_total(1);
        let woken = Count::new();
        let waker = Arc::new(Asks(Arc::clone(&limiter), Arc::clone(&woken))).into();
        let mut next = pin!(limiter.acquire_on_behalf_of(1));
        assert!(poll_once(next.as_mut(), &waker).is_pending());
        if take_it {
            drop(take(&mut leaves[0]));
        } else {
            drop(leaves);
        }
        assert_eq!(woken.wakes(), 1);
        assert!(poll_once(next.as_mut(), &waker).is_ready());
    }
}

#[test]
fn a_borrower_may_be_anything_that_can_be_compared() {
    let limiter = Arc::new(CapacityLimiter::new(1));
    let task = {
        let limiter = Arc::clone(&limiter);
        async move {
            let token = limiter.acquire_on_behalf_of(String::from("parser")).await?;
            Ok::<_, AlreadyBorrowed<String>>(token.borrower().len())
        }
    };
    assert_eq!(
        std::thread::spawn(|| pirn_core::shim::block_on(task))
            .join()
            .unwrap(),
        Ok(6)
    );
    assert_eq!(limiter.available(), 1);
}

#[test]
fn a_panic_of_a_comparison_leaves_the_limiter_in_order() {
    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Bad(bool);
    impl Hash for Bad {
        fn hash<H: Hasher>(&self, state: &mut H) {
            assert!(!self.0, "no hash today");
            self.0.hash(state);
        }
    }
    let limiter = CapacityLimiter::new(2);
    let token = limiter.try_acquire_on_behalf_of(Bad(false)).unwrap();
    let asked = catch_unwind(AssertUnwindSafe(|| {
        limiter.try_acquire_on_behalf_of(Bad(true)).map(drop)
    }));
    assert!(asked.is_err());
    drop(token);
    assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
    assert!(limiter.try_acquire_on_behalf_of(Bad(false)).is_ok());
}

#[test]
fn who_was_granted_in_a_body_that_is_cancelled_passes_it_on() {
    let limiter = CapacityLimiter::new(0);
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut asks = pin!(limiter.acquire_on_behalf_of(1));
        poll_fn(|cx| {
            assert!(clean_up.as_mut().poll(cx).is_pending());
            asks.as_mut().poll(cx).map(drop)
        })
        .await
    }));
    let count = Count::new();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    let asks = queue(&limiter, [2]);
    limiter.set_total(1);
    scope.cancel(Cause::requested("enough"));
    assert_eq!(wakes(&asks), [0]);
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    assert_eq!(wakes(&asks), [1]);
}

#[test]
fn without_budget_nothing_is_taken() {
    let limiter = CapacityLimiter::new(1);
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    let mut asks = pin!(limiter.acquire_on_behalf_of(1));
    assert!(poll_once(asks.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), numbers(&limiter)), (1, (1, 0, 0)));
    drop(refilled);
    assert!(poll_once(asks.as_mut(), &count.waker()).is_ready());
}

#[test]
fn its_types_cross_threads_and_say_what_they_are() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<CapacityLimiter<String>>() };
    const { crosses::<LimiterToken<'static, String>>() };
    let limiter = CapacityLimiter::new(1);
    let token = limiter.try_acquire_on_behalf_of('a').unwrap();
    assert_eq!(
        format!("{limiter:?} {token:?}"),
        "CapacityLimiter { total: 1, borrowed: 1, waiting: 0 } LimiterToken { borrower: 'a' }"
    );
    let refused = [
        limiter.try_acquire_on_behalf_of('a').unwrap_err(),
        limiter.try_acquire_on_behalf_of('b').unwrap_err(),
    ];
    assert_eq!(
        refused.map(|error| error.to_string()),
        [
            "'a' has a token already, or asks for one",
            "no token is free for 'b'"
        ]
    );
}
