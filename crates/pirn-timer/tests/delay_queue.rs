//! `DelayQueue`: what comes out, when, and who is woken.
#![cfg(not(loom))]

mod common;

use common::{Count, Fixture, at, ns};
use futures::Stream;
use pirn_core::{Instant, Park, Until, budget};
use pirn_timer::DelayQueue;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

const fn moves_anywhere<T: Send + Sync + Unpin + 'static>() {}
const _: () = moves_anywhere::<DelayQueue<std::marker::PhantomPinned>>();

fn next<T>(queue: &mut DelayQueue<T>, count: &Arc<Count>) -> Poll<Option<T>> {
    let waker = count.clone().into();
    queue.poll_expired(&mut Context::from_waker(&waker))
}

#[test]
fn items_come_out_in_the_order_of_their_deadlines_and_equal_ones_as_they_were_put_in() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    queue.insert("third", ns(20));
    queue.insert("first", ns(10));
    queue.insert("fourth", ns(20));
    queue.insert_at("second", at(10));
    assert!(next(&mut queue, &count).is_pending());
    f.advance_to(9);
    assert_eq!(count.get(), 0);
    f.advance_to(10);
    assert_eq!(count.get(), 1);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("first")));
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("second")));
    assert!(next(&mut queue, &count).is_pending());
    f.advance_to(1_000_000_000_000_000);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("third")));
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("fourth")));
    assert_eq!(next(&mut queue, &count), Poll::Ready(None));
    queue.insert("again", Duration::ZERO);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("again")));
}

#[test]
fn an_item_that_is_put_in_or_moved_before_the_others_has_the_task_woken_for_it() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    let moved = queue.insert("moved", ns(1000));
    assert!(next(&mut queue, &count).is_pending());
    queue.insert("put in", ns(100));
    f.advance_to(100);
    assert_eq!(count.get(), 1);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("put in")));
    assert!(next(&mut queue, &count).is_pending());
    assert!(queue.reset_at(moved, at(200)));
    assert_eq!(queue.deadline(moved), Some(at(200)));
    f.advance_to(200);
    assert_eq!(count.get(), 2);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some("moved")));
    assert!(!queue.reset(moved, ns(1)));
    assert_eq!(queue.deadline(moved), None);
}

#[test]
fn an_item_that_is_moved_later_or_removed_does_not_come_out_before() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    let (moved, removed) = (queue.insert(1, ns(10)), queue.insert(2, ns(10)));
    assert!(next(&mut queue, &count).is_pending());
    assert!(queue.reset(moved, ns(50)));
    *queue.get_mut(removed).unwrap() = 3;
    assert_eq!(queue.remove(removed), Some(3));
    assert_eq!(queue.remove(removed), None);
    f.advance_to(10);
    assert!(next(&mut queue, &count).is_pending());
    assert_eq!(queue.len(), 1);
    f.advance_to(50);
    assert_eq!(next(&mut queue, &count), Poll::Ready(Some(1)));
    assert!(queue.is_empty());
}

#[test]
fn an_item_for_the_end_of_time_stays() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    let key = queue.insert((), Duration::MAX);
    assert_eq!(queue.deadline(key), Some(Instant::NEVER));
    assert!(next(&mut queue, &count).is_pending());
    f.advance_to(u64::MAX - 1);
    assert!(next(&mut queue, &count).is_pending());
    queue.clear();
    assert_eq!(next(&mut queue, &count), Poll::Ready(None));
}

#[test]
fn a_thousand_items_are_waited_for_with_one_timer_and_few_turns_in_vain() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    for n in 0..1000 {
        queue.insert(n, ns((n * 7919) % 100_000));
    }
    let mut out = Vec::new();
    let mut pending = 0;
    while out.len() < 1000 {
        match next(&mut queue, &count) {
            Poll::Ready(item) => out.push((item.unwrap() * 7919) % 100_000),
            Poll::Pending => {
                pending += 1;
                assert!(format!("{:?}", f.timer).contains("timers: 1"));
                let before = count.get();
                f.driver.park(Until::Woken).unwrap(); // jumps to the next timer
                assert_eq!(count.get(), before + 1);
            }
        }
    }
    assert!(out.is_sorted());
    assert!(pending <= 1000 + 1000 * 10 / 32, "{pending}");
}

#[test]
fn a_loop_over_what_is_due_gives_the_thread_back() {
    let mut f = Fixture::new();
    let _entered = f.enter();
    let count = Count::new();
    let mut queue = DelayQueue::new();
    for n in 0..200 {
        queue.insert(n, ns(1));
    }
    f.advance_to(1);
    let refilled = budget::refill();
    let mut taken = 0;
    while next(&mut queue, &count).is_ready() {
        taken += 1;
    }
    assert_eq!((taken, count.get()), (budget::BUDGET, 1));
    drop(refilled);
    assert_eq!(queue.len(), 200 - taken as usize, "nothing is lost");
}

#[test]
fn it_is_a_stream_that_ends_where_it_is_empty() {
    let f = Fixture::new();
    let _entered = f.enter();
    let mut queue = DelayQueue::default();
    queue.insert(7, Duration::ZERO);
    let waker = Count::new().into();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(
        Pin::new(&mut queue).poll_next(&mut cx),
        Poll::Ready(Some(7))
    );
    assert_eq!(Pin::new(&mut queue).poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(queue.size_hint(), (0, None));
}
