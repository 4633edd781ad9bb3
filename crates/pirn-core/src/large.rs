//! Large futures, in a box before anything of ours moves them.
//!
//! Who hands a future on by value has a copy of it on the stack, and so has each function below; in a
//! build without optimisation, all of them at once. So the first line of whatever is given a future
//! to keep is [`hand_on`]: what lies below then moves a pointer.

use crate::Refused;
use crate::shim::choose;
use std::boxed::Box;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The largest future, in bytes, that is handed on as it is. In models more, so that few tasks fill the
/// pages of a heap.
pub const LARGEST: usize = choose(1 << 10, 2 << 10);

/// A large future in a box, out of which it can be taken before its first poll.
pub struct Large<F>(Stage<F>);

enum Stage<F> {
    Fresh(Box<F>),
    Polled(Pin<Box<F>>),
    /// Within the step from the first to the second.
    Gone,
}

/// Calls `small` with the future, or `large` if it is.
#[inline]
pub fn hand_on<C, F, R>(
    with: C,
    future: F,
    small: impl FnOnce(C, F) -> R,
    large: impl FnOnce(C, Large<F>) -> R,
) -> R {
    // The box is made right here: a function that made it would have one more copy.
    if const { size_of::<F>() > LARGEST } {
        large(with, Large(Stage::Fresh(Box::new(future))))
    } else {
        small(with, future)
    }
}

/// For [`hand_on`]: what `spawn` does with a large future, and the future itself back if it is
/// refused.
#[inline]
pub fn unboxed<C, F, T>(
    spawn: impl FnOnce(C, Large<F>) -> Result<T, Refused<Large<F>>>,
) -> impl FnOnce(C, Large<F>) -> Result<T, Refused<F>> {
    move |with, future| match spawn(with, future) {
        Ok(spawned) => Ok(spawned),
        Err(refused) => give_back(refused),
    }
}

/// In a function of its own, so that only who is refused has copies of the future on the stack.
#[cold]
#[inline(never)]
fn give_back<T, F>(refused: Refused<Large<F>>) -> Result<T, Refused<F>> {
    Err(refused.map(Large::into_inner))
}

impl<F> Large<F> {
    /// # Panics
    ///
    /// After its first poll.
    fn into_inner(self) -> F {
        match self.0 {
            Stage::Fresh(future) => *future,
            Stage::Polled(_) | Stage::Gone => unreachable!("what is refused was not polled"),
        }
    }
}

impl<F: Future> Future for Large<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Stage::Fresh(_) = self.0 {
            if let Stage::Fresh(future) = std::mem::replace(&mut self.0, Stage::Gone) {
                self.0 = Stage::Polled(Box::into_pin(future));
            }
        }
        match &mut self.0 {
            Stage::Polled(future) => future.as_mut().poll(cx),
            Stage::Fresh(_) | Stage::Gone => unreachable!("it is pinned above"),
        }
    }
}
