//! Large futures: in a box when they are handed on, and themselves again when they are refused.

use pirn_core::large::{LARGEST, Large, hand_on, unboxed};
use pirn_core::{Refused, shim::block_on, yield_now};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives its last byte. Counts its polls and its end.
struct Bytes<'a, const N: usize> {
    bytes: [u8; N],
    polls: &'a Cell<usize>,
    drops: &'a Cell<usize>,
}

impl<const N: usize> Future for Bytes<'_, N> {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        self.polls.set(self.polls.get() + 1);
        Poll::Ready(self.bytes[N - 1])
    }
}

impl<const N: usize> Drop for Bytes<'_, N> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
    }
}

/// True if a future of so many bytes is handed on in a box.
fn is_large<const N: usize>() -> bool {
    let future = std::future::ready([0_u8; N]);
    hand_on((), future, |(), _| false, |(), _: Large<_>| true)
}

#[test]
fn what_is_larger_than_the_limit_is_handed_on_in_a_box() {
    assert!(!is_large::<0>());
    assert!(!is_large::<{ LARGEST - 1 }>()); // one more says whether it was taken
    assert!(is_large::<LARGEST>());
}

#[test]
fn a_large_future_is_polled_where_it_is_and_dropped_once() {
    let (polls, drops) = (Cell::new(0), Cell::new(0));
    let (polls, drops) = (&polls, &drops);
    let bytes = [7; 5000];
    let future = Bytes {
        bytes,
        polls,
        drops,
    };
    let run = |(), future| block_on(future);
    assert_eq!(hand_on((), future, |(), _| 0, run), 7);
    assert_eq!((polls.get(), drops.get()), (1, 1));

    let waits = async {
        let bytes = [1_u8; 5000];
        yield_now().await;
        bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>()
    };
    let run = |(), future| block_on(future);
    assert_eq!(hand_on((), waits, |(), _| 0, run), 5000);
}

fn take<F>((): (), _: F) -> Result<(), Refused<F>> {
    Ok(())
}

#[test]
fn a_large_future_that_is_refused_comes_back_unpolled() {
    let (polls, drops) = (Cell::new(0), Cell::new(0));
    let (polls, drops) = (&polls, &drops);
    let bytes = [7; 5000];
    let future = Bytes {
        bytes,
        polls,
        drops,
    };
    let refuse = unboxed(|(), future| Err::<(), _>(Refused::new("it is late", future)));
    let refused = hand_on((), future, take, refuse).unwrap_err();
    assert_eq!(refused.reason(), "it is late");
    assert_eq!((polls.get(), drops.get()), (0, 0));
    assert_eq!(block_on(refused.into_future()), 7);
    assert_eq!((polls.get(), drops.get()), (1, 1));
}
