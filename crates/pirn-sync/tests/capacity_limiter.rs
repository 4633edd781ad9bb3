//! The limiter: totals that change, borrowers, order, cancellation, and whose a token is.

#[path = "loom/count.rs"]
mod count;

use count::{Count, poll_once};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_sync::{
    AlreadyBorrowed, Borrower, CapacityLimiter, LimiterStatistics, LimiterToken, TryBorrowError,
};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Borrowed<'a> = Result<LimiterToken<'a>, AlreadyBorrowed>;
type Asks<'a> = (
    Pin<Box<dyn Future<Output = Borrowed<'a>> + Send + 'a>>,
    Arc<Count>,
);

fn borrowers<const N: usize>() -> [Borrower; N] {
    [(); N].map(|()| Borrower::new())
}

/// Those who ask for a token each and wait, each a task of its own.
fn queue<'a>(limiter: &'a CapacityLimiter, borrowers: &[Borrower]) -> Vec<Asks<'a>> {
    let asks = borrowers.iter().map(|&borrower| {
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

fn take<'a>((asks, count): &mut Asks<'a>) -> LimiterToken<'a> {
    match poll_once(asks.as_mut(), &count.waker()) {
        Poll::Ready(Ok(token)) => token,
        other => panic!("not granted: {other:?}"),
    }
}

fn numbers(limiter: &CapacityLimiter) -> (usize, usize, usize) {
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
    let held = limiter.try_acquire_on_behalf_of(Borrower::new()).unwrap();
    let [one, two, three] = borrowers();
    let mut asks = queue(&limiter, &[two, one, three]);
    assert_eq!(numbers(&limiter), (1, 1, 3));
    drop(held);
    assert_eq!(wakes(&asks), [1, 0, 0]);
    // Granted and not taken: it is out, and nobody overtakes.
    assert_eq!(numbers(&limiter), (1, 1, 2));
    assert_eq!(
        limiter
            .try_acquire_on_behalf_of(Borrower::new())
            .unwrap_err(),
        TryBorrowError::NoTokens
    );
    let token = take(&mut asks[0]);
    assert_eq!(token.borrower(), two);
    assert!(std::ptr::eq(token.limiter(), &limiter));
    drop(token);
    drop(take(&mut asks[1]));
    drop(take(&mut asks[2]));
    assert_eq!(numbers(&limiter), (1, 0, 0));
}

#[test]
fn a_borrower_is_no_other() {
    let [one, other]: [Borrower; 2] = std::array::from_fn(|_| Borrower::default());
    let elsewhere = std::thread::spawn(Borrower::new).join().unwrap();
    assert!(one != other && one != elsewhere && other != elsewhere);
    let met = std::collections::HashSet::from([one, other, elsewhere, one]);
    assert_eq!(met.len(), 3);
}

#[test]
fn a_borrower_who_has_a_token_or_asks_for_one_is_refused_another() {
    let limiter = CapacityLimiter::new(2);
    let [one, two, three] = borrowers();
    let token = limiter.try_acquire_on_behalf_of(one).unwrap();
    let refused = |borrower| {
        let tried = limiter.try_acquire_on_behalf_of(borrower).unwrap_err();
        assert_eq!(tried, TryBorrowError::AlreadyBorrowed(borrower));
        let asked = poll_once(
            pin!(limiter.acquire_on_behalf_of(borrower)),
            &Count::new().waker(),
        );
        matches!(asked, Poll::Ready(Err(AlreadyBorrowed(b))) if b == borrower)
    };
    assert!(refused(one));
    let other = limiter.try_acquire_on_behalf_of(two).unwrap();
    let asks = queue(&limiter, &[three]);
    assert!(refused(three) && refused(two));
    assert_eq!(numbers(&limiter), (2, 2, 1));
    // Who has given its token back, or asks no more, may ask again.
    drop((token, asks));
    drop(limiter.try_acquire_on_behalf_of(three).unwrap());
    drop(limiter.try_acquire_on_behalf_of(one).unwrap());
    drop(other);
    assert_eq!(numbers(&limiter), (2, 0, 0));
}

#[test]
fn who_was_refused_or_found_no_token_has_not_asked() {
    let limiter = CapacityLimiter::new(0);
    let one = Borrower::new();
    assert!(limiter.try_acquire_on_behalf_of(one).is_err());
    let asks = queue(&limiter, &[one]);
    let refused = poll_once(
        pin!(limiter.acquire_on_behalf_of(one)),
        &Count::new().waker(),
    );
    assert!(refused.is_ready());
    // The refusal did not end what was asked before.
    assert_eq!(
        limiter.try_acquire_on_behalf_of(one).unwrap_err(),
        TryBorrowError::AlreadyBorrowed(one)
    );
    drop(asks);
    assert_eq!(
        limiter.try_acquire_on_behalf_of(one).unwrap_err(),
        TryBorrowError::NoTokens
    );
}

#[test]
fn the_statistics_list_who_has_taken_a_token() {
    let limiter = CapacityLimiter::new(50);
    let many: [Borrower; 100] = borrowers();
    let mut tokens: Vec<_> = (0..100)
        .rev()
        .filter(|me| me % 2 == 1)
        .map(|me| limiter.try_acquire_on_behalf_of(many[me]).unwrap())
        .collect();
    let mut asks = queue(&limiter, &[many[4], many[2]]);
    let odd: Vec<_> = many.iter().copied().skip(1).step_by(2).collect();
    assert_eq!(limiter.statistics().borrowers, odd);
    // 99 gives its token back; 4 is granted it, and then takes it.
    drop(tokens.remove(0));
    let now = limiter.statistics();
    assert_eq!((now.borrowed, &now.borrowers[..]), (50, &odd[..49]));
    let token = take(&mut asks[0]);
    let now = limiter.statistics().borrowers;
    assert_eq!(
        (now.len(), &now[..3]),
        (50, &[many[1], many[3], many[4]][..])
    );
    drop((token, tokens, asks));
    assert_eq!(limiter.statistics().borrowers, []);
}

#[test]
fn a_future_that_was_never_polled_asks_for_nothing() {
    let limiter = CapacityLimiter::new(1);
    let borrower = Borrower::new();
    let asks = limiter.acquire_on_behalf_of(borrower);
    assert!(limiter.try_acquire_on_behalf_of(borrower).is_ok());
    drop(asks);
}

#[test]
fn a_higher_total_lets_exactly_as_many_in() {
    let limiter = CapacityLimiter::new(0);
    let mut asks = queue(&limiter, &borrowers::<5>());
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
    let mut tokens =
        Vec::from(borrowers::<4>().map(|me| limiter.try_acquire_on_behalf_of(me).unwrap()));
    limiter.set_total(2);
    assert_eq!((numbers(&limiter), limiter.available()), ((2, 4, 0), 0));
    let asks = queue(&limiter, &borrowers::<2>());
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
    let four: [Borrower; 4] = borrowers();
    let mut asks = queue(&limiter, &four);
    drop(asks.remove(1));
    limiter.set_total(1);
    assert_eq!(wakes(&asks), [1, 0, 0]);
    drop(asks.remove(0));
    assert_eq!(wakes(&asks), [1, 0]);
    assert_eq!(take(&mut asks[0]).borrower(), four[2]);
}

#[test]
fn who_was_granted_and_leaves_while_too_many_are_out_wakes_nobody() {
    let limiter = CapacityLimiter::new(1);
    let held = limiter.try_acquire_on_behalf_of(Borrower::new()).unwrap();
    let mut asks = queue(&limiter, &borrowers::<2>());
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
        let held = borrowers::<2>().map(|me| limiter.try_acquire_on_behalf_of(me).unwrap());
        let task = Count::new();
        let [one, two] = borrowers();
        let mut unpolled = Box::pin(limiter.acquire_on_behalf_of(one));
        let mut awaited = Box::pin(limiter.acquire_on_behalf_of(two));
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
        assert_eq!(token.borrower(), two);
        assert_eq!(limiter.statistics().borrowers.last(), Some(&two));
        drop(token);
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
    }
}

#[test]
fn who_is_woken_as_another_leaves_may_ask_for_its_borrower() {
    struct Asks(Arc<CapacityLimiter>, Borrower, Arc<Count>);
    impl std::task::Wake for Asks {
        fn wake(self: Arc<Self>) {
            let mut asks = pin!(self.0.acquire_on_behalf_of(self.1));
            assert!(poll_once(asks.as_mut(), &self.2.waker()).is_pending());
            self.2.waker().wake();
        }
    }
    // One leaves as its future is dropped after the grant, the other as it gives its token back.
    for take_it in [false, true] {
        let limiter = Arc::new(CapacityLimiter::new(0));
        let [first, second] = borrowers();
        let mut leaves = queue(&limiter, &[first]);
        limiter.set_total(1);
        let woken = Count::new();
        let waker = Arc::new(Asks(Arc::clone(&limiter), first, Arc::clone(&woken))).into();
        let mut next = pin!(limiter.acquire_on_behalf_of(second));
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
fn a_task_that_waits_may_run_on_another_thread() {
    let limiter = Arc::new(CapacityLimiter::new(1));
    let borrower = Borrower::new();
    let task = {
        let limiter = Arc::clone(&limiter);
        async move {
            let token = limiter.acquire_on_behalf_of(borrower).await?;
            Ok::<_, AlreadyBorrowed>(token.borrower())
        }
    };
    assert_eq!(
        std::thread::spawn(|| pirn_core::shim::block_on(task))
            .join()
            .unwrap(),
        Ok(borrower)
    );
    assert_eq!(limiter.available(), 1);
}

/// Runs a task that asks and is cancelled, and then goes on to be polled, while it waits or, if
/// `granted`, after it was granted the only token. Returns the wakes of one who asks behind it, and
/// how a try for the borrower ends, before and after that poll.
fn ask_in_a_cancelled_body(granted: bool) -> [(usize, TryBorrowError); 2] {
    let limiter = CapacityLimiter::new(0);
    let [cancelled, other] = borrowers();
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        let mut asks = pin!(limiter.acquire_on_behalf_of(cancelled));
        poll_fn(|cx| {
            assert!(clean_up.as_mut().poll(cx).is_pending());
            asks.as_mut().poll(cx).map(drop)
        })
        .await
    }));
    let count = Count::new();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    let asks = queue(&limiter, &[other]);
    limiter.set_total(usize::from(granted));
    scope.cancel(Cause::requested("enough"));
    let look = || {
        let tried = limiter.try_acquire_on_behalf_of(cancelled).unwrap_err();
        (wakes(&asks)[0], tried)
    };
    let before = look();
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
    [before, look()]
}

#[test]
fn in_a_body_that_is_cancelled_a_borrower_asks_no_more_and_passes_on_what_it_was_granted() {
    for granted in [false, true] {
        let [before, after] = ask_in_a_cancelled_body(granted);
        assert!(matches!(before, (0, TryBorrowError::AlreadyBorrowed(_))));
        assert_eq!(after, (usize::from(granted), TryBorrowError::NoTokens));
    }
}

#[test]
fn a_future_that_comes_out_of_a_body_that_was_cancelled_asks_anew() {
    let limiter = CapacityLimiter::new(0);
    let borrower = Borrower::new();
    let mut asks = Box::pin(limiter.acquire_on_behalf_of(borrower));
    let count = Count::new();
    {
        let scope = Scope::detached();
        let mut run = pin!(scope.run(async {
            let mut clean_up = pin!(shield(pending::<()>()));
            poll_fn(|cx| {
                assert!(clean_up.as_mut().poll(cx).is_pending());
                asks.as_mut().poll(cx).map(drop)
            })
            .await
        }));
        assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
        scope.cancel(Cause::requested("enough"));
        assert!(poll_once(run.as_mut(), &count.waker()).is_pending());
        assert_eq!(limiter.waiting(), 0);
    }
    assert!(poll_once(asks.as_mut(), &count.waker()).is_pending());
    assert_eq!(limiter.waiting(), 1);
    limiter.set_total(1);
    let Poll::Ready(Ok(token)) = poll_once(asks.as_mut(), &count.waker()) else {
        panic!("granted, and not ready");
    };
    assert_eq!(limiter.statistics().borrowers, [token.borrower()]);
}

#[test]
fn without_budget_nothing_is_taken() {
    let limiter = CapacityLimiter::new(1);
    let count = Count::new();
    let refilled = budget::refill();
    while budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready() {}
    let mut asks = pin!(limiter.acquire_on_behalf_of(Borrower::new()));
    assert!(poll_once(asks.as_mut(), &count.waker()).is_pending());
    assert_eq!((count.wakes(), numbers(&limiter)), (1, (1, 0, 0)));
    drop(refilled);
    assert!(poll_once(asks.as_mut(), &count.waker()).is_ready());
}

#[test]
fn its_types_cross_threads_and_say_what_they_are() {
    const fn crosses<T: Send + Sync>() {}
    const { crosses::<CapacityLimiter>() };
    const { crosses::<LimiterToken<'static>>() };
    let limiter = CapacityLimiter::new(1);
    let borrower = Borrower::new();
    let token = limiter.try_acquire_on_behalf_of(borrower).unwrap();
    assert_eq!(
        format!("{limiter:?} {token:?}"),
        format!(
            "CapacityLimiter {{ total: 1, borrowed: 1, waiting: 0 }} \
             LimiterToken {{ borrower: {borrower:?} }}"
        )
    );
    let refused =
        [borrower, Borrower::new()].map(|me| limiter.try_acquire_on_behalf_of(me).unwrap_err());
    assert_eq!(
        refused.map(|error| error.to_string()),
        [
            format!("{borrower:?} has a token already, or asks for one"),
            "no token is free".into()
        ]
    );
}

#[test]
fn a_limiter_can_stand_in_a_static() {
    static LIMITER: CapacityLimiter = CapacityLimiter::new(1);
    let token = LIMITER.try_acquire_on_behalf_of(Borrower::new()).unwrap();
    assert_eq!(LIMITER.available(), 0);
    drop(token);
}
