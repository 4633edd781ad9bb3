//! Models of the driver of futures on a plain thread: the shipped one, not loom's.
//!
//! In loom an unpark ends whatever its thread waits for, not only a park. So the thread that blocks
//! is one that nobody else competes with, and joins nobody.

use crate::tokens::Tokens;
use pirn_core::block_on::block_on;
use pirn_core::shim::{self, Arc, thread};
use std::future::poll_fn;
use std::pin::pin;

#[test]
fn a_wake_during_the_poll_or_after_it_ends_the_wait() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let thread = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || {
                block_on(tokens.take());
                block_on(tokens.take());
            })
        };
        tokens.add(1);
        tokens.add(1);
        thread.join().unwrap();
        assert_eq!(tokens.left(), 0);
    });
}

#[test]
fn a_wake_is_not_lost_with_the_token_that_somebody_else_took() {
    shim::model(|| {
        let tokens = Arc::new(Tokens::new(0));
        let thread = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || {
                let mut take = pin!(tokens.take());
                block_on(poll_fn(|cx| {
                    let polled = take.as_mut().poll(cx);
                    // Here the wake may come.
                    let _ = tokens.left();
                    thread::current().unpark();
                    thread::park();
                    polled
                }));
            })
        };
        tokens.add(1);
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_that_comes_while_another_future_blocks_the_thread_is_not_lost() {
    shim::model(|| {
        let lists = Arc::new([Tokens::new(0), Tokens::new(0)]);
        let thread = {
            let lists = Arc::clone(&lists);
            thread::spawn(move || {
                let mut outer = pin!(lists[0].take());
                let mut inner = Some(lists[1].take());
                block_on(poll_fn(|cx| {
                    let polled = outer.as_mut().poll(cx);
                    // Blocks inside the poll, once, after the outer one has registered its waker.
                    if let Some(inner) = inner.take() {
                        block_on(inner);
                    }
                    polled
                }));
            })
        };
        lists[0].add(1);
        lists[1].add(1);
        thread.join().unwrap();
    });
}
