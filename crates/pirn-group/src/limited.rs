//! Work on many items, so many of them at once.

mod map;

pub use map::{MapLimit, Results, map_limit};

use crate::branches::Branches;
use crate::catch::drop_quietly;
use crate::error::GroupError;
use crate::gather::outcome::Outcome;
use crate::known::Known;
use crate::several::form;
use crate::tally::Tally;
use futures_core::Stream;
use pin_project_lite::pin_project;
use pirn_core::{TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Where the items of [`for_each_limit`] and [`map_limit`] come from: whatever can be iterated, or a
/// stream. `Form` is found by the compiler.
pub trait Items<Form> {
    /// What there is of each.
    type Item;

    /// The stream that they come from.
    type Source: Stream<Item = Self::Item>;

    #[doc(hidden)]
    fn items(self) -> Self::Source;
}

impl<I: IntoIterator> Items<form::Iter> for I {
    type Item = I::Item;
    type Source = Iterated<I::IntoIter>;

    fn items(self) -> Iterated<I::IntoIter> {
        Iterated(self.into_iter())
    }
}

impl<S: Stream> Items<form::Stream> for S {
    type Item = S::Item;
    type Source = Streamed<S>;

    fn items(self) -> Streamed<S> {
        Streamed {
            stream: self,
            owes: false,
        }
    }
}

pin_project! {
    /// A stream that may know nothing of budgets.
    #[derive(Debug)]
    pub struct Streamed<S> {
        #[pin]
        stream: S,
        // It gave an item, which is paid for before the next.
        owes: bool,
    }
}

impl<S: Stream> Stream for Streamed<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        // In a cancelled body it is polled all the same: it may have clean-up to do.
        if *this.owes && !budget::is_frozen() {
            ready!(budget::poll_spend(cx));
        }
        let polled = this.stream.poll_next(cx);
        *this.owes = polled.is_ready();
        polled
    }
}

/// An iterator as a stream.
#[derive(Debug)]
pub struct Iterated<I>(I);

/// Nothing of an iterator is pinned.
impl<I> Unpin for Iterated<I> {}

impl<I: Iterator> Stream for Iterated<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        budget::poll_spend(cx).map(|()| self.0.next())
    }
}

/// Calls `work` for each item of an iterator or a stream, and runs what it makes, at most `limit` at
/// once, in the caller's own task. The next item is taken when there is room for it.
///
/// # Errors
///
/// The first failure cancels the others and is returned when they have ended, clean-up included; no
/// more items are taken. What another one fails with meanwhile comes after it. A stream of items is
/// dropped at the failure.
///
/// # Panics
///
/// With the first panic, of `work` and of the items too, when the others have ended; and if `limit` is
/// 0.
///
/// # Cancel safety
///
/// Dropping it drops what is under way, and the items that are left.
///
/// # A stream that has clean-up to do
///
/// All that can be done to any stream is to drop it, and so is one of which not all was taken. Clean-up
/// of its own, the [`finally`](pirn_core::finally) of a generator say, is not awaited here: it goes to the
/// scope that the stream was made in, which ends after it. Two ways to have it done before what comes
/// next:
///
/// - Lend the stream, and [close](crate::stream::FromFn::close) it afterwards.
/// - Make the stream in a scope of its own: `Scope::new().run(async { .. })`, with the call in it.
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_core::finally_in_place;
/// use pirn_group::{for_each_limit, stream};
/// use std::cell::Cell;
/// use std::pin::pin;
///
/// let hung_up = Cell::new(false);
/// let mut pages = pin!(stream::from_fn(async |yielder| {
///     let work = async {
///         for page in 1.. {
///             yielder.yield_(page).await;
///         }
///     };
///     finally_in_place(work, async || hung_up.set(true)).await
/// }));
/// let read = async |page| match page {
///     7 => Err("the seventh page is torn"),
///     _ => Ok(()),
/// };
/// let ended = for_each_limit(3, pages.as_mut(), read).await;
/// pages.close().await;
/// assert!(ended.is_err() && hung_up.get());
/// # });
/// ```
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use std::cell::Cell;
///
/// let (now, most, sum) = (Cell::new(0), Cell::new(0), Cell::new(0));
/// pirn_group::for_each_limit(3, 1..=10, async |number| {
///     now.set(now.get() + 1);
///     most.set(most.get().max(now.get()));
///     pirn_core::yield_now().await;
///     now.set(now.get() - 1);
///     sum.set(sum.get() + number);
///     Ok::<_, std::io::Error>(())
/// })
/// .await?;
/// assert_eq!((most.get(), sum.get()), (3, 55));
/// # Ok::<(), pirn_group::GroupError<std::io::Error>>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn for_each_limit<I, Form, W, F, E>(
    limit: usize,
    items: I,
    work: W,
) -> ForEachLimit<I::Source, W, F, E>
where
    I: Items<Form>,
    W: FnMut(I::Item) -> F,
    F: Future<Output = Result<(), E>>,
    E: fmt::Display + 'static,
{
    assert!(limit > 0, "with a limit of 0 nothing can run");
    ForEachLimit {
        inner: Known::new(ForEach {
            running: Branches::new(),
            source: Some(items.items()),
            work,
            tally: Tally::new(&"for_each_limit", TaskMeta::here()),
            limit,
            numbers: Vec::new(),
            taken: 0,
        }),
    }
}

pin_project! {
    /// The future of [`for_each_limit`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ForEachLimit<S, W, F: Future<Output: Outcome>, E> {
        #[pin]
        inner: Known<ForEach<S, W, F>, Result<(), GroupError<E>>>,
    }
}

impl<S, W, F: Future<Output: Outcome>, E> Future for ForEachLimit<S, W, F, E> {
    type Output = Result<(), GroupError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl<S, W, F: Future<Output: Outcome>, E> fmt::Debug for ForEachLimit<S, W, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEachLimit").finish_non_exhaustive()
    }
}

pin_project! {
    struct ForEach<S, W, F: Future<Output: Outcome>> {
        running: Branches<F>,
        // Gone when there is no more to be taken.
        #[pin]
        source: Option<S>,
        work: W,
        tally: Tally<<F::Output as Outcome>::Error>,
        limit: usize,
        // Which item has which key, and how many were taken.
        numbers: Vec<usize>,
        taken: usize,
    }

    impl<S, W, F: Future<Output: Outcome>> PinnedDrop for ForEach<S, W, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            drop_quietly(this.tally.meta(), || this.source.set(None));
        }
    }
}

impl<S, W, F, E> Future for ForEach<S, W, F>
where
    S: Stream,
    W: FnMut(S::Item) -> F,
    F: Future<Output = Result<(), E>>,
    E: fmt::Display + 'static,
{
    type Output = Result<(), GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (running, tally, numbers) = (this.running, this.tally, this.numbers);
        let _budget = budget::refill_if_outermost();
        loop {
            let mut full = running.len() >= *this.limit;
            let take_in = || {
                while !full {
                    let Some(items) = this.source.as_mut().as_pin_mut() else {
                        break;
                    };
                    match items.poll_next(cx) {
                        Poll::Ready(Some(item)) => {
                            let key = running.push((this.work)(item));
                            numbers.resize(numbers.len().max(key + 1), 0);
                            numbers[key] = *this.taken;
                            *this.taken += 1;
                            full = running.len() >= *this.limit;
                        }
                        Poll::Ready(None) => this.source.set(None),
                        Poll::Pending => break,
                    }
                }
            };
            let polled = match catch_unwind(AssertUnwindSafe(take_in)) {
                Ok(()) => running.poll(cx, |key, end| {
                    tally.end(numbers[key], end);
                    tally.flow()
                }),
                Err(payload) => {
                    tally.panicked_beside(payload);
                    Poll::Ready(Some(()))
                }
            };
            if polled == Poll::Ready(Some(())) {
                tally.drop_beside(|| this.source.set(None));
                let cause = tally.cancel();
                running.cancel(&cause, |key, end| {
                    tally.end(numbers[key], end);
                });
                continue;
            }
            if this.source.is_none() {
                ready!(polled);
                return tally.poll_finish();
            }
            if !full || running.len() >= *this.limit {
                // The source is pending, or there is still no room.
                return Poll::Pending;
            }
        }
    }
}
