//! What gives way, and what does not.

use pirn_core::budget::{self, BUDGET};
use pirn_core::{panic_message, yield_now};
use pirn_sim::{Sim, assert_checkpoints, assert_no_checkpoints};
use pirn_sync::{Lock, Queue};
use pirn_timer::sleep;
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

fn panic_of<F: Future>(main: F) -> String {
    let run = AssertUnwindSafe(|| Sim::new().run(async { drop(main.await) }));
    let payload = catch_unwind(run).unwrap_err();
    panic_message(&*payload).to_owned()
}

#[test]
fn a_pending_poll_and_a_spent_budget_are_checkpoints() {
    Sim::new().run(async {
        assert_checkpoints(yield_now()).await;
        assert_checkpoints(sleep(Duration::from_secs(1))).await;
        let lock = Lock::new(());
        drop(assert_checkpoints(lock.lock()).await);
        let queue = Queue::bounded(1);
        assert_checkpoints(queue.put(1)).await.unwrap();
        assert_eq!(assert_checkpoints(queue.get()).await, Ok(1));
    });
}

#[test]
fn what_never_gives_way_is_found_with_its_place() {
    let text = panic_of(async { assert_checkpoints(ready(())).await });
    assert!(text.contains("no checkpoint"), "{text}");
    assert!(text.contains("checkpoints.rs"), "{text}");
}

#[test]
fn code_without_a_checkpoint_passes_and_gives_its_value() {
    let value = Sim::new().run(async {
        let queue = Queue::bounded(1);
        assert_no_checkpoints(async {
            queue.try_put(1).unwrap();
            queue.try_get().unwrap()
        })
        .await
    });
    assert_eq!(value, 1);
}

#[test]
fn a_checkpoint_where_none_is_to_be_is_found() {
    let text = panic_of(async { assert_no_checkpoints(yield_now()).await });
    assert!(text.contains("it gives way"), "{text}");
    let text = panic_of(async {
        let lock = Lock::new(());
        drop(assert_no_checkpoints(lock.lock()).await);
    });
    assert!(text.contains("it spends the budget (1 units)"), "{text}");
}

#[test]
fn the_budget_around_is_charged() {
    Sim::new().run(async {
        let mut polls = 0;
        // As many locks as one poll may take, and one more.
        let lock = Lock::new(());
        let mut locking = Box::pin(async {
            for _ in 0..=BUDGET {
                drop(assert_checkpoints(lock.lock()).await);
            }
        });
        poll_fn(|cx| {
            polls += 1;
            locking.as_mut().poll(cx)
        })
        .await;
        assert_eq!(polls, 1, "what was spent in there is seen at the next leaf");
        let mut spent = false;
        poll_fn(|cx| {
            spent |= budget::poll_spend(cx).is_pending();
            Poll::Ready(())
        })
        .await;
        assert!(spent);
    });
}
