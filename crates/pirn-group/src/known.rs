//! A future of which nothing is left to be proved.
//!
//! Where the compiler looks whether a task is `Send`, it has forgotten the lifetimes in it, and takes each
//! for any. So of a future that is one only where its error is `'static`, or where two of its parts fail with
//! the same, it does not see that it is one; and it must, if what is around keeps the future's output.

use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A future that brings its poll with it, from where it was made and all was known.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Known<F, T> {
        #[pin]
        future: F,
        poll: fn(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
    }
}

impl<F: Future> Known<F, F::Output> {
    #[inline]
    pub(crate) fn new(future: F) -> Self {
        Known {
            future,
            poll: F::poll,
        }
    }
}

impl<F, T> Future for Known<F, T> {
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        (this.poll)(this.future, cx)
    }
}
