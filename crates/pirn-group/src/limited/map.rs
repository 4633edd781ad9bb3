//! Work on many items whose results a body consumes, the two side by side.

use super::Items;
use crate::branches::{Branches, decided};
use crate::catch::drop_quietly;
use crate::gather::list::result;
use crate::known::Known;
use crate::race::unheard;
use crate::untaken::Untaken;
use crate::wait::Done;
use futures_core::Stream;
use pin_project_lite::pin_project;
use pirn_core::shim::Mutex;
use pirn_core::{Payload, Scope, TaskMeta, budget};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Calls `work` for each item of an iterator or a stream, runs what it makes, at most `limit` at
/// once, and gives the results to `body`, as they come; all in the caller's own task.
///
/// What runs and the body run *beside* each other: while the body awaits something else, the work goes
/// on, and a body that waits for something that the work is to do gets it. (With a stream of buffered
/// futures that program stops for ever.) Results that were not taken yet count as running, so at most
/// `limit` are kept.
///
/// The closure that makes the body is called here, before the first poll; an iterator is gone through
/// item by item from the first poll on, as there is room.
///
/// When the body returns, what is still running is cancelled, and its value is returned when that has
/// ended, clean-up included.
///
/// A stream of which not all was taken by then is dropped, and clean-up of its own is not awaited here:
/// it goes to the scope that the stream was made in. If it is to be done before the value is returned,
/// lend the stream, `pages.as_mut()`, and close it afterwards, as with
/// [`for_each_limit`](super::for_each_limit#a-stream-that-has-clean-up-to-do).
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_core::finally_in_place;
/// use pirn_group::{map_limit, stream};
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
/// let read = async |page: u32| page * 10;
/// let first = map_limit(3, pages.as_mut(), read, async |mut results| {
///     results.next().await.unwrap().1.unwrap()
/// })
/// .await;
/// assert!(!hung_up.get()); // it may be gone on with,
/// pages.close().await; // or closed
/// assert!(first == 10 && hung_up.get());
/// # });
/// ```
///
/// # Panics
///
/// If `limit` is 0. With a panic of the body, of `work` or of the items, when what is running has
/// been cancelled and has ended. A panic of what `work` made is its result; where nobody takes that any
/// more, it is reported.
///
/// # Cancel safety
///
/// Dropping it drops the body and what is running; clean-up that is left goes to the scope around. Of
/// results that were not taken, panics are reported.
///
/// # Examples
///
/// ```
/// # futures::executor::block_on(async {
/// use pirn_group::map_limit;
///
/// let square = async |number: u32| number * number;
/// let sum = map_limit(3, 1..=4, square, async |mut results| {
///     let mut sum = 0;
///     while let Some((_place, square)) = results.next().await {
///         sum += square.unwrap();
///     }
///     sum
/// })
/// .await;
/// assert_eq!(sum, 30);
/// # });
/// ```
#[track_caller]
pub fn map_limit<I, Form, W, F, B, R, T>(
    limit: usize,
    items: I,
    work: W,
    body: impl FnOnce(Results<R>) -> B,
) -> MapLimit<I::Source, W, F, B>
where
    I: Items<Form>,
    W: FnMut(I::Item) -> F,
    F: Future<Output = R>,
    B: Future<Output = T>,
{
    assert!(limit > 0, "with a limit of 0 nothing can run");
    let meta = TaskMeta::here();
    let desk = Arc::new(Mutex::new(Desk::new(meta.clone())));
    let mapping = Mapping {
        running: Branches::new(),
        source: Some(items.items()),
        body: Some(body(Results(Arc::clone(&desk)))),
        stalled: Vec::new(),
        ended: Untaken::new(None, meta),
        work,
        desk: Last(desk),
        limit,
        numbers: Vec::new(),
        taken: 0,
    };
    MapLimit {
        inner: Known::new(mapping),
    }
}

pin_project! {
    /// The future of [`map_limit`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct MapLimit<S, W, F: Future, B: Future> {
        #[pin]
        inner: Known<Mapping<S, W, F, B>, B::Output>,
    }
}

impl<S, W, F: Future, B: Future> Future for MapLimit<S, W, F, B> {
    type Output = B::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Output> {
        self.project().inner.poll(cx)
    }
}

impl<S, W, F: Future, B: Future> fmt::Debug for MapLimit<S, W, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapLimit").finish_non_exhaustive()
    }
}

pin_project! {
    struct Mapping<S, W, F: Future, B: Future> {
        running: Branches<F>,
        // Gone when there is no more to be taken.
        #[pin]
        source: Option<S>,
        // Gone when it has ended.
        #[pin]
        body: Option<B>,
        // What was cancelled with the body around.
        stalled: Vec<Done<F::Output>>,
        // How the body has ended, while what was running ends.
        ended: Untaken<Option<Result<B::Output, Payload>>>,
        work: W,
        desk: Last<F::Output>,
        limit: usize,
        // Which item has which key, and how many were taken.
        numbers: Vec<usize>,
        taken: usize,
    }

    impl<S, W, F: Future, B: Future> PinnedDrop for Mapping<S, W, F, B> {
        fn drop(this: Pin<&mut Self>) {
            this.vacate();
        }
    }
}

impl<S, W, F: Future, B: Future> Mapping<S, W, F, B> {
    /// Drops the body and the items.
    fn vacate(self: Pin<&mut Self>) {
        let mut this = self.project();
        let meta = this.ended.task();
        drop_quietly(meta, || this.body.set(None));
        drop_quietly(meta, || this.source.set(None));
    }
}

impl<S, W, F, B> Mapping<S, W, F, B>
where
    S: Stream,
    W: FnMut(S::Item) -> F,
    F: Future,
    B: Future,
{
    /// Polls until the body has ended.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<B::Output, Payload>> {
        let mut this = self.project();
        let (running, numbers, desk) = (this.running, this.numbers, &this.desk.0);
        let _budget = budget::refill_if_outermost();
        loop {
            // What there is room for.
            let take_in = || {
                while running.len() + desk.lock().done.all.len() < *this.limit {
                    let Some(items) = this.source.as_mut().as_pin_mut() else {
                        break;
                    };
                    match items.poll_next(cx) {
                        Poll::Ready(Some(item)) => {
                            let key = running.push((this.work)(item));
                            numbers.resize(numbers.len().max(key + 1), 0);
                            numbers[key] = *this.taken;
                            *this.taken += 1;
                        }
                        Poll::Ready(None) => this.source.set(None),
                        Poll::Pending => break,
                    }
                }
            };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(take_in)) {
                return Poll::Ready(Err(payload));
            }
            let polled = running.poll(cx, |key, end| {
                let mut with_body = false;
                let done = (numbers[key], result(end, &mut with_body));
                match with_body {
                    true => this.stalled.push(done),
                    false => desk.lock().done.all.push_back(done),
                }
                ControlFlow::<()>::Continue(())
            });
            if !this.stalled.is_empty() && !Scope::must_stay() {
                desk.lock().done.all.extend(this.stalled.drain(..));
            }
            let finished = polled.is_ready() && this.source.is_none() && this.stalled.is_empty();
            let before = Desk::tell(desk, finished, cx);
            let there = this.body.as_mut().as_pin_mut();
            let there = there.expect("`map_limit` was polled after it was ready");
            match catch_unwind(AssertUnwindSafe(|| there.poll(cx))) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(value)) => return Poll::Ready(Ok(value)),
                Err(payload) => return Poll::Ready(Err(payload)),
            }
            // The body made room: for the next item, whose first poll may be what it waits for.
            let made_room = desk.lock().done.all.len() < before;
            if !made_room || this.source.is_none() {
                return Poll::Pending;
            }
        }
    }
}

impl<S, W, F, B> Future for Mapping<S, W, F, B>
where
    S: Stream,
    W: FnMut(S::Item) -> F,
    F: Future,
    B: Future,
{
    type Output = B::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Output> {
        if self.ended.all.is_none() {
            let ended = ready!(self.as_mut().poll_body(cx));
            self.as_mut().project().ended.all = Some(ended);
            self.as_mut().vacate();
            let this = self.as_mut().project();
            let meta = this.ended.task();
            let cause = decided("the body that takes the results has ended", meta);
            this.running.cancel(&cause, |_, end| unheard(end, meta));
        }
        let this = self.project();
        let meta = this.ended.task();
        ready!(this.running.poll_drained(cx, |_, end| unheard(end, meta)));
        let untaken = this.desk.0.lock().done.take();
        drop(Untaken::new(untaken, meta.clone()));
        let ended = this.ended.take().expect("the body has ended");
        Poll::Ready(ended.unwrap_or_else(|payload| resume_unwind(payload)))
    }
}

/// What lies between the work and the body.
struct Desk<R> {
    done: Untaken<VecDeque<Done<R>>>,
    /// No more will come.
    finished: bool,
    /// Of a body that waits: it may have polled with a waker of its own.
    waker: Option<Waker>,
}

impl<R> Desk<R> {
    fn new(meta: TaskMeta) -> Self {
        Desk {
            done: Untaken::new(VecDeque::new(), meta),
            finished: false,
            waker: None,
        }
    }

    /// Says whether there will be more, wakes a body that waits with a waker of its own, and returns
    /// how many results there are. (One that waits with the task's is polled next.)
    fn tell(desk: &Mutex<Self>, finished: bool, cx: &Context<'_>) -> usize {
        let mut desk = desk.lock();
        desk.finished = finished;
        let ready = desk.done.all.len();
        let waker = match ready > 0 || finished {
            true => desk.waker.take(),
            false => None,
        };
        drop(desk);
        if let Some(waker) = waker.filter(|waker| !waker.will_wake(cx.waker())) {
            pirn_core::wake::wake(waker);
        }
        ready
    }
}

/// Says that no more will come, however this ends: the body may have given the results away.
struct Last<R>(Arc<Mutex<Desk<R>>>);

impl<R> Drop for Last<R> {
    fn drop(&mut self) {
        let mut desk = self.0.lock();
        desk.finished = true;
        let waker = desk.waker.take();
        drop(desk);
        waker.into_iter().for_each(pirn_core::wake::wake);
    }
}

/// The results of [`map_limit`], each as it comes, with the place of its item in the input.
#[must_use = "streams do nothing unless polled"]
pub struct Results<R>(Arc<Mutex<Desk<R>>>);

impl<R> Results<R> {
    /// The next result; `None` when there were all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Option<Done<R>> {
        poll_fn(|cx| self.poll_done(cx)).await
    }

    fn poll_done(&self, cx: &mut Context<'_>) -> Poll<Option<Done<R>>> {
        let waker = cx.waker().clone();
        let mut desk = self.0.lock();
        if desk.done.all.is_empty() && !desk.finished {
            let former = desk.waker.replace(waker);
            drop(desk);
            pirn_core::wake::discard(former);
            budget::inspect::say("a result of `map_limit`");
            return Poll::Pending;
        }
        drop(desk);
        // In a cancelled body nothing is given, the end included.
        ready!(budget::poll_spend(cx));
        Poll::Ready(self.0.lock().done.all.pop_front())
    }
}

impl<R> Stream for Results<R> {
    type Item = Done<R>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Done<R>>> {
        self.poll_done(cx)
    }
}

impl<R> fmt::Debug for Results<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("ready", &self.0.lock().done.all.len())
            .finish_non_exhaustive()
    }
}
